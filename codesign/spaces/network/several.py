"""Several networks that run at once: one workload whose parts know nothing of each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from codesign.decisions import Variable
from codesign.spaces.network import Network
from codesign.spaces.network.fixed import FixedNetwork
from mappings.workload import Workload


@dataclass(frozen=True)
class SeveralNetworks:
    """Networks side by side; the layers of the one at place 0 are called ``0/...``.

    Attributes:
        networks: names, modules or files, as for one network.
    """

    networks: Sequence[str]
    dataset: str = ""

    @property
    def decisions(self) -> tuple[Variable, ...]:
        """None."""
        return ()

    @cached_property
    def workload(self) -> Workload:
        """All of them.

        Raises:
            SpecError: no such network, or one that cannot be traced.
        """
        inputs, layers = [], []
        for place, name in enumerate(self.networks):
            one = FixedNetwork(name).workload
            inputs += [replace(tensor, name=f"{place}/{tensor.name}") for tensor in one.inputs]
            for layer in one.layers:
                sources = tuple(f"{place}/{source}" for source in layer.inputs)
                layers.append(replace(layer, name=f"{place}/{layer.name}", inputs=sources))
        return Workload(" + ".join(self.networks), tuple(inputs), tuple(layers))

    def network_at(self, point: Mapping[str, Any]) -> Network:
        """All of them, whatever the point."""
        return Network(workload=self.workload)


def parts_of(workload: Workload) -> list[list[str]]:
    """Names of the layers of each network, in order; of a single network, all."""
    parts: dict[str, list[str]] = {}
    for layer in workload.layers:
        place, separator, _ = layer.name.partition("/")
        parts.setdefault(place if separator and place.isdigit() else "", []).append(layer.name)
    return list(parts.values())
