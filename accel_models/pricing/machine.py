"""Templates as columns: a row of whole numbers each, and what compiled code reads of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from accel_models.jit import uncounted
from accel_models.template.spec import ArrayKind, Template

Ints: TypeAlias = NDArray[np.int64]
#: Columns of a row of templates: the fields of :class:`Template` in their order, an array by its place in the enum.
TEMPLATE_FIELDS = tuple(item.name for item in fields(Template))
_CODE = {kind: code for code, kind in enumerate(ArrayKind)}
_AT = {name: at for at, name in enumerate(TEMPLATE_FIELDS)}
_ARRAY, _ROWS, _COLS = _AT["array"], _AT["rows"], _AT["cols"]
_ACT, _WEIGHT, _ACC = _AT["act_bits"], _AT["weight_bits"], _AT["acc_bits"]
_INPUT_BYTES, _WEIGHT_BYTES, _ACC_BYTES = (_AT[f"{name}_buffer_bytes"] for name in ("input", "weight", "acc"))
_OUTPUT_BYTES, _PARAM_BYTES = _AT["output_buffer_bytes"], _AT["param_buffer_bytes"]
_PPU, _NONLINEAR, _TABLES = _AT["ppu_lanes"], _AT["nonlinear_lanes"], _AT["activation_tables"]
_DUAL = _AT["dual_rate"]
_TAPS, _ACC_STAGES, _PPU_STAGES = _AT["vector_taps"], _AT["acc_stages"], _AT["ppu_stages"]
_AXI, _BURST = _AT["axi_bits"], _AT["axi_burst_beats"]
_LATENCY, _RATE = _AT["dram_latency_cycles"], _AT["dram_bytes_per_cycle"]
#: Column of the clock.
CLOCK = _AT["clock_hz"]


class Machine(NamedTuple):
    """A template in compiled code; sizes of buffers are those of one half."""

    array: int
    rows: int
    cols: int
    lanes: int
    act_word: int  # bytes
    weight_word: int  # bytes
    input_words: int
    weight_words: int
    acc_words: int
    output_words: int
    param_channels: int
    ppu_lanes: int
    nonlinear_lanes: int
    tables: int
    table_words: int
    vector_taps: int
    acc_stages: int
    ppu_stages: int
    beat_bytes: int
    burst_beats: int
    latency: int
    rate: int


@uncounted
def machine_of(row: Ints) -> Machine:
    """The machine of one row."""
    rows, cols = row[_ROWS], row[_COLS]
    lanes = max(rows, cols << row[_DUAL])
    act_word, weight_word = lanes * row[_ACT] // 8, cols * row[_WEIGHT] // 8
    return Machine(
        row[_ARRAY],
        rows,
        cols,
        lanes,
        act_word,
        weight_word,
        row[_INPUT_BYTES] // act_word,
        row[_WEIGHT_BYTES] // weight_word,
        row[_ACC_BYTES] // (lanes * row[_ACC] // 8),
        row[_OUTPUT_BYTES] // act_word,
        row[_PARAM_BYTES] // 16 // lanes * lanes,
        row[_PPU],
        row[_NONLINEAR],
        row[_TABLES],
        (1 << row[_ACT]) // 16,
        row[_TAPS],
        row[_ACC_STAGES],
        row[_PPU_STAGES],
        row[_AXI] // 8,
        row[_BURST],
        row[_LATENCY],
        row[_RATE],
    )


def template_rows(templates: Sequence[Template]) -> Ints:
    """``[n, fields]``, a row each."""
    rows = [(_CODE[t.array], *(getattr(t, name) for name in TEMPLATE_FIELDS[1:])) for t in templates]
    return np.array(rows, dtype=np.int64).reshape(-1, len(TEMPLATE_FIELDS))
