"""NAS-Bench-201 and -Macro: the layers are those of the modules, and tables are whole or refused in one line."""

from __future__ import annotations

import csv
import gzip
import json
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from accel_models.template.spec import Template
from codesign.decisions import DecisionSpace
from codesign.explorer.options import ExploreOptions
from codesign.explorer.run import explore
from codesign.providers.accuracy.table import read_table
from codesign.providers.base import Candidate, ProviderContext
from codesign.providers.registry import make_provider
from codesign.quantization.deploy import deploy
from codesign.quantization.integer_reference import run_integer
from codesign.quantization.qat import QatNetwork, borders_of
from codesign.quantization.quantize import quantize_input
from codesign.recipe import load_recipe, parse_recipe
from codesign.spaces.conformance import NetworkSpaceConformance
from codesign.spaces.network import nasbench_macro
from codesign.spaces.network.nasbench201 import (
    EDGES,
    OPERATIONS,
    NasBench201,
    architecture,
    edge_name,
    live_edges,
    operations_of,
    row_of,
)
from codesign.spaces.network.nasbench_macro import NasBenchMacro
from codesign.trace import trace
from mappings.errors import SpecError
from mappings.integer_run import run_network
from mappings.layer import Op
from mappings.workload import Workload
from mappings.yamlio import dump_yaml
from tests.spaces import assert_runs, assert_taken_out, assert_trains

CELLS = list(product(OPERATIONS, repeat=len(EDGES)))


class TestNasBench201(NetworkSpaceConformance):
    name, options = "nasbench201", {"channels": 4, "cells": 1}


class TestNasBenchMacro(NetworkSpaceConformance):
    name, options = "nasbench_macro", {}
    points = 4


class TestNasBenchMacroOfDigits(NetworkSpaceConformance):
    name, options = "nasbench_macro", {"channels": 1, "extent": 8, "dataset": "digits", "stem": 4, "head": 16}


def test_a_cell_on_ones_own_images_trains_and_its_integers_are_equal() -> None:
    space = NasBench201("digits", channels=4, cells=1)
    chosen = ("avg_pool_3x3", "nor_conv_1x1", "skip_connect", "nor_conv_3x3", "avg_pool_3x3", "nor_conv_3x3")
    workload = space.workload(chosen)
    assert space.benchmark == "" and (workload.inputs[0].C, workload.inputs[0].H) == (1, 8)
    assert_trains(workload, 60)
    network, by = QatNetwork(workload), workload.by_name
    # The mean of a corner's window counts its four pixels alone.
    (border,) = [name for name in borders_of(workload) if name.startswith("s0c0_0_1_")]
    corner = network.steps[border].weight[0, :2, :2]
    assert corner.flatten().tolist() == pytest.approx([9 / 4, 9 / 6, 9 / 6, 1])
    assert by[border].op is Op.CONSTANT and border not in dict(network.named_parameters())
    torch.manual_seed(0)
    images = torch.rand(8, 1, 8, 8)
    network(images)
    integers = deploy(network.eval())
    entered = quantize_input(integers, images)
    one, other = run_integer(integers, entered), run_network(integers, {n: v.numpy() for n, v in entered.items()})
    assert all(np.array_equal(one[name].numpy(), other[name]) for name in one)
    with torch.no_grad():
        real = network.values(network.entered(images))
    for name in (layer.name for layer in workload.layers if layer.op in (Op.AVGPOOL, Op.MUL, Op.ACT, Op.CONSTANT)):
        units = (real[name] / integers.layers[name].scale).round()
        assert float((units - one[name].float()).abs().max()) <= 8, name


def test_cells_share_weights() -> None:
    space = NasBench201("digits", channels=4, cells=1)
    assert_taken_out(DecisionSpace(space.decisions), lambda point: space.workload(space.operations(point)))


def test_a_benchmark_without_its_images_is_not_trained() -> None:
    for name in ("nasbench201", "nasbench101", "nasbench_macro"):
        recipe = load_recipe("joint", {"network": name})
        assert "train" not in [part.name for part in recipe.providers] and "accuracy" not in recipe.objectives
    recipe = load_recipe("joint", {"network": "nasbench201", "data": "digits"})
    assert "train" in [part.name for part in recipe.providers] and recipe.space.network.dataset == "digits"


@pytest.mark.rtl
def test_a_cell_runs_on_hardware(tmp_path: Path) -> None:
    chosen = ("avg_pool_3x3", "none", "skip_connect", "nor_conv_3x3", "none", "nor_conv_1x1")
    hardware = Template(rows=4, cols=8, axi_bits=64, dram_bytes_per_cycle=8)
    assert_runs(NasBench201("digits", channels=4, cells=1).workload(chosen), hardware, tmp_path)


def test_a_chain_of_ones_own_images_trains() -> None:
    space = NasBenchMacro(1, 8, 10, "digits", stem=4, head=16)
    blocks = {f"block{place}": nasbench_macro.BLOCKS[place % 3] for place in range(8)}
    assert (space.benchmark, space.network_at(blocks).key) == ("", "")
    assert NasBenchMacro().network_at(blocks).key == "01201201"
    assert_trains(space.network_at(blocks).workload, 60)
    recipe = load_recipe("default", {"network": "nasbench_macro", "data": "digits"})
    assert (recipe.space.network.extent, recipe.space.network.channels) == (8, 1)


