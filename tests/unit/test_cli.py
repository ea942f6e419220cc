"""The command line: formats, exit codes, one clear line for what is wrong, and a quick start."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import codesign
from codesign.cli.handlers import KINDS
from codesign.cli.main import main
from codesign.commands.listing import list_names
from mappings.errors import SpecError

ROOT = Path(__file__).resolve().parents[2]
CSL = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.n = nn.BatchNorm2d(8)
        self.b = nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=8)
        self.c = nn.Linear(8, 5)
    def forward(self, x):
        x = self.b(torch.relu(self.n(self.a(x))))
        return self.c(x.mean((2, 3)))
class Bad(nn.Module):
    def forward(self, x):
        return torch.fft.fft(x).real
"""


def fails(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a command says before it leaves with 2."""
    code = main(arguments)
    said = capsys.readouterr()
    assert code == 2, said
    lines = said.err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), said.err
    assert "Traceback" not in said.err
    return lines[0]


@pytest.mark.parametrize("kind", KINDS)
def test_lists_in_both_formats(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", kind, "--format", "json"]) == 0
    names = [item["name"] for item in json.loads(capsys.readouterr().out)]
    assert names == [item.name for item in list_names(kind)] and names
    assert main(["list", kind]) == 0
    table = capsys.readouterr().out
    assert all(name in table for name in names)


def test_listing_loads_no_heavy_library() -> None:
    code = (
        "import sys, codesign\n"
        "from codesign.cli.main import main\n"
        "for kind in ('devices', 'controllers', 'networks', 'accelerators', 'dataflows', 'recipes'):\n"
        "    assert main(['list', kind, '--format', 'json']) == 0\n"
        "heavy = [name for name in ('torch', 'optuna', 'mlxtend', 'plotly') if name in sys.modules]\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_public_names_are_there() -> None:
    for name in codesign.__all__:
        assert callable(getattr(codesign, name)), name
    assert set(codesign.__all__) <= set(dir(codesign))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = codesign.nothing
    commands = {"explore", "cost", "simulate", "emit", "synth", "report", "map", "list_names", "load_run"}
    assert commands <= set(codesign.__all__)


def test_a_target_of_another_kind_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "hardware.yaml").write_text("template: {array: output_stationary}\n", encoding="utf-8")
    (tmp_path / "template.yaml").write_text("array: output_stationary\n", encoding="utf-8")
    (tmp_path / "run.yaml").write_text("format: 1\nrecipe: {}\n", encoding="utf-8")
    design = tmp_path / "designs" / "point_00.yaml"
    for name, told in (
        ("hardware.yaml", "is hardware, and no network"),
        ("template.yaml", "is hardware, and no network"),
        ("run.yaml", f"is the record of a run (allowed: one of its designs: {design})"),
        ("", f"is the folder of a run (allowed: one of its designs: {design})"),
    ):
        for command in (["cost"], ["map"], ["simulate"], ["emit", "--out", str(tmp_path / "out")]):
            assert main([command[0], str(tmp_path / name), *command[1:]]) == 2
            error = capsys.readouterr().err
            assert told in error and error.count("\n") == 1, error


def test_cost_of_a_module_of_the_users_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.py"
    file.write_text(CSL, encoding="utf-8")
    arguments = ["cost", f"{file}:Net", "--input", "1,3,16,16", "--accelerator", "eyeriss_like"]
    assert main([*arguments, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["accelerator"] == "eyeriss_like"
    macs = [layer["macs"] for layer in found["layers"] if layer["macs"]]
    assert macs == [8 * 3 * 9 * 256, 8 * 9 * 256, 8 * 5]
    assert found["latency_cycles"] == sum(layer["cycles"] for layer in found["layers"]) > 0
    assert main([*arguments, "-v"]) == 0
    assert "eyeriss_like" in capsys.readouterr().out
    assert main([*arguments, "--dataflow", "row_stationary"]) == 0
    assert "row_stationary" in capsys.readouterr().out
    assert "nothing to choose" in fails(capsys, *arguments, "--dataflow", "row_stationary", "--objective", "edp")
    assert main(["map", *arguments[1:], "-q", "-v"]) == 0
    table = capsys.readouterr().out
    assert "Map(" in table
    told = re.search(r"^total: .* MACs, ([\d,]+) cycles", table, re.MULTILINE)
    assert told is not None
    for form in ("json", "yaml"):  # what it prints is a design
        assert main(["map", *arguments[1:], "-q", "--format", form]) == 0
        design = tmp_path / f"mapped.{form}"
        design.write_text(capsys.readouterr().out, encoding="utf-8")
        assert main(["cost", str(design), "--format", "json"]) == 0
        assert json.loads(capsys.readouterr().out)["latency_cycles"] == int(told[1].replace(",", ""))


def test_modules_that_cannot_be_traced_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.py"
    file.write_text(CSL, encoding="utf-8")
    rest = ("--input", "1,3,16,16", "--accelerator", "eyeriss_like")
    assert "fft" in fails(capsys, "cost", f"{file}:Bad", *rest)
    assert "Nett" in fails(capsys, "cost", f"{file}:Nett", *rest)
    assert "none.py" in fails(capsys, "cost", f"{tmp_path}/none.py:Net", *rest)
    assert "--input" in fails(capsys, "cost", f"{file}:Net", "--accelerator", "eyeriss_like")
    assert "--input" in fails(capsys, "cost", f"{file}:Net", "--input", "1,-3", "--accelerator", "eyeriss_like")
    assert "1,3,16,16" not in fails(capsys, "cost", f"{file}:Net", "--input", "9" * 30, *rest[2:])


TALKS = """
import os
from torch import nn
print("imported")
class Talks(nn.Conv2d):
    def __init__(self):
        super().__init__(3, 4, 1)
        os.system("echo built")
    def forward(self, x):
        print("runs")
        return super().forward(x)
"""
LEAVES = """
from torch import nn
class Leaves(nn.Module):
    def forward(self, x):
        raise SystemExit(0)
class LeavesAtOnce(nn.Module):
    def __init__(self):
        raise SystemExit(0)
"""


def test_what_a_module_prints_is_no_result(tmp_path: Path) -> None:
    (tmp_path / "talks.py").write_text(TALKS, encoding="utf-8")
    command = [sys.executable, "-m", "codesign", "cost", "talks.py:Talks", "--input", "1,3,4,4"]
    command += ["--accelerator", "eyeriss_like", "--format", "json", "-q"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["layers"]
    assert {"imported", "built", "runs"} <= set(done.stderr.split())


@pytest.mark.parametrize(("name", "where"), [("Leaves", "Leaves.forward"), ("LeavesAtOnce", "can not be built")])
def test_a_module_that_leaves_does_not_end_the_command(
    name: str, where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "leaves.py").write_text(LEAVES, encoding="utf-8")
    target = f"{tmp_path}/leaves.py:{name}"
    said = fails(capsys, "cost", target, "--input", "1,3,4,4", "--accelerator", "eyeriss_like", "-q")
    assert where in said and "SystemExit: 0" in said


def test_wrong_names_get_the_nearest_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert 'did you mean "zynq7020"' in fails(capsys, "explore", "--device", "zyng7020")
    assert 'did you mean "random"' in fails(capsys, "explore", "--controller", "randon")
    assert 'did you mean "default"' in fails(capsys, "explore", "--recipe", "defalt")
    assert 'did you mean "eyeriss_like"' in fails(capsys, "cost", "resnet18", "--accelerator", "eyeris_like")
    assert 'did you mean "resnet18"' in fails(capsys, "cost", "resnet81", "--accelerator", "eyeriss_like")
    assert 'did you mean "devices"' in fails(capsys, "list", "device")
    assert 'did you mean "explore"' in fails(capsys, "explor")
    assert "--accelerator: is missing" in fails(capsys, "cost", "resnet18")
    assert "target: is missing" in fails(capsys, "cost")
    assert "--trials" in fails(capsys, "explore", "--trials", "many")
    assert "trials: is 0" in fails(capsys, "explore", "--trials", "0")
    assert "--images" in fails(capsys, "explore", "--images", "0")
    assert "--jobs" in fails(capsys, "explore", "--jobs", "-1")


def test_hostile_files_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def file(name: str, text: str) -> str:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    nested = file("nested.yaml", "[" * 10**6)
    for command in (["cost", nested], ["simulate", nested], ["explore", "--recipe", nested]):
        assert "nested deeper" in fails(capsys, *command)
    assert 'duplicate key "seed"' in fails(capsys, "explore", "--recipe", file("twice.yaml", "seed: 1\nseed: 2\n"))
    assert "cannot be read" in fails(capsys, "cost", str(tmp_path / "none.yaml"))
    assert '"design" is missing' in fails(capsys, "cost", file("empty.yaml", "name: a\n"))
    assert "letters, digits" in fails(capsys, "cost", file("path.yaml", "name: a\nnetwork: ../../x\ndesign: {}\n"))
    data = file("data.yaml", 'name: a\ndataset: "x\\e[2J"\ndesign: {}\n')
    assert "dataset: is 'x\\x1b[2J'" in fails(capsys, "cost", data)
    text = (ROOT / "accel_models" / "hardware" / "library" / "eyeriss_like.yaml").read_text(encoding="utf-8")
    negative = file("negative.yaml", text.replace("capacity_bytes: ", "capacity_bytes: -", 1))
    assert "capacity_bytes" in fails(capsys, "cost", "resnet20", "--accelerator", negative)


def test_unwritable_and_foreign_folders_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert "is a file" in fails(capsys, "explore", "--out", str(tmp_path / "file"))
    assert "cannot be written" in fails(capsys, "explore", "--out", "/proc/none/run")
    assert "holds no run" in fails(capsys, "explore", "--resume", str(tmp_path))
    assert "holds no run" in fails(capsys, "report", str(tmp_path))
    assert "--out: changes nothing for a resumed run" in fails(
        capsys, "explore", "--resume", str(tmp_path), "--out", "x"
    )


def test_a_missing_simulator_is_told_before_the_search(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODESIGN_VERILATOR_ROOT", str(tmp_path))
    out = tmp_path / "run"
    assert "verilator" in fails(capsys, "explore", "--out", str(out))
    assert not out.exists()
    monkeypatch.delenv("CODESIGN_VERILATOR_ROOT")
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert "no-such-compiler" in fails(capsys, "explore", "--out", str(out))
    assert not out.exists()


def test_maestro_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mapping = tmp_path / "a.m"
    mapping.write_text(
        "Network a { Layer c { Type: CONV Dimensions { K: 4, C: 4, R: 3, S: 3, Y: 8, X: 8 } "
        "Dataflow { SpatialMap(1,1) K; TemporalMap(1,1) C; TemporalMap(3,3) R; TemporalMap(3,3) S; "
        "TemporalMap(3,1) Y; TemporalMap(3,1) X; } } }",
        encoding="utf-8",
    )
    hardware = tmp_path / "h.hw"
    hardware.write_text(
        "num_pes: 4\nl1_size_cstr: 100\nl2_size_cstr: 3000\nnoc_bw_cstr: 1000\noffchip_bw_cstr: 50\n", encoding="utf-8"
    )
    out = tmp_path / "out.csv"
    arguments = ["cost", "--maestro", str(mapping), "--hw", str(hardware), "--csv", str(out)]
    assert main(arguments) == 0, capsys.readouterr().err
    assert len(out.read_text(encoding="utf-8").splitlines()) == 2
    assert "MAESTRO" in capsys.readouterr().out
    assert main([*arguments, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["runtime_cycles"] > 0
    assert "--hw: is missing" in fails(capsys, "cost", "--maestro", str(mapping))
    assert "--maestro: changes nothing for a network by name" in fails(
        capsys, "cost", "resnet18", "--maestro", str(mapping)
    )
    assert "none.m" in fails(capsys, "cost", "--maestro", str(tmp_path / "none.m"), "--hw", str(hardware))


def test_debug_shows_where(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explore", "--device", "none", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_defects_of_ours_are_one_line_too(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> int:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("codesign.cli.handlers.run", broken)
    assert main(["list", "devices"]) == 1
    assert capsys.readouterr().err == "internal error: ZeroDivisionError: oh (--debug shows where)\n"

    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("codesign.cli.handlers.run", interrupted)
    assert main(["list", "devices"]) == 130
    assert capsys.readouterr().err.startswith("interrupted")


def test_a_closed_pipe_is_no_error() -> None:
    command = f"{sys.executable} -m codesign list devices --format json | head -c 1"
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ}
    )
    assert done.stdout == "[" and done.stderr == ""


def test_unknown_kind_by_function() -> None:
    with pytest.raises(SpecError, match='did you mean "devices"'):
        list_names("devicez")


def test_figures_of_lists_are_figures(capsys: pytest.CaptureFixture[str]) -> None:
    def listed(kind: str) -> dict[str, dict[str, object]]:
        assert main(["list", kind, "--format", "json"]) == 0
        return {item["name"]: item for item in json.loads(capsys.readouterr().out)}

    assert listed("devices")["zynq7020"]["lut"] == 53_200
    assert listed("devices")["eyeriss_65nm"]["area_mm2"] == 12.25
    assert listed("devices")["eyeriss_65nm"]["dsp"] is None
    assert listed("networks")["elastic_mnist"]["networks"] == 20_901_888
    assert listed("networks")["resnet18"]["input"] == [1, 3, 224, 224]
    assert listed("accelerators")["eyeriss_like"]["clock_hz"] == 200_000_000
    assert listed("recipes")["joint"]["trials"] == 120
    keys = [key for kind in KINDS for item in listed(kind).values() for key in item]
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", key) for key in keys), sorted(set(keys))


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"codesign {codesign.__version__}\n"
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'attr = "codesign.__version__"' in project


def test_a_typo_is_told_before_torch_is_loaded() -> None:
    code = (
        "import sys\n"
        "from codesign.cli.main import main\n"
        "assert main(['explore', '--recipe', 'defalt']) == 2\n"
        "assert main(['explore', '--verify', 'kne']) == 2\n"
        "assert main(['explore', '--device', 'zyng7020']) == 2\n"
        "assert main(['cost', 'resnet81', '--accelerator', 'eyeriss_like']) == 2\n"
        "heavy = [name for name in ('torch', 'optuna', 'plotly') if name in sys.modules]\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("did you mean") == 4, done.stderr


def test_more_images_than_there_are_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module, hardware, data = tmp_path / "mine.py", tmp_path / "hardware.yaml", tmp_path / "data.npz"
    module.write_text("import torch.nn as nn\nnet = nn.Sequential(nn.Conv2d(3, 4, 3))\n", encoding="utf-8")
    template = "{array: output_stationary, rows: 8, cols: 8, axi_bits: 64, dram_bytes_per_cycle: 8}"
    hardware.write_text(f"name: mine\ndevice: zynq7020\ntemplate: {template}\n", encoding="utf-8")
    np.savez(data, np.random.default_rng(0).normal(size=(6, 3, 8, 8)).astype(np.float32))
    options = ["--input", "1,3,8,8", "--hardware", str(hardware), "--data", str(data), "--images", "7", "-q"]
    told = fails(capsys, "simulate", f"{module}:net", *options)
    assert "--images: is 7, and the data has 6 to run (allowed: 1 to 6)" in told


def test_what_has_no_template_is_not_synthesised(capsys: pytest.CaptureFixture[str]) -> None:
    told = fails(capsys, "synth", "mine.py:Net")
    assert 'design: is "mine.py:Net" (allowed: the YAML of a design, a template' in told


def test_names_are_listed_without_what_runs_them() -> None:
    code = (
        "import sys\n"
        "from codesign.cli.main import main\n"
        "from codesign.cli.handlers import KINDS\n"
        "for kind in KINDS:\n"
        "    assert main(['list', kind, '--format', 'json']) == 0\n"
        "    heavy = [name for name in ('torch', 'optuna', 'sklearn', 'pandas', 'plotly') if name in sys.modules]\n"
        "    assert not heavy, (kind, heavy)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_template_runs_its_own_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One question has one answer, whichever command asks: the README's network on 8 x 8 PEs takes 29,928 cycles."""
    module, hardware, design = tmp_path / "mine.py", tmp_path / "hardware.yaml", tmp_path / "design.yaml"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    module.write_text(readme.partition("```python\n")[2].partition("```")[0], encoding="utf-8")
    hardware.write_text(
        "name: mine\ndevice: zynq7020\n"
        "template: {array: output_stationary, rows: 8, cols: 8, axi_bits: 64, dram_bytes_per_cycle: 8}\n",
        encoding="utf-8",
    )
    arguments = [f"{module}:MyNet", "--input", "1,3,32,32", "--accelerator", str(hardware)]
    assert main(["cost", *arguments, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["latency_cycles"] == 29_928
    assert sum(sum(layer["account"].values()) for layer in found["layers"]) == pytest.approx(29_928)
    assert main(["map", *arguments, "-q", "--objective", "latency", "--format", "yaml"]) == 0
    design.write_text(capsys.readouterr().out, encoding="utf-8")
    assert main(["cost", str(design), "--format", "json"]) == 0
    searched = json.loads(capsys.readouterr().out)["latency_cycles"]
    assert searched < 29_928
    # What was found is where the next search begins, and runs where its file names the hardware of the same network.
    assert main(["map", str(design), "--objective", "latency", "-q"]) == 0
    found_again = re.search(r"([\d,]+) cycles", capsys.readouterr().out)
    assert found_again is not None and int(found_again[1].replace(",", "")) <= searched
    assert main(["cost", *arguments[:-1], str(design), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["latency_cycles"] == searched
    for command, option, value in (
        ("cost", "--dataflow", "row_stationary"),
        ("cost", "--objective", "energy"),
        ("map", "--dataflow", "row_stationary"),
        ("map", "--tiles", "any"),
    ):
        assert f"{option}: changes nothing: " in fails(capsys, command, *arguments, option, value)
    assert main(["cost", *arguments]) == 0
    assert "layer start" in capsys.readouterr().out  # of the account


def test_named_networks_take_an_input(capsys: pytest.CaptureFixture[str]) -> None:
    def macs(*shape: str) -> int:
        assert main(["cost", "squeezenet", *shape, "--accelerator", "eyeriss_like", "--format", "json"]) == 0
        return sum(layer["macs"] for layer in json.loads(capsys.readouterr().out)["layers"])

    assert macs("--input", "1,3,64,64") == 21_584_576
    assert macs("--input", "7,3,64,64") == 7 * 21_584_576
    assert "1x5" in fails(capsys, "cost", "squeezenet", "--input", "1,5", "--accelerator", "eyeriss_like")


def test_more_detail_where_everything_is_printed_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    rest = ("cost", "resnet20", "--accelerator", "eyeriss_like", "-v")
    assert "--verbose: changes nothing" in fails(capsys, *rest, "--format", "json")
    assert "--verbose: changes nothing" in fails(capsys, "cost", "--maestro", "a.m", "--hw", "a.hw", "-v")


def test_being_stopped_is_an_interrupt(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGTERM)

    def stopped(*_: object) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("the signal was not heard")

    monkeypatch.setattr("codesign.cli.handlers.run", stopped)
    assert main(["list", "devices"]) == 143
    assert capsys.readouterr().err == "stopped\n"
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_copy_that_fails_names_the_file_that_is_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", "ours.sv", None, "out/rtl/ours.sv")

    monkeypatch.setattr("codesign.cli.handlers.run", full)
    assert main(["list", "devices"]) == 2
    assert capsys.readouterr().err == "error: out/rtl/ours.sv: No space left on device\n"
