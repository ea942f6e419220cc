"""Budgets by name: FPGA parts and ASIC envelopes, each figure with its source.

Built-ins are in ``data/devices.yaml``; a user's own device is a YAML file of the same form, given by its path.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

from accel_models.hardware.technology import DRAMS, TECHNOLOGIES, Technology, technology
from mappings.errors import Fault, SpecError, nearest
from mappings.reader import unknown_keys
from mappings.registry import Registry
from mappings.yamlio import load_yaml

DEFAULT_DEVICE = "zynq7020"
#: Figures that a device may state: name -> unit.
FIGURES = {
    "dsp": "multiplier blocks",
    "bram36": "blocks of 36 Kb",
    "lut": "look-up tables",
    "ff": "flip-flops",
    "uram": "blocks of 288 Kb",
    "dram_bytes_per_s": "bytes/s",
    "dram_pj_per_bit": "pJ/bit of the board's memory",
    "dram_background_mw": "mW of the board's memory while it waits",
    "axi_bits": "bits of its widest port to memory",
    "axi_burst_beats": "beats of the longest burst",
    "axi_id_bits": "bits of the identifiers that its port takes",
    "axi_id": "the identifier of all transfers",
    "axi_cache": "AxCACHE of all transfers",
    "axi_prot": "AxPROT of all transfers",
    "dsp_fmax_hz": "Hz",
    "bram_fmax_hz": "Hz",
    "clock_hz": "Hz",
    "area_mm2": "mm2",
    "power_mw": "mW",
    "static_mw": "mW",
    "lut_fill": "part of the look-up tables",
}
#: Part of its look-up tables that a design may take where the device does not say: fuller parts do not route.
DEFAULT_LUT_FILL = 0.8
#: Figures that are whole numbers within bounds: of the signals that the AXI port drives.
_SIGNALS = {"axi_id_bits": (1, 32), "axi_id": (0, 2**32 - 1), "axi_cache": (0, 15), "axi_prot": (0, 7)}
_REQUIRED = {"fpga": ("dsp", "bram36", "lut", "ff"), "asic": ("area_mm2",)}


class DeviceKind(StrEnum):
    """What bounds a design on a device."""

    FPGA = "fpga"
    ASIC = "asic"


#: Inputs of its look-up tables -> what an FPGA that names no family is taken for: the slowest that is estimated alike.
_TAKEN_FOR: dict[int | None, str] = {6: "xc7", 4: "gw1n"}
#: PEs of the smallest accelerators, which were routed first.
SMALL_PES = 16


@dataclass(frozen=True)
class Figure:
    """One stated figure; the unit is that of :data:`FIGURES`."""

    value: float
    source: str


@dataclass(frozen=True)
class Device:
    """An FPGA part or an ASIC envelope. A figure that is None is not stated, and binds nothing.

    Attributes:
        name: in the registry.
        title: maker and part.
        kind: fpga or asic.
        technology: name in the technology registry.
        lut_inputs: 4 or 6; None on an ASIC.
        dram: kind of the board's memory, one of :data:`DRAMS`; the technology has the energy of its bits and, but for
            "ddr" and "lpddr4", the power of its waiting, where the device does not state its own.
        figures: (name, figure) pairs; names are those of :data:`FIGURES`.
        family: whose routed or scaled clocks bind (``data/clocks.yaml``); "": see :attr:`taken_for`.
    """

    name: str
    title: str
    kind: DeviceKind
    technology: str
    lut_inputs: int | None
    figures: tuple[tuple[str, Figure], ...]
    dram: str = "ddr"
    family: str = ""

    def figure(self, name: str) -> Figure | None:
        """A figure with its source, or None where the device does not state it.

        Raises:
            SpecError: no device states such a figure.
        """
        if name not in FIGURES:
            raise SpecError(Fault(f"device {self.name}", f'no figure "{name}"', ", ".join(FIGURES)))
        return dict(self.figures).get(name)

    def _value(self, name: str) -> float | None:
        figure = self.figure(name)
        return None if figure is None else figure.value

    def _count(self, name: str) -> int | None:
        value = self._value(name)
        return None if value is None else int(value)

    @property
    def dsp(self) -> int | None:
        """Multiplier blocks."""
        return self._count("dsp")

    @property
    def bram36(self) -> int | None:
        """Blocks of 36 Kb."""
        return self._count("bram36")

    @property
    def lut(self) -> int | None:
        """Look-up tables of ``lut_inputs`` inputs."""
        return self._count("lut")

    @property
    def ff(self) -> int | None:
        """Flip-flops."""
        return self._count("ff")

    @property
    def dram_bytes_per_s(self) -> float | None:
        """Peak bandwidth of the board's memory."""
        return self._value("dram_bytes_per_s")

    def dram_energies(self, tech: Technology) -> tuple[float | None, float | None]:
        """pJ of a bit to or from the board's memory, and mW while it waits: as stated, or by kind; None: not known."""
        bit, idle = self._value("dram_pj_per_bit"), self._value("dram_background_mw")
        rate = self.dram_bytes_per_s
        if idle is None and rate is not None:
            idle = tech.dram_background_mw(self.dram, rate)
        return (tech.dram_pj_per_bit(self.dram) if bit is None else bit), idle

    @property
    def axi_bits(self) -> int | None:
        """Width of the widest port to memory that the part has in silicon."""
        return self._count("axi_bits")

    @property
    def axi_burst_beats(self) -> int | None:
        """Beats of the longest burst that the port takes: 16 in AXI3, 256 in AXI4."""
        return self._count("axi_burst_beats")

    @property
    def axi_signals(self) -> dict[str, int]:
        """What the port drives on every transfer, as far as the device states it; names are those of figures."""
        return {name: value for name in _SIGNALS if (value := self._count(name)) is not None}

    @property
    def clock_hz(self) -> int | None:
        """The clock that designs aim at."""
        return self._count("clock_hz")

    @property
    def fmax_hz(self) -> int | None:
        """The least of the hard blocks' limits: no design's clock is above it."""
        limits = [limit for limit in (self._count("dsp_fmax_hz"), self._count("bram_fmax_hz")) if limit is not None]
        return min(limits) if limits else None

    @property
    def taken_for(self) -> str:
        """The family whose resources and clocks count: its own, or what an FPGA that names none is taken for. ""
        on silicon.
        """
        return self.family or _TAKEN_FOR.get(self.lut_inputs, "")

    def routed_hz(self, array: str, pes: int = SMALL_PES) -> int | None:
        """The clock that our accelerators with this array reach on the family; None on silicon."""
        return clocks()[self.taken_for].of(array, pes) if self.taken_for else None

    @property
    def lut_fill(self) -> float:
        """Part of the look-up tables that a design may take."""
        stated = self._value("lut_fill")
        return DEFAULT_LUT_FILL if stated is None else stated

    @property
    def area_mm2(self) -> float | None:
        """Silicon area of the envelope."""
        return self._value("area_mm2")

    @property
    def static_mw(self) -> float | None:
        """Power of the fabric of an idle, configured part."""
        return self._value("static_mw")

    @property
    def power_mw(self) -> float | None:
        """Power of the envelope."""
        return self._value("power_mw")


