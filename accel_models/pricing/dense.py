"""Plans of plain networks, compiled: convolutions, linear layers, pooling and additions, every tensor dense.

The rows equal those of :func:`accel_models.pricing.plans.plan_rows`, which takes all other networks.
"""

from __future__ import annotations

from operator import attrgetter

import numpy as np

from accel_models.jit import uncounted, uncounted_entry
from accel_models.pricing.compiled import ceil_div
from accel_models.pricing.emit import aligned
from accel_models.pricing.machine import Ints
from accel_models.pricing.plans import (
    ADDR,
    BLOCKS,
    BROADCAST,
    BY_CHANNELS,
    BY_GROUPS,
    CHANNELS,
    COL,
    DUAL,
    IMAGE_STRIDE,
    IMAGES,
    INPUT_TENSOR,
    JOINED_TENSOR,
    JOINS,
    MACS,
    MAPPED_BY,
    NEEDS,
    OP,
    OPERANDS,
    ORIGIN_H,
    ORIGIN_W,
    OUTPUT_TENSOR,
    PACK,
    PARAM_BYTES,
    PARAMS,
    PLACES,
    PLAN_COLUMNS,
    PLANE,
    ROW,
    SHAPE_C,
    SHAPE_GROUPS,
    SHAPE_K,
    STRIDE_H,
    TENSOR_COLS,
    TENSOR_ROWS,
    TILED_AS,
    TOP,
    UNIT_K,
    WEIGHTS,
    Plans,
)
from accel_models.pricing.plans import GROUPS as PLAN_GROUPS
from accel_models.schedule.commands import ComputeOp, Second
from accel_models.schedule.fusing import CLAMPS
from accel_models.template.spec import Template
from accel_models.template.weight_form import narrowing
from mappings.layer import Op
from mappings.workload import Workload

_CONV, _LINEAR, _MAXPOOL, _AVGPOOL, _ADD = range(5)
_CODES = {Op.CONV: _CONV, Op.LINEAR: _LINEAR, Op.MAXPOOL: _MAXPOOL, Op.AVGPOOL: _AVGPOOL, Op.ADD: _ADD}
#: Columns of a plain layer; groups to the dilation as in a plan; sources are numbers of tensors, inputs first.
KIND, IMAGES_OF, GROUPS, K, C, P, Q, R, S, STRIDES = range(10)
PADDING, SOURCE, OTHER, LAYER_MACS, WIDEST_PAD, WIDEST, LAYER_COLUMNS = 13, 15, 16, 17, 18, 19, 20
_ARRAY, _DEPTHWISE, _MAX, _SUM = (
    int(op) for op in (ComputeOp.ARRAY, ComputeOp.DEPTHWISE, ComputeOp.MAX, ComputeOp.SUM)
)
_JOIN = int(Second.ADD)
_FIELD, _EXTENT = 255, 65535  #: of a descriptor; larger ones are the readable planner's to refuse
#: Fields of a layer that a row is made of; from the images on as they stand in it.
_fields = attrgetter(
    "op", "activation", "name", "inputs", "kept_taps", "stride", "dilation", "padding", "bits",
    "N", "groups", "K", "C", "P", "Q", "R", "S",
)  # fmt: skip


def plain_layers(workload: Workload) -> tuple[Ints, Ints] | None:
    """Layers ``[n, LAYER_COLUMNS]`` and shapes of the inputs ``[n, 4]``; None where the network is not plain."""
    number = {tensor.name: i for i, tensor in enumerate(workload.inputs)}
    rows = []
    for layer in workload.layers:
        op, activation, name, sources, kept_taps, stride, dilation, padding, bits, *loops = _fields(layer)
        kind = _CODES.get(op)
        if kind is None or kept_taps or activation not in CLAMPS or len(sources) != (2 if kind == _ADD else 1):
            return None
        number[name] = len(number)
        rows.append((
            kind, *loops, *stride, *dilation, *padding[:2], number[sources[0]], number[sources[-1]], 0, max(padding),
            max(bits.I, bits.O) | bits.W << 8,
        ))  # fmt: skip
    table = np.array(rows, dtype=np.int64).reshape(-1, LAYER_COLUMNS)
    if not len(rows) or not fill_macs(table):
        return None
    inputs = [(tensor.N, tensor.C, tensor.H, tensor.W) for tensor in workload.inputs]
    return table, np.array(inputs, dtype=np.int64).reshape(-1, 4)


