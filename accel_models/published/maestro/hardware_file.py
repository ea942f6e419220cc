"""MAESTRO's hardware description: six numbers, the same network-on-chip at every cluster level."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from accel_models.published.maestro.text import INT32_MAX, integer, read_source, shown
from mappings.errors import nearest

_KEYS = {
    "num_pes": "num_pes",
    "l1_size_cstr": "l1_bound_elements",
    "l2_size_cstr": "l2_bound_elements",
    "noc_bw_cstr": "noc_elements_per_cycle",
    "NoC_NumHops": "noc_latency_cycles",
    "offchip_bw_cstr": "offchip_elements_per_cycle",
}
_LEAST = {"num_pes": 1, "noc_bw_cstr": 1, "offchip_bw_cstr": 1}


@dataclass(frozen=True)
class MaestroHardware:
    """What a ``.hw`` file says; the defaults are those of keys that it leaves out.

    Attributes:
        num_pes: processing elements.
        l1_bound_elements, l2_bound_elements: bounds on the buffers, which change no figure (MAESTRO only warns).
        noc_elements_per_cycle, noc_latency_cycles: of the network-on-chip, the same at each cluster level.
        offchip_elements_per_cycle: bandwidth to DRAM.
    """

    num_pes: int = 1
    l1_bound_elements: int = INT32_MAX
    l2_bound_elements: int = INT32_MAX
    noc_elements_per_cycle: int = INT32_MAX
    noc_latency_cycles: int = 1
    offchip_elements_per_cycle: int = INT32_MAX


def hardware_without_file(num_pes: int) -> MaestroHardware:
    """What MAESTRO assumes where no ``.hw`` file is given: a network-on-chip without latency."""
    return MaestroHardware(num_pes=num_pes, noc_latency_cycles=0, offchip_elements_per_cycle=70_000)


def read_hardware(given: Path | str) -> MaestroHardware:
    """Reads a ``.hw`` file (a ``Path``) or text (a ``str``).

    Raises:
        SpecError: unknown or repeated key, or a value that is no 32-bit integer or a zero where MAESTRO divides by it.
    """
    source = read_source(given, "<hardware>")
    values: dict[str, int] = {}
    words = source.words
    for index in range(0, len(words), 2):
        key = words[index]
        if key.text not in _KEYS:
            source.fail(key, f"unknown key {shown(key.text)}{nearest(key.text[:40], _KEYS)}", ", ".join(_KEYS))
        field = _KEYS[key.text]
        if field in values:
            source.fail(key, f"{key.text} is given twice")
        value = words[index + 1] if index + 1 < len(words) else source.end
        values[field] = integer(source, value, _LEAST.get(key.text, 0), key.text)
    return MaestroHardware(**values)
