"""What layers that the directive model maps take together."""

from __future__ import annotations

from collections.abc import Sequence

from accel_models.report import LayerCost, network_energy_pj
from mappings.errors import Fault, SpecError


def total_energy_pj(layers: Sequence[LayerCost]) -> float:
    """Energy of all layers, in pJ.

    Raises:
        SpecError: one has none.
    """
    total = network_energy_pj(layers)
    if total is None:
        lacking = next(layer.name for layer in layers if layer.energy_pj is None)
        raise SpecError(Fault(f"layer {lacking}", "has no energy", "a technology with energy figures"))
    return total
