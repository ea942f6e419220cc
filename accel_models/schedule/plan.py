"""What a layer is before its commands: tiles, places, and what rides along with it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, product
from typing import NamedTuple

from accel_models.schedule.commands import Second
from accel_models.schedule.tensors import Span, TensorLayout
from accel_models.schedule.tiling import Shape, Tiling, weight_words
from accel_models.template.array_timing import ceil_div
from accel_models.template.spec import Template
from accel_models.template.tile import Tile
from mappings.errors import Fault, SpecError
from mappings.layer import Layer
from mappings.operators import SecondOperand


class WeightTile(NamedTuple):
    """Weights of one tile, as they lie in memory.

    Attributes:
        k0, k1: places of output channels.
        word0, word1: channel words of the input that they meet.
        c: input channels of the tile: places ``word0 * lanes`` to ``word0 * lanes + c``.
        rows: of the filter.
        words: of the weight buffer.
        addr: first byte.
    """

    k0: int
    k1: int
    word0: int
    word1: int
    c: int
    rows: Span
    words: int
    addr: int = 0


@dataclass(frozen=True, eq=False)
class LayerPlan:
    """A layer with its tiles and places, and the layers that ride along in its post-processing.

    Attributes:
        layer: the operator.
        index: its number, the tag of its commands.
        shape, tiling: as `tiling` has them.
        inputs, output: places of the tensors; the output is that of the chain's last layer.
        chain: the layer, then an addition to its result, an activation function, or both.
        second: the other operand of the chain's addition or of the layer's own addition or product.
        param_addr: 16 bytes for each output channel: bias (64 bits), multiplier (32), shift (8).
        table_addr: of the activation function's entries, a byte each.
        mask_addr: of a softmax's mask, a weight word for each place and channel word.
        weights: tiles, by output tile, then input tile, then filter rows.
        origin: input row and column of the first tap at the first output; negative in the padding.
        taps: filter rows and columns of the network's layer that the plan's filter is made of; None: all, as they are.
        label: of a plan that makes a part of its layer's output.
        macs: multiply-accumulates of the network's layer that the plan does; None: all of its own.
    """

    layer: Layer
    index: int
    shape: Shape
    tiling: Tiling
    inputs: tuple[TensorLayout, ...]
    output: TensorLayout
    chain: tuple[Layer, ...]
    second: TensorLayout | None = None
    param_addr: int = 0
    table_addr: int = 0
    mask_addr: int = 0
    weights: tuple[WeightTile, ...] = ()
    origin: tuple[int, int] = (0, 0)
    taps: tuple[tuple[int, ...], tuple[int, ...]] | None = None
    label: str = ""
    macs: int | None = None

    @property
    def name(self) -> str:
        """The layer whose output its commands leave in memory, and which part of it."""
        return self.chain[-1].name + self.label

    @property
    def done_macs(self) -> int:
        """Multiply-accumulates that its commands do: all of its layer's but those of skipped taps."""
        taps = self.layer.R * self.layer.S
        return self.layer.macs // taps * (self.shape.kept or taps)

    @property
    def useful_macs(self) -> int:
        """Those that the network counts: of a phase, those of its taps with real inputs."""
        return self.done_macs if self.macs is None else self.macs

    @property
    def utilised_macs(self) -> int:
        """Those of them that the array is busy with: what cut outputs would take is never done."""
        return min(self.useful_macs, self.done_macs)

    @property
    def filter_cuts(self) -> list[Span]:
        """Rows of the filter or window that are held at a time."""
        return cuts(self.layer.R, self.tiling.r or self.layer.R)

    @property
    def joins(self) -> Second:
        """What post-processing does with the second operand."""
        if self.second is None:
            return Second.NONE
        return Second.MULTIPLY if self.layer.op.spec.second is SecondOperand.MULTIPLIED else Second.ADD

    @property
    def has_constants(self) -> bool:
        """Its commands need numbers beyond those of every layer: a sum's rescaling, the non-linear unit's."""
        return self.joins is Second.ADD or self.shape.op.nonlinear

    @property
    def broadcast(self) -> bool:
        """The second operand is one value a channel."""
        second, output = self.second, self.output
        return second is not None and second.rows * second.cols == 1 and output.rows * output.cols > 1

    @property
    def addition(self) -> Layer | None:
        """The addition that the plan carries out."""
        return next((layer for layer in self.chain if layer.op.spec.second is SecondOperand.ADDED), None)

    @property
    def first_is_first(self) -> bool:
        """The addition's first operand is what post-processing rescaled; else it is the second."""
        addition = self.addition
        return addition is self.layer or addition is None or addition.inputs[0] == self.chain[0].name

    @property
    def table(self) -> Layer | None:
        """The activation function that post-processing looks up."""
        last = self.chain[-1]
        return last if self.shape.table or (last is not self.layer and last.op.spec.function) else None


