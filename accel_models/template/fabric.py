"""Look-up tables, flip-flops and multipliers of the accelerator's parts, as functions of its parameters.

Each part is a sum of terms; the terms are the structure of the SystemVerilog (:func:`terms`, plain functions of
integers), the coefficients are data: ``data/fabric.yaml``, fitted without negatives to synthesis of each module alone
and of whole accelerators, by the command that the file names. ``docs/resources.md`` has the errors on others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log2
from operator import attrgetter
from pathlib import Path

from accel_models.schedule.builder import DESCRIPTOR_BYTES
from accel_models.template.families import XC7, Family, Product, blocks
from accel_models.template.spec import ArrayKind, Template
from mappings.yamlio import load_yaml

DATA = Path(__file__).parent / "data" / "fabric.yaml"
#: Parts whose look-up tables and flip-flops are fitted; the array's are by kind.
SHELL = ("load", "store", "control", "drain", "vector unit", "accumulators", "buffers", "non-linear unit")


@dataclass(frozen=True)
class Part:
    """What one part of the structure takes."""

    name: str
    dsp: int = 0
    bram18: int = 0
    lut: int = 0
    ff: int = 0


#: What the logic around the memories depends on; memories depend on the other fields.
logic_key = attrgetter(
    "array", "rows", "cols", "act_bits", "weight_bits", "acc_bits", "ppu_lanes", "nonlinear_lanes",
    "activation_tables", "vector_taps", "weight_packing", "dual_rate", "tap_skipping", "acc_stages", "ppu_stages",
    "axi_bits", "unaligned",
)  # fmt: skip


def in_dsp(act_bits: int, weight_bits: int) -> bool:
    """Whether synthesis puts a product into a DSP: not where it has 8 bits or fewer (4 x 4)."""
    return act_bits + weight_bits > 8


def product_in_dsp(template: Template) -> bool:
    """Whether the array's products are in DSPs."""
    return in_dsp(template.act_bits, template.weight_bits)


