"""The best mappings of a network on one of our templates, by the exact cycles and energy of its own program.

Each distinct layer is searched alone, over its legal tiles (:mod:`accel_models.mapper.program.space`), and the best few
of each are then tried in the whole program, where layers overlap. The default tiles are always among them, so the
answer is never worse. What is returned is what the program runs.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accel_models.design import Design
from accel_models.hardware.accelerator import Accelerator
from accel_models.mapper.program.space import TileSpace, neighbours, row_of, tile_space, tiling_of_row
from accel_models.pricing.machine import Ints
from accel_models.pricing.plans import NEEDS, PARAM_BYTES, SHAPE_COLUMNS, TILED_AS, Plans, plan_rows
from accel_models.pricing.tiles import TILING_COLUMNS
from accel_models.pricing.tilings import TilingPricer, Tilings
from accel_models.report import Infeasible
from accel_models.schedule.builder import DESCRIPTOR_BYTES
from accel_models.schedule.fusing import absorbed, chains
from accel_models.schedule.mapped import default_mapping, mapping_of
from accel_models.schedule.memory import Memory
from accel_models.schedule.placing import place_tensors
from accel_models.schedule.planning import Outline, outlines, tiling_for
from accel_models.template.energy import DESCRIPTOR_BITS, Prices, prices_on
from accel_models.template.spec import Template
from mappings.errors import Fault, SpecError, unknown_name
from mappings.mapping import Mapping
from mappings.workload import Workload

#: What is minimised: exponents of energy and of cycles.
OBJECTIVES: dict[str, tuple[int, int]] = {"energy": (1, 0), "latency": (0, 1), "edp": (1, 1)}
#: Tilings of a layer that are looked at; of those, how many are tried in the whole program; priced in one call.
MOST_TILINGS, TRIED, BATCH = 6_000, 4, 256
_ROUNDS = 2

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LayerSearch:
    """What was found of one layer.

    Attributes:
        layer: its name.
        optimal: alone, no legal tiling is better: every one was run, or is bounded away.
        legal: tilings that the buffers hold, of those that were listed.
        priced: run to the last cycle.
    """

    layer: str
    optimal: bool
    legal: int
    priced: int


@dataclass(frozen=True)
class ProgramSearch:
    """Mappings of a network, and how they were found.

    Attributes:
        design: with a mapping for each layer.
        objective: of :data:`OBJECTIVES`.
        value, default_value: of the whole program: pJ, cycles, or pJ x cycles; the latter with the default tiles.
        layers: one for each mapped layer.
        optimal: no legal mapping of the network is better; only of one layer alone, whose program is the network's.
    """

    design: Design
    objective: str
    value: float
    default_value: float
    layers: tuple[LayerSearch, ...]
    optimal: bool


def best_program(
    workload: Workload,
    accelerator: Accelerator,
    objective: str = "latency",
    given: MappingType[str, Mapping] | None = None,
    most: int = MOST_TILINGS,
) -> ProgramSearch | Infeasible:
    """Search the tiles of every layer.

    Args:
        workload: at the template's widths.
        accelerator: with a template; its technology prices energy.
        objective: "latency", "energy" or "edp", of the whole program.
        given: mappings to begin with, by layer; those of layers that it leaves out are the default ones.
        most: tilings of a layer that are listed.

    Returns:
        The best found, never worse than the default or the given mappings; or the bound that the default tiles break.

    Raises:
        SpecError: an unknown objective, energy that is not modelled, no template, or what the hardware does not run.
    """
    if objective not in OBJECTIVES:
        raise unknown_name("objective", "objective", objective, OBJECTIVES)
    template = accelerator.template
    if template is None:
        raise SpecError(Fault(f"accelerator {accelerator.name}", "has no template", "one that rtl_templates builds"))
    prices = prices_on(accelerator)
    if prices is None and OBJECTIVES[objective][0]:
        where = f"accelerator {accelerator.name}"
        what = f'has no energies, which objective "{objective}" needs'
        raise SpecError(Fault(where, what, "latency, or a technology"))
    start: dict[str, Mapping] = {}
    for layer in workload.layers:
        if layer.op.spec.has_loops:
            found = default_mapping(layer, template)
            if isinstance(found, Infeasible):
                return found
            start[layer.name] = found
    return _Search(workload, accelerator, template, prices, objective).run(start, given or {}, most)


class _Search:
    """One network on one template."""

    def __init__(
        self, workload: Workload, accelerator: Accelerator, template: Template, prices: Prices | None, objective: str
    ) -> None:
        self.workload, self.accelerator, self.template = workload, accelerator, template
        self.prices, self.objective = prices, objective
        self.plans = plan_rows(workload, template)
        self.outlines = _outlines(workload, template)
        self.whole = TilingPricer(self.plans, template, prices)

    def run(self, start: dict[str, Mapping], given: MappingType[str, Mapping], most: int) -> ProgramSearch | Infeasible:
        """Layers alone, then together."""
        first = self._tilings(start)
        if isinstance(first, Infeasible):
            return first
        default = float(self._values(self.whole.price(first[None]))[0])
        best, value = first, default
        if given:
            other = self._tilings({**start, **given})
            if not isinstance(other, Infeasible):  # else what was given does not run
                best, value = self._better(best, value, other[None])
        searched: dict[bytes, tuple[Ints, TileSpace, int, bool]] = {}
        logs: list[LayerSearch] = []
        choices: list[tuple[int, Ints]] = []
        for place, outline in enumerate(self.outlines):
            if not outline.mapped or outline.phase:
                continue
            key = (
                self.plans.rows[place, :SHAPE_COLUMNS].tobytes() + self.plans.rows[place, SHAPE_COLUMNS:NEEDS].tobytes()
            )
            if key not in searched:
                searched[key] = self._alone(place, best[place], most)
            rows, space, priced, proved = searched[key]
            logs.append(LayerSearch(outline.plan.chain[0].name, proved, len(space.rows), priced))
            choices.append((place, rows))
        together = best.copy()
        for place, rows in choices:
            together[place] = rows[0]
        best, value = self._better(best, value, together[None])
        for _ in range(_ROUNDS):
            before = value
            for place, rows in choices:
                tried = np.repeat(best[None], len(rows), axis=0)
                tried[:, place] = rows
                best, value = self._better(best, value, tried)
            if value == before:
                break
        mappings = self._mappings(best, start)
        single = len(self.outlines) == 1 and all(log.optimal for log in logs)
        design = Design(self.workload, self.accelerator, tuple(mappings.items()))
        return ProgramSearch(design, self.objective, value, default, tuple(logs), single)

    def _alone(self, place: int, known: Ints, most: int) -> tuple[Ints, TileSpace, int, bool]:
        """The best few tilings of one plan by itself, what was listed, how many were run, whether that proves it."""
        row = self.plans.rows[place : place + 1].copy()
        row[0, NEEDS], row[0, TILED_AS] = -1, 0
        row[0, PARAM_BYTES] = max(row[0, PARAM_BYTES], 0)
        pricer = TilingPricer(Plans(row, self.plans.places, self.plans.end), self.template, self.prices)
        layer = self.outlines[place].plan.layer
        space = tile_space(layer, self.template, most)
        kept, values = known[None], self._values(pricer.price(known[None, None]))
        floor = self._floor(space)
        at = 0

        def look(batch: Ints) -> None:
            nonlocal kept, values
            kept = np.concatenate([kept, batch])
            values = np.concatenate([values, self._values(pricer.price(batch[:, None]))])
            kept, first = np.unique(kept, axis=0, return_index=True)
            order = np.argsort(values[first], kind="stable")[:TRIED]
            kept, values = kept[order], values[first][order]

        while at < len(space.rows) and not floor[at] >= values[0]:
            look(space.rows[at : at + BATCH])
            at += BATCH
        priced = min(at, len(space.rows))
        while not space.whole:  # a part of the space: on from its best, one size or the order at a time
            before = values[0]
            batch = neighbours(layer, self.template, kept[0])
            look(batch)
            priced += len(batch)
            if values[0] == before:
                break
        return kept[np.isfinite(values)], space, priced, space.whole

    def _floor(self, space: TileSpace) -> Floats:
        """No tiling has less than this: its descriptors are fetched, and their energy is paid; rises with commands."""
        of_energy, of_cycles = OBJECTIVES[self.objective]
        cycles = space.commands * DESCRIPTOR_BYTES / self.template.dram_bytes_per_cycle
        energy = np.ones(len(cycles), dtype=np.float64)
        if self.prices is not None:
            energy = np.asarray(space.commands * (DESCRIPTOR_BITS * self.prices.figures[0]), dtype=np.float64)
        return np.asarray(energy**of_energy * cycles**of_cycles, dtype=np.float64)

    def _values(self, found: Tilings) -> Floats:
        """Of the objective; infinite where a tile fits no buffer."""
        of_energy, of_cycles = OBJECTIVES[self.objective]
        value = found.cycles.astype(np.float64) ** of_cycles
        if of_energy:
            value = value * found.energy_pj
        return np.where(found.fits, value, np.inf)

    def _better(self, best: Ints, value: float, tried: Ints) -> tuple[Ints, float]:
        """The best of what is known and what is tried, in the whole program."""
        values = self._values(self.whole.price(tried))
        least = int(values.argmin())
        return (tried[least], float(values[least])) if values[least] < value else (best, value)

    def _tilings(self, mappings: MappingType[str, Mapping]) -> Ints | Infeasible:
        """Every plan's tiling under mappings, ``[plans, TILING_COLUMNS]``."""
        rows = np.zeros((len(self.outlines), TILING_COLUMNS), dtype=np.int64)
        for place, outline in enumerate(self.outlines):
            found = tiling_for(outline, mappings, self.template)
            if isinstance(found, Infeasible):
                return found
            rows[place] = row_of(found)
        return rows

    def _mappings(self, best: Ints, start: dict[str, Mapping]) -> dict[str, Mapping]:
        """What the program runs, as mappings; layers that ride along keep theirs."""
        out = dict(start)
        for place, outline in enumerate(self.outlines):
            if outline.mapped and not outline.phase:
                layer = outline.plan.chain[0]
                out[layer.name] = mapping_of(layer, tiling_of_row(best[place]), self.template)
        return out


def _outlines(workload: Workload, template: Template) -> list[Outline]:
    """Plans without their tiles, in the order of `plan_rows`."""
    found = chains(workload, template)
    return outlines(workload, template, found, place_tensors(workload, template, Memory(), absorbed(found)))
