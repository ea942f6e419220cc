"""Which layers ride along with the one before them: post-processing adds a second operand and looks up a table.

A convolution, an addition to its result and an activation function of the sum are one pass over memory. The integers
are those of the layers one by one, since post-processing rounds and clamps between its steps as they do.
"""

from __future__ import annotations

from collections import Counter

from accel_models.template.spec import Template
from mappings.layer import Layer
from mappings.operators import Layout, SecondOperand
from mappings.workload import Workload

CLAMPS = frozenset({"", "relu", "relu6"})


def is_table(layer: Layer, template: Template) -> bool:
    """Whether an activation function that stands alone is a table here (GELU has a unit of its own, too)."""
    if not layer.op.spec.function or layer.activation in CLAMPS:
        return False
    return layer.activation != "gelu" or bool(template.activation_tables)


def chains(workload: Workload, template: Template, fuse: bool = True) -> dict[str, tuple[Layer, ...]]:
    """The layers that run as one, by the name of the first: it alone, or with an addition, a table, or both.

    A chain runs where its first layer stands in the workload, so all that its addition needs comes before that.

    Args:
        workload: the network.
        template: whether there are tables.
        fuse: False: every layer is alone.
    """
    uses = Counter(source for layer in workload.layers for source in layer.inputs)
    position = {tensor.name: -1 for tensor in workload.inputs}
    found: dict[str, list[Layer]] = {}
    tail_of: dict[str, list[Layer]] = {}  # by the name of a chain's last layer
    for index, layer in enumerate(workload.layers):
        if not layer.op.spec.has_loops:
            position[layer.name] = (
                -1 if layer.op.spec.layout is Layout.STORED else index
            )  # what is copied is so at its turn
            continue
        chain = None
        if fuse:
            open_ends = [tail_of.get(source) if uses[source] == 1 else None for source in layer.inputs]
            if is_table(layer, template) and template.activation_tables:
                chain = open_ends[0]
                chain = None if chain is None or is_table(chain[-1], template) else chain
            elif layer.op.spec.second is SecondOperand.ADDED:
                chain = _addition(layer, open_ends, position, template)
        if chain is None:
            chain = found[layer.name] = []
            position[layer.name] = index
        else:
            position[layer.name] = position[chain[0].name]
            del tail_of[chain[-1].name]
        chain.append(layer)
        tail_of[layer.name] = chain
    return {name: tuple(chain) for name, chain in found.items()}


def _addition(
    layer: Layer, open_ends: list[list[Layer] | None], position: dict[str, int], template: Template
) -> list[Layer] | None:
    """The operand's chain that can take the addition: the later one, the other's result being there by then."""
    best = None
    for chain, other in zip(open_ends, reversed(layer.inputs), strict=True):
        if chain is None or len(chain) > 1 or chain[0].op.spec.joins or is_table(chain[0], template):
            continue
        at = position[chain[0].name]
        if position[other] < at and (best is None or at > position[best[0].name]):
            best = chain
    return best


def absorbed(found: dict[str, tuple[Layer, ...]]) -> frozenset[str]:
    """Layers whose results never reach memory."""
    return frozenset(layer.name for chain in found.values() for layer in chain[:-1])
