"""A network as columns: a row of whole numbers for each plan, all that its tiles and commands depend on but the tiling.

The general way goes through the readable planner (:func:`plan_rows`), once for each network and width of channel words;
:mod:`accel_models.pricing.dense` makes the same rows of plain networks without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from accel_models.pricing.machine import Ints
from accel_models.schedule.commands import Second
from accel_models.schedule.fusing import absorbed, chains
from accel_models.schedule.memory import Memory
from accel_models.schedule.network import layer_faults, producers
from accel_models.schedule.placing import place_tensors
from accel_models.schedule.plan import LayerPlan
from accel_models.schedule.planning import Outline, outlines
from accel_models.schedule.tensors import TensorLayout
from accel_models.template.spec import Template
from mappings.errors import Fault, SpecError
from mappings.layer import Layer
from mappings.workload import Workload

#: Columns that the choice of tiles depends on: two plans with equal ones have equal tiles.
(
    OP,
    MATMUL,
    GROUPS,
    K,
    C,
    P,
    Q,
    R,
    S,
    STRIDE_H,
    STRIDE_W,
    DILATION_H,
    DILATION_W,
    SHAPE_K,
    SHAPE_C,
    SHAPE_GROUPS,
    ROW_K,
    UNIT_K,
    WEIGHTS,
    PARAMS,
    OPERANDS,
    MASKED,
    PACK,
    DUAL,
    KEPT,
    MAPPED_BY,
    PHASE,
    SHAPE_COLUMNS,
) = range(28)
#: Further columns: images, origin of the filter; the second operand's part, a table behind; bytes of parameters to be
#: placed (-1: those of the plan before); the plan whose results it waits for (-1: none); the plan whose shape decides
#: the default tiles; MACs.
(IMAGES, ORIGIN_H, ORIGIN_W, TRANSPOSE_B, JOINS, BROADCAST, LOOKUP, PARAM_BYTES, NEEDS, TILED_AS, MACS) = range(27, 38)
#: Four tensors: input, a matrix product's second operand, post-processing's second operand, output.
INPUT_TENSOR, PRODUCT_TENSOR, JOINED_TENSOR, OUTPUT_TENSOR = 38, 49, 60, 71
#: Columns of a tensor from there on; ``PLACES`` is an offset into the pool of channel places, -1 where they are dense.
ADDR, BLOCKS, TENSOR_ROWS, TENSOR_COLS, IMAGE_STRIDE, PLANE, ROW, COL, PLACES, CHANNELS, TOP, TENSOR_COLUMNS = range(12)
PLAN_COLUMNS = 82
#: ``MAPPED_BY``: how the default mapping writes channels down; copies have no mapping.
COPY, BY_HEADS, BY_ROWS, BY_CHANNELS, BY_GROUPS = range(5)


class Plans(NamedTuple):
    """A network on channel words of one width.

    Attributes:
        rows: ``[plans, PLAN_COLUMNS]``.
        places: pool of channel places of tensors that are not dense.
        end: first free byte of memory behind the tensors.
    """

    rows: Ints
    places: Ints
    end: int


def plans_key(template: Template) -> tuple[int, ...]:
    """What a network's plans depend on of a template."""
    t = template
    units = int(t.nonlinear_lanes > 0), t.activation_tables
    return (t.rows, t.cols, t.act_bits, t.weight_bits, t.weight_packing, int(t.dual_rate), int(t.tap_skipping), *units)


