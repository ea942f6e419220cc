"""What the search of a template's tiles returns runs on the RTL as it is: bit-exact, in the cycles it promised."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from accel_models.design import Design
from accel_models.mapper.program import best_program
from accel_models.report import Infeasible
from accel_models.template.accelerator import template_accelerator
from accel_models.template.spec import ArrayKind, Template
from benchmarks.rtl_cases import inputs, quantized, reference
from mappings.layer import Layer, Op
from mappings.workload import TensorShape, Workload
from rtl_templates.simulate import SimReport, simulate

pytestmark = pytest.mark.rtl

TINY = Template(
    rows=4,
    cols=4,
    input_buffer_bytes=160,
    weight_buffer_bytes=512,
    acc_buffer_bytes=512,
    output_buffer_bytes=64,
    param_buffer_bytes=128,
    axi_bits=32,
    dram_bytes_per_cycle=4,
)
CONV = Layer("c", Op.CONV, K=12, C=8, P=5, Q=5, R=3, S=3, padding=(1,) * 4, activation="relu", inputs=("x",))
POOL = Layer("p", Op.MAXPOOL, groups=12, P=2, Q=2, R=2, S=2, stride=(2, 2), inputs=("c",))
NETWORK = Workload("small", (TensorShape("x", 1, 8, 5, 5),), (CONV, POOL))


@pytest.mark.parametrize("array", list(ArrayKind))
def test_searched_tiles_run_in_the_predicted_cycles(array: ArrayKind, tmp_path: Path) -> None:
    target = template_accelerator(replace(TINY, array=array))
    found = best_program(NETWORK, target, "latency")
    assert not isinstance(found, Infeasible)
    found.design.save(tmp_path / "mapped.yaml")
    design = Design.load(tmp_path / "mapped.yaml")
    assert design == found.design
    network, given = quantized(NETWORK, 1), inputs(NETWORK, 2)
    report = simulate(design, network, given)
    assert isinstance(report, SimReport)
    expected = reference(network, given)
    for name, value in report.outputs.items():
        np.testing.assert_array_equal(expected[name], value)
    assert report.cycles == report.predicted_cycles == found.value
    assert report.exact
    assert found.value < found.default_value, "the default tiles are not the best of this layer"
