"""What is known by name. Loads no torch and no optuna."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from mappings.errors import unknown_name


#: A figure, a text, several texts, or figures by name; None: there is none.
Value: TypeAlias = int | float | str | tuple[str, ...] | dict[str, Any] | None


@dataclass(frozen=True)
class Fact:
    """One thing that is known of a name.

    Attributes:
        key: for programs, with its unit: "area_mm2".
        title: for people.
    """

    key: str
    value: Value
    title: str = ""


@dataclass(frozen=True)
class Listed:
    """One name.

    Attributes:
        name: what other commands accept.
    """

    name: str
    facts: tuple[Fact, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values: numbers are numbers, units stand in the keys."""
        return {"name": self.name, **{fact.key: fact.value for fact in self.facts}}


def _devices() -> list[Listed]:
    from accel_models.hardware.devices import DEVICES

    found = []
    for name in DEVICES.names():
        part = DEVICES.get(name)
        facts = (
            Fact("kind", str(part.kind)),
            Fact("title", part.title, "part"),
            Fact("dsp", part.dsp, "DSP"),
            Fact("bram36", part.bram36, "BRAM36"),
            Fact("lut", part.lut, "LUT"),
            Fact("area_mm2", part.area_mm2, "area mm2"),
        )
        found.append(Listed(name, facts))
    return found


def _accelerators() -> list[Listed]:
    from accel_models.hardware.accelerators import ACCELERATORS

    found = []
    for name in ACCELERATORS.names():
        item = ACCELERATORS.get(name)
        facts = (
            Fact("pes", item.pes, "PEs"),
            Fact("clock_hz", item.clock_hz, "clock MHz"),
            Fact("memories", tuple(level.name for level in item.levels)),
            Fact("technology", item.technology),
        )
        found.append(Listed(name, facts))
    return found


def _controllers() -> list[Listed]:
    from codesign.controllers.base import CONTROLLERS

    return [Listed(name, (Fact("summary", CONTROLLERS.get(name).summary, "what"),)) for name in CONTROLLERS.names()]


def _networks() -> list[Listed]:
    from codesign.decisions import count_points
    from codesign.networks.elastic import NETWORK_SPACES
    from codesign.zoo import NETWORKS

    found = []
    for name in NETWORK_SPACES.names():
        space = NETWORK_SPACES.get(name)
        count = count_points(decision for decision in space.decisions if decision.group == "network")
        facts = (Fact("kind", "search space"), Fact("input", None), Fact("networks", count))
        found.append(Listed(name, (*facts, Fact("summary", space.summary, "what"))))
    for name in NETWORKS.names():
        network = NETWORKS.get(name)
        facts = (
            Fact("kind", "network"),
            Fact("input", ",".join(map(str, network.input_shape))),
            Fact("networks", 1),
            Fact("summary", network.summary, "what"),
        )
        found.append(Listed(name, facts))
    return found


def _recipes() -> list[Listed]:
    from codesign.recipe import load_recipe, recipe_names

    found = []
    for name in recipe_names():
        item = load_recipe(name)
        facts = (Fact("controller", item.controller), Fact("device", item.device), Fact("trials", item.trials, "designs"))
        found.append(Listed(name, (*facts, Fact("summary", item.summary, "what"))))
    return found


def _dataflows() -> list[Listed]:
    from mappings.dataflow import DATAFLOWS

    found = []
    for name in DATAFLOWS.names():
        item = DATAFLOWS.get(name)
        facts = (Fact("summary", item.summary, "what"), Fact("source", item.source, "after"))
        found.append(Listed(name, (*facts, Fact("parameters", dict(item.params)))))
    return found


_KINDS: dict[str, Callable[[], list[Listed]]] = {
    "networks": _networks,
    "accelerators": _accelerators,
    "dataflows": _dataflows,
    "devices": _devices,
    "controllers": _controllers,
    "recipes": _recipes,
}


def list_names(kind: str) -> list[Listed]:
    """What is registered of a kind: networks, accelerators, dataflows, devices, controllers or recipes.

    Raises:
        SpecError: no such kind.
    """
    if kind not in _KINDS:
        raise unknown_name("list", "kind", kind, _KINDS)
    return _KINDS[kind]()
