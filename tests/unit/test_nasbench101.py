"""NAS-Bench-101: names, counts and parameters as published; the published file is read whole or refused in one line."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Sequence
from itertools import combinations, product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from accel_models.template.spec import Template
from codesign.accuracy.data import digits
from codesign.accuracy.training import Training, recalibrate, tensors, train
from codesign.decisions import DecisionSpace
from codesign.explorer.options import ExploreOptions
from codesign.explorer.run import explore
from codesign.providers.accuracy.table import read_table
from codesign.providers.base import Candidate, ProviderContext
from codesign.providers.registry import make_provider
from codesign.quantization.deploy import deploy
from codesign.quantization.integer_reference import run_integer
from codesign.quantization.qat import QatNetwork
from codesign.quantization.quantize import quantize_input
from codesign.spaces.conformance import NetworkSpaceConformance
from codesign.spaces.network import nasbench101
from codesign.spaces.network.nasbench101 import MOST_EDGES, OPERATIONS, Cell, NasBench101, cell_of
from mappings.errors import SpecError
from mappings.operators import Op
from mappings.yamlio import dump_yaml
from tests.spaces import assert_runs, assert_trains

CONV3, CONV1, POOL = OPERATIONS
#: The cell that the benchmark's own documentation queries, like Inception's.
INCEPTION = (
    [CONV1, CONV3, CONV3, CONV3, POOL],
    [(0, 1), (0, 2), (0, 3), (0, 5), (1, 6), (2, 6), (3, 4), (4, 6), (5, 6)],
)


class TestNasBench101(NetworkSpaceConformance):
    name, options = "nasbench101", {"width": 8, "cells": 1}


def all_cells(most: int) -> dict[str, Cell]:
    """Every cell of at most so many vertices, by name."""
    found = dict[str, Cell]()
    for inner in range(most - 1):
        pairs = list(combinations(range(inner + 2), 2))
        for chosen in product((False, True), repeat=len(pairs)):
            edges = [pair for pair, wanted in zip(pairs, chosen, strict=True) if wanted]
            # All vertices lie on a way from the first to the last.
            if {a for a, _ in edges} == set(range(inner + 1)) and {b for _, b in edges} == set(range(1, inner + 2)):
                for operations in product(OPERATIONS, repeat=inner):
                    cell = cell_of(operations, edges)
                    found.setdefault(cell.name, cell)
    return found


def test_names_and_parameters_are_the_published_ones() -> None:
    cell = cell_of(*INCEPTION)
    assert cell.name == "28cfc7874f6d200472e1a9dcd8650aa0"
    workload = NasBench101().workload(cell)
    weights = sum(layer.elements["W"] for layer in workload.layers if layer.op in (Op.CONV, Op.LINEAR))
    # Published: 2,694,282. Theirs count two numbers a channel of each normalisation, and the classifier's bias.
    norms = 2 * sum(layer.channels_out for layer in workload.layers if layer.op is Op.CONV)
    assert weights + norms + 10 == 2_694_282


def test_there_are_as_many_cells_as_published() -> None:
    # 1, 6, 84, 2,441, 62,010 and 359,082 of two to seven vertices are the 423,624 published.
    found = all_cells(5).values()
    few = [cell for cell in found if len(cell.edges) <= MOST_EDGES]
    assert [sum(cell.last == last for cell in few) for last in (1, 2, 3, 4)] == [1, 6, 84, 2441]
    assert nasbench101.COUNT == 1 + 6 + 84 + 2441 + 62_010 + 359_082


def test_equal_cells_are_one_network_however_their_vertices_are_numbered() -> None:
    space, rng = NasBench101(width=8, cells=1), np.random.default_rng(0)
    decisions = DecisionSpace(space.decisions)
    for _ in range(50):
        cell = space.cell(decisions.draw(rng))
        assert len(cell.edges) <= MOST_EDGES and cell == cell_of(cell.operations, cell.edges)
        order = [0, *(1 + rng.permutation(cell.last - 1)).tolist(), cell.last]
        edges = [(order[a], order[b]) for a, b in cell.edges]
        if all(a < b for a, b in edges):
            operations = [operation for _, operation in sorted(zip(order[1:-1], cell.operations, strict=True))]
            assert cell_of(operations, edges) == cell


def test_every_cell_has_a_point() -> None:
    space = NasBench101()
    five = [(0, b) for b in range(1, 5)] + [(1, 2), (1, 3), (2, 3), (2, 4), (3, 4)]
    for operations, edges in (INCEPTION, ([CONV3, CONV1, POOL], five)):
        last, reads = len(operations) + 1, dict[int, int]()
        renamed = [(a, nasbench101.VERTICES - 1 if b == last else b) for a, b in edges]
        for a, b in renamed:
            reads.setdefault(b, a)
        more = [f"{a}-{b}" for a, b in renamed if reads[b] != a]
        named = [*more, *["none"] * (nasbench101.MORE_EDGES - len(more))]
        point: dict[str, Any] = {f"op{v}": ([*operations, *[POOL] * 5])[v - 1] for v in range(1, 6)}
        point |= {f"reads{v}": reads.get(v, 0) for v in range(2, 7)} | {f"edge{i}": n for i, n in enumerate(named)}
        DecisionSpace(space.decisions).check(point, "point")
        assert space.cell(point) == cell_of(operations, edges)


def test_channels_are_shared_out_as_published() -> None:
    # 128 channels of three ends: 43, 43, 42; a vertex before them has as many as the widest that reads it.
    cell = Cell((CONV3, CONV1, POOL, CONV3), ((0, 1), (1, 2), (1, 3), (1, 4), (2, 5), (3, 5), (4, 5)))
    assert cell.channels(128) == {1: 43, 2: 43, 3: 43, 4: 42}
    cut = [layer.channels_out for layer in NasBench101().workload(cell).layers if layer.op is Op.RESHAPE]
    assert cut == [42] * 3 + [85] * 6 + [170] * 3  # 256 are 86, 85, 85; 512 are 171, 171, 170


#: Vertices that take one channel fewer than their source has, ends of unequal width, and what is added to them.
UNEVEN = Cell((CONV3, CONV1, POOL, CONV3), ((0, 1), (0, 5), (1, 2), (1, 3), (1, 4), (2, 5), (3, 5), (4, 5)))


def test_what_is_joined_has_one_scale() -> None:
    workload = NasBench101(width=8, cells=1).workload(UNEVEN)
    assert {Op.RESHAPE, Op.CONCAT, Op.MAXPOOL, Op.ADD} <= {layer.op for layer in workload.layers}
    network = QatNetwork(workload)
    ends = [step.quantizer for name, step in network.steps.items() if name.startswith("s0c0_add")]
    assert len(ends) == 3 and all(end.log_scale is ends[0].log_scale for end in ends)
    network.use_integers(False)
    before = float(ends[0].scale)
    network.calibrate(torch.rand(4, 3, 32, 32))
    assert {float(end.scale) for end in ends} == {float(ends[0].scale)} != {before}


def test_its_integers_are_those_that_were_trained() -> None:
    workload, data = NasBench101(1, 8, width=8, cells=1).workload(UNEVEN), digits()
    torch.manual_seed(0)
    network = QatNetwork(workload)
    train(network, data, Training(60, 0.02), 0)
    recalibrate(network, data)
    integers = deploy(network.eval())
    images, _ = tensors(data, "test")
    with torch.no_grad():
        named = network(images).argmax(1)
    found = run_integer(integers, quantize_input(integers, images))[workload.outputs[0]].flatten(1).argmax(1)
    assert (found == named).double().mean() > 0.97  # ties of two logits, and halves, may go either way


@pytest.mark.rtl
def test_a_cell_trains_and_runs_on_hardware(tmp_path: Path) -> None:
    workload = NasBench101(1, 8, width=8, cells=1).workload(UNEVEN)
    assert_trains(workload, 100)
    assert_runs(workload, Template(rows=8, cols=8), tmp_path)


def test_its_cells_are_searched_on_images_of_ones_own(tmp_path: Path) -> None:
    small = {"name": "nasbench101", "width": 8, "cells": 1, "channels": 1, "extent": 8, "dataset": "digits"}
    recipe = {
        "extends": "joint",
        "network": small,
        "compression": "none",
        "providers": ["schedule", {"name": "train", "search_steps": 20, "deploy_steps": 30}],
        "choices": {"rows": [8], "cols": [8]},
        "trials": 2,
        "batch": 2,
    }
    (tmp_path / "mine.yaml").write_text(dump_yaml(recipe))
    result = explore(
        ExploreOptions(recipe=str(tmp_path / "mine.yaml"), out=str(tmp_path / "run"), verify=(), jobs=0, seed=3)
    )
    assert result.points
    for point in result.points:
        assert 0 < point.accuracy["test"] < 1 and point.network == point.workload.digest[:16]


def _record(cell: Cell, epochs: int, accuracy: float, name: str = "") -> bytes:
    """One training, as the published file has it."""

    def evaluation(*values: float) -> bytes:
        fields = b"".join(bytes([number << 3 | 1]) + struct.pack("<d", v) for number, v in enumerate(values, 1))
        return b"\x0a" + bytes([len(fields)]) + fields

    whole = (
        evaluation(0, 0, 0, 0, 0) + evaluation(54, 1, 0.5, 0.5, 0.5) + evaluation(108, 2, 1, accuracy, 0.9 * accuracy)
    )
    whole += b"\x10\xca\xb8\xa4\x01" + b"\x19" + struct.pack("<d", 3.0)
    size = cell.last + 1
    matrix = "".join("01"[(a, b) in cell.edges] for a in range(size) for b in range(size))
    operations = ",".join(("input", *cell.operations, "output"))
    given = [name or cell.name, epochs, matrix, operations, base64.b64encode(whole).decode()]
    data = json.dumps(given).encode()
    return struct.pack("<QI", len(data), 0) + data + bytes(4)


def _file(path: Path, cells: Sequence[Cell], epochs: Sequence[int] = (108,), **changes: Any) -> Path:
    """Three trainings of each cell; its accuracy is 0.5 and 0.1 for each convolution of 3x3, less 0.2 of the third."""
    records = [
        _record(cell, count, 0.5 + 0.1 * cell.operations.count(CONV3) - 0.2 * (turn == 2) - (count < 108) * 0.1)
        for cell in cells
        for count in epochs
        for turn in range(3)
    ]
    path.write_bytes(b"".join([*changes.get("before", ()), *records]))
    return path


@pytest.fixture
def cells(monkeypatch: pytest.MonkeyPatch) -> list[Cell]:
    """A benchmark of cells with at most three vertices."""
    found = list(all_cells(3).values())
    monkeypatch.setattr(nasbench101, "COUNT", len(found))
    return found


def test_the_published_file_is_read(cells: list[Cell], tmp_path: Path) -> None:
    path = _file(tmp_path / "nasbench_full.tfrecord", cells, (4, 108))
    table = read_table(str(path))
    assert table.benchmark == "nasbench101"
    assert table.splits("cifar10") == ("val_108", "test_108", "val_4", "test_4")
    context = ProviderContext(0, "zcu104", SimpleNamespace(network=NasBench101()), Path(), options=_options(path))
    provider: Any = make_provider("table", context)
    provider.prepare()
    network = Cell((CONV3,), ((0, 1), (1, 2))).name
    (found,) = provider.measure([Candidate({}, network)])
    assert found.metrics["accuracy"] == pytest.approx(0.6 - 0.2 / 3)
    assert provider.reported(network) == {"test": pytest.approx(0.9 * (0.6 - 0.2 / 3))}
    ((_, short),) = provider.stream([Candidate({}, network)], 0.5)
    assert short.metrics["accuracy"] == pytest.approx(0.5 - 0.2 / 3)


def _options(path: Path) -> dict[str, Any]:
    return {"file": str(path), "dataset": "", "search": "", "front": "", "short": "", "smaller": ()}


def test_a_reduced_skeleton_has_no_table(cells: list[Cell], tmp_path: Path) -> None:
    path = _file(tmp_path / "a.tfrecord", cells)
    space = SimpleNamespace(network=NasBench101(cells=1))
    provider = make_provider("table", ProviderContext(0, "zcu104", space, Path(), options=_options(path)))
    with pytest.raises(SpecError, match="a reduced skeleton"):
        provider.prepare()


def test_damaged_files_are_refused_in_one_line(cells: list[Cell], tmp_path: Path) -> None:
    whole = _file(tmp_path / "whole.tfrecord", cells).read_bytes()
    (tmp_path / "cut.tfrecord").write_bytes(whole[:-9])
    (tmp_path / "end.tfrecord").write_bytes(whole + b"ab")
    (tmp_path / "bits.tfrecord").write_bytes(whole.replace(b'", 108, "0', b'", 108, ["', 1))
    for path, message in {
        tmp_path / "cut.tfrecord": "no whole record at byte",
        tmp_path / "end.tfrecord": "no whole record at byte",
        tmp_path / "bits.tfrecord": "is damaged: record 0: ",
        _file(tmp_path / "few.tfrecord", cells[1:]): "is damaged: 6 of 7 cells",
        _file(tmp_path / "more.tfrecord", cells, before=[_record(cells[0], 108, 0.5)]): "not each as often",
        _file(
            tmp_path / "name.tfrecord", cells, before=[_record(cells[0], 108, 0.5, "ab")]
        ): "ab is not its cell's name",
        _file(tmp_path / "range.tfrecord", cells, before=[_record(cells[0], 108, 1.5)]): "accuracies (1.5, 1.35)",
    }.items():
        with pytest.raises(SpecError) as caught:
            read_table(str(path))
        assert message in str(caught.value) and "\n" not in str(caught.value)