def unchecked(part: Device, limit: str, why: str, what: str, priced_in: str) -> SpecError:
    """The refusal of a limit that nothing can be held against: to pass it over would be to say that it is met.

    Args:
        part: whose limit it is.
        limit: its name, of :data:`FIGURES`.
        why: what is not known.
        what: which coefficients the technology lacks: "energies", "areas".
        priced_in: the design's technology, "" where it names none.
    """
    known = f'technology "{priced_in}"' if priced_in else "it names no technology"
    why = f"is a limit that cannot be checked: {why} ({known})"
    return SpecError(
        Fault(f"device {part.name}.{limit}", why, f"a technology with {what}, or a device without {limit}")
    )


@dataclass(frozen=True)
class Clock:
    """The highest clock of our accelerators on an FPGA family.

    Attributes:
        hz: cycles a second.
        how: "routed" (placed and routed by an open tool) or "scaled" (from another family).
        error: relative, expected.
        source: what was routed, or the rule of the scaling.
        arrays: (array, cycles a second) of whole designs with this array, 4x4, that were routed; the others get ``hz``.
        larger: the same of 8x8, which bind all that are larger than 4x4; those that were not routed get the least.
    """

    hz: int
    how: str
    error: float
    source: str
    arrays: tuple[tuple[str, int], ...] = ()
    larger: tuple[tuple[str, int], ...] = ()

    def of(self, array: str, pes: int = SMALL_PES) -> int:
        """The highest clock of a design with this array of so many PEs."""
        small, large = dict(self.arrays).get(array, self.hz), dict(self.larger)
        return small if pes <= SMALL_PES or not large else min(small, large.get(array, min(large.values())))


@lru_cache(maxsize=1)
def clocks() -> dict[str, Clock]:
    """Clocks by FPGA family, of ``data/clocks.yaml``."""
    raw = load_yaml(Path(__file__).parent / "data" / "clocks.yaml")
    routed = ("arrays", "larger")
    return {
        str(name): Clock(
            **item | {key: tuple((str(k), int(hz)) for k, hz in item.get(key, {}).items()) for key in routed}
        )
        for name, item in raw.items()
    }


