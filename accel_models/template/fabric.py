"""Look-up tables, flip-flops and multipliers of the accelerator's modules, as functions of its parameters.

The structure of each term is that of the SystemVerilog; its coefficient is fitted to synthesis of that module alone
(Yosys 0.70, ``synth_xilinx -family xc7``, flattened; eight-bit data unless widths are in the term) at 8 x 8, 16 x 8 and
8 x 16. How near whole accelerators come is in ``docs/resources.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log2

from accel_models.template.spec import ArrayKind, Template


@dataclass(frozen=True)
class Part:
    """What one part of the structure takes."""

    name: str
    dsp: int = 0
    bram18: int = 0
    lut: int = 0
    ff: int = 0


def product_in_dsp(template: Template) -> bool:
    """Whether synthesis puts a PE's product into a DSP: not where it has 8 bits or fewer (4 x 4)."""
    return template.act_bits + template.weight_bits > 8


def _weight_stationary(t: Template) -> tuple[float, float]:
    """Per PE: two weights (one shifts in), the activation that moves on, part of the sum; per row: skew."""
    pes = t.rows * t.cols
    lut = 626 + 1.1 * t.rows + 7.4 * t.cols
    ff = 407 + pes * (t.act_bits + 2 * t.weight_bits + 0.33 * t.acc_bits) + 3.5 * t.act_bits * t.rows
    return lut, ff


def _output_stationary(t: Template) -> tuple[float, float]:
    """Per PE: the partial sum on its way out; a transposer of rows x lanes activations, double."""
    pes, held = t.rows * t.cols, t.rows * t.word_lanes
    return 763 + 0.92 * t.acc_bits * pes + 1.24 * t.act_bits * held, 857 + t.acc_bits * pes + 2 * t.act_bits * held


def _trees(t: Template) -> float:
    """Bits of all adders below the products."""
    return float((t.act_bits + t.weight_bits) * t.cols * (t.rows - 1))


def _channel_parallel(t: Template) -> tuple[float, float]:
    """Adder trees, and an assembly buffer in distributed memory."""
    column_bits = t.acc_bits * t.cols
    return 970 + 0.53 * _trees(t) + 2.36 * column_bits, 831 + 0.8 * _trees(t) + 2.94 * column_bits


def _loop_tile(t: Template) -> tuple[float, float]:
    """Adder trees only."""
    return 854 + 0.62 * _trees(t), 786 + 0.8 * _trees(t) + 0.94 * t.acc_bits * t.cols


def _row_stationary(t: Template) -> tuple[float, float]:
    """Per PE: window and product; sums that wait for every output channel (columns x columns) and filter rows, in
    distributed memory; words between columns and lanes. Fitted at 8 x 8 and 8 x 4 alone.
    """
    pes, waiting = t.rows * t.cols, t.cols * t.cols * t.acc_bits
    moving = t.cols * t.word_lanes * t.act_bits
    lut = 1530 + 4.47 * (t.act_bits + t.weight_bits) * pes + 0.59 * waiting + 1.52 * moving
    return lut, 1643 + 0.78 * (t.act_bits + t.weight_bits) * pes


_ARRAYS: dict[ArrayKind, Callable[[Template], tuple[float, float]]] = {
    ArrayKind.WEIGHT_STATIONARY: _weight_stationary,
    ArrayKind.OUTPUT_STATIONARY: _output_stationary,
    ArrayKind.ROW_STATIONARY: _row_stationary,
    ArrayKind.CHANNEL_PARALLEL: _channel_parallel,
    ArrayKind.LOOP_TILE: _loop_tile,
}
#: Multipliers of the address walker in front of an array.
_WALKER_DSP = {kind: 3 if kind is ArrayKind.ROW_STATIONARY else 1 for kind in ArrayKind}
#: Of a 4 x 4 bit product and its addition, made of look-up tables.
PRODUCT_LUT = 40


