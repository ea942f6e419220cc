"""Two-input gates and flip-flops of the accelerator's parts in standard cells, as functions of its parameters.

The terms are those of :mod:`accel_models.template.fabric`, but that every product is made of gates, and every queue and
every register that an FPGA has in a block or in look-up tables of flip-flops. The coefficients are data:
``data/cells.yaml``, fitted without negatives to synthesis of each module alone, by the command that the file names.
A gate is a two-input NAND of the library.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from accel_models.template import fabric
from accel_models.template.spec import ArrayKind, Template
from mappings.yamlio import load_yaml

DATA = Path(__file__).parent / "data" / "cells.yaml"
RESOURCES = ("gates", "flops")


class Cells(NamedTuple):
    """What the logic of a template takes in standard cells, memories apart: in all, and of it the PE array."""

    gates: float
    flops: float
    array_gates: float
    array_flops: float


def terms(template: Template, part: str) -> tuple[float, ...]:
    """Terms of a part of a template."""
    t, found = template, list(fabric.terms(template, part))
    products = {"PE array": t.rows * t.cols, "vector unit": t.vector_taps * t.word_lanes}
    if part in products:
        found[5] = float(products[part] * t.act_bits * t.weight_bits)
    return tuple(found)


@lru_cache(maxsize=1)
def coefficients() -> dict[str, dict[str, tuple[float, ...]]]:
    """``{resource: {key: coefficients}}``; a resource's "whole" has one for the array and one for the shell."""
    raw = load_yaml(DATA)
    return {
        resource: {name: tuple(float(value) for value in row) for name, row in raw[resource].items()}
        for resource in RESOURCES
    }


#: Beyond the terms: what splits two products, a PE; what finds the tap that a header names, an array; gates for a bit
#: of a weight word that is unpacked, by the weights in the place of one. From loop tile and channel parallel 4 x 4 and
#: 8 x 8 of 8 bits with and without, and `cd_weight_unpack` of 8 and 16 columns (Yosys and abc, SG13G2).
_PAIR = {"gates": 490.0, "flops": 0.6}
_TAP_SKIPPING = {"gates": 545.0, "flops": 59.0}
_UNPACK = {1: 0.0, 2: 3.8, 4: 5.6}


def alone(template: Template, part: str, resource: str) -> float:
    """Gates or flip-flops of one part synthesised alone; ``resource`` is one of :data:`RESOURCES`."""
    row = coefficients()[resource].get(fabric.key(template, part))
    if row is None:
        return _from_fabric(template, part, resource)
    found = sum(c * x for c, x in zip(row, terms(template, part), strict=True))
    if part == "PE array" and template.dual_rate:
        found += template.rows * template.cols * _PAIR[resource]
    if part == "PE array" and template.tap_skipping:
        found += _TAP_SKIPPING[resource]
    return found


#: Two-input gates for a six-input look-up table of control and data paths: from 4x4 and 8x8 arrays in ASAP7 and SG13G2
#: (Yosys 0.70 and abc).
GATES_PER_LUT = 7
_DSP_BITS = 17  #: of a DSP's operands


def _from_fabric(template: Template, part: str, resource: str) -> float:
    """A part of which no module has been synthesised in cells: from what it takes of an FPGA, products as gates."""
    if resource == "flops":
        return fabric.alone(template, part, "ff")
    product = coefficients()["gates"][f"PE array: {ArrayKind.LOOP_TILE}"][5]
    return (
        GATES_PER_LUT * fabric.alone(template, part, "lut")
        + fabric.part_dsp(template, part) * product * _DSP_BITS * _DSP_BITS
    )


_known: dict[tuple[object, ...], Cells] = {}


def cells(template: Template) -> Cells:
    """Gates and flip-flops of the whole accelerator, flattened, memories apart."""
    key = fabric.logic_key(template)
    found = _known.get(key)
    if found is None:
        found = _known[key] = _count(template)
    return found


def _count(template: Template) -> Cells:
    t, totals, arrays = template, [], []
    for resource in RESOURCES:
        array, shell = coefficients()[resource]["whole"]
        arrays.append(alone(t, "PE array", resource) * array)
        totals.append(arrays[-1] + shell * sum(alone(t, name, resource) for name in fabric.shell_names(t)))
    unpack = _UNPACK[t.weight_packing] * 8 * t.weight_word_bytes
    late = fabric.pipeline_ff(t) + (t.weight_packing // 2 if t.weight_packing > 1 else 0)
    return Cells(totals[0] + unpack, totals[1] + late, arrays[0], arrays[1])
