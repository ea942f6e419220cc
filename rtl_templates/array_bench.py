"""PE arrays by themselves: compile one under Verilator, run many tiles, compare with numpy and with the model."""

from __future__ import annotations

import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from accel_models.program.image import stored_weights
from accel_models.program.packing import IntArray, pack_weights
from accel_models.template.array_timing import ArrayAccesses, array_accesses, array_cycles, window_reads
from accel_models.template.spec import ArrayKind, Template
from accel_models.template.tile import Tile
from accel_models.template.weight_form import WeightForm
from mappings.errors import Fault, SpecError
from mappings.process import refuse_killed
from rtl_templates.array_cases import TileCase, convolve
from rtl_templates.verilator import compile_top

ROOM = Path(__file__).parent
ADDRESS_BITS = 16  #: of each buffer in this bench
HEAD = struct.Struct("<7I")
TAIL = struct.Struct("<5Q")
FAULTS = (
    "watchdog",
    "input address",
    "weight address",
    "accumulator address",
    "accumulator written too soon",
    "ready while busy",
    "not ready while idle",
    "write after done",
    "done without a write",
)
#: Fields of `cd_types_pkg::tile_cmd_t` from the top, with their bits.
COMMAND_BITS = (
    ("k", 16),
    ("c", 16),
    ("p", 16),
    ("q", 16),
    ("r", 8),
    ("s", 8),
    ("stride_h", 8),
    ("stride_w", 8),
    ("dilation_h", 8),
    ("dilation_w", 8),
    ("pad_top", 8),
    ("pad_left", 8),
    ("in_h", 16),
    ("in_w", 16),
    ("accumulate", 1),
    ("dual", 1),
    ("kept", 4),
    ("ib_base", 20),
    ("wb_base", 22),
    ("ab_base", 20),
)


@dataclass(frozen=True)
class TileResult:
    """What the hardware did with a tile, beside what the model says.

    Attributes:
        tile: shape.
        cycles, predicted_cycles: from the handshake to done, both included.
        accesses, predicted_accesses: buffer words.
        mismatches: accumulator lanes that differ from numpy (lanes that must not change included).
        faults: protocol faults by name.
        utilization: MACs of the tile over cycles x PEs, 0 to 1.
    """

    tile: Tile
    cycles: int
    predicted_cycles: int
    accesses: ArrayAccesses
    predicted_accesses: ArrayAccesses
    mismatches: int
    faults: tuple[str, ...]
    utilization: float

    @property
    def exact(self) -> bool:
        """Bit-exact, within the protocol, in the cycles and accesses that the model predicts."""
        same = self.cycles == self.predicted_cycles and self.accesses == self.predicted_accesses
        return same and not self.mismatches and not self.faults


def build(template: Template, cache: Path | None = None) -> Path:
    """Compile the array of a template with `bench/array_main.cpp`.

    Args:
        template: array, rows, cols and widths are used.
        cache: folder for executables; None: the user's cache folder.

    Raises:
        SpecError: a tool is missing, or the array does not compile.
    """
    parameters = {
        "Rows": template.rows,
        "Cols": template.cols,
        "ActW": template.act_bits,
        "WgtW": template.weight_bits,
        "AccW": template.acc_bits,
        "IbAw": ADDRESS_BITS,
        "WbAw": ADDRESS_BITS,
        "AbAw": ADDRESS_BITS,
    }
    if template.dual_rate:  # which the other arrays have not
        parameters["DualRate"] = 1
    if template.tap_skipping:
        parameters["TapSkip"] = 1
    defines = {
        "CD_LANES": template.word_lanes,
        "CD_COLS": template.cols,
        "CD_ACT_BITS": template.act_bits,
        "CD_WEIGHT_BITS": template.weight_bits,
        "CD_ACC_BITS": template.acc_bits,
        "CD_INPUT_PAIR": int(template.array is ArrayKind.ROW_STATIONARY),
        "CD_ADDRESS_BITS": ADDRESS_BITS,
    }
    return compile_top(f"cd_array_{template.array}", ROOM / "bench" / "array_main.cpp", parameters, defines, cache)


def _pack_bits(values: IntArray, bits: int) -> bytes:
    """Rows of integers as little-endian words, the first lane lowest; a row is a whole number of bytes."""
    unsigned = values.astype(np.int64) & ((1 << bits) - 1)
    if bits == 4:
        pairs = unsigned[:, 0::2] | unsigned[:, 1::2] << 4
        return pairs.astype(np.uint8).tobytes()
    return unsigned.astype(f"<u{bits // 8}").tobytes()


