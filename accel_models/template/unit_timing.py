"""Cycles of one tile on whichever of the compute unit's engines runs it."""

from __future__ import annotations

from accel_models.schedule.commands import ComputeOp
from accel_models.template.array_timing import array_cycles, ceil_div
from accel_models.template.spec import Template
from accel_models.template.tile import Tile
from accel_models.template.vector_timing import gelu_cycles, norm_cycles, softmax_cycles, vector_cycles


def compute_cycles(op: ComputeOp, tile: Tile, template: Template, dual: bool = False) -> int:
    """From the command's handshake to the last accumulator write, both included; ``dual``: with pairs of weights."""
    if op is ComputeOp.ARRAY:
        return array_cycles(template.array, template.rows, template.cols << dual, tile)
    lanes = template.word_lanes
    if op.nonlinear:
        groups = ceil_div(tile.c, lanes) * (lanes // max(template.nonlinear_lanes, 1))
        pixels = tile.p * tile.q
        if op is ComputeOp.GELU:
            return gelu_cycles(groups * pixels)
        return (softmax_cycles if op is ComputeOp.SOFTMAX else norm_cycles)(groups, pixels)
    words = lanes // template.cols if op is ComputeOp.DEPTHWISE else 0
    return vector_cycles(lanes, template.vector_taps, words, tile)
