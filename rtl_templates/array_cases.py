"""Tiles with data for the PE arrays, and what numpy makes of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from accel_models.program.packing import IntArray
from accel_models.template.array_timing import array_cycles
from accel_models.template.spec import Template
from accel_models.template.tile import Tile
from accel_models.template.weight_form import HEADER_TAPS


@dataclass(frozen=True, eq=False)
class TileCase:
    """One tile with its data.

    Attributes:
        tile: shape.
        x: activations ``[C, in_h, in_w]``.
        weight: ``[K, C, R, S]``.
        dual: with weights of half the width, two in the place of one.
        accumulate: add to ``initial`` instead of overwriting it.
        ib_base, wb_base, ab_base: first words in the buffers.
        idle_cycles: before the command.
        reset_at: cycle in which the running tile is cut off by a reset, after which it runs anew; 0: none.
        seed: of the accumulators' former contents and of the lanes beyond the channels.
    """

    tile: Tile
    x: IntArray
    weight: IntArray
    accumulate: bool
    ib_base: int
    wb_base: int
    ab_base: int
    idle_cycles: int
    reset_at: int
    seed: int
    dual: bool = False


def convolve(tile: Tile, x: IntArray, weight: IntArray) -> IntArray:
    """The tile in numpy: ``[K, P, Q]`` sums in 64 bits."""
    bottom = max(0, (tile.p - 1) * tile.stride_h + (tile.r - 1) * tile.dilation_h + 1 - tile.pad_top - tile.in_h)
    right = max(0, (tile.q - 1) * tile.stride_w + (tile.s - 1) * tile.dilation_w + 1 - tile.pad_left - tile.in_w)
    full = np.pad(x, ((0, 0), (tile.pad_top, bottom), (tile.pad_left, right)))
    out = np.zeros((tile.k, tile.p, tile.q), dtype=np.int64)
    for r in range(tile.r):
        rows = full[:, r * tile.dilation_h :][:, :: tile.stride_h][:, : tile.p]
        for s in range(tile.s):
            window = rows[:, :, s * tile.dilation_w :][:, :, :: tile.stride_w][:, :, : tile.q]
            out += np.tensordot(weight[:, :, r, s], window, axes=(1, 0))
    return out


def random_case(rng: np.random.Generator, template: Template, max_cycles: int = 4000) -> TileCase:
    """A random tile that an array of this template finishes within about ``max_cycles``."""
    lanes = template.word_lanes
    while True:
        r, s = (
            int(v)
            for v in rng.choice([1, 1, 2, 3, 3, 4, 5, 7, 11, lanes + 1], 2, p=[0.2, 0.15, *[0.1] * 5, 0.06, 0.05, 0.04])
        )
        if template.tap_skipping and rng.random() < 0.5:
            r, s = (int(v) for v in rng.integers(1, HEADER_TAPS + 1, 2))
        stride_h, stride_w = (int(v) for v in rng.choice([1, 2, 3, 5], 2, p=[0.55, 0.3, 0.1, 0.05]))
        dilation_h, dilation_w = (int(v) for v in rng.choice([1, 2, 3, 6], 2, p=[0.65, 0.2, 0.1, 0.05]))
        p, q = (int(v) for v in np.exp(rng.uniform(0, np.log(4 * lanes), 2)))
        k, c = (int(v) for v in np.exp(rng.uniform(0, np.log(3.5 * lanes), 2)))
        if rng.random() < 0.3:
            k, c = -(-k // lanes) * lanes, -(-c // lanes) * lanes
        span_h, span_w = (r - 1) * dilation_h, (s - 1) * dilation_w
        pads = [
            int(rng.integers(0, span + 1)) if rng.random() < 0.6 else 0 for span in (span_h, span_h, span_w, span_w)
        ]
        slack = [int(rng.integers(0, 3)) if rng.random() < 0.3 else 0 for _ in range(2)]
        in_h = (p - 1) * stride_h + span_h + 1 - pads[0] - pads[1] + slack[0]
        in_w = (q - 1) * stride_w + span_w + 1 - pads[2] - pads[3] + slack[1]
        if min(in_h, in_w) < 1:
            continue
        tile = Tile(k, c, p, q, r, s, stride_h, stride_w, dilation_h, dilation_w, pads[0], pads[2], in_h, in_w)
        if array_cycles(template.array, template.rows, template.cols, tile) <= max_cycles and in_h * in_w * c < 2**19:
            break
    return tile_case(rng, template, tile)


def tile_case(rng: np.random.Generator, template: Template, tile: Tile) -> TileCase:
    """A tile with random data (extreme values among them), bases and former accumulators."""
    dual = template.dual_rate and bool(rng.random() < 0.7)
    act, weight = 1 << (template.act_bits - 1), 1 << ((template.weight_bits >> dual) - 1)
    if template.tap_skipping and max(tile.r, tile.s) <= HEADER_TAPS and rng.random() < 0.8:
        tile = tile._replace(kept=int(rng.integers(1, tile.r * tile.s + 1)))
    x = rng.integers(-act, act, (tile.c, tile.in_h, tile.in_w))
    w = rng.integers(-weight, weight, (tile.k, tile.c, tile.r, tile.s))
    if rng.random() < 0.1:
        x, w = np.full_like(x, -act), np.full_like(w, -weight)
    if tile.kept:
        w *= tap_mask(rng, w.shape, tile.kept, (template.cols << dual, template.rows))
    bases = [int(rng.integers(0, 50)) if rng.random() < 0.5 else 0 for _ in range(3)]
    accumulate, idle = bool(rng.random() < 0.4), int(rng.integers(0, 4))
    reset_at = int(rng.integers(1, 1500)) if rng.random() < 0.2 else 0
    return TileCase(
        tile, x, w, accumulate, bases[0], bases[1], bases[2], idle, reset_at, int(rng.integers(2**31)), dual
    )


def tap_mask(rng: np.random.Generator, shape: tuple[int, ...], kept: int, block: tuple[int, int]) -> IntArray:
    """Ones and zeros ``[K, C, R, S]``: up to ``kept`` random taps in each block of channels."""
    taps = shape[2] * shape[3]
    blocks = (-(-shape[0] // block[0]), -(-shape[1] // block[1]))
    limit = np.where(rng.random(blocks) < 0.8, kept, rng.integers(0, kept + 1, blocks))
    mask = rng.permuted(np.broadcast_to(np.arange(taps), (*blocks, taps)), axis=2) < limit[..., None]
    whole = mask.repeat(block[0], axis=0).repeat(block[1], axis=1)[: shape[0], : shape[1]]
    return whole.reshape(shape).astype(np.int64)


def busy_tile(template: Template) -> Tile:
    """A compute-bound 3x3 convolution: 64 x 64 channels over 32 x 32 pixels, scaled with the array."""
    side = 2 * template.cols if template.cols >= 16 else 32
    return Tile(4 * template.cols, 4 * template.rows, side, side, 3, 3, pad_top=1, pad_left=1, in_h=side, in_w=side)
