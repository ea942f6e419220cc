"""The parameters of an accelerator that `rtl_templates` can build: what the generated package holds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from mappings.errors import Fault, SpecError, nearest
from mappings.reader import unknown_keys


class ArrayKind(StrEnum):
    """The dataflow templates of the PE array."""

    WEIGHT_STATIONARY = "weight_stationary"  # sums move down the columns; after the TPU and Gemmini
    OUTPUT_STATIONARY = "output_stationary"  # after ShiDianNao
    ROW_STATIONARY = "row_stationary"  # after Eyeriss
    CHANNEL_PARALLEL = "channel_parallel"  # adder trees; after NVDLA
    LOOP_TILE = "loop_tile"  # Tm x Tn; after Zhang 2015


@dataclass(frozen=True)
class Template:
    """One concrete accelerator of ours.

    Attributes:
        array: dataflow template.
        rows, cols: PEs; powers of two from 4 to 32 (rows: input channels or pixels; cols: output channels).
        act_bits, weight_bits, acc_bits: widths of data; 4-bit data is packed two to a byte in memory.
        input_buffer_bytes, weight_buffer_bytes, acc_buffer_bytes, output_buffer_bytes, param_buffer_bytes: on-chip
            capacities of one half of each double buffer. The residual operand has a buffer as large as the output's;
            the parameters of a channel take 16 bytes.
        ppu_lanes: channels that post-processing takes in a cycle; a power of two, at most ``word_lanes``.
        nonlinear_lanes: channels that softmax, layer norm and GELU take in a cycle; 0: neither these nor attention's
            matrix products can run. A power of two, at most ``word_lanes``; needs ``act_bits == weight_bits``.
        activation_tables: 1: post-processing ends in a table of ``2^act_bits`` entries, so that any activation function
            rides along with the operator before it; needs ``act_bits`` of 8 or less. 0: no table.
        vector_taps: neighbouring filter taps that the vector unit takes in a cycle, each with a multiplier a lane.
        weight_packing: most weights of a layer of fewer bits that lie in the place of one, in memory and on the chip:
            1, 2 or 4 (an 8-bit template then has layers of 8, 4 and 2 bits); the compute unit widens them.
        dual_rate: a multiplier makes two products with weights of half the width in a cycle, so that an array of adder
            trees takes ``2 * cols`` output channels a pass, and a memory word at least as many.
        tap_skipping: an array of adder trees passes over filter taps that a block of channels does not use
            (``Layer.kept_taps``), which then take neither cycle nor room.
        acc_stages, ppu_stages: pipeline registers added in front of the accumulators and behind post-processing, for
            wires that are long in a large array.
        axi_bits: width of the memory bus.
        axi_burst_beats: of the longest burst; 16 is what AXI3 and AXI4 both take.
        unaligned: transfers may begin at any byte of memory; False: at multiples of the smaller of a word and a beat.
        dram_latency_cycles: from an accepted read address to its first beat.
        dram_bytes_per_cycle: sustained in each direction; at most ``axi_bits / 8``.
        clock_hz: design clock.
    """

    array: ArrayKind = ArrayKind.WEIGHT_STATIONARY
    rows: int = 16
    cols: int = 16
    act_bits: int = 8
    weight_bits: int = 8
    acc_bits: int = 32
    input_buffer_bytes: int = 32768
    weight_buffer_bytes: int = 32768
    acc_buffer_bytes: int = 32768
    output_buffer_bytes: int = 8192
    param_buffer_bytes: int = 4096
    ppu_lanes: int = 4
    nonlinear_lanes: int = 0
    activation_tables: int = 0
    vector_taps: int = 1
    weight_packing: int = 1
    dual_rate: bool = False
    tap_skipping: bool = False
    acc_stages: int = 0
    ppu_stages: int = 0
    axi_bits: int = 128
    axi_burst_beats: int = 16
    unaligned: bool = True
    dram_latency_cycles: int = 40
    dram_bytes_per_cycle: int = 16
    clock_hz: int = 100_000_000

    def __post_init__(self) -> None:
        powers = (4, 8, 16, 32)
        allowed: dict[str, tuple[int, ...]] = {
            "rows": powers,
            "cols": powers,
            "act_bits": (4, 8, 16),
            "weight_bits": (4, 8, 16),
            "acc_bits": (32, 48),
            "axi_bits": (32, 64, 128, 256, 512),
            "axi_burst_beats": (16, 32, 64),
            "ppu_lanes": (1, 2, *powers),
            "nonlinear_lanes": (0, 1, 2, *powers),
            "activation_tables": (0, 1),
            "vector_taps": (1, 3, 5, 7),
            "weight_packing": (1, 2, 4),
            "acc_stages": (0, 1, 2, 3),
            "ppu_stages": (0, 1, 2, 3),
        }
        faults = []
        if self.array not in list(ArrayKind):
            faults.append(Fault("template.array", f'unknown array "{self.array}"', ", ".join(ArrayKind)))
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name == "array":
                continue
            if item.name in ("unaligned", "dual_rate", "tap_skipping"):
                if type(value) is not bool:
                    faults.append(Fault(f"template.{item.name}", f"is {value!r}", "true or false"))
                continue
            low = 0 if 0 in allowed.get(item.name, ()) else 1
            if type(value) is not int or value < low or value > 2**40:
                faults.append(Fault(f"template.{item.name}", f"is {value!r}", f"an integer of {low} or more"))
            elif item.name in allowed and value not in allowed[item.name]:
                faults.append(Fault(f"template.{item.name}", f"is {value}", ", ".join(map(str, allowed[item.name]))))
        if not faults and self.dram_bytes_per_cycle > self.axi_bits // 8:
            bound = f"at most {self.axi_bits // 8}, the bytes of the bus"
            faults.append(Fault("template.dram_bytes_per_cycle", f"is {self.dram_bytes_per_cycle}", bound))
        if not faults and self.ppu_lanes > self.word_lanes:
            faults.append(Fault("template.ppu_lanes", f"is {self.ppu_lanes}", f"at most {self.word_lanes}, a word"))
        if not faults and self.nonlinear_lanes > self.word_lanes:
            bound = f"at most {self.word_lanes}, a word"
            faults.append(Fault("template.nonlinear_lanes", f"is {self.nonlinear_lanes}", bound))
        if not faults and self.nonlinear_lanes and self.act_bits != self.weight_bits:
            faults.append(Fault("template.nonlinear_lanes", "needs act_bits equal to weight_bits"))
        if not faults and self.activation_tables and self.act_bits > 8:
            faults.append(Fault("template.activation_tables", f"needs act_bits of 8 or less, not {self.act_bits}"))
        if not faults:
            faults += self._narrow_faults()
        if not faults:
            for name, words in self._words().items():
                low = 1 if name == "param_buffer_bytes" else 2
                if not low <= words <= 2**19:
                    bound = f"{low} to 524288 words of each half"
                    faults.append(Fault(f"template.{name}", f"is {getattr(self, name)}: {words} words", bound))
        if faults:
            raise SpecError(faults)

    def _narrow_faults(self) -> list[Fault]:
        faults = []
        if self.weight_bits // self.weight_packing < 2:
            bound = f"at most {self.weight_bits // 2}: weights have 2 bits or more"
            faults.append(Fault("template.weight_packing", f"is {self.weight_packing}", bound))
        if self.array not in (ArrayKind.CHANNEL_PARALLEL, ArrayKind.LOOP_TILE):
            trees = f"{ArrayKind.CHANNEL_PARALLEL} or {ArrayKind.LOOP_TILE}"
            asked = [name for name in ("dual_rate", "tap_skipping") if getattr(self, name)]
            faults += [Fault(f"template.{name}", f"has no array of kind {self.array}", trees) for name in asked]
        if not self.dual_rate:
            return faults
        if self.cols > 16:
            faults.append(Fault("template.dual_rate", f"has no {self.cols} columns", "at most 16, which work as 32"))
        if self.weight_bits != 8 or self.act_bits > 8:
            faults.append(Fault("template.dual_rate", "needs weight_bits of 8 and act_bits of 4 or 8"))
        if self.weight_packing < 2:
            faults.append(Fault("template.dual_rate", "needs a weight_packing of 2 or 4"))
        return faults

    @property
    def word_lanes(self) -> int:
        """Channels of a memory word."""
        return max(self.rows, self.cols << self.dual_rate)

    @property
    def table_words(self) -> int:
        """Words of one half of the activation tables: 16 entries each."""
        return (1 << self.act_bits) // 16

    @property
    def act_word_bytes(self) -> int:
        """A word of the input, residual and output buffers, and of an activation tensor in memory."""
        return self.word_lanes * self.act_bits // 8

    @property
    def weight_word_bytes(self) -> int:
        """A word of the weight buffer."""
        return self.cols * self.weight_bits // 8

    def granule_bytes(self, word_bytes: int) -> int:
        """Addresses of words of ``word_bytes`` in memory are multiples of this."""
        return 1 if self.unaligned else min(word_bytes, self.axi_bits // 8)

    def _words(self) -> dict[str, int]:
        return {
            "input_buffer_bytes": self.input_words,
            "weight_buffer_bytes": self.weight_words,
            "acc_buffer_bytes": self.acc_words,
            "output_buffer_bytes": self.output_words,
            "param_buffer_bytes": self.param_channels // self.word_lanes,
        }

    @property
    def input_words(self) -> int:
        """Words of one half of the input buffer."""
        return self.input_buffer_bytes // self.act_word_bytes

    @property
    def weight_words(self) -> int:
        """Words of one half of the weight buffer."""
        return self.weight_buffer_bytes // self.weight_word_bytes

    @property
    def acc_words(self) -> int:
        """Words of one half of the accumulators."""
        return self.acc_buffer_bytes // (self.word_lanes * self.acc_bits // 8)

    @property
    def output_words(self) -> int:
        """Words of one half of the output buffer and of the residual buffer."""
        return self.output_buffer_bytes // self.act_word_bytes

    @property
    def param_channels(self) -> int:
        """Channels of one half of the parameter buffer: whole words."""
        return self.param_buffer_bytes // 16 // self.word_lanes * self.word_lanes

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "array": str(self.array)}

    @classmethod
    def from_dict(cls, value: Any, where: str = "template") -> Template:
        """The reverse of :meth:`to_dict`; missing keys take their default.

        Raises:
            SpecError: malformed; all faults at once.
        """
        known = [item.name for item in fields(cls)]
        if not isinstance(value, dict):
            raise SpecError(Fault(where, f"is {type(value).__name__}", "a mapping of " + ", ".join(known)))
        faults = unknown_keys(value, known, where)
        if "array" in value and value["array"] not in list(ArrayKind):
            near = nearest(str(value["array"]), ArrayKind)
            faults.append(Fault(f"{where}.array", f'unknown array "{value["array"]}"{near}', ", ".join(ArrayKind)))
        if faults:
            raise SpecError(faults)
        return cls(**{**value, "array": ArrayKind(value.get("array", ArrayKind.WEIGHT_STATIONARY))})
