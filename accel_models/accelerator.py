"""An accelerator as the cost model sees it: memories from DRAM inwards, fan-outs between them, MACs at the end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from accel_models.template import Template


class Sharing(StrEnum):
    """How a memory holds its tensors."""

    SHARED = "shared"  # one capacity for all
    SEPARATE = "separate"  # ``capacity_bytes`` by tensor


@dataclass(frozen=True)
class MemoryLevel:
    """One level of the hierarchy; figures are for one instance.

    Attributes:
        name: e.g. "DRAM", "GLB", "RF".
        capacity_bytes: of all tensors (shared) or (tensor, bytes) pairs (separate); None: unbounded.
        tensors: which of I, W, O it can hold.
        double_buffered: half of the capacity is filled while the other half is read.
        read_bytes_per_cycle, write_bytes_per_cycle: None: unbounded.
        latency_cycles: first byte of a transfer out of this level.
        read_pj_per_byte, write_pj_per_byte: None: derived from capacity, width and technology.
        fanout: sub-units below, by axis: (rows, cols), (n,) or () for one.
        multicast: a word read once reaches every sub-unit that wants it.
        spatial_reduction: partial sums of sub-units are added on their way up.
    """

    name: str
    capacity_bytes: int | tuple[tuple[str, int], ...] | None
    tensors: tuple[str, ...] = ("I", "W", "O")
    double_buffered: bool = False
    read_bytes_per_cycle: float | None = None
    write_bytes_per_cycle: float | None = None
    latency_cycles: int = 0
    read_pj_per_byte: float | None = None
    write_pj_per_byte: float | None = None
    fanout: tuple[int, ...] = ()
    multicast: bool = True
    spatial_reduction: bool = True


@dataclass(frozen=True)
class Accelerator:
    """Memories, outermost (DRAM) first; the innermost feeds one MAC a cycle.

    Attributes:
        name: display name.
        levels: at least DRAM and one on-chip level.
        clock_hz: cycles a second.
        technology: name in the technology registry (energy and area coefficients).
        device: name of the FPGA part or envelope whose budget binds, or "".
        mac_pj: energy of one MAC; None: from the technology and the bits.
        template: what `rtl_templates` builds, where this accelerator is one of ours.
    """

    name: str
    levels: tuple[MemoryLevel, ...]
    clock_hz: int
    technology: str
    device: str = ""
    mac_pj: float | None = None
    template: Template | None = None