def plan_rows(workload: Workload, template: Template) -> Plans:
    """The rows by the readable planner.

    Raises:
        SpecError: an operator that the hardware does not run, or tensors that can not lie as it needs them.
    """
    faults = [fault for layer in workload.layers for fault in layer_faults(layer, template)]
    if faults:
        raise SpecError(faults)
    found = chains(workload, template)
    memory = Memory()
    placement = place_tensors(workload, template, memory, absorbed(found))
    drawn = outlines(workload, template, found, placement)
    pool: list[int] = []
    rows: list[Ints] = []
    latest: dict[str, int] = {}
    for number, outline in enumerate(drawn):
        row = _row(outline, template, pool)
        sources = producers(outline.plan, workload)
        row[NEEDS] = max((latest.get(name, -1) for name in sources), default=-1)
        row[TILED_AS] = number + outline.tiled_as
        latest[outline.plan.chain[-1].name] = number
        rows.append(row)
    table = np.array(rows, dtype=np.int64).reshape(-1, PLAN_COLUMNS)
    return Plans(table, np.array(pool or [0], dtype=np.int64), memory.end)


def _row(outline: Outline, template: Template, pool: list[int]) -> Ints:
    plan = outline.plan
    layer, shape = plan.layer, plan.shape
    row = np.zeros(PLAN_COLUMNS, dtype=np.int64)
    row[:SHAPE_COLUMNS] = (
        shape.op, layer.op.spec.is_product, layer.groups, layer.K, layer.C, layer.P, layer.Q, layer.R, layer.S,
        *layer.stride, *layer.dilation, shape.k, shape.c, shape.groups, shape.row_k, shape.unit_k, shape.weights,
        shape.params, shape.operands, shape.masked, *shape.form, shape.kept,
        _mapped_by(layer, outline.mapped), outline.phase,
    )  # fmt: skip
    row[IMAGES], row[ORIGIN_H], row[ORIGIN_W] = layer.N, *plan.origin
    row[TRANSPOSE_B], row[JOINS], row[BROADCAST] = layer.transpose_b, plan.joins, plan.broadcast
    row[LOOKUP], row[PARAM_BYTES], row[MACS] = plan.table is not None, outline.param_bytes, plan.done_macs
    tensors = [(INPUT_TENSOR, plan.inputs[0]), (OUTPUT_TENSOR, plan.output)]
    if layer.op.spec.is_product:
        _check_product(plan, template.word_lanes)
        tensors.append((PRODUCT_TENSOR, plan.inputs[1]))
    if plan.joins is not Second.NONE and plan.second is not None:
        tensors.append((JOINED_TENSOR, plan.second))
    for at, tensor in tensors:
        row[at : at + TENSOR_COLUMNS] = _tensor(tensor, pool)
    return row


def _mapped_by(layer: Layer, mapped: bool) -> int:
    if not mapped:
        return COPY
    if layer.op.spec.is_product:
        return BY_HEADS
    if layer.op.spec.over_rows:
        return BY_ROWS
    return BY_CHANNELS if layer.K > 1 and layer.groups == 1 else BY_GROUPS


def _check_product(plan: LayerPlan, lanes: int) -> None:
    """What the emitter refuses of a matrix product, whatever its tiles.

    Raises:
        SpecError: heads that fill no channel words of their own, or rows of the second operand with gaps.
    """
    layer, places = plan.layer, plan.inputs[0].places
    for head in range(layer.groups):
        of_head = places[head * layer.C : (head + 1) * layer.C]
        if of_head[0] % lanes or any(of_head != of_head[0] + range(layer.C)):
            what = f"heads of {layer.C} channels do not fill channel words of {lanes} lanes"
            raise SpecError(Fault(f"layer {layer.name}", what, "heads of whole words"))
    if plan.inputs[1].row_words != 1:
        raise SpecError(Fault(f"layer {layer.name}", "multiplies by rows that do not follow each other in memory"))


def _tensor(tensor: TensorLayout, pool: list[int]) -> Sequence[int]:
    places = -1
    if not tensor.is_dense:
        places = len(pool)
        pool.extend(int(place) for place in tensor.places)
    return (
        tensor.addr, tensor.blocks, tensor.rows, tensor.cols, tensor.image_stride, tensor.plane_words,
        tensor.row_words, tensor.col_words, places, tensor.channels, int(tensor.places.max()) + 1,
    )  # fmt: skip