def array_part(template: Template) -> Part:
    """The PE array with its address walker."""
    lut, ff = _ARRAYS[template.array](template)
    pes = template.rows * template.cols
    dsp = _WALKER_DSP[template.array]
    if product_in_dsp(template):
        dsp += pes
    else:
        lut += pes * PRODUCT_LUT
    return Part("PE array", dsp=dsp, lut=round(lut), ff=round(ff))


#: What is left of the shell's look-up tables and flip-flops when a whole accelerator is flattened (8 x 8).
FLATTENED_LUT, FLATTENED_FF = 0.896, 0.878


def shell_parts(template: Template) -> tuple[Part, ...]:
    """Everything around the array but the memories."""
    n, lanes, acc = template.word_lanes, template.ppu_lanes, template.acc_bits
    word, bus = template.act_word_bytes * 8, template.axi_bits
    # A bus wider or narrower than a word needs a gearbox; words at any byte need a rotator, and a register for the part
    # that lies in the neighbouring beat. Load and store are fitted at words and buses of 8 and 16 bytes, each way.
    piece = min(word, bus)
    turn = 1.2 * bus * log2(bus / 8) if template.unaligned else 0.0
    held = 1 if template.unaligned else 0
    wide, gear = max(word, bus), min(word, bus) * abs(log2(bus / word))
    # A tap of the vector unit holds an activation, a weight and the next weight; several also their products.
    taps, term = template.vector_taps, template.act_bits + template.weight_bits
    held_bits = template.act_bits + 2 * template.weight_bits
    parts: tuple[tuple[str, int, float, float], ...] = (
        ("accumulators", 0, 23 + 5.63 * n * acc, 25 + 2.03 * n * acc),
        (
            "vector unit",
            n * taps + 1,
            604 + n * term * (1.2 + 5.03 * (taps - 1)),
            497 + n * (acc + held_bits + (term + (taps - 1) * (held_bits + term) if taps > 1 else 0)),
        ),
        # A sum times a 31-bit multiplier, the two products of a residual addition, and that of two activations.
        (
            "post-processing",
            lanes * (2 * -(-(acc + 1) // 17) + 2 + (2 * template.act_bits > 8)),
            192 + 9.4 * n + lanes * (761 + 12.6 * acc),
            389 + 8.4 * n + lanes * (170 + 3 * acc),
        ),
        ("load", 0, 581 + 2.19 * bus + turn, 935 + held * bus),
        (
            "store",
            0,
            479 + 1.14 * wide + 0.5 * gear + turn * (0.5 + piece / bus / 2),
            461 + 2.125 * bus - (1 - held) * piece,
        ),
        ("sequencer", 6, 1104, 586),
        ("registers, tokens, queues", 0, 1700, 490),
    )
    if template.acc_stages or template.ppu_stages:
        late = template.acc_stages * n * (acc + 1) + template.ppu_stages * lanes * template.act_bits
        parts += (("pipeline registers", 0, 0.0, late),)
    if template.activation_tables:  # a multiplexer of 16 entries, and registers for them, in each lane
        parts += (("activation tables", 0, 6.0 * lanes * template.act_bits, 18.0 * lanes * template.act_bits),)
    if template.nonlinear_lanes:
        # Fitted at 1 and 4 lanes of a word of 4. The transposer is its registers, and a multiplexer of n to 1 for each
        # bit of a weight word (three inputs to a table, our assumption).
        some, held = template.nonlinear_lanes, template.cols * template.act_bits
        parts += (
            ("non-linear unit", 7 + 14 * some, 1165 + 1147 * some, 596 + n * acc + 403 * some),
            ("transposer", 0, held * n / 3, held * n),
        )
    return tuple(
        Part(name, dsp=dsp, lut=round(FLATTENED_LUT * lut), ff=round(FLATTENED_FF * ff)) for name, dsp, lut, ff in parts
    )
