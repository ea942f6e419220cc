"""Gives every tensor of a network its place in memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from accel_models.schedule.channels import (
    head_places,
    nonzero_lanes,
    places_of_rows,
    wanted_heads,
)
from accel_models.schedule.memory import Memory
from accel_models.schedule.tensors import REGION_ALIGN, Places, TensorLayout, align, dense_places
from accel_models.template.array_timing import ceil_div
from accel_models.template.spec import Template
from mappings.errors import Fault, SpecError
from mappings.layer import Layer
from mappings.operators import Layout
from mappings.workload import Workload


class Copy(NamedTuple):
    """Words to be moved from one place to another of the same extents."""

    source: TensorLayout
    target: TensorLayout


@dataclass(frozen=True)
class Placement:
    """Where everything lies.

    Attributes:
        tensors: by name, of all that reach memory.
        copies: what has to move so that a layer without arithmetic has its output, by that layer.
    """

    tensors: dict[str, TensorLayout]
    copies: dict[str, list[Copy]]


def place_tensors(
    workload: Workload, template: Template, memory: Memory, absorbed: frozenset[str] = frozenset()
) -> Placement:
    """A region for every input and every layer's output; none for those in ``absorbed``.

    What costs nothing: an operand of a concatenation is written where the latter has it, a reshape that keeps the order
    is its operand under another shape, and a slice is a part of its operand. Where that can not be (an operand of two
    concatenations, an enlarged image), words are copied.

    Raises:
        SpecError: a reshape that moves single channels or pixels at will; a sum of tensors that lie differently.
    """
    return _Placer(workload, template, memory, absorbed).run()


class _Placer:
    def __init__(self, workload: Workload, template: Template, memory: Memory, absorbed: frozenset[str]) -> None:
        self.workload, self.memory, self.absorbed = workload, memory, absorbed
        self.lanes, self.word = template.word_lanes, template.act_word_bytes
        self.granule = template.granule_bytes(self.word)
        self.heads = wanted_heads(workload, self.lanes)
        self.tensors: dict[str, TensorLayout] = {}
        self.places: dict[str, tuple[Places, int]] = {}  # by layer: places, channel words
        self.homes: dict[str, Callable[[], TensorLayout]] = {}  # of what is written in another tensor's region
        self.copies: dict[str, list[Copy]] = defaultdict(list)
        self.uses = Counter(source for layer in workload.layers for source in layer.inputs)
        self.operands = {layer.inputs[1] for layer in workload.layers if layer.op.spec.is_product}

    def run(self) -> Placement:
        faults = list(nonzero_lanes(self.workload, self.lanes))
        if faults:
            raise SpecError(faults)
        for tensor in self.workload.inputs:
            self.places[tensor.name] = self._producer_places(tensor.name, tensor.C)
        for layer in self.workload.layers:
            self.places[layer.name] = self._places_of(layer)
            self._check_rows(layer)
        for layer in self.workload.layers:
            if layer.op.spec.layout is Layout.JOINED:
                self._claim_operands(layer)
        concats = [layer.name for layer in self.workload.layers if layer.op.spec.layout is Layout.JOINED]
        rest = [layer.name for layer in self.workload.layers if layer.name not in self.absorbed]
        for name in [*(tensor.name for tensor in self.workload.inputs), *concats, *rest]:
            self._locate(name)
        for layer in self.workload.layers:
            if layer.op.spec.layout is Layout.JOINED:
                self._copy_operands(layer)
        return Placement(self.tensors, self.copies)

    # --- places of channels -------------------------------------------------------------------------------------

    def _producer_places(self, name: str, channels: int) -> tuple[Places, int]:
        if name in self.heads:
            return head_places(*self.heads[name], self.lanes)
        return dense_places(channels), ceil_div(channels, self.lanes)

    def _places_of(self, layer: Layer) -> tuple[Places, int]:
        if layer.op.spec.layout is Layout.JOINED:
            found = [self.places[source] for source in layer.inputs]
            if layer.axis in ("P", "Q"):
                if any(not np.array_equal(found[0][0], other) for other, _ in found):
                    raise SpecError(Fault(f"layer {layer.name}", "joins tensors whose channels lie differently"))
                return found[0]
            offsets = np.cumsum([0, *(blocks for _, blocks in found)])
            shifted = [places + at * self.lanes for (places, _), at in zip(found, offsets, strict=False)]
            return np.concatenate(shifted), int(offsets[-1])
        if layer.op.spec.layout is Layout.RESHAPED:
            return self._reshaped_places(layer)
        if layer.op.spec.joins:
            self._adopt(*layer.inputs)
        if layer.is_depthwise or layer.op.spec.keeps_places:
            return self.places[layer.inputs[0]]
        if layer.op.spec.is_product:  # each head begins a channel word
            return head_places(layer.groups, layer.K, self.lanes)
        return self._producer_places(layer.name, layer.channels_out)

    def _adopt(self, first: str, second: str) -> None:
        """A stored tensor that nobody else reads lies as the tensor that it is added to or multiplied by."""
        for name, other in ((first, second), (second, first)):
            source = self.workload.by_name.get(name)
            stored = source is not None and source.op.spec.layout is Layout.STORED and self.uses[name] == 1
            if stored and len(self.places[name][0]) == len(self.places[other][0]):
                self.places[name] = self.places[other]

    def _reshaped_places(self, layer: Layer) -> tuple[Places, int]:
        places, blocks = self.places[layer.inputs[0]]
        _, channels, rows, cols = self.workload.shapes[layer.inputs[0]]
        pixels, outputs = rows * cols, layer.channels_out
        if layer.moves == "box":
            first = layer.origin[0]
            word = int(places[first : first + outputs].min()) // self.lanes
            kept = places[first : first + outputs] - word * self.lanes
            return kept, int(kept.max()) // self.lanes + 1
        if layer.moves == "" and outputs == channels and pixels == layer.P * layer.Q:
            return places, blocks
        if layer.moves == "" and layer.P * layer.Q == 1 and outputs == channels * pixels:
            # Channel (c, place) of the flat tensor: each place of each channel word becomes a channel word of its own.
            block, lane = np.divmod(places, self.lanes)
            words = block[:, None] * pixels + np.arange(pixels)[None, :]
            return (words * self.lanes + lane[:, None]).reshape(-1), blocks * pixels
        shapes = f"[{channels}, {rows}, {cols}] to [{outputs}, {layer.P}, {layer.Q}]"
        allowed = "flatten, the same channels, a box of them, enlargements"
        raise SpecError(Fault(f"layer {layer.name}", f"reshape of {shapes} moves data", allowed))

    def _check_rows(self, layer: Layer) -> None:
        if layer.op.spec.joins:
            first, second = (self.places[name][0] for name in layer.inputs)
            if not np.array_equal(first, second):
                raise SpecError(Fault(f"layer {layer.name}", "joins tensors whose channels lie differently"))
        wanted = places_of_rows(layer, self.lanes)
        if wanted is not None and not np.array_equal(self.places[layer.inputs[0]][0], wanted):
            what = "takes rows of channels that do not fill channel words from the first lane on"
            raise SpecError(Fault(f"layer {layer.name}", what, f"multiples of {self.lanes} channels"))

    # --- regions ------------------------------------------------------------------------------------------------

    def _fresh(self, name: str, places: Places, blocks: int, images: int, rows: int, cols: int) -> TensorLayout:
        stride = align(blocks * rows * cols * self.word, self.granule if self.memory.random else REGION_ALIGN)
        addr = self.memory.take(images * stride, self.granule)
        return TensorLayout(
            name, addr, places, blocks, images, rows, cols, self.lanes, self.word, stride, rows * cols, cols
        )  # fmt: skip

    def _locate(self, name: str) -> TensorLayout:
        """The tensor's place, and those that it depends on."""
        if name not in self.tensors:
            layer = self.workload.by_name.get(name)
            if name in self.homes:
                found = self.homes[name]()
            elif layer is not None and layer.op.spec.layout is Layout.RESHAPED:
                found = self._reshaped(layer)
            else:
                n, _, rows, cols = self.workload.shapes[name]
                found = self._fresh(name, *self.places[name], n, rows, cols)
            self.tensors[name] = replace(found, name=name)
        return self.tensors[name]

    def _part_of(self, concat: Layer, position: int) -> TensorLayout:
        """Where an operand lies in its concatenation's region."""
        whole, before = self._locate(concat.name), concat.inputs[:position]
        source = concat.inputs[position]
        _, _, rows, cols = self.workload.shapes[source]
        places, blocks = self.places[source]
        if concat.axis == "P":
            return whole.part((sum(self.workload.shapes[name][2] for name in before), rows), (0, cols))
        if concat.axis == "Q":
            return whole.part((0, rows), (sum(self.workload.shapes[name][3] for name in before), cols))
        offset = sum(self.places[name][1] for name in before)
        return replace(whole, addr=whole.addr + offset * whole.plane_bytes, places=places, blocks=blocks)

    def _claim_operands(self, concat: Layer) -> None:
        """Operands that can be written in place will be: they, or what they are under another shape."""
        for position, name in enumerate(concat.inputs):
            names = [name]
            layer = self.workload.by_name.get(name)
            while layer is not None and layer.op.spec.layout is Layout.RESHAPED and layer.moves == "":
                names.append(layer.inputs[0])
                layer = self.workload.by_name.get(layer.inputs[0])
            moved = layer is not None and layer.op.spec.layout is Layout.RESHAPED
            flat = any(len(self.places[a][0]) != len(self.places[b][0]) for a, b in pairwise(names))
            if moved or flat or any(item in self.homes for item in names):
                continue
            self.homes[name] = partial(self._part_of, concat, position)
            for outer, inner in pairwise(names):
                self.homes[inner] = partial(self._unshaped, outer, inner)

    def _unshaped(self, outer: str, inner: str) -> TensorLayout:
        """The place of a reshape's operand, from that of its result; rows and columns follow each other there."""
        place = self._locate(outer)
        _, _, rows, cols = self.workload.shapes[inner]
        step = place.col_words if place.cols > 1 else place.row_words
        if (rows, cols) != (place.rows, place.cols) and place.rows > 1 and place.row_words != place.cols * step:
            what = f"is joined as {place.rows} x {place.cols} places that do not follow each other"
            raise SpecError(Fault(f"tensor {inner}", what, f"{rows} x {cols}"))
        if (rows, cols) == (place.rows, place.cols):
            return place
        return replace(place, rows=rows, cols=cols, col_words=step, row_words=cols * step)

    def _copy_operands(self, concat: Layer) -> None:
        for position, name in enumerate(concat.inputs):
            part, place = self._part_of(concat, position), self._locate(name)
            if part.addr != place.addr:
                self.copies[concat.name].append(Copy(place, part))

    def _reshaped(self, layer: Layer) -> TensorLayout:
        source = self._locate(layer.inputs[0])
        places, blocks = self.places[layer.name]
        if layer.moves == "box":
            word = int(source.places[layer.origin[0]]) // self.lanes
            base = replace(source, addr=source.addr + word * source.plane_bytes, places=places, blocks=blocks)
            return self._box(layer, base)
        if source.rows > 1 and source.cols > 1 and source.row_words != source.cols * source.col_words:
            source = self._copied(layer.name, source)
        if len(source.places) == len(places):
            step = source.col_words if source.cols > 1 else source.row_words
            return replace(source, rows=layer.P, cols=layer.Q, col_words=step, row_words=layer.Q * step)
        if source.plane_words != source.rows * source.cols:
            source = self._copied(layer.name, source)
        return replace(source, places=places, blocks=blocks, rows=1, cols=1, plane_words=1, row_words=1)

    def _copied(self, name: str, source: TensorLayout) -> TensorLayout:
        """A tensor without gaps that holds what a part of another does."""
        fresh = self._fresh(name, source.places, source.blocks, source.images, source.rows, source.cols)
        self.copies[name].append(Copy(source, fresh))
        return fresh

    def _box(self, layer: Layer, base: TensorLayout) -> TensorLayout:
        """A slice is a part of its operand; an enlargement is copied, one phase of the repetition after another."""
        up_h, up_w = layer.dilation
        if any(up > 1 and step > 1 for up, step in zip(layer.dilation, layer.stride, strict=True)):
            raise SpecError(Fault(f"layer {layer.name}", "skips and repeats along one axis", "one or the other"))
        if up_h == up_w == 1:
            part = base.part((layer.origin[1], layer.P), (layer.origin[2], layer.Q), *layer.stride)
            return self._copied(layer.name, part) if layer.name in self.operands else part
        fresh = self._fresh(layer.name, *self.places[layer.name], layer.N, layer.P, layer.Q)
        for a in range(min(up_h, layer.P)):
            for b in range(min(up_w, layer.Q)):
                rows, cols = ceil_div(layer.P - a, up_h), ceil_div(layer.Q - b, up_w)
                source = base.part((layer.origin[1], rows), (layer.origin[2], cols), *layer.stride)
                self.copies[layer.name].append(Copy(source, fresh.part((a, rows), (b, cols), up_h, up_w)))
        return fresh
