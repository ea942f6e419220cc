"""Accelerators of free connectivity (NAAS, Lin 2021): axes of the array, the loop each runs side by side, buffers.

DRAM, one buffer (L2), an array of up to three axes, one memory in each PE (L1); a third axis is MACs beside each other
in a PE. Each axis runs the iterations of one loop of ``K C P Q R S`` side by side. An :class:`Envelope` is what a
published accelerator has, and what a search may use: so many PEs, so much memory on chip, these bandwidths.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from accel_models.columns.tables import machine_table
from accel_models.hardware.accelerator import Accelerator, Buffering, MemoryKind, MemoryLevel
from accel_models.hardware.budget import silicon_um2
from accel_models.hardware.devices import Device, device, unchecked
from accel_models.mapper.space import Limits
from accel_models.report import Bound, Infeasible, broken_bounds
from mappings.errors import Fault, SpecError
from mappings.layer import DIMS, Layer
from mappings.registry import Registry

PARALLEL = ("K", "C", "P", "Q", "R", "S")
#: Above this many bytes a PE's memory is an SRAM.
_REGISTER_BYTES = 512


@dataclass(frozen=True)
class Envelope:
    """What a published accelerator has.

    Attributes:
        name: in the registry.
        device: its silicon budget, node and clock, by name.
        pes: multiply-accumulators.
        onchip_bytes: all memories together.
        dram_bytes_per_cycle, noc_bytes_per_cycle: of DRAM, and between buffer and array.
        axes, parallel: its own connectivity.
        l1_bytes, l2_bytes: its own memories.
        dataflow: its own, by name.
        source: where the figures come from.
    """

    name: str
    device: str
    pes: int
    onchip_bytes: int
    dram_bytes_per_cycle: float
    noc_bytes_per_cycle: float
    axes: tuple[int, ...]
    parallel: tuple[str, ...]
    l1_bytes: int
    l2_bytes: int
    dataflow: str
    source: str

    @property
    def part(self) -> Device:
        """Its device."""
        return device(self.device)

    @property
    def own(self) -> Connected:
        """The accelerator as published."""
        return Connected(self.name, self.axes, self.parallel, self.l1_bytes, self.l2_bytes)


@dataclass(frozen=True)
class Connected:
    """One accelerator within an envelope.

    Attributes:
        envelope: by name.
        axes: sizes of one to three axes.
        parallel: the loop of each axis, none twice.
        l1_bytes, l2_bytes: of one PE's memory, of the buffer.
        bandwidth: share of the envelope's bandwidths.

    Raises:
        SpecError: axes and loops that do not go together.
    """

    envelope: str
    axes: tuple[int, ...]
    parallel: tuple[str, ...]
    l1_bytes: int
    l2_bytes: int
    bandwidth: float = 1.0

    def __post_init__(self) -> None:
        faults = []
        if not 1 <= len(self.axes) <= 3 or any(size < 1 for size in self.axes):
            faults.append(Fault("connectivity.axes", f"is {list(self.axes)}", "one to three sizes of 1 or more"))
        odd = [dim for dim in self.parallel if dim not in PARALLEL]
        if odd or len(set(self.parallel)) != len(self.parallel) or len(self.parallel) != len(self.axes):
            faults.append(Fault("connectivity.parallel", f"is {list(self.parallel)}", "one of K C P Q R S an axis"))
        if min(self.l1_bytes, self.l2_bytes) < 1:
            faults.append(Fault("connectivity", "has a memory without bytes", "1 or more"))
        if faults:
            raise SpecError(faults)

    @property
    def pes(self) -> int:
        """Multiply-accumulators; those of a third axis share an L1."""
        return math.prod(self.axes)

    @property
    def onchip_bytes(self) -> int:
        """All memories together."""
        return self.l2_bytes + self.l1_bytes * math.prod(self.axes[:2])

    @cached_property
    def accelerator(self) -> Accelerator:
        """As the cost model sees it."""
        given = ENVELOPES.get(self.envelope)
        part, share = given.part, self.bandwidth
        rate, noc = share * given.dram_bytes_per_cycle, share * given.noc_bytes_per_cycle
        clock = part.figure("clock_hz")
        assert clock is not None, "every envelope's device states a clock"
        kind = MemoryKind.REGISTER if self.l1_bytes <= _REGISTER_BYTES else MemoryKind.SRAM
        levels = (
            MemoryLevel("DRAM", None, MemoryKind.DRAM, read_bytes_per_cycle=rate, write_bytes_per_cycle=rate),
            MemoryLevel(
                "L2",
                self.l2_bytes,
                read_bytes_per_cycle=noc,
                write_bytes_per_cycle=noc,
                width_bits=128,
                fanout=self.axes[:2],
            ),
            MemoryLevel("L1", self.l1_bytes, kind, buffering=Buffering.STREAM, width_bits=16, fanout=self.axes[2:]),
        )
        return Accelerator(f"{self.envelope} {self.axes}", levels, int(clock.value), part.technology)

    @cached_property
    def area_mm2(self) -> float | None:
        """Of memories and MACs, None where not modelled."""
        found = silicon_um2(self.accelerator)
        return None if found is None else found / 1e6

    def broken(self) -> tuple[Infeasible, ...]:
        """Every bound of the envelope that it exceeds."""
        return over(ENVELOPES.get(self.envelope), self.pes, self.onchip_bytes, self.area_mm2)

    def machine(self, place: int) -> Connected:
        """What runs the layer at a place among those that multiply: itself."""
        return self


@dataclass(frozen=True)
class Together:
    """Several machines on one chip.

    Attributes:
        machines: one or more, of one envelope.
    """

    machines: tuple[Connected, ...]

    @property
    def pes(self) -> int:
        """Of all."""
        return sum(item.pes for item in self.machines)

    @property
    def onchip_bytes(self) -> int:
        """Of all."""
        return sum(item.onchip_bytes for item in self.machines)

    @cached_property
    def area_mm2(self) -> float | None:
        """Of all, None where not modelled."""
        parts = [item.area_mm2 for item in self.machines]
        return None if None in parts else sum(part for part in parts if part is not None)

    def broken(self) -> tuple[Infeasible, ...]:
        """Every bound of the envelope that all together exceed."""
        return over(ENVELOPES.get(self.machines[0].envelope), self.pes, self.onchip_bytes, self.area_mm2)


@dataclass(frozen=True)
class LayerMachines(Together):
    """A machine for each multiplying layer, in order (ConfuciuX, Kao 2020); the last one runs those that are left."""

    def machine(self, place: int) -> Connected:
        """What runs the layer at a place among those that multiply."""
        return self.machines[min(place, len(self.machines) - 1)]


@dataclass(frozen=True)
class SubAccelerators(Together):
    """Machines that share PEs, memory and bandwidth; any layer may run on any (NASAIC, Yang 2020; MAGMA, Kao 2022)."""

    def broken(self) -> tuple[Infeasible, ...]:
        """Every bound of the envelope that all together exceed, its bandwidth among them."""
        out, share = super().broken(), sum(item.bandwidth for item in self.machines)
        if share > 1 + 1e-9:
            out = (*out, Infeasible("bandwidth", share, 1, "of the envelope's", "smaller shares"))
        return out


def over(envelope: Envelope, pes: int, onchip_bytes: int, area_mm2: float | None) -> tuple[Infeasible, ...]:
    """Bounds of an envelope that demands exceed.

    Raises:
        SpecError: its limit on the area cannot be checked.
    """
    area = envelope.part.figure("area_mm2")
    rows = [
        Bound("PE", pes, envelope.pes, "PEs", "smaller axes"),
        Bound("on-chip memory", onchip_bytes, envelope.onchip_bytes, "bytes", "smaller l1 or l2"),
    ]
    if area is not None:
        if area_mm2 is None:
            why = "the area of the array is not modelled"
            raise unchecked(envelope.part, "area_mm2", why, "areas", envelope.part.technology)
        rows.append(Bound("area", area_mm2, area.value, "mm2", "smaller axes, l1 or l2"))
    return broken_bounds(rows)


def loop_of(dim: str, machine: Connected, layer: Layer) -> str:
    """A loop of the connectivity in a layer: a depthwise layer's channels are its groups."""
    channels = "C" if "C" in machine.parallel else "K"
    return "G" if layer.is_depthwise and dim == channels else dim


