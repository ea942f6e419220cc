"""What is known by name. Loads no torch and no optuna."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from codesign.options import as_option, describe_options
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


def _plugins(registry: Any, more: Callable[[Any], list[tuple[str, str]]] = lambda entry: []) -> list[Listed]:
    """Entries with what they are, whose they are, and their options with the defaults."""
    found = []
    for name in registry.names():
        entry = registry.get(name)
        facts = [("what", entry.summary), ("after", entry.source), *more(entry)]
        found.append(Listed(name, (*facts, ("options", describe_options(entry.options)))))
    return found


def _controllers() -> list[Listed]:
    from codesign.controllers.registry import CONTROLLERS

    return _plugins(CONTROLLERS)


def _drivers() -> list[Listed]:
    from codesign.drivers.registry import DRIVERS

    return _plugins(DRIVERS, lambda entry: [("budget", entry.unit)])


def _providers() -> list[Listed]:
    from codesign.providers.registry import PROVIDERS

    def facts(entry: Any) -> list[tuple[str, str]]:
        return [("metrics", ", ".join((*entry.metrics, *entry.fpga_metrics, *entry.asic_metrics)))]

    return _plugins(PROVIDERS, facts)


def _spaces() -> list[Listed]:
    from codesign.recipe_parts import REGISTRIES
    from codesign.spaces.search_space import GROUPS

    return [Listed(item.name, (("of", group), *item.facts)) for group in GROUPS for item in _plugins(REGISTRIES[group])]


def _metrics() -> list[Listed]:
    from codesign.objectives import METRICS

    found = []
    for name in METRICS.names():
        metric = METRICS.get(name)
        found.append(Listed(name, (("what", metric.summary), ("unit", metric.unit), ("direction", metric.direction))))
    return found


def _rewards() -> list[Listed]:
    from codesign.objectives import REWARDS
    from codesign.recipe_parts import reward_options

    found = []
    for name in REWARDS.names():
        what = (REWARDS.get(name).__doc__ or "").strip().splitlines()[0]
        found.append(Listed(name, (("what", what), ("options", describe_options(reward_options(name, "list"))))))
    return found


def _datasets() -> list[Listed]:
    from codesign.accuracy.data import DATASETS

    return [
        Listed(name, (("what", (DATASETS.get(name).__doc__ or "").strip().splitlines()[0]),))
        for name in DATASETS.names()
    ]


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
        found.append(Listed(name, (("kind", "search space"), ("networks", f"{count:,}"), ("what", entry.summary))))
    for name in NETWORKS.names():
        network = NETWORKS.get(name)
        shape = "x".join(map(str, network.input_shape))
        found.append(Listed(name, (("kind", f"network, input {shape}"), ("networks", "1"), ("what", network.summary))))
    return found


def _recipes() -> list[Listed]:
    from codesign.recipe import load_recipe, recipe_names, variant_names

    found = []
    for name in recipe_names():
        item = load_recipe(name)
        facts = (("controller", item.controller.name), ("driver", item.driver.name), ("device", item.device))
        more = (("after", item.source), ("variants", ", ".join(variant_names(name))), ("what", item.summary))
        found.append(Listed(name, (*facts, ("budget", f"{item.trials:,}"), *more)))
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
