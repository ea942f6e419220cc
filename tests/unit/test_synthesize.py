"""Synthesis: primitives to resources, and what is told where it stops (benchmarks/fpga_resources.py has whole runs)."""

from __future__ import annotations

import importlib.util
import subprocess

import pytest

from accel_models.template.spec import Template
from mappings.errors import SpecError
from rtl_templates import synthesize


def test_primitives_become_resources() -> None:
    cells = {"DSP48E1": 3, "RAMB36E1": 2, "RAMB18E1": 1, "LUT2": 5, "LUT6": 1, "SRL16E": 2, "RAM32M": 2, "FDRE": 7}
    assert synthesize.totals({**cells, "INV": 9, "CARRY4": 4}) == {"dsp": 3, "bram18": 5, "lut": 16, "ff": 7}


def test_a_missing_yosys_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SpecError, match="pip install pyosys"):
        synthesize.synthesize(Template())


def test_an_unknown_family_and_a_stopped_run_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    with pytest.raises(SpecError, match="family"):
        synthesize.synthesize(Template(), "xc7; shell")
    failed = subprocess.CompletedProcess([], 1, "reading\nERROR: no such module", "")
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: failed)
    with pytest.raises(SpecError, match="ERROR: no such module"):
        synthesize.synthesize(Template())
