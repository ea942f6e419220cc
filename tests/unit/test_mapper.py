"""The mapper: brute force over whole mapspaces finds nothing better; results, limits and cache."""

import multiprocessing
import os
import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest

from accel_models.columns.batch import BatchCost, evaluate_batch
from accel_models.hardware.accelerator import Accelerator, Buffering
from accel_models.hardware.accelerators import accelerator
from accel_models.jit import CACHE_VARIABLE
from accel_models.mapper import OBJECTIVES, MappingResult, best_mapping, cache
from accel_models.mapper.generate import Generator
from accel_models.mapper.local import Evolution
from accel_models.mapper.spatial import split_axes, spread_choices
from accel_models.report import Infeasible
from accel_models.reuse.evaluate import evaluate
from mappings.dataflow import DATAFLOWS
from mappings.directives import SpatialMap
from mappings.errors import SpecError
from mappings.layer import Bits, Layer, Op
from mappings.loops import bounds_of
from mappings.mapspace import DIM_COUNT, MappingColumns, divisors, order_code


@pytest.fixture(autouse=True)
def own_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Answers of other runs are out of sight; machine code is not."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))


def tiny(buffering: Buffering = Buffering.STREAM, buffer_bytes: int = 14, register_bytes: int = 5) -> Accelerator:
    """CA1 with 2 x 2 MACs and memories of a few bytes: tiles, bypasses and orders all matter."""
    dram, buffer, register = accelerator("ca1").levels
    buffer = replace(buffer, capacity_bytes=buffer_bytes, buffering=buffering, fanout=(2, 2), read_bytes_per_cycle=2.0)
    register = replace(register, capacity_bytes=register_bytes, buffering=buffering)
    return replace(accelerator("ca1"), levels=(dram, buffer, register))


def sliding(*levels: int) -> Accelerator:
    """The same, where some memories keep the inputs that their window still covers."""
    return replace(
        tiny(),
        levels=tuple(replace(level, keeps_overlap=m in levels) for m, level in enumerate(tiny().levels)),
    )


def every_cost(layer: Layer, target: Accelerator) -> Iterator[BatchCost]:
    """The whole space: all chains of divisors and all bypasses that fit, for each pair of orders of moving dims."""
    real = [d for d, bound in enumerate(bounds_of(layer)) if bound > 1]

    def chains(bound: int) -> list[list[int]]:
        out = []
        for t0 in divisors(bound):
            for t1 in divisors(t0):
                for a0 in divisors(t1):
                    out += [[t0, t0, t0, t1, a0, a1, 1, 1, 1] for a1 in divisors(a0)]
        return out

    rows = list(product(*(chains(bounds_of(layer)[d]) for d in real)))
    bypasses = list(product(range(8), range(8)))
    columns = MappingColumns.empty(3, len(rows) * len(bypasses))
    for place, d in enumerate(real):
        columns.chains[d] = np.repeat(np.array([row[place] for row in rows], np.int32).T, len(bypasses), axis=1)
    columns.keeps[1:] = np.tile(np.array(bypasses, np.uint8).T, len(rows))
    narrow = replace(layer, bits=replace(layer.bits, acc=layer.bits.O))  # what orders make of sums decides no more
    columns = columns.rows(evaluate_batch([narrow], columns, [target]).feasible)
    others = tuple(d for d in range(DIM_COUNT) if d not in real)
    orders = [order_code(others + order) for order in permutations(real)]
    for pair in product(orders, orders):
        columns.orders[:2] = np.array(pair, np.int32)[:, None]
        yield evaluate_batch([layer], columns, [target])