def limits_of(machine: Connected, layer: Layer) -> Limits:
    """What the connectivity leaves the mapper: one loop an axis."""
    table = machine_table(layer, machine.accelerator)
    axes = np.zeros((len(table.fanout), len(DIMS), 2), np.int64)
    places = [(1, 0), (1, 1), (2, 0)]
    for (level, axis), dim in zip(places, machine.parallel, strict=False):
        axes[level, DIMS.index(loop_of(dim, machine, layer)), axis] = 1
    return Limits(axes, table.holds.copy())


def _register_builtins(registry: Registry[Envelope]) -> None:
    kib = 1024
    for name, part, pes, onchip_kib, rates, axes, parallel, l1_bytes, l2_kib, flow, source in (
        ("edgetpu", "edgetpu_28nm", 4096, 8192, (32.0, 256.0), (64, 64), "CK", 64, 7936, "weight_stationary",
         "Coral: 4 TOPS int8, 8 MB of SRAM; 4,096 PEs at 500 MHz follow; rates are ours"),
        ("nvdla_1024", "nvdla_1024_16nm", 1024, 320, (15.0, 128.0), (16, 64), "KC", 64, 256, "channel_parallel",
         "NVDLA primer: 1,024 int8 MACs, 256 KB, 15 GB/s at 1 GHz; registers are ours"),
        ("nvdla_256", "nvdla_256_16nm", 256, 272, (5.0, 64.0), (8, 32), "KC", 64, 256, "channel_parallel",
         "NVDLA primer: 256 int8 MACs, 256 KB, 5 GB/s at 1 GHz; registers are ours"),
        ("eyeriss", "eyeriss_65nm", 168, 195, (2.4, 8.0), (12, 14), "RP", 520, 108, "row_stationary",
         "Chen 2017: 12 x 14 PEs, 108 KB, 520 bytes a PE, 64-bit ports, 60 MHz link"),
        ("shidiannao", "shidiannao_65nm", 64, 288, (12.8, 64.0), (8, 8), "PQ", 64, 256, "output_stationary",
         "Du 2015: 8 x 8 PEs, 288 KB; registers and DRAM's rate are ours"),
    ):  # fmt: skip
        sizes = l1_bytes, l2_kib * kib
        registry.register(
            name, Envelope(name, part, pes, onchip_kib * kib, *rates, axes, tuple(parallel), *sizes, flow, source)
        )


ENVELOPES: Registry[Envelope] = Registry("envelope", _register_builtins)
