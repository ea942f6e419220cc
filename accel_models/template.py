"""The parameters of an accelerator that `rtl_templates` can build: what the generated package holds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from mappings.errors import Fault, SpecError, nearest


class ArrayKind(StrEnum):
    """The dataflow templates of the PE array."""

    WEIGHT_STATIONARY = "weight_stationary"  # systolic; after the TPU and Gemmini
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
        input_buffer_bytes, weight_buffer_bytes, acc_buffer_bytes, output_buffer_bytes: on-chip capacities of one
            half of each double buffer.
        axi_bits: width of the memory bus.
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
    axi_bits: int = 128
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
        }
        faults = []
        if self.array not in list(ArrayKind):
            faults.append(Fault("template.array", f'unknown array "{self.array}"', ", ".join(ArrayKind)))
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name == "array":
                continue
            if type(value) is not int or value < 1 or value > 2**40:
                faults.append(Fault(f"template.{item.name}", f"is {value!r}", "an integer of 1 or more"))
            elif item.name in allowed and value not in allowed[item.name]:
                faults.append(Fault(f"template.{item.name}", f"is {value}", ", ".join(map(str, allowed[item.name]))))
        if not faults and self.dram_bytes_per_cycle > self.axi_bits // 8:
            bound = f"at most {self.axi_bits // 8}, the bytes of the bus"
            faults.append(Fault("template.dram_bytes_per_cycle", f"is {self.dram_bytes_per_cycle}", bound))
        if faults:
            raise SpecError(faults)

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
        faults = [
            Fault(where, f'unknown key "{key}"{nearest(str(key), known)}', ", ".join(known))
            for key in value
            if key not in known
        ]
        if "array" in value and value["array"] not in list(ArrayKind):
            near = nearest(str(value["array"]), ArrayKind)
            faults.append(Fault(f"{where}.array", f'unknown array "{value["array"]}"{near}', ", ".join(ArrayKind)))
        if faults:
            raise SpecError(faults)
        return cls(**{**value, "array": ArrayKind(value.get("array", ArrayKind.WEIGHT_STATIONARY))})
