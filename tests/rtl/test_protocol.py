"""The buses: AXI models with random pauses, resets, illegal descriptors, error responses, buffers at any byte."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from accel_models.program.descriptors import program_number
from accel_models.program.image import memory_image, write_tensor
from accel_models.program.parameters import parameters
from accel_models.report import Infeasible
from accel_models.schedule import Buffer, Dma, Regions, Schedule, Setting, Unit, schedule_network
from accel_models.schedule.builder import CHUNK, DESCRIPTOR_BYTES
from accel_models.template.spec import Template
from accel_models.template.timing import predict
from benchmarks.rtl_cases import design, inputs, quantized, reference
from mappings.errors import SpecError
from mappings.layer import Layer, Op
from mappings.workload import TensorShape, Workload
from rtl_templates.build import build_bench, run_bench

pytestmark = pytest.mark.rtl

TEMPLATE = Template(
    rows=4,
    cols=4,
    input_buffer_bytes=1024,
    weight_buffer_bytes=512,
    acc_buffer_bytes=1024,
    output_buffer_bytes=128,
    param_buffer_bytes=256,
    axi_bits=64,
    dram_bytes_per_cycle=8,
)
OPCODE, OP_LOAD, OP_COMPUTE, OP_DRAIN, OP_STORE, OP_END, OP_LAYER = 0xF, 1, 2, 3, 4, 5, 6
ERR_OPCODE, ERR_RANGE, ERR_ALIGN, ERR_BUS = 1, 2, 3, 4
HEADER_BITS, NUMBER_BIT = 40, 224  #: before a descriptor's body, before its program's number


def network() -> Workload:
    layers = (
        Layer("conv", Op.CONV, K=9, C=5, P=9, Q=9, R=3, S=3, padding=(1,) * 4, activation="relu", inputs=("x",)),
        Layer("pool", Op.MAXPOOL, P=4, Q=4, R=2, S=2, stride=(2, 2), groups=9, inputs=("conv",)),
        Layer("point", Op.CONV, K=9, C=9, P=4, Q=4, inputs=("pool",)),
        Layer("add", Op.ADD, P=4, Q=4, groups=9, inputs=("pool", "point")),
        Layer("fc", Op.CONV, K=3, C=9, R=4, S=4, inputs=("add",)),
    )
    return Workload("ports", (TensorShape("x", 1, 5, 9, 9),), layers)


def dma(
    opcode: int = OP_LOAD,
    buffer: int = Buffer.INPUT,
    base: int = 0,
    counts: tuple[int, int, int] = (4, 1, 1),
    strides: tuple[int, int] = (0, 0),
    addr: int = 0,
) -> int:
    """A DMA descriptor by hand, field by field as `cd_types_pkg` lays it out."""
    body, at = 0, 0
    fields = [(buffer, 4), (base, 20), (counts[2], 16), (counts[1], 16), (counts[0], 20)]
    fields += [(strides[1], 32), (strides[0], 32), (addr, 40)]
    for value, bits in fields:
        body |= value << at
        at += bits
    return body << HEADER_BITS | opcode


def compute(**changes: int) -> int:
    """A compute descriptor by hand."""
    fields = {
        "ab_base": 20, "wb_base": 22, "ib_base": 20, "accumulate": 1, "in_w": 16, "in_h": 16, "pad_left": 8,
        "pad_top": 8, "r": 8, "q": 16, "p": 16, "c": 16, "k": 16,
    }  # fmt: skip
    ones = ("in_w", "in_h", "r", "q", "p", "c", "k")
    return join(fields, {**dict.fromkeys(ones, 1), **changes}) << HEADER_BITS | OP_COMPUTE


def drain(**changes: int) -> int:
    """A drain descriptor by hand."""
    fields = {"lookup_half": 1, "words": 20, "blocks": 16, "pb_base": 16, "rb_base": 20, "ob_base": 20, "ab_base": 20}
    return join(fields, {"words": 1, "blocks": 1, **changes}) << HEADER_BITS | OP_DRAIN


def layer(hardware: int, **changes: int) -> int:
    """The descriptor that begins a layer, by hand."""
    fields = {
        "high": 16, "low": 16, "imm_shift": 6, "imm_mult": 32, "lookup": 1, "broadcast": 1, "product": 1, "affine": 1,
        "residual": 1, "per_channel": 1, "narrow": 2, "kept": 4, "dual": 1, "dilation_w": 8, "dilation_h": 8,
        "stride_w": 8, "stride_h": 8, "s": 8, "op": 4, "tag": 16, "reserved": 9, "hardware": 32,
    }  # fmt: skip
    ones = ("dilation_w", "dilation_h", "stride_w", "stride_h", "s", "op")
    return join(fields, {**dict.fromkeys(ones, 1), "hardware": hardware, **changes}) << HEADER_BITS | OP_LAYER


def join(fields: dict[str, int], values: dict[str, int]) -> int:
    """Fields from the lowest bit up, given their widths; those without a value are 0."""
    body, at = 0, 0
    for name, bits in fields.items():
        body |= values.get(name, 0) << at
        at += bits
    return body


def illegal_cases(schedule: Schedule) -> list[dict[str, Any]]:
    """Programs with one bad descriptor, behind that of its layer or also behind one that is fine but waits for ever."""
    words = 2 * TEMPLATE.input_words
    # With what the layer has that makes it bad.
    bad: list[tuple[str, int, int, dict[str, int]]] = [
        ("all zero", 0, ERR_OPCODE, {}),
        ("unknown opcode", 9, ERR_OPCODE, {}),
        ("from no region", dma() | 7 << 4, ERR_OPCODE, {}),
        ("load into no buffer", dma(buffer=0), ERR_OPCODE, {}),
        ("load into the output buffer", dma(buffer=Buffer.OUTPUT), ERR_OPCODE, {}),
        ("store from the input buffer", dma(OP_STORE, Buffer.INPUT), ERR_OPCODE, {}),
        ("no words", dma(counts=(0, 1, 1)), ERR_RANGE, {}),
        ("no runs", dma(counts=(4, 0, 1)), ERR_RANGE, {}),
        ("beyond the input buffer", dma(base=words - 3), ERR_RANGE, {}),
        ("product beyond 32 bits", dma(counts=(2**20 - 1, 2**16 - 1, 2**16 - 1)), ERR_RANGE, {}),
        ("beyond the program memory", dma(buffer=Buffer.PROGRAM, counts=(2 * CHUNK + 1, 1, 1)), ERR_RANGE, {}),
        ("beyond the output buffer", dma(OP_STORE, Buffer.OUTPUT, base=2 * TEMPLATE.output_words), ERR_RANGE, {}),
        ("unknown compute operation", compute(), ERR_OPCODE, {"op": 0}),
        ("no channels", compute(k=0), ERR_RANGE, {}),
        ("no filter", compute(r=0), ERR_RANGE, {}),
        ("no columns of the filter", compute(), ERR_RANGE, {"s": 0}),
        ("no stride", compute(), ERR_RANGE, {"stride_w": 0}),
        ("input beyond the buffer", compute(in_h=words, in_w=2), ERR_RANGE, {}),
        ("sums beyond the accumulators", compute(p=TEMPLATE.acc_words, q=2), ERR_RANGE, {}),
        ("drain of nothing", drain(words=0), ERR_RANGE, {}),
        ("drain beyond the output buffer", drain(ob_base=2 * TEMPLATE.output_words), ERR_RANGE, {}),
        ("drain beyond the accumulators", drain(ab_base=TEMPLATE.acc_words - 1, words=2), ERR_RANGE, {}),
        ("accumulators beyond both halves", drain(ab_base=1 << 19), ERR_RANGE, {}),
        ("parameters beyond the buffer", drain(pb_base=2 * TEMPLATE.param_channels), ERR_RANGE, {"per_channel": 1}),
        ("residual beyond the buffer", drain(rb_base=2 * TEMPLATE.output_words), ERR_RANGE, {"residual": 1}),
        ("operand of a product beyond the buffer", drain(rb_base=2 * TEMPLATE.output_words), ERR_RANGE, {"product": 1}),
        ("softmax without its unit", compute(), ERR_OPCODE, {"op": 5}),
        ("packed weights without packing", compute(), ERR_OPCODE, {"narrow": 1}),
        ("pairs of weights without pairs", compute(), ERR_OPCODE, {"dual": 1}),
        ("skipped taps without their unit", compute(), ERR_OPCODE, {"kept": 4}),
        ("a table without tables", drain(), ERR_OPCODE, {"lookup": 1}),
        ("a table's entries without tables", dma(buffer=Buffer.TABLE), ERR_OPCODE, {}),
        ("a transposed load without its unit", dma(buffer=Buffer.TURNED), ERR_OPCODE, {}),
    ]
    if not schedule.template.unaligned:
        bad += [
            ("address between words", dma(addr=2), ERR_ALIGN, {}),
            ("stride between words", dma(strides=(6, 0)), ERR_ALIGN, {}),
            ("second stride between words", dma(strides=(0, 5)), ERR_ALIGN, {}),
            ("weights between words", dma(buffer=Buffer.WEIGHT, addr=1), ERR_ALIGN, {}),
        ]
    stuck = dma() | 0x8000 << 8  # waits for a token that nobody gives
    cases = []
    for number, (name, descriptor, code, shared) in enumerate(bad):
        begin = layer(parameters(schedule.template)["DesignHash"], **shared)
        program = [begin, stuck, descriptor] if number % 2 else [begin, descriptor]
        text = b"".join((word | 77 << NUMBER_BIT).to_bytes(DESCRIPTOR_BYTES, "little") for word in program)
        text += OP_END.to_bytes(DESCRIPTOR_BYTES, "little") * (CHUNK - len(program))
        cases.append({"name": name, "program": text.hex(), "code": code, "at": len(program) - 1})
    return cases


def wrong_images(schedule: Schedule, text: bytes) -> list[dict[str, Any]]:
    """The schedule's program with descriptors of others, and which is to be refused.

    ``any``: no program is announced; else this one is, or with ``announced`` another.
    """
    words = [int.from_bytes(text[at:][:DESCRIPTOR_BYTES], "little") for at in range(0, len(text), DESCRIPTOR_BYTES)]
    layers = [at for at, command in enumerate(schedule.commands) if command.body is Setting.LAYER]
    other, foreign = 0x100 << NUMBER_BIT, 1 << NUMBER_BIT - 32
    assert len(words) > CHUNK + 2 and layers[0] == 0 and len(layers) > 2

    def changed(places: Iterable[int], by: int) -> list[int]:
        return [word ^ by if at in places else word for at, word in enumerate(words)]

    everything, chunk = range(len(words)), range(CHUNK, min(2 * CHUNK, len(words)))
    last = len(words) - 1
    own = program_number(text)
    cases = [
        ("another program is announced", words, own ^ 0x100, 0),
        ("another program", changed(everything, other), own, 0),
        ("other hardware", changed(layers, foreign), own, 0),
        ("other hardware, any program", changed(layers, foreign), 0, 0),
        ("a later layer for other hardware", changed([layers[2]], foreign), 0, layers[2]),
        ("a stale chunk", changed(chunk, other), own, CHUNK),
        ("a stale chunk, any program", changed(chunk, other), 0, CHUNK),
        ("all but the first of another program", changed(everything[1:], other), 0, 1),
        ("a stale end", changed([last], other), 0, last),
        ("no layer first", words[1:], own, 0),
        ("no layer first, any program", words[1:], 0, 0),
        ("no layer first and no number", [word & (1 << NUMBER_BIT) - 1 for word in words[1:]], 0, 0),
    ]
    cases += [(f"stale descriptor {at}", changed([at], other), at % 2 * own, at) for at in everything[1 : CHUNK + 2]]
    return [
        {
            "name": name,
            "program": b"".join(word.to_bytes(DESCRIPTOR_BYTES, "little") for word in program).hex(),
            "image": image,
            "at": at,
        }
        for name, program, image, at in cases
    ]


def fetch_bursts(addr: int, burst_bytes: int) -> int:
    """Bursts of a chunk's fetch; each ends at a multiple of the longest."""
    return (addr + CHUNK * DESCRIPTOR_BYTES - 1) // burst_bytes - addr // burst_bytes + 1


