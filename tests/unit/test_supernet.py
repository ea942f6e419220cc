"""Weight sharing: what networks share, what a step trains, what a file may hold, and what comes out."""

from __future__ import annotations

import pickle
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from codesign.accuracy.data import PARTS, Dataset, mnist5k
from codesign.accuracy.training import recalibrate
from codesign.providers.accuracy import kept as kept_files
from codesign.providers.accuracy.supernet import SupernetProvider, corners_of, space_digest
from codesign.providers.base import ProviderContext
from codesign.providers.registry import make_provider
from codesign.recipe import Part, Recipe, load_recipe
from codesign.supernet.corners import Corners, kind_of
from codesign.supernet.greedy import Greedy, Priority
from codesign.supernet.names import KERNELS, PREDICTED
from codesign.supernet.sampling import PHASES, phase_of, planner
from codesign.supernet.store import Stored, load
from codesign.supernet.training import Trainer, TrainingOptions, from_arrays, measured, new_network
from mappings.errors import SpecError
from mappings.npz import packed, unpacked

SMALL = (
    ("stem_width", (4, 8)),
    ("downsample", ("s1+s2", "s1+s2+s3")),
    ("s1_depth", (1,)),
    ("s2_depth", (1, 2)),
    ("s3_depth", (1,)),
    ("s1_width", (8, 12)),
    ("s2_width", (12,)),
    ("s3_width", (12, 24)),
    ("s3_kernel", (3,)),
)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def recipe(**changes: Any) -> Recipe:
    return replace(Recipe(name="shared", choices=SMALL, trials=8, batch=8, front_points=1), **changes)


def corners(choices: tuple[Any, ...] = SMALL) -> Corners:
    return corners_of(recipe(choices=choices).space)


@pytest.fixture(scope="module")
def small() -> Corners:
    return corners()


def tiny() -> Dataset:
    """The first images of each part: steps cost less."""
    data = mnist5k()
    first = {part: slice(0, 128) for part in PARTS}
    return Dataset("tiny", {p: data.images[p][first[p]] for p in PARTS}, {p: data.labels[p][first[p]] for p in PARTS})


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_network_taken_out_computes_what_it_did_within(kernel: str, small: Corners) -> None:
    network = new_network(small, TrainingOptions(kernel=kernel))
    images = torch.rand(16, 1, 28, 28)
    rng = np.random.default_rng(1)
    with torch.no_grad():
        for part in network.parts.values():
            part.add_(0.05 * torch.randn(part.shape))
        for _ in range(6):
            workload = small.workload_at(small.space.draw(rng))
            assert torch.equal(network.extract(workload).train()(images), network(images, workload))


def test_every_network_of_the_default_space_has_its_part() -> None:
    whole = corners(())
    network = new_network(whole, TrainingOptions(kernel="own"))
    rng = np.random.default_rng(2)
    for _ in range(80):
        workload = whole.workload_at(whole.space.draw(rng))
        assert {name for name, _ in network.extract(workload).named_parameters()} == set(
            network.parameters_of(workload)
        )
    assert whole.workload_at(whole.largest).macs > 100 * whole.workload_at(whole.smallest).macs


def test_kernels_share_or_do_not(small: Corners) -> None:
    wide = small.largest | {"s1_kernel": 5, "s1_block": "plain"}
    narrow = wide | {"s1_kernel": 3}
    name = "steps.s1b1_conv.weight"
    for kernel in KERNELS:
        network = new_network(small, TrainingOptions(kernel=kernel))
        parts = [network.parameters_of(small.workload_at(point))[name] for point in (wide, narrow)]
        middle = parts[0][..., 1:4, 1:4]
        assert torch.equal(parts[1], middle) is (kernel in ("crop", "transform"))
        if kernel == "transform":  # the matrix is the identity at first, and is learned
            with torch.no_grad():
                network.parts["s1b1_conv/matrix5to3"].mul_(2)
            assert torch.equal(network.parameters_of(small.workload_at(narrow))[name], 2 * middle)


