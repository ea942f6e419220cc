"""An accelerator as the cost model sees it: memories from DRAM inwards, fan-outs between them, MACs at the end."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from accel_models.hardware.devices import Device, device
from accel_models.hardware.technology import TECHNOLOGIES, Technology
from accel_models.template.spec import Template
from mappings.errors import Fault, SpecError, unknown_name
from mappings.layer import TENSORS
from mappings.reader import Reader, whole
from mappings.yamlio import digest, dump_yaml, load_yaml

MAX_BYTES = 2**50
MAX_UNITS = 2**24


class MemoryKind(StrEnum):
    """What a memory is made of: which coefficients of the technology give its energy."""

    DRAM = "dram"
    SRAM = "sram"
    REGISTER = "register"


class Buffering(StrEnum):
    """How the filling of a memory overlaps with the work on what it holds."""

    SINGLE = "single"  # a tile is filled, worked on and drained in turn
    DOUBLE = "double"  # half of the capacity is filled while the other half is worked on
    STREAM = "stream"  # whole capacity, each element replaced as soon as it is done with (buffets, Pellauer 2019)


@dataclass(frozen=True)
class MemoryLevel:
    """One level of the hierarchy; figures are for one instance.

    Attributes:
        name: e.g. "DRAM", "GLB", "RF".
        capacity_bytes: of all tensors together (shared), or (tensor, bytes) pairs (one memory each); None: unbounded.
        kind: what it is made of.
        tensors: which of I, W, O it can hold; the others pass it by.
        buffering: see :class:`Buffering`; of no meaning for the outermost level.
        read_bytes_per_cycle, write_bytes_per_cycle: None: unbounded.
        latency_cycles: from the request of a tile to its first byte out of this level.
        width_bits: of one access; sets the energy per bit where it is not given.
        read_pj_per_byte, write_pj_per_byte: None: from the technology.
        leakage_mw: None: from the technology.
        fanout: sub-units below, by axis: (rows, cols), (n,) or () for one.
        keeps_overlap: when a window slides on by one tile, inputs that are here already stay (shift register, line
            buffer); otherwise each tile is fetched whole.
        multicast: a word read once reaches every sub-unit that wants it.
        spatial_reduction: partial sums of sub-units are added on their way up.
        network_pj_per_byte: to move a byte to or from one sub-unit; None: not modelled.
    """

    name: str
    capacity_bytes: int | tuple[tuple[str, int], ...] | None
    kind: MemoryKind = MemoryKind.SRAM
    tensors: tuple[str, ...] = TENSORS
    buffering: Buffering = Buffering.DOUBLE
    read_bytes_per_cycle: float | None = None
    write_bytes_per_cycle: float | None = None
    latency_cycles: int = 0
    width_bits: int = 64
    read_pj_per_byte: float | None = None
    write_pj_per_byte: float | None = None
    leakage_mw: float | None = None
    fanout: tuple[int, ...] = ()
    keeps_overlap: bool = False
    multicast: bool = True
    spatial_reduction: bool = True
    network_pj_per_byte: float | None = None

    @property
    def units(self) -> int:
        """Sub-units below one instance."""
        return math.prod(self.fanout)

    @property
    def total_bytes(self) -> int | None:
        """Capacity of one instance, all its memories together; None: unbounded."""
        return sum(n for _, n in self.capacity_bytes) if isinstance(self.capacity_bytes, tuple) else self.capacity_bytes

    def access_pj_per_byte(
        self, technology: Technology | None, part: Device | None = None
    ) -> tuple[float | None, float | None]:
        """Energy of a byte read and of a byte written; None where neither given nor derivable.

        Args:
            technology: of the accelerator.
            part: its device, whose board has the external memory; None: DDR3 or DDR4.
        """
        read, write = self.read_pj_per_byte, self.write_pj_per_byte
        if technology is not None and (read is None or write is None):
            derived = self._derived_pj_per_bit(technology, part)
            read = derived[0] * 8 if read is None and derived[0] is not None else read
            write = derived[1] * 8 if write is None and derived[1] is not None else write
        return read, write

    def _derived_pj_per_bit(self, technology: Technology, part: Device | None) -> tuple[float | None, float | None]:
        if self.kind is MemoryKind.DRAM:
            bit = technology.dram_pj_per_bit() if part is None else part.dram_energies(technology)[0]
            return bit, bit
        if self.kind is MemoryKind.REGISTER:
            return technology.register_pj_per_bit, technology.register_pj_per_bit
        if self.total_bytes is None:
            return None, None
        return (
            technology.sram_read_pj_per_bit(self.total_bytes, self.width_bits),
            technology.sram_write_pj_per_bit(self.total_bytes, self.width_bits),
        )

    def static_mw(self, technology: Technology | None) -> float | None:
        """Leakage of one instance; None where neither given nor derivable. DRAM's belongs to no accelerator: 0."""
        if self.leakage_mw is not None:
            return self.leakage_mw
        if self.kind is MemoryKind.DRAM:
            return 0.0
        if technology is None or self.total_bytes is None:
            return None
        return technology.sram_leakage_mw(self.total_bytes)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; fields at their default are left out."""
        out: dict[str, Any] = {"name": self.name, "capacity_bytes": self.capacity_bytes}
        if isinstance(self.capacity_bytes, tuple):
            out["capacity_bytes"] = dict(self.capacity_bytes)
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name not in out and value != item.default:
                out[item.name] = list(value) if isinstance(value, tuple) else value
                if isinstance(value, StrEnum):
                    out[item.name] = str(value)
        return out

    @classmethod
    def from_dict(cls, value: Any, where: str = "level") -> MemoryLevel:
        """The reverse of :meth:`to_dict`.

        Raises:
            SpecError: malformed; all faults at once.
        """
        reader = Reader(value, where, [item.name for item in fields(cls)])

        def capacity(given: Any) -> int | tuple[tuple[str, int], ...]:
            if isinstance(given, dict):
                part = Reader(given, f"{where}.capacity_bytes", TENSORS)
                pairs = tuple((x, part.integer(x, 1, MAX_BYTES)) for x in TENSORS if part.has(x))
                part.done()
                return pairs
            return whole(given, 1, MAX_BYTES)

        def tensor(given: Any, spot: str) -> str:
            if given not in TENSORS:
                raise SpecError(Fault(spot, f"is {given!r}", ", ".join(TENSORS)))
            return str(given)

        level = {
            "name": reader.text("name"),
            "capacity_bytes": reader.take("capacity_bytes", capacity, "bytes, or bytes for each of I, W, O", None),
            "kind": reader.choice("kind", MemoryKind, MemoryKind, MemoryKind.SRAM),
            "tensors": reader.items("tensors", tensor, "I, W, O", TENSORS),
            "buffering": reader.choice("buffering", Buffering, Buffering, Buffering.DOUBLE),
            "read_bytes_per_cycle": reader.number("read_bytes_per_cycle", 0, 1e12, None, above=True),
            "write_bytes_per_cycle": reader.number("write_bytes_per_cycle", 0, 1e12, None, above=True),
            "latency_cycles": reader.integer("latency_cycles", 0, 10**9, 0),
            "width_bits": reader.integer("width_bits", 1, 2**20, 64),
            "read_pj_per_byte": reader.number("read_pj_per_byte", 0, 1e9, None),
            "write_pj_per_byte": reader.number("write_pj_per_byte", 0, 1e9, None),
            "leakage_mw": reader.number("leakage_mw", 0, 1e9, None),
            "fanout": reader.items("fanout", lambda v, _: whole(v, 1, MAX_UNITS), "one or two integers", ()),
            "keeps_overlap": reader.truth("keeps_overlap", False),
            "multicast": reader.truth("multicast", True),
            "spatial_reduction": reader.truth("spatial_reduction", True),
            "network_pj_per_byte": reader.number("network_pj_per_byte", 0, 1e9, None),
        }
        reader.done()
        return cls(**level)


@dataclass(frozen=True)
class Accelerator:
    """Memories, outermost (DRAM) first; the innermost feeds one MAC a cycle, or its fan-out of MACs.

    Attributes:
        name: display name.
        levels: at least DRAM and one on-chip level. The outermost holds every tensor and is unbounded.
        clock_hz: cycles a second.
        technology: name in the technology registry (energy and area coefficients); "": only the figures given here.
        device: name of the FPGA part or envelope whose budget binds, or "".
        mac_pj: energy of one MAC; None: from the technology and the bits.
        mac_leakage_mw: static power of one MAC and its logic; None: from the technology.
        template: what `rtl_templates` builds, where this accelerator is one of ours.
        source: where the figures come from.

    Raises:
        SpecError: no hierarchy, names used twice, more than two axes of fan-out, a bounded outermost level.
    """

    name: str
    levels: tuple[MemoryLevel, ...]
    clock_hz: int
    technology: str = ""
    device: str = ""
    mac_pj: float | None = None
    mac_leakage_mw: float | None = None
    template: Template | None = None
    source: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        where = f"accelerator {self.name}"
        faults = []
        if not 2 <= len(self.levels) <= 8:
            faults.append(Fault(f"{where}.levels", f"has {len(self.levels)} levels", "2 to 8, DRAM first"))
        names = [level.name for level in self.levels]
        faults += [
            Fault(f"{where}.levels", f'two levels are called "{n}"') for n in sorted(set(names)) if names.count(n) > 1
        ]
        for index, level in enumerate(self.levels):
            spot = f"{where}.levels[{index}] ({level.name})"
            if len(level.fanout) > 2:
                faults.append(Fault(f"{spot}.fanout", f"has {len(level.fanout)} axes", "none, one or two"))
            if not level.tensors or len(set(level.tensors)) != len(level.tensors):
                faults.append(Fault(f"{spot}.tensors", f"is {list(level.tensors)}", "some of I, W, O, each once"))
            if isinstance(level.capacity_bytes, tuple):
                given = {name for name, _ in level.capacity_bytes}
                if given != set(level.tensors):
                    faults.append(
                        Fault(f"{spot}.capacity_bytes", f"names {sorted(given)}", f"each of {sorted(level.tensors)}")
                    )
        if self.levels:
            outer = self.levels[0]
            if outer.capacity_bytes is not None or set(outer.tensors) != set(TENSORS):
                faults.append(Fault(f"{where}.levels[0] ({outer.name})", "must be unbounded and hold I, W and O"))
        if self.pes > MAX_UNITS:
            faults.append(Fault(f"{where}.levels", f"has {self.pes} MACs", f"at most {MAX_UNITS}"))
        if type(self.clock_hz) is not int or not 1 <= self.clock_hz <= 10**12:
            faults.append(Fault(f"{where}.clock_hz", f"is {self.clock_hz!r}", "an integer from 1 to 1e12"))
        if self.technology and self.technology not in TECHNOLOGIES.names():
            faults += unknown_name(f"{where}.technology", "technology", self.technology, TECHNOLOGIES.names()).faults
        if faults:
            raise SpecError(faults)

    @property
    def pes(self) -> int:
        """MACs."""
        return math.prod(level.units for level in self.levels)

    def instances(self, index: int) -> int:
        """Memories of a level, whole accelerator."""
        return math.prod(level.units for level in self.levels[:index])

    def macs_below(self, index: int) -> int:
        """MACs below one memory of a level."""
        return math.prod(level.units for level in self.levels[index:])

    @property
    def tech(self) -> Technology | None:
        """The technology, None where none is named."""
        return TECHNOLOGIES.get(self.technology) if self.technology else None

    @cached_property
    def part(self) -> Device | None:
        """The device, None where none is named; its file is read once.

        Raises:
            SpecError: no such device.
        """
        return device(self.device, f"accelerator {self.name}.device") if self.device else None

    def to_dict(self) -> dict[str, Any]:
        """Plain values; fields at their default are left out."""
        out: dict[str, Any] = {"name": self.name, "clock_hz": self.clock_hz}
        for key in ("technology", "device", "mac_pj", "mac_leakage_mw", "source"):
            value = getattr(self, key)
            if value not in ("", None):
                out[key] = value
        out["levels"] = [level.to_dict() for level in self.levels]
        if self.template is not None:
            out["template"] = self.template.to_dict()
        return out

    @classmethod
    def from_dict(cls, value: Any, where: str = "accelerator") -> Accelerator:
        """The reverse of :meth:`to_dict`.

        Raises:
            SpecError: malformed; all faults at once.
        """
        reader = Reader(value, where, [item.name for item in fields(cls)])
        data = {
            "name": reader.text("name"),
            "levels": reader.items("levels", MemoryLevel.from_dict, "memory levels, DRAM first"),
            "clock_hz": reader.integer("clock_hz", 1, 10**12),
            "technology": reader.text("technology", ""),
            "device": reader.text("device", ""),
            "mac_pj": reader.number("mac_pj", 0, 1e9, None),
            "mac_leakage_mw": reader.number("mac_leakage_mw", 0, 1e9, None),
            "template": reader.take(
                "template", lambda v: Template.from_dict(v, f"{where}.template"), "a template's parameters", None
            ),
            "source": reader.text("source", ""),
        }
        reader.done()
        return cls(**data)

    @classmethod
    def load(cls, path: str | Path) -> Accelerator:
        """Read a YAML file.

        Raises:
            SpecError: unreadable or malformed.
        """
        return cls.from_dict(load_yaml(path), str(path))

    def save(self, path: str | Path) -> None:
        """Write a YAML file."""
        Path(path).write_text(dump_yaml(self.to_dict()), encoding="utf-8")

    @property
    def digest(self) -> str:
        """Digest of everything but names and sources; of a device, of what is in its file."""
        plain = self.to_dict()
        plain.pop("name")
        plain.pop("source", None)
        return digest([plain, repr(self.part)] if self.part else plain)
