"""The Eyeriss chip's latencies and DRAM accesses, every layer, with mappings found by search."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.eyeriss import NETWORKS, figures, inferred_elsewhere, measured, predict
from mappings.errors import SpecError
from tests.reference import reference


def test_latency_and_dram_of_the_chip() -> None:
    folder = reference("eyeriss")
    found = {figure.name: figure for figure in figures(folder, checks=False)}
    assert all(figure.met is not False for figure in found.values())
    assert float(found["AlexNet: mean absolute error of processing latency (%)"].value) < 5
    assert float(found["VGG-16: mean absolute error of processing latency (%)"].value) < 5


def test_published_configuration_of_the_first_layer_is_found() -> None:
    network = NETWORKS["AlexNet"]
    first = predict(network, measured(reference("eyeriss") / network.file, network))["CONV1"]
    assert vars(first.mapping) == {"n": 1, "m": 96, "e": 7, "p": 16, "q": 1, "r": 1, "t": 2}
    assert first.active_pes == 154


def test_the_inferred_bound_is_found_on_other_layers_too() -> None:
    chips = {name: measured(reference("eyeriss") / network.file, network) for name, network in NETWORKS.items()}
    known = {"VGG-16 CONV1-2", "VGG-16 CONV3-1", "AlexNet CONV1"}
    asked = {"VGG-16 CONV2-1", "VGG-16 CONV1-1", "AlexNet CONV2"}
    bound, error = inferred_elsewhere(chips, known, asked, bounds=(64, 128, 256))
    assert bound == 128
    assert error < 0.05


def test_another_chip_is_missed(tmp_path: Path) -> None:
    for network in NETWORKS.values():
        shutil.copy(reference("eyeriss", network.file), tmp_path / network.file)
    table = tmp_path / "alexnet_batch4.csv"
    table.chmod(0o600)
    table.write_text(table.read_text().replace("16.5", "33.0").replace("39.2", "78.4"))
    missed = [figure.name for figure in figures(tmp_path, checks=False) if figure.met is False]
    assert missed == ["AlexNet: mean absolute error of processing latency (%)"]


def test_a_damaged_table_is_told(tmp_path: Path) -> None:
    for network in NETWORKS.values():
        (tmp_path / network.file).write_text("Layer,Processing Latency (ms)\nCONV1,fast\n")
    with pytest.raises(SpecError, match="CONV1"):
        figures(tmp_path)
    (tmp_path / "alexnet_batch4.csv").write_text("Layer\n")
    with pytest.raises(SpecError, match="lacks the layers CONV1, CONV2"):
        figures(tmp_path)
