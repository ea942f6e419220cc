"""Commands and a network's integers as the descriptors that the hardware runs: the twin of `cd_types_pkg`."""

from __future__ import annotations

import numpy as np

from accel_models.program.parameters import number_of, parameters
from accel_models.schedule import (
    Command,
    Compute,
    ComputeOp,
    Dma,
    Drain,
    LayerPlan,
    Regions,
    Schedule,
    Second,
    Setting,
    Unit,
)
from accel_models.schedule.builder import CHUNK, DESCRIPTOR_BYTES
from accel_models.template.spec import Template
from mappings.errors import Fault, SpecError
from mappings.operators import Rescale
from mappings.quantized import QuantizedNetwork

OPCODES = {Unit.LOAD: 1, Unit.COMPUTE: 2, Unit.DRAIN: 3, Unit.STORE: 4, Unit.END: 5}  #: others: `Setting`


def _join(fields: list[tuple[int, int]]) -> int:
    """(value, bits) pairs from the least significant up; negative values in two's complement."""
    word, at = 0, 0
    for value, bits in fields:
        if not -(1 << (bits - 1)) <= value < 1 << bits:
            raise SpecError(Fault("descriptor", f"{value} does not fit {bits} bits"))
        word |= (value & ((1 << bits) - 1)) << at
        at += bits
    return word


def _dma(body: Dma, addr: int) -> list[tuple[int, int]]:
    return [
        (body.buffer, 4), (body.base, 20), (body.count2, 16), (body.count1, 16), (body.count0, 20),
        (body.stride2, 32), (body.stride1, 32), (addr, 40),
    ]  # fmt: skip


def _compute(body: Compute) -> list[tuple[int, int]]:
    t = body.tile
    return [
        (body.ab_base, 20), (body.wb_base * body.form.pack, 22), (body.ib_base, 20), (int(body.accumulate), 1),
        (t.in_w, 16), (t.in_h, 16), (t.pad_left, 8), (t.pad_top, 8), (t.r, 8), (t.q, 16), (t.p, 16), (t.c, 16),
        (t.k, 16),
    ]  # fmt: skip


def _drain(body: Drain, template: Template) -> list[tuple[int, int]]:
    return [
        (int(body.table_base >= template.table_words), 1), (body.words, 20), (body.blocks, 16),
        (body.param_base // template.ppu_lanes, 16), (body.rb_base, 20), (body.ob_base, 20), (body.ab_base, 20),
    ]  # fmt: skip


def _layer(plan: LayerPlan, network: QuantizedNetwork, template: Template) -> list[tuple[int, int]]:
    """What all computes and drains of a layer share, and the hardware's number."""
    layer, shape, numbers = plan.layer, plan.shape, network.layers[plan.layer.name]
    top = (1 << (template.act_bits - 1)) - 1
    mult, shift, low, high = 1, 0, numbers.low, numbers.high
    if layer.op.spec.rescale is Rescale.ONE or shape.op is ComputeOp.GELU:
        assert numbers.mult is not None and numbers.shift is not None
        mult, shift = int(numbers.mult[0]), int(numbers.shift[0])
    elif layer.op.spec.rescale is Rescale.OPERANDS or shape.table:
        low, high = -top - 1, top
    return [
        (high, 16), (low, 16), (shift, 6), (mult, 32), (int(plan.table is not None), 1), (int(plan.broadcast), 1),
        (int(plan.joins is Second.MULTIPLY), 1), (int(shape.op is ComputeOp.NORM), 1),
        (int(plan.joins is Second.ADD), 1), (int(shape.params), 1),
        (shape.form.narrow, 2), (shape.kept, 4), (int(shape.form.dual), 1),
        (layer.dilation[1], 8), (layer.dilation[0], 8), (layer.stride[1], 8), (layer.stride[0], 8), (layer.S, 8),
        (shape.op, 4), (plan.index, 16), (0, 9), (parameters(template)["DesignHash"], 32),
    ]  # fmt: skip


def _constants(plan: LayerPlan, network: QuantizedNetwork) -> list[tuple[int, int]]:
    """The second rescaling of a residual addition, and the non-linear unit's numbers."""
    numbers = network.layers[plan.layer.name]
    m0, m1, shift2, low2, high2 = 0, 0, 0, 0, 0
    if plan.addition is not None:
        sums = network.layers[plan.addition.name]
        assert sums.add_mult is not None and sums.shift is not None
        m0, m1 = sums.add_mult if plan.first_is_first else sums.add_mult[::-1]
        shift2, low2, high2 = int(sums.shift[0]), sums.low, sums.high
    given = numbers.constants if plan.shape.op.nonlinear else {}
    arg_mult, arg_shift, epsilon = (
        int(given[name][0]) if name in given else 0 for name in ("arg_mult", "arg_shift", "epsilon")
    )
    shift = 0
    if plan.shape.op is ComputeOp.SOFTMAX:
        assert numbers.shift is not None
        shift = int(numbers.shift[0])
    return [
        (high2, 16), (low2, 16), (shift2, 6), (m1, 24), (m0, 24),
        (arg_mult, 20), (arg_shift, 6), (shift, 6), (epsilon, 61), (int(plan.layer.masked), 1),
    ]  # fmt: skip


def encode(command: Command, schedule: Schedule, network: QuantizedNetwork, regions: Regions) -> bytes:
    """One descriptor, as `cd_types_pkg` lays it out, but for the program's number.

    Raises:
        SpecError: a number beyond its field.
    """
    body, plan = command.body, schedule.plans[command.tag]
    region, addr = regions.place(body.addr) if isinstance(body, Dma) else (0, 0)
    opcode = int(body) if isinstance(body, Setting) else OPCODES[command.unit]
    header = [(opcode, 4), (region, 3), (int(command.mark), 1), (command.wait, 16), (command.signal, 16)]
    fields: list[tuple[int, int]] = []
    if isinstance(body, Dma):
        fields = _dma(body, addr)
    elif isinstance(body, Compute):
        fields = _compute(body)
    elif isinstance(body, Drain):
        fields = _drain(body, schedule.template)
    elif body is Setting.LAYER:
        fields = _layer(plan, network, schedule.template)
    elif body is Setting.CONSTANTS:
        fields = _constants(plan, network)
    return _join(header + fields).to_bytes(DESCRIPTOR_BYTES, "little")


def program_bytes(schedule: Schedule, network: QuantizedNetwork) -> bytes:
    """The whole program, filled up to whole chunks with descriptors that are illegal if ever reached.

    Every descriptor ends with the program's number (:func:`program_number`).
    """
    regions = Regions(schedule)
    text = b"".join(encode(command, schedule, network, regions) for command in schedule.commands)
    words = np.frombuffer(text, dtype="<u4").reshape(-1, DESCRIPTOR_BYTES // 4).copy()
    words[:, -1] = number_of(text)
    text = words.tobytes()
    return text + bytes(-len(text) % (CHUNK * DESCRIPTOR_BYTES))


def program_number(program: bytes) -> int:
    """What the register IMAGE has to hold so that this program alone runs."""
    return int.from_bytes(program[DESCRIPTOR_BYTES - 4 : DESCRIPTOR_BYTES], "little")
