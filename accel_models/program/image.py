"""A schedule and a network's integers as the memory that the hardware reads: program, weights, parameters, tensors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accel_models.program.descriptors import program_bytes
from accel_models.program.numbers import check_numbers
from accel_models.program.packing import pack_weights
from accel_models.schedule import ComputeOp, LayerPlan, Schedule, TensorLayout
from accel_models.template.spec import Template
from accel_models.template.weight_form import WeightForm
from mappings.errors import Fault, SpecError
from mappings.integer_run import run_layer
from mappings.moves import layer_index
from mappings.operators import Layout
from mappings.quantized import IntArray, QuantizedLayer, QuantizedNetwork

PARAM_BYTES = 16
Bytes = NDArray[np.uint8]


def to_bytes(values: IntArray, bits: int) -> Bytes:
    """Integers of 2, 4, 8 or 16 bits as bytes, little-endian; several narrow ones a byte, the first in the low bits."""
    flat = np.ascontiguousarray(values).reshape(-1)
    if bits == 16:
        return flat.astype("<i2").view(np.uint8)
    if bits == 8:
        return flat.astype(np.int8).view(np.uint8)
    parts = (flat & ((1 << bits) - 1)).astype(np.uint8).reshape(-1, 8 // bits)
    return np.asarray(np.bitwise_or.reduce(parts << np.arange(0, 8, bits, dtype=np.uint8), axis=1), dtype=np.uint8)


def from_bytes(data: Bytes, bits: int) -> IntArray:
    """The reverse of :func:`to_bytes`."""
    if bits == 16:
        return data.view("<i2").astype(np.int64)
    if bits == 8:
        return data.view(np.int8).astype(np.int64)
    out = np.empty(2 * len(data), dtype=np.int64)
    out[0::2], out[1::2] = data & 15, data >> 4
    return out - 16 * (out > 7)


def write_tensor(memory: Bytes, layout: TensorLayout, values: IntArray, bits: int) -> None:
    """Puts ``values`` ``[N, C, H, W]`` into their place; lanes that no channel names become 0.

    Raises:
        SpecError: another shape, or a value beyond ``bits``.
    """
    shape = (layout.images, layout.channels, layout.rows, layout.cols)
    if values.shape != shape:
        raise SpecError(Fault(f"tensor {layout.name}", f"has shape {values.shape}", str(shape)))
    limit = 1 << (bits - 1)
    if values.size and not (-limit <= values.min() and values.max() < limit):
        raise SpecError(Fault(f"tensor {layout.name}", f"has values beyond {bits} bits"))
    at = layout.words()[..., None] + np.arange(layout.word_bytes)
    for image in range(layout.images):
        lanes = np.zeros((layout.blocks * layout.lanes, layout.rows, layout.cols), dtype=np.int64)
        lanes[layout.places] = values[image]
        words = lanes.reshape(layout.blocks, layout.lanes, layout.rows, layout.cols).transpose(0, 2, 3, 1)
        memory[image * layout.image_stride + at] = to_bytes(words, bits).reshape(at.shape)


def tensor_from_bytes(layout: TensorLayout, memory: Bytes, bits: int) -> IntArray:
    """``[N, C, H, W]`` out of an image of the memory."""
    images = []
    at = layout.words()[..., None] + np.arange(layout.word_bytes)
    for image in range(layout.images):
        start = image * layout.image_stride
        words = from_bytes(memory[start + at].reshape(-1), bits)
        lanes = words.reshape(layout.blocks, layout.rows, layout.cols, layout.lanes).transpose(0, 3, 1, 2)
        images.append(lanes.reshape(-1, layout.rows, layout.cols)[layout.places])
    return np.stack(images)


def _vector_weights(plan: LayerPlan, weight: IntArray, template: Template, word0: int, word1: int) -> IntArray:
    """Depthwise weights by channel word, tap, lane: ``N / cols`` weight words a tap."""
    lanes = template.word_lanes
    taps = weight.shape[2:]
    full = np.zeros((plan.output.blocks * lanes, *taps), dtype=np.int64)
    full[plan.output.places] = weight[:, 0]
    part = full[word0 * lanes : word1 * lanes].reshape(word1 - word0, lanes, *taps)
    return part.transpose(0, 2, 3, 1).reshape(-1, template.cols)


def _array_weights(
    plan: LayerPlan, weight: IntArray, template: Template, k0: int, k1: int, word0: int, c: int
) -> IntArray:
    """Weights of output channels ``k0..k1`` over the places of input channel words; zeros across groups."""
    lanes, layer = template.word_lanes, plan.layer
    dense = np.zeros((k1 - k0, c, *weight.shape[2:]), dtype=np.int64)
    places = plan.inputs[0].places
    per = layer.K if layer.groups > 1 else len(weight)
    for group in range(k0 // per, (k1 - 1) // per + 1):
        first, last = max(k0, group * per), min(k1, (group + 1) * per)
        at = places[group * layer.C : (group + 1) * layer.C] - word0 * lanes
        inside = np.flatnonzero((at >= 0) & (at < c))
        dense[first - k0 : last - k0, at[inside]] = weight[first:last, inside]
    shape = plan.shape
    return pack_weights(template.array, template.rows, template.cols << shape.form.dual, dense, shape.kept)


def weight_bytes(plan: LayerPlan, numbers: QuantizedLayer, template: Template) -> list[tuple[int, Bytes]]:
    """(address, bytes) of a layer's weight tiles."""
    layer = plan.layer
    assert numbers.weight is not None
    weight = numbers.weight
    if plan.taps is not None:
        rows, cols = plan.taps
        empty = np.zeros((layer.channels_out, layer.C, layer.R, layer.S), dtype=np.int64)
        weight = weight[:, :, list(rows)][:, :, :, list(cols)] if rows and cols else empty
    shape = (layer.channels_out, layer.C, layer.R, layer.S)
    if weight.shape != shape:
        raise SpecError(Fault(f"layer {layer.name}.weight", f"has shape {weight.shape}", str(shape)))
    if not plan.shape.vector and layer.groups == 1:  # places that no channel names make zeros
        full = np.zeros((int(plan.output.places.max()) + 1, *shape[1:]), dtype=np.int64)
        full[plan.output.places] = weight
        weight = full
    parts = []
    for tile in plan.weights:
        part = weight[:, :, tile.rows[0] : sum(tile.rows)]
        if plan.shape.vector:
            words = _vector_weights(plan, part, template, tile.word0, tile.word1)
        else:
            words = _array_weights(plan, part, template, tile.k0, tile.k1, tile.word0, tile.c)
        stored = stored_weights(words, plan.shape.form, template)
        assert len(stored) == tile.words * template.weight_word_bytes
        parts.append((tile.addr, stored))
    return parts


