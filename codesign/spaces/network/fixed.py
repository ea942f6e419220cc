"""One network, nothing to decide: its hardware is searched alone and nothing is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from codesign.decisions import Variable
from codesign.design_file import DesignFile
from codesign.spaces.network import Network
from mappings.errors import Fault, SpecError
from mappings.workload import Workload
from mappings.yamlio import load_yaml


@dataclass(frozen=True)
class FixedNetwork:
    """A network by name, from a module, or from a file.

    Attributes:
        network: registered name, ``my_module.py:MyNet``, or the YAML of a workload or a design.
        input: shape of a module's input.
    """

    network: str
    input: Sequence[int] = ()
    dataset: str = ""

    @property
    def decisions(self) -> tuple[Variable, ...]:
        """None."""
        return ()

    @property
    def is_file(self) -> bool:
        """Whether it is the YAML of a workload or a design, which has no weights of its own."""
        return self.network.endswith((".yaml", ".yml"))

    @cached_property
    def workload(self) -> Workload:
        """Its layers; read or traced once.

        Raises:
            SpecError: no such network, or one that cannot be traced.
        """
        if not self.is_file:
            # Imported where it is used: tracing loads torch, reading a recipe must not.
            from codesign.commands.targets import load_workload, read_target

            return load_workload(read_target(self.network), [tuple(self.input)] if self.input else [])
        raw: Any = load_yaml(self.network)
        if not isinstance(raw, dict):
            raise SpecError(Fault(self.network, f"is {type(raw).__name__}", "a workload or a design"))
        if "layers" in raw:
            return Workload.from_dict(raw, self.network)
        return DesignFile.load(self.network).design.workload

    def network_at(self, point: Mapping[str, Any]) -> Network:
        """The network, whatever the point."""
        return Network(workload=self.workload)
