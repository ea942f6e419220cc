"""What is known by name. Loads no torch and no optuna."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from codesign.options import Options, as_option
from mappings.errors import unknown_name

#: A figure, a text, several of one kind, or figures by name; None: there is none.
Value: TypeAlias = int | float | str | tuple[int, ...] | tuple[str, ...] | dict[str, Any] | None


@dataclass(frozen=True)
class Fact:
    """One thing that is known of a name.

    Attributes:
        key: for programs, with its unit: "area_mm2".
        title, shown: for people; "": the key, the value.
    """

    key: str
    value: Value
    title: str = ""
    shown: str = ""


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
        memories = tuple(level.name for level in item.levels)
        facts = (
            Fact("pes", item.pes, "PEs"),
            Fact("clock_hz", item.clock_hz, "clock MHz", f"{item.clock_hz / 1e6:g}"),
            Fact("memories", memories, shown=" > ".join(memories)),
            Fact("technology", item.technology),
        )
        found.append(Listed(name, facts))
    return found


def _options(options: Options) -> Fact:
    """Options with their defaults; what must be given has none."""
    found = {key: as_option(item) for key, item in options.items()}
    return Fact("options", {key: None if item.required else item.default for key, item in found.items()})


def _first_line(value: Any) -> Fact:
    return Fact("summary", (value.__doc__ or "").strip().splitlines()[0], "what")


def _plugins(registry: Any, more: Callable[[Any], list[Fact]] = lambda entry: []) -> list[Listed]:
    """Entries with what they are, whose they are, and their options with the defaults."""
    found = []
    for name in registry.names():
        entry = registry.get(name)
        facts = [Fact("summary", entry.summary, "what"), Fact("source", entry.source, "after"), *more(entry)]
        found.append(Listed(name, (*facts, _options(entry.options))))
    return found


def _controllers() -> list[Listed]:
    from codesign.controllers.registry import CONTROLLERS

    return _plugins(CONTROLLERS)


def _drivers() -> list[Listed]:
    from codesign.drivers.registry import DRIVERS

    return _plugins(DRIVERS, lambda entry: [Fact("budget", entry.unit)])


def _providers() -> list[Listed]:
    from codesign.providers.registry import PROVIDERS

    def facts(entry: Any) -> list[Fact]:
        return [Fact("metrics", (*entry.metrics, *entry.fpga_metrics, *entry.asic_metrics))]

    return _plugins(PROVIDERS, facts)


def _spaces() -> list[Listed]:
    from codesign.recipe_parts import REGISTRIES
    from codesign.spaces.search_space import GROUPS

    return [
        Listed(item.name, (Fact("group", group, "of"), *item.facts))
        for group in GROUPS
        for item in _plugins(REGISTRIES[group])
    ]


def _metrics() -> list[Listed]:
    from codesign.objectives import METRICS

    found = []
    for name in METRICS.names():
        metric = METRICS.get(name)
        facts = (
            Fact("summary", metric.summary, "what"),
            Fact("unit", metric.unit),
            Fact("direction", metric.direction),
        )
        found.append(Listed(name, facts))
    return found


def _rewards() -> list[Listed]:
    from codesign.objectives import REWARDS
    from codesign.recipe_parts import reward_options

    return [
        Listed(name, (_first_line(REWARDS.get(name)), _options(reward_options(name, "list"))))
        for name in REWARDS.names()
    ]


def _datasets() -> list[Listed]:
    from codesign.accuracy.data import DATASETS

    return [Listed(name, (_first_line(DATASETS.get(name)),)) for name in DATASETS.names()]


def _networks() -> list[Listed]:
    from codesign.decisions import count_points
    from codesign.spaces.network import NETWORK_SPACES
    from codesign.zoo import NETWORKS

    found = []
    for name in NETWORK_SPACES.names():
        entry = NETWORK_SPACES.get(name)
        if any(as_option(item).required for item in entry.options.values()):
            continue  # made from what the user names
        count = count_points(entry.load()(**entry.checked({}, name)).decisions)
        counted = (Fact("kind", "search space"), Fact("input", None), Fact("networks", count))
        found.append(Listed(name, (*counted, Fact("summary", entry.summary, "what"))))
    for name in NETWORKS.names():
        network = NETWORKS.get(name)
        facts = (
            Fact("kind", "network"),
            Fact("input", network.input_shape, shown=",".join(map(str, network.input_shape))),
            Fact("networks", 1),
            Fact("summary", network.summary, "what"),
        )
        found.append(Listed(name, facts))
    return found


def _recipes() -> list[Listed]:
    from codesign.recipe import load_recipe, recipe_names, variant_names

    found = []
    for name in recipe_names():
        item = load_recipe(name)
        facts = (
            Fact("controller", item.controller.name),
            Fact("driver", item.driver.name),
            Fact("device", item.device),
            Fact("source", item.source, "after"),
            Fact("variants", variant_names(name)),
            Fact("trials", item.trials, "budget"),
            Fact("summary", item.summary, "what"),
            Fact("headline", item.headline, "published"),
        )
        found.append(Listed(name, facts))
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
    "spaces": _spaces,
    "metrics": _metrics,
    "rewards": _rewards,
    "providers": _providers,
    "controllers": _controllers,
    "drivers": _drivers,
    "datasets": _datasets,
    "recipes": _recipes,
}


def list_names(kind: str) -> list[Listed]:
    """What is registered of a kind, e.g. networks, devices, spaces, providers, recipes.

    Raises:
        SpecError: no such kind.
    """
    if kind not in _KINDS:
        raise unknown_name("list", "kind", kind, _KINDS)
    return _KINDS[kind]()
