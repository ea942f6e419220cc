"""A space of the user's own: a class named as ``my_space.py:MySpace``.

    class MySpace:
        dataset = "mnist5k"              # registered, or "my_data.py:load"
        input_shape = (1, 1, 28, 28)
        decisions = (Decision("width", "network", (8, 16, 32)), ...)

        def build(self, point: dict) -> torch.nn.Module: ...

The file is executed, as any import is: load only what you trust.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from codesign.accuracy.task import TASKS, Classification
from codesign.decisions import Decision, Permutation, Real, Variable
from codesign.spaces.network import Network
from codesign.trace import trace
from codesign.trace.loader import RAISED_BY_USERS, load_object
from mappings.errors import Fault, SpecError

_MEMBERS = {"decisions": "a tuple of decisions", "build": "a method: point to nn.Module", "input_shape": "integers"}


class UserSpace:
    """Networks that a class of the user's builds.

    Args:
        space: ``path/to/file.py:ClassName``.
        dataset: in place of the class's own.

    Raises:
        SpecError: no such file or class, or one that lacks something; all faults at once.
    """

    def __init__(self, space: str, dataset: str = "") -> None:
        self.reference, self._dataset = space, dataset
        made = load_object(space)
        self._space: Any = made() if isinstance(made, type) else made
        faults = [
            Fault(space, f'has no "{name}"', what) for name, what in _MEMBERS.items() if not hasattr(self._space, name)
        ]
        shape = getattr(self._space, "input_shape", (1,))
        if not isinstance(shape, (tuple, list)) or any(type(extent) is not int or extent < 1 for extent in shape):
            faults.append(Fault(f"{space}.input_shape", f"is {shape!r}", "positive integers: (1, 3, 32, 32)"))
        given = getattr(self._space, "decisions", ())
        for decision in given:
            if not isinstance(decision, (Decision, Real, Permutation)):
                faults.append(Fault(f"{space}.decisions", f"holds {decision!r:.60}", "Decision, Real, Permutation"))
            elif decision.group not in ("network", "compression"):
                what = f'is of the group "{decision.group}"'
                faults.append(Fault(f"{space}: decision {decision.name}", what, "network"))
        if self.task not in TASKS:
            faults.append(Fault(f"{space}.task", f'is "{self.task}"', ", ".join(TASKS)))
        if faults:
            raise SpecError(faults)

    @property
    def decisions(self) -> tuple[Variable, ...]:
        """Those of the class."""
        return tuple(self._space.decisions)

    @cached_property
    def dataset(self) -> str:
        """Named by the class: a file beside the class's own, or as from the working folder."""
        if self._dataset:
            return self._dataset
        name = str(getattr(self._space, "dataset", ""))
        path, colon, function = name.rpartition(":")
        beside = Path(self.reference.rpartition(":")[0]).parent / path
        return f"{beside}:{function}" if colon and beside.is_file() else name

    @property
    def task(self) -> str:
        """What its networks' outputs are for, as the class says."""
        return str(getattr(self._space, "task", Classification.name))

    @property
    def hooks(self) -> Mapping[str, Any]:
        """What the class offers controllers beyond its decisions, by name."""
        return dict(getattr(self._space, "hooks", {}))

    def network_at(self, point: Mapping[str, Any]) -> Network:
        """The module at a point, traced.

        Raises:
            SpecError: the class cannot build it, or it cannot be traced.
        """
        own = {decision.name: point[decision.name] for decision in self.decisions if decision.name in point}
        try:
            module = self._space.build(own)
        except RAISED_BY_USERS as error:
            raise SpecError(Fault(f"{self.reference}.build({own})", f"{type(error).__name__}: {error}")) from error
        if not isinstance(module, torch.nn.Module):
            raise SpecError(Fault(f"{self.reference}.build", f"gives {type(module).__name__}", "a torch.nn.Module"))
        return Network(workload=trace(module.eval(), [torch.zeros(tuple(self._space.input_shape))], "user"))
