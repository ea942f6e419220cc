"""Tiles of a layer that the on-chip buffers of a template hold, least memory traffic first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from accel_models.template.spec import Template
from mappings.errors import Fault, SpecError
from mappings.layer import Layer


@dataclass(frozen=True)
class Tiling:
    """Extents of one tile: output and input channels per group, output rows and columns, filter rows."""

    k: int
    c: int
    p: int
    q: int
    r: int


@dataclass(frozen=True)
class BufferWords:
    """Words of one half of each buffer.

    Attributes:
        lanes: channels of an input word.
        cols: channels of a weight, accumulator or output word.
    """

    lanes: int
    cols: int
    input_words: int
    weight_words: int
    acc_words: int
    output_words: int

    @classmethod
    def of(cls, template: Template) -> BufferWords:
        """Words that the template's bytes make; accumulator and output words are as wide as the array."""
        lanes = max(template.rows, template.cols)
        return cls(
            lanes,
            template.cols,
            template.input_buffer_bytes * 8 // (lanes * template.act_bits),
            template.weight_words,
            template.acc_buffer_bytes * 8 // (template.cols * template.acc_bits),
            template.output_buffer_bytes * 8 // (template.cols * template.act_bits),
        )


def _span(outputs: int, stride: int, taps: int, dilation: int) -> int:
    return (outputs - 1) * stride + (taps - 1) * dilation + 1


def _halves(extent: int, multiple: int) -> Iterator[int]:
    """``extent`` (rounded up to ``multiple``), then about halves of it, down to ``multiple``."""
    size = -(-extent // multiple) * multiple
    while True:
        yield size
        if size == multiple:
            return
        size = -(-(size // 2) // multiple) * multiple


def fits(layer: Layer, tile: Tiling, words: BufferWords) -> bool:
    """Whether a tile's input, weights and partial sums fit their buffers."""
    stride, dilation = (1, 1) if layer.op.spec.transposed else layer.stride, layer.dilation
    rows = _span(tile.p, stride[0], tile.r, dilation[0])
    cols = _span(tile.q, stride[1], layer.S, dilation[1])
    blocks = 1 if layer.is_depthwise else -(-tile.k // words.cols)
    return (
        -(-tile.c // words.lanes) * rows * cols <= words.input_words
        and blocks * tile.c * tile.r * layer.S <= words.weight_words
        and blocks * tile.p * tile.q <= words.acc_words
    )


def traffic(layer: Layer, tile: Tiling, words: BufferWords) -> int:
    """Words read for one group of a layer: inputs again for each tile of K, weights again for each tile of pixels."""
    stride, dilation = (1, 1) if layer.op.spec.transposed else layer.stride, layer.dilation
    k_tiles, pixel_tiles = -(-layer.K // tile.k), -(-layer.P // tile.p) * -(-layer.Q // tile.q)
    in_rows = _span(tile.p, stride[0], tile.r, dilation[0]) * -(-layer.R // tile.r)
    pixels = in_rows * _span(tile.q, stride[1], layer.S, dilation[1])
    inputs = k_tiles * pixel_tiles * pixels * -(-layer.C // words.lanes)
    weights = pixel_tiles * -(-layer.K // words.cols) * layer.C * layer.R * layer.S
    return inputs + weights


def choose(layer: Layer, words: BufferWords) -> Tiling:
    """The legal tiling that reads least, over halvings of each extent.

    Raises:
        SpecError: not even the smallest tile fits.
    """
    whole_words = [layer.C, *(c for c in _halves(layer.C, words.lanes) if c < layer.C)]
    part_words = [c for c in _halves(words.lanes // 2, 1) if c < layer.C]
    # Tiles of less than a word of channels leave rows of the array idle: only where nothing else fits.
    best = _least_traffic(layer, words, whole_words) or _least_traffic(layer, words, part_words)
    if best is None:
        raise SpecError(
            Fault(
                f"layer {layer.name}", f"no tile of a {layer.R} x {layer.S} filter fits the buffers", "larger buffers"
            )
        )
    return best


def _least_traffic(layer: Layer, words: BufferWords, c_sizes: list[int]) -> Tiling | None:
    k_sizes = list(_halves(layer.K, words.cols))
    pixels = [(p, layer.Q) for p in _halves(layer.P, 1)] + [(1, q) for q in _halves(layer.Q, 1) if q < layer.Q]
    best: tuple[tuple[int, int], Tiling] | None = None
    for r, c, k in product(dict.fromkeys((layer.R, 1)), c_sizes, k_sizes):
        for p, q in pixels:
            tile = Tiling(k, c, p, q, r)
            if fits(layer, tile, words):
                tiles = -(-layer.C // c) * -(-layer.R // r)
                key = (traffic(layer, tile, words), tiles)
                if best is None or key < best[0]:
                    best = (key, tile)
                break  # smaller pixel tiles read no less
    return None if best is None else best[1]
