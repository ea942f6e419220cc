"""Cells of a liberty, netlists of them, and their power: by hand on a toy library, by Python's model on our modules."""

from __future__ import annotations

import importlib.util
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from accel_models.design import Design
from accel_models.template.accelerator import template_accelerator
from accel_models.template.spec import Template
from mappings.errors import SpecError
from mappings.layer import Layer, Op
from mappings.workload import TensorShape, Workload
from rtl_templates.recording import INPUTS, OUTPUTS, Recording, read_recording, recorder, widths
from rtl_templates.synth.asic import cell_netlist, read_liberty
from rtl_templates.synth.functions import function_of, value
from rtl_templates.synth.gates import read_gates, run
from rtl_templates.synth.liberty import Library
from rtl_templates.synth.power import Ran, power
from rtl_templates.synth.report import synthesize

LIBERTY = Path(__file__).parent / "cells.lib"
yosys = pytest.mark.skipif(importlib.util.find_spec("pyosys") is None, reason="pyosys is not installed")


def library() -> Library:
    return Library(read_liberty([LIBERTY]))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("!(A*B)", lambda a, b, c: not (a and b)),
        ("(A B)+C'", lambda a, b, c: (a and b) or not c),
        ("A ^ B ^ C", lambda a, b, c: a ^ b ^ c),
        ("!A & (B | C)", lambda a, b, c: not a and (b or c)),
        ("(!C*A)+(C*B)", lambda a, b, c: b if c else a),
        ("A+B*!C", lambda a, b, c: a or (b and not c)),
    ],
)
def test_functions_are_tables(text: str, wanted: Any) -> None:
    function = function_of(text)
    for row in range(8):
        a, b, c = row & 1, row >> 1 & 1, row >> 2 & 1
        assert value(function, {"A": a, "B": b, "C": c}) == int(bool(wanted(a, b, c)))


@pytest.mark.parametrize("text", ["(A*B", "A+", "*A", "A)", "A B C D E F G"])
def test_what_is_no_function_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="liberty function"):
        function_of(text)


def test_cells_have_the_energies_of_their_tables() -> None:
    found = library()
    assert (found.volts, found.transition) == (2.0, 0.3)
    inverter, nand, flop = (found.cell(name) for name in ("INV", "NAND2", "DFF"))
    assert inverter.output_j("Y", 0.2, np.array([0.5e-12])) == pytest.approx(0.35e-12)  # the middle of all eight
    assert inverter.output_j("Y", 0.3, np.array([9e-12])) == pytest.approx(0.5e-12)  # beyond the table
    assert nand.input_j("A", 0.3) == pytest.approx(0.03e-12) and nand.input_j("B", 0.3) == 0
    assert (inverter.leakage_w, nand.leakage_w) == pytest.approx((2e-9, 2e-9))
    # Both edges where the value stays, in the mean over what is held; the falling one alone before it changes; none of
    # what flows into the ground.
    assert flop.clock_j(0.3) == pytest.approx((0.5e-12, 0.9e-12))
    with pytest.raises(SpecError, match='no cell "XOR9"'):
        found.cell("XOR9")


def bits(values: Any, width: int) -> NDArray[np.uint8]:
    return (np.asarray(values)[:, None] >> np.arange(width) & 1).astype(np.uint8)


def cell(kind: str, **pins: int | str) -> dict[str, Any]:
    return {"type": kind, "connections": {pin: [bit] for pin, bit in pins.items()}}


#: A flip-flop that toggles while ``go_i`` is 1: q = q ^ go by four NANDs.
TOGGLE = {
    "modules": {
        "toggle": {
            "ports": {name: {"bits": [bit]} for name, bit in (("clk_i", 2), ("rst_ni", 3), ("go_i", 4), ("q_o", 5))},
            "cells": {
                "last": cell("NAND2", A=7, B=8, Y=9),  # before what drives it
                "a": cell("NAND2", A=4, B=5, Y=6),
                "b": cell("NAND2", A=4, B=6, Y=7),
                "c": cell("NAND2", A=6, B=5, Y=8),
                "q": cell("DFF", CK=2, D=9, R=3, Q=5),
            },
        }
    }
}


