"""Random layers on random hardware, at random places of the memory: bit for bit."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import hls
from accel_models.template.spec import ArrayKind
from benchmarks.rtl_cases import reference
from benchmarks.rtl_layers import random_template
from benchmarks.rtl_random import draw_job


@pytest.mark.parametrize("array", list(ArrayKind))
def test_random_layers(array: ArrayKind, tmp_path: Path) -> None:
    rng = np.random.default_rng([7, list(ArrayKind).index(array)])
    template = random_template(rng, array, None)
    seen: Counter[str] = Counter()
    while seen.total() < 5:
        job = draw_job(rng, template)
        if job is None:
            continue
        seen[job.schedule.workload.name] += 1
        report = hls.csim(hls.emit(job.schedule, job.network, tmp_path), job.inputs)
        expected = reference(job.network, job.inputs)
        for name, value in report.outputs.items():
            np.testing.assert_array_equal(value, expected[name], err_msg=f"{name} of {job.schedule.workload}")
    assert len(seen) >= 2
