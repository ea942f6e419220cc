"""Designs through synthesis: what was estimated beside what open tools find."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from accel_models.design import Design
from accel_models.hardware.accelerator import Accelerator
from accel_models.hardware.accelerators import ACCELERATORS
from accel_models.hardware.devices import DeviceKind
from accel_models.template.families import TARGETS as TARGET_OF
from codesign.commands.applies import refuse
from codesign.commands.kinds import Kind
from codesign.commands.targets import HardwareLike, find_hardware, read_target
from codesign.design_file import DesignFile
from codesign.progress import Reporter, Silent
from mappings.errors import Fault, SpecError, unknown_name
from rtl_templates.synth.power import Ran
from rtl_templates.synth.report import SynthReport, synthesize
from rtl_templates.synth.route import own_part

TARGETS = ("xc7", "xcup", "ecp5", "ice40", "gowin", "asic")


def synth(
    design: HardwareLike | Design | DesignFile,
    target: str | None = None,
    *,
    liberty: str | Path | Sequence[str | Path] | None = None,
    route: bool | None = None,
    device: str | None = None,
    power: bool | None = None,
    reporter: Reporter | None = None,
) -> SynthReport:
    """Synthesise a design's accelerator; a result is kept, and found again at once.

    Args:
        design: a design, an accelerator with a template, a template, or the YAML of one of them.
        target: "xc7", "xcup", "ecp5", "ice40", "gowin" or "asic"; None: that of the design's FPGA, or "xc7".
        liberty: files of standard cells, for "asic".
        route: place and route too ("ecp5", "ice40", "gowin").
        device: part to route for; None: the design's own where its router knows it, or the family's largest.
        power: of "asic": the power of the cells while the design of a run names one image, at its clock.
        reporter: where progress goes.

    Raises:
        SpecError: wrong input, an option that changes nothing, a missing tool, or a part without room.
    """
    accelerator = _accelerator(design)
    target = target or _own_target(accelerator)
    if target not in TARGETS:
        raise unknown_name("--target", "target", target, TARGETS)
    if target != "asic":
        given = {"liberty": liberty or None, "power": power or None}
        refuse(given, "only target asic has cells of its own", ("liberty", "power"))
    if not route:
        refuse({"device": device}, "only --route is for a part", ("device",))
    if accelerator.template is None:
        raise SpecError(Fault(accelerator.name, "has no template", "one that rtl_templates builds"))
    tech = accelerator.technology if target == "asic" else ""
    files = [liberty] if isinstance(liberty, str | Path) else liberty or ()
    paths = [Path(name) for name in files]
    reporter = reporter or Silent()
    ran = _ran(design, reporter) if power else None
    part = (device or own_part(target, accelerator.device)) if route else ""
    with reporter.task(f"synthesis for {target}", None):
        return synthesize(accelerator.template, target, liberty=paths, route=bool(route), part=part, tech=tech, ran=ran)


def _own_target(accelerator: Accelerator) -> str:
    """The target of the FPGA that an accelerator is for; "xc7" where it names none."""
    part = accelerator.part
    return TARGET_OF[part.taken_for] if part is not None and part.kind is DeviceKind.FPGA else "xc7"


def _ran(design: HardwareLike | Design | DesignFile, reporter: Reporter) -> Ran:
    """A design of a run on one image of its data set.

    Raises:
        SpecError: hardware alone, which has nothing to run.
    """
    from codesign.commands.hardware import of_design  # loads torch, which area alone does not need

    what, allowed = "needs a network that runs", "the YAML of a design of a run"
    if not isinstance(design, str | Path | DesignFile):
        raise SpecError(Fault("--power", what, allowed))
    try:
        found = read_target(design)
    except SpecError as error:
        raise SpecError(Fault("--power", f"{what}: {error}", allowed)) from None
    if found.kind is not Kind.DESIGN:
        raise SpecError(Fault("--power", what, allowed))
    job = of_design(found.value, 1, reporter)
    return Ran(job.design, job.network, job.images)


def _accelerator(design: HardwareLike | Design | DesignFile) -> Accelerator:
    if isinstance(design, DesignFile):
        return design.design.accelerator
    if isinstance(design, str) and not design.endswith((".yaml", ".yml")) and design not in ACCELERATORS.names():
        allowed = "the YAML of a design, a template or an accelerator with one"
        raise SpecError(Fault("design", f'is "{design}"', allowed))
    return design.accelerator if isinstance(design, Design) else find_hardware(design, "design")
