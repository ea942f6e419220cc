"""Designs through synthesis: what was estimated beside what open tools find."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from accel_models.hardware.accelerator import Accelerator
from codesign.commands.targets import load_design
from mappings.errors import Fault, SpecError
from mappings.yamlio import load_yaml
from rtl_templates.synth.report import SynthReport, synthesize


def synth(
    design: str,
    target: str = "xc7",
    *,
    liberty: Sequence[str] = (),
    route: bool = False,
    device: str = "",
) -> SynthReport:
    """Synthesise a design's accelerator; a result is kept, and found again at once.

    Args:
        design: a design file, or the file of an accelerator with a template.
        target: "xc7", "xcup", "ecp5", "ice40", "gowin" or "asic".
        liberty: files of standard cells, for "asic".
        route: place and route too ("ecp5", "ice40").
        device: part to route for; "": the family's largest.

    Raises:
        SpecError: wrong input, a missing tool, or a part without room.
    """
    accelerator = _accelerator(design)
    if accelerator.template is None:
        raise SpecError(Fault(design, "its accelerator has no template", "one that rtl_templates builds"))
    tech = accelerator.technology if target == "asic" else ""
    paths = [Path(name) for name in liberty]
    return synthesize(accelerator.template, target, liberty=paths, route=route, part=device, tech=tech)


def _accelerator(name: str) -> Accelerator:
    raw = load_yaml(name) if name.endswith((".yaml", ".yml")) else None
    if isinstance(raw, dict) and "levels" in raw:
        return Accelerator.from_dict(raw, name)
    return load_design(name).design.accelerator
