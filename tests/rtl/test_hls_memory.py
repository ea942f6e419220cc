"""HLS and RTL run one program on one memory: after the run, all of it is the same in both, byte for byte."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hls
from accel_models.program.image import Bytes, tensor_from_bytes
from accel_models.schedule import TensorLayout
from accel_models.template.spec import ArrayKind, Template
from mappings.quantized import IntArray
from rtl_templates import simulate
from rtl_templates.simulate import Job, simulate_jobs
from tests.integer_networks import Builder
from tests.unit.hls.test_hls_arrays import SMALL, convolutions, schedule_of
from tests.unit.hls.test_hls_operators import transformer

pytestmark = pytest.mark.rtl

NARROW = Template(ArrayKind.OUTPUT_STATIONARY, 8, 4, nonlinear_lanes=4, vector_taps=3)


@pytest.mark.parametrize(
    ("template", "net"),
    [
        (SMALL, convolutions()),  # ragged channels: lanes that no channel names are the same, too
        (replace(SMALL, array=ArrayKind.ROW_STATIONARY), convolutions()),
        (NARROW, transformer(8)),
    ],
    ids=["weight stationary", "row stationary", "transformer"],
)
def test_the_whole_memory_is_the_same(
    template: Template, net: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, inputs = net.network(), net.images(1)
    schedule = schedule_of(template, network.workload)
    left: list[Bytes] = []

    def seen(layout: TensorLayout, memory: Bytes, bits: int) -> IntArray:
        left[:] = [memory]
        return tensor_from_bytes(layout, memory, bits)

    monkeypatch.setattr(simulate, "tensor_from_bytes", seen)
    given: dict[str, Any] = {net.input.name: inputs}
    simulate_jobs([Job(schedule, network, given)])
    emitted = hls.emit(schedule, network, tmp_path)
    report = hls.csim(emitted, given)
    (memory,) = left
    changed = emitted.tensor_bytes
    np.testing.assert_array_equal(report.tensors[0], memory[:changed])
    np.testing.assert_array_equal(emitted.image[changed:], memory[changed : len(emitted.image)])
    assert len(np.unique(memory[:changed])) > 200
