"""What an evaluation returns: figures with their units, or the bound that is broken."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any


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

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class LayerCost:
    """Figures of one layer.

    Attributes:
        name: the layer's.
        macs: multiply-accumulates, 0 for an operator without any.
        cycles: latency, everything included.
        compute_cycles: stall-free cycles of the array.
        utilisation: steps of work over (cycles x MACs of the array), 0 to 1.
        energy_pj: by component ("MAC", memory and network names, "leakage"), those that are modelled; None: a
            component that every design has (a memory, the MACs) is not modelled, so there is no total.
        traffic_bytes: (level, tensor, "read" | "write", bytes) of each memory level.
        peak_bytes: (level, tensor, bytes) of one memory, both halves of a double buffer.
        port_cycles: (level, "read" | "write", cycles) that the ports are busy, where the bandwidth is bounded.
    """

    name: str
    macs: int
    cycles: int
    compute_cycles: int
    utilisation: float
    energy_pj: tuple[tuple[str, float], ...] | None
    traffic_bytes: tuple[tuple[str, str, str, int], ...]
    peak_bytes: tuple[tuple[str, str, int], ...] = ()
    port_cycles: tuple[tuple[str, str, int], ...] = ()

    @property
    def total_energy_pj(self) -> float | None:
        """Sum over the components, or None where energy is not modelled."""
        return None if self.energy_pj is None else sum(value for _, value in self.energy_pj)

    def named(self, name: str) -> LayerCost:
        """The same figures under another layer's name."""
        return replace(self, name=name)

    def bytes_of(self, level: str, tensor: str = "", way: str = "") -> int:
        """Bytes moved at a level, of one tensor or all, one way or both."""
        return sum(
            n for name, x, to, n in self.traffic_bytes if name == level and tensor in ("", x) and way in ("", to)
        )

    @property
    def bound_by(self) -> str:
        """What sets the latency: "compute", or the busiest port, e.g. "DRAM read"."""
        busy = max(self.port_cycles, key=lambda item: item[2], default=("", "", 0))
        return "compute" if busy[2] <= self.compute_cycles else f"{busy[0]} {busy[1]}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "name": self.name,
            "macs": self.macs,
            "cycles": self.cycles,
            "compute_cycles": self.compute_cycles,
            "utilisation": self.utilisation,
            "bound_by": self.bound_by,
            "energy_pj": None if self.energy_pj is None else dict(self.energy_pj),
            "total_energy_pj": self.total_energy_pj,
            "traffic_bytes": [list(item) for item in self.traffic_bytes],
            "peak_bytes": [list(item) for item in self.peak_bytes],
            "port_cycles": [list(item) for item in self.port_cycles],
        }


@dataclass(frozen=True)
class CostReport:
    """Figures of a design.

    Attributes:
        layers: in execution order.
        latency_cycles, latency_ms: of one run, layer after layer.
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

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one run."""
        return sum(layer.macs for layer in self.layers)

    @property
    def edp_pj_cycles(self) -> float | None:
        """Energy times delay, or None where energy is not modelled."""
        return None if self.energy_pj is None else self.energy_pj * self.latency_cycles

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "latency_cycles": self.latency_cycles,
            "latency_ms": self.latency_ms,
            "energy_pj": self.energy_pj,
            "area_um2": self.area_um2,
            "resources": None if self.resources is None else dict(self.resources),
            "layers": [layer.to_dict() for layer in self.layers],
        }
