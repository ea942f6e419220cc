"""Eyeriss' buffer, accesses and cycles by hand."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from accel_models.evaluate import evaluate
from accel_models.machines.eyeriss import EYERISS, EyerissCost, RowStationary
from accel_models.machines.eyeriss_mapping import counted, directives, hierarchy
from accel_models.report import Infeasible, LayerCost
from mappings.errors import SpecError
from mappings.layer import Bits, Layer, Op

LAYER = Layer("a", Op.CONV, N=2, K=32, C=8, P=14, Q=14, R=3, S=3, padding=(1, 1, 1, 1))


def test_cost_by_hand() -> None:
    cost = EYERISS.cost(LAYER, RowStationary(n=2, m=32, e=7, p=8, q=2, r=2, t=2))
    assert isinstance(cost, EyerissCost)
    assert cost.active_pes == 3 * 7 * 2 * 2
    sums = 2 * 32 * 14 * 14 * 2  # outputs x two passes over the channels
    inputs = 2 * 8 * 2 * 9 * 16 * 2  # images, channels, strips, rows, columns; for each of two groups of 16 filters
    assert cost.buffer_words == 2 * sums + inputs
    passes = 2 * 2 * 2  # strips, groups of filters, channels
    assert cost.compute_cycles == passes * (2 * 8 * 14 * (2 * 3 + 1) + 8 * 2 * 3 * 3 * 2 * 2 / 4)
    assert cost.cycles == max(cost.compute_cycles, (sums + inputs) / 4)
    assert cost.dram_inputs == 2 * 8 * (14 + 2) * 14  # the second strip fetches two rows anew
    assert cost.dram_weights == 32 * 8 * 9 * 2
    assert cost.dram_outputs == 2 * 32 * 14 * 14
    assert cost.dram_words(0.1, 0.5) == cost.dram_inputs + cost.dram_weights + cost.dram_outputs * 2 / 3


def test_capacity_is_a_bound() -> None:
    wide = Layer("a", Op.CONV, K=64, C=8, P=224, Q=224, R=3, S=3, padding=(1, 1, 1, 1))
    outcome = EYERISS.cost(wide, RowStationary(n=1, m=32, e=14, p=8, q=1, r=1, t=4))
    assert isinstance(outcome, Infeasible)
    assert outcome.demand == 2 * (32 * 14 * 224 + 16 * 226)
    small = replace(EYERISS, buffer_words=500)
    assert isinstance(small.best(wide), Infeasible)


def test_mapspace_keeps_every_bound() -> None:
    mappings = list(EYERISS.mapspace(LAYER))
    assert len(mappings) == len(set(mappings)) > 1000
    for mapping in mappings:
        assert mapping.p <= 24
        assert mapping.q * 3 <= 12
        assert mapping.p * mapping.q * 3 <= 224
        assert 3 * mapping.e * mapping.r * mapping.t <= 168
        assert LAYER.K % mapping.m == 0


def test_best_is_the_best_of_all() -> None:
    best = EYERISS.best(LAYER)
    assert not isinstance(best, Infeasible)
    energies = [
        cost.energy
        for mapping in EYERISS.mapspace(LAYER)
        if mapping.p * mapping.t >= 32 and mapping.e == 14
        if isinstance(cost := EYERISS.cost(LAYER, mapping), EyerissCost) and cost.active_pes == 168
    ]
    assert best[1].energy == min(energies)


def test_wide_sets_are_folded() -> None:
    assert EYERISS.sets(LAYER, 14) == 4
    assert EYERISS.sets(LAYER, 28) == 2
    assert EYERISS.sets(LAYER, 7) == 8


def test_unsupported_layer_is_refused() -> None:
    with pytest.raises(SpecError, match="not supported"):
        EYERISS.best(Layer("a", Op.CONV, K=8, C=8, P=8, Q=8, R=13, S=13))
    with pytest.raises(SpecError, match="not supported"):
        EYERISS.best(Layer("a", Op.LINEAR, K=8, C=8))


WORD = Bits(16, 16, 16, 16)


@pytest.mark.parametrize(
    "layer",
    [
        Layer("a", Op.CONV, N=2, K=32, C=8, P=14, Q=14, R=3, S=3, bits=WORD),
        Layer("a", Op.CONV, N=2, K=16, C=6, P=13, Q=13, R=5, S=5, groups=2, stride=(2, 2), bits=WORD),
        Layer("a", Op.CONV, N=3, K=12, C=4, P=10, Q=9, R=3, S=3, bits=WORD),
    ],
)
def test_accesses_words_held_and_steps_are_the_engine_s(layer: Layer) -> None:
    mappings = list(EYERISS.mapspace(layer))
    for mapping in random.Random(0).sample(mappings, 80):
        cost = EYERISS.cost(layer, mapping)
        assert isinstance(cost, EyerissCost)
        counts = counted(layer, mapping)
        assert counts.reads[0] == (cost.dram_inputs, cost.dram_weights, 0)
        assert counts.writes[0][2] == cost.dram_outputs
        assert counts.reads[1][0] + counts.reads[1][2] + counts.writes[1][2] == cost.buffer_words
        assert counts.steps == cost.steps
        report = evaluate(layer, directives(layer, mapping), hierarchy(layer, mapping))
        assert isinstance(report, LayerCost)  # every mapping of the mapspace fits the scratchpads
        held = sum(count for level, _, count in report.peak_bytes if level == "GLB")
        assert held == 2 * EYERISS.held_words(layer, mapping)


def test_engine_refuses_what_overflows_the_buffer() -> None:
    wide = Layer("a", Op.CONV, K=64, C=8, P=224, Q=224, R=3, S=3, bits=WORD)
    mapping = RowStationary(n=1, m=32, e=14, p=8, q=1, r=1, t=4)
    outcome = evaluate(wide, directives(wide, mapping), hierarchy(wide, mapping))
    assert isinstance(outcome, Infeasible)
    assert outcome.demand == 2 * EYERISS.held_words(wide, mapping)