def test_fair_steps_train_each_choice_as_often_as_any_other(small: Corners) -> None:
    plan = planner("fair", small, seed=3, steps=30, subnets=2)
    free = [d for d in small.space.choices if len(d.choices) > 1]
    assert {len(d.choices) for d in free} == {2, 3}
    counts: dict[str, Counter[Any]] = {d.name: Counter() for d in free}
    for step in range(30):
        assert len(plan(step).points) == 3
        for point in plan(step).points:
            for d in free:
                counts[d.name][point[d.name]] += 1
        for d in free:
            assert max(counts[d.name].values()) - min(counts[d.name][v] for v in d.choices) <= 1
    assert all(set(counts[d.name].values()) == {90 // len(d.choices)} for d in free)


def test_steps_of_a_sandwich_of_several_and_of_progressive_shrinking(small: Corners) -> None:
    sandwich = planner("sandwich", small, seed=0, steps=8, subnets=2)
    plan = sandwich(5)
    assert plan == sandwich(5) and plan.teacher == "first" and len(plan.points) == 4
    assert plan.points[0] == small.largest and plan.points[-1] == small.smallest
    several = planner("several", small, seed=0, steps=8, subnets=2)
    assert several(5).points == plan.points[1:3] and several(5).teacher == ""
    progressive = planner("progressive", small, seed=0, steps=400, subnets=2)
    for step in range(0, 400, 7):
        phase = phase_of(step, 400)
        opened = {kind for kinds in PHASES[: phase + 1] for kind in kinds}
        for point in progressive(step).points:
            for name, value in small.largest.items():
                assert kind_of(name) in opened or name not in point or point[name] == value
    last = [point for step in range(300, 400) for point in progressive(step).points]
    assert {point["s3_width"] for point in last} == {12, 24} and {point["s2_depth"] for point in last} == {1, 2}


def test_greedy_steps_train_what_the_weights_serve_best(small: Corners) -> None:
    rng, drawn = np.random.default_rng(0), list[list[Any]]()
    hidden = {str(small.space.draw(rng)): rng.random() for _ in range(400)}

    def judge(points: Any, step: int) -> list[float]:
        drawn.append(list(points))
        return [hidden.setdefault(str(point), float(rng.random())) for point in points]

    plan = Greedy(small, seed=1, steps=40, subnets=4, judge=judge)
    trained = [plan(step).points for step in range(40)]
    assert all(len(points) == 1 for points in trained) and len(drawn) == 10
    for group, points in enumerate(drawn):
        losses = [hidden[str(point)] for point in points]
        mine = [hidden[str(point)] for (point,) in trained[4 * group : 4 * group + 4]]
        assert len(points) == 8 and mine == sorted(losses)[:4]
    assert [loss for loss, _ in plan.pool] == sorted({hidden[str(point)] for points in trained for point in points})
    before = {str(point) for points in trained[:36] for point in points}
    assert sum(str(point) in before for point in drawn[-1]) >= 4  # late draws come from the pool
    again = Greedy(small, seed=1, steps=40, subnets=4, judge=judge)
    again.restore(plan.arrays())
    assert again.pool == plan.pool


def test_parts_are_dropped_more_and_more(small: Corners) -> None:
    plan = planner("dropped", small, 3, 400, 1)
    kept = [
        np.mean([plan(step).points[0] == small.largest for step in steps]) for steps in (range(40), range(360, 400))
    ]
    assert plan(0).points == (small.largest,) and kept[0] > 0.5 and kept[1] < 0.1


def test_a_space_grows_choice_by_choice(small: Corners) -> None:
    plan = planner("growing", small, 3, 400, 1)
    stages = [[plan(step).points[0] for step in range(start, start + 100)] for start in range(0, 400, 100)]
    for decision in small.space.choices:
        seen = [{point[decision.name] for point in points if decision.name in point} for points in stages]
        assert all(one <= other for one, other in pairwise(seen)) and seen[-1] == set(decision.choices)
        assert len(seen[0]) <= max(2, -(-len(decision.choices) // 4))


def test_the_best_of_a_board_teach_what_is_like_them(small: Corners) -> None:
    rng, hidden = np.random.default_rng(0), dict[str, float]()

    def judge(points: Any, step: int) -> list[float]:
        return [hidden.setdefault(str(point), float(rng.random())) for point in points]

    plan, trained = Priority(small, seed=1, steps=200, subnets=1, judge=judge), list[Any]()
    for step in range(200):
        told = plan(step)
        assert plan(step) == told  # asked again, the same
        trained.append(told.points[-1])
        if step < 20:
            assert told.teacher == "" and len(told.points) == 1
        else:
            teacher, drawn = told.points
            common = [sum(board.get(k) == v for k, v in drawn.items()) for _, board in plan.pool]
            assert told.teacher == "board" and teacher == plan.pool[int(np.argmax(common))][1]
    best = sorted({hidden[str(point)] for point in trained[:-1]})[:10]
    assert [loss for loss, _ in plan.pool] == best
    again = Priority(small, seed=1, steps=200, subnets=1, judge=judge)
    again.restore(plan.arrays())
    assert again.pool == plan.pool


@pytest.mark.parametrize("how", PREDICTED)
def test_predicted_weights_are_the_networks_own(how: str, small: Corners) -> None:
    network = new_network(small, TrainingOptions(kernel=how))
    first, name = small.largest | {"s2_width": 12, "stem_width": 8}, "steps.stem.weight"
    ours, same, other = (
        network.parameters_of(small.workload_at(small.space.canonical(point)))[name]
        for point in (first, first, first | {"s3_width": 12})
    )
    # A change of the last stage changes what is predicted for the first layer, and nothing else does.
    assert torch.equal(ours, same) and ours.shape == other.shape and not torch.equal(ours, other)
    assert not any("/weight" in key for key in network.parts)
    told = small.workload_at(small.largest)
    loss = network(torch.rand(8, 1, 28, 28), told).square().sum()
    loss.backward()  # type: ignore[no-untyped-call]
    reached = {key for key, part in network.parts.items() if part.grad is not None and part.grad.abs().sum() > 0}
    assert {key for key in network.parts if key.startswith("predictor/")} <= reached
    # A file's arrays alone give the same network.
    arrays = {f"weight/{key}": part.detach().numpy() for key, part in network.parts.items()}
    again = from_arrays(arrays, how)
    with torch.no_grad():
        for key, value in network.parameters_of(told).items():
            assert torch.equal(again.parameters_of(told)[key], value)


def test_sorted_channels_compute_the_same(small: Corners) -> None:
    point = small.largest | {"s1_block": "bottleneck4", "s2_block": "bottleneck4"}
    workload = small.workload_at(small.space.canonical(point))
    network = new_network(small, TrainingOptions(seed=5))
    images = torch.rand(8, 1, 28, 28)
    with torch.no_grad():
        for key, part in network.parts.items():
            if key.endswith(("gain", "bias")):
                part.add_(0.2 * torch.randn(part.shape))
        before, order = network(images, workload), network.parts["s1b1_project/weight1"].abs().sum(dim=(0, 2, 3))
        network.sort_channels()
        after = network(images, workload)
    assert not torch.all(order[:-1] >= order[1:])
    sums = network.parts["s1b1_project/weight1"].abs().sum(dim=(0, 2, 3))
    assert torch.all(sums[:-1] >= sums[1:])
    assert (before - after).abs().max() < 0.02 * before.abs().max()  # sums in another order may round across a step


@pytest.mark.parametrize(
    ("strategy", "steps", "stops"),
    [("sandwich", 4, (1, 3)), ("progressive", 8, (3, 6)), ("greedy", 6, (2, 4)), ("priority", 8, (3, 6))],
)
def test_a_killed_training_ends_as_one_that_was_not(
    strategy: str, steps: int, stops: tuple[int, ...], small: Corners, tmp_path: Path
) -> None:
    subnets = 3 if strategy == "greedy" else 1
    options = TrainingOptions(strategy, "transform", steps, learning_rate=0.02, subnets=subnets, seed=4)
    data = tiny()
    whole = Trainer(small, data, options)
    whole.run()
    for stop in stops:
        file = tmp_path / f"{stop}.npz"
        Trainer(small, data, options).run(file, until=stop)
        assert load(file).step == stop
        again, told = Trainer(small, data, options), list[int]()
        again.run(file, lambda told=told: told.append(1))  # type: ignore[misc]
        assert len(told) == steps
        for name, value in whole.stored().arrays.items():
            assert np.array_equal(again.stored().arrays[name], value), name


def test_shared_weights_learn(small: Corners) -> None:
    trainer = Trainer(small, mnist5k(), TrainingOptions("sandwich", steps=40, learning_rate=0.03, subnets=1))
    workload = small.workload_at(small.largest)
    before = measured(trainer.network, workload, mnist5k(), "held_out", 256)
    trainer.run()
    assert before < 0.3 and measured(trainer.network, workload, mnist5k(), "held_out", 256) > 0.7


def test_what_is_no_supernet_is_refused_in_one_line(tmp_path: Path) -> None:
    good, space = tmp_path / "good.npz", "a" * 64
    Stored(space, {"seed": 0}, 3, {"weight/x": np.ones(2, np.float32)}).save(good)
    assert load(good, space).step == 3
    pickled, saved, damaged = tmp_path / "a.pkl", tmp_path / "b.pt", tmp_path / "c.npz"
    pickled.write_bytes(pickle.dumps({"weight": 1}))
    torch.save({"weight": torch.ones(2)}, saved)
    damaged.write_bytes(good.read_bytes()[:200])
    arrays = tmp_path / "d.npz"
    np.savez(arrays, weight=np.ones(3))
    objects = tmp_path / "e.npz"
    np.savez(objects, head=np.array([{"a": 1}], dtype=object))
    version = tmp_path / "f.npz"
    head, kept = unpacked(good, 2**30)
    version.write_bytes(packed({**head, "format": 9}, kept))
    for path, said in (
        (pickled, "is a pickle, which can run code"),
        (saved, "holds a pickle, which can run code"),
        (damaged, "is no supernet"),
        (arrays, "has no head"),
        (objects, "holds pickled objects"),
        (version, "is a supernet of version 9 (allowed: a supernet of version 2"),
        (tmp_path / "none.npz", "cannot be read"),
    ):
        with pytest.raises(SpecError) as caught:
            load(path)
        assert said in str(caught.value) and len(str(caught.value).splitlines()) == 1
    with pytest.raises(SpecError, match="was trained for another space"):
        load(good, "b" * 64)


def shared_recipe(**options: Any) -> Recipe:
    told = {"steps": 30, "learning_rate": 0.03, "subnets": 1, "deploy_steps": 0, "calibration_images": 128, **options}
    return recipe(providers=(Part("schedule"), Part("supernet", tuple(told.items()))))


def test_one_training_serves_other_devices_and_recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_files, "cache_dir", lambda: tmp_path / "cache")
    options = dict(shared_recipe(steps=4).providers[1].options) | {"shift_pixels": 0}

    def provider(made: Recipe, folder: str) -> SupernetProvider:
        context = ProviderContext(0, made.device, made.space, tmp_path / folder, 0, options)
        found = make_provider("supernet", context)
        assert isinstance(found, SupernetProvider)
        return found

    first = shared_recipe()
    provider(first, "one").prepare()
    (kept,) = (tmp_path / "one").glob("supernet-*.npz")
    trained: list[int] = []
    monkeypatch.setattr(Trainer, "run", lambda *_: trained.append(1))
    other = replace(first, device="zcu102", controller=Part("random"), objectives=("accuracy", "energy_uj"))
    provider(other, "two").prepare()
    assert not trained and (tmp_path / "two" / kept.name).read_bytes() == kept.read_bytes()
    narrower = replace(first, choices=(*SMALL[1:], ("stem_width", (8,))))
    assert space_digest(narrower.space) != space_digest(first.space)
    options["file"] = str(kept)
    with pytest.raises(SpecError, match="was trained for another space"):
        provider(narrower, "three").prepare()
    provider(other, "four").prepare()


def test_statistics_are_the_networks_own(small: Corners) -> None:
    network = new_network(small, TrainingOptions())
    wide, narrow = (network.extract(small.workload_at(point)) for point in (small.largest, small.smallest))
    for alone in (wide, narrow):
        recalibrate(alone, tiny(), 64)
    first = "steps.stem.norm.running_var"
    assert not torch.equal(wide.state_dict()[first][:4], narrow.state_dict()[first])


@pytest.mark.parametrize("name", ["spos", "fairnas", "bignas", "slimmable", "ofa", "greedynas", "smash", "ghn"])
def test_each_recipe_trains_as_its_paper_does(name: str) -> None:
    told = dict(load_recipe(name).providers[-1].given)
    strategy = {
        "spos": "uniform",
        "fairnas": "fair",
        "bignas": "sandwich",
        "slimmable": "sandwich",
        "ofa": "progressive",
        "greedynas": "greedy",
        "smash": "uniform",
        "ghn": "uniform",
    }
    kernel = {"spos": "own", "fairnas": "own", "bignas": "crop", "slimmable": "crop", "ofa": "transform"}
    kernel |= {"greedynas": "own", "smash": "encoded", "ghn": "graph"}
    assert (told["strategy"], told["kernel"]) == (strategy[name], kernel[name])
    if name == "slimmable":
        free = [d.name for d in load_recipe(name).space.decisions.choices if d.group == "network" and d.size > 1]
        assert free == ["stem_width", "s1_width", "s2_width", "s3_width"]
