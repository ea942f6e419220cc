"""Exact cycles, energy and resources of many designs at a time: columns in, columns out.

Each design is a network on a template with its default mappings under two caps, as
:func:`accel_models.template.cost.template_design` makes it; the figures equal those of
:func:`accel_models.template.cost.template_cost`, which is the definition. What several designs share is
worked out once: a network's plans for each width of channel words, the logic of equal arrays, prices of equal memories.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from accel_models.hardware.devices import Device, device, unchecked
from accel_models.hardware.energy import power_mw
from accel_models.hardware.technology import Technology, technology
from accel_models.pricing.dense import dense_plans, plain_layers
from accel_models.pricing.kernel import DEFAULT_TILES, Networks, Results, new_results, new_scratch, price_rows
from accel_models.pricing.machine import CLOCK, Ints, template_rows
from accel_models.pricing.plans import Plans, plan_rows, plans_key
from accel_models.pricing.tiles import NO_CAP
from accel_models.report import Infeasible
from accel_models.template.energy import COMPONENTS, Prices, energies, total_pj
from accel_models.template.families import family_of as fabric_of
from accel_models.template.resources import demand, fits
from accel_models.template.spec import Template
from mappings.errors import SpecError
from mappings.workload import Workload

Floats: TypeAlias = NDArray[np.float64]
#: What a design may break, by code; 0: nothing. Those from ``OPERATOR`` on are no bounds: the readable path raises.
BROKEN = (
    "",
    "input_buffer_bytes",
    "weight_buffer_bytes",
    "acc_buffer_bytes",
    "output_buffer_bytes",
    "param_buffer_bytes",
    "padding",
    "operator",
    "device",
    "power",
)
#: By code: the bound that is broken, nobody has asked by how much.
UNEXPLAINED = tuple(
    Infeasible(n, 1.0, 0.0, "not worked out", "larger buffers, or operators that it has") for n in BROKEN
)
OPERATOR, DEVICE, POWER = (BROKEN.index(name) for name in ("operator", "device", "power"))


@dataclass(frozen=True, eq=False)
class Priced:
    """One row a design; figures are 0 (cycles), not a number (ms, pJ) where the code is not 0.

    Attributes:
        code: place in :data:`BROKEN`.
        cycles: of one run.
        latency_ms, energy_pj: the latter not a number, too, where the technology does not say.
        resources: ``[n, 4]``: DSP, BRAM36, LUT, FF; what it needs, whether it fits or not.
        counts: ``[n, COUNTS]``: what its program moves (`accel_models.template.energy`).
        chip_mw: mean power on the chip, external memory excluded; not a number where energy is none.
    """

    code: Ints
    cycles: Ints
    latency_ms: Floats
    energy_pj: Floats
    resources: Ints
    counts: Ints
    chip_mw: Floats


class Pricer:
    """Keeps what designs share.

    Args:
        where: a device (or its name) whose budget binds and whose technology gives the energies; "" or None: no budget.
        tech: technology without a device.
        bounded: the device's room and power bind; False: what a design would cost all the same.

    Raises:
        SpecError: no such device or technology.
    """

    def __init__(self, where: Device | str | None = None, tech: str = "", *, bounded: bool = True) -> None:
        self._bounded = bounded
        self._device: Device | None = device(where) if isinstance(where, str) and where else None
        if isinstance(where, Device):
            self._device = where
        name = tech if self._device is None else self._device.technology
        self._tech: Technology | None = technology(name, "technology") if name else None
        self._by_id: dict[tuple[int, tuple[int, ...]], tuple[Workload, Plans | None]] = {}
        self._plain: dict[int, tuple[Workload, tuple[Ints, Ints] | None]] = {}
        self._scratch = new_scratch()
        self._known: dict[Template, tuple[Prices | None, tuple[int, int, int, int]]] = {}

    def plans(self, workload: Workload, template: Template) -> Plans | None:
        """A network's plans; None where the hardware does not run it."""
        key = id(workload), plans_key(template)
        found = self._by_id.get(key)
        if found is None:
            found = workload, self._planned(workload, template)
            if len(self._by_id) > 4096:
                self._by_id.clear()
            self._by_id[key] = found
        return found[1]

    def _planned(self, workload: Workload, template: Template) -> Plans | None:
        plain = self._plain.get(id(workload))
        if plain is None or plain[0] is not workload:
            if len(self._plain) > 4096:
                self._plain.clear()
            plain = self._plain[id(workload)] = workload, plain_layers(workload)
        if plain[1] is not None:
            plans = dense_plans(*plain[1], template)
            if plans is not None:
                return plans
        try:
            return plan_rows(workload, template)
        except SpecError:
            return None

    def price(
        self,
        workloads: Sequence[Workload],
        templates: Sequence[Template],
        tile_rows: Sequence[int] | int = NO_CAP,
        tile_channels: Sequence[int] | int = NO_CAP,
    ) -> Priced:
        """Price designs; a single workload or template stands for as many as there are of the other.

        Args:
            workloads, templates: one of each a design.
            tile_rows, tile_channels: at most so many output rows and channels a tile; of all, or of each.
        """
        count = max(len(workloads), len(templates))
        nets = list(workloads) * (count if len(workloads) == 1 else 1)
        machines = list(templates) * (count if len(templates) == 1 else 1)
        if len(nets) != len(machines):
            raise ValueError(f"{len(nets)} workloads for {len(machines)} templates")
        caps = np.empty((count, 2), dtype=np.int64)
        caps[:, 0], caps[:, 1] = tile_rows, tile_channels
        code = np.zeros(count, dtype=np.int64)
        parts: list[Plans] = []
        places: dict[int, int] = {}
        which = np.zeros(count, dtype=np.int64)
        for i, (workload, template) in enumerate(zip(nets, machines, strict=True)):
            if self._bounded and self._device is not None and fits(template, self._device):
                code[i] = DEVICE
                continue
            plans = self.plans(workload, template)
            if plans is None:
                code[i] = OPERATOR
                continue
            if id(plans) not in places:
                places[id(plans)] = len(parts)
                parts.append(plans)
            which[i] = places[id(plans)]
        live = np.flatnonzero(code == 0)
        rows = template_rows(machines)
        results = new_results(len(live))
        if len(live):
            # Cycles and what is moved do not depend on the clock: designs that differ in it alone are run once.
            told = np.column_stack([which[live], caps[live], np.delete(rows[live], CLOCK, axis=1)])
            _, first, same = np.unique(told, axis=0, return_index=True, return_inverse=True)
            runs = new_results(len(first))
            self.run(which[live][first], networks_of(parts), rows[live][first], caps[live][first], runs)
            results = Results(*(column[same.reshape(-1)] for column in runs))
        return self._figures(machines, code, live, results)

    def run(self, which: Ints, networks: Networks, rows: Ints, caps: Ints, out: Results) -> None:
        """Time programs.

        Args:
            which: ``[n]``, which of the networks.
            rows: ``[n, fields]``, machines; caps: ``[n, 2]``.
            out: of ``n`` rows, filled.
        """
        at = 0
        while True:
            at = price_rows(at, which, networks, rows, caps, DEFAULT_TILES, self._scratch, out)
            if at == len(which):
                return
            room = self._scratch
            plans = max(len(room.ends), int(networks.plans[which[at]]))
            self._scratch = new_scratch(4 * len(room.table), 4 * len(room.weights), plans)

    def _priced(self, template: Template) -> tuple[Prices | None, tuple[int, int, int, int]]:
        """What a template's work costs, and what it takes of a device."""
        found = self._known.get(template)
        if found is None:
            price = None if self._tech is None else Prices.of(template, self._tech, self._device)
            found = price, demand(template, fabric_of(self._device))
            if len(self._known) > 200_000:
                self._known.clear()
            self._known[template] = found
        return found

    def _figures(self, machines: Sequence[Template], code: Ints, live: Ints, out: Results) -> Priced:
        count = len(machines)
        code[live] = out.code
        cycles = np.zeros(count, dtype=np.int64)
        cycles[live] = out.cycles
        counts = np.zeros((count, out.counts.shape[1]), dtype=np.int64)
        counts[live] = out.counts
        work = np.zeros((3, count), dtype=np.int64)
        work[:, live] = out.macs, out.busy, out.ended
        clocks = np.array([template.clock_hz for template in machines], dtype=np.int64)
        energy, chip_mw = np.full(count, np.nan), np.full(count, np.nan)
        told = [self._priced(template) for template in machines]
        prices = [None if code[i] else price for i, (price, _) in enumerate(told)]
        known = np.array([i for i, price in enumerate(prices) if price is not None], dtype=np.int64)
        limited = self._bounded and self._device is not None and self._device.power_mw is not None
        if limited and self._device is not None and (code == 0).sum() > len(known):
            why = "the energy of a template is not modelled"
            raise unchecked(self._device, "power_mw", why, "energies", self._device.technology)
        if len(known):
            figures = np.array([price.figures for price in prices if price is not None])
            shapes = np.array([price.shape for price in prices if price is not None])
            parts = energies(figures, shapes, counts[known], *work[:, known])
            energy[known] = total_pj(parts)
            chip_pj = total_pj(np.delete(parts, COMPONENTS.index("DRAM"), axis=1))
            chip_mw[known] = list(map(power_mw, chip_pj, cycles[known], clocks[known]))
            if self._bounded and self._device is not None and self._device.power_mw is not None:
                hot = known[chip_mw[known] > self._device.power_mw]
                code[hot], cycles[hot], energy[hot] = POWER, 0, np.nan
        latency = np.where(code == 0, cycles / clocks * 1e3, np.nan)
        resources = np.array([needed for _, needed in told], dtype=np.int64)
        return Priced(code, cycles, latency, energy, resources.reshape(-1, 4), counts, chip_mw)


def networks_of(parts: Sequence[Plans]) -> Networks:
    """Plans of several networks, one after another."""
    rows = np.concatenate([plans.rows for plans in parts])
    count = np.array([len(plans.rows) for plans in parts], dtype=np.int64)
    places = np.concatenate([plans.places for plans in parts])
    pool = np.array([len(plans.places) for plans in parts], dtype=np.int64)
    end = np.array([plans.end for plans in parts], dtype=np.int64)
    return Networks(rows, places, np.cumsum(count) - count, count, np.cumsum(pool) - pool, end)
