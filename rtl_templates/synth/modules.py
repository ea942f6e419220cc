"""The accelerator's modules one by one, each with the parameters that it has inside a given accelerator."""

from __future__ import annotations

import re

from accel_models.program.parameters import parameters as top_parameters
from accel_models.template.spec import ArrayKind, Template
from rtl_templates.render import RTL

_DECLARED = re.compile(r"^\s*parameter\s+(?:int unsigned|bit|logic)\s+(\w+)\s*=", re.MULTILINE)
#: Part of the estimate -> module; the array's module depends on the template.
MODULES = {
    "vector unit": "cd_vector",
    "non-linear unit": "cd_nonlinear",
    "accumulators": "cd_acc_mem",
    "buffers": "cd_buffers",
    "drain": "cd_drain",
    "load": "cd_load",
    "store": "cd_store",
    "control": "cd_control",
}


def array_module(kind: ArrayKind) -> str:
    """Module of a PE array."""
    return f"cd_array_{kind}"


def declared(module: str) -> tuple[str, ...]:
    """Names of a module's parameters."""
    head = (RTL / f"{module}.sv").read_text(encoding="utf-8").split("\nmodule ", 1)[-1]
    return tuple(dict.fromkeys(_DECLARED.findall(head[: head.find(");")])))


def _values(template: Template) -> dict[str, int]:
    """Every parameter of every module below `cd_accelerator`, by the names that the modules use."""
    t, top = template, top_parameters(template)
    return top | {
        "N": t.word_lanes,
        "ActBytes": t.act_word_bytes,
        "WgtBytes": t.weight_word_bytes,
        "AxiBytes": t.axi_bits // 8,
        "IbAw": (top["IbWords"] - 1).bit_length(),
        "WbAw": (top["WbWords"] - 1).bit_length(),
        "AbAw": (top["AbWords"] - 1).bit_length() + 1,
        "Depth": top["AbWords"],
        "MaxW": t.act_bits + t.weight_bits,
        "PbWords": top["PbChannels"] // t.ppu_lanes,
        "Lanes": t.nonlinear_lanes,
        "Nonlinear": t.nonlinear_lanes > 0,
        "Transposer": t.nonlinear_lanes > 0,
        "Tables": t.activation_tables > 0,
        "TableWords": 2**t.act_bits // 8 if t.activation_tables else 0,
        "Taps": t.vector_taps,
        "Stages": t.ppu_stages,
        "WbW": 8 * t.weight_word_bytes,
        "Pair": t.array is ArrayKind.ROW_STATIONARY,
    }


def part_module(template: Template, part: str) -> tuple[str, dict[str, int]]:
    """Module and parameters of one part ("PE array" or a key of :data:`MODULES`)."""
    module = array_module(template.array) if part == "PE array" else MODULES[part]
    known = _values(template)
    return module, {name: int(known[name]) for name in declared(module) if name in known}


def parts(template: Template) -> tuple[str, ...]:
    """The parts that an accelerator has."""
    return ("PE array", *(part for part in MODULES if part != "non-linear unit" or template.nonlinear_lanes))
