"""The templates' own tiles, which fill the buffers, and caps on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accel_models.design import Design
from accel_models.report import Infeasible
from accel_models.template.cost import mapped_design
from accel_models.template.resources import fits
from codesign.decisions import Decision, Variable
from mappings.errors import SpecError
from mappings.workload import Workload

#: More than any tensor has.
_UNCAPPED = 2**40


def missing_operators(error: SpecError) -> Infeasible:
    """Operators that hardware of this kind lacks (e.g. a softmax without non-linear lanes): another point has them."""
    first = error.faults[0]
    return Infeasible("operators", len(error.faults), 0, "unsupported", first.allowed or first.what, first.where)


@dataclass(frozen=True)
class DefaultTiles:
    """As large as the buffers allow."""

    @property
    def decisions(self) -> tuple[Variable, ...]:
        """None."""
        return ()

    def caps(self, point: Mapping[str, Any]) -> tuple[int, int]:
        """Most rows and channels of a tile."""
        return _UNCAPPED, _UNCAPPED

    def design_at(
        self, point: Mapping[str, Any], workload: Workload, hardware: Any, device: str
    ) -> tuple[Design | None, tuple[Infeasible, ...]]:
        """The design; its bounds are those of the device, the buffers, and the operators that the hardware has."""
        broken = fits(hardware, device)
        rows, channels = self.caps(point)
        try:
            made = mapped_design(workload, hardware, device, rows, channels)
        except SpecError as error:
            return None, (*broken, missing_operators(error))
        return (made, broken) if isinstance(made, Design) else (None, (*broken, *made))


@dataclass(frozen=True)
class TileCaps(DefaultTiles):
    """Smaller tiles begin sooner and end sooner: two caps for the whole network."""

    @property
    def decisions(self) -> tuple[Variable, ...]:
        """Two."""
        return (
            Decision("tile_rows", "mapping", (1, 2, 4, 7, 14)),
            Decision("tile_channels", "mapping", (8, 16, 32, 128)),
        )

    def caps(self, point: Mapping[str, Any]) -> tuple[int, int]:
        """Most rows and channels of a tile."""
        return int(point["tile_rows"]), int(point["tile_channels"])
