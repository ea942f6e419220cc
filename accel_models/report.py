"""What an evaluation returns: figures with their units, or the bound that is broken."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, NamedTuple

from accel_models.breakdown import EnergyBreakdown
from accel_models.cycles import CycleAccount
from mappings.reader import Reader, whole

MAX_FIGURE = 2**70


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

    @classmethod
    def from_dict(cls, value: Any, where: str = "infeasible") -> Infeasible:
        """The reverse of :meth:`to_dict`.

        Raises:
            SpecError: malformed; all faults at once.
        """
        reader = Reader(value, where, [item.name for item in fields(cls)])
        texts = {key: reader.text(key) for key in ("resource", "unit", "remedy")}
        figures = {key: reader.number(key, 0, sys.float_info.max) for key in ("demand", "bound")}
        spot = reader.text("where", "")
        reader.done()
        return cls(**texts, **figures, where=spot)


class Bound(NamedTuple):
    """What is taken of a resource, and how much of it there is.

    Attributes:
        resource, unit, remedy: as :class:`Infeasible` has them.
        demand: None: not modelled.
        limit: None: there is none.
    """

    resource: str
    demand: float | None
    limit: float | None
    unit: str
    remedy: str


def broken_bounds(bounds: Iterable[Bound], where: str = "") -> tuple[Infeasible, ...]:
    """Those whose demand is over the limit."""
    return tuple(
        Infeasible(one.resource, one.demand, one.limit, one.unit, one.remedy, where)
        for one in bounds
        if one.demand is not None and one.limit is not None and one.demand > one.limit
    )


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
        account: where the cycles go, of a layer that a program runs; None on a hierarchy of memories. It is the compute
            unit's: it begins where the last tile of the layer before ends, not where its last result is stored.
    """

    name: str
    macs: int
    cycles: int
    compute_cycles: int
    utilisation: float
    energy_pj: EnergyBreakdown | None
    traffic_bytes: tuple[tuple[str, str, str, int], ...]
    peak_bytes: tuple[tuple[str, str, int], ...] = ()
    port_cycles: tuple[tuple[str, str, int], ...] = ()
    account: CycleAccount | None = None

    @property
    def total_energy_pj(self) -> float | None:
        """Sum over the components, or None where energy is not modelled."""
        return None if self.energy_pj is None else self.energy_pj.total_pj

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
        """What sets the latency: of a program, the group that takes most cycles (:data:`accel_models.cycles.GROUPS`);
        else "compute", or the busiest port, e.g. "DRAM read"."""
        if self.account is not None:
            return self.account.bound_by
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
            "account": None if self.account is None else self.account.to_dict(),
        }

    @classmethod
    def from_dict(cls, value: Any, where: str = "layer cost") -> LayerCost:
        """The reverse of :meth:`to_dict`; what follows from other figures (totals, the bound) is not read.

        Raises:
            SpecError: malformed; all faults at once.
        """
        derived = ("bound_by", "total_energy_pj")
        reader = Reader(value, where, [*(item.name for item in fields(cls)), *derived])

        def energy(given: Any) -> EnergyBreakdown:
            part = Reader(given, f"{where}.energy_pj", [str(key) for key in given])
            pairs = EnergyBreakdown((str(key), part.number(key, 0, sys.float_info.max)) for key in given)
            part.done()
            return pairs

        def row(names: int) -> Callable[[Any, str], tuple[Any, ...]]:
            def check(given: Any, _spot: str) -> tuple[Any, ...]:
                if len(given) != names + 1 or not all(isinstance(name, str) for name in given[:names]):
                    raise ValueError
                return (*given[:names], whole(given[names], 0, MAX_FIGURE))

            return check

        figures = {key: reader.integer(key, 0, MAX_FIGURE) for key in ("macs", "cycles", "compute_cycles")}
        data = {
            "name": reader.text("name"),
            **figures,
            "utilisation": reader.number("utilisation", 0, 1),
            "energy_pj": reader.take("energy_pj", energy, "pJ by component, or null", None),
            "traffic_bytes": reader.items("traffic_bytes", row(3), "[level, tensor, way, bytes]"),
            "peak_bytes": reader.items("peak_bytes", row(2), "[level, tensor, bytes]", ()),
            "port_cycles": reader.items("port_cycles", row(2), "[level, way, cycles]", ()),
            "account": reader.take("account", CycleAccount.from_dict, "cycles by part, or null", None),
        }
        reader.done()
        return cls(**data)


def network_energy_pj(layers: Iterable[LayerCost]) -> float | None:
    """Energy of layers that run one after another; None where one of them has none."""
    totals = [layer.total_energy_pj for layer in layers]
    known = [total for total in totals if total is not None]
    return sum(known) if len(known) == len(totals) else None


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

    @classmethod
    def from_dict(cls, value: Any, where: str = "report") -> CostReport:
        """The reverse of :meth:`to_dict`.

        Raises:
            SpecError: malformed; all faults at once.
        """
        reader = Reader(value, where, [item.name for item in fields(cls)])

        def counts(given: Any) -> tuple[tuple[str, int], ...]:
            part = Reader(given, f"{where}.resources", [str(key) for key in given])
            pairs = tuple((str(key), part.integer(key, 0, MAX_FIGURE)) for key in given)
            part.done()
            return pairs

        most = sys.float_info.max
        data = {
            "layers": reader.items("layers", LayerCost.from_dict, "layers' costs"),
            "latency_cycles": reader.integer("latency_cycles", 0, MAX_FIGURE),
            "latency_ms": reader.number("latency_ms", 0, most),
            "energy_pj": reader.number("energy_pj", 0, most, None),
            "area_um2": reader.number("area_um2", 0, most, None),
            "resources": reader.take("resources", counts, "counts by name, or null", None),
        }
        reader.done()
        return cls(**data)
