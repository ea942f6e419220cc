"""The best mapping of each layer of a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from accel_models.hardware.accelerators import accelerator as find_accelerator
from accel_models.mapper import ANY, best_mapping
from accel_models.report import Infeasible, LayerCost
from accel_models.reuse.nest import LOOP_OPS
from codesign.commands.cost import OBJECTIVES
from codesign.commands.targets import is_design, load_design, load_workload
from codesign.progress import Reporter, Silent
from mappings.dataflow import dataflow as find_dataflow
from mappings.errors import Fault, SpecError
from mappings.mapping import Mapping


@dataclass(frozen=True)
class MappedLayer:
    """One layer.

    Attributes:
        how: where the mapping comes from, and whether it is proved best.
    """

    layer: str
    mapping: Mapping
    cost: LayerCost
    how: str


@dataclass(frozen=True)
class Mapped:
    """A mapped network."""

    network: str
    accelerator: str
    objective: str
    layers: tuple[MappedLayer, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "network": self.network,
            "accelerator": self.accelerator,
            "objective": self.objective,
            "layers": [
                {"layer": item.layer, "how": item.how, "mapping": item.mapping.to_dict(), "cost": item.cost.to_dict()}
                for item in self.layers
            ],
        }


def map_network(
    target: str,
    *,
    inputs: Sequence[tuple[int, ...]] = (),
    accelerator: str | None = None,
    dataflow: str | None = None,
    objective: str = "latency",
    tiles: str = "divisors",
    reporter: Reporter | None = None,
) -> Mapped | Infeasible:
    """The best mapping of each layer on an accelerator.

    Args:
        target: a design file (its network and accelerator), ``my_module.py:MyNet`` or a network by name.
        inputs: shapes of a module's inputs.
        accelerator: name or YAML file; a design file has its own.
        dataflow: keep to this dataflow; None: any.
        objective: latency, energy or edp.
        tiles: divisors, or any (slower: tiles that leave a smaller last one, too).

    Raises:
        SpecError: wrong input.
    """
    if objective not in OBJECTIVES:
        raise SpecError(Fault("--objective", f"is {objective!r}", ", ".join(OBJECTIVES)))
    if is_design(target):
        design = load_design(target).design
        workload, hardware = design.workload, design.accelerator
    else:
        if accelerator is None:
            raise SpecError(Fault("--accelerator", "is missing", "a name (codesign list accelerators) or a YAML file"))
        hardware = find_accelerator(accelerator, "--accelerator")
        workload = load_workload(target, inputs)
    flow = ANY if dataflow is None else find_dataflow(dataflow, "--dataflow")
    layers = [layer for layer in workload.layers if layer.op in LOOP_OPS]
    found: list[MappedLayer] = []
    known: dict[str, MappedLayer] = {}
    with (reporter or Silent()).task("mapping", len(layers)) as advance:
        for layer in layers:
            if layer.digest not in known:
                best = best_mapping(layer, hardware, flow, objective, tiles=tiles)
                if isinstance(best, Infeasible):
                    return best
                how = f"{best.dataflow}, {'proved best' if best.optimal else 'best found'}"
                known[layer.digest] = MappedLayer(layer.name, best.mapping, best.cost, how)
            item = known[layer.digest]
            found.append(MappedLayer(layer.name, item.mapping, item.cost.named(layer.name), item.how))
            advance()
    return Mapped(workload.name, hardware.name, objective, tuple(found))