@pytest.mark.parametrize(
    ("layer", "target"),
    [
        (Layer("conv", Op.CONV, K=2, P=4, R=2, bits=Bits(8, 8, 8, 8)), tiny()),
        (Layer("padded", Op.CONV, C=2, P=4, R=3, padding=(1, 0, 1, 0), bits=Bits(8, 8, 8, 16)), tiny()),
        (Layer("linear", Op.LINEAR, K=4, C=4, P=2, bits=Bits(8, 8, 8, 8)), tiny(Buffering.DOUBLE, 28, 10)),
        (Layer("depthwise", Op.CONV, groups=4, P=2, R=3, stride=(2, 1)), tiny(Buffering.SINGLE)),
        (Layer("sliding", Op.CONV, P=4, R=3, bits=Bits(8, 8, 8, 8)), sliding(1, 2)),
        (Layer("sliding pool", Op.MAXPOOL, groups=2, P=4, R=2, padding=(1, 0, 0, 0)), sliding(2)),
        (Layer("softmax", Op.SOFTMAX, K=8, C=8, P=4, bits=Bits(8, 8, 8, 32)), tiny()),
        (Layer("norm", Op.LAYERNORM, K=8, C=8, P=4, bits=Bits(8, 8, 8, 32)), tiny(Buffering.SINGLE)),
    ],
    ids=lambda value: value.name if isinstance(value, Layer) else "",
)
def test_no_mapping_of_the_whole_space_is_better(layer: Layer, target: Accelerator) -> None:
    least = {"energy": np.inf, "latency": np.inf, "edp": np.inf}
    count = 0
    for cost in every_cost(layer, target):
        count += int(cost.feasible.sum())
        for objective, value in (
            ("energy", cost.energy_pj),
            ("latency", cost.cycles),
            ("edp", cost.energy_pj * cost.cycles),
        ):
            least[objective] = min(least[objective], float(value[cost.feasible].min()))
    assert count > 1000
    for objective, value in least.items():
        found = best_mapping(layer, target, objective=objective, use_cache=False)
        assert isinstance(found, MappingResult)
        assert found.optimal
        assert found.value == pytest.approx(value, rel=1e-12), objective
        assert found.cost == evaluate(layer, found.mapping, target)


