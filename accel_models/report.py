"""What an evaluation returns: figures with their units, or the bound that is broken."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Infeasible:
    """A bound that a design breaks; data, not an error.

    Attributes:
        resource: e.g. "GLB capacity", "DSP", "rows".
        demand, bound: in ``unit``.
        unit: e.g. "bytes", "blocks".
        remedy: what would make it fit.
        where: layer or level, "" for the whole design.
    """

    resource: str
    demand: float
    bound: float
    unit: str
    remedy: str
    where: str = ""

    def __str__(self) -> str:
        spot = f"{self.where}: " if self.where else ""
        return f"{spot}{self.resource} needs {self.demand:g} of {self.bound:g} {self.unit}; {self.remedy}"


@dataclass(frozen=True)
class LayerCost:
    """Figures of one layer.

    Attributes:
        cycles: latency, everything included.
        compute_cycles: stall-free cycles of the array.
        utilisation: MACs over (cycles x PEs), 0 to 1.
        energy_pj: by component ("MAC", memory level names, "leakage"); None: not modelled.
        traffic_bytes: (level, tensor, "read" | "write") -> bytes.
    """

    name: str
    macs: int
    cycles: int
    compute_cycles: int
    utilisation: float
    energy_pj: tuple[tuple[str, float], ...] | None
    traffic_bytes: tuple[tuple[str, str, str, int], ...]

    @property
    def total_energy_pj(self) -> float | None:
        """Sum over the components, or None where energy is not modelled."""
        return None if self.energy_pj is None else sum(value for _, value in self.energy_pj)


@dataclass(frozen=True)
class CostReport:
    """Figures of a design.

    Attributes:
        layers: in execution order.
        latency_cycles, latency_ms: of one run.
        energy_pj: None: not modelled.
        area_um2: ASIC area, or None.
        resources: FPGA resources by name (DSP, BRAM36, LUT, FF), or None.
    """

    layers: tuple[LayerCost, ...]
    latency_cycles: int
    latency_ms: float
    energy_pj: float | None
    area_um2: float | None
    resources: tuple[tuple[str, int], ...] | None
