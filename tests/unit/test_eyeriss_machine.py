"""Eyeriss' buffer, accesses and cycles by hand, and its search."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accel_models.published.eyeriss import EYERISS, EyerissCost, RowStationary
from accel_models.published.eyeriss_search import best, energy_delays, least_sizes, mapspace
from accel_models.report import Infeasible
from accel_models.reuse.counts import count
from accel_models.reuse.lower import lower
from accel_models.reuse.nest import Nest
from accel_models.reuse.oracle import Oracle
from mappings.errors import SpecError
from mappings.layer import Bits, Layer, Op

WORD = Bits(16, 16, 16, 16)
LAYER = Layer("a", Op.CONV, N=2, K=32, C=8, P=14, Q=14, R=3, S=3, padding=(1, 1, 1, 1))
SMALL = Layer("a", Op.CONV, N=1, K=6, C=4, P=7, Q=7, R=3, S=3)


def test_cost_by_hand() -> None:
    cost = EYERISS.cost(LAYER, RowStationary(n=2, m=32, e=7, p=8, q=2, r=2, t=2))
    assert isinstance(cost, EyerissCost)
    assert cost.active_pes == 3 * 7 * 2 * 2
    sums = 2 * 32 * 14 * 14 * 2  # outputs x two passes over the channels
    inputs = 2 * 8 * 2 * 9 * 16 * 2  # images, channels, strips, rows, columns; for each of two groups of 16 filters
    assert cost.buffer_words == 2 * sums + inputs
    passes = 2 * 2 * 2  # strips, groups of filters, channels
    assert cost.steps == passes * 2 * 8 * 14 * 2 * 3
    assert cost.dram_inputs == 2 * 8 * (14 + 2) * 14  # the second strip fetches two rows anew
    assert cost.dram_weights == 32 * 8 * 9 * 2
    assert cost.dram_outputs == 2 * 32 * 14 * 14
    assert cost.compute_cycles == cost.steps + passes * 2 * 8 * 14 + cost.dram_weights / 4
    assert cost.cycles == max(cost.compute_cycles, (sums + inputs) / 4)
    assert cost.dram_words(0.1, 0.5) == cost.dram_inputs + cost.dram_weights + cost.dram_outputs * 2 / 3


def test_channels_and_filters_that_do_not_divide() -> None:
    cost = EYERISS.cost(SMALL, RowStationary(n=1, m=6, e=7, p=4, q=3, r=1, t=1))
    assert isinstance(cost, EyerissCost)
    assert cost.steps == 7 * 3 * (4 + 2) * (
        3 + 1
    )  # columns x taps x filters x channels, the last pass of each narrower
    assert cost.compute_cycles == cost.steps + 7 * (4 + 2) * 2 + cost.dram_weights / 4


def test_a_bank_holds_inputs_or_sums() -> None:
    layer = Layer("a", Op.CONV, N=4, K=384, C=192, P=13, Q=13, R=3, S=3, padding=(1, 1, 1, 1))
    fits = RowStationary(n=4, m=64, e=13, p=16, q=3, r=2, t=2)
    assert EYERISS.held_words(layer, fits) == (4 * 6 * 15 * 15, 4 * 64 * 13 * 13)
    assert EYERISS.banks_needed(layer, fits) == 25
    outcome = EYERISS.cost(layer, replace(fits, q=4))  # 100,928 of 102,400 bytes, but 26 banks
    assert isinstance(outcome, Infeasible)
    assert (outcome.demand, outcome.bound, outcome.unit) == (26, 25, "banks")
    assert isinstance(best(LAYER, replace(EYERISS, banks=1)), Infeasible)


def test_one_set_of_parameters_gives_the_buffer_accesses_measured_of_three_layers() -> None:
    """AlexNet's third to fifth (Chen 2017, table V), to a tenth of a megabyte."""
    for groups, filters, channels, parameters, megabytes in (
        (1, 384, 256, (4, 64, 13, 16, 3, 2, 2), 50.2),
        (2, 192, 192, (4, 64, 13, 16, 3, 2, 2), 37.4),
        (2, 128, 192, (4, 64, 13, 16, 3, 2, 2), 24.9),
    ):
        layer = Layer("a", Op.CONV, N=4, K=filters, C=channels, P=13, Q=13, R=3, S=3, groups=groups, padding=(1,) * 4)
        cost = EYERISS.cost(layer, RowStationary(*parameters))
        assert isinstance(cost, EyerissCost)
        assert cost.buffer_words * 2e-6 == pytest.approx(megabytes, abs=0.06)
        assert cost.active_pes == 156


