"""A design as files: Verilator and Yosys take the list as it is, and the memory image holds what the map says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from accel_models.program.image import tensor_from_bytes
from accel_models.schedule import Setting
from accel_models.schedule.builder import DESCRIPTOR_BYTES
from accel_models.template.spec import ArrayKind, Template
from benchmarks.rtl_cases import design, digits, inputs, quantized
from rtl_templates.render import RTL, Rendered, config_package, render
from rtl_templates.verilator import toolchain

pytestmark = pytest.mark.rtl

SMALL = Template(rows=4, cols=4, nonlinear_lanes=2, input_buffer_bytes=2048, output_buffer_bytes=512)


def test_the_default_package_is_the_default_design() -> None:
    assert (RTL / "cd_config_pkg.sv").read_text() == config_package(Template())


def test_memory_holds_inputs_and_program(tmp_path: Path) -> None:
    workload = digits(8)
    given = inputs(workload, 4)
    done = render(design(workload, SMALL), quantized(workload, 1), tmp_path, given)
    assert isinstance(done, Rendered)
    memory = np.fromfile(tmp_path / "memory.bin", dtype=np.uint8)
    table = json.loads((tmp_path / "map.json").read_text())
    assert len(memory) == table["memory_bytes"]
    assert np.array_equal(tensor_from_bytes(done.schedule.tensors["x"], memory, 8), given["x"])
    start = table["program_addr"]
    opcodes = memory[start : start + DESCRIPTOR_BYTES * table["descriptors"] : DESCRIPTOR_BYTES] & 15
    assert opcodes[0] == Setting.LAYER
    assert set(opcodes[:-1]) == {1, 2, 3, 4, *Setting}
    assert opcodes[-1] == 5
    lines = (tmp_path / "memory.hex").read_text().split()
    beat = SMALL.axi_bits // 8
    assert bytes.fromhex(lines[start // beat])[::-1] == memory[start : start + beat].tobytes()


@pytest.mark.parametrize("array", list(ArrayKind))
def test_yosys_and_verilator_read_the_file_list(tmp_path: Path, array: ArrayKind) -> None:
    workload = digits(8)
    done = render(design(workload, replace(SMALL, array=array)), quantized(workload, 1), tmp_path)
    assert isinstance(done, Rendered)
    binary, root = toolchain()
    command = [str(binary), "--lint-only", "-Wall", "-f", "files.f", "--top-module", "cd_top"]
    lint = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "VERILATOR_ROOT": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert lint.returncode == 0, lint.stderr[-2000:]
    script = (
        "import pyosys.libyosys as ys\nd = ys.Design()\n"
        "ys.run_pass('read_slang -f files.f --top cd_top', d)\nys.run_pass('hierarchy -check -top cd_top', d)\n"
        "ys.run_pass('proc', d)\nys.run_pass('select -assert-none t:$dlatch t:$adlatch', d)\n"
    )
    pytest.importorskip("pyosys", reason="pyosys is not installed: Yosys can not read the files here")
    done_yosys = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done_yosys.returncode == 0, (done_yosys.stdout + done_yosys.stderr)[-2000:]
