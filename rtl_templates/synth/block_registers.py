"""Registers behind block memories of ECP5, moved into the blocks: each has one behind its outputs, unused by Yosys.

A block without it gives its data 5.8 ns behind the clock (nextpnr's figures).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

_OUTPUTS = tuple(f"DOB{i}" for i in range(18))


def _plain(cell: dict[str, Any], clock: list[Any]) -> bool:
    """A flip-flop of that clock's rising edge without enable and reset, as what lies inside a block is."""
    if cell["type"] != "TRELLIS_FF":
        return False
    given, pins = cell["parameters"], cell["connections"]
    enabled = given.get("CEMUX", "").strip() == "1" or pins.get("CE") == ["1"]  # Yosys writes "1 ": a text, no number
    return enabled and pins.get("LSR", ["0"]) == ["0"] and given.get("CLKMUX") == "CLK" and pins["CLK"] == clock


def use_block_registers(netlist: dict[str, Any]) -> int:
    """Change a netlist of Yosys (``write_json``) in place; returns how many blocks use their register.

    A block does where each of its read port's bits drives one such flip-flop and nothing else.
    """
    changed = 0
    for module in netlist["modules"].values():
        cells = module["cells"]
        loads: Counter[Any] = Counter(bit for port in module["ports"].values() for bit in port["bits"])
        driven: dict[Any, str] = {}
        for name, cell in cells.items():
            for pin, bits in cell["connections"].items():
                if cell["port_directions"].get(pin) == "input":
                    loads.update(bits)
                    if pin == "DI":
                        driven.update((bit, name) for bit in bits)
        for block in [cell for cell in cells.values() if cell["type"] == "DP16KD"]:
            pins = block["connections"]
            if block["parameters"].get("CLKBMUX") != "CLKB" or pins.get("OCEB") != ["1"]:
                continue
            used = [pin for pin in _OUTPUTS if any(loads[bit] for bit in pins.get(pin, []))]
            behind = [driven.get(pins[pin][0], "") for pin in used]
            if not used or any(loads[pins[pin][0]] != 1 for pin in used):
                continue
            if not all(name in cells and _plain(cells[name], pins["CLKB"]) for name in behind):
                continue
            for pin, name in zip(used, behind, strict=True):
                pins[pin] = cells.pop(name)["connections"]["Q"]
            block["parameters"]["REGMODE_A"] = block["parameters"]["REGMODE_B"] = "OUTREG"
            changed += 1
    return changed
