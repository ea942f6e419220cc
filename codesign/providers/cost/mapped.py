"""What layers that the directive model maps take together."""

from __future__ import annotations

from collections.abc import Sequence

from accel_models.report import LayerCost
from mappings.errors import Fault, SpecError


def total_energy_pj(layers: Sequence[LayerCost]) -> float:
    """Energy of all layers, in pJ.

    Raises:
        SpecError: one has none.
    """
    total = 0.0
    for layer in layers:
        if layer.total_energy_pj is None:
            raise SpecError(Fault(f"layer {layer.name}", "has no energy", "a technology with energy figures"))
        total += layer.total_energy_pj
    return total
