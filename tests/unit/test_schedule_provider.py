"""The exact program as a provider: its two paths give the same figures, on devices by name and by file."""

from __future__ import annotations

from pathlib import Path

import pytest

from accel_models.template.spec import Template
from codesign.providers.base import Candidate, ProviderContext
from codesign.providers.registry import make_provider
from mappings.layer import Layer, Op
from mappings.workload import TensorShape, Workload
from tests.toy import BOARD


@pytest.mark.parametrize("by_file", [False, True])
def test_a_device_of_a_file_is_known_to_both_paths(by_file: bool, tmp_path: Path) -> None:
    """Before machine code is there designs are read one by one: each on a file's device was said to lack operators."""
    device = "zynq7020"
    if by_file:
        path = tmp_path / "board.yaml"
        path.write_text(BOARD, encoding="utf-8")
        device = str(path)
    layer = Layer("conv", Op.CONV, K=8, C=4, P=6, Q=6, R=3, S=3, padding=(1,) * 4, inputs=("image",))
    work = Workload("one", (TensorShape("image", 1, 4, 6, 6),), (layer,))
    candidate = Candidate({}, workload=work, hardware=Template(rows=8, cols=8), caps=(2**20, 2**20))
    found = []
    for compiled in (False, True):
        provider = make_provider("schedule", ProviderContext(0, device, None, tmp_path))
        provider._compiled = compiled  # type: ignore[attr-defined]
        (one,) = provider.measure([candidate])
        assert one.broken == () and one.metrics["latency_ms"] > 0
        found.append(one.metrics)
    assert found[0] == pytest.approx(found[1])
