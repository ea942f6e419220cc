"""Synthesis of parts and of whole accelerators as the resource model is fitted to and judged by it."""

from __future__ import annotations

from accel_models.program.parameters import parameters
from accel_models.template.spec import Template
from rtl_templates.synth.fpga import PASSES, Taken, synthesize_module, totals
from rtl_templates.synth.modules import part_module
from rtl_templates.synth.yosys import known_netlist

TOP = "cd_accelerator"
WHOLE = "whole"


def module_of(template: Template, part: str) -> tuple[str, dict[str, int]]:
    """Module and parameters of a part, or of the accelerator (:data:`WHOLE`)."""
    return (TOP, parameters(template)) if part == WHOLE else part_module(template, part)


def measured(template: Template, part: str, target: str = "xc7", run: bool = True) -> Taken | None:
    """What a part takes by synthesis; None where that is not kept and ``run`` is False.

    Raises:
        SpecError: Yosys is missing or stopped.
    """
    top, given = module_of(template, part)
    if run:
        return synthesize_module(top, given, target)[0]
    found = known_netlist(top, given, [PASSES[target]])
    return None if found is None else totals(dict(found.cells))
