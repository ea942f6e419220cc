"""The mapper of Eyeriss: every row-stationary mapping of the chip that can be best, all evaluated by the batch engine.

The chip has more freedom than a hierarchy of fixed axes (sets of any height and width, folded ones, sizes that do not
divide), and bounds that no hierarchy states (banks; see :class:`accel_models.published.eyeriss.Eyeriss`). So its
mappings are listed here. The batch engine gives energy, steps and port cycles of each; the best by energy x delay are
costed once more with everything that the chip adds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from accel_models.columns.batch import evaluate_batch
from accel_models.published.eyeriss import EYERISS, WORD_BITS, Eyeriss, EyerissCost, RowStationary
from accel_models.report import Infeasible
from mappings.layer import DIMS, Layer
from mappings.mapspace import MappingColumns, order_code

#: Mappings that are costed with all that the chip adds; the batch has padding and reuse of filters only roughly.
FINALISTS = 20
_LEVELS = 3
_TENSORS_KEPT = (0b111, 0b101, 0b111)  # bits of I, W, O: filters pass the buffer by
_LOOP_ORDERS = ("GKNPQCRS", "KNQGCPRS", "KCSGNPQR")


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


def columns(layer: Layer, mappings: Sequence[RowStationary], machine: Eyeriss = EYERISS) -> MappingColumns:
    """The mappings as columns: what :meth:`Eyeriss.directives` says of each."""
    n, m, e, p, q, r, t = np.array([list(vars(mapping).values()) for mapping in mappings], np.int32).reshape(-1, 7).T
    together = {"K": np.minimum(m, p * t), "C": np.minimum(layer.C, q * r)}
    width = machine.row_outputs(layer)
    sizes = {  # after the cuts of DRAM's level (in time), then of the buffer's: in time, over sets, over a set's PEs
        "G": (1, 1, 1, 1),
        "N": (n, 1, 1, 1),
        "K": (m, together["K"], p, p),
        "C": (together["C"], together["C"], q, q),
        "P": (e, e, e, 1),
        "Q": (width, 1, 1, 1),
        "R": (layer.R, layer.R, layer.R, 1),
        "S": (layer.S, layer.S, layer.S, layer.S),
    }
    chains = np.ones((len(DIMS), 3 * _LEVELS, len(mappings)), np.int32)
    for dim, (outer, *inner) in sizes.items():
        for cut, size in enumerate((outer, outer, outer, *inner)):
            chains[DIMS.index(dim), cut] = size
    codes = [order_code(tuple(DIMS.index(dim) for dim in order)) for order in _LOOP_ORDERS]
    alike = (1, len(mappings))
    first = np.zeros(len(mappings), np.int32)
    return MappingColumns(
        chains,
        np.tile(np.array(codes, np.int32)[:, None], alike),
        np.tile(np.array(_TENSORS_KEPT, np.uint8)[:, None], alike),
        first,
        first,
    )


def energy_delays(layer: Layer, mappings: Sequence[RowStationary], machine: Eyeriss = EYERISS) -> NDArray[np.float64]:
    """Energy x delay of each mapping by the batch engine, with the chip's additions and loading of filters."""
    words = replace(layer, bits=WORD_BITS)
    array = machine.hierarchy(words, RowStationary(1, 1, 1, 1, 1, 1, 1))
    pes = machine.rows * machine.columns  # every grouping that the mapspace lists fits; here any may be
    array = replace(array, levels=tuple(replace(x, fanout=(pes, pes) if x.fanout else ()) for x in array.levels))
    found = evaluate_batch([words], columns(words, mappings, machine), [array])
    added = np.array([machine.additions(layer, mapping) for mapping in mappings], dtype=float)
    width = machine.row_outputs(layer)
    turns = np.array([_filter_turns(layer, mapping, width) for mapping in mappings], dtype=float)
    loading = layer.elements["W"] * turns / machine.port_words
    return np.asarray(found.energy_pj * np.maximum(found.compute_cycles + added + loading, found.cycles))


def _filter_turns(layer: Layer, mapping: RowStationary, width: int) -> int:
    """How often the filters come in: for each strip and image, but once where a block's stay in the scratchpads."""
    if mapping.q * mapping.r >= layer.C and mapping.p * mapping.t >= mapping.m:
        return 1
    return -(-layer.N // mapping.n) * -(-layer.P // mapping.e) * -(-layer.Q // width)


@lru_cache(maxsize=1024)
def best(layer: Layer, machine: Eyeriss = EYERISS) -> tuple[RowStationary, EyerissCost] | Infeasible:
    """The mapping of least energy x delay, one search for all layers.

    Raises:
        SpecError: the chip does not run the layer.
    """
    mappings = list(mapspace(layer, machine))
    order = np.argsort(energy_delays(layer, mappings, machine), kind="stable")
    costed = [(mappings[i], machine.cost(layer, mappings[i])) for i in order[:FINALISTS]]
    found = [(mapping, cost) for mapping, cost in costed if isinstance(cost, EyerissCost)]
    if found:
        return min(found, key=lambda item: item[1].energy_delay)
    least = RowStationary(1, 1, 1, 1, 1, 1, 1)
    needed = machine.banks_needed(layer, least)
    return Infeasible("global buffer", needed, machine.banks, "banks", "a narrower layer", layer.name)