def test_mapspace_keeps_every_bound() -> None:
    mappings = list(mapspace(LAYER))
    assert len(mappings) == len(set(mappings)) > 1000
    for mapping in mappings:
        assert mapping.p <= 24
        assert mapping.q * 3 <= 12
        assert mapping.p * mapping.q * 3 <= 224
        assert 3 * mapping.e * mapping.r * mapping.t <= 168
        assert mapping.q * mapping.r * 14 <= 128
        assert EYERISS.banks_needed(LAYER, mapping) <= 25


def test_sizes_that_nothing_beats() -> None:
    assert least_sizes(14, 14) == [14, 7, 5, 4, 3, 2, 1]
    assert least_sizes(55, 14) == [14, 11, 10, 8, 7, 6, 5, 4, 3, 2, 1][: len(least_sizes(55, 14))]
    assert least_sizes(3, 0) == []


def test_best_is_the_best_of_all_by_the_engine() -> None:
    found = best(SMALL)
    assert not isinstance(found, Infeasible)
    costs = [EYERISS.cost(SMALL, mapping) for mapping in mapspace(SMALL)]
    assert len(costs) > 100
    assert found[1].energy_delay == min(cost.energy_delay for cost in costs if isinstance(cost, EyerissCost))


def test_the_batch_engine_is_given_what_the_directives_say() -> None:
    mappings = list(mapspace(LAYER))[::100]
    for mapping, energy_delay in zip(mappings, energy_delays(LAYER, mappings), strict=True):
        cost = EYERISS.cost(LAYER, mapping)
        assert isinstance(cost, EyerissCost)  # every mapping of the mapspace fits the scratchpads
        assert energy_delay / cost.energy == pytest.approx(cost.cycles, rel=0.15)  # padding, and filters that stay
    plain = replace(LAYER, padding=(0, 0, 0, 0))
    found = [cost for mapping in mappings if isinstance(cost := EYERISS.cost(plain, mapping), EyerissCost)]
    ours = energy_delays(plain, mappings)
    assert sum(abs(x / cost.energy_delay - 1) < 1e-9 for x, cost in zip(ours, found, strict=True)) > len(found) / 2


def test_the_oracle_counts_the_same_on_the_chip_s_hierarchy() -> None:
    layer = replace(SMALL, bits=WORD)
    mapping = RowStationary(n=1, m=4, e=4, p=2, q=2, r=1, t=2)
    nest = lower(layer, EYERISS.directives(layer, mapping), EYERISS.hierarchy(layer, mapping))
    assert isinstance(nest, Nest)
    oracle, counts = Oracle(nest), count(nest)
    oracle.run()
    assert (oracle.steps, oracle.macs) == (counts.steps, counts.macs)
    assert [list(row) for row in counts.reads] == oracle.reads
    assert [list(row) for row in counts.writes] == oracle.writes


def test_wide_sets_are_folded_and_wide_rows_cut() -> None:
    assert EYERISS.sets(LAYER, 14) == 4
    assert EYERISS.sets(LAYER, 28) == 2
    assert EYERISS.sets(LAYER, 7) == 8
    wide = Layer("a", Op.CONV, K=64, C=8, P=224, Q=224, R=3, S=3, padding=(1, 1, 1, 1))
    assert EYERISS.row_outputs(wide) == 112
    cost = EYERISS.cost(wide, RowStationary(n=1, m=32, e=13, p=8, q=1, r=1, t=4))
    assert isinstance(cost, EyerissCost)
    strips, halves = 18, 2
    assert cost.dram_inputs == 8 * (224 + 2 * (strips - 1)) * (224 + 2 * (halves - 1)) * 2  # two blocks of filters


def test_unsupported_layer_is_refused() -> None:
    with pytest.raises(SpecError, match="not supported"):
        best(Layer("a", Op.CONV, K=8, C=8, P=8, Q=8, R=13, S=13))
    with pytest.raises(SpecError, match="not supported"):
        best(Layer("a", Op.LINEAR, K=8, C=8))