@pytest.mark.rtl
def test_a_chain_runs_on_hardware(tmp_path: Path) -> None:
    space = NasBenchMacro(1, 8, 10, "digits", stem=2, head=8)
    blocks = {f"block{place}": nasbench_macro.BLOCKS[(place + 1) % 2] for place in range(8)}
    hardware = Template(rows=4, cols=8, axi_bits=64, dram_bytes_per_cycle=8)
    assert_runs(space.network_at(blocks).workload, hardware, tmp_path)


def _layers(workload: Workload) -> list[tuple[Any, ...]]:
    """Everything but names."""
    number = {workload.inputs[0].name: 0} | {layer.name: place for place, layer in enumerate(workload.layers, 1)}
    return [
        (layer.op, layer.bounds, layer.stride, layer.padding, layer.activation, [number[name] for name in layer.inputs])
        for layer in workload.layers
    ]


@pytest.mark.parametrize("number", [0, 1462, 3133, 7777, 15_600])
def test_the_layers_are_those_that_tracing_the_module_gives(number: int) -> None:
    space, cell = NasBench201("cifar10", 4, 1), CELLS[number]
    module = space.module(dict(zip(map(edge_name, EDGES), cell, strict=True))).eval()
    assert _layers(trace(module, [torch.zeros(1, 3, 32, 32)], "module")) == _layers(space.workload(cell))


def _published(cell: str) -> Workload:
    return NasBench201().workload([cell] * 6)


def test_counts_are_the_published_ones() -> None:
    def weights(workload: Workload) -> int:
        return sum(layer.elements["W"] for layer in workload.layers if layer.op in ("conv", "linear"))

    # Published for six 3x3 convolutions: 1,531,546 parameters and 220.12 million operations. Theirs count what ours
    # fold away: two numbers a channel of each normalisation, and the classifier's bias; the last scale is a layer.
    dense = _published("nor_conv_3x3")
    norms = 2 * (16 + 5 * 6 * (16 + 32 + 64) + 2 * (32 + 64) + 64)
    assert weights(dense) - 64 + norms + 10 == 1_531_546
    assert abs(dense.macs / 1e6 - 220.12) < 1.2
    macro = NasBenchMacro().network_at({f"block{place}": "identity" for place in range(8)})
    assert macro.key == "00000000" and macro.workload is not None
    assert macro.workload.macs == pytest.approx(7_713_280, rel=0.02)
    assert weights(macro.workload) == 387_882 - 2 * (32 + 64 + 128 + 256 + 1280) - 10


def test_what_computes_nothing_is_left_out() -> None:
    # Node 1 is reached and reaches nothing; node 2 is reached by a dead node alone.
    cell = ("nor_conv_3x3", "none", "none", "skip_connect", "none", "nor_conv_1x1")
    assert live_edges(cell) == {(0, 3): "skip_connect"}
    assert live_edges(("nor_conv_3x3",) * 3 + ("none",) * 3) == {}
    assert operations_of(architecture(cell)) == cell
    assert [row_of(cell) for cell in CELLS] == list(range(15_625))


