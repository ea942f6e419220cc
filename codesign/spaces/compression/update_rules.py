"""By which rule a network's weights are updated, decided as a network is (Bello 2017): the network stays as it is.

As with :mod:`codesign.spaces.compression.hyper_parameters`, the choices stand in the workload's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from codesign.accuracy.update_rule import FUNCTIONS, JOINTS, OPERANDS, Rule
from codesign.decisions import Decision, Variable
from codesign.spaces.compression.hyper_parameters import MARK
from mappings.workload import Workload

_CHOICES = {
    "left": tuple(OPERANDS),
    "left_function": tuple(FUNCTIONS),
    "right": tuple(OPERANDS),
    "right_function": tuple(FUNCTIONS),
    "joint": tuple(JOINTS),
}


@dataclass(frozen=True)
class UpdateRules:
    """Rules, and the highest learning rate of a training by one.

    Attributes:
        learning_rate: choices.
    """

    learning_rate: tuple[float, ...] = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)

    @property
    def decisions(self) -> tuple[Variable, ...]:
        """Of the rule, then the rate."""
        rule = [Decision(f"rule_{name}", "compression", choices, ordered=False) for name, choices in _CHOICES.items()]
        return (*rule, Decision("learning_rate", "compression", self.learning_rate))

    def compressed(self, workload: Workload, point: Mapping[str, Any]) -> Workload:
        """The same layers, named by how they are trained."""
        rule = ",".join(str(point[f"rule_{name}"]) for name in _CHOICES)
        name = workload.name.partition(MARK)[0]
        return replace(workload, name=f"{name}{MARK}learning_rate={float(point['learning_rate'])!r}{MARK}rule={rule}")


def decided_rule(workload: Workload) -> Rule | None:
    """The rule that a search decided for a network; None: that of whoever trains it holds."""
    for part in workload.name.split(MARK)[1:]:
        name, equals, value = part.partition("=")
        if equals and name == "rule":
            return Rule(**dict(zip((field.name for field in fields(Rule)), value.split(","), strict=True)))
    return None
