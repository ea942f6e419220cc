"""What must hold for any layer, mapping and accelerator."""

from __future__ import annotations

import math
import random
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accel_models.hardware.accelerator import Accelerator, Buffering
from accel_models.report import Infeasible, LayerCost
from accel_models.reuse.counts import Counts, count
from accel_models.reuse.evaluate import evaluate
from accel_models.reuse.lower import lower
from benchmarks.oracle_cases import random_accelerator, random_layer, random_mapping
from mappings.layer import Layer, Op
from mappings.loops import bounds_of
from mappings.mapping import Mapping
from mappings.phases import phases

SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
RANDOM = st.randoms(use_true_random=False)


def triple(rng: random.Random) -> tuple[Layer, Mapping, Accelerator]:
    """A random case with bounded ports."""
    layer = random_layer(rng)
    on = random_accelerator(rng)
    levels = tuple(
        replace(
            level,
            read_bytes_per_cycle=rng.choice([None, 0.5, 3.0, 16.0]),
            write_bytes_per_cycle=rng.choice([None, 0.5, 3.0, 16.0]),
            latency_cycles=rng.choice([0, 0, 7]),
            read_pj_per_byte=1.0,
            write_pj_per_byte=2.0,
            leakage_mw=0.0,
        )
        for level in on.levels
    )
    on = replace(on, levels=levels, mac_pj=1.0, mac_leakage_mw=0.0)
    return layer, random_mapping(rng, layer, on), on


def cost_of(layer: Layer, how: Mapping, on: Accelerator) -> LayerCost:
    found = evaluate(layer, how, on)
    assert isinstance(found, LayerCost), found
    return found


def counts_of(layer: Layer, how: Mapping, on: Accelerator) -> Counts:
    nest = lower(layer, how, on)
    assert not isinstance(nest, Infeasible)
    return count(nest)


def with_levels(on: Accelerator, **change: object) -> Accelerator:
    return replace(on, levels=tuple(replace(level, **change) for level in on.levels))  # type: ignore[arg-type]


@SETTINGS
@given(RANDOM)
def test_cycles_are_at_least_the_work_over_the_units(rng: random.Random) -> None:
    layer, how, on = triple(rng)
    found = cost_of(layer, how, on)
    if layer.op is Op.TRCONV and all(phase.empty for phase in phases(layer)):  # every output lies between inputs
        assert found.compute_cycles == found.utilisation == 0
        return
    work = math.prod(bounds_of(layer))
    assert found.cycles >= found.compute_cycles >= math.ceil(work / on.pes)
    assert 0 < found.utilisation <= 1
    assert all(found.cycles >= busy for _, _, busy in found.port_cycles)


@SETTINGS
@given(RANDOM)
def test_dram_traffic_is_at_least_compulsory(rng: random.Random) -> None:
    layer, how, on = triple(rng)
    counts = counts_of(layer, how, on)
    touched, weights, outputs = counts.peaks[0]  # level 0 holds each tensor whole: what is touched at all
    assert counts.reads[0][0] >= touched
    assert counts.reads[0][1] >= weights
    assert counts.writes[0][2] >= outputs
    assert counts.reads[0][2] == counts.writes[0][2] - outputs  # a sum is read back each time but the first


@SETTINGS
@given(RANDOM)
def test_every_byte_that_arrives_was_read_above(rng: random.Random) -> None:
    layer, how, on = triple(rng)
    counts = counts_of(layer, how, on)
    nest = lower(layer, how, on)
    assert not isinstance(nest, Infeasible)
    for x in range(2):
        stores = [m for m in range(nest.levels) if nest.keeps[m][x]]
        for q, m in zip(stores, [*stores[1:], nest.levels], strict=True):
            assert counts.reads[q][x] <= counts.arrivals[m][x]  # multicast only saves reads
            assert all(on.levels[i].multicast for i in range(q, m)) or counts.reads[q][x] == counts.arrivals[m][x]
            if m < nest.levels:
                assert counts.writes[m][x] == counts.arrivals[m][x]


@SETTINGS
@given(RANDOM, st.floats(1.0, 64.0))
def test_more_bandwidth_is_never_slower(rng: random.Random, factor: float) -> None:
    layer, how, on = triple(rng)
    wider = replace(
        on,
        levels=tuple(
            replace(
                level,
                read_bytes_per_cycle=level.read_bytes_per_cycle and level.read_bytes_per_cycle * factor,
                write_bytes_per_cycle=level.write_bytes_per_cycle and level.write_bytes_per_cycle * factor,
            )
            for level in on.levels
        ),
    )
    narrow, wide = cost_of(layer, how, on), cost_of(layer, how, wider)
    unbounded = cost_of(layer, how, with_levels(on, read_bytes_per_cycle=None, write_bytes_per_cycle=None))
    assert narrow.cycles >= wide.cycles >= unbounded.cycles >= unbounded.compute_cycles
    assert narrow.traffic_bytes == wide.traffic_bytes


@SETTINGS
@given(RANDOM)
def test_overlap_never_hurts(rng: random.Random) -> None:
    layer, how, on = triple(rng)
    single, double, stream = (cost_of(layer, how, with_levels(on, buffering=mode)).cycles for mode in Buffering)
    assert stream <= double
    assert stream <= single


@SETTINGS
@given(RANDOM, st.integers(1, 4096))
def test_a_larger_buffer_is_never_infeasible(rng: random.Random, capacity: int) -> None:
    layer, how, on = triple(rng)
    free = cost_of(layer, how, on)

    def sized(n: int) -> LayerCost | Infeasible:
        levels = (on.levels[0], *(replace(level, capacity_bytes=n) for level in on.levels[1:]))
        return evaluate(layer, how, replace(on, levels=levels))

    tight, loose = sized(capacity), sized(capacity * 2)
    need = max((sum(n for m, _, n in free.peak_bytes if m == level.name) for level in on.levels[1:]), default=0)
    assert isinstance(tight, LayerCost) or need > capacity - 4  # peaks are rounded up to whole bytes, each of three
    assert isinstance(loose, LayerCost) or isinstance(tight, Infeasible)
    if isinstance(loose, LayerCost):
        assert loose == free
    else:
        assert loose.demand > loose.bound == capacity * 2


@SETTINGS
@given(RANDOM)
def test_energy_is_what_moves_times_what_it_costs(rng: random.Random) -> None:
    layer, how, on = triple(rng)
    found = cost_of(layer, how, on)
    parts = dict(found.energy_pj or ())
    runs = [phase.layer for phase in phases(layer) if not phase.empty] if layer.op is Op.TRCONV else [layer]
    assert parts["MAC"] == sum(math.prod(bounds_of(one)) for one in runs) * layer.op.spec.scans
    for level in on.levels:
        exact = found.bytes_of(level.name, way="read") + 2 * found.bytes_of(level.name, way="write")
        rounding = 9 * len(runs) + 2 * (level is on.levels[0])  # of each phase and of the outputs without taps
        assert exact - rounding <= parts[level.name] <= exact  # traffic is reported in whole bytes, rounded up
    assert found.total_energy_pj == sum(parts.values())