def _table(path: Path, **changes: Any) -> Path:
    """A whole table: the accuracy of a network is its share of convolutions, a little less in validation."""
    names = changes.get("names", [architecture(cell) for cell in CELLS])
    header = ["arch_str", *changes.get("columns", ("c10_test_200ep", "m12_cifar10_val"))]
    with gzip.open(path, "wt", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for place, name in enumerate(names):
            share = 100 * name.count("nor_conv") / 6
            row = [f"{share:.4f}", f"{share * 0.9:.4f}"]
            if place == changes.get("damaged"):
                row[0] = "nan"
            writer.writerow([name, *row[: len(header) - 1]])
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _table(tmp_path_factory.mktemp("table") / "table.csv.gz")


def _context(space: Any, file: Path, **options: Any) -> ProviderContext:
    searched = SimpleNamespace(network=space)
    return ProviderContext(0, "zynq7020", searched, Path(), options={"file": str(file), **options})


def test_a_table_tells_the_search_one_split_and_the_front_another(table: Path) -> None:
    provider = make_provider("table", _context(NasBench201(), table))
    provider.prepare()
    network = architecture(["nor_conv_1x1"] * 3 + ["none"] * 3)
    (found,) = provider.measure([Candidate({}, network, None, 5)])
    assert found.metrics["accuracy"] == pytest.approx(0.45)
    assert provider.reported(network) == {"test": pytest.approx(0.5)}  # type: ignore[attr-defined]
    provider = make_provider("table", _context(NasBench201(), table, search="test_200"))
    provider.prepare()
    assert provider.measure([Candidate({}, network, None, 5)])[0].metrics["accuracy"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("space", "options", "message"),
    [
        (NasBench201("cifar100"), {}, "knows nothing of cifar100 (allowed: cifar10)"),
        (NasBench201(), {"dataset": "cifar100"}, 'is "cifar100", and the networks searched are for cifar10'),
        (NasBench201(), {"search": "val_200"}, '"val_200" of cifar10 is not in the table (allowed: test_200, val_12)'),
        (NasBench201(cells=1), {}, "another space, or a reduced skeleton"),
        (NasBenchMacro(), {}, "is a table of nasbench201, and the networks searched are those of nasbench_macro"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(table: Path, space: Any, options: dict[str, str], message: str) -> None:
    provider = make_provider("table", _context(space, table, **options))
    with pytest.raises(SpecError) as caught:
        provider.prepare()
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_damaged_tables_are_refused_in_one_line(tmp_path: Path) -> None:
    names = [architecture(cell) for cell in CELLS]
    whole = _table(tmp_path / "a.csv.gz").read_bytes()
    (tmp_path / "cut.csv.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "t.pickle.pbz2").write_bytes(b"BZh")
    (tmp_path / "macro.json").write_text(json.dumps({"00000000": {"mean_acc": 45.0}}))
    (tmp_path / "other.json").write_text(json.dumps({"layers": {}}))
    (tmp_path / "other.csv").write_text("arch,latency\n1-2,3\n")
    for path, message in {
        tmp_path / "none.csv": "is no file",
        tmp_path / "cut.csv.gz": "cannot be read",
        tmp_path / "t.pickle.pbz2": "reading a pickle runs the code in it",
        tmp_path / "macro.json": "is damaged: 1 rows of 1 networks",
        tmp_path / "other.json": '"layers" has no "mean_acc"',
        tmp_path / "other.csv": "is no table of a known benchmark: its columns are arch, latency",
        _table(tmp_path / "b.csv.gz", damaged=7): "is damaged: c10_test_200ep of |none~0|",
        _table(tmp_path / "c.csv.gz", names=names[1:]): "is damaged: 15,624 rows of 15,624 networks",
        _table(tmp_path / "d.csv.gz", names=[*names[1:], "|conv~0|"]): 'names "|conv~0|", which NAS-Bench-201 does not',
        _table(tmp_path / "e.csv.gz", columns=("accuracy",)): "has no column of accuracies",
    }.items():
        with pytest.raises(SpecError) as caught:
            read_table(str(path))
        assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_compressed_network_is_not_the_published_one(table: Path) -> None:
    recipe = {
        "extends": "joint",
        "network": "nasbench201",
        "compression": "uniform_bits",
        "providers": ["schedule", {"name": "table", "file": str(table)}],
    }
    space = parse_recipe(recipe, "mine").space
    provider = make_provider("table", _context(space.network, table))
    provider.prepare()
    for bits, published in ((8, True), (4, False)):
        point = space.decisions.draw(np.random.default_rng(0)) | {"weight_bits": bits, "act_bits": 8}
        network = space.network_at(point).key
        assert (operations_of(network) is not None) == published
        if published:
            assert provider.measure([Candidate(point, network)])
            continue
        with pytest.raises(SpecError, match=r"asked for a compressed one \(allowed: compression: none\)"):
            provider.measure([Candidate(point, network)])


def test_a_search_over_a_table(table: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        dump_yaml(
            {
                "extends": "joint",
                "network": "nasbench201",
                "compression": "none",
                "providers": ["schedule", {"name": "table", "file": str(table)}],
                "objectives": ["accuracy", "latency_ms"],
                "controller": "random",
                "device": "zcu102",
                "choices": {"rows": [16], "cols": [16]},
                "trials": 6,
                "batch": 6,
            }
        )
    )
    result = explore(ExploreOptions(recipe=str(recipe), out=str(tmp_path / "run"), verify=(), jobs=0))
    assert result.points
    for point in result.points:
        cell = NasBench201.operations(point.found.point)
        share = sum("conv" in operation for operation in cell) / 6
        assert point.accuracy["test"] == pytest.approx(share, abs=1e-4) and point.network == ""
        assert point.accuracy["search"] == pytest.approx(0.9 * share, abs=1e-4)
        assert point.metrics["accuracy"] == point.accuracy["test"]


def test_a_table_does_not_know_compressed_networks_before_there_is_a_run(tmp_path: Path) -> None:
    table = tmp_path / "macro.csv"
    rows = "\n".join(f"{''.join(number)},{50 + place / 200}" for place, number in enumerate(product("012", repeat=8)))
    table.write_text(f"arch,mean_acc\n{rows}\n", encoding="utf-8")
    told = {"network": "nasbench_macro", "providers": ["schedule", {"name": "table", "file": str(table)}], "trials": 4}
    (tmp_path / "mine.yaml").write_text(dump_yaml(told), encoding="utf-8")
    with pytest.raises(SpecError, match="is asked for a compressed one"):
        explore(ExploreOptions(recipe=str(tmp_path / "mine.yaml"), out=str(tmp_path / "run"), verify=(), jobs=0))
    assert not (tmp_path / "run").exists()
