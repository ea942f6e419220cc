"""A netlist of standard cells as columns, and its run: what it computes in each cycle, and how often each net changes.

A cycle is: inputs settle through all gates at once (no delays, so no glitches), outputs are compared with what the
RTL gave, then flip-flops and memories take what is at their inputs. Cells are tables of their functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from accel_models.jit import compiled, entry
from mappings.errors import Fault, SpecError
from rtl_templates.recording import MEANT_BY, Bits, Recording
from rtl_templates.synth.functions import MOST_INPUTS, Function
from rtl_templates.synth.liberty import Cell, Library

Integers: TypeAlias = NDArray[np.int64]
Tables: TypeAlias = NDArray[np.uint64]
_MEMORY_PORTS = ("we_i", "waddr_i", "wdata_i", "re_i", "raddr_i", "rdata_o")


class Nodes(NamedTuple):
    """Functions of nets: inputs ``[n, 6]`` (unused ones the constant 0) and their number, table, and the net that shows
    the value."""

    inputs: Integers
    counts: Integers
    tables: Tables
    outputs: Integers


class Memories(NamedTuple):
    """Memories: for each a row (write enable, read enable, first place and number of address bits, first place and
    number of data bits, first bit of storage), the nets of (write address, read address) and (written, read) bits, and
    the bits of all."""

    rows: Integers
    addresses: Integers
    data: Integers
    bits: int


@dataclass(frozen=True, eq=False)
class Gates:
    """A netlist.

    Attributes:
        nets: number of nets; 0 and 1 are the constants.
        gates: in an order in which each follows what it reads.
        gate_cells: cell and output pin of each gate.
        flops: next state of each flip-flop (``outputs`` are of no use here).
        flop_cells: cell of each flip-flop.
        clears, presets: of each flip-flop the net that makes it 0 or 1, and the level at which it does; -1: none.
        shown: of each flip-flop the nets that show what it holds, and its complement; -1: none.
        memories: blocks that are no cells.
        ports: nets by port, bit 0 first.
        loads: F, of the inputs on each net.
    """

    nets: int
    gates: Nodes
    gate_cells: tuple[tuple[Cell, str], ...]
    flops: Nodes
    flop_cells: tuple[Cell, ...]
    clears: Integers
    presets: Integers
    shown: Integers
    memories: Memories
    ports: Mapping[str, Integers]
    loads: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Activity:
    """A run of a netlist.

    Attributes:
        cycles: that were run, without the reset.
        toggles: changes of each net.
        quiet: ``[gates, 6]``, changes of an input that no change of the output followed.
        changes: of what each flip-flop holds.
        data: ``[flops, 6]``, changes of the inputs of the next state.
        accesses: ``[memories, 2]``, words read and written.
        wrong: cycles in which an output was not what the RTL gave, by port.
    """

    cycles: int
    toggles: Integers
    quiet: Integers
    changes: Integers
    data: Integers
    accesses: Integers
    wrong: Mapping[str, int]


class _Nets:
    """Numbers for the bits of a Yosys netlist."""

    def __init__(self) -> None:
        self._known: dict[int, int] = {}

    def __call__(self, bit: int | str) -> int:
        if isinstance(bit, str):
            return int(bit == "1")  # what is undefined is 0
        return self._known.setdefault(bit, len(self._known) + 2)

    def __len__(self) -> int:
        return len(self._known) + 2


def read_gates(netlist: Mapping[str, Any], top: str, library: Library) -> Gates:
    """A flattened netlist as Yosys' ``write_json`` gives it; all flip-flops have the clock ``clk_i``.

    Raises:
        SpecError: a cell that the library lacks, or a loop of gates.
    """
    module, nets = netlist["modules"][top], _Nets()
    gates: list[tuple[Cell, str, Function, dict[str, int], int]] = []
    flops: list[tuple[Cell, dict[str, int]]] = []
    blocks: list[dict[str, list[int]]] = []
    loads: dict[int, float] = {}
    for found in module["cells"].values():
        wires = found["connections"]
        if set(_MEMORY_PORTS) <= set(wires):
            blocks.append({port: [nets(bit) for bit in wires[port]] for port in _MEMORY_PORTS})
            continue
        cell = library.cell(found["type"])
        pins = {pin: nets(bits[0]) for pin, bits in wires.items() if bits}
        for pin, farads in cell.capacitance.items():
            loads[pins[pin]] = loads.get(pins[pin], 0.0) + farads
        if cell.flop is not None:
            flops.append((cell, pins))
            continue
        gates += [(cell, pin, function, pins, pins[pin]) for pin, function in cell.outputs.items() if pin in pins]
    ports = {name: np.array([nets(bit) for bit in port["bits"]]) for name, port in module["ports"].items()}
    memories = _memories(blocks)
    ordered = _ordered(gates, len(nets))
    sides = [shown_by(cell) for cell, _ in flops]
    weights = np.zeros(len(nets))
    for net, farads in loads.items():
        weights[net] = farads
    parts = [cell.flop for cell, _ in flops]
    assert all(parts), "flip-flops"
    return Gates(
        len(nets),
        _nodes([(function, pins, out) for _, _, function, pins, out in ordered]),
        tuple((cell, pin) for cell, pin, *_ in ordered),
        _nodes([(flop.next_state, pins, 0) for flop, (_, pins) in zip(parts, flops, strict=True) if flop]),
        tuple(cell for cell, _ in flops),
        _pairs([_level(flop.clear, pins) for flop, (_, pins) in zip(parts, flops, strict=True) if flop]),
        _pairs([_level(flop.preset, pins) for flop, (_, pins) in zip(parts, flops, strict=True) if flop]),
        _pairs(
            [(pins.get(one, -1), pins.get(other, -1)) for (one, other), (_, pins) in zip(sides, flops, strict=True)]
        ),
        memories,
        ports,
        weights,
    )


def _pairs(found: Sequence[tuple[int, int]]) -> Integers:
    return np.array(found, np.int64).reshape(-1, 2)


def _nodes(found: Sequence[tuple[Function, Mapping[str, int], int]]) -> Nodes:
    inputs = np.zeros((len(found), MOST_INPUTS), np.int64)
    for place, (function, pins, _) in enumerate(found):
        inputs[place, : len(function.pins)] = [pins[pin] for pin in function.pins]
    counts = np.array([len(function.pins) for function, _, _ in found], np.int64)
    tables = np.array([function.table for function, _, _ in found], np.uint64)
    return Nodes(inputs, counts, tables, np.array([out for *_, out in found], np.int64))


def _level(function: Function | None, pins: Mapping[str, int]) -> tuple[int, int]:
    """Net and level at which a function of one pin is 1; (-1, 0) where there is none."""
    if function is None:
        return -1, 0
    if len(function.pins) != 1:
        raise SpecError(Fault("liberty", f"has a reset of {len(function.pins)} pins", "one pin"))
    return pins[function.pins[0]], function.table >> 1 & 1


def shown_by(cell: Cell) -> tuple[str, str]:
    """Output pins that show what a flip-flop holds, and its complement; "": none."""
    flop, found = cell.flop, ["", ""]
    assert flop is not None, "a flip-flop"
    for pin, function in cell.outputs.items():
        negated = function.table == 0b01
        found[(function.pins[0] == flop.held[1]) != negated] = pin
    return found[0], found[1]


def _ordered(
    gates: Sequence[tuple[Cell, str, Function, dict[str, int], int]], nets: int
) -> list[tuple[Cell, str, Function, dict[str, int], int]]:
    """Gates, each behind those that drive its inputs."""
    driver = np.full(nets, -1)
    for place, gate in enumerate(gates):
        driver[gate[4]] = place
    reads = [[int(driver[pins[pin]]) for pin in function.pins] for _, _, function, pins, _ in gates]
    waiting = [sum(source >= 0 for source in sources) for sources in reads]
    readers: list[list[int]] = [[] for _ in gates]
    for place, sources in enumerate(reads):
        for source in sources:
            if source >= 0:
                readers[source].append(place)
    ready = [place for place, count in enumerate(waiting) if not count]
    order = []
    while ready:
        place = ready.pop()
        order.append(gates[place])
        for reader in readers[place]:
            waiting[reader] -= 1
            if not waiting[reader]:
                ready.append(reader)
    if len(order) < len(gates):
        raise SpecError(Fault("netlist", f"{len(gates) - len(order)} gates lie in a loop", "synchronous logic"))
    return order


def _memories(blocks: Sequence[Mapping[str, Sequence[int]]]) -> Memories:
    rows, addresses, data = list[tuple[int, ...]](), list[tuple[int, int]](), list[tuple[int, int]]()
    storage = 0
    for block in blocks:
        width, bits = len(block["wdata_i"]), len(block["waddr_i"])
        rows.append((block["we_i"][0], block["re_i"][0], len(addresses), bits, len(data), width, storage))
        addresses += zip(block["waddr_i"], block["raddr_i"], strict=True)
        data += zip(block["wdata_i"], block["rdata_o"], strict=True)
        storage += width << bits
    return Memories(
        np.array(rows, np.int64).reshape(-1, 7),
        _pairs(addresses),
        _pairs(data),
        storage,
    )


def run(gates: Gates, recording: Recording) -> Activity:
    """The netlist with the inputs of a simulation; everything but memories' contents is counted from the reset's end.

    Raises:
        SpecError: the recording is of other ports.
    """
    for name, levels in (*recording.inputs.items(), *recording.outputs.items()):
        if name not in gates.ports or len(gates.ports[name]) != levels.shape[1]:
            raise SpecError(Fault("recording", f"has a port {name} of {levels.shape[1]} bits", "those of the netlist"))
    into = np.concatenate([gates.ports[name] for name in recording.inputs])
    given = np.concatenate(list(recording.inputs.values()), axis=1)
    out_of = np.concatenate([gates.ports[name] for name in recording.outputs])
    wanted = np.concatenate(list(recording.outputs.values()), axis=1)
    begin = int(np.flatnonzero(recording.inputs["rst_ni"][:, 0])[0])
    toggles = np.zeros(gates.nets, np.int64)
    quiet = np.zeros(gates.gates.inputs.shape, np.int64)
    changes, data = np.zeros(len(gates.flop_cells), np.int64), np.zeros(gates.flops.inputs.shape, np.int64)
    accesses, wrong = np.zeros((len(gates.memories.rows), 2), np.int64), np.zeros(wanted.shape, np.bool_)
    _run(
        gates.nets,
        gates.gates,
        gates.flops,
        (gates.clears, gates.presets, gates.shown),
        gates.memories[:3],
        np.zeros(gates.memories.bits, np.uint8),
        (into, np.ascontiguousarray(given)),
        (out_of, np.ascontiguousarray(wanted)),
        begin,
        (toggles, quiet, changes, data, accesses, wrong),
    )
    found, start = {}, 0
    for name, levels in recording.outputs.items():
        differs = wrong[:, start : start + levels.shape[1]].any(axis=1)
        # What nobody takes may be whatever a memory held before it was written.
        if name in MEANT_BY:
            differs &= recording.outputs[MEANT_BY[name]][:, 0] == 1
        found[name] = int(differs.sum())
        start += levels.shape[1]
    return Activity(recording.cycles - begin, toggles, quiet, changes, data, accesses, found)


@entry
def _run(
    nets: int,
    gates: Nodes,
    flops: Nodes,
    held: tuple[Integers, Integers, Integers],
    memories: tuple[Integers, Integers, Integers],
    storage: Bits,
    into: tuple[Integers, Bits],
    out_of: tuple[Integers, Bits],
    begin: int,
    counts: tuple[Integers, Integers, Integers, Integers, Integers, NDArray[np.bool_]],
) -> None:
    """All cycles. Only what changes is worked out: some hundredth of the nets in a cycle."""
    clears, presets, shown = held
    rows, addresses, bits = memories
    in_nets, given = into
    out_nets, wanted = out_of
    toggles, quiet, changes, data, accesses, wrong = counts
    value, changed = np.zeros(nets, np.uint8), np.ones(nets, np.uint8)
    state, read = np.zeros(len(clears), np.uint8), np.zeros(len(bits), np.uint8)
    value[1] = 1
    for cycle in range(len(given)):
        counted = cycle > begin
        if cycle:
            changed[:] = 0
        for place in range(len(in_nets)):
            _set(value, changed, in_nets[place], given[cycle, place])
        for flop in range(len(state)):
            if shown[flop, 0] >= 0:
                _set(value, changed, shown[flop, 0], state[flop])
            if shown[flop, 1] >= 0:
                _set(value, changed, shown[flop, 1], 1 - state[flop])
        for place in range(len(bits)):
            _set(value, changed, bits[place, 1], read[place])
        for gate in range(len(gates.tables)):
            any_changed = cycle == 0
            for pin in range(gates.counts[gate]):
                any_changed = any_changed or changed[gates.inputs[gate, pin]] != 0
            if any_changed:
                out = gates.outputs[gate]
                _set(value, changed, out, _look_up(gates, gate, value))
                if counted and not changed[out]:
                    for pin in range(gates.counts[gate]):
                        quiet[gate, pin] += changed[gates.inputs[gate, pin]]
        if counted:
            for net in range(nets):
                toggles[net] += changed[net]
        if cycle >= begin:
            for place in range(len(out_nets)):
                wrong[cycle, place] = value[out_nets[place]] != wanted[cycle, place]
        for flop in range(len(state)):
            new = _look_up(flops, flop, value)
            if clears[flop, 0] >= 0 and value[clears[flop, 0]] == clears[flop, 1]:
                new = np.uint8(0)
            if presets[flop, 0] >= 0 and value[presets[flop, 0]] == presets[flop, 1]:
                new = np.uint8(1)
            if counted:
                changes[flop] += new != state[flop]
                for pin in range(flops.counts[flop]):
                    data[flop, pin] += changed[flops.inputs[flop, pin]]
            state[flop] = new
        for block in range(len(rows)):
            we, re, address, address_bits, first, width, start = rows[block]
            if value[re]:
                word = start + width * _number(value, addresses[address : address + address_bits, 1])
                for place in range(width):
                    read[first + place] = storage[word + place]
                accesses[block, 0] += counted
            if value[we]:
                word = start + width * _number(value, addresses[address : address + address_bits, 0])
                for place in range(width):
                    storage[word + place] = value[bits[first + place, 0]]
                accesses[block, 1] += counted


@compiled
def _set(value: Bits, changed: Bits, net: int, level: int) -> None:
    """A net's level, and whether that is new."""
    if value[net] != level:
        value[net] = level
        changed[net] = 1


@compiled
def _look_up(nodes: Nodes, place: int, value: Bits) -> Any:
    """A node's value at the levels of its inputs."""
    index = np.uint64(0)
    for pin in range(nodes.counts[place]):
        index |= np.uint64(value[nodes.inputs[place, pin]]) << np.uint64(pin)
    return np.uint8((nodes.tables[place] >> index) & np.uint64(1))


@compiled
def _number(value: Bits, nets: Integers) -> int:
    """Of an address, bit 0 first."""
    found = 0
    for place in range(len(nets)):
        found |= int(value[nets[place]]) << place
    return found
