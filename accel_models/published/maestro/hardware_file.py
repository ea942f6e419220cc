"""MAESTRO's hardware description: six numbers, the same network-on-chip at every cluster level."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from accel_models.published.maestro.text import INT32_MAX, read_number, read_source, shown
from mappings.errors import nearest

_KEYS = {
    "num_pes": "num_pes",
    "l1_size_cstr": "l1_bound_elements",
    "l2_size_cstr": "l2_bound_elements",
    "noc_bw_cstr": "noc_elements_per_cycle",
    "NoC_NumHops": "noc_latency_cycles",
    "offchip_bw_cstr": "offchip_elements_per_cycle",
}
_DEFAULTS = {
    "num_pes": "num_pes 1",
    "noc_bw_cstr": "noc_bw_cstr unbounded",
    "NoC_NumHops": "NoC_NumHops 1",
    "offchip_bw_cstr": "offchip_bw_cstr unbounded",
}
"""Keys that change figures, and what MAESTRO takes where they are missing."""
_LEAST = {"num_pes": 1, "noc_bw_cstr": 1, "offchip_bw_cstr": 1}


@dataclass(frozen=True)
class MaestroHardware:
    """What a ``.hw`` file says; the defaults are those of keys that it leaves out.

    Attributes:
        num_pes: processing elements.
        l1_bound_elements, l2_bound_elements: bounds on the buffers, which change no figure (MAESTRO only warns).
        noc_elements_per_cycle, noc_latency_cycles: of the network-on-chip, the same at each cluster level.
        offchip_elements_per_cycle: bandwidth to DRAM.
        warnings: what the file leaves out or says oddly, each with its place; no part of the hardware's identity.
    """

    num_pes: int = 1
    l1_bound_elements: int = INT32_MAX
    l2_bound_elements: int = INT32_MAX
    noc_elements_per_cycle: int = INT32_MAX
    noc_latency_cycles: int = 1
    offchip_elements_per_cycle: int = INT32_MAX
    warnings: tuple[str, ...] = field(default=(), compare=False)


def hardware_without_file(num_pes: int) -> MaestroHardware:
    """What MAESTRO assumes where no ``.hw`` file is given: a network-on-chip without latency."""
    return MaestroHardware(num_pes=num_pes, noc_latency_cycles=0, offchip_elements_per_cycle=70_000)


def read_hardware(given: Path | str) -> MaestroHardware:
    """Reads a ``.hw`` file (a ``Path``) or text (a ``str``).

    As in MAESTRO, a key that is given twice takes its last value, and one that is not given its default: one PE,
    a hop of one cycle, no other bound. The result's ``warnings`` tell both.

    Raises:
        SpecError: unknown key, or a value that is no 32-bit integer or a zero where MAESTRO divides by it.
    """
    source = read_source(given, "<hardware>")
    values: dict[str, int] = {}
    warnings: list[str] = []
    words = source.words
    for index in range(0, len(words), 2):
        key = words[index]
        if key.text not in _KEYS:
            source.fail(key, f"unknown key {shown(key.text)}{nearest(key.text, _KEYS)}", ", ".join(_KEYS))
        name = _KEYS[key.text]
        if name in values:
            warnings.append(f"{source.at(key)}: {key.text} is given twice, the last value counts")
        value = words[index + 1] if index + 1 < len(words) else source.end
        number, least = read_number(value), _LEAST.get(key.text, 0)
        if number is None or not least <= number.value <= INT32_MAX:
            found = shown(value.text) if value.text else "missing"
            source.fail(value, f"{key.text} is {found}", f"an integer from {least} to {INT32_MAX}")
        if number.doubt:
            warnings.append(f"{source.at(value)}: {key.text}: {number.doubt}")
        values[name] = number.value
    defaults = [text for key, text in _DEFAULTS.items() if _KEYS[key] not in values]
    if defaults:
        warnings.append(f"{source.name}: taken as MAESTRO does where nothing is given: {', '.join(defaults)}")
    return MaestroHardware(**values, warnings=tuple(warnings))
