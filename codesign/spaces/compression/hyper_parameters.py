"""How a network is trained, decided with the network itself (Dong 2020, AutoHAS): the network stays as it is.

One that is trained otherwise is another one to whoever keeps accuracies and weights, and they know networks by their
digest; so the choices stand in the workload's name, which is a part of it. :func:`decided` reads them there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from codesign.decisions import Decision, Variable
from mappings.workload import Workload

#: What may be decided, as `Training` names it.
NAMES = ("learning_rate", "weight_decay")
#: Before each of them, in a workload's name.
MARK = "@"


@dataclass(frozen=True)
class HyperParameters:
    """Lists of choices; with one choice there is nothing to decide.

    Attributes:
        learning_rate: the highest of a training.
        weight_decay: of AdamW, or of SGD.
    """

    learning_rate: tuple[float, ...] = (0.001, 0.003, 0.01, 0.03, 0.1)
    weight_decay: tuple[float, ...] = (0.0, 0.0001, 0.01)

    @property
    def decisions(self) -> tuple[Variable, ...]:
        """One for each."""
        return tuple(Decision(name, "compression", getattr(self, name)) for name in NAMES)

    def compressed(self, workload: Workload, point: Mapping[str, Any]) -> Workload:
        """The same layers, named by how they are trained."""
        told = "".join(f"{MARK}{name}={float(point[name])!r}" for name in NAMES)
        return replace(workload, name=workload.name.partition(MARK)[0] + told)


def decided(workload: Workload) -> dict[str, float]:
    """Hyper-parameters that a search decided for a network; none: those of whoever trains it hold."""
    parts = [part.partition("=") for part in workload.name.split(MARK)[1:]]
    return {name: float(value) for name, equals, value in parts if equals and name in NAMES}
