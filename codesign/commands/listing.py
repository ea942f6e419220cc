"""What is known by name. Loads no torch and no optuna."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mappings.errors import unknown_name


@dataclass(frozen=True)
class Listed:
    """One name.

    Attributes:
        name: what other commands accept.
        facts: (column, value) pairs.
    """

    name: str
    facts: tuple[tuple[str, str], ...]


def _devices() -> list[Listed]:
    from accel_models.hardware.devices import DEVICES

    found = []
    for name in DEVICES.names():
        part = DEVICES.get(name)
        counts = {"DSP": part.dsp, "BRAM36": part.bram36, "LUT": part.lut, "area mm2": part.area_mm2}
        facts = [("kind", str(part.kind)), ("part", part.title)]
        facts += [(label, "-" if value is None else f"{value:,}") for label, value in counts.items()]
        found.append(Listed(name, tuple(facts)))
    return found


def _accelerators() -> list[Listed]:
    from accel_models.hardware.accelerators import ACCELERATORS

    found = []
    for name in ACCELERATORS.names():
        item = ACCELERATORS.get(name)
        levels = " > ".join(level.name for level in item.levels)
        facts = (("PEs", f"{item.pes:,}"), ("clock MHz", f"{item.clock_hz / 1e6:g}"), ("memories", levels))
        found.append(Listed(name, (*facts, ("technology", item.technology))))
    return found


def _controllers() -> list[Listed]:
    from codesign.controllers.base import CONTROLLERS

    return [Listed(name, (("what", CONTROLLERS.get(name).summary),)) for name in CONTROLLERS.names()]


def _networks() -> list[Listed]:
    from codesign.decisions import count_points
    from codesign.networks.elastic import NETWORK_SPACES
    from codesign.zoo import NETWORKS

    found = []
    for name in NETWORK_SPACES.names():
        space = NETWORK_SPACES.get(name)
        count = count_points(decision for decision in space.decisions if decision.group == "network")
        facts = (("kind", "search space"), ("networks", f"{count:,}"), ("what", space.summary))
        found.append(Listed(name, facts))
    for name in NETWORKS.names():
        network = NETWORKS.get(name)
        shape = "x".join(map(str, network.input_shape))
        found.append(Listed(name, (("kind", f"network, input {shape}"), ("networks", "1"), ("what", network.summary))))
    return found


def _recipes() -> list[Listed]:
    from codesign.recipe import load_recipe, recipe_names

    found = []
    for name in recipe_names():
        item = load_recipe(name)
        facts = (("controller", item.controller), ("device", item.device), ("designs", f"{item.trials:,}"))
        found.append(Listed(name, (*facts, ("what", item.summary))))
    return found


def _dataflows() -> list[Listed]:
    from mappings.dataflow import DATAFLOWS

    found = []
    for name in DATAFLOWS.names():
        item = DATAFLOWS.get(name)
        params = ", ".join(f"{key}={value}" for key, value in item.params)
        found.append(Listed(name, (("what", item.summary), ("after", item.source), ("parameters", params))))
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