def second_operand(chain: tuple[Layer, ...]) -> str | None:
    """Name of the tensor that joins in post-processing."""
    if chain[0].op.spec.joins:
        return chain[0].inputs[1]
    for before, layer in pairwise(chain):
        if layer.op.spec.second is SecondOperand.ADDED:
            return next(name for name in layer.inputs if name != before.name)
    return None


class Window(NamedTuple):
    """Input rows (or columns) that a tile of the output needs: stored ones, and zeros before them."""

    first: int
    extent: int
    pad: int

    @property
    def span(self) -> Span:
        """What is stored."""
        return self.first, self.extent


def window(outputs: int, first_output: int, taps: int, stride: int, dilation: int, pad: int, stored: int) -> Window:
    """The stored input under ``outputs`` from ``first_output`` on."""
    first = first_output * stride - pad
    last = first + (outputs - 1) * stride + (taps - 1) * dilation
    if first >= stored:  # nothing but zeros behind the input: as good as before it
        return Window(stored - 1, 1, last - first + 1)
    low = min(max(first, 0), stored - 1)
    high = max(min(last, stored - 1), low)
    return Window(low, high - low + 1, low - first)


def cuts(total: int, size: int) -> list[Span]:
    """(first, count) of tiles of ``size`` that cover ``total``."""
    return [(first, min(size, total - first)) for first in range(0, total, size)]


def channel_tiles(plan: LayerPlan, lanes: int) -> list[tuple[int, int, int, int]]:
    """(k0, k1, word0, word1) of every weight tile: by output tile, then input tile."""
    layer, tiling = plan.layer, plan.tiling
    if layer.op.spec.is_product:
        return _head_tiles(plan, lanes)
    if plan.shape.vector:
        blocks = plan.output.blocks
        return [(w * lanes, (w + n) * lanes, w, w + n) for w, n in cuts(blocks, tiling.k // lanes)]
    tiles = []
    for k0, count in cuts(int(plan.output.places.max()) + 1, tiling.k):
        k1 = k0 + count
        if layer.groups > 1:
            places = plan.inputs[0].places[k0 // layer.K * layer.C : ((k1 - 1) // layer.K + 1) * layer.C]
            tiles.append((k0, k1, int(places.min()) // lanes, int(places.max()) // lanes + 1))
        else:
            words = ceil_div(tiling.c, lanes)
            tiles += [(k0, k1, w, w + n) for w, n in cuts(plan.inputs[0].blocks, words)]
    return tiles


def _head_tiles(plan: LayerPlan, lanes: int) -> list[tuple[int, int, int, int]]:
    """Tiles of a matrix product, head by head; its first operand's heads must fill channel words of their own."""
    layer, places = plan.layer, plan.inputs[0].places
    words = ceil_div(layer.C, lanes)
    tiles = []
    for head in range(layer.groups):
        of_head = places[head * layer.C : (head + 1) * layer.C]
        if of_head[0] % lanes or any(of_head != of_head[0] + range(layer.C)):
            what = f"heads of {layer.C} channels do not fill channel words of {lanes} lanes"
            raise SpecError(Fault(f"layer {layer.name}", what, "heads of whole words"))
        first = int(of_head[0]) // lanes
        base = head * ceil_div(layer.K, lanes) * lanes
        tiles += [(base + k0, base + k0 + count, first, first + words) for k0, count in cuts(layer.K, plan.tiling.k)]
    return tiles


def weight_tiles(plan: LayerPlan, template: Template) -> tuple[WeightTile, ...]:
    """Every weight tile of a layer, without addresses."""
    lanes, layer = template.word_lanes, plan.layer
    if layer.op.spec.is_product or not plan.shape.weights:
        return ()
    top = int(plan.inputs[0].places.max()) + 1
    tiles = []
    for (k0, k1, word0, word1), rows in product(channel_tiles(plan, lanes), plan.filter_cuts):
        c = min(word1 * lanes, top) - word0 * lanes
        if plan.shape.vector:
            words = plan.shape.form.stored_words((word1 - word0) * rows[1] * layer.S * (lanes // template.cols))
        else:
            words = weight_words(
                template, Tile(k1 - k0, c, 1, 1, rows[1], layer.S, kept=plan.shape.kept), plan.shape.form
            )
        tiles.append(WeightTile(k0, k1, word0, word1, c, rows, words))
    return tuple(tiles)