def test_power_of_a_netlist_by_hand() -> None:
    """In eleven cycles after the reset, go is 1 in the last four: q changes behind each of them."""
    go = np.array([0] * 8 + [1] * 4)
    q = np.array([0] * 8 + [0, 1, 0, 1])
    reset = np.array([0] + [1] * 11)
    told = Recording({"rst_ni": bits(reset, 1), "go_i": bits(go, 1)}, {"q_o": bits(q, 1)})
    found = library()
    gates = read_gates(TOGGLE, "toggle", found)
    activity = run(gates, told)
    assert activity.cycles == 11 and activity.wrong == {"q_o": 0}
    assert activity.changes.tolist() == [4]  # the last edge takes the fourth
    shown = power(gates, activity, found)
    clocked = (11 - 4) * 0.5 + 4 * 0.9 + 11 * 0.003 * 2.0**2
    assert shown.clock == pytest.approx(clocked)
    # The value is shown four times, and the input of the flip-flop changes with every cycle from the eighth.
    changes = activity.data.sum()
    assert shown.registers == pytest.approx(4 * 3.0 + changes * 0.04)
    nets = {name: gates.ports[name][0] for name in ("go_i", "q_o")}
    assert activity.toggles[nets["go_i"]] == 1 and activity.toggles[nets["q_o"]] == 3
    outs = activity.toggles[gates.gates.outputs].sum()
    quiet = activity.quiet[:, 0].sum()
    assert shown.gates == pytest.approx(outs * 0.6 + quiet * 0.03)
    assert shown.leakage_uw == pytest.approx((4 * 2 + 4) / 1000)
    wrong = Recording(told.inputs, {"q_o": bits(1 - q, 1)})
    assert run(gates, wrong).wrong == {"q_o": 11}


def test_a_loop_of_gates_and_other_ports_are_refused() -> None:
    loop = {"modules": {"m": {"ports": {}, "cells": {"a": cell("INV", A=2, Y=3), "b": cell("INV", A=3, Y=2)}}}}
    with pytest.raises(SpecError, match="2 gates lie in a loop"):
        read_gates(loop, "m", library())
    gates = read_gates(TOGGLE, "toggle", library())
    with pytest.raises(SpecError, match="port go_i of 2 bits"):
        run(gates, Recording({"go_i": bits([0], 2)}, {}))


@yosys
def test_the_netlist_of_a_queue_does_what_a_queue_does() -> None:
    """Through Yosys and abc, against Python's deque; once something is in it, it never runs empty."""
    rng, cycles, depth, width = np.random.default_rng(5), 400, 4, 6
    rows: list[tuple[int, int, int, int, int, int]] = []
    held: deque[int] = deque()
    for cycle in range(cycles):
        state = (int(len(held) == depth), int(not held), held[0] if held else 0)
        push = int(cycle > 2 and len(held) < depth and rng.integers(2))
        pop = int(len(held) > 1 and rng.integers(2))
        data = int(rng.integers(1 << width)) if held or push else 0  # an empty one shows what it was given last
        rows.append((push, pop, data, *state))
        if push:
            held.append(data)
        if pop:
            held.popleft()
    push, pop, data, full, empty, head = (np.array(column) for column in zip(*rows, strict=True))
    assert full.sum() > 50 and empty.sum() < 10
    reset = np.arange(cycles) > 0
    told = {"rst_ni": bits(reset, 1), "flush_i": bits(0 * data, 1), "push_i": bits(push, 1), "pop_i": bits(pop, 1)}
    shown = {"full_o": bits(full, 1), "empty_o": bits(empty, 1), "data_o": bits(head, width)}
    netlist = cell_netlist("cd_fifo", {"Width": width, "Depth": depth}, read_liberty([LIBERTY]))
    activity = run(read_gates(netlist, "cd_fifo", library()), Recording(told | {"data_i": bits(data, width)}, shown))
    assert activity.wrong == {"full_o": 0, "empty_o": 0, "data_o": 0}
    assert activity.changes.sum() > 400


@yosys
def test_memories_of_a_netlist_keep_their_own_ports() -> None:
    """Each is left out of the cells by itself: else all have the ports of one, and what feeds the others is gone."""
    netlist = cell_netlist("cd_ram", {"Width": 18, "Depth": 2048}, read_liberty([LIBERTY]))
    module = netlist["modules"]["cd_ram"]
    blocks = [found["connections"] for found in module["cells"].values() if "rdata_o" in found["connections"]]
    assert [(len(block["waddr_i"]), len(block["wdata_i"]), len(block["rdata_o"])) for block in blocks] == [(11, 18, 18)]


