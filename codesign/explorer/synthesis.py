"""Points of a front through synthesis: what each takes of the part beside what the model said, and whether it fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from accel_models.hardware.accelerator import Accelerator
from accel_models.hardware.devices import Device, device
from accel_models.report import Infeasible, broken_bounds
from accel_models.template.resources import fpga_bounds
from codesign.progress import Reporter
from rtl_templates.synth.report import SynthReport, synthesize
from rtl_templates.synth.target import target_of
from rtl_templates.synth.yosys import yosys_version


@dataclass(frozen=True)
class Synthesised:
    """One point of a front, synthesised for the family of its device.

    Attributes:
        point: name of the design.
        report: estimated and found.
        over: resources that synthesis finds more of than the device (its fill limit) has.
    """

    point: str
    report: SynthReport
    over: tuple[Infeasible, ...]

    @property
    def found(self) -> dict[str, float]:
        """What synthesis found, by resource."""
        return {item.name: item.found for item in self.report.figures if item.found is not None}

    @property
    def passed(self) -> bool:
        """Whether what was found is inside the budget."""
        return not self.over

    def line(self) -> str:
        """One line that tells it."""
        if self.over:
            return f"{self.point} synthesised: OVER its budget: {', '.join(map(str, self.over))}"
        pairs = ", ".join(
            f"{item.name} {item.found:,.0f} ({item.error:+.1%})"
            for item in self.report.figures
            if item.found is not None and item.error is not None
        )
        return f"{self.point} synthesised ({self.report.target}), inside its budget: {pairs}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        over = [item.to_dict() for item in self.over]
        return {"point": self.point, **self.report.to_dict(), "over": over, "passed": self.passed}


def check_synthesis(name: str) -> None:
    """Refuse a device that no open tool synthesises for, and a missing tool, before a search begins.

    Raises:
        SpecError: such a device, or Yosys is missing.
    """
    target_of(device(name), "--verify synth")
    yosys_version()


def synthesise(name: str, accelerator: Accelerator, reporter: Reporter) -> Synthesised:
    """A design whose hardware is ours, for the device that it was searched for.

    Raises:
        SpecError: a device without an open synthesis, or Yosys stopped.
    """
    assert accelerator.template is not None, "hardware that is not ours is not built"
    part = device(accelerator.device)
    with reporter.task(f"{name}: synthesis", None):
        report = synthesize(accelerator.template, target_of(part, "--verify synth"))
    return Synthesised(name, report, over_budget(report, part))


def over_budget(report: SynthReport, part: Device) -> tuple[Infeasible, ...]:
    """What synthesis finds more of than a part has."""
    found = {item.name: item.found for item in report.figures}
    return broken_bounds(fpga_bounds(part, *(found.get(name) for name in ("DSP", "BRAM36", "LUT", "FF"))))