@uncounted_entry
def fill_macs(table: Ints) -> bool:
    """Multiply-accumulates of each layer; False where a descriptor's fields do not hold one."""
    for layer in table:
        if layer[KIND] <= _LINEAR:
            layer[LAYER_MACS] = 1
            for column in range(IMAGES_OF, STRIDES):
                layer[LAYER_MACS] *= layer[column]
        for column in range(R, PADDING):
            if layer[column] > _FIELD:
                return False
        channels = layer[GROUPS] * max(layer[K], layer[C])
        if layer[WIDEST_PAD] > _FIELD or max(layer[P], layer[Q], channels) > _EXTENT:
            return False
    return True


def dense_plans(layers: Ints, inputs: Ints, template: Template) -> Plans | None:
    """The plans of a plain network; None where tensors do not lie as plainly as its layers look."""
    widths = layers[:, WIDEST]
    if (widths & 255).max() > template.act_bits or (widths >> 8).max() > template.weight_bits:
        return None
    rows = np.zeros((len(layers), PLAN_COLUMNS), dtype=np.int64)
    tensors = np.zeros((len(inputs) + len(layers), 8), dtype=np.int64)
    end = np.zeros(1, dtype=np.int64)
    narrow = np.ones(len(layers), dtype=np.int64)
    if template.weight_packing > 1:
        by_bits = np.array([narrowing(template, bits) for bits in range(template.weight_bits + 1)], dtype=np.int64)
        narrow = by_bits[widths >> 8]
    words = template.word_lanes, template.act_word_bytes
    count = fill_plans(layers, inputs, narrow, int(template.dual_rate), *words, tensors, rows, end)
    return None if count < 0 else Plans(rows[:count], np.zeros(1, dtype=np.int64), int(end[0]))


#: Columns of a tensor here: its shape, address, the plan that makes it, how many read it, the tensor of the addition
#: that rides along with its layer, or of the layer with which it, an addition's, does.
_N, _CH, _H, _W, _AT, _PLAN, _USES, _WITH = range(8)


@uncounted
def put_tensor(row: Ints, base: int, tensor: Ints, lanes: int, word: int) -> None:
    """A dense tensor's columns."""
    blocks, plane = ceil_div(tensor[_CH], lanes), tensor[_H] * tensor[_W]
    row[base + ADDR], row[base + BLOCKS], row[base + TENSOR_ROWS] = tensor[_AT], blocks, tensor[_H]
    row[base + TENSOR_COLS], row[base + IMAGE_STRIDE] = tensor[_W], aligned(blocks * plane * word)
    row[base + PLANE], row[base + ROW], row[base + COL], row[base + PLACES] = plane, tensor[_W], 1, -1
    row[base + CHANNELS] = row[base + TOP] = tensor[_CH]