def stored_weights(words: IntArray, form: WeightForm, template: Template) -> Bytes:
    """Words of weights ``[words, columns]`` as they are stored: whole words of the weight buffer.

    Raises:
        SpecError: a weight beyond the bits that its form leaves it.
    """
    bits = template.weight_bits // form.narrowing
    if words.size and not -(1 << (bits - 1)) <= words.min() <= words.max() < 1 << (bits - 1):
        raise SpecError(Fault("weights", f"are {words.min()} to {words.max()}", f"{bits} bits"))
    if form.dual:  # columns j and cols + j share a multiplier
        words = words.reshape(len(words), 2, -1).transpose(0, 2, 1)
    data = to_bytes(words, bits)
    return np.concatenate([data, np.zeros(-len(data) % template.weight_word_bytes, dtype=np.uint8)])


def param_bytes(plan: LayerPlan, numbers: QuantizedLayer, template: Template) -> Bytes:
    """16 bytes for each channel place: bias (8), multiplier (4), shift (1), 3 unused."""
    count = plan.output.blocks * template.word_lanes
    record = np.zeros((count, PARAM_BYTES), dtype=np.uint8)
    places = plan.output.places

    def column(values: IntArray | None) -> IntArray:
        full = np.zeros(count, dtype=np.int64)
        full[places] = 0 if values is None else np.broadcast_to(values, places.shape)
        return full

    bias, mult = numbers.bias, numbers.mult
    if plan.shape.op is ComputeOp.NORM:  # normal * gain + bias
        bias, mult = numbers.constants["bias"], numbers.constants["gain"]
    record[:, 0:8] = column(bias).astype("<i8").view(np.uint8).reshape(-1, 8)
    record[:, 8:12] = column(mult).astype("<i8").astype("<u4").view(np.uint8).reshape(-1, 4)
    record[:, 12] = column(numbers.shift).astype(np.uint8)
    return record.reshape(-1)


