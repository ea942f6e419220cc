"""The mapper of Eyeriss: every row-stationary mapping of the chip that can be best, the best of them by the engine.

The chip has more freedom than a hierarchy of fixed axes (sets of any height and width, folded ones, sizes that do not
divide), and bounds that no hierarchy states (banks; see :class:`accel_models.machines.eyeriss.Eyeriss`). So its
mappings are listed here. Closed forms put them in order of energy x delay; the first ``FINALISTS`` are evaluated by
the general engine, and no figure of the answer comes from a closed form.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from functools import lru_cache

from accel_models.machines.eyeriss import EYERISS, Eyeriss, EyerissCost, RowStationary
from accel_models.report import Infeasible
from mappings.layer import Layer

FINALISTS = 50


def least_sizes(extent: int, most: int) -> list[int]:
    """For each number of pieces that sizes up to ``most`` cut an extent into, the least such size.

    A larger piece in as many pieces takes more room and more steps, and saves nothing.
    """
    sizes: dict[int, int] = {}
    for size in range(min(extent, most), 0, -1):
        sizes[-(-extent // size)] = size
    return list(sizes.values())


def mapspace(layer: Layer, machine: Eyeriss = EYERISS) -> Iterator[RowStationary]:
    """All mappings within the chip's bounds, but for those that another one beats in every respect.

    Raises:
        SpecError: the chip does not run the layer.
    """
    machine.check(layer)
    columns = machine.row_outputs(layer)
    for e in least_sizes(layer.P, machine.columns * (machine.rows // layer.R)):
        sets = machine.sets(layer, e)
        for n in least_sizes(layer.N, layer.N):
            for q in range(1, min(layer.C, machine.input_words // layer.S) + 1):
                most = min(sets, max(1, machine.row_words // (q * columns)) if q * columns <= machine.row_words else 0)
                for r in least_sizes(-(-layer.C // q), most):
                    inputs, sums = machine.held_words(layer, RowStationary(n, 1, e, 1, q, r, 1))
                    free = (machine.banks - -(-inputs // machine.bank_words)) * machine.bank_words // sums
                    for t in range(1, min(sets // r, free, layer.K) + 1):
                        scratch = min(machine.sum_words, machine.filter_words // (q * layer.S), free // t)
                        for p in least_sizes(-(-layer.K // t), scratch):
                            groups = -(-layer.K // (p * t))
                            if t > 1 and p * (t - 1) >= layer.K:
                                continue  # a set without filters
                            blocks = -(-groups // (free // (p * t)))  # as many filters as fit, in equal blocks
                            yield RowStationary(n, min(layer.K, p * t * -(-groups // blocks)), e, p, q, r, t)


def estimate(layer: Layer, mapping: RowStationary, machine: Eyeriss = EYERISS) -> float:
    """Energy x delay, for the order of candidates only: all pieces taken as whole ones."""
    width = machine.row_outputs(layer)
    parts, strips = -(-layer.Q // width), -(-layer.P // mapping.e)
    passes_c = -(-layer.C // (mapping.q * mapping.r))
    blocks, groups = -(-layer.K // mapping.m), -(-layer.K // (mapping.p * mapping.t))
    batches = -(-layer.N // mapping.n)
    passes = layer.groups * batches * strips * parts * groups * passes_c
    outputs = layer.elements["O"]
    sums = outputs * passes_c
    rows = (layer.P - strips) * layer.stride[0] + strips * layer.R
    columns = (layer.Q - parts) * layer.stride[1] + parts * layer.S
    inputs = layer.groups * layer.N * layer.C * rows * columns * groups
    filters = mapping.p * mapping.q * layer.S * layer.R * mapping.r * mapping.t
    steps = passes * mapping.n * mapping.p * width * mapping.q * layer.S
    additions = passes * mapping.n * mapping.p * width
    cycles = max(steps + additions + passes * filters / machine.port_words, (sums + inputs) / machine.port_words)
    if passes_c == strips == parts == batches == 1:
        blocks = 1  # the buffer holds all inputs of a group
    fetched = (layer.H + (strips - 1) * max(0, layer.R - layer.stride[0])) * (
        layer.W_in + (parts - 1) * max(0, layer.S - layer.stride[1])
    )
    dram_inputs = layer.groups * layer.N * layer.C * fetched * blocks
    turns = batches * strips * parts
    if passes_c == 1 and mapping.m == mapping.p * mapping.t:
        turns = 1  # a block's filters stay in the scratchpads
    dram = dram_inputs + layer.elements["W"] * turns + outputs
    sent = passes * (mapping.n * mapping.q * mapping.r * layer.R * mapping.e * mapping.t * columns / parts)
    sent += passes * filters * mapping.e + sums * layer.R * mapping.r
    energy = 5 * layer.macs + 200 * dram + 6 * (2 * sums + inputs + dram_inputs) + 3 * sent
    return float(energy * cycles)


@lru_cache(maxsize=1024)
def best(layer: Layer, machine: Eyeriss = EYERISS) -> tuple[RowStationary, EyerissCost] | Infeasible:
    """The mapping of least energy x delay that was found, one search for all layers.

    Raises:
        SpecError: the chip does not run the layer.
    """
    order = heapq.nsmallest(FINALISTS, mapspace(layer, machine), key=lambda mapping: estimate(layer, mapping, machine))
    costed = [(mapping, machine.cost(layer, mapping)) for mapping in order]
    found = [(mapping, cost) for mapping, cost in costed if isinstance(cost, EyerissCost)]
    if found:
        return min(found, key=lambda item: item[1].energy_delay)
    least = RowStationary(1, 1, 1, 1, 1, 1, 1)
    needed = machine.banks_needed(layer, least)
    return Infeasible("global buffer", needed, machine.banks, "banks", "a narrower layer", layer.name)
