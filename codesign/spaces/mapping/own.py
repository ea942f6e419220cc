"""Hardware whose model says how a network runs on it: nothing to decide, and no design in our mapping language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accel_models.report import Infeasible
from codesign.decisions import Variable
from mappings.workload import Workload


@dataclass(frozen=True)
class OwnMapping:
    """The provider's model maps."""

    @property
    def decisions(self) -> tuple[Variable, ...]:
        """None."""
        return ()

    def design_at(
        self, point: Mapping[str, Any], workload: Workload, hardware: Any, device: str
    ) -> tuple[None, tuple[Infeasible, ...]]:
        """No design; what does not fit, the provider tells."""
        return None, ()
