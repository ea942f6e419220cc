"""A whole network on one accelerator: where everything lies in memory, and the program."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from accel_models.array_timing import ceil_div
from accel_models.design import Design
from accel_models.report import Infeasible
from accel_models.schedule.builder import CHUNK, DESCRIPTOR_BYTES, Builder, with_fetches
from accel_models.schedule.commands import Command
from accel_models.schedule.layer import LayerPlan, Rings, WeightTile, emit_layer, weight_tiles
from accel_models.schedule.tensors import TensorLayout, align, dense_places
from accel_models.schedule.tiling import choose_tiling, shape_of, tiling_of
from accel_models.template import Template
from mappings.errors import Fault, SpecError
from mappings.layer import Layer, Op
from mappings.workload import Workload

__all__ = ["LayerPlan", "Schedule", "WeightTile", "schedule_network"]

ARRAY_OPS = frozenset({Op.CONV, Op.LINEAR})
VECTOR_OPS = frozenset({Op.MAXPOOL, Op.AVGPOOL, Op.ADD, Op.ACT})
CLAMPS = frozenset({"", "relu", "relu6"})


@dataclass(frozen=True, eq=False)
class Schedule:
    """A network's program before its numbers.

    Attributes:
        template: the accelerator.
        workload: the network.
        plans: the layers that move data, in order; ``Command.tag`` is an index into this.
        commands: the whole program, chunk fetches and end included.
        tensors: place of every tensor, by name.
        program_addr: byte address of the program.
        memory_bytes: all that the run touches.
    """

    template: Template
    workload: Workload
    plans: tuple[LayerPlan, ...]
    commands: tuple[Command, ...]
    tensors: dict[str, TensorLayout]
    program_addr: int
    memory_bytes: int


class _Memory:
    """Hands out regions, one after another."""

    def __init__(self) -> None:
        self.end = 0

    def take(self, size: int) -> int:
        addr = align(self.end)
        self.end = addr + size
        return addr


def schedule_network(design: Design) -> Schedule | Infeasible:
    """Lower a design: every layer's tiles, their commands, and the places of all tensors.

    Layers without a mapping get the default tiling.

    Raises:
        SpecError: an operator that this hardware does not run, by layer; or an accelerator without a template.
    """
    template = design.accelerator.template
    if template is None:
        fault = Fault(f"accelerator {design.accelerator.name}", "has no template", "one that rtl_templates can build")
        raise SpecError(fault)
    workload = design.workload
    faults = [fault for layer in workload.layers for fault in _faults(layer, template)]
    if faults:
        raise SpecError(faults)

    memory = _Memory()
    tensors = _place_tensors(workload, template, memory)
    mappings = dict(design.mappings)
    plans: list[LayerPlan] = []
    for layer in workload.layers:
        if layer.op in (Op.CONCAT, Op.RESHAPE, Op.CONSTANT):
            continue
        mapping = mappings.get(layer.name)
        tiling = choose_tiling(layer, template) if mapping is None else tiling_of(layer, mapping, template)
        if isinstance(tiling, Infeasible):
            return tiling
        shape = shape_of(layer, template.word_lanes)
        inputs = tuple(tensors[name] for name in layer.inputs)
        plan = LayerPlan(layer, len(plans), shape, tiling, inputs, tensors[layer.name], 0, ())
        if shape.weighted:
            addr = memory.take(16 * tensors[layer.name].blocks * template.word_lanes)
            word = template.weight_word_bytes
            tiles = tuple(tile._replace(addr=memory.take(tile.words * word)) for tile in weight_tiles(plan, template))
            plan = replace(plan, param_addr=addr, weights=tiles)
        plans.append(plan)

    builder, rings = Builder(), Rings.of(template)
    stores: dict[str, int] = {}
    synced = -1
    for plan in plans:
        builder.tag = plan.index
        # Stores reach memory in order: waiting for the latest one that this layer reads covers all before it.
        needed = max((stores.get(source, -1) for source in _producers(plan.layer, workload)), default=-1)
        if needed > synced:
            synced = needed
            builder.signal_memory(needed)
            stores[plan.layer.name] = emit_layer(builder, rings, plan, template, wait_memory=True)
        else:
            stores[plan.layer.name] = emit_layer(builder, rings, plan, template, wait_memory=False)
    program_addr = memory.take(0)
    commands = with_fetches(builder.commands, program_addr)
    end = program_addr + ceil_div(len(commands), CHUNK) * CHUNK * DESCRIPTOR_BYTES
    return Schedule(template, workload, tuple(plans), tuple(commands), tensors, program_addr, align(end, 4096))


def _producers(layer: Layer, workload: Workload) -> set[str]:
    """Layers whose commands write what this layer reads, through operators that move nothing."""
    found: set[str] = set()
    queue = list(layer.inputs)
    while queue:
        name = queue.pop()
        source = workload.by_name.get(name)
        if source is None:
            continue
        if source.op in (Op.CONCAT, Op.RESHAPE):
            queue.extend(source.inputs)
        else:
            found.add(name)
    return found


def _faults(layer: Layer, template: Template) -> list[Fault]:
    """Why this hardware can not run a layer."""
    where = f"layer {layer.name}"
    faults = []
    known = ARRAY_OPS | VECTOR_OPS | {Op.CONCAT, Op.RESHAPE, Op.CONSTANT}
    if layer.op not in known:
        faults.append(Fault(where, f"{layer.op} has no lowering to this hardware", ", ".join(sorted(known))))
    elif layer.activation not in CLAMPS:
        faults.append(Fault(where, f'activation "{layer.activation}" has no lowering', "relu, relu6, none"))
    elif layer.op is Op.CONCAT and layer.axis not in ("", "K"):
        faults.append(Fault(where, f"concatenation along {layer.axis} has no lowering", "K"))
    for tensor, width in (("I", template.act_bits), ("W", template.weight_bits), ("O", template.act_bits)):
        bits = getattr(layer.bits, tensor)
        if bits > width:
            faults.append(Fault(f"{where}.bits.{tensor}", f"is {bits}", f"at most the template's {width}"))
    for name, value, limit in (
        ("stride", max(layer.stride), 255),
        ("dilation", max(layer.dilation), 255),
        ("padding", max(layer.padding), 255),
        ("R, S", max(layer.R, layer.S), 255),
        ("P, Q", max(layer.P, layer.Q), 65535),
        ("channels", max(layer.channels_out, layer.channels_in), 65535),
    ):
        if value > limit:
            faults.append(Fault(f"{where}.{name}", f"is {value}", f"at most {limit}"))
    return faults


def _place_tensors(workload: Workload, template: Template, memory: _Memory) -> dict[str, TensorLayout]:
    """Regions for every input and every layer's output; a concatenation's operands lie inside its region."""
    lanes, word = template.word_lanes, template.act_word_bytes
    tensors: dict[str, TensorLayout] = {}

    def fresh(name: str, images: int, places: NDArray[np.int64], blocks: int, rows: int, cols: int) -> None:
        stride = align(blocks * rows * cols * word)
        addr = memory.take(images * stride)
        tensors[name] = TensorLayout(name, addr, places, blocks, images, rows, cols, lanes, word, stride)

    for tensor in workload.inputs:
        blocks = ceil_div(tensor.C, lanes)
        fresh(tensor.name, tensor.N, dense_places(tensor.C), blocks, tensor.H, tensor.W)

    # A concatenation's region comes first; the producers of its operands then write into their part of it.
    parts: dict[str, tuple[str, int]] = {}  # operand -> concatenation, first channel word
    blocks_of: dict[str, int] = {}
    places_of: dict[str, NDArray[np.int64]] = {}
    for layer in workload.layers:
        if layer.op is Op.CONCAT:
            offset, places = 0, []
            for source in layer.inputs:
                producer = workload.by_name.get(source)
                if producer is None or producer.op in (Op.CONCAT, Op.RESHAPE, Op.CONSTANT) or source in parts:
                    what = f'operand "{source}" can not be written in place'
                    allowed = "layers that compute, each in one concatenation"
                    raise SpecError(Fault(f"layer {layer.name}", what, allowed))
                parts[source] = (layer.name, offset)
                places.append(places_of[source] + offset * lanes)
                offset += blocks_of[source]
            places_of[layer.name], blocks_of[layer.name] = np.concatenate(places), offset
        elif layer.op is Op.RESHAPE:
            source = layer.inputs[0]
            places_of[layer.name] = places_of.get(source, np.zeros(0, np.int64))
            blocks_of[layer.name] = blocks_of.get(source, 0)
        else:
            inherits = layer.is_depthwise or layer.op in VECTOR_OPS
            source = layer.inputs[0] if layer.inputs else ""
            if inherits and source in places_of:
                places_of[layer.name], blocks_of[layer.name] = places_of[source], blocks_of[source]
            else:
                places_of[layer.name] = dense_places(layer.channels_out)
                blocks_of[layer.name] = ceil_div(layer.channels_out, lanes)

    for layer in workload.layers:
        if layer.op is Op.CONCAT:
            fresh(layer.name, layer.N, places_of[layer.name], blocks_of[layer.name], layer.P, layer.Q)
    for layer in workload.layers:
        if layer.op is Op.CONCAT:
            continue
        if layer.op is Op.RESHAPE:
            tensors[layer.name] = _reshaped(layer, tensors[layer.inputs[0]])
        elif layer.name in parts:
            whole, offset = tensors[parts[layer.name][0]], parts[layer.name][1]
            addr = whole.addr + offset * whole.plane_bytes
            places, blocks = places_of[layer.name], blocks_of[layer.name]
            tensors[layer.name] = replace(whole, name=layer.name, addr=addr, places=places, blocks=blocks)
        else:
            source = tensors.get(layer.inputs[0]) if layer.inputs else None
            inherits = source is not None and (layer.is_depthwise or layer.op in VECTOR_OPS)
            places, blocks = places_of[layer.name], blocks_of[layer.name]
            if inherits and source is not None:
                places, blocks = source.places, source.blocks
            fresh(layer.name, layer.N, places, blocks, layer.P, layer.Q)
        if layer.op is Op.ADD:
            first, second = (tensors[name] for name in layer.inputs)
            if not np.array_equal(first.places, second.places):
                raise SpecError(Fault(f"layer {layer.name}", "adds tensors whose channels lie differently", "one layout"))
    return tensors


def _reshaped(layer: Layer, source: TensorLayout) -> TensorLayout:
    """The same bytes under another shape."""
    channels, rows, cols = layer.channels_out, layer.P, layer.Q
    pixels = source.rows * source.cols
    if channels == source.channels and rows * cols == pixels:
        return replace(source, name=layer.name, rows=rows, cols=cols)
    if rows * cols == 1 and channels == source.channels * pixels:
        # Channel (c, place) of the flat tensor: each place of each channel word becomes a channel word of its own.
        block, lane = np.divmod(source.places, source.lanes)
        words = block[:, None] * pixels + np.arange(pixels)[None, :]
        places = (words * source.lanes + lane[:, None]).reshape(-1)
        blocks = source.blocks * pixels
        return replace(source, name=layer.name, places=places, blocks=blocks, rows=1, cols=1)
    shapes = f"[{source.channels}, {source.rows}, {source.cols}] to [{channels}, {rows}, {cols}]"
    raise SpecError(Fault(f"layer {layer.name}", f"reshape of {shapes} moves data", "flatten, or the same channels"))
