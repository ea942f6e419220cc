"""From a module of the user's own to hardware in one command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from codesign.cli.main import main

MODULE = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 12, 3, padding=1)
        self.b = nn.Conv2d(12, 12, 3, padding=1, groups=12)
        self.c = nn.Conv2d(12, 12, 1)
        self.d = nn.Linear(12, 5)
    def forward(self, x):
        x = torch.relu(self.a(x))
        x = x + self.c(torch.relu(self.b(x)))
        return self.d(x.mean((2, 3)))
"""
HARDWARE = "array: weight_stationary\nrows: 8\ncols: 8\naxi_bits: 64\ndram_bytes_per_cycle: 8\n"


@pytest.mark.rtl
def test_a_module_runs_as_hardware_in_the_cycles_that_cost_tells(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module, hardware, data = tmp_path / "mine.py", tmp_path / "hardware.yaml", tmp_path / "data.npz"
    module.write_text(MODULE, encoding="utf-8")
    hardware.write_text(HARDWARE, encoding="utf-8")
    np.savez(data, images=np.random.default_rng(3).normal(size=(20, 3, 12, 12)))
    target = [f"{module}:Net", "--input", "1,3,12,12"]
    assert main(["cost", *target, "--accelerator", str(hardware), "--format", "json"]) == 0
    cost = json.loads(capsys.readouterr().out)
    command = ["simulate", *target, "--hardware", str(hardware), "--images", "2"]
    assert main([*command, "--data", str(data), "-q", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["passed"] and found["exact_images"] == found["hls_exact_images"] == found["images"] == 2
    assert found["simulated_cycles"] == found["predicted_cycles"] == cost["latency_cycles"] > 0
    assert [layer["simulated_cycles"] for layer in found["layers"]] == [layer["cycles"] for layer in cost["layers"]]
    assert [layer["name"] for layer in found["layers"]] == [layer["name"] for layer in cost["layers"]]
    assert main([*command[:-1], "1", "--no-hls"]) == 0
    said = capsys.readouterr()
    assert "random ones of seed 0, 32 to choose scales on and 1 to run" in " ".join(said.err.split())
    assert "verified: 1/1 image bit-exact" in said.out


FIGURES = "dsp: 500, bram36: 500, lut: 500000, ff: 500000, uram: 0, dram_bytes_per_s: 4000000000, clock_hz: 100000000"


def test_a_broken_bound_is_the_same_answer_of_every_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module, device, hardware, out = (tmp_path / name for name in ("mine.py", "board.yaml", "hardware.yaml", "out"))
    module.write_text(MODULE, encoding="utf-8")
    figures = ", ".join(f"{figure}".replace(": ", ": [") + ", ours]" for figure in FIGURES.split(", "))
    text = (
        f"title: a board\nkind: fpga\ntechnology: fpga_28nm\nlut_inputs: 6\nfigures: {{{figures}, power_mw: [1, ours]}}"
    )
    device.write_text(text, encoding="utf-8")
    hardware.write_text(
        f"device: {device}\ntemplate: {{{HARDWARE.strip().replace(chr(10), ', ')}}}\n", encoding="utf-8"
    )
    target, said = [f"{module}:Net", "--input", "1,3,12,12"], []
    for command, option, more in (
        ("cost", "--accelerator", []),
        ("simulate", "--hardware", ["--images", "1"]),
        ("emit", "--hardware", ["--out", str(out)]),
    ):
        assert main([command, *target, option, str(hardware), "-q", *more]) == 1
        said.append(capsys.readouterr())
    assert {item.err for item in said} == {""} and len({item.out for item in said}) == 1
    assert said[0].out.startswith("infeasible: power needs ") and " of 1 mW" in said[0].out and not out.exists()


def test_what_is_emitted_lies_in_two_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "hardware.yaml").write_text(HARDWARE, encoding="utf-8")
    command = [
        "emit",
        f"{tmp_path / 'mine.py'}:Net",
        "--input",
        "1,3,12,12",
        "--hardware",
        str(tmp_path / "hardware.yaml"),
    ]
    assert main([*command, "--out", str(tmp_path / "out"), "-q"]) == 0
    assert f"in {tmp_path / 'out' / 'rtl'}" in " ".join(capsys.readouterr().out.split())
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"rtl", "hls"}
    listed = (tmp_path / "out" / "rtl" / "files.f").read_text().split()
    assert "cd_top.sv" in listed and all((tmp_path / "out" / "rtl" / name).is_file() for name in listed)


def test_what_hardware_cannot_run_is_told_before_anything_is_quantised(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(MODULE.replace("torch.relu(self.a(x))", "torch.sigmoid(self.a(x))"), "utf-8")
    (tmp_path / "hardware.yaml").write_text(HARDWARE, encoding="utf-8")

    def quantised(*_: object, **__: object) -> None:
        raise AssertionError("takes minutes of a large network")

    monkeypatch.setattr("codesign.commands.hardware.quantize", quantised)
    command = ["simulate", f"{tmp_path / 'mine.py'}:Net", "--input", "1,3,12,12"]
    assert main([*command, "--hardware", str(tmp_path / "hardware.yaml"), "-q"]) == 2
    assert 'layer sigmoid: activation "sigmoid" needs a table' in capsys.readouterr().err


def test_a_run_is_no_place_for_what_is_emitted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "hardware.yaml").write_text(HARDWARE, encoding="utf-8")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.yaml").write_text("format: 4\n", encoding="utf-8")
    command = ["emit", f"{tmp_path / 'mine.py'}:Net", "--input", "1,3,12,12"]
    command += ["--hardware", str(tmp_path / "hardware.yaml"), "-q", "--out"]
    assert main([*command, str(tmp_path / "run")]) == 2
    assert f"error: {tmp_path / 'run'}: holds a run" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["run.yaml"]
    assert main([*command, str(tmp_path / "run" / "hardware" / "emitted")]) == 0
