"""Standard cells of liberty files: what each computes, holds, weighs and costs in energy.

Only what area, function and power need is read, and of each cell only when it is asked for. Energies are those of the
library's tables, which leave out what charges the load (Liberty User Guide, "Modeling Power"): of an output pin by
input transition and load, of an input pin where no output follows. Where a table depends on a state that a zero-delay
simulation does not tell, its mean over the states stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mappings.errors import Fault, SpecError
from rtl_templates.synth.functions import Function, function_of, value

_TOKEN = re.compile(r'"[^"]*"|[{}();:,]|[^\s{}();:,"]+')
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_CELL = re.compile(r'\bcell\s*\(\s*"?([^")\s]+)"?\s*\)\s*\{')
_FACTORS = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0}
Floats: TypeAlias = NDArray[np.float64]
_UNLOADED = np.zeros(1)


@dataclass
class Group:
    """A group of a liberty file: ``name (args) { attributes, groups }``."""

    name: str
    args: tuple[str, ...]
    values: dict[str, tuple[str, ...]] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)

    def of(self, name: str) -> list[Group]:
        """Groups of that name within."""
        return [group for group in self.groups if group.name == name]

    def text(self, name: str, default: str = "") -> str:
        """A simple attribute."""
        return " ".join(self.values.get(name, (default,)))

    def number(self, name: str, default: float = 0.0) -> float:
        """A simple attribute as a number."""
        return float(self.text(name, str(default)))


@dataclass(frozen=True)
class Table:
    """Energy of a transition in J over input transition (in the library's time unit) and load (F), or one of them."""

    first: Floats
    second: Floats
    values: Floats

    def at(self, transition: float, loads: Floats) -> Floats:
        """Between the table's points by straight lines, beyond them the nearest."""
        above = min(int(np.searchsorted(self.first, transition)), len(self.first) - 1)
        below = max(above - 1, 0)
        span = self.first[above] - self.first[below]
        share = float(np.clip((transition - self.first[below]) / span, 0, 1)) if span else 0.0
        row = (1 - share) * self.values[below] + share * self.values[above]
        found: Floats = np.interp(loads, self.second, row)
        return found


@dataclass(frozen=True)
class Power:
    """Tables of one pin: under a condition on the cell's pins ("" where none is told)."""

    when: str
    rise: Table
    fall: Table


@dataclass(frozen=True)
class FlipFlop:
    """A rising edge of the clock takes ``next_state``, unless ``clear`` (to 0) or ``preset`` (to 1) is 1."""

    clock: str
    next_state: Function
    clear: Function | None
    preset: Function | None
    held: tuple[str, str]


@dataclass(frozen=True, eq=False)
class Cell:
    """A standard cell.

    Attributes:
        area: in um2.
        leakage_w: mean over its states.
        capacitance: F, by input pin.
        outputs: by output pin what it shows; of a flip-flop 1 or 0 of (held, its complement).
        flop: None for a gate.
        power: by pin.
    """

    name: str
    area: float
    leakage_w: float
    capacitance: Mapping[str, float]
    outputs: Mapping[str, Function]
    flop: FlipFlop | None
    power: Mapping[str, tuple[Power, ...]]

    def output_j(self, pin: str, transition: float, loads: Floats) -> Floats:
        """Mean energy inside the cell of a transition of an output, for each of some loads."""
        found = self.power.get(pin, ())
        return np.mean([_mean(item, transition, loads) for item in found], axis=0) if found else np.zeros(len(loads))

    def input_j(self, pin: str, transition: float) -> float:
        """Mean energy of a transition of an input that no output follows."""
        found = self.power.get(pin, ())
        some = [item for item in found if item.when] or found
        return float(np.mean([_mean(item, transition, _UNLOADED) for item in some])) if some else 0.0

    def clock_j(self, transition: float) -> tuple[float, float]:
        """Energy of a clock cycle at the clock pin of a flip-flop: where what it holds stays, and where it changes.

        The rising edge that changes it is in the tables of the outputs, so that of such a cycle only the falling edge
        counts here: that of a cycle before such an edge, when the new value is at the input already.
        """
        assert self.flop is not None, "gates have no clock"
        edges: dict[bool, list[tuple[float, ...]]] = {False: [], True: []}
        for changes, values in self._states():
            power = self._matching(self.flop.clock, values)
            if power is not None:
                edges[changes].append(tuple(float(t.at(transition, _UNLOADED)[0]) for t in (power.rise, power.fall)))
        stays, changes_ = (np.mean(rows, axis=0) if rows else np.zeros(2) for rows in (edges[False], edges[True]))
        return float(stays.sum()), float(changes_.sum())

    def _states(self) -> list[tuple[bool, dict[str, int]]]:
        """Levels of all pins but the clock, not being cleared; whether the next edge changes what is held."""
        flop, found = self.flop, []
        assert flop is not None, "gates hold nothing"
        inputs = [pin for pin in self.capacitance if pin != flop.clock]
        for row in product((0, 1), repeat=len(inputs)):
            given = dict(zip(inputs, row, strict=True))
            if any(part is not None and value(part, given) for part in (flop.clear, flop.preset)):
                continue
            for held in (0, 1):
                shown = {flop.held[0]: held, flop.held[1]: 1 - held}
                outs = {pin: value(function, shown) for pin, function in self.outputs.items()}
                found.append((value(flop.next_state, given) != held, given | outs))
        return found

    def _matching(self, pin: str, values: Mapping[str, int]) -> Power | None:
        """The table whose condition holds, or the one without."""
        plain = None
        for item in self.power.get(pin, ()):
            if not item.when:
                plain = item
            elif value(function_of(item.when), values):
                return item
        return plain


def _mean(item: Power, transition: float, loads: Floats) -> Floats:
    return (item.rise.at(transition, loads) + item.fall.at(transition, loads)) / 2


class Library:
    """Cells of some liberty files, each parsed when it is first asked for.

    Args:
        texts: of the files (:func:`rtl_templates.synth.asic.read_liberty`).

    Attributes:
        volts: nominal supply.
        transition: second smallest input transition that its tables have, in its time unit.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = [_COMMENT.sub("", text).replace("\\\n", " ") for text in texts]
        self._where = {
            match[1]: (number, match.start())
            for number, text in enumerate(self._texts)
            for match in _CELL.finditer(text)
        }
        self._cells: dict[str, Cell] = {}
        heads = [text[: match.start() if (match := _CELL.search(text)) else len(text)] for text in self._texts]
        self._heads = [_parse(_TOKEN.finditer(head)) for head in heads]
        self.volts = self._heads[0].number("nom_voltage")
        grid = [group for group in self._heads[0].of("power_lut_template") if group.values.get("index_1")]
        if not self.volts or not grid:
            raise SpecError(
                Fault("liberty", "states no voltage, or no tables of power", "nom_voltage, power_lut_template")
            )
        self.transition = float(sorted(_numbers(grid[0], "index_1"))[1])

    def cell(self, name: str) -> Cell:
        """A cell by name.

        Raises:
            SpecError: the files have none, or one that is no gate and no flip-flop.
        """
        if name not in self._cells:
            if name not in self._where:
                raise SpecError(Fault("liberty", f'has no cell "{name}"', "the files that the netlist was made with"))
            number, start = self._where[name]
            group = _parse(_TOKEN.finditer(self._texts[number], start)).groups[0]
            self._cells[name] = _cell(name, group, self._heads[number])
        return self._cells[name]


def _parse(tokens: Iterator[re.Match[str]]) -> Group:
    """The first cell of some text, as the child of a nameless group; or what there is of a library's head."""
    root = Group("", ())
    stack, words = [root], list[str]()
    for match in tokens:
        token = match[0]
        if token == "{":
            args = tuple(word.strip('"') for word in words[1:] if word not in "(),:")
            group = Group(words[0], args)
            stack[-1].groups.append(group)
            stack.append(group)
            words = []
        elif token == "}":
            stack.pop()
            words = []
            if len(stack) == 1:
                break
        elif token == ";":
            if words:
                stack[-1].values[words[0]] = tuple(word.strip('"') for word in words[1:] if word not in "(),:")
            words = []
        else:
            words.append(token)
    library = root.groups[0] if root.groups else root
    return root if library.name == "cell" else library


def _numbers(group: Group, name: str) -> Floats:
    return np.array([float(number) for text in group.values[name] for number in text.replace(",", " ").split()])


def _cell(name: str, group: Group, head: Group) -> Cell:
    unit, prefix = head.values.get("capacitive_load_unit", ("1", "pf"))
    farads = float(unit) * _FACTORS[prefix.lower().rstrip("f") or ""] if prefix.lower() != "ff" else float(unit) * 1e-15
    watts = _scaled(head.text("leakage_power_unit", "1nW"), "W")
    volts = _scaled(head.text("voltage_unit", "1V"), "V")
    grounds = {part.args[0] for part in group.of("pg_pin") if "ground" in part.text("pg_type")}
    capacitance, shown, power = dict[str, float](), dict[str, str](), dict[str, tuple[Power, ...]]()
    for pin in group.of("pin"):
        label = pin.args[0]
        if pin.text("direction") == "input":
            capacitance[label] = pin.number("capacitance") * farads
        elif pin.text("function"):
            shown[label] = pin.text("function")
        # What flows into the ground has come from the supply: counted once.
        tables = [part for part in pin.of("internal_power") if part.text("related_pg_pin") not in grounds]
        power[label] = tuple(_power(part, head, farads * volts**2, farads) for part in tables)
    states = [part.number("value") for part in group.of("leakage_power") if part.text("related_pg_pin") not in grounds]
    leakage = group.number("cell_leakage_power") or (float(np.mean(states)) if states else 0.0)
    flops = [part for part in group.groups if part.name == "ff"]
    if not flops and any(part.name in ("latch", "statetable") for part in group.groups):
        raise SpecError(Fault(f"liberty cell {name}", "is a latch", "gates and flip-flops"))
    return Cell(
        name,
        group.number("area"),
        leakage * watts,
        capacitance,
        {pin: function_of(text) for pin, text in shown.items()},
        _flop(name, flops[0]) if flops else None,
        power,
    )


def _scaled(text: str, unit: str) -> float:
    match = re.fullmatch(r"([\d.eE+-]+)\s*([fpnum]?)" + unit, text, re.IGNORECASE)
    if match is None:
        raise SpecError(Fault("liberty", f'has the unit "{text}"', f"a number and {unit} with a prefix"))
    return float(match[1]) * _FACTORS[match[2].lower()]


def _flop(name: str, group: Group) -> FlipFlop:
    clock = function_of(group.text("clocked_on"))
    if len(clock.pins) != 1 or clock.table != 0b10:
        raise SpecError(Fault(f"liberty cell {name}", "is not clocked by a rising edge", "clocked_on: one pin"))
    clear, preset = (function_of(group.text(key)) if group.text(key) else None for key in ("clear", "preset"))
    return FlipFlop(clock.pins[0], function_of(group.text("next_state")), clear, preset, (group.args[0], group.args[1]))


def _power(group: Group, head: Group, joules: float, farads: float) -> Power:
    tables = []
    for kind in ("rise_power", "fall_power"):
        found = group.of(kind) or group.of("power")
        tables.append(_table(found[0], head, joules, farads) if found else _ZERO)
    return Power(group.text("when"), *tables)


_ZERO = Table(np.zeros(1), np.zeros(1), np.zeros((1, 1)))


def _table(group: Group, head: Group, joules: float, farads: float) -> Table:
    """With the axes of its template where it has none of its own; (transition, load) whichever is named first."""
    values = _numbers(group, "values") * joules
    if group.args and group.args[0] == "scalar":
        return Table(np.zeros(1), np.zeros(1), values.reshape(1, 1))
    template = next(part for part in head.of("power_lut_template") if part.args[0] == group.args[0])
    axes: dict[str, Floats] = {"transition": np.zeros(1), "load": np.zeros(1)}
    order = []
    for place in (1, 2):
        variable = template.text(f"variable_{place}")
        if not variable:
            continue
        kind = "load" if "capacitance" in variable else "transition"
        holder = group if f"index_{place}" in group.values else template
        axes[kind] = _numbers(holder, f"index_{place}") * (farads if kind == "load" else 1.0)
        order.append(kind)
    shaped = values.reshape([len(axes[kind]) for kind in order])
    if order == ["load", "transition"]:
        shaped = shaped.T
    return Table(axes["transition"], axes["load"], shaped.reshape(len(axes["transition"]), len(axes["load"])))