def _figures(raw: Any, where: str, faults: list[Fault]) -> tuple[tuple[str, Figure], ...]:
    if not isinstance(raw, dict):
        faults.append(Fault(where, "is not a mapping", "figure: [value, source]"))
        return ()
    figures = []
    for name, item in raw.items():
        spot = f"{where}.{name}"
        if name not in FIGURES:
            faults.append(Fault(spot, f"unknown figure{nearest(str(name), FIGURES)}", ", ".join(FIGURES)))
        elif (
            not isinstance(item, list)
            or len(item) != 2
            or type(item[0]) not in (int, float)
            or not isinstance(item[1], str)
            or not item[1]
        ):
            faults.append(Fault(spot, f"is {str(item)[:60]}", "[value, source]"))
        elif name == "lut_fill" and not 0 < item[0] <= 1:
            faults.append(Fault(spot, f"is {item[0]}", "above 0, at most 1"))
        elif name in _SIGNALS and not (type(item[0]) is int and _SIGNALS[name][0] <= item[0] <= _SIGNALS[name][1]):
            faults.append(Fault(spot, f"is {item[0]}", "a whole number from {} to {}".format(*_SIGNALS[name])))
        elif not 0 <= item[0] < 1e18:
            faults.append(Fault(spot, f"is {item[0]}", f"0 or more {FIGURES[name]}"))
        else:
            figures.append((str(name), Figure(item[0], item[1])))
    return tuple(figures)


def _technology_faults(name: str, kind: str, where: str) -> tuple[Fault, ...]:
    """What is wrong with a device's technology: nobody knows it, or it is of the other kind."""
    try:
        known = technology(name, where).kind
    except SpecError as error:
        return error.faults
    if known == kind:
        return ()
    allowed = ", ".join(item for item in TECHNOLOGIES.names() if technology(item).kind == kind)
    return (Fault(where, f'is "{name}", of an {known} and not of an {kind}', allowed),)


def parse_device(name: str, raw: Any, where: str) -> Device:
    """A device from plain values.

    Args:
        name: what it is registered under.
        raw: ``{title, kind, technology, lut_inputs, figures: {name: [value, source]}}``.
        where: path of the input, for messages.

    Raises:
        SpecError: malformed; all faults at once.
    """
    if not isinstance(raw, dict):
        raise SpecError(Fault(where, f"is {type(raw).__name__}", "a mapping: title, kind, technology, figures"))
    known = ("title", "kind", "technology", "lut_inputs", "figures", "family", "dram")
    faults = unknown_keys(raw, known, where)
    kind = str(raw.get("kind"))
    if kind not in list(DeviceKind):
        faults.append(Fault(f"{where}.kind", f'is "{kind}"', ", ".join(DeviceKind)))
    lut_inputs = raw.get("lut_inputs", 6 if kind == "fpga" else None)
    if lut_inputs not in ((4, 6) if kind == "fpga" else (None,)):
        faults.append(Fault(f"{where}.lut_inputs", f"is {lut_inputs}", "4 or 6, and only on an fpga"))
    technology = raw.get("technology", "fpga_28nm" if kind == "fpga" else None)
    if not isinstance(technology, str):
        faults.append(Fault(f"{where}.technology", "is missing", "the name of a technology"))
    elif kind in list(DeviceKind):
        faults += _technology_faults(technology, kind, f"{where}.technology")
    dram, family = str(raw.get("dram", "ddr")), str(raw.get("family", ""))
    if dram not in DRAMS:
        faults.append(Fault(f"{where}.dram", f'is "{dram}"{nearest(dram, DRAMS)}', ", ".join(DRAMS)))
    if family and family not in clocks():
        faults.append(Fault(f"{where}.family", f'is "{family}"{nearest(family, clocks())}', ", ".join(clocks())))
    figures = _figures(raw.get("figures"), f"{where}.figures", faults)
    given = raw.get("figures")
    stated = given if isinstance(given, dict) else {}  # one that is wrong is not missing, too
    faults += [
        Fault(f"{where}.figures", f'"{name}" is missing') for name in _REQUIRED.get(kind, ()) if name not in stated
    ]
    known_figures = dict(figures)
    if "axi_id" in known_figures:
        bits = int(known_figures["axi_id_bits"].value) if "axi_id_bits" in known_figures else 1
        if known_figures["axi_id"].value >= 2**bits:
            what = f"at most {2**bits - 1}, of axi_id_bits: {bits}"
            faults.append(Fault(f"{where}.figures.axi_id", f"is {known_figures['axi_id'].value}", what))
    if faults:
        raise SpecError(faults)
    title = str(raw.get("title", name))
    return Device(name, title, DeviceKind(kind), str(technology), lut_inputs, figures, dram, family)


def load_device(path: str | Path) -> Device:
    """A user's own device: a YAML file with the fields of one entry of ``data/devices.yaml``.

    Raises:
        SpecError: unreadable or malformed.
    """
    return parse_device(Path(path).stem, load_yaml(path), str(path))


def _register_builtins(registry: Registry[Device]) -> None:
    path = Path(__file__).parent / "data" / "devices.yaml"
    for name, raw in load_yaml(path).items():
        registry.register(str(name), parse_device(str(name), raw, f"{path.name}: {name}"))


DEVICES: Registry[Device] = Registry("device", _register_builtins)


def device(name: str = DEFAULT_DEVICE, where: str = "device") -> Device:
    """A device by registered name, or by the path of a ``.yaml`` file.

    Raises:
        SpecError: unknown name, or a malformed file.
    """
    return load_device(name) if name.endswith((".yaml", ".yml")) else DEVICES.get(name, where)
