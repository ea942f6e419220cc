"""The space of multilayer perceptrons: a point lowers, trains, has its part of a supernet, and runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from accel_models.template.spec import Template
from codesign.decisions import DecisionSpace
from codesign.spaces.conformance import NetworkSpaceConformance
from codesign.spaces.network.perceptrons import PerceptronSpace
from mappings.workload import Workload
from tests.spaces import assert_runs, assert_taken_out, assert_trains

SPACE = PerceptronSpace(extent=8, dataset="digits", resolutions=(100,))
DECISIONS = DecisionSpace(SPACE.decisions)


def draw(**fixed: object) -> Workload:
    return SPACE.workload(DECISIONS.completed(fixed, np.random.default_rng(4)))


class TestPerceptrons(NetworkSpaceConformance):
    name, options = "perceptrons", {"extent": 9, "channels": 3}


def test_its_multiply_accumulates_by_hand() -> None:
    assert draw(depth=1, l1_width=16).macs == 64 * 16 + 16 * 10
    assert draw(depth=3, l1_width=16, l2_width=64, l3_width=32).macs == 64 * 16 + 16 * 64 + 64 * 32 + 32 * 10
    half = PerceptronSpace(extent=28, channels=3, classes=200).workload({"resolution": 50, "depth": 1, "l1_width": 32})
    assert half.macs == 3 * 14 * 14 * 32 + 32 * 200 and half.inputs[0].H == 14


def test_a_point_trains_with_its_quantisation() -> None:
    assert_trains(draw(depth=2, l1_width=32, l2_width=16), 60)


def test_a_network_taken_out_computes_what_it_did_within() -> None:
    assert_taken_out(DECISIONS, SPACE.workload)


@pytest.mark.rtl
def test_a_point_runs_on_hardware(tmp_path: Path) -> None:
    assert_runs(
        draw(depth=2, l1_width=16, l2_width=32), Template(rows=4, cols=8, axi_bits=64, dram_bytes_per_cycle=8), tmp_path
    )
