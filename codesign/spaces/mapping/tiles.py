"""Tiles searched for each network and accelerator, by the exact figures of the program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accel_models.design import Design
from accel_models.hardware.devices import device as device_of
from accel_models.mapper.program import best_program
from accel_models.report import Infeasible
from accel_models.template.accelerator import template_accelerator
from accel_models.template.resources import fits
from codesign.decisions import Variable
from codesign.spaces.mapping.caps import missing_operators
from mappings.errors import SpecError
from mappings.workload import Workload


@dataclass(frozen=True)
class SearchedTiles:
    """Never worse than the default tiles by its objective.

    Attributes:
        objective: latency, energy or edp, of the whole program.
        tilings: of each layer, from which the best is taken.
    """

    objective: str = "latency"
    tilings: int = 200

    @property
    def decisions(self) -> tuple[Variable, ...]:
        """None: what it finds follows from network and accelerator."""
        return ()

    def design_at(
        self, point: Mapping[str, Any], workload: Workload, hardware: Any, device: str
    ) -> tuple[Design | None, tuple[Infeasible, ...]]:
        """The design; its bounds are those of the device, the buffers, and the operators that the hardware has."""
        broken = fits(hardware, device)
        if broken:  # a search would tell no more
            return None, broken
        accelerator = template_accelerator(hardware, device_of(device).technology, device)
        try:
            found = best_program(workload, accelerator, self.objective, most=self.tilings)
        except SpecError as error:
            return None, (missing_operators(error),)
        return (None, (found,)) if isinstance(found, Infeasible) else (found.design, ())