@uncounted_entry
def fill_plans(
    layers: Ints, inputs: Ints, narrow: Ints, dual: int, lanes: int, word: int, tensors: Ints, rows: Ints, end: Ints
) -> int:
    """Fill ``rows`` and ``end[0]``; returns the number of plans, -1 where the network is not plain.

    Args:
        layers, inputs: from :func:`plain_layers`.
        narrow: ``[layers]``, weights in the place of one.
        dual: the template's array takes two of them at a time.
        lanes, word: channels and bytes of a memory word.
        tensors: scratch.
        rows, end: results.
    """
    first = len(inputs)
    for i in range(first):
        for column in range(4):
            tensors[i, column] = inputs[i, column]
    for n in range(len(layers)):
        layer, tensor = layers[n], tensors[first + n]
        tensor[_N], tensor[_CH], tensor[_H], tensor[_W] = layer[IMAGES_OF], layer[GROUPS] * layer[K], layer[P], layer[Q]
    for i in range(len(tensors)):
        tensors[i, _PLAN], tensors[i, _USES], tensors[i, _WITH] = -1, 0, -1
    for n in range(len(layers)):
        layer = layers[n]
        source, tensor = tensors[layer[SOURCE]], tensors[first + n]
        depthwise = layer[KIND] == _CONV and layer[GROUPS] > 1 and layer[K] == 1 and layer[C] == 1
        if (depthwise or layer[KIND] > _LINEAR) and source[_CH] != tensor[_CH]:
            return -1
        tensors[layer[SOURCE], _USES] += 1
        if layer[KIND] == _ADD:
            tensors[layer[OTHER], _USES] += 1
            if tensors[layer[OTHER], _CH] != tensor[_CH]:
                return -1
    # Additions that ride along: `_WITH` of the addition is its layer's tensor, and the other way round.
    for n in range(len(layers)):
        layer, best = layers[n], -1
        if layer[KIND] != _ADD:
            continue
        for turn in range(2):
            mine, other = (layer[SOURCE], layer[OTHER]) if turn == 0 else (layer[OTHER], layer[SOURCE])
            if mine < first or tensors[mine, _USES] != 1 or layers[mine - first, KIND] == _ADD:
                continue
            at = other
            if other >= first and layers[other - first, KIND] == _ADD and tensors[other, _WITH] >= 0:
                at = tensors[other, _WITH]  # an addition's result is there when its layer's is
            if (other < first or at < mine) and mine > best:
                best = mine
        if best >= 0:
            tensors[best, _WITH], tensors[first + n, _WITH] = first + n, best
    bottom = 0
    for i in range(len(tensors)):
        if i >= first and layers[i - first, KIND] != _ADD and tensors[i, _WITH] >= 0:
            continue  # its result never reaches memory
        tensor = tensors[i]
        tensor[_AT] = aligned(bottom)
        bottom = tensor[_AT] + tensor[_N] * aligned(ceil_div(tensor[_CH], lanes) * tensor[_H] * tensor[_W] * word)
    end[0] = bottom
    count = 0
    for n in range(len(layers)):
        layer, me = layers[n], first + n
        kind = layer[KIND]
        if kind == _ADD and tensors[me, _WITH] >= 0:
            continue
        target, joined = me, layer[OTHER] if kind == _ADD else -1
        if tensors[me, _WITH] >= 0:
            target = tensors[me, _WITH]
            addition = layers[target - first]
            joined = addition[OTHER] if addition[SOURCE] == me else addition[SOURCE]
        row = rows[count]
        depthwise = kind == _CONV and layer[GROUPS] > 1 and layer[K] == 1 and layer[C] == 1
        op = _DEPTHWISE if depthwise else _ARRAY if kind <= _LINEAR else _MAX if kind == _MAXPOOL else _SUM
        row[OP] = op
        for column in range(7):  # groups to filter columns
            row[PLAN_GROUPS + column] = layer[GROUPS + column]
        for column in range(4):
            row[STRIDE_H + column] = layer[STRIDES + column]
        row[SHAPE_K] = row[UNIT_K] = ceil_div(layer[GROUPS] * layer[K], lanes) * lanes
        row[SHAPE_C] = ceil_div(layer[GROUPS] * layer[C], lanes) * lanes if op == _ARRAY else lanes
        row[SHAPE_GROUPS] = layer[GROUPS] if op == _ARRAY else 1
        row[WEIGHTS], row[PARAMS] = int(kind <= _LINEAR), int(kind <= _LINEAR)
        row[OPERANDS] = 2 if kind == _ADD else 1
        row[DUAL] = int(op == _ARRAY and dual == 1 and narrow[n] > 1)
        row[PACK] = narrow[n] >> row[DUAL] if kind <= _LINEAR else 1
        row[MAPPED_BY] = BY_CHANNELS if layer[K] > 1 and layer[GROUPS] == 1 else BY_GROUPS
        row[IMAGES], row[MACS], row[TILED_AS] = layer[IMAGES_OF], layer[LAYER_MACS], count
        row[ORIGIN_H], row[ORIGIN_W] = -layer[PADDING], -layer[PADDING + 1]
        row[NEEDS] = tensors[layer[SOURCE], _PLAN]
        put_tensor(row, INPUT_TENSOR, tensors[layer[SOURCE]], lanes, word)
        put_tensor(row, OUTPUT_TENSOR, tensors[target], lanes, word)
        if joined >= 0:
            second = tensors[joined]
            row[JOINS], row[NEEDS] = _JOIN, max(row[NEEDS], second[_PLAN])
            out = tensors[target]
            row[BROADCAST] = int(second[_H] * second[_W] == 1 and out[_H] * out[_W] > 1)
            put_tensor(row, JOINED_TENSOR, second, lanes, word)
        if row[PARAMS]:
            row[PARAM_BYTES] = 16 * row[OUTPUT_TENSOR + BLOCKS] * lanes
        tensors[target, _PLAN] = count
        count += 1
    return count
