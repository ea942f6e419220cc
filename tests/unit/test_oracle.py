"""The engine's counts equal those of the walk; the walk's own sums come out right; a wrong formula is noticed."""

import pytest

from accel_models.reuse import formulas
from accel_models.reuse.nest import Nest
from accel_models.reuse.oracle import Oracle
from benchmarks.oracle import compare, figures
from mappings.layer import Layer, Op


def test_engine_equals_oracle() -> None:
    tally = compare(120, seed=11)
    assert not tally.wrong, tally.examples[:3]
    assert tally.ragged > 40
    assert all(figure.met is not False for figure in figures(tally, 120))


def test_a_wrong_formula_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the reuse of a tile across loops that it does not depend on, reads differ."""
    monkeypatch.setattr(formulas, "staying", lambda extent, chain, c, m: extent if c == m else 0)
    tally = compare(40, seed=11)
    assert tally.wrong["reads"] > 5
    assert any(figure.met is False for figure in figures(tally, 40))


def test_walk_by_hand() -> None:
    """Two outputs of two products each, reduction outermost: every sum comes back once."""
    layer = Layer("fc", Op.LINEAR, K=2, C=2)
    order = (3, 2, 0, 1, 4, 5, 6, 7)
    chains = tuple((1,) * 6 for _ in range(8))
    walked = Oracle(Nest(layer, chains, (order, order), ((1, 1, 1),) * 2, (1, 1), (1, 1))).run()
    assert walked.steps == walked.macs == 4
    assert walked.reads[0] == [2, 4, 2]
    assert walked.writes[0] == [0, 0, 4]
    assert walked.writes[1] == [2, 4, 4 + 2]
    assert set(walked.sums.values()) == {2}
