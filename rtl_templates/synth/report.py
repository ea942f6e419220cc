"""What synthesis of a whole accelerator gave, beside what the model said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from accel_models.hardware.energy import power_mw
from accel_models.hardware.technology import Technology, TechnologyKind, technology
from accel_models.program.parameters import parameters
from accel_models.report import CostReport
from accel_models.template.cost import template_cost
from accel_models.template.energy import cells_mw
from accel_models.template.families import FAMILIES
from accel_models.template.resources import estimate, logic_um2
from accel_models.template.spec import Template
from mappings.errors import Fault, SpecError, unknown_name
from rtl_templates.synth.asic import synthesize_cells
from rtl_templates.synth.fpga import PASSES, synthesize_module
from rtl_templates.synth.measure import TOP
from rtl_templates.synth.power import Ran, check_power, measured_power
from rtl_templates.synth.route import part_of, router
from rtl_templates.synth.route import route as place_and_route

TARGETS = (*PASSES, "asic")


@dataclass(frozen=True)
class Compared:
    """One figure: estimated, found by synthesis; None where one of them is not known."""

    name: str
    unit: str
    estimated: float | None
    found: float | None

    @property
    def error(self) -> float | None:
        """Relative error of the estimate."""
        if self.estimated is None or not self.found:
            return None
        return self.estimated / self.found - 1


@dataclass(frozen=True)
class SynthReport:
    """Synthesis of one accelerator.

    Attributes:
        target: FPGA family or "asic".
        figures: estimated and found.
        part: on which it was routed, or "".
        critical_path: from and to, or "".
        seconds: of the run that made the netlist; later ones read the cache.
    """

    target: str
    figures: tuple[Compared, ...]
    part: str
    critical_path: str
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values, errors included."""
        plain = asdict(self)
        for row, item in zip(plain["figures"], self.figures, strict=True):
            row["error"] = item.error
        return plain


def synthesize(
    template: Template,
    target: str = "xc7",
    *,
    liberty: Sequence[Path] = (),
    route: bool = False,
    part: str = "",
    tech: str = "",
    ran: Ran | None = None,
) -> SynthReport:
    """Synthesise the accelerator of a template, flattened, without pads; kept by digest.

    Args:
        template: what to build.
        target: one of :data:`TARGETS`.
        liberty: files of standard cells, for "asic".
        route: place and route too (ECP5, iCE40).
        part: device to route for; "": the family's largest.
        tech: technology whose area and power stand beside a liberty's; "": none.
        ran: a run of the template whose power is asked for, for "asic"; None: none is.

    Raises:
        SpecError: an unknown target, part or technology, a wrong liberty, a missing tool, a part without room.
    """
    if target not in TARGETS:
        raise unknown_name("--target", "target", target, TARGETS)
    if target != "asic" and liberty:
        raise SpecError(Fault("--liberty", f"is of no use for target {target}", "only with target asic"))
    if part and not route:
        raise SpecError(Fault("--device", "is of no use without routing", "with --route"))
    if target == "asic":
        if route:
            raise SpecError(Fault("--route", "no open router for target asic", "without --route"))
        return _cells(template, liberty, tech, ran)
    if route:  # wrong words and missing tools are told before the minutes of synthesis
        router(target)
        part_of(target, part)
    taken, netlist = synthesize_module(TOP, parameters(template), target)
    family = FAMILIES[target]
    guess = estimate(template, family)
    figures = [
        Compared("DSP", "blocks", guess.dsp, taken.dsp),
        Compared("BRAM36", "blocks", guess.bram36, -(-taken.bram18 // family.blocks36)),
        Compared("LUT", "look-up tables", guess.lut, taken.lut),
        Compared("FF", "flip-flops", guess.ff, taken.ff),
    ]
    chosen = path = ""
    if route:
        routed = place_and_route(TOP, parameters(template), target, part)
        chosen, path = routed.part, routed.path
        figures.append(Compared("clock", "Hz", template.clock_hz, routed.fmax_hz))
    return SynthReport(target, tuple(figures), chosen, path, netlist.seconds)


def _cells(template: Template, liberty: Sequence[Path], tech: str, ran: Ran | None) -> SynthReport:
    known = technology(tech, "--technology") if tech else None
    if known is not None and known.kind is not TechnologyKind.ASIC:
        known = None
    guess = None if known is None else logic_um2(template, known)
    if ran is not None:  # told before the minutes of synthesis
        check_power(ran, liberty)
    found = synthesize_cells(TOP, parameters(template), liberty)
    flops = sum(count for name, count in found.cells if "df" in name.lower() or "dlh" in name.lower())
    figures: tuple[Compared, ...] = (
        Compared("area without memories", "um2", guess, found.area_um2),
        Compared("flip-flops' area", "um2", None, found.sequential_um2),
        Compared("flip-flops", "cells", None, flops),
        Compared("cells", "cells", None, sum(count for _, count in found.cells)),
    )
    if ran is not None:
        figures += _power(ran, liberty, known)
    return SynthReport("asic", figures, "", "", found.seconds)


def _power(ran: Ran, liberty: Sequence[Path], tech: Technology | None) -> tuple[Compared, ...]:
    """Mean power of a run at the template's clock, in cells."""
    template, found = ran.design.accelerator.template, measured_power(ran, liberty)
    assert template is not None, "measured_power refuses others"
    guess = None
    if tech is not None:
        cost = template_cost(replace(ran.design, accelerator=replace(ran.design.accelerator, device="")))
        guess = cells_mw(cost, template, tech) if isinstance(cost, CostReport) else None

    def share(picojoules: float) -> float:
        return power_mw(picojoules, found.cycles, template.clock_hz)

    return (
        Compared("power without memories, wires and clock tree", "mW", guess, found.milliwatts(template.clock_hz)),
        Compared("of it the clock", "mW", None, share(found.clock)),
        Compared("of it registers", "mW", None, share(found.registers)),
        Compared("of it gates and what they charge", "mW", None, share(found.gates + found.nets)),
        Compared("of it leakage", "mW", None, found.leakage_uw / 1e3),
    )