def _command(case: TileCase) -> bytes:
    extra = {
        "accumulate": int(case.accumulate),
        "dual": int(case.dual),
        "ib_base": case.ib_base,
        "wb_base": case.wb_base,
        "ab_base": case.ab_base,
    }
    fields = {**case.tile._asdict(), **extra}
    packed, total = 0, 0
    for name, bits in COMMAND_BITS:
        packed, total = packed << bits | fields[name], total + bits
    return packed.to_bytes((total + 7) // 8, "little")


def _input_words(template: Template, case: TileCase, rng: np.random.Generator) -> IntArray:
    """The input buffer ``[words, lanes]``; lanes beyond the channels hold noise, which zero weights must cancel."""
    lanes = template.word_lanes
    C, H, W = case.x.shape
    blocks = -(-C // lanes)
    half = 1 << (template.act_bits - 1)
    words = rng.integers(-half, half, (case.ib_base + blocks * H * W, lanes))
    padded = words[case.ib_base :].reshape(blocks, H, W, lanes)
    for block in range(blocks):
        part = case.x[block * lanes : (block + 1) * lanes]
        padded[block, :, :, : len(part)] = part.transpose(1, 2, 0)
    return words


def run(template: Template, cases: list[TileCase], cache: Path | None = None) -> list[TileResult]:
    """Run tiles one after another on one compiled array.

    Raises:
        SpecError: the array does not compile, or the simulation ends early.
    """
    lanes = template.word_lanes
    program = build(template, cache)
    stream, initials, sizes = bytearray(), [], []
    for case in cases:
        rng = np.random.default_rng(case.seed)
        words = _input_words(template, case, rng)
        cols, form = template.cols << case.dual, WeightForm(dual=case.dual)
        packed = pack_weights(template.array, template.rows, cols, case.weight, case.tile.kept)
        weights = bytes(case.wb_base * template.weight_word_bytes) + stored_weights(packed, form, template).tobytes()
        pixels = case.tile.p * case.tile.q
        initial = rng.integers(-1000, 1000, (case.ab_base + -(-case.tile.k // lanes) * pixels + 1, lanes))
        command = _command(case)
        watchdog = 2 * array_cycles(template.array, template.rows, cols, case.tile) + 1000
        sizes_in_words = (len(words), case.wb_base + len(packed), len(initial))
        stream += HEAD.pack(case.idle_cycles, watchdog, *sizes_in_words, len(command), case.reset_at) + command
        stream += _pack_bits(words, template.act_bits) + weights
        stream += initial.astype("<i8").tobytes()
        initials.append(initial)
        sizes.append(len(packed))
    done = subprocess.run([str(program)], check=False, input=bytes(stream), capture_output=True)
    if done.returncode:
        refuse_killed(program.name, done.returncode, "")
        raise SpecError(Fault(program.name, f"ended with status {done.returncode}: {done.stderr.decode()[-500:]}"))
    results, at = [], 0
    for case, initial, words_used in zip(cases, initials, sizes, strict=True):
        cycles, input_reads, weight_reads, writes, fault = TAIL.unpack_from(done.stdout, at)
        at += TAIL.size
        got = np.frombuffer(done.stdout, dtype="<i8", count=initial.size, offset=at).reshape(initial.shape)
        at += got.nbytes
        cols = template.cols << case.dual
        result = TileResult(
            case.tile,
            cycles,
            array_cycles(template.array, template.rows, cols, case.tile),
            ArrayAccesses(input_reads, weight_reads, writes, words_used),
            _accesses(template, cols, case),
            _mismatches(template, case, initial, got),
            tuple(name for bit, name in enumerate(FAULTS) if fault >> bit & 1),
            case.tile.macs / (cycles * template.rows * template.cols),
        )
        results.append(result)
    return results


def _accesses(template: Template, cols: int, case: TileCase) -> ArrayAccesses:
    """What the model predicts; reads of the input with the very taps that the weights keep."""
    model = array_accesses(template.array, template.rows, cols, case.tile)
    if not case.tile.kept:
        return model
    words = pack_weights(template.array, template.rows, cols, case.weight, case.tile.kept)
    heads = words.reshape(-1, 1 + template.rows, cols)[:, 0, :2] & 3
    one = case.tile._replace(r=1, s=1, kept=0)
    reads = 0
    for s, r in heads.tolist():
        at = one._replace(pad_top=one.pad_top - r * one.dilation_h, pad_left=one.pad_left - s * one.dilation_w)
        reads += window_reads(at)
    return model._replace(input_reads=reads)


def _mismatches(template: Template, case: TileCase, initial: IntArray, got: IntArray) -> int:
    """Lanes that differ from what numpy expects; lanes of channels beyond K may hold anything but are not compared."""
    lanes = template.word_lanes
    K, P, Q = case.tile.k, case.tile.p, case.tile.q
    sums = convolve(case.tile, case.x, case.weight)
    expected, checked = initial.copy(), np.ones(initial.shape, dtype=bool)
    blocks = -(-K // lanes)
    area = slice(case.ab_base, case.ab_base + blocks * P * Q)
    out = expected[area].reshape(blocks, P * Q, lanes)
    check = checked[area].reshape(blocks, P * Q, lanes)
    for block in range(blocks):
        part = sums[block * lanes : (block + 1) * lanes].reshape(-1, P * Q).T
        count = part.shape[1]
        out[block, :, :count] = part + (out[block, :, :count] if case.accumulate else 0)
        check[block, :, count:] = False
    span = 1 << template.acc_bits
    expected = (expected + span // 2) % span - span // 2
    return int(np.count_nonzero((got != expected) & checked))