def test_spreads_are_all_that_fit_two_axes() -> None:
    sizes = [1, 1, 4, 6, 3, 1, 3, 1]
    factors = np.ones((DIM_COUNT, 8), np.int64)
    counts = np.array([len(divisors(n)) for n in sizes])
    for d, n in enumerate(sizes):
        factors[d, : counts[d]] = divisors(n)
    axes, allowed = np.array([4, 6]), np.ones((DIM_COUNT, 2), np.int64)
    allowed[3, 0] = 0  # C only along the second axis
    found = {tuple(row) for row in spread_choices(factors, counts, axes, allowed, 10_000).tolist()}
    wanted = set()
    for first in product(*(divisors(n) for n in sizes)):
        if np.prod(first) <= 4 and first[3] == 1:
            rest = [n // f for n, f in zip(sizes, first, strict=True)]
            for second in product(*(divisors(n) for n in rest)):
                if np.prod(second) <= 6:
                    wanted.add(tuple(a * b for a, b in zip(first, second, strict=True)))
    assert found == wanted
    along = np.zeros(DIM_COUNT, np.int64)
    for units in found:
        assert split_axes(np.array(units), axes, allowed, along)
        assert along.prod() <= 4
        assert (np.array(units) // along).prod() <= 6
    assert not split_axes(np.array([1, 1, 4, 6, 3, 1, 1, 1]), axes, allowed, along)


def random_layer(rng: random.Random) -> Layer:
    """Padded, strided, dilated, grouped, batched: whatever the proof has to hold for."""
    rows, cols = rng.choice((1, 2, 3, 5)), rng.choice((1, 3))
    most = min(rows, cols) - 1
    return Layer(
        "random",
        Op.CONV,
        N=rng.choice((1, 1, 2)),
        groups=rng.choice((1, 1, 8)),
        K=rng.choice((1, 4, 24)),
        C=rng.choice((1, 3, 32)),
        P=rng.choice((4, 7, 12, 13)),
        Q=rng.choice((4, 7, 12, 13)),
        R=rows,
        S=cols,
        stride=(rng.choice((1, 2)), 1),
        dilation=(rng.choice((1, 1, 2)), 1),
        padding=tuple(rng.randint(0, most) for _ in range(4)),  # type: ignore[arg-type] # four
        bits=rng.choice((Bits(8, 8, 8, 8), Bits(8, 8, 8, 32), Bits(16, 16, 16, 16))),
    )


@pytest.mark.parametrize("seed", range(12))
def test_the_evolution_never_beats_what_is_proved_and_comes_close(seed: int) -> None:
    rng = random.Random(seed)
    layer, target = random_layer(rng), accelerator(rng.choice(("ca1", "eyeriss_like", "shidiannao_like")))
    objective = rng.choice(("energy", "edp", "latency"))
    proved = best_mapping(layer, target, objective=objective, use_cache=False)
    assert isinstance(proved, MappingResult)
    evolution = Evolution(Generator(layer, target), np.array([*OBJECTIVES[objective], 1]))
    evolution.run(islands=1)
    assert proved.value * (1 - 1e-9) <= evolution.best[0] <= 1.05 * proved.value or not proved.optimal


def test_taps_on_padding_read_nothing() -> None:
    """Found by the evolution: bounds charged them, and the proof lost the optimum."""
    layer = Layer("alexnet_conv3", Op.CONV, K=384, C=256, P=13, Q=13, R=3, S=3, padding=(1, 1, 1, 1))
    found = best_mapping(layer, accelerator("ca1"), objective="energy", use_cache=False)
    assert isinstance(found, MappingResult)
    assert found.optimal
    assert found.value <= 661_161_216


def test_tiles_that_leave_a_smaller_last_one() -> None:
    """13 rows on an array of 12 x 14: no divisor but 1 and 13."""
    layer = Layer("alexnet_conv3", Op.CONV, K=384, C=256, P=13, Q=13, R=3, S=3, padding=(1, 1, 1, 1))
    target = accelerator("eyeriss_like")
    divisors_only = best_mapping(layer, target, use_cache=False)
    anyhow = best_mapping(layer, target, use_cache=False, tiles="any")
    assert isinstance(divisors_only, MappingResult)
    assert isinstance(anyhow, MappingResult)
    assert divisors_only.optimal
    assert not anyhow.optimal
    assert anyhow.value < 0.97 * divisors_only.value
    assert anyhow.cost == evaluate(layer, anyhow.mapping, target)


def test_deeper_hierarchies_get_the_best_found() -> None:
    layer, target = Layer("conv", Op.CONV, K=32, C=32, P=14, Q=14, R=3, S=3), accelerator("gemmini_like")
    found = best_mapping(layer, target, use_cache=False)
    assert isinstance(found, MappingResult)
    assert not found.optimal
    assert found.cost.utilisation > 0.5
    again = best_mapping(layer, target, use_cache=False)
    assert isinstance(again, MappingResult)
    assert again.mapping == found.mapping


@pytest.mark.parametrize("name", ["ca1", "eyeriss_like", "gemmini_like", "tpu_like"])
def test_generated_mappings_all_fit(name: str) -> None:
    layer = Layer("conv", Op.CONV, N=2, K=32, C=24, P=14, Q=14, R=3, S=3, padding=(1, 1, 1, 1))
    target = accelerator(name)
    generator = Generator(layer, target, seed=5)
    columns = MappingColumns.join([generator.take(900) for _ in range(3)])
    assert evaluate_batch([layer], columns, [target]).feasible.all()
    rows = np.concatenate([columns.chains.reshape(-1, len(columns)), columns.orders, columns.keeps])
    assert len(np.unique(rows, axis=1).T) > 0.9 * len(columns)
    assert np.array_equal(Generator(layer, target, seed=5).take(900).chains, columns.chains[..., :900])


def test_a_dataflow_limits_the_axes() -> None:
    layer, target = Layer("conv", Op.CONV, K=32, C=16, P=14, Q=14, R=3, S=3), accelerator("ca1")
    free = best_mapping(layer, target, use_cache=False)
    assert isinstance(free, MappingResult)
    for name in ("weight_stationary", "output_stationary", "row_stationary"):
        flow = DATAFLOWS.get(name)
        bound = best_mapping(layer, target, dataflow=name, use_cache=False)
        assert isinstance(bound, MappingResult)
        allowed = {step.dim for role in flow.roles for step in role if step.spatial}
        assert {one.dim for one in bound.mapping.directives if isinstance(one, SpatialMap)} <= allowed
        assert bound.value >= free.value * (1 - 1e-12)


def test_answers_are_cached_whole_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layer, target = Layer("fc", Op.LINEAR, K=8, C=16, P=2), accelerator("ca1")
    first = best_mapping(layer, target)
    assert isinstance(first, MappingResult)
    assert not first.cached
    second = best_mapping(replace(layer, name="another"), target)
    assert isinstance(second, MappingResult)
    assert second.cached
    assert second.mapping == first.mapping
    (stored,) = tmp_path.rglob("*.json")
    assert second.to_dict()["value"] == first.value
    whole = stored.read_text()
    proof = '"optimal": true'
    assert proof in whole
    for damaged in (whole[:40], whole.replace(proof, '"optimal": false'), "", "[]"):
        stored.write_text(damaged)
        capsys.readouterr()
        third = best_mapping(layer, target)
        assert isinstance(third, MappingResult)
        assert not third.cached and third.optimal == first.optimal
        assert stored.name in capsys.readouterr().err
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "a file" / "below"))
    for _ in range(2):
        found = best_mapping(layer, target)
        assert isinstance(found, MappingResult) and not found.cached
    assert capsys.readouterr().err.count("mappings are not kept") == 1