@yosys
def test_a_memory_takes_and_gives_words() -> None:
    """`cd_ram` in cells: what was written comes two cycles after it is asked for, and stays until the next read."""
    rng, cycles, width = np.random.default_rng(6), 300, 5
    words, block, shown = [0] * 8, 0, 0
    rows = list[tuple[int, int, int, int, int, int]]()
    reads = writes = 0
    for cycle in range(cycles):
        we, re, data = (int(rng.integers(size)) for size in (2, 2, 1 << width))
        to, at = (int(number) for number in rng.choice(8, 2, replace=False))  # never both at one word
        rows.append((we, to, data, re, at, shown))
        shown = block
        block = words[at] if re else block
        words[to] = data if we else words[to]
        reads, writes = reads + re * (cycle > 1), writes + we * (cycle > 1)
    told = dict(zip(("we_i", "waddr_i", "wdata_i", "re_i", "raddr_i", "rdata_o"), zip(*rows, strict=True), strict=True))
    sizes = {"we_i": 1, "waddr_i": 3, "wdata_i": width, "re_i": 1, "raddr_i": 3, "rdata_o": width}
    levels = {name: bits(column, sizes[name]) for name, column in told.items()}
    out = {"rdata_o": levels.pop("rdata_o")}
    netlist = cell_netlist("cd_ram", {"Width": width, "Depth": 8}, read_liberty([LIBERTY]))
    netlist["modules"]["cd_ram"]["ports"]["rst_ni"] = {"bits": ["x"]}  # it has none; the run counts from its end
    reset = {"rst_ni": bits(np.arange(cycles) > 0, 1)}
    gates = read_gates(netlist, "cd_ram", library())
    gates.ports["rst_ni"][:] = gates.nets  # a net of its own
    found = run(replace(gates, nets=gates.nets + 1, loads=np.append(gates.loads, 0.0)), Recording(levels | reset, out))
    assert found.wrong == {"rdata_o": 0}
    assert found.accesses.tolist() == [[reads, writes]]


def test_what_power_needs_is_told_before_synthesis(tmp_path: Path) -> None:
    layer = Layer("c", Op.CONV, K=16, C=16, P=56, Q=56, R=3, S=3, padding=(1,) * 4, inputs=("x",))
    workload = Workload("long", (TensorShape("x", C=16, H=56, W=56),), (layer,))
    template = Template(rows=4, cols=4, axi_bits=64, dram_bytes_per_cycle=8)
    ran = Ran(Design(workload, template_accelerator(template), ()), None, {})  # type: ignore[arg-type]
    with pytest.raises(
        SpecError, match=r"power: takes a run of [\d,]+ cycles \(allowed: a network of at most 100,000\)"
    ):
        synthesize(template, "asic", liberty=[LIBERTY], ran=ran)
    bare = tmp_path / "bare.lib"
    bare.write_text("library (bare) {\n cell (DFF) {\n  ff (IQ,IQN) { }\n } }\n", encoding="utf-8")
    with pytest.raises(SpecError, match="states no voltage, or no tables of power"):
        synthesize(template, "asic", liberty=[bare], ran=ran)


def test_recordings_have_every_port_of_the_accelerator(tmp_path: Path) -> None:
    source = (Path(__file__).parents[2] / "rtl_templates/rtl/cd_accelerator.sv").read_text(encoding="utf-8")
    ports = source[source.index(") (") : source.index(");")]
    for name in (*INPUTS, *OUTPUTS):
        assert f" {name}" in ports, name
    assert ports.count("input ") == len(INPUTS) + 1 and ports.count("output ") == len(OUTPUTS)
    assert ".InW(132)" in recorder(64) and ".OutW(499)" in recorder(64)
    into, out = widths(INPUTS, 64), widths(OUTPUTS, 64)
    path = tmp_path / "record.txt"
    # The most significant input is the reset, the least significant output the last counters.
    path.write_text(f"{1 << 131:033x} {5:0125x}\n" * 3, encoding="ascii")
    found = read_recording(path, 64)
    assert found.cycles == 3 and found.inputs["rst_ni"].tolist() == [[1]] * 3
    assert found.outputs["event_counters_o"][0, :3].tolist() == [1, 0, 1]
    assert {name: part.shape[1] for name, part in found.inputs.items()} == into
    assert {name: part.shape[1] for name, part in found.outputs.items()} == out
    path.write_text("", encoding="ascii")
    with pytest.raises(SpecError, match="has no cycles"):
        read_recording(path, 64)
