"""Parts that published methods need: chains and cells, the probe, predicted cost, several targets, pools, history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codesign.accuracy.data import load_dataset
from codesign.controllers.controller import Controller, ControllerContext, Told
from codesign.controllers.hybrid import HistoryEvolution
from codesign.controllers.registry import make_controller
from codesign.decisions import Decision, DecisionSpace, Point
from codesign.drivers.base import DriverContext, Trial
from codesign.drivers.pooled import Pooled
from codesign.drivers.registry import DRIVERS
from codesign.objectives import Goal, Outcome
from codesign.providers.base import ProviderContext
from codesign.providers.cost.predicted import PredictedProvider
from codesign.providers.cost.targets import TargetsProvider
from codesign.providers.registry import make_provider
from codesign.recipe import Recipe, parse_recipe
from codesign.spaces.conformance import NetworkSpaceConformance
from codesign.spaces.hardware.fixed import FixedHardware, library_names
from codesign.spaces.network.cells import CellSpace
from codesign.spaces.network.chain import ChainSpace
from codesign.spaces.network.distance import transport
from mappings.errors import SpecError
from mappings.layer import Op

SMALL = {"extent": 8, "dataset": "digits"}
CHAIN = {"name": "chain", "layers": 3, "kernels": [1, 3], "filters": [4, 8], "halved": [2], **SMALL}


class TestChain(NetworkSpaceConformance):
    name, options = "chain", {"layers": 6, "skips": True, "halved": (1, 3, 4), "extent": 28}


class TestCells(NetworkSpaceConformance):
    name, options = "cells", {"blocks": 3, "cells": 2, "stages": 2, "extent": 8}


def test_a_skip_adds_an_earlier_layer_of_another_extent() -> None:
    space = ChainSpace(layers=4, kernels=(3,), filters=(4, 8), skips=True, halved=(1, 3, 4), extent=28)
    point = {f"l{i}.{what}": value for i in range(1, 5) for what, value in (("kernel", 3), ("filters", 8))}
    layers = {x.name: x for x in space.workload({**point, "l3.skip": "none", "l4.skip": "l1"}).layers}
    assert layers["l4_skip"].stride == (4, 4) and layers["l4_add"].op is Op.ADD
    assert [layers[f"l{i}"].P for i in range(1, 5)] == [14, 14, 7, 4] and layers["l4_skip"].P == 4


def test_a_cell_adds_its_loose_blocks() -> None:
    space = CellSpace(blocks=2, cells=1, stages=1, extent=8)
    point = {f"b{b}.{side}": "in" for b in (1, 2) for side in ("left", "right")}
    point |= {f"b{b}.{side}_op": "conv3" for b in (1, 2) for side in ("left", "right")}
    names = [layer.name for layer in space.workload(point).layers]
    assert "s1c1out1" in names
    assert "s1c1out1" not in [layer.name for layer in space.workload({**point, "b2.left": "b1"}).layers]


def test_the_distance_of_networks() -> None:
    one = [("conv_3x3", 0), ("conv_1x1", 1)]
    assert transport(one, one) == 0.0 and transport(one, []) == 2.0
    assert transport(one, [("conv_3x3", 0), ("conv_3x3", 1)]) == pytest.approx(0.3)  # another size
    assert transport(one, [("conv_3x3", 0), ("pool", 1)]) == pytest.approx(1.0)  # another operator
    assert transport(one, [("conv_3x3", 1), ("conv_1x1", 1)]) == pytest.approx(0.3)  # a level deeper
    assert transport(one, one[:1]) == 1.0


def test_the_digits_are_apart() -> None:
    data = load_dataset("digits")
    assert {part: images.shape for part, images in data.images.items()} == {
        "train": (1258, 1, 8, 8), "held_out": (359, 1, 8, 8), "test": (180, 1, 8, 8),
    }  # fmt: skip
    rows = np.concatenate([images.reshape(len(images), -1) for images in data.images.values()])
    assert len(np.unique(rows, axis=0)) == 1797 and rows.min() == 0.0 and rows.max() == 1.0


def _recipe(**changes: Any) -> Recipe:
    plain = {
        "extends": "networks", "network": CHAIN, "providers": ["schedule", "probe"], "trials": 8, "batch": 8, **changes,
    }  # fmt: skip
    return parse_recipe(plain, "test")


def _provider(recipe: Recipe, name: str, folder: Path, **options: Any) -> Any:
    made = make_provider(name, ProviderContext(0, recipe.device, recipe.space, folder, 0, options))
    made.prepare()
    return made


def test_the_probe_prefers_more_features_and_more_bits(tmp_path: Path) -> None:
    recipe = _recipe()
    probe = _provider(recipe, "probe", tmp_path, draws=3)
    wide, thin = ({f"l{i}.{k}": v for i in (1, 2, 3) for k, v in (("kernel", 3), ("filters", n))} for n in (8, 4))
    first, second = (found.metrics["accuracy"] for found in probe.measure(recipe.space.decode([wide, thin])))
    assert first > second + 0.05 and second > 0.15
    assert probe.measure(recipe.space.decode([wide]))[0].metrics["accuracy"] == first
    ((_, short),) = probe.stream(recipe.space.decode([wide]), 0.02)
    assert short.metrics["accuracy"] < first
    narrow = _recipe(compression={"name": "uniform_bits", "weight_bits": [8], "act_bits": [4]}, hardware="templates")
    point = narrow.space.decisions.draw(np.random.default_rng(0)) | wide
    assert probe.measure(narrow.space.decode([point]))[0].metrics["accuracy"] < first


@pytest.mark.parametrize("model", ["trees", "mlp", "gp", "graph"])
def test_predicted_cost_and_its_error(model: str, tmp_path: Path) -> None:
    recipe = _recipe(hardware={"name": "fixed", "hardware": "loop_tile"}, mapping="tile_caps")
    samples = (
        600 if model in ("mlp", "graph") else 150
    )  # a network of neurons ranks by fewer designs poorly, which it tells
    made = _provider(recipe, "predicted", tmp_path, model=model, samples=samples)
    assert isinstance(made, PredictedProvider)
    for item in made.calibration:
        assert item.designs >= 6 and 0 < item.mape < 0.3 and item.spearman > 0.5
    rng = np.random.default_rng(1)
    candidates = recipe.space.decode([recipe.space.decisions.draw(rng) for _ in range(5)], designs=False)
    found = made.measure(candidates)
    figures = found[0].metrics
    assert figures["edp_uj_ms"] == pytest.approx(figures["latency_ms"] * figures["energy_uj"])
    assert figures["power_mw"] == pytest.approx(figures["energy_uj"] / figures["latency_ms"])
    kept = list(tmp_path.glob("predicted-*.json"))
    again = _provider(recipe, "predicted", tmp_path, model=model, samples=samples)
    assert len(kept) == 1 and again.measure(candidates) == found
    if model == "trees":  # what a kill or a full disk left is priced again
        whole = kept[0].read_text(encoding="utf-8")
        for damaged in (whole[: len(whole) // 2], whole.replace("1", "2", 1), "", "[]"):
            kept[0].write_text(damaged, encoding="utf-8")
            assert _provider(recipe, "predicted", tmp_path, model=model, samples=samples).measure(candidates) == found
            assert kept[0].read_text(encoding="utf-8") == whole


def test_a_predictor_needs_more_than_one_network(tmp_path: Path) -> None:
    recipe = _recipe(choices={f"l{i}.{k}": [v] for i in (1, 2, 3) for k, v in (("kernel", 3), ("filters", 4))})
    with pytest.raises(SpecError, match="none can be held out"):
        _provider(recipe, "predicted", tmp_path, samples=20)


def test_several_targets_at_once(tmp_path: Path) -> None:
    recipe = _recipe()
    made = _provider(recipe, "targets", tmp_path, hardware=("weight_stationary", "row_stationary"))
    assert isinstance(made, TargetsProvider)
    (candidate,) = recipe.space.decode([recipe.space.decisions.draw(np.random.default_rng(0))])
    assert candidate.workload is not None
    each = [item.metrics["latency_ms"] for item in made.each(candidate.workload).values()]
    exact = _provider(recipe, "schedule", tmp_path).measure([candidate])[0].metrics["latency_ms"]
    (found,) = made.measure([candidate])
    assert exact in each and len(set(each)) == 2
    assert found.metrics["latency_ms"] == max(each) and found.metrics["throughput_per_s"] == pytest.approx(
        1e3 / max(each)
    )
    with pytest.raises(SpecError, match='did you mean "row_stationary"'):
        _provider(recipe, "targets", tmp_path, hardware=("row_stationery",))


def test_accelerators_that_ship_are_five_arrays() -> None:
    arrays = set(library_names()) - {"attention"}
    assert {str(FixedHardware(name).template.array) for name in arrays} == arrays and len(arrays) == 5
    assert FixedHardware("attention").template.nonlinear_lanes


class _Problem:
    """Accuracy grows with depth; operator "b" is worth most of its time."""

    space = DecisionSpace(
        (
            Decision("early_op", "network", ("a", "b", "c"), ordered=False),
            Decision("early", "network", (1, 2, 3, 4)),
            Decision("late_op", "network", ("a", "b", "c"), ordered=False),
            Decision("late", "network", (1, 2, 3, 4)),
        )
    )
    goal = Goal(("accuracy", "latency_ms"))

    def _outcome(self, point: Mapping[str, Any], *, dear: bool) -> Outcome:
        ops = [str(point["early_op"]), str(point["late_op"])]
        macs = float(point["early"] + point["late"])
        figures = {"macs": macs, "latency_ms": macs * sum({"a": 2.0, "b": 1.0, "c": 3.0}[op] for op in ops)}
        return Outcome({**figures, "accuracy": macs / 8} if dear else figures)

    def measure(self, points: Sequence[Point], *, fidelity: float = 1.0, gated: bool = True) -> list[Outcome]:
        return [self._outcome(point, dear=True) for point in points]

    hardware_fronts = None

    def price(self, network: Point, rows: Sequence[Point]) -> list[Outcome]:
        return [self._outcome({**network, **row}, dear=False) for row in rows]


class _Memory(list[Trial]):
    def append(self, trials: Sequence[Trial], start: int) -> None:  # type: ignore[override]
        assert start == len(self)
        self.extend(trials)

    def since(self, start: int) -> list[Trial]:
        return self[start:]

    def __iter__(self) -> Iterator[Trial]:
        return super().__iter__()


def _pooled(**options: Any) -> tuple[Pooled, list[Trial]]:
    problem, journal = _Problem(), _Memory()

    def make(part: str, space: DecisionSpace, goal: Goal) -> Controller:
        return make_controller("random", ControllerContext(1, space, goal, 4))

    given = DRIVERS.get("pooled").checked({"operators": ["_op"], "keep": 1, **options}, "driver")
    driver = Pooled()
    driver.run(DriverContext(problem, make, journal, 24, 4, 0, options=given))
    return driver, list(journal)


def test_a_pool_keeps_what_is_worth_its_time_and_goes_from_late_to_early() -> None:
    driver, trials = _pooled()
    assert all(max(found, key=lambda op: found[op]) == "b" for found in driver.worth.values())
    assert {trial.told.point[name] for trial in trials for name in ("early_op", "late_op")} == {"b"}
    assert [trial.phase for trial in trials] == ["start"] * 4 + ["late"] * 8 + ["early"] * 12
    for phase, held in (("late", "early"), ("early", "late")):
        assert len({trial.told.point[held] for trial in trials if trial.phase == phase}) == 1


def test_a_pool_without_operators_is_refused() -> None:
    with pytest.raises(SpecError, match="no decision of the space ends in _block"):
        _pooled(operators=["_block"])
    with pytest.raises(SpecError, match="not known before training"):
        _pooled(capacity="accuracy")


def test_history_is_sampled_late_and_favours_what_was_good() -> None:
    space = DecisionSpace(tuple(Decision(f"d{i}", "network", (0, 1, 2, 3)) for i in range(6)))
    goal = Goal(("accuracy",))
    context = ControllerContext(0, space, goal, 8, 96, {"history": 10, "exploit_share": 0.25})
    made = make_controller("history_evolution", context)
    assert isinstance(made, HistoryEvolution)
    while not made.exploits:
        made.tell([Told(p, Outcome({"accuracy": sum(p.values()) / 18})) for p in made.ask(8)])
    drawn = np.array([list(made.sample().values()) for _ in range(200)])
    assert drawn.mean() > 2.2 and len(np.unique(drawn, axis=0)) > 1