def _write(number: int, key: str, folder: str) -> None:
    os.environ[CACHE_VARIABLE] = folder
    for turn in range(50):
        cache.MAPPINGS.store(key, {"number": number, "turn": turn, "fill": "x" * 5000})
        value = cache.MAPPINGS.load(key)
        assert value is not None
        assert len(value["fill"]) == 5000


def test_many_processes_may_write_one_answer(tmp_path: Path) -> None:
    key = "ab" * 32
    workers = [multiprocessing.Process(target=_write, args=(n, key, str(tmp_path))) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [f"{key}.json"]


def test_what_cannot_be_mapped() -> None:
    layer = Layer("fc", Op.LINEAR, K=8, C=16)
    with pytest.raises(SpecError, match='unknown objective "speed"'):
        best_mapping(layer, accelerator("ca1"), objective="speed")
    with pytest.raises(SpecError, match='unknown dataflow "weight_stationery", did you mean "weight_stationary"'):
        best_mapping(layer, accelerator("ca1"), dataflow="weight_stationery")
    with pytest.raises(SpecError, match='unknown kind of tiles "all"'):
        best_mapping(layer, accelerator("ca1"), tiles="all")
    with pytest.raises(SpecError, match="no loops to map"):
        best_mapping(Layer("flat", Op.RESHAPE), accelerator("ca1"))
    dram, buffer, register = accelerator("ca1").levels
    dark = replace(accelerator("ca1"), levels=(replace(dram, read_pj_per_byte=None), buffer, register))
    with pytest.raises(SpecError, match="has no energies"):
        best_mapping(layer, dark)
    fast = best_mapping(layer, dark, objective="latency")
    assert isinstance(fast, MappingResult)
    assert fast.cost.energy_pj is None
    wide = replace(layer, bits=Bits(8, 8, 8, 32))
    none = best_mapping(wide, accelerator("nvdla_like"), dataflow="any", use_cache=False)
    assert isinstance(none, MappingResult | Infeasible)
