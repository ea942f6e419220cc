"""One network on one template under many tilings, compiled: what a search of mappings asks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accel_models.jit import uncounted_entry
from accel_models.pricing.emit import Scratch
from accel_models.pricing.kernel import Results, copy_row, new_results, new_scratch, run_design
from accel_models.pricing.machine import Ints, machine_of, template_rows
from accel_models.pricing.plans import MACS, Plans
from accel_models.pricing.tiles import FITS, misfit
from accel_models.schedule.commands import Unit
from accel_models.template.energy import Prices, energies, total_pj
from accel_models.template.spec import Template
from accel_models.template.timing_core import COMPUTE_SETTLE_CYCLES, CYCLES, UNIT

_COMPUTE = int(Unit.COMPUTE)


@uncounted_entry
def price_tilings(
    at: int, plans: Ints, pool: Ints, end: int, template: Ints, tilings: Ints, work: Scratch, out: Results
) -> int:
    """Run tilings from number ``at`` on; returns how far it came: all of them, or one that needs more room.

    Args:
        at: first.
        plans, pool, end: of the network.
        template: one row.
        tilings: ``[n, plans, TILING_COLUMNS]``.
        work: scratch.
        out: results.
    """
    m = machine_of(template)
    for d in range(at, len(tilings)):
        code, plan = FITS, -1
        for i in range(len(plans)):
            copy_row(tilings[d, i], work.chosen[i])
            code = misfit(plans[i], work.chosen[i], m)
            if code != FITS:
                plan = i
                break
        out.counts[d] = 0
        if code == FITS:
            cycles, ended, commands, code, plan = run_design(plans, pool, end, m, out.counts[d], work)
            if cycles < 0:
                return d
            out.cycles[d], out.ended[d], out.commands[d], out.busy[d] = cycles, ended, commands, 0
            for i in range(commands):
                if work.table[i, UNIT] == _COMPUTE:
                    out.busy[d] += work.table[i, CYCLES] - 2 + COMPUTE_SETTLE_CYCLES
            out.macs[d] = 0
            for i in range(len(plans)):
                out.macs[d] += plans[i, MACS]
        out.code[d], out.plan[d] = code, plan
    return len(tilings)


class Tilings(NamedTuple):
    """Figures of tilings, one a row; cycles are 0 and energy is not a number where a tile fits no buffer."""

    cycles: Ints
    energy_pj: NDArray[np.float64]
    fits: NDArray[np.bool_]


class TilingPricer:
    """Exact cycles and energy of tilings of one network on one template.

    Args:
        plans: of the network.
        template: the accelerator.
        prices: of its energy; None: not modelled.
    """

    def __init__(self, plans: Plans, template: Template, prices: Prices | None) -> None:
        self._plans, self._prices = plans, prices
        self._row = template_rows([template])[0]
        self._scratch = new_scratch(plans=max(512, len(plans.rows)))

    def price(self, tilings: Ints) -> Tilings:
        """Figures of ``[n, plans, TILING_COLUMNS]``."""
        out = new_results(len(tilings))
        at = 0
        while True:
            at = price_tilings(
                at, self._plans.rows, self._plans.places, self._plans.end, self._row, tilings, self._scratch, out
            )
            if at == len(tilings):
                break
            room = self._scratch
            self._scratch = new_scratch(4 * len(room.table), 4 * len(room.weights), len(room.ends))
        fits = out.code == FITS
        energy = np.full(len(tilings), np.nan)
        if self._prices is not None and fits.any():
            count = int(fits.sum())
            figures = np.tile(np.array(self._prices.figures), (count, 1))
            shapes = np.tile(np.array(self._prices.shape), (count, 1))
            parts = energies(figures, shapes, out.counts[fits], out.macs[fits], out.busy[fits], out.ended[fits])
            energy[fits] = total_pj(parts)
        return Tilings(out.cycles, energy, fits)