def touched(body: Dma, word_bytes: int) -> set[int]:
    """The bytes of memory that a transfer names."""
    return {
        body.addr + j * body.stride2 + i * body.stride1 + byte
        for j in range(body.count2)
        for i in range(body.count1)
        for byte in range(body.count0 * word_bytes)
    }


def blamed(schedule: Schedule, unit: Unit, buffer: Buffer, addr: int) -> int:
    """The first command of a unit whose beats reach a byte."""
    template, beat = schedule.template, schedule.template.axi_bits // 8
    for number, command in enumerate(schedule.commands):
        body = command.body
        if command.unit is unit and isinstance(body, Dma) and body.buffer == buffer:
            word = template.weight_word_bytes if buffer == Buffer.WEIGHT else template.act_word_bytes
            if any(byte // beat == addr // beat for byte in touched(body, word)):
                return number
    raise AssertionError("nothing reaches that byte")


def last_stored(schedule: Schedule) -> int:
    """The last byte that the program writes: its error comes with the run's very last response."""
    body = [command.body for command in schedule.commands if command.unit is Unit.STORE][-1]
    assert isinstance(body, Dma)
    run = body.addr + (body.count2 - 1) * body.stride2 + (body.count1 - 1) * body.stride1
    return run + body.count0 * schedule.template.act_word_bytes - 1


def prepare(folder: Path, scatter: int | None, template: Template = TEMPLATE) -> None:
    workload = network()
    schedule = schedule_network(design(workload, template), scatter=scatter)
    assert not isinstance(schedule, Infeasible)
    integers, given = quantized(workload, 5), inputs(workload, 6)
    memory = memory_image(schedule, integers, given)
    memory.tofile(folder / "memory.bin")
    text = memory[schedule.program_addr :][: len(schedule.commands) * DESCRIPTOR_BYTES].tobytes()
    regions = Regions(schedule)
    spans = [(region.first, region.base, region.end) for _, region in sorted(regions.by_kind.items())]
    outputs = {}
    for name, value in reference(integers, given).items():
        if name not in schedule.tensors:
            continue
        image = np.zeros(schedule.memory_bytes, dtype=np.uint8)
        write_tensor(image, schedule.tensors[name], value, 8)
        addr = schedule.tensors[name].addr
        data = image[addr : addr + schedule.tensors[name].image_bytes]
        if schedule.tensors[name].channels % TEMPLATE.word_lanes == 0:
            outputs[name] = (addr, len(data))
            (folder / f"{name}.expected").write_bytes(data.tobytes())
        else:  # only whole channel words: the lanes beyond the last channel are anything
            whole = schedule.tensors[name].blocks - 1
            size = whole * schedule.tensors[name].plane_bytes
            if size:
                outputs[name] = (addr, size)
                (folder / f"{name}.expected").write_bytes(data[:size].tobytes())
    predicted = predict(schedule).cycles
    beat = TEMPLATE.axi_bits // 8
    setup = {
        "memory_bytes": schedule.memory_bytes + len(spans) * 5 * 4096,
        "bases": regions.bases(),
        "regions": spans,
        "output_regions": {name: regions.at(addr).kind for name, (addr, _) in outputs.items()},
        "granule": template.granule_bytes(DESCRIPTOR_BYTES),
        "design_number": parameters(template)["DesignHash"],
        "program_number": program_number(text),
        "wrong": wrong_images(schedule, text),
        "geometry": template.weight_bits << 24 | template.act_bits << 16 | template.cols << 8 | template.rows,
        "port": template.axi_burst_beats << 16 | template.axi_bits,
        "scratch_addr": schedule.memory_bytes,
        "program_addr": schedule.program_addr,
        "predicted_cycles": predicted,
        "outputs": outputs,
        "reset_after": [3, 40, 200, predicted // 2, predicted * 3 // 4],
        "illegal": illegal_cases(schedule),
        "fetch_bursts": fetch_bursts(schedule.memory_bytes, TEMPLATE.axi_burst_beats * beat),
        "program_bursts": fetch_bursts(schedule.program_addr, TEMPLATE.axi_burst_beats * beat),
        "bus_code": ERR_BUS,
        "beat_bytes": beat,
        "burst_beats": TEMPLATE.axi_burst_beats,
        # First byte, the byte behind the last, the descriptor that is to blame.
        "bad_places": [
            (schedule.program_addr, schedule.program_addr + 1, 2**32 - 1),
            *(
                (addr, addr + 1, blamed(schedule, unit, buffer, addr))
                for unit, buffer, addr in (
                    (Unit.LOAD, Buffer.WEIGHT, schedule.plans[2].weights[0].addr),
                    (Unit.STORE, Buffer.OUTPUT, schedule.tensors["pool"].addr + 8),
                    (Unit.STORE, Buffer.OUTPUT, last_stored(schedule)),
                )
            ),
        ],
    }
    (folder / "setup.json").write_text(json.dumps(setup))


@pytest.mark.parametrize(
    ("scatter", "unaligned"),
    [(None, True), (4, True), (4, False)],
    ids=["regions_in_line", "at_any_byte", "between_words"],
)
def test_protocol(tmp_path: Path, scatter: int | None, unaligned: bool) -> None:
    template = replace(TEMPLATE, unaligned=unaligned)
    prepare(tmp_path, scatter, template)
    run_bench(build_bench(template, "cd_protocol"), tmp_path, "rtl_templates.bench.protocol_tests")


def test_a_failing_bench_is_an_error(tmp_path: Path) -> None:
    """The harness above can fail: one wrong expected byte must be found."""
    prepare(tmp_path, None)
    path = tmp_path / "conv.expected"
    path.write_bytes(
        b"\x7f" + path.read_bytes()[1:] if path.read_bytes()[0] != 0x7F else b"\x00" + path.read_bytes()[1:]
    )
    with pytest.raises(SpecError, match="failed"):
        run_bench(build_bench(TEMPLATE, "cd_protocol"), tmp_path, "rtl_templates.bench.protocol_tests")


@pytest.mark.parametrize(("unaligned", "granule"), [(True, 1), (False, 4)])
def test_scattered_places_are_as_loose_as_the_hardware_allows(unaligned: bool, granule: int) -> None:
    """Tensors, weights, parameters and the program begin at odd bytes, or between words of 4 in beats of 8."""
    plain = schedule_network(design(network(), replace(TEMPLATE, unaligned=unaligned)), scatter=4)
    assert not isinstance(plain, Infeasible)
    tensors = [tensor.addr for tensor in plain.tensors.values()]
    weights = [tile.addr for plan in plain.plans for tile in plan.weights]
    params = [plan.param_addr for plan in plain.plans if plan.shape.params]
    for addresses in (tensors, weights):
        assert all(addr % granule == 0 for addr in addresses)
        assert any(addr % (2 * granule) for addr in addresses)
    assert (not unaligned) == all(addr % 8 == 0 for addr in [*params, plain.program_addr])
    assert any(t.addr // 4096 != (t.addr + t.image_bytes - 1) // 4096 for t in plain.tensors.values())
