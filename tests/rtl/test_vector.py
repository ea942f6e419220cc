"""The vector unit on shapes that try its window: short rows, wide filters, strides, dilation, few pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from accel_models.report import Infeasible
from accel_models.schedule import schedule_network
from accel_models.template.spec import Template
from benchmarks.rtl_cases import design, inputs, quantized, reference
from mappings.layer import Layer, Op
from mappings.workload import TensorShape, Workload
from rtl_templates.simulate import Job, simulate_jobs

pytestmark = pytest.mark.rtl

TEMPLATE = Template(rows=8, cols=4, axi_bits=64, dram_bytes_per_cycle=8)
#: rows, columns of the output; of the filter; stride, dilation, padding
SHAPES = [
    (1, 1, 1, 1, 1, 1, 0),
    (1, 1, 7, 7, 1, 1, 0),
    (1, 2, 1, 4, 1, 1, 1),
    (3, 1, 3, 4, 1, 1, 1),
    (2, 1, 2, 5, 1, 1, 2),
    (1, 3, 5, 7, 3, 1, 3),
    (2, 2, 3, 3, 2, 1, 1),
    (5, 6, 3, 3, 2, 1, 1),
    (5, 6, 3, 3, 1, 2, 2),
    (4, 4, 3, 3, 5, 1, 1),
    (4, 5, 3, 8, 4, 1, 3),
    (9, 7, 5, 5, 1, 1, 2),
]


def workload(kind: str, shape: tuple[int, ...]) -> Workload:
    p, q, r, s, stride, dilation, pad = shape
    above, left = (pad if (taps - 1) * dilation >= 2 * pad else 0 for taps in (r, s))
    h = (p - 1) * stride + (r - 1) * dilation + 1 - 2 * above
    w = (q - 1) * stride + (s - 1) * dilation + 1 - 2 * left
    op = {"depthwise": Op.CONV, "max": Op.MAXPOOL}[kind]
    steps = {"stride": (stride, stride), "dilation": (dilation, dilation), "padding": (above, left, above, left)}
    layer = Layer("y", op, groups=11, P=p, Q=q, R=r, S=s, inputs=("x",), **steps)
    return Workload(kind, (TensorShape("x", 1, 11, h, w, 8),), (layer,))


@pytest.mark.parametrize("taps", [3, 5])
def test_every_shape(taps: int) -> None:
    jobs, template = [], replace(TEMPLATE, vector_taps=taps)
    for number, shape in enumerate(SHAPES):
        for kind in ("depthwise", "max"):
            network = workload(kind, shape)
            schedule = schedule_network(design(network, template))
            assert not isinstance(schedule, Infeasible)
            jobs.append(Job(schedule, quantized(network, number), inputs(network, number + 1)))
    for job, report in zip(jobs, simulate_jobs(jobs), strict=True):
        expected = reference(job.network, job.inputs)["y"]
        assert np.array_equal(report.outputs["y"], expected), job.schedule.workload.layers[0].to_dict()
        assert report.exact, (job.schedule.workload.layers[0].to_dict(), report.cycles, report.predicted_cycles)
