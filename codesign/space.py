"""The search space: one ordered list of named decisions, and the design that each point stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from accel_models.design import Design
from accel_models.report import Infeasible
from accel_models.template.cost import template_design
from accel_models.template.spec import Template
from codesign.decisions import Choice, Decision, Point, check_point, count_points
from codesign.hardware import HARDWARE_SPACES, TemplateSpace
from codesign.networks.elastic import NETWORK_SPACES, ElasticSpace
from mappings.errors import Fault, SpecError, nearest
from mappings.workload import Workload
from mappings.yamlio import digest


def _restricted(
    decisions: tuple[Decision, ...], restrictions: Mapping[str, tuple[Choice, ...]], where: str
) -> tuple[Decision, ...]:
    """Decisions whose choices are cut down to those named."""
    known = {decision.name: decision for decision in decisions}
    faults = []
    for name, choices in restrictions.items():
        if name not in known:
            faults.append(
                Fault(f"{where}.{name}", f"unknown decision{nearest(name, known)}", ", ".join(known)),
            )
            continue
        allowed = known[name].choices
        if not choices or len(set(choices)) != len(choices) or any(choice not in allowed for choice in choices):
            faults.append(Fault(f"{where}.{name}", f"is {list(choices)}", "some of " + ", ".join(map(str, allowed))))
    if faults:
        raise SpecError(faults)
    return tuple(replace(decision, choices=restrictions.get(decision.name, decision.choices)) for decision in decisions)


@dataclass(frozen=True)
class SearchSpace:
    """Networks x accelerators as one list of decisions.

    Attributes:
        network: network space.
        hardware: hardware space.
        decisions: network, compression and hardware decisions in order, as restricted by the recipe.
    """

    network: ElasticSpace
    hardware: TemplateSpace
    decisions: tuple[Decision, ...]

    @classmethod
    def of(
        cls,
        network: str = "elastic_mnist",
        hardware: str = "templates",
        restrictions: Mapping[str, tuple[Choice, ...]] | None = None,
        where: str = "space",
    ) -> SearchSpace:
        """A space from registered names.

        Args:
            restrictions: choices by decision name; a decision left out keeps all of its own.
            where: path of the input, for messages.

        Raises:
            SpecError: unknown space, decision or choice.
        """
        nets = NETWORK_SPACES.get(network, f"{where}.network")
        accelerators = HARDWARE_SPACES.get(hardware, f"{where}.hardware")
        decisions = _restricted((*nets.decisions, *accelerators.decisions), restrictions or {}, f"{where}.choices")
        return cls(nets, accelerators, decisions)

    def _count(self, *groups: str) -> int:
        return count_points(decision for decision in self.decisions if decision.group in groups)

    @property
    def networks(self) -> int:
        """How many networks, each width of data counted apart."""
        return self._count("network", "compression")

    @property
    def accelerators(self) -> int:
        """How many accelerators, for given widths of data."""
        return self._count("hardware")

    @property
    def designs(self) -> int:
        """How many points."""
        return count_points(self.decisions)

    def decode(self, point: Point, where: str = "point") -> tuple[Workload, Template]:
        """The network and the accelerator of a point.

        Raises:
            SpecError: a decision missing, unknown, or with a value that is no choice.
        """
        check_point(self.decisions, point, where)
        return self.network.workload(point), self.hardware.template(point)

    def design(self, point: Point, device: str, where: str = "point") -> Design | tuple[Infeasible, ...]:
        """The design of a point with its mappings, or the bounds of the device and the buffers that it breaks.

        Raises:
            SpecError: as :meth:`decode`; no such device.
        """
        workload, template = self.decode(point, where)
        return template_design(workload, template, device, int(point["tile_rows"]), int(point["tile_channels"]))

    def to_dict(self) -> dict[str, Any]:
        """Plain values: what a resumed run must share."""
        return {
            "network": self.network.name,
            "hardware": self.hardware.name,
            "decisions": {decision.name: list(decision.choices) for decision in self.decisions},
        }

    @cached_property
    def digest(self) -> str:
        """Digest of the canonical form, order of the decisions included."""
        plain = self.to_dict()
        return digest({**plain, "decisions": [[name, choices] for name, choices in plain["decisions"].items()]})
