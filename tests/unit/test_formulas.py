"""Counts of small nests whose sums can be done by hand, in Python and compiled."""

from dataclasses import replace

from accel_models.reuse.counts import count
from accel_models.reuse.nest import Nest
from mappings.layer import Layer, Op

ALL = (1, 1, 1)


def nest(layer: Layer, chains: dict[str, tuple[int, ...]], orders: tuple[str, ...]) -> Nest:
    """A nest with unit chains where none is given; orders name the outer dims, the others follow."""
    names = "GNKCPQRS"
    levels = len(orders)
    full = tuple(tuple(range(8)) for _ in orders)
    order = tuple(
        tuple([names.index(d) for d in text] + [d for d in full[0] if names[d] not in text]) for text in orders
    )
    chain = tuple(chains.get(d, (1,) * (3 * levels)) for d in names)
    return Nest(layer, chain, order, (ALL,) * levels, (1,) * levels, (1,) * levels)


def test_input_is_fetched_again_when_an_outer_loop_it_does_not_depend_on_advances() -> None:
    layer = Layer("x", Op.LINEAR, K=2, C=2)
    outer = count(nest(layer, {"K": (1,) * 6, "C": (1,) * 6}, ("KC", "")))
    inner = count(nest(layer, {"K": (1,) * 6, "C": (1,) * 6}, ("CK", "")))
    assert outer.reads[0][0] == 4  # each of the two inputs for each of the two outputs
    assert inner.reads[0][0] == 2  # K inside C: the input stays
    assert outer.writes[0][2] == 2  # C inside K: each sum is finished in the buffer
    assert outer.reads[0][2] == 0
    assert (inner.writes[0][2], inner.reads[0][2]) == (4, 2)  # each sum goes up twice, comes back once


def test_ragged_tiles_move_only_what_they_hold() -> None:
    layer = Layer("x", Op.LINEAR, K=5, P=3)
    counts = count(nest(layer, {"K": (2, 2, 2, 1, 1, 1), "P": (3, 3, 3, 1, 1, 1)}, ("K", "KP")))
    assert counts.steps == 15
    assert counts.reads[0] == (3, 5, 0)
    assert counts.peaks[1] == (3, 2, 6)


def test_halo_is_fetched_by_each_tile_and_padding_by_none() -> None:
    layer = Layer("x", Op.CONV, P=4, R=3, padding=(1, 0, 1, 0))
    counts = count(nest(layer, {"P": (2, 2, 2, 1, 1, 1), "R": (3, 3, 3, 1, 1, 1)}, ("P", "PR")))
    assert layer.H == 4
    assert counts.reads[0][0] == 3 + 3  # rows -1..2 and 1..4 of 0..3
    assert counts.peaks[1][0] == 3
    assert counts.reads[1][0] == 12 - 2  # a tap on padding reads nothing


def test_multicast_and_spatial_reduction() -> None:
    layer = Layer("x", Op.LINEAR, K=4, C=3)
    chains = {"K": (4, 1, 1, 1, 1, 1), "C": (3, 3, 1, 1, 1, 1)}
    counts = count(nest(layer, chains, ("", "")))
    assert counts.steps == 1
    assert counts.reads[0] == (3, 12, 0)
    assert counts.writes[1] == (12, 12, 12)
    assert counts.writes[0][2] == 4


def test_a_memory_that_slides_keeps_the_overlap() -> None:
    layer = Layer("x", Op.CONV, Q=6, S=3, K=2)
    tiles = {"Q": (2, 2, 2, 1, 1, 1), "S": (3, 3, 3, 1, 1, 1), "K": (1, 1, 1, 1, 1, 1)}
    outer = nest(layer, tiles, ("KQ", "QS"))
    assert count(outer).reads[0][0] == 2 * (4 + 4 + 4)
    slides = replace(outer, keeps=(ALL, (2, 1, 1)))
    assert count(slides).reads[0][0] == 2 * (4 + 2 + 2)  # back at the first tile, it is fetched whole
    by_two = replace(slides, layer=replace(layer, stride=(1, 2)))
    assert count(by_two).reads[0][0] == 2 * (5 + 4 + 4)
    between = replace(slides, orders=nest(layer, tiles, ("QK", "QS")).orders)
    assert count(between).reads[0][0] == 4 + 2 + 2