def array_terms(kind: int, rows: int, cols: int, act: int, weight: int, acc: int, dual: int = 0) -> tuple[float, ...]:
    """Terms of a PE array with its address walker; ``kind`` is the position in :class:`ArrayKind`.

    Bits at the array's edges, of PEs, of products made of look-up tables; then what only that kind has: skewed
    operands, a transposer, adder trees, sums that wait for every output channel. With ``dual`` 1 a weight is kept as
    its multiplier's operand, and there are trees and outputs for the second products.
    """
    pes, lanes = rows * cols, max(rows, cols)
    soft = 0 if in_dsp(act, weight) else pes * act * weight
    trees = (act + weight + dual * (act + weight // 2)) * cols * (rows - 1)
    kept = weight + dual * (weight // 2 + 2)
    common = (1.0, float(rows * act), float((cols << dual) * acc), float(pes * act), float(pes * kept), float(soft))
    if kind == 0:  # weight stationary: sums move down, activations enter skewed
        return (*common, float(pes * acc), float(rows * rows * act))
    if kind == 1:  # output stationary: sums stay, a transposer of rows x lanes activations
        return (*common, float(pes * acc), float(rows * lanes * act))
    if kind == 2:  # row stationary: sums wait for every output channel, words move between columns and lanes
        return (*common, float(pes * acc), float(cols * cols * acc), float(cols * lanes * act))
    return (*common, float(trees), float(pes))


def load_terms(bus: int, widest: int, place: int, unaligned: int, turned: int) -> tuple[float, ...]:
    """Terms of the load unit: bus, a shifter from any multiple of ``place`` bits, widest word, a transposer of
    ``turned`` bits.
    """
    return (1.0, float(bus), bus * log2(bus / place), float(widest), float(unaligned * bus), float(turned))


def store_terms(bus: int, act_word: int, unaligned: int) -> tuple[float, ...]:
    """Terms of the store unit: bus; a queue of words and the choice of a piece; where a beat is built of several
    pieces, the beat so far and a shifter to any byte or to any piece's place; the end of a piece across two beats.
    """
    piece = min(bus, act_word)
    places = bus // (8 if unaligned else piece)
    built = bus if places > 1 else 0
    return (1.0, float(bus), float(act_word), float(built), bus * log2(places), float(unaligned * piece))


def control_terms(nonlinear: int) -> tuple[float, ...]:
    """Terms of the sequencer, registers and queues: nearly the same everywhere."""
    return (1.0, float(nonlinear))


def drain_terms(lanes: int, ppu: int, act: int, acc: int, tables: int, stages: int) -> tuple[float, ...]:
    """Terms of post-processing: a word of sums is dealt to its lanes, each with three products."""
    deal = ppu * acc * log2(lanes / ppu) if lanes > ppu else 0.0
    late = stages * ppu * act
    return (
        1.0,
        float(ppu),
        float(ppu * acc),
        float(ppu * act),
        float(lanes * acc),
        float(lanes * act),
        deal,
        float(tables * ppu * act),
        float(late),
    )


def vector_terms(lanes: int, act: int, weight: int, taps: int) -> tuple[float, ...]:
    """Terms of the vector unit: operands of each lane (a sum has no more bits than its products), products made of
    look-up tables, and what each tap beyond the first brings.
    """
    more = lanes * (taps - 1)
    soft = 0 if in_dsp(act, weight) else taps * lanes * act * weight
    return (
        1.0,
        float(lanes * act),
        float(lanes * weight),
        float(more * act),
        float(more * weight),
        float(soft),
        float(more),
    )


def nonlinear_terms(lanes: int, some: int, acc: int) -> tuple[float, ...]:
    """Terms of softmax, layer norm and GELU; all 0 where the unit is not there."""
    there = 1.0 if some else 0.0
    return (there, float(some), there * lanes * acc, float(some * acc))


def accumulator_terms(lanes: int, acc: int) -> tuple[float, ...]:
    """Terms of the accumulators: an adder and a comparison a lane."""
    return (1.0, float(lanes * acc))


def buffer_terms(act_word: int, paired: int) -> tuple[float, ...]:
    """Terms of the buffers: the row-stationary array's two banks turn their words."""
    return (1.0, float(paired * act_word))


def terms(template: Template, part: str) -> tuple[float, ...]:
    """Terms of a part of a template."""
    t, lanes = template, template.word_lanes
    act_word, weight_word = 8 * t.act_word_bytes, 8 * t.weight_word_bytes
    odd = int(t.unaligned)
    if part == "PE array":
        kind = list(ArrayKind).index(t.array)
        return array_terms(kind, t.rows, t.cols, t.act_bits, t.weight_bits, t.acc_bits, int(t.dual_rate))
    if part == "load":
        turned = lanes * t.cols * t.act_bits if t.nonlinear_lanes else 0
        widest = max(act_word, weight_word, t.axi_bits, 8 * DESCRIPTOR_BYTES)
        # A channel's parameters (16 bytes) are a word, too.
        place = 8 * t.granule_bytes(min(t.act_word_bytes, t.weight_word_bytes, 16))
        return load_terms(t.axi_bits, widest, place, odd, turned)
    if part == "store":
        return store_terms(t.axi_bits, act_word, odd)
    if part == "control":
        return control_terms(int(t.nonlinear_lanes > 0))
    if part == "drain":
        return drain_terms(lanes, t.ppu_lanes, t.act_bits, t.acc_bits, t.activation_tables, t.ppu_stages)
    if part == "vector unit":
        return vector_terms(lanes, t.act_bits, t.weight_bits, t.vector_taps)
    if part == "accumulators":
        return accumulator_terms(lanes, t.acc_bits)
    if part == "buffers":
        return buffer_terms(act_word, int(t.array is ArrayKind.ROW_STATIONARY))
    return nonlinear_terms(lanes, t.nonlinear_lanes, t.acc_bits)


def key(template: Template, part: str) -> str:
    """Name under which the coefficients of a part are kept."""
    return f"{part}: {template.array}" if part == "PE array" else part


@lru_cache(maxsize=1)
def coefficients() -> dict[str, dict[str, tuple[float, ...]]]:
    """``{resource: {key: coefficients}}``; a resource's "whole" is what an accelerator has less than its parts alone.

    What the data file has under ``since`` (hardware newer than the rows of the fit, counted) is part of them.
    """
    since = load_yaml(DATA).get("since", {})
    found = fitted()
    for resource, rows in found.items():
        for name, more in since.get(resource, {}).items():
            rows[name] = added(rows[name], more)
    return found


def added(row: Sequence[float], more: Sequence[float]) -> tuple[float, ...]:
    """A row of coefficients and what is counted beside them, of which there may be fewer."""
    padded = (*more, *[0.0] * (len(row) - len(more)))
    return tuple(a + b for a, b in zip(row, padded, strict=True))


def fitted() -> dict[str, dict[str, tuple[float, ...]]]:
    """:func:`coefficients` as they were fitted, without what is counted since."""
    raw = load_yaml(DATA)
    return {
        resource: {name: tuple(float(value) for value in row) for name, row in raw[resource].items()}
        for resource in ("lut", "ff")
    }


#: What splits two products, a PE, beyond the terms: a 4 x 4 loop tile of 8 bits takes 1,610 look-up tables, 1,391
#: flip-flops and 16 + 1 multipliers (Yosys, synth_xilinx xc7), the terms alone say 1,183 and 1,150.
_PAIR = {"lut": 27.0, "ff": 15.0}
#: What finds the tap that a header names, an array: a 4 x 4 loop tile takes 1,034 look-up tables and 1,278 flip-flops
#: with it, 894 and 1,218 without (Yosys, synth_xilinx xc7).
_TAP_SKIPPING = {"lut": 140.0, "ff": 60.0}


def alone(template: Template, part: str, resource: str) -> float:
    """Look-up tables or flip-flops of one part synthesised alone; ``resource`` is "lut" or "ff"."""
    found = summed(resource, key(template, part), terms(template, part))
    if part == "PE array" and template.dual_rate:
        found += template.rows * template.cols * _PAIR[resource]
    if part == "PE array" and template.tap_skipping:
        found += _TAP_SKIPPING[resource]
    return found


@lru_cache(maxsize=1 << 16)
def summed(resource: str, name: str, of: tuple[float, ...]) -> float:
    """Terms times the coefficients of their part."""
    return sum(c * x for c, x in zip(coefficients()[resource][name], of, strict=True))


#: Products of the address walker in front of an array, and of the vector unit's.
_SETUP = Product(16, 16, signed=False)
_WALKER = dict.fromkeys(ArrayKind, (_SETUP,)) | {
    ArrayKind.WEIGHT_STATIONARY: (Product(20, 16, 20, signed=False),),
    ArrayKind.ROW_STATIONARY: (_SETUP,) * 3,
}
#: Counts of words that the sequencer multiplies: up to 18 bits, which is more than parts of four-input tables hold.
_COUNT = Product(16, 16, signed=False)
_PART = 17  #: bits of a factor's parts (`cd_ppu_lane`)


def products(template: Template, part: str) -> Iterator[tuple[int, Product]]:
    """Products of a part, and how many there are of each; not those of the non-linear unit."""
    t = template
    if part == "PE array":
        yield from ((1, product) for product in _WALKER[t.array])
        # Two products by one multiplier: a weight's halves lie apart by the bits of one of them.
        weight = t.act_bits + 2 * (t.weight_bits // 2) + 1 if t.dual_rate else t.weight_bits
        yield t.rows * t.cols, Product(t.act_bits, weight)
    if part == "vector unit":
        yield 1, _SETUP
        yield t.word_lanes * t.vector_taps, Product(t.act_bits, t.weight_bits)
    if part == "drain":
        # A sum times a multiplier of two parts, the two products of a residual addition, and that of two activations.
        parts = -(-(t.acc_bits + 1) // _PART)
        for bits in (*[_PART + 1] * (parts - 1), max(2, t.acc_bits + 1 - _PART * (parts - 1))):
            yield t.ppu_lanes, Product(bits, _PART + 1)
            yield t.ppu_lanes, Product(bits, 16)
        yield 2 * t.ppu_lanes, Product(25, t.act_bits)
        yield t.ppu_lanes, Product(t.act_bits, t.act_bits)
    if part == "control":
        yield 4, _COUNT


def part_dsp(template: Template, part: str, family: Family = XC7) -> int:
    """Multiplier blocks of a part, counted."""
    t = template
    if part == "non-linear unit":
        # Synthesised alone: 21 with one lane (also with sums of 48 bits), 36 with two (of both widths), 63 with four.
        # How many eight take has not been measured: they are counted as two are, so as not to be too few.
        found = 7 + 14 * t.nonlinear_lanes + (t.nonlinear_lanes not in (1, 4)) if t.nonlinear_lanes else 0
        # Not synthesised for others: as many as the largest product of one block there takes here.
        return found * blocks(Product(25, 18), family)
    return sum(count * blocks(product, family) for count, product in products(t, part))


#: What multiplier blocks of 7 series hold of a PE: multiples of (its product's bits, its sum's, an activation's, a
#: weight's) as flip-flops, multiples of (product, sum) as look-up tables, and flip-flops of the walker. Found by
#: synthesis of each array alone, 4x4 of 8 bits, for ECP5.
_INSIDE = {
    ArrayKind.WEIGHT_STATIONARY: ((1, 1, 0, 0), (0, 1), 11),
    ArrayKind.OUTPUT_STATIONARY: ((1, 1, 0, 0), (0, 2), 149),
    ArrayKind.ROW_STATIONARY: ((1, 0, 1, 0), (1, 0), 88),
    ArrayKind.CHANNEL_PARALLEL: ((1, 0, 0, 0), (1, 0), 47),
    ArrayKind.LOOP_TILE: ((1, 0, 0, 1), (2, 0), 54),
}
#: Flip-flops of a lane of post-processing, by its registers: 36 bits of a part's two products; operands and products of
#: the residual addition and what waits for it, in shift registers of 7 series.
_LANE_FF, _LANES_FF = 245, 80
#: The rest of the control part and of what moves data: the difference of one whole accelerator (weight stationary 4x4).
_REST_FF = 602


def outside(template: Template, part: str, resource: str, family: Family) -> float:
    """Look-up tables or flip-flops of a part, inside an accelerator, that 7 series has in multiplier blocks."""
    t = template
    if not family.outside:
        return 0.0
    if part == "PE array" and product_in_dsp(t):
        (product, total, act, weight), (adds, sums), walker = _INSIDE[t.array]
        bits, held, pes = t.act_bits + t.weight_bits, written_bits(t), t.rows * t.cols
        if resource == "lut":
            return float(pes * (adds * bits + sums * held))
        return float(walker + pes * (product * bits + total * held + act * t.act_bits + weight * t.weight_bits))
    if resource == "lut":
        return 0.0
    if part == "vector unit" and product_in_dsp(t):
        return 32.0 + t.word_lanes * t.vector_taps * (t.act_bits + t.weight_bits)
    if part == "drain":
        parts = -(-(t.acc_bits + 1) // _PART)
        return float(_LANES_FF + t.ppu_lanes * (72 * parts + t.acc_bits + 16 * t.act_bits + _LANE_FF))
    return float(_REST_FF) if part == "control" else 0.0


def _part(template: Template, name: str, family: Family) -> Part:
    lut, ff = (alone(template, name, r) - merged(template, name, r) for r in ("lut", "ff"))
    lut = lut * family.tables + outside(template, name, "lut", family)
    ff += outside(template, name, "ff", family)
    found = part_dsp(template, name, family)
    return Part(name, dsp=found, bram18=queue_blocks(template, name, family), lut=round(lut), ff=round(ff))


def queue_blocks(template: Template, part: str, family: Family) -> int:
    """Blocks of the channel-parallel array's queue of sums (64 words), where look-up tables hold fewer."""
    t = template
    if part != "PE array" or t.array is not ArrayKind.CHANNEL_PARALLEL or family.shallow >= 64:
        return 0
    bits, words = family.shapes[0]
    return -(-t.cols * t.acc_bits // bits) * -(-64 // words)


#: Arrays whose sums are added up in the accumulators: what they write has no more bits than a column's products.
_SHORT_SUMS = (ArrayKind.WEIGHT_STATIONARY, ArrayKind.LOOP_TILE)
#: Registers, and look-up tables, for a bit of what the accumulators take before it meets what is there (`cd_acc_mem`).
_TAKEN = {"lut": 1, "ff": 4}


def written_bits(template: Template) -> int:
    """Bits of what is written to an accumulator that are not copies of its sign."""
    t = template
    if t.array not in _SHORT_SUMS or t.nonlinear_lanes:
        return t.acc_bits
    return min(t.acc_bits, t.act_bits + t.weight_bits + int(log2(t.rows)))


def merged(template: Template, part: str, resource: str) -> float:
    """What a part has less inside an accelerator than alone.

    Copies of a sign are one register there. What else is saved, as bits of addresses and fields that no unit looks at,
    hardly depends on the template; the queues of commands are in the control part.
    """
    if part == "accumulators":
        return float(_TAKEN[resource] * template.word_lanes * (template.acc_bits - written_bits(template)))
    return coefficients()[resource]["whole"][0] if part == "control" else 0.0


def pipeline_ff(template: Template) -> int:
    """Registers added in front of the accumulators."""
    return template.acc_stages * template.word_lanes * (written_bits(template) + 1)


#: Registers of `cd_compute` itself: which engine works, the command's tokens, the wait behind its last write.
_COMPUTE_FF = 38


def choice_part(template: Template, family: Family = XC7) -> Part:
    """The choice of the engine that writes to the accumulators, in `cd_compute`: a look-up table a bit and lane."""
    lut = template.word_lanes * (written_bits(template) + 1)
    return Part("choice of engine", lut=round(lut * family.tables), ff=_COMPUTE_FF)


def array_part(template: Template, family: Family = XC7) -> Part:
    """The PE array with its address walker, inside an accelerator that is flattened."""
    return _part(template, "PE array", family)


#: Look-up tables for a bit of a weight word that is widened, by the weights in the place of one: from the structure (a
#: part is chosen, then extended), held to synthesis of the module alone.
_UNPACK_LUT = {1: 0.0, 2: 1.2, 4: 2.5}


def unpack_lut(template: Template) -> int:
    """Look-up tables between weight buffer and compute unit."""
    return round(8 * template.weight_word_bytes * _UNPACK_LUT[template.weight_packing])


def shell_names(template: Template) -> tuple[str, ...]:
    """Parts around the array that the template has."""
    return tuple(name for name in SHELL if name != "non-linear unit" or template.nonlinear_lanes)


def shell_parts(template: Template, family: Family = XC7) -> tuple[Part, ...]:
    """Everything around the array but the memories, inside an accelerator that is flattened."""
    t = template
    found = [*(_part(t, name, family) for name in shell_names(t)), choice_part(t, family)]
    if t.weight_packing > 1:
        found.append(Part("weight unpacking", lut=round(unpack_lut(t) * family.tables), ff=t.weight_packing))
    late = pipeline_ff(t)
    return (*found, Part("pipeline registers", ff=late)) if late else tuple(found)
