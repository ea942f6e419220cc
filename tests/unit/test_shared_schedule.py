"""Several networks on several engines: the schedule against every other one; boards in a pipeline against every cut."""

from __future__ import annotations

import random
from itertools import combinations

import pytest

from accel_models.published.loop_pipeline import LoopPipeline
from accel_models.published.loop_tile import Board, LoopTile
from accel_models.schedule.shared import Times, schedule_shared
from codesign.spaces.conformance import HardwareSpaceConformance
from mappings.layer import Layer, Op

Chains = list[list[list[int | None]]]


class TestSubAccelerators(HardwareSpaceConformance):
    """Registered as any."""

    name = "sub_accelerators"


class TestMultiFpga(HardwareSpaceConformance):
    """Registered as any."""

    name = "multi_fpga"


def _least(chains: Chains) -> int:
    """By every order in which layers can be placed, each as early as it can."""
    best = 10**9

    def go(begun: tuple[int, ...], ready: tuple[int, ...], free: tuple[int, ...]) -> None:
        nonlocal best
        if max(ready) >= best:
            return
        if all(count == len(chain) for count, chain in zip(begun, chains, strict=True)):
            best = max(ready)
            return
        for k, chain in enumerate(chains):
            if begun[k] == len(chain):
                continue
            for engine, time in enumerate(chain[begun[k]]):
                if time is not None:
                    end = max(ready[k], free[engine]) + time
                    after = (*begun[:k], begun[k] + 1, *begun[k + 1 :])
                    go(after, (*ready[:k], end, *ready[k + 1 :]), (*free[:engine], end, *free[engine + 1 :]))

    count = len(chains)
    go((0,) * count, (0,) * count, (0,) * len(chains[0][0]))
    return best


def _check(chains: list[list[Times]] | Chains, schedule: object) -> None:
    """Layers in order, one at a time an engine, each for its time."""
    placed = schedule.placed  # type: ignore[attr-defined]
    assert len(placed) == sum(map(len, chains))
    for item in placed:
        assert item.end - item.start == chains[item.network][item.layer][item.engine]
    for one, other in combinations(placed, 2):
        apart = one.end <= other.start or other.end <= one.start
        assert apart or (one.engine != other.engine and one.network != other.network)
        if one.network == other.network:
            assert (one.layer < other.layer) == (one.start < other.start)


@pytest.mark.parametrize("seed", range(60))
def test_no_schedule_is_shorter(seed: int) -> None:
    rng = random.Random(seed)
    count, engines = rng.choice([(2, 2), (2, 3), (3, 2), (2, 1)])
    layers = 3 if count == 2 else 2

    def time() -> int | None:
        return None if engines > 1 and rng.random() < 0.15 else rng.randint(1, 12)

    chains: Chains = [[[time() for _ in range(engines)] for _ in range(layers)] for _ in range(count)]
    found = schedule_shared(chains)
    if any(all(t is None for t in times) for chain in chains for times in chain):
        assert found is None
        return
    assert found is not None and found.optimal and found.cycles == _least(chains)
    assert found.cycles == max(item.end for item in found.placed)
    _check(chains, found)


def test_sixty_layers_on_four_engines_are_proved_and_a_lack_of_room_is_said() -> None:
    rng = random.Random(5)
    chains = [[[rng.randint(1000, 100_000) for _ in range(4)] for _ in range(30)] for _ in range(2)]
    found = schedule_shared(chains)
    assert found is not None and found.optimal
    _check(chains, found)
    narrow = schedule_shared(chains, most_labels=4)
    assert narrow is not None and narrow.cycles >= found.cycles and not narrow.optimal


def test_boards_are_cut_where_the_interval_is_shortest() -> None:
    layers = [Layer(f"l{k}", Op.CONV, K=4 + k, C=3 + k, P=12 - k, Q=12 - k, R=3, S=3) for k in range(6)]
    fast, slow = LoopTile(8, 8, 12, 12, 8, 8, 8), LoopTile(2, 2, 12, 12, 8, 8, 8)
    boards = LoopPipeline((slow, fast, slow), link_bits=16)
    link = [-(-layer.elements["O"] * 16 // 16) for layer in layers]

    def interval(a: int, b: int) -> int:
        parts = [(0, a), (a, b), (b, 6)]
        out = []
        for machine, (low, high) in zip(boards.machines, parts, strict=True):
            if low < high:
                cycles = sum(machine.layer_cycles(layer) for layer in layers[low:high])
                out.append(cycles + (link[high - 1] if high < 6 else 0))
        return max(out)

    assert boards.interval_cycles(layers) == min(interval(a, b) for b in range(7) for a in range(b + 1))
    stages = boards.stages(layers)
    assert [layer for stage in stages for layer in stage.layers] == layers
    assert boards.latency_cycles(layers) == sum(stage.cycles + stage.link_cycles for stage in stages)
    small = Board("toy", 32, 500, 10_000, 1024)
    assert {item.resource for item in boards.broken(layers, small)} == {"DSP"}
