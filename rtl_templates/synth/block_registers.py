"""Registers beside memories and multipliers of ECP5, moved into the blocks that have them inside; Yosys does not.

Without, a block memory gives its data 5.8 ns behind the clock, a multiplier 3.9 ns behind its operands (nextpnr's
figures); then come wires of several ns to where the registers lie.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

_READ = tuple(f"DOB{i}" for i in range(18))
_PRODUCT = tuple(f"P{i}" for i in range(36))
_OPERANDS = tuple(tuple(f"{name}{i}" for i in range(18)) for name in "AB")
#: What has no register.
_LOGIC = ("LUT4", "PFUMX", "L6MUX21", "CCU2C")
#: Registers of a multiplier by operand or result.
_REGISTER = {
    side: {f"REG_{side}_CLK": "CLK0", f"REG_{side}_CE": "CE0", f"REG_{side}_RST": "RST0"}
    for side in ("INPUTA", "INPUTB", "OUTPUT")
}


def _plain(cell: dict[str, Any]) -> bool:
    """A flip-flop of the clock's rising edge without enable and reset, as those inside a block are."""
    if cell["type"] != "TRELLIS_FF":
        return False
    given, pins = cell["parameters"], cell["connections"]
    enabled = given.get("CEMUX", "").strip() == "1" or pins.get("CE") == ["1"]  # Yosys writes "1 ": a text, no number
    return bool(enabled and pins.get("LSR", ["0"]) == ["0"] and given.get("CLKMUX") == "CLK")


class _Module:
    """A flattened netlist: how many inputs each bit has, and the flip-flop that takes it."""

    def __init__(self, module: dict[str, Any]) -> None:
        self.cells: dict[str, Any] = module["cells"]
        self._loads: Counter[Any] = Counter(bit for port in module["ports"].values() for bit in port["bits"])
        self._taker: dict[Any, str] = {}
        self._giver: dict[Any, str] = {}
        self._driver: dict[Any, str] = {}
        for name, cell in self.cells.items():
            for pin, bits in cell["connections"].items():
                if cell["port_directions"].get(pin) != "input":
                    self._driver.update((bit, name) for bit in bits)
                if cell["port_directions"].get(pin) == "input":
                    self._loads.update(bits)
                    if pin == "DI":
                        self._taker.update((bit, name) for bit in bits)
                elif pin == "Q":
                    self._giver.update((bit, name) for bit in bits)

    def absorb(self, block: dict[str, Any], outputs: Sequence[str], clock: list[Any] | None) -> list[Any] | None:
        """Take away the flip-flops behind a block's outputs, where each used bit drives one of that clock alone.

        Returns:
            Their clock; None where they stay.
        """
        pins = block["connections"]
        used = [pin for pin in outputs if any(self._loads[bit] for bit in pins.get(pin, []))]
        behind = [self._taker.get(pins[pin][0], "") for pin in used]
        if not used or any(self._loads[pins[pin][0]] != 1 for pin in used):
            return None
        if not all(name in self.cells and _plain(self.cells[name]) for name in behind):
            return None
        clock = clock or self.cells[behind[0]]["connections"]["CLK"]
        if any(self.cells[name]["connections"]["CLK"] != clock for name in behind):
            return None
        for pin, name in zip(used, behind, strict=True):
            behind_bit = self.cells.pop(name)["connections"]["Q"]
            self._driver[behind_bit[0]] = self._driver[pins[pin][0]]
            pins[pin] = behind_bit
        return clock

    def _read(self, bit: Any) -> bool:
        """Whether a block memory's data are among what logic makes a bit of."""
        seen, ahead = set[Any](), [bit]
        while ahead:
            bit = ahead.pop()
            cell = self.cells.get(self._driver.get(bit, ""))
            if bit in seen or cell is None or cell["type"] == "TRELLIS_FF":
                continue
            if cell["type"] == "DP16KD":
                return True
            seen.add(bit)
            if cell["type"] in _LOGIC:
                directions = cell["port_directions"]
                ahead += [b for pin, bits in cell["connections"].items() if directions[pin] == "input" for b in bits]
        return False

    def take_operands(self, block: dict[str, Any], clock: list[Any] | None = None) -> list[Any] | None:
        """Move the flip-flops in front of both operands of a multiplier into it; what else they drive keeps them.

        One operand's alone stay: nextpnr has no such timing. So do those of another clock than the one given, and,
        where one is given, those that take what a memory reads: they part the wires from it and to the multiplier.

        Returns:
            Their clock; None where they stay.
        """
        pins = block["connections"]
        operands = [{bit for pin in side for bit in pins[pin] if isinstance(bit, int)} for side in _OPERANDS]
        front = {bit: self._giver.get(bit, "") for side in operands for bit in side}
        if not all(operands) or not all(name in self.cells and _plain(self.cells[name]) for name in front.values()):
            return None
        before = {bit: self.cells[name]["connections"]["DI"][0] for bit, name in front.items()}
        clocks: list[list[Any]] = [self.cells[name]["connections"]["CLK"] for name in front.values()]
        if any(item != (clock or clocks[0]) for item in clocks):
            return None
        if clock and any(self._read(bit) for bit in before.values()):
            return None
        for pin in (*_OPERANDS[0], *_OPERANDS[1]):
            bit = pins[pin][0]
            if bit in before:
                pins[pin] = [before[bit]]
                self._loads[bit] -= 1
                self._loads[before[bit]] += 1
        for bit, name in front.items():
            if not self._loads[bit]:
                self._loads[before[bit]] -= 1
                del self.cells[name]
        return clocks[0]


def use_block_registers(netlist: dict[str, Any]) -> int:
    """Change a netlist of Yosys (``write_json``) in place; returns how many blocks use their register."""
    changed = 0
    for raw in netlist["modules"].values():
        module = _Module(raw)
        # Memories first: their registers are then no longer in the way to what reads them.
        for cell in sorted(module.cells.values(), key=lambda cell: cell["type"] != "DP16KD"):
            pins, given = cell["connections"], cell["parameters"]
            if cell["type"] == "DP16KD" and given.get("CLKBMUX") == "CLKB" and pins.get("OCEB") == ["1"]:
                if "OUTREG" in (given.get("REGMODE_A"), given.get("REGMODE_B")):
                    continue
                if module.absorb(cell, _READ, pins["CLKB"]):
                    given["REGMODE_A"] = given["REGMODE_B"] = "OUTREG"
                    changed += 1
            elif cell["type"] == "MULT18X18D" and not any(name.startswith("REG_") for name in given):
                clock, sides = module.absorb(cell, _PRODUCT, None), ["OUTPUT"]
                if clock is None:  # logic behind it
                    clock, sides = module.take_operands(cell), ["INPUTA", "INPUTB"]
                    # A second pair in front is the same as a register behind the product.
                    if clock and module.take_operands(cell, clock):
                        sides.append("OUTPUT")
                if clock:
                    for side in sides:
                        given.update(_REGISTER[side])
                    for pin, bits in (("CLK0", clock), ("CE0", ["1"]), ("RST0", ["0"])):
                        pins[pin], cell["port_directions"][pin] = bits, "input"
                    changed += 1
    return changed
