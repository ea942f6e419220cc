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
    assert main([*command, "--no-hls"]) == 0
    said = capsys.readouterr()
    assert "random ones of seed 0" in said.err and "verified: 2/2 images bit-exact" in said.out
