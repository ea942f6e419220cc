"""Every SystemVerilog file is clean alone, and a fault is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtl_templates.lint import lint_file, main, sources

pytestmark = pytest.mark.rtl


def test_every_file_is_clean(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(sources()) > 20
    assert main() == 0, capsys.readouterr().out


def test_a_fault_is_found(tmp_path: Path) -> None:
    path = tmp_path / "cd_bad.sv"
    path.write_text("module cd_bad (input logic a_i, output logic [1:0] b_o);\n  assign b_o = a_i;\nendmodule\n")
    assert "WIDTHEXPAND" in lint_file(path)
