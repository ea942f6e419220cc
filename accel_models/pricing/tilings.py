"""One network on one template under many tilings: what a search of mappings asks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accel_models.pricing.kernel import Networks, new_results, new_scratch, price_rows
from accel_models.pricing.machine import Ints, template_rows
from accel_models.pricing.plans import Plans
from accel_models.pricing.tiles import FITS
from accel_models.template.energy import Prices, energies, total_pj
from accel_models.template.spec import Template


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
        zero, count = np.zeros(1, dtype=np.int64), np.array([len(plans.rows)], dtype=np.int64)
        end = np.array([plans.end], dtype=np.int64)
        self._networks = Networks(plans.rows, plans.places, zero, count, zero, end)
        self._row, self._prices = template_rows([template]), prices
        self._scratch = new_scratch(plans=max(512, len(plans.rows)))

    def price(self, tilings: Ints) -> Tilings:
        """Figures of ``[n, plans, TILING_COLUMNS]``."""
        count, at = len(tilings), 0
        out, which = new_results(count), np.zeros(count, dtype=np.int64)
        rows, caps = np.repeat(self._row, count, axis=0), np.zeros((count, 2), dtype=np.int64)
        given = np.ascontiguousarray(tilings)
        while True:
            at = price_rows(at, which, self._networks, rows, caps, given, self._scratch, out)
            if at == count:
                break
            room = self._scratch
            self._scratch = new_scratch(4 * len(room.table), 4 * len(room.weights), len(room.ends))
        fits = out.code == FITS
        energy = np.full(count, np.nan)
        if self._prices is not None and fits.any():
            figures = np.tile(np.array(self._prices.figures), (int(fits.sum()), 1))
            shapes = np.tile(np.array(self._prices.shape), (int(fits.sum()), 1))
            parts = energies(figures, shapes, out.counts[fits], out.macs[fits], out.busy[fits], out.ended[fits])
            energy[fits] = total_pj(parts)
        return Tilings(out.cycles, energy, fits)
