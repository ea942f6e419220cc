"""One layer's tiles as commands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from accel_models.schedule.builder import Builder, Ring
from accel_models.schedule.commands import Buffer, Compute, ComputeOp, Dma, Drain, Second, Setting, Token, Unit
from accel_models.schedule.plan import LayerPlan, channel_tiles, cuts, window
from accel_models.schedule.tensors import Span
from accel_models.template.array_timing import ceil_div, product_outputs
from accel_models.template.spec import Template
from accel_models.template.tile import Tile
from mappings.errors import Fault, SpecError

MAX_PAD = 255  #: rows or columns of zeros before a tile: a field of the descriptor


@dataclass
class Rings:
    """The double buffers."""

    input: Ring
    weight: Ring
    param: Ring
    residual: Ring
    acc: Ring
    output: Ring
    table: Ring

    @classmethod
    def of(cls, template: Template) -> Rings:
        """Empty buffers; the accumulators' halves are a power of two apart."""
        acc_half = 1 << (template.acc_words - 1).bit_length()
        return cls(
            Ring(Token.INPUT_FULL, Token.INPUT_FREE, template.input_words),
            Ring(Token.WEIGHT_FULL, Token.WEIGHT_FREE, template.weight_words),
            Ring(Token.PARAM_FULL, Token.PARAM_FREE, template.param_channels),
            Ring(Token.RESIDUAL_FULL, Token.RESIDUAL_FREE, template.output_words),
            Ring(Token.ACC_FULL, Token.ACC_FREE, acc_half),
            Ring(Token.OUTPUT_FULL, Token.OUTPUT_FREE, template.output_words),
            Ring(Token.TABLE_FULL, Token.TABLE_FREE, template.table_words),
        )


def _output_tiles(plan: LayerPlan, count: int) -> Iterator[tuple[int, Span, Span]]:
    """(number of the channel tile, rows, columns) of every output tile in loop order; ``count`` channel tiles."""
    tiling = plan.tiling
    rows, cols = cuts(plan.layer.P, tiling.p), cuts(plan.layer.Q, tiling.q)
    sizes = {"K": count, "P": len(rows), "Q": len(cols)}
    for steps in product(*(range(sizes[dim]) for dim in tiling.order)):
        at = dict(zip(tiling.order, steps, strict=True))
        yield at["K"], rows[at["P"]], cols[at["Q"]]


def emit_layer(builder: Builder, rings: Rings, plan: LayerPlan, template: Template, wait_memory: bool) -> int:
    """Append a layer's commands; returns the index of its last store.

    Args:
        builder, rings: of the whole program.
        plan: the layer.
        template: the accelerator.
        wait_memory: the first activation load waits until an earlier layer's results are in memory.
    """
    return _Emitter(builder, rings, plan, template, wait_memory).run()


