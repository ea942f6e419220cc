"""Costs by layer: each distinct layer of some networks timed alone on each accelerator, so that a network's are sums.

A layer alone is a program of its own: it is fetched, its first tile is loaded with the array at rest, and its last
result is stored before the next layer begins. A whole network's program overlaps layers and keeps results on the chip
where two are fused, so sums are a model of their own, additive; `benchmarks.oracle_race` measures how far they are from
whole programs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from accel_models.pricing.machine import Ints
from accel_models.pricing.price import Floats, Pricer
from accel_models.pricing.tiles import NO_CAP
from accel_models.template.spec import Template
from mappings.layer import Layer
from mappings.operators import Layout
from mappings.workload import TensorShape, Workload


def alone(workload: Workload, layer: Layer) -> Workload | None:
    """A layer as a network of its own, equal for equal layers; None: it runs nothing (a stored tensor)."""
    if layer.op.spec.layout is Layout.STORED:
        return None
    inputs = []
    for place, source in enumerate(layer.inputs):
        _, channels, rows, columns = workload.shapes[source]
        inputs.append(TensorShape(f"in{place}", C=channels, H=rows, W=columns, bits=layer.bits.I))
    named = replace(layer, name="layer", inputs=tuple(item.name for item in inputs))
    return Workload("layer", tuple(inputs), (named,))


class LayerTable:
    """Numbers distinct layers, in the order in which they are met."""

    def __init__(self) -> None:
        self.layers: list[Workload] = []
        self._places: dict[tuple[object, ...], int] = {}

    def counts(self, workload: Workload) -> dict[int, int]:
        """How often a network has each distinct layer, by its number."""
        found: dict[int, int] = {}
        shapes = workload.shapes
        for layer in workload.layers:
            # What `alone` depends on: every field but the names.
            told = tuple(value for name, value in vars(layer).items() if name not in ("name", "inputs"))
            key = (*told, *(shapes[source] for source in layer.inputs))
            place = self._places.get(key, -1)
            if place < 0:
                single = alone(workload, layer)
                if single is None:
                    continue
                place = self._places[key] = len(self.layers)
                self.layers.append(single)
            found[place] = found.get(place, 0) + 1
        return found


@dataclass(frozen=True, eq=False)
class LayerCosts:
    """Costs of layers on accelerators, ``[layers, accelerators]``.

    Attributes:
        code: place in `accel_models.pricing.price.BROKEN`; 0: it runs.
        cycles: 0 where it does not run.
        energy_pj: of all; chip_pj: external memory excluded; not a number where it does not run.
    """

    code: Ints
    cycles: Ints
    energy_pj: Floats
    chip_pj: Floats


def layer_costs(
    pricer: Pricer,
    layers: Sequence[Workload],
    templates: Sequence[Template],
    tile_rows: Sequence[int] | int = NO_CAP,
    tile_channels: Sequence[int] | int = NO_CAP,
) -> LayerCosts:
    """Every layer on every accelerator.

    Args:
        pricer: without bounds (``bounded=False``), else what does not fit its device has no figures.
    """
    shape = len(layers), len(templates)
    out = LayerCosts(
        np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64), np.full(shape, np.nan), np.full(shape, np.nan)
    )
    clocks = np.array([template.clock_hz for template in templates], dtype=np.float64)
    for place, layer in enumerate(layers):
        priced = pricer.price([layer] * len(templates), templates, tile_rows, tile_channels)
        out.code[place], out.cycles[place], out.energy_pj[place] = priced.code, priced.cycles, priced.energy_pj
        out.chip_pj[place] = priced.chip_mw * 1e9 * priced.cycles / clocks
    return out
