"""Every SystemVerilog file is clean alone, and a fault is found."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from accel_models.template.spec import ArrayKind
from benchmarks.rtl_layers import random_template
from rtl_templates.lint import lint_file, main, sources
from rtl_templates.render import PACKAGES, config_package
from rtl_templates.render import sources as templates
from rtl_templates.verilator import toolchain

pytestmark = pytest.mark.rtl


def test_every_file_is_clean(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(sources()) > 20
    assert main() == 0, capsys.readouterr().out


@pytest.mark.parametrize("array", list(ArrayKind))
def test_other_parameters_are_clean(tmp_path: Path, array: ArrayKind) -> None:
    binary, root = toolchain()
    rng = np.random.default_rng(list(ArrayKind).index(array))
    for _ in range(3):
        template = random_template(rng, array)
        (tmp_path / PACKAGES[1]).write_text(config_package(template))
        types, *modules = templates()
        command = [str(binary), "--lint-only", "-Wall", "--no-timing", "--top-module", "cd_top"]
        command += [str(path) for path in (types, tmp_path / PACKAGES[1], *modules)]
        environment = {**os.environ, "VERILATOR_ROOT": str(root)}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, f"{template}: {done.stderr[-2000:]}"


def test_a_fault_is_found(tmp_path: Path) -> None:
    path = tmp_path / "cd_bad.sv"
    path.write_text("module cd_bad (input logic a_i, output logic [1:0] b_o);\n  assign b_o = a_i;\nendmodule\n")
    assert "WIDTHEXPAND" in lint_file(path)
