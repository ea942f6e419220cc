"""What nobody wrote reaches nobody: registers and memories that wake up with noise change no byte and no cycle."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

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
        *((replace(SMALL, array=array), convolutions()) for array in ArrayKind),  # ragged channels, rows and tiles
        (NARROW, transformer(8)),
    ],
    ids=[*ArrayKind, "transformer"],
)
def test_no_byte_of_memory_depends_on_what_was_never_written(
    template: Template, net: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, inputs = net.network(), net.images(1)
    schedule = schedule_of(template, network.workload)
    seen: list[Bytes] = []

    def kept(layout: TensorLayout, memory: Bytes, bits: int) -> IntArray:
        seen.append(memory)
        return tensor_from_bytes(layout, memory, bits)

    monkeypatch.setattr(simulate, "tensor_from_bytes", kept)
    given: dict[str, Any] = {net.input.name: inputs}
    memories = []
    for noise in (None, 7, 1234):
        (report,) = simulate_jobs([Job(schedule, network, given)], noise=noise)
        assert report.exact
        memories.append(seen[-1].copy())
    assert len(np.unique(memories[0])) > 200
    for other in memories[1:]:
        np.testing.assert_array_equal(memories[0], other)
