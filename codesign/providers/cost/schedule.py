"""What a design on one of our accelerators costs, from the program that it will run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from accel_models.design import Design
from accel_models.hardware.devices import DeviceKind, device
from accel_models.hardware.energy import broken_power, over_power
from accel_models.hardware.technology import technology
from accel_models.jit import is_compiled
from accel_models.pricing.price import UNEXPLAINED, Pricer
from accel_models.report import CostReport
from accel_models.template.cost import mapped_design, template_cost
from accel_models.template.energy import TENSOR_OF, word_bits
from accel_models.template.families import family_of
from accel_models.template.resources import area_um2, demand, memories
from accel_models.template.spec import Template
from codesign.objectives import Goal
from codesign.providers.base import Candidate, Measurement, ProviderContext
from codesign.providers.cost.whole_hardware import WholeHardware
from codesign.providers.cost.work import figures_of
from codesign.providers.registry import PROVIDERS
from codesign.spaces.mapping.caps import missing_operators
from codesign.spaces.search_space import SearchSpace
from mappings.errors import Fault, SpecError

#: Where machine code is not kept on disk yet, compiling it pays after so many designs or so much of the readable path.
_DESIGNS_WORTH, _SECONDS_WORTH = 400, 15.0


@dataclass(frozen=True)
class _Cost:
    """What either path finds of a design."""

    cycles: int
    latency_ms: float
    energy_pj: float | None
    dram_bytes: int


class ScheduleProvider:
    """Exact cycles; energy from every word that the program moves; resources from the structure.

    Designs under caps are priced many at a time by the compiled path; a design with mappings of its own, and one that
    a buffer cannot hold, by the readable one, which tells what is broken. Both give the same figures.

    Args:
        context: of the run.
    """

    needs = ("mapped",)
    key = "design"

    def __init__(self, context: ProviderContext) -> None:
        self._device, self._named = device(context.device), context.device
        self.metrics = PROVIDERS.get("schedule").metrics_on(context.device)
        self._pricer = Pricer(self._device, bounded=False)
        self._compiled, self._read_s, self._reporter = is_compiled("pricing"), 0.0, context.reporter

    def prepare(self) -> None:
        """Nothing to prepare."""

    def measure(self, candidates: Sequence[Candidate]) -> list[Measurement]:
        """Figures of each design, whether or not the device has room for it."""
        found: dict[int, Measurement] = {}
        capped = [place for place, candidate in enumerate(candidates) if candidate.design is None]
        if len(capped) >= _DESIGNS_WORTH or self._read_s > _SECONDS_WORTH:
            self._compile()
        if not self._compiled:
            started = time.process_time()
            found = {place: self._by_reading(candidates[place]) for place in capped}
            self._read_s += time.process_time() - started
        elif capped:
            found = dict(zip(capped, self._priced([candidates[place] for place in capped]), strict=True))
        for place, candidate in enumerate(candidates):
            if candidate.design is not None:
                found[place] = self._read(candidate.design)
        return [found[place] for place in range(len(candidates))]

    def price(self, candidates: Sequence[Candidate]) -> list[Measurement]:
        """As :meth:`measure`; of a design that a buffer cannot hold, which buffer, and not by how much."""
        if any(candidate.caps is None for candidate in candidates):
            return self.measure(candidates)
        if len(candidates) >= _DESIGNS_WORTH:
            self._compile()
        return self._priced(candidates, explained=False) if self._compiled else self.measure(candidates)

    def whole(self, space: SearchSpace, goal: Goal) -> WholeHardware | None:
        """All accelerators of a space, for the front of a network over them; None: no space that can be proved over."""
        if not WholeHardware.covers(space, goal, self.metrics):
            return None
        self._compile()
        return WholeHardware(space, self._device, goal, self.metrics)

    def _compile(self) -> None:
        """Take the compiled path from now on; the first time on a machine that takes a while, which is told."""
        if not self._compiled:
            self._reporter.say("compiling the cost model for this processor: this once, half a minute or more")
        self._compiled = True

    def _priced(self, candidates: Sequence[Candidate], *, explained: bool = True) -> list[Measurement]:
        workloads, templates, caps = [], list[Template](), []
        for candidate in candidates:
            assert candidate.workload is not None and candidate.caps is not None, "shown to the provider, so mapped"
            workloads.append(candidate.workload)
            templates.append(candidate.hardware)
            caps.append(candidate.caps)
        rows, channels = zip(*caps, strict=True)
        priced, out = self._pricer.price(workloads, templates, rows, channels), []
        widths = {template: self._widths(template) for template in set(templates)}
        for place, template in enumerate(templates):
            if priced.code[place]:
                unknown = Measurement(broken=(UNEXPLAINED[int(priced.code[place])],))
                out.append(self._by_reading(candidates[place]) if explained else unknown)
                continue
            moved = sum(int(priced.counts[place, column]) * size for column, size in widths[template])
            cycles = int(priced.cycles[place])
            cost = _Cost(cycles, float(priced.latency_ms[place]), float(priced.energy_pj[place]), moved)
            hot = None
            if self._device.power_mw is not None:
                hot = over_power(float(priced.chip_mw[place]), self._device.power_mw)
            broken = () if hot is None else (hot,)
            out.append(Measurement(self._figures(template, cost), broken, {"cycles": cycles}))
        return out

    @staticmethod
    def _widths(template: Template) -> list[tuple[int, int]]:
        """Bytes of a word of each kind of transfer, by its column."""
        return [(int(buffer), word_bits(buffer, template) // 8) for buffer in TENSOR_OF]

    def _by_reading(self, candidate: Candidate) -> Measurement:
        """By the readable path: also what a design breaks that has no figures."""
        assert candidate.workload is not None and candidate.caps is not None, "shown to the provider, so mapped"
        try:
            made = mapped_design(candidate.workload, candidate.hardware, self._named, *candidate.caps)
        except SpecError as error:
            return Measurement(broken=(missing_operators(error),))
        return self._read(made) if isinstance(made, Design) else Measurement(broken=made)

    def _read(self, design: Design) -> Measurement:
        try:  # also where it has no room: the space has told that already, and what it would cost is worth knowing
            found = template_cost(design, bounded=False)
        except SpecError as error:
            return Measurement(broken=(missing_operators(error),))
        if not isinstance(found, CostReport):
            return Measurement(broken=found)
        hot = broken_power(design.accelerator, found.layers, found.latency_cycles, self._device)
        broken = () if hot is None else (hot,)
        traffic = sum(count for layer in found.layers for level, _, _, count in layer.traffic_bytes if level == "DRAM")
        template = design.accelerator.template
        assert template is not None, "template_cost refuses others"
        cost = _Cost(found.latency_cycles, found.latency_ms, found.energy_pj, traffic)
        return Measurement(self._figures(template, cost), broken, {"cycles": found.latency_cycles})

    def _figures(self, template: Template, cost: _Cost) -> dict[str, float]:
        """Every metric.

        Raises:
            SpecError: the device's technology has no energy figures.
        """
        if cost.energy_pj is None or cost.energy_pj != cost.energy_pj:
            what = "its technology has no energy figures"
            raise SpecError(Fault(f"device {self._device.name}", what, "a device whose technology has them"))
        out = {
            **figures_of(cost.latency_ms, cost.energy_pj / 1e6, cost.cycles),
            "buffer_bytes": float(sum(memory.size_bytes for memory in memories(template))),
            "dram_bytes": float(cost.dram_bytes),
        }
        part = self._device
        if part.kind is DeviceKind.FPGA:
            taken = demand(template, family_of(part))
            out |= dict(zip(("dsp", "bram36", "lut", "ff"), map(float, taken), strict=True))
            bounds = (part.dsp, part.bram36, part.lut, part.ff)
            out["fill"] = max(count / bound for count, bound in zip(taken, bounds, strict=True) if bound)
        else:
            area = area_um2(template, technology(part.technology))
            if area is not None:
                out["area_mm2"] = area / 1e6
        return out
