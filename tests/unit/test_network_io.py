"""Saved quantised networks come back equal, and damage is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mappings.errors import SpecError
from mappings.integer_run import run_network
from mappings.layer import Bits, Layer, Op
from mappings.network_io import load_network, network_digest, save_network
from mappings.quantized import QuantizedLayer, QuantizedNetwork
from mappings.workload import TensorShape, Workload


def small() -> QuantizedNetwork:
    """A linear layer of two outputs and an add."""
    layers = (
        Layer("fc", Op.LINEAR, K=2, C=3, bits=Bits(), inputs=("x",)),
        Layer("sum", Op.ADD, groups=2, inputs=("fc", "fc")),
    )
    weight = np.array([[1, -2, 3], [127, -127, 0]], dtype=np.int64).reshape(2, 3, 1, 1)
    one = np.array([1 << 30, 1 << 30])
    fc = QuantizedLayer(-128, 127, 0.1, weight, np.array([100_000, -3]), one, np.array([30, 31]))
    add = QuantizedLayer(-128, 127, 0.2, shift=np.array([2]), add_mult=(1, 3), constants={})
    return QuantizedNetwork(
        Workload("small", (TensorShape("x", C=3),), layers), {"fc": fc, "sum": add}, {"x": 0.1 + 0.2}
    )


def test_round_trip(tmp_path: Path) -> None:
    network = small()
    yaml_path, npz_path = save_network(network, tmp_path / "net.v1")
    assert (yaml_path.name, npz_path.name) == ("net.v1.yaml", "net.v1.npz")
    for path in (tmp_path / "net.v1", yaml_path, npz_path):
        again = load_network(path)
        assert network_digest(again) == network_digest(network)
    assert again.workload == network.workload
    assert again.input_scales == network.input_scales
    x = {"x": np.array([5, 6, 7]).reshape(1, 3, 1, 1)}
    # fc: 5 - 12 + 21 + 100000 is clamped to 127; (635 - 762 - 3) / 2 = -65. sum: 127 * 4 / 4; -65 * 4 / 4.
    for run in (network, again):
        values = run_network(run, x)
        assert values["fc"].reshape(-1).tolist() == [127, -65]
        assert values["sum"].reshape(-1).tolist() == [127, -65]


def test_damage_is_told(tmp_path: Path) -> None:
    yaml_path, npz_path = save_network(small(), tmp_path / "net")
    text = yaml_path.read_text()
    cases = {
        text.replace("low: -128", "low: -127", 1): "digest",
        text.replace("format: 1", "format: 2"): "format",
        text + "more: 1\n": "is not a quantised network",
        text.replace("sum:", "other:"): "are not those of the workload",
        text.replace("scale: 0.1", "scale: [1]"): "is not a quantised network",
    }
    for damaged, message in cases.items():
        assert damaged != text
        yaml_path.write_text(damaged)
        with pytest.raises(SpecError, match=message):
            load_network(yaml_path)
    yaml_path.write_text(text)
    for content in (b"", b"PK nonsense", npz_path.read_bytes()[:200]):
        npz_path.write_bytes(content)
        with pytest.raises(SpecError, match=r"net\.npz"):
            load_network(yaml_path)
    np.savez(npz_path, **{"fc/weight": np.array([object()])})
    with pytest.raises(SpecError, match=r"net\.npz"):
        load_network(yaml_path)
    np.savez(npz_path, **{"fc/weight": np.array([0.5])})
    with pytest.raises(SpecError, match="signed integers"):
        load_network(yaml_path)
    npz_path.unlink()
    with pytest.raises(SpecError, match="cannot be read"):
        load_network(yaml_path)


def test_unwritable_folder(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be written"):
        save_network(small(), tmp_path / "missing" / "net")
