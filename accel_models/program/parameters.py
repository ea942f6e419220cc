"""The parameters of `cd_accelerator` for a template, and the number that names them."""

from __future__ import annotations

import hashlib

from accel_models.schedule.builder import DESCRIPTOR_BYTES
from accel_models.template.spec import ArrayKind, Template

ARRAY_KINDS = tuple(ArrayKind)  #: numbers of the ArrayKind parameter


def number_of(data: bytes) -> int:
    """A number of 31 bits, never 0, that other data hardly has: the start of its SHA-256."""
    return int.from_bytes(hashlib.sha256(data).digest()[:4], "little") & 0x7FFFFFFF or 1


def parameters(template: Template) -> dict[str, int]:
    """The parameters of `cd_accelerator`; those that are one bit are bools."""
    values: dict[str, int] = {
        "ArrayKind": ARRAY_KINDS.index(template.array),
        "Rows": template.rows,
        "Cols": template.cols,
        "ActW": template.act_bits,
        "WgtW": template.weight_bits,
        "AccW": template.acc_bits,
        "IbWords": 2 * template.input_words,
        "WbWords": 2 * template.weight_words,
        "AbWords": template.acc_words,
        "ObWords": 2 * template.output_words,
        "PbChannels": 2 * template.param_channels,
        "PpuLanes": template.ppu_lanes,
        "NonlinearLanes": template.nonlinear_lanes,
        "ActTables": template.activation_tables,
        "VectorTaps": template.vector_taps,
        "AccStages": template.acc_stages,
        "PpuStages": template.ppu_stages,
        "Packing": template.weight_packing,
        "DualRate": template.dual_rate,
        "TapSkip": template.tap_skipping,
        "AxiW": template.axi_bits,
        "MaxBurst": template.axi_burst_beats,
        "Unaligned": template.unaligned,
    }
    named = sorted(values.items()), DESCRIPTOR_BYTES  # a program of other descriptors is for other hardware
    return values | {"DesignHash": number_of(repr(named).encode())}
