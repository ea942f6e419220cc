"""Cost providers: what a design costs, or every bound that it breaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from accel_models.design import Design
from accel_models.report import CostReport, Infeasible
from codesign.plugin import Plugin
from mappings.registry import Registry

#: A design to its figures, or the bounds that it breaks.
CostProvider: TypeAlias = Callable[[Design], "CostReport | tuple[Infeasible, ...]"]


def _register_builtins(registry: Registry[Plugin[CostProvider]]) -> None:
    registry.register(
        "schedule",
        Plugin(
            "the accelerator's own program, timed to the cycle; energy from what it moves",
            "accel_models.template.cost:template_cost",
        ),
    )


COSTS: Registry[Plugin[CostProvider]] = Registry("cost provider", _register_builtins)