def mask_bytes(plan: LayerPlan, numbers: QuantizedLayer, template: Template) -> Bytes:
    """A weight word for each place and channel word of a softmax: bit ``l`` is 1 where lane ``l`` takes part."""
    layer, lanes = plan.layer, template.word_lanes
    words = plan.shape.row_k // lanes
    bits = np.zeros((layer.P * layer.Q, words * lanes), dtype=np.uint8)
    bits[:, : layer.C] = numbers.constants["mask"] != 0
    packed = np.packbits(bits.reshape(-1, lanes), axis=1, bitorder="little")
    out = np.zeros((len(packed), template.weight_word_bytes), dtype=np.uint8)
    out[:, : packed.shape[1]] = packed
    return out.reshape(-1)


def table_bytes(plan: LayerPlan, network: QuantizedNetwork, template: Template) -> Bytes:
    """The outputs of a plan's activation function for all inputs from the least on, a byte each."""
    layer = plan.table
    assert layer is not None
    x = np.arange(1 << template.act_bits, dtype=np.int64) - (1 << (template.act_bits - 1))
    limit = 1 << (layer.bits.I - 1)  # narrower activations never reach the outer entries
    reached = np.clip(x, -limit, limit - 1).reshape(1, 1, -1, 1)
    return to_bytes(run_layer(layer, network.layers[layer.name], [reached]), 8)


def memory_image(schedule: Schedule, network: QuantizedNetwork, inputs: dict[str, IntArray]) -> Bytes:
    """All of the memory before a run: program, weights, parameters, constants, inputs; the rest is 0.

    Args:
        schedule: places and commands.
        network: integers.
        inputs: by workload input, ``[N, C, H, W]``.

    Raises:
        SpecError: an input is missing or has another shape, or the network's integers are not what its layers need.
    """
    check_numbers(network)
    memory = np.zeros(schedule.memory_bytes, dtype=np.uint8)
    bits = schedule.template.act_bits
    parts: list[tuple[int, Bytes]] = []
    for tensor in schedule.workload.inputs:
        if tensor.name not in inputs:
            raise SpecError(
                Fault(f"input {tensor.name}", "is missing", ", ".join(t.name for t in schedule.workload.inputs))
            )
        write_tensor(memory, schedule.tensors[tensor.name], inputs[tensor.name], bits)
    for layer in schedule.workload.layers:
        if layer.op.spec.layout is Layout.STORED:
            value = network.layers[layer.name].constants["value"]
            write_tensor(memory, schedule.tensors[layer.name], value, bits)
    for layer in schedule.workload.layers:
        index = network.layers[layer.name].constants.get("index") if layer.op.spec.layout is Layout.RESHAPED else None
        told = None if index is None else layer_index(layer, schedule.workload.shapes[layer.inputs[0]])
        if index is not None and (told is None or not np.array_equal(told, index)):
            raise SpecError(Fault(f"layer {layer.name}", "takes other elements than its fields tell"))
    for plan in schedule.plans:
        if plan.layer.masked != ("mask" in network.layers[plan.layer.name].constants):
            raise SpecError(Fault(f"layer {plan.layer.name}", "is masked without a mask, or has one and is not masked"))
        if plan.layer.masked:
            parts.append((plan.mask_addr, mask_bytes(plan, network.layers[plan.layer.name], schedule.template)))
        if plan.table is not None:
            parts.append((plan.table_addr, table_bytes(plan, network, schedule.template)))
        if plan.shape.params:
            parts.append((plan.param_addr, param_bytes(plan, network.layers[plan.layer.name], schedule.template)))
        if plan.weights:
            parts += weight_bytes(plan, network.layers[plan.layer.name], schedule.template)
    text = np.frombuffer(program_bytes(schedule, network), dtype=np.uint8)
    parts.append((schedule.program_addr, text))
    for addr, data in parts:
        memory[addr : addr + len(data)] = data
    return memory
