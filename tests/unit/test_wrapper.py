"""The Verilog wrapper, and the flattened Verilog read by four front ends."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from accel_models.hardware.devices import load_device
from accel_models.program.parameters import parameters
from accel_models.template.spec import ArrayKind, Template
from mappings.errors import SpecError
from rtl_templates.render import PACKAGES, config_package, sources
from rtl_templates.synth.measure import TOP
from rtl_templates.synth.yosys import read_command, run_passes
from rtl_templates.verilator import toolchain
from rtl_templates.wrapper import NAME, main, outer_name, ports, verilog_wrapper, write_plain, write_wrapped

KIB = 1024
SMALL = Template(
    rows=4, cols=4, input_buffer_bytes=KIB, weight_buffer_bytes=KIB, acc_buffer_bytes=KIB, output_buffer_bytes=KIB,
    ppu_lanes=1, axi_bits=32, dram_bytes_per_cycle=4,
)  # fmt: skip


def test_every_port_of_the_top_has_its_place() -> None:
    names = [name for _, _, name in ports()]
    text = (Path(__file__).parents[2] / "rtl_templates" / "rtl" / "cd_top.sv").read_text(encoding="utf-8")
    head = text[: text.index(");\n")]
    assert len(names) == len(set(names)) == head.count("\n  input ") + head.count("\n  output ") > 50
    wrapped = verilog_wrapper(SMALL)
    for name in names:
        outer = outer_name(name)
        assert f".{name}({outer or ''})" in wrapped
    for word in ("wire m_axi_awvalid", "[32-1:0] m_axi_wdata", "[32/8-1:0] m_axi_wstrb", "wire aclk", "s_axi_wdata"):
        assert word in wrapped
    assert "ASSOCIATED_BUSIF s_axi:m_axi" in wrapped and "logic" not in wrapped and "_pkg" not in wrapped


def test_a_device_sets_the_signals_of_its_port(tmp_path: Path) -> None:
    told = (
        "AXI_ID_WIDTH = {};",
        "[AXI_ID_WIDTH-1:0] AXI_ID = {};",
        "[3:0] AXI_CACHE = 4'b{};",
        "[2:0] AXI_PROT = 3'b{}",
    )
    budget = "dsp: [9, x], bram36: [9, x], lut: [9, x], ff: [9, x]"
    for figures, values in (
        ("", (1, 0, "0011", "000")),
        ("axi_id_bits: [6, x], axi_id: [33, x], axi_cache: [15, x], axi_prot: [2, x]", (6, 33, "1111", "010")),
        ("axi_cache: [0, x]", (1, 0, "0000", "000")),
    ):
        (tmp_path / "board.yaml").write_text(f"kind: fpga\nfigures: {{{budget}, {figures}}}\n")
        text = verilog_wrapper(SMALL, load_device(tmp_path / "board.yaml")).replace(",\n", ";\n")
        for line, value in zip(told, values, strict=True):
            assert line.format(value) in text


@pytest.mark.parametrize(
    ("figures", "what"),
    [
        ("axi_prot: [8, x]", "axi_prot: is 8 (allowed: a whole number from 0 to 7)"),
        ("axi_cache: [1.5, x]", "axi_cache: is 1.5 (allowed: a whole number from 0 to 15)"),
        ("axi_id_bits: [0, x]", "axi_id_bits: is 0 (allowed: a whole number from 1 to 32)"),
        ("axi_id_bits: [2, x], axi_id: [4, x]", "axi_id: is 4 (allowed: at most 3, of axi_id_bits: 2)"),
        ("axi_id: [2, x]", "axi_id: is 2 (allowed: at most 1, of axi_id_bits: 1)"),
    ],
)
def test_signals_that_no_port_has_are_refused(tmp_path: Path, figures: str, what: str) -> None:
    budget = "dsp: [9, x], bram36: [9, x], lut: [9, x], ff: [9, x]"
    (tmp_path / "board.yaml").write_text(f"kind: fpga\nfigures: {{{budget}, {figures}}}\n")
    with pytest.raises(SpecError) as caught:
        load_device(tmp_path / "board.yaml")
    assert what in str(caught.value)


@pytest.mark.parametrize("array", ArrayKind)
def test_slang_reads_every_array(array: ArrayKind, tmp_path: Path) -> None:
    """It refuses what Verilator takes: a name before its declaration."""
    if importlib.util.find_spec("pyosys") is None:
        pytest.skip("pyosys, which has slang, is not installed")
    run_passes([read_command(TOP, parameters(replace(SMALL, array=array)))], tmp_path)


def test_a_folder_with_spaces_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="has spaces"):
        write_plain((), tmp_path / "a b" / "plain.v")


def test_a_folder_that_nobody_emitted_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["wrapper", str(tmp_path)])
    assert main() == 2 and "has no files.f" in capsys.readouterr().err


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small accelerator as one Verilog file; slang has read the SystemVerilog for it."""
    if importlib.util.find_spec("pyosys") is None:
        pytest.skip("pyosys, which has slang, is not installed")
    folder = tmp_path_factory.mktemp("plain")
    (folder / PACKAGES[1]).write_text(config_package(SMALL), encoding="utf-8")
    files = list(sources())
    for file in files:
        shutil.copyfile(file, folder / file.name)
    names = [files[0].name, PACKAGES[1], *(file.name for file in files[1:])]
    (folder / "files.f").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    write_wrapped(SMALL, folder)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "argv", ["wrapper", str(folder)])
        assert main() == 0
    return folder / "plain.v"


def test_icarus_reads_the_plain_verilog(plain: Path) -> None:
    icarus = shutil.which("iverilog")
    if icarus is None:
        pytest.skip("iverilog is not installed")
    done = subprocess.run([icarus, "-g2005", "-t", "null", str(plain)], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "error" not in done.stderr, done.stderr


def test_verilator_reads_the_plain_verilog(plain: Path) -> None:
    binary, root = toolchain()
    command = [str(binary), "--lint-only", "-Wno-fatal", "--default-language", "1364-2005"]
    done = subprocess.run(
        [*command, "--top-module", NAME, str(plain)],
        env={"VERILATOR_ROOT": str(root), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_yosys_own_front_end_reads_the_plain_verilog(plain: Path, tmp_path: Path) -> None:
    run_passes([f"read_verilog {plain}", f"hierarchy -check -top {NAME}"], tmp_path)
