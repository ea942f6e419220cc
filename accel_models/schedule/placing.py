"""Gives every tensor of a network its place in memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from accel_models.array_timing import ceil_div
from accel_models.schedule.fusing import LAYOUT_OPS, TWO_OPERANDS
from accel_models.schedule.tensors import REGION_ALIGN, Places, TensorLayout, align, dense_places
from accel_models.template import Template
from mappings.errors import Fault, SpecError
from mappings.layer import Layer, Op
from mappings.workload import Workload

#: Operators of the vector and non-linear units: a channel of the output lies where that of the first input does.
VECTOR_OPS = frozenset({Op.MAXPOOL, Op.AVGPOOL, Op.ADD, Op.MUL, Op.ACT, Op.SOFTMAX, Op.LAYERNORM})


class Memory:
    """Hands out regions, one after another.

    Args:
        scatter: seed; regions then lie at random distances, aligned no better than the hardware needs. None: each
            begins at a multiple of 64 bytes.
    """

    def __init__(self, scatter: int | None = None) -> None:
        self.end = 0
        self.random = None if scatter is None else np.random.default_rng(scatter)

    def take(self, size: int, granule: int) -> int:
        """First byte of a region of ``size`` bytes.

        Args:
            granule: bytes; the address is a multiple.
        """
        gap = 0 if self.random is None else int(self.random.integers(0, 4096))
        addr = align(self.end + gap, REGION_ALIGN if self.random is None else granule)
        self.end = addr + size
        return addr


def place_tensors(
    workload: Workload, template: Template, memory: Memory, absorbed: frozenset[str] = frozenset()
) -> dict[str, TensorLayout]:
    """A region for every input and every layer's output, none of which overlap; none for those in ``absorbed``.

    Two exceptions, so that they cost nothing: the operands of a concatenation lie inside its region, and a reshape is
    its operand under another shape.

    Raises:
        SpecError: a concatenation or reshape that would have to move data; a sum of tensors that lie differently.
    """
    return _Placer(workload, template, memory, absorbed).run()


class _Placer:
    def __init__(self, workload: Workload, template: Template, memory: Memory, absorbed: frozenset[str]) -> None:
        self.workload, self.memory, self.absorbed = workload, memory, absorbed
        self.lanes, self.word = template.word_lanes, template.act_word_bytes
        self.granule = template.granule_bytes(self.word)
        self.tensors: dict[str, TensorLayout] = {}
        self.places: dict[str, tuple[Places, int]] = {}  # by layer: places, channel words
        self.parts: dict[str, tuple[str, int]] = {}  # operand of a concatenation -> the latter, first channel word

    def run(self) -> dict[str, TensorLayout]:
        for tensor in self.workload.inputs:
            self.places[tensor.name] = dense_places(tensor.C), ceil_div(tensor.C, self.lanes)
            self._fresh(tensor.name, tensor.N, tensor.H, tensor.W)
        for layer in self.workload.layers:
            self.places[layer.name] = self._places_of(layer)
        for layer in self.workload.layers:
            if layer.op is Op.CONCAT:
                self._fresh(layer.name, layer.N, layer.P, layer.Q)
        for layer in self.workload.layers:
            if layer.op is Op.RESHAPE:
                self.tensors[layer.name] = _reshaped(layer, self.tensors[layer.inputs[0]])
            elif layer.name in self.parts:
                whole, offset = self.tensors[self.parts[layer.name][0]], self.parts[layer.name][1]
                addr = whole.addr + offset * whole.plane_bytes
                places, blocks = self.places[layer.name]
                self.tensors[layer.name] = replace(whole, name=layer.name, addr=addr, places=places, blocks=blocks)
            elif layer.op is not Op.CONCAT and layer.name not in self.absorbed:
                self._fresh(layer.name, layer.N, layer.P, layer.Q)
            first, *others = [self.places[name][0] for name in layer.inputs] or [self.places[layer.name][0]]
            if layer.op in TWO_OPERANDS and not all(np.array_equal(first, other) for other in others):
                raise SpecError(Fault(f"layer {layer.name}", "joins tensors whose channels lie differently"))
        return self.tensors

    def _fresh(self, name: str, images: int, rows: int, cols: int) -> None:
        places, blocks = self.places[name]
        stride = align(blocks * rows * cols * self.word, self.granule if self.memory.random else REGION_ALIGN)
        addr = self.memory.take(images * stride, self.granule)
        self.tensors[name] = TensorLayout(
            name, addr, places, blocks, images, rows, cols, self.lanes, self.word, stride, rows * cols, cols
        )  # fmt: skip

    def _places_of(self, layer: Layer) -> tuple[Places, int]:
        if layer.op is Op.CONCAT:
            offset, found = 0, []
            for source in layer.inputs:
                producer = self.workload.by_name.get(source)
                if producer is None or producer.op in LAYOUT_OPS or source in self.parts:
                    what = f'operand "{source}" can not be written in place'
                    allowed = "layers that compute, each in one concatenation"
                    raise SpecError(Fault(f"layer {layer.name}", what, allowed))
                places, blocks = self.places[source]
                self.parts[source] = (layer.name, offset)
                found.append(places + offset * self.lanes)
                offset += blocks
            return np.concatenate(found), offset
        if layer.op is Op.RESHAPE:
            source = layer.inputs[0]
            shape = self._shape(source)
            places, blocks = self.places[source]
            plane = shape[0] * shape[1]
            stand_in = TensorLayout(source, 0, places, blocks, 1, *shape, self.lanes, self.word, 0, plane, shape[1])
            view = _reshaped(layer, stand_in)
            return view.places, view.blocks
        if layer.is_depthwise or layer.op in VECTOR_OPS:
            return self.places[layer.inputs[0]]
        if layer.op is Op.MATMUL:  # each head begins a channel word
            words = ceil_div(layer.K, self.lanes)
            heads = np.arange(layer.groups, dtype=np.int64)[:, None] * words * self.lanes
            return (heads + np.arange(layer.K)).reshape(-1), layer.groups * words
        return dense_places(layer.channels_out), ceil_div(layer.channels_out, self.lanes)

    def _shape(self, name: str) -> tuple[int, int]:
        """Rows and columns of a tensor."""
        layer = self.workload.by_name.get(name)
        if layer is not None:
            return layer.P, layer.Q
        tensor = next(tensor for tensor in self.workload.inputs if tensor.name == name)
        return tensor.H, tensor.W


def _reshaped(layer: Layer, source: TensorLayout) -> TensorLayout:
    """The same bytes under another shape."""
    channels, rows, cols = layer.channels_out, layer.P, layer.Q
    pixels = source.rows * source.cols
    if channels == source.channels and rows * cols == pixels:
        return replace(source, name=layer.name, rows=rows, cols=cols, row_words=cols)
    if rows * cols == 1 and channels == source.channels * pixels:
        # Channel (c, place) of the flat tensor: each place of each channel word becomes a channel word of its own.
        block, lane = np.divmod(source.places, source.lanes)
        words = block[:, None] * pixels + np.arange(pixels)[None, :]
        places = (words * source.lanes + lane[:, None]).reshape(-1)
        blocks = source.blocks * pixels
        return replace(
            source, name=layer.name, places=places, blocks=blocks, rows=1, cols=1, plane_words=1, row_words=1
        )
    shapes = f"[{source.channels}, {source.rows}, {source.cols}] to [{channels}, {rows}, {cols}]"
    raise SpecError(Fault(f"layer {layer.name}", f"reshape of {shapes} moves data", "flatten, or the same channels"))
