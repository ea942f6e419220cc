"""The mapper: the best mapping of a layer onto an accelerator, proved where the space can be exhausted.

``best_mapping(layer, accelerator, dataflow, objective)``. How it searches is in ``docs/mapper.md``; the branch and
bound in :mod:`accel_models.mapper.exact`, the search for everything else in :mod:`accel_models.mapper.local`.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from accel_models.hardware.accelerator import Accelerator
from accel_models.mapper import cache
from accel_models.mapper.branch import Branch
from accel_models.mapper.generate import Generator
from accel_models.mapper.local import Evolution
from accel_models.mapper.objective import CUT, EVALUATED, FEASIBLE, INNER, OUTER, PAIRS, SPREADS
from accel_models.mapper.space import (
    Limits,
    dataflow_limits,
    exact_applies,
    free_limits,
)
from accel_models.report import Infeasible, LayerCost
from accel_models.reuse.evaluate import evaluate
from accel_models.reuse.translate import column_to_mapping
from mappings.dataflow import DATAFLOWS, Dataflow
from mappings.errors import Fault, SpecError, unknown_name
from mappings.layer import Layer
from mappings.loops import bounds_of
from mappings.mapping import Mapping
from mappings.mapspace import MappingColumns
from mappings.phases import phases
from mappings.yamlio import digest

ANY = "any"
#: Which tiles are searched: those that divide the tile around them, or, after those, any.
TILES = ("divisors", "any")
#: Objective: exponents of energy and of cycles.
OBJECTIVES: dict[str, tuple[int, int]] = {"energy": (1, 0), "latency": (0, 1), "edp": (1, 1), "ed2p": (1, 2)}
#: Most pairs looked at: by the search, by the proof that nothing is faster, for the energy of the fastest.
_PAIRS = 400_000_000
_FASTEST_PAIRS = 4_000_000
_TIE_PAIRS = 500_000


@dataclass(frozen=True)
class MappingResult:
    """An answer of the mapper.

    Attributes:
        mapping: the best one.
        cost: its figures, by the scalar path.
        value: of the objective: pJ, cycles, pJ x cycles or pJ x cycles^2.
        optimal: whether no mapping of the space (see ``docs/mapper.md``) has a lower value; else the best found.
        generated: tiles, spreads and shares listed, and mappings bred.
        evaluated: complete mappings that the batch model evaluated; feasible: how many of them fit.
        pruned: candidates and pairs dropped by a bound.
        cpu_seconds: process time of the search (of the first one, where the answer is from the cache).
        cached: whether it was read from disk.
    """

    mapping: Mapping
    cost: LayerCost
    objective: str
    dataflow: str
    value: float
    optimal: bool
    generated: int
    evaluated: int
    feasible: int
    pruned: int
    cpu_seconds: float
    cached: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**_stored(self), "cost": self.cost.to_dict(), "value": self.value, "cached": self.cached}


def best_mapping(
    layer: Layer,
    accelerator: Accelerator,
    dataflow: str | Dataflow = ANY,
    objective: str = "edp",
    use_cache: bool = True,
    tiles: str = "divisors",
) -> MappingResult | Infeasible:
    """The best mapping of a layer.

    Args:
        layer: an operator with loops.
        accelerator: two levels of memory or more.
        dataflow: "any", a registered name, or a dataflow: its dims along the axes and its bypasses are kept, sizes and
            loop orders searched.
        objective: "energy", "latency", "edp" or "ed2p".
        use_cache: look on disk first, and store the answer there.
        tiles: "divisors", or "any": from the best of those on, also sizes that leave a smaller last tile (best found).

    Returns:
        The result; or, where nothing fits, the bound that the smallest tiles break.

    Raises:
        SpecError: an unknown objective, dataflow or kind of tiles, an operator without loops, or an energy that is
            not modelled.
    """
    if objective not in OBJECTIVES:
        raise unknown_name("objective", "objective", objective, OBJECTIVES)
    if tiles not in TILES:
        raise unknown_name("tiles", "kind of tiles", tiles, TILES)
    flow = DATAFLOWS.get(dataflow) if isinstance(dataflow, str) and dataflow != ANY else dataflow
    named = ANY if isinstance(flow, str) else flow.name
    key = cache.key_of(
        layer.digest, accelerator.digest, ANY if isinstance(flow, str) else digest(repr(flow)), objective, tiles
    )
    if use_cache:
        hit = _restore(cache.MAPPINGS.load(key), layer, accelerator, objective, named)
        if hit is not None:
            return hit
    limits = free_limits(layer, accelerator) if isinstance(flow, str) else dataflow_limits(layer, accelerator, flow)
    result = _search(limits, layer, accelerator, objective, named, ragged=tiles == "any")
    if use_cache and isinstance(result, MappingResult):
        cache.MAPPINGS.store(key, _stored(result))
    return result


def _search(
    limits: Limits, layer: Layer, accelerator: Accelerator, objective: str, dataflow: str, ragged: bool
) -> MappingResult | Infeasible:
    started = time.process_time()
    power = OBJECTIVES[objective]
    generator = Generator(layer, accelerator, limits=limits)
    space = generator.space
    figures = [space.machine.operation_pj, *space.machine.read_pj, *space.machine.write_pj]
    if power[0] > 0 and any(math.isnan(figure) for figure in figures):
        where = f"accelerator {accelerator.name}"
        raise SpecError(
            Fault(where, f'has no energies, which objective "{objective}" needs', "latency, or a technology")
        )
    search: Evolution | Branch
    optimal, alike = False, _alike(layer)
    if not exact_applies(space):
        search = evolution = Evolution(generator, np.array([*power, 1]))
        evolution.run()
    else:
        search = branch = Branch(space)
        if power[0] > 0:
            branch.run(np.array([*power, 0]), _PAIRS)
            optimal = branch.complete
        else:
            optimal = _fastest(branch, generator, modelled=not math.isnan(figures[0]))
    found, best, tally = search.found, search.best, search.tally
    if ragged and best[0] < np.inf:
        anyhow = Evolution(generator, np.array([*power, 1]), ragged=True)
        anyhow.run(islands=1, given=found)
        optimal, found, tally = False, anyhow.found, tally + anyhow.tally
    if best[0] == np.inf:
        return _nothing_fits(layer, accelerator)
    mapping = column_to_mapping(found, 0, layer, accelerator)
    cost = evaluate(layer, mapping, accelerator)
    if isinstance(cost, Infeasible):
        raise AssertionError(f"batch and scalar path disagree on {layer.name}: {cost}")
    return MappingResult(
        mapping=mapping,
        cost=cost,
        objective=objective,
        dataflow=dataflow,
        value=_value(cost, objective),
        optimal=optimal and alike,
        generated=int(tally[[OUTER, SPREADS, INNER]].sum()) or int(tally[EVALUATED]),
        evaluated=int(tally[EVALUATED]),
        feasible=int(tally[FEASIBLE]),
        pruned=int(tally[CUT] + tally[PAIRS]),
        cpu_seconds=time.process_time() - started,
    )


def _alike(layer: Layer) -> bool:
    """Whether what is searched is what runs: the phases of a transposed convolution may differ from their largest."""
    if not layer.op.spec.transposed:
        return True
    return all(not phase.empty and bounds_of(phase.layer) == bounds_of(layer) for phase in phases(layer))


def _fastest(branch: Branch, generator: Generator, modelled: bool) -> bool:
    """The fastest mapping, of those one of little energy where it is ``modelled``; whether none is proved faster.

    Cycles alone bound little while no fast mapping is known: the search begins with one that the evolution found.
    """
    evolution = Evolution(generator, np.array([0, 1, 1]))
    evolution.run(islands=1)
    branch.tally += evolution.tally
    branch.found, branch.best[0], branch.best[1] = evolution.found, evolution.best[0], 0.0
    branch.run(np.array([0, 1, 0]), _FASTEST_PAIRS)
    proved = branch.complete
    if modelled and branch.best[0] < np.inf:
        branch.best[1] = evolution.best[1] if branch.best[0] == evolution.best[0] else np.inf
        branch.run(np.array([0, 1, 1]), _TIE_PAIRS)
    return proved


def _nothing_fits(layer: Layer, accelerator: Accelerator) -> Infeasible:
    """The bound that tiles of one element break."""
    columns = MappingColumns.empty(len(accelerator.levels), 1)
    broken = evaluate(layer, column_to_mapping(columns, 0, layer, accelerator), accelerator)
    if isinstance(broken, Infeasible):
        return broken
    return Infeasible("mapping", 1, 0, "mappings", "fewer limits in the dataflow, or larger memories", layer.name)


def _value(cost: LayerCost, objective: str) -> float:
    a, b = OBJECTIVES[objective]
    energy = cost.total_energy_pj
    return (1.0 if a == 0 or energy is None else float(energy) ** a) * float(cost.cycles) ** b


def _stored(result: MappingResult) -> dict[str, Any]:
    counts = ("optimal", "generated", "evaluated", "feasible", "pruned", "cpu_seconds")
    return {
        "mapping": result.mapping.to_dict(),
        "objective": result.objective,
        "dataflow": result.dataflow,
        **{name: getattr(result, name) for name in counts},
    }


def _restore(
    value: dict[str, Any] | None, layer: Layer, accelerator: Accelerator, objective: str, dataflow: str
) -> MappingResult | None:
    """A stored answer, costed again; None where it does not read or no longer fits."""
    if value is None:
        return None
    try:
        mapping = Mapping.from_dict(value["mapping"])
        cost = evaluate(layer, mapping, accelerator)
        if isinstance(cost, Infeasible):
            return None
        result = MappingResult(
            mapping,
            cost,
            objective,
            dataflow,
            _value(cost, objective),
            bool(value["optimal"]),
            int(value["generated"]),
            int(value["evaluated"]),
            int(value["feasible"]),
            int(value["pruned"]),
            float(value["cpu_seconds"]),
        )
    except (SpecError, KeyError, TypeError, ValueError):
        return None
    return replace(result, cached=True)
