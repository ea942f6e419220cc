"""The search space: four spaces as one ordered list of decisions, and the candidate that each point is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from accel_models.hardware.devices import Device
from accel_models.hardware.devices import device as budget
from accel_models.report import Infeasible
from accel_models.template.resources import fits
from accel_models.template.spec import Template
from codesign.contents import by_content
from codesign.decisions import Choice, Decision, DecisionSpace, Point, Variable, When
from codesign.providers.base import Candidate
from codesign.spaces.compression import CompressionSpace
from codesign.spaces.hardware import HardwareSpace
from codesign.spaces.mapping import MappingSpace
from codesign.spaces.network import Network, NetworkSpace
from mappings.errors import Fault, SpecError, nearest
from mappings.yamlio import digest

GROUPS = ("network", "compression", "hardware", "mapping")
NETWORK_GROUPS, HARDWARE_GROUPS = GROUPS[:2], GROUPS[2:]
#: What belongs to each part: the compression to the network, the mapping to the hardware.
PART_GROUPS = {"network": NETWORK_GROUPS, "hardware": HARDWARE_GROUPS}


def restricted(
    decisions: tuple[Variable, ...], restrictions: Mapping[str, tuple[Choice, ...]], where: str
) -> tuple[Variable, ...]:
    """Decisions whose choices are cut down to those named, without decisions that then are never active.

    Raises:
        SpecError: unknown decisions or choices; all at once.
    """
    known = {decision.name: decision for decision in decisions}
    faults = []
    for name, choices in restrictions.items():
        decision = known.get(name)
        if decision is None:
            faults.append(Fault(f"{where}.{name}", f"unknown decision{nearest(name, known)}", ", ".join(known)))
        elif not isinstance(decision, Decision):
            faults.append(Fault(f"{where}.{name}", "is no list of choices", decision.allowed))
        elif not choices or len(set(choices)) != len(choices) or not set(choices) <= set(decision.choices):
            faults.append(Fault(f"{where}.{name}", f"is {list(choices)}", "some of " + decision.allowed))
    if faults:
        raise SpecError(faults)
    out: dict[str, Variable] = {}
    for decision in decisions:
        conditions = tuple(_left(condition, out) for condition in decision.when)
        if not all(condition.values for condition in conditions):
            continue
        kept: Variable = replace(decision, when=conditions)
        if isinstance(kept, Decision) and kept.name in restrictions:
            kept = replace(kept, choices=tuple(restrictions[kept.name]))
        out[kept.name] = kept
    return tuple(out.values())


def _left(condition: When, earlier: Mapping[str, Variable]) -> When:
    """A condition on the choices that are left; none where the decision itself is gone."""
    parent = earlier.get(condition.name)
    values = () if parent is None else tuple(value for value in condition.values if parent.contains(value))
    return When(condition.name, values)


@dataclass(frozen=True)
class SearchSpace:
    """Networks x compression x accelerators x mappings.

    Attributes:
        network, compression, hardware, mapping: the four.
        decisions: theirs in that order, as restricted.
        device: budget, by name or path.
        names: of the four as the recipe gives them, for the digest.
    """

    network: NetworkSpace
    compression: CompressionSpace
    hardware: HardwareSpace
    mapping: MappingSpace
    decisions: DecisionSpace
    device: str
    names: Mapping[str, Any] = field(default_factory=dict)
    _networks: dict[tuple[Any, ...], Network] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def join(
        cls,
        network: NetworkSpace,
        compression: CompressionSpace,
        hardware: HardwareSpace,
        mapping: MappingSpace,
        device: str,
        restrictions: Mapping[str, tuple[Choice, ...]] | None = None,
        names: Mapping[str, Any] | None = None,
        where: str = "space",
    ) -> SearchSpace:
        """The four as one, without hardware choices that the device rules out by themselves.

        Args:
            restrictions: choices by decision name; a decision left out keeps all of its own.

        Raises:
            SpecError: unknown decisions or choices, or two of one name.
        """
        decisions = (*network.decisions, *compression.decisions, *hardware.decisions, *mapping.decisions)
        cut = restricted(decisions, restrictions or {}, f"{where}.choices")
        left = getattr(hardware, "possible", None)
        if left is not None:
            cut = left(cut, budget(device, f"{where}.device"))
        return cls(network, compression, hardware, mapping, DecisionSpace(cut), device, names or {})

    def _count(self, *groups: str) -> float:
        return self.decisions.of_groups(*groups).size

    @property
    def networks(self) -> float:
        """How many networks, each compression counted apart."""
        return self._count(*NETWORK_GROUPS)

    @property
    def accelerators(self) -> float:
        """How many accelerators with their mappings, for a given network."""
        return self._count(*HARDWARE_GROUPS)

    @property
    def hooks(self) -> Mapping[str, Callable[..., Any]]:
        """What the network space offers controllers beyond its decisions."""
        return dict(getattr(self.network, "hooks", {}))

    def network_at(self, point: Mapping[str, Any]) -> Network:
        """The compressed network at a point; kept, so that equal networks are made once."""
        part = tuple((d.name, point[d.name]) for d in self._network_decisions if d.name in point)
        found = self._networks.get(part)
        if found is None:
            found = self.network.network_at(point)
            if found.workload is not None:
                workload = self.compression.compressed(found.workload, point)
                # What a space calls a network is not the name of its compressed forms.
                key = found.key if workload == found.workload else ""
                found = replace(found, workload=workload, key=key or workload.digest)
            if len(self._networks) > 20_000:
                self._networks.clear()
            self._networks[part] = found
        return found

    @cached_property
    def _part(self) -> Device:
        return budget(self.device)

    @cached_property
    def _network_decisions(self) -> tuple[Variable, ...]:
        return tuple(decision for decision in self.decisions.decisions if decision.group in NETWORK_GROUPS)

    def decode(self, points: Sequence[Point], where: str = "point", *, designs: bool = True) -> list[Candidate]:
        """What the points stand for, in order.

        Args:
            designs: make the designs; False: where caps tell them, they are left to whoever prices them.

        Raises:
            SpecError: a decision missing, unknown, inactive, or with a value that is not allowed.
        """
        out = []
        caps_of = getattr(self.mapping, "caps", None)
        for point in points:
            self.decisions.check(point, where)
            network = self.network_at(point)
            hardware = self.hardware.hardware_at(point, network.workload)
            design, broken = None, tuple[Infeasible, ...]()
            if network.workload is not None and not designs and caps_of is not None and isinstance(hardware, Template):
                broken, caps = fits(hardware, self._part), caps_of(point)
                row = network.table_row
                out.append(Candidate(point, network.key, network.workload, row, hardware, None, broken, caps))
                continue
            if network.workload is not None:
                design, broken = self.mapping.design_at(point, network.workload, hardware, self.device)
            out.append(Candidate(point, network.key, network.workload, network.table_row, hardware, design, broken))
        return out

    def to_dict(self) -> dict[str, Any]:
        """Plain values: what a resumed run must share."""
        return {**self.names, "decisions": [_plain(decision) for decision in self.decisions.decisions]}

    @cached_property
    def digest(self) -> str:
        """Digest of the canonical form, order of the decisions included; the user's files count by what they hold."""
        return digest(by_content(self.to_dict()))


def _plain(decision: Variable) -> dict[str, Any]:
    conditions = [[condition.name, list(condition.values)] for condition in decision.when]
    values = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in vars(decision).items()
        if key != "when"
    }
    return {**values, "when": conditions}