class _Emitter:
    """State of one layer's emission: which tiles the buffers hold now."""

    def __init__(self, builder: Builder, rings: Rings, plan: LayerPlan, template: Template, wait_memory: bool) -> None:
        self.builder, self.rings, self.plan, self.template = builder, rings, plan, template
        self.memory_wait = 1 << Token.MEMORY if wait_memory else 0
        self.lanes = template.word_lanes
        self.op = plan.shape.op
        self.held: dict[str, object] = {}
        tiles = channel_tiles(plan, self.lanes)
        self.by_output: list[list[tuple[int, int, int, int]]] = []
        for tile in tiles:
            if not self.by_output or self.by_output[-1][0][:2] != tile[:2]:
                self.by_output.append([])
            self.by_output[-1].append(tile)
        self.first_part = [0]
        for parts in self.by_output:
            self.first_part.append(self.first_part[-1] + len(parts))

    def run(self) -> int:
        """All images, all tiles."""
        last = -1
        self.builder.add(Setting.LAYER)
        if self.plan.has_constants:
            self.builder.add(Setting.CONSTANTS)
        for image in range(self.plan.layer.N):
            for number, rows, cols in _output_tiles(self.plan, len(self.by_output)):
                self._sum(image, number, rows, cols)
                last = self._finish(image, number, rows, cols)
        self.builder.mark(last)
        return last

    def _load(self, ring: Ring, bodies: list[Dma], memory: bool = False) -> None:
        """Fill a generation; the bodies' bases count from its half's start."""
        wait = self.builder.open(ring)
        if memory:
            wait |= self.memory_wait
            self.memory_wait = 0
        for number, body in enumerate(bodies):
            signal = ring.full if number == len(bodies) - 1 else 0
            self.builder.add(body._replace(base=ring.base + body.base), 0 if number else wait, signal)

    def _operand(self, image: int, k0: int, count: int) -> list[Dma]:
        """The second operand of a matrix product as weights: a word for each channel of the sum, ``cols`` outputs wide.

        Rows beyond the operand's are whatever lies behind it: they meet zeros of the first operand, or outputs that
        nobody reads.
        """
        layer, lanes, cols = self.plan.layer, self.lanes, self.template.cols
        second = self.plan.inputs[1]
        if second.row_words != 1:
            raise SpecError(Fault(f"layer {layer.name}", "multiplies by rows that do not follow each other in memory"))
        head_words = ceil_div(layer.K, lanes)
        head, within = divmod(k0, head_words * lanes)
        reduced = ceil_div(layer.C, lanes)
        groups = ceil_div(count, cols)
        if layer.transpose_b:  # K rows of C channels: each block of cols rows is turned
            word = int(second.places[head * layer.C]) // lanes
            addr = second.word_addr(image, word, within, 0)
            return [Dma(Buffer.TURNED, addr, 0, cols, reduced, groups, second.plane_bytes, cols * second.word_bytes)]
        word = int(second.places[head * layer.K]) // lanes + within // lanes
        parts, depth = lanes // cols, reduced * lanes
        if parts == 1:
            addr = second.word_addr(image, word, 0, 0)
            return [Dma(Buffer.WEIGHT, addr, 0, depth, groups, 1, second.plane_bytes, 0)]
        size = self.template.weight_word_bytes
        bodies = []
        for block in range(ceil_div(groups, parts)):
            addr = second.word_addr(image, word + block, 0, 0)
            some = min(parts, groups - block * parts)
            base = block * parts * depth
            bodies.append(Dma(Buffer.WEIGHT, addr, base, 1, depth, some, second.word_bytes, size))
        return bodies

    def _mask(self, rows: Span, cols: Span) -> Dma:
        """The mask of a tile's places, all channel words of each."""
        layer, words = self.plan.layer, self.plan.shape.row_k // self.lanes
        size = words * self.template.weight_word_bytes
        addr = self.plan.mask_addr + (rows[0] * layer.Q + cols[0]) * size
        if cols[1] == layer.Q:
            return Dma(Buffer.WEIGHT, addr, 0, rows[1] * cols[1] * words)
        return Dma(Buffer.WEIGHT, addr, 0, cols[1] * words, rows[1], 1, layer.Q * size, 0)

    def _sum(self, image: int, number: int, rows: Span, cols: Span) -> None:
        """Fill one generation of the accumulators: every input tile in turn."""
        builder, rings, layer, plan = self.builder, self.rings, self.plan.layer, self.plan
        source = plan.inputs[0]
        wide = window(cols[1], cols[0], layer.S, layer.stride[1], layer.dilation[1], -plan.origin[1], source.cols)
        filters = plan.filter_cuts
        parts = list(product(enumerate(self.by_output[number]), enumerate(filters)))
        acc_wait = builder.open(rings.acc)
        for step, ((part, (k0, k1, word0, word1)), (cut, (tap, taps))) in enumerate(parts):
            pad = -plan.origin[0] - tap * layer.dilation[0]
            high = window(rows[1], rows[0], taps, layer.stride[0], layer.dilation[0], pad, source.rows)
            if max(high.pad, wide.pad) > MAX_PAD:
                what = f"needs {max(high.pad, wide.pad)} zeros before a tile"
                raise SpecError(Fault(f"layer {layer.name}.padding", what, f"at most {MAX_PAD}"))
            channels = k1 - k0
            channels_in = channels
            if plan.shape.params and self.held.get("param") != number:
                self.held["param"] = number
                count = ceil_div(channels, self.lanes) * self.lanes
                self._load(rings.param, [Dma(Buffer.PARAM, plan.param_addr + 16 * k0, 0, count)])
            if layer.op.spec.is_product:
                channels = product_outputs(channels, self.lanes, self.template.cols)
                channels_in = (word1 - word0) * self.lanes
                if self.held.get("weight") != (image, number):
                    self.held["weight"] = (image, number)
                    self._load(rings.weight, self._operand(image, k0, channels), memory=True)
            elif plan.shape.weights:
                weight = plan.weights[(self.first_part[number] + part) * len(filters) + cut]
                channels_in = weight.c
                if self.held.get("weight") != (number, part, cut):
                    self.held["weight"] = (number, part, cut)
                    self._load(rings.weight, [Dma(Buffer.WEIGHT, weight.addr, 0, weight.words)])
            elif plan.shape.masked and self.held.get("weight") != (rows, cols):
                self.held["weight"] = (rows, cols)
                self._load(rings.weight, [self._mask(rows, cols)])
            if self.op.nonlinear and self.op is not ComputeOp.GELU:
                channels = channels_in = layer.C
            key = (image, word0, word1, high, wide)
            if self.held.get("input") != key:
                self.held["input"] = key
                box = source.box(Buffer.INPUT, image, (word0, word1 - word0), high.span, wide.span)
                self._load(rings.input, box, memory=True)
            tile = Tile(
                channels, channels_in, rows[1], cols[1], taps, layer.S, *layer.stride, *layer.dilation,
                high.pad, wide.pad, high.extent, wide.extent, plan.shape.kept,
            )  # fmt: skip
            wait = builder.read(rings.input)
            weighted = plan.shape.weights or plan.shape.masked
            if weighted:
                wait |= builder.read(rings.weight)
            wait |= acc_wait if step == 0 else 0
            signal = rings.acc.full if step == len(parts) - 1 else 0
            bases = (rings.input.base, rings.weight.base if weighted else 0, rings.acc.base)
            builder.add(Compute(self.op, tile, *bases, accumulate=step > 0, form=plan.shape.form), wait, signal)

    def _finish(self, image: int, number: int, rows: Span, cols: Span) -> int:
        """Drain and store one generation of the accumulators; returns the index of the last store."""
        builder, rings, plan = self.builder, self.rings, self.plan
        k0, k1 = self.by_output[number][0][:2]
        block0, blocks = k0 // self.lanes, ceil_div(k1 - k0, self.lanes)
        joins = plan.joins
        if plan.table is not None and "table" not in self.held:
            self.held["table"] = True
            self._load(rings.table, [Dma(Buffer.TABLE, plan.table_addr, 0, self.template.table_words)])
        last = -1
        for block, count, row, height in _chunks(blocks, rows[1], cols[1], self.template.output_words):
            box = ((block0 + block, count), (rows[0] + row, height), cols)
            if plan.second is not None:
                places = (box[0], (0, 1), (0, 1)) if plan.broadcast else box
                self._load(rings.residual, plan.second.box(Buffer.RESIDUAL, image, *places), memory=True)
            wait = builder.open(rings.output)
            wait |= builder.read(rings.acc)
            if plan.shape.params:
                wait |= builder.read(rings.param)
            if joins is not Second.NONE:
                wait |= builder.read(rings.residual)
            if plan.table is not None:
                wait |= builder.read(rings.table)
            body = Drain(
                blocks=count,
                words=height * cols[1],
                ab_base=rings.acc.base + (block * rows[1] + row) * cols[1],
                ob_base=rings.output.base,
                rb_base=rings.residual.base if joins is not Second.NONE else 0,
                param_base=rings.param.base + block * self.lanes if plan.shape.params else 0,
                per_channel=plan.shape.params,
                second=joins,
                broadcast=plan.broadcast,
                lookup=plan.table is not None,
                table_base=rings.table.base if plan.table is not None else 0,
            )
            builder.add(body, wait, rings.output.full)
            for place in plan.output.box(Buffer.OUTPUT, image, *box):
                wait = builder.read(rings.output)
                last = builder.add(place._replace(base=rings.output.base + place.base), wait, 0, unit=Unit.STORE)
        return last


def _chunks(blocks: int, rows: int, cols: int, capacity: int) -> list[tuple[int, int, int, int]]:
    """(first channel word, channel words, first row, rows) of pieces that fit ``capacity`` words."""
    if rows * cols <= capacity:
        return [(block, count, 0, rows) for block, count in cuts(blocks, capacity // (rows * cols))]
    return [(block, 1, row, count) for block in range(blocks) for row, count in cuts(rows, capacity // cols)]
