"""Recipes: spaces x goal x providers x controllers x driver, as YAML of a screenful. Loads neither torch nor optuna.

A recipe may extend another (``extends:``), name where its method is from (``source:``) and have ``variants:``, which
are asked for as ``NAME:VARIANT``. What it says of its publication (``source``, ``headline``, ``systems``, ``same``,
``differs``) is its own: nothing of it comes from the recipe that it extends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from codesign.contents import by_content
from codesign.decisions import Choice
from codesign.objectives import Goal
from codesign.recipe_parts import KEYS, Part, for_images, make_goal, make_space, plain_value, read_raw, shorthand
from codesign.recipe_plans import without_strangers
from codesign.recipe_rules import check_rules
from codesign.spaces.search_space import SearchSpace
from mappings.errors import Fault, SpecError, unknown_name
from mappings.yamlio import digest, dump_yaml, load_yaml

RECIPE_DIR = Path(__file__).parent / "recipes"
DEFAULT_RECIPE = "default"
#: One controller over every decision; what the default one extends.
JOINT_RECIPE = "joint"
#: One controller over the hardware of one network, which nothing dear is measured of: many more designs.
HARDWARE_RECIPE = "hardware"
MAX_TRIALS = 100_000_000
#: Keys that change nothing of what is proposed or measured.
_ABOUT = ("summary", "source", "headline", "systems", "same", "differs")
_OUTSIDE_DIGEST = ("name", *_ABOUT, "trials", "front_points")


@dataclass(frozen=True)
class Recipe:
    """How one exploration is made.

    Attributes:
        name, summary, source: display; ``source`` is the publication.
        headline: what the publication reports.
        systems: names of the published systems that this runs.
        same, differs: in what this is as published, and in what not.
        network, compression, hardware, mapping: the spaces.
        choices: restrictions of decisions, as (name, choices) pairs.
        device: budget, by name or the path of a YAML file.
        objectives: metrics.
        limits: (metric, bound) pairs.
        reward: for controllers that climb a single number; None: they sweep over preferences.
        infeasible_reward: of a design that breaks a bound.
        providers: cheap to dear.
        controller: who proposes.
        controllers: (part of the space, controller) pairs for drivers with several; the rest is the controller's.
        driver: how the search proceeds.
        start: points that are measured first, each as (decision, value) pairs; decisions that are left out are drawn.
        trials: budget: designs that are asked for, feasible or not (networks, for the driver "nested").
        batch: trials asked for before any is told; a generation.
        seed: equal seeds give equal fronts.
        front_points: at most so many points of the front are deployed, the least crowded.
    """

    name: str = DEFAULT_RECIPE
    summary: str = ""
    source: str = ""
    headline: str = ""
    systems: tuple[str, ...] = ()
    same: str = ""
    differs: str = ""
    network: Part = field(default_factory=lambda: Part("elastic_mnist"))
    compression: Part = field(default_factory=lambda: Part("uniform_bits"))
    hardware: Part = field(default_factory=lambda: Part("templates"))
    mapping: Part = field(default_factory=lambda: Part("tile_caps"))
    choices: tuple[tuple[str, tuple[Choice, ...]], ...] = ()
    device: str = "zynq7020"
    objectives: tuple[str, ...] = ("accuracy", "latency_ms", "energy_uj")
    limits: tuple[tuple[str, float], ...] = ()
    reward: Part | None = None
    infeasible_reward: float = 0.0
    providers: tuple[Part, ...] = (Part("schedule"), Part("train"))
    controller: Part = field(default_factory=lambda: Part("nsga2"))
    controllers: tuple[tuple[str, Part], ...] = ()
    driver: Part = field(default_factory=lambda: Part("ask_tell"))
    start: tuple[tuple[tuple[str, Any], ...], ...] = ()
    trials: int = 120
    batch: int = 24
    seed: int = 0
    front_points: int = 10

    @cached_property
    def space(self) -> SearchSpace:
        """The search space.

        Raises:
            SpecError: unknown space, option, decision or choice.
        """
        parts = {name: getattr(self, name) for name in ("network", "compression", "hardware", "mapping")}
        return make_space(parts, self.device, dict(self.choices), f"recipe {self.name}")

    @cached_property
    def goal(self) -> Goal:
        """Objectives, limits and reward.

        Raises:
            SpecError: unknown metric, reward or option.
        """
        return make_goal(self.objectives, self.limits, self.reward, self.infeasible_reward, f"recipe {self.name}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "name": self.name,
            "summary": self.summary,
            "source": self.source,
            "headline": self.headline,
            "systems": list(self.systems),
            "same": self.same,
            "differs": self.differs,
            **{name: getattr(self, name).plain() for name in ("network", "compression", "hardware", "mapping")},
            "choices": {name: list(values) for name, values in self.choices},
            "device": self.device,
            "objectives": list(self.objectives),
            "limits": dict(self.limits),
            "reward": None if self.reward is None else self.reward.plain(),
            "infeasible_reward": self.infeasible_reward,
            "providers": [part.plain() for part in self.providers],
            "controller": self.controller.plain(),
            "controllers": {name: part.plain() for name, part in self.controllers},
            "driver": self.driver.plain(),
            "start": [{name: plain_value(value) for name, value in point} for point in self.start],
            "trials": self.trials,
            "batch": self.batch,
            "seed": self.seed,
            "front_points": self.front_points,
        }

    @cached_property
    def digest(self) -> str:
        """Digest of all that decides what is proposed and measured; the user's files count by what they hold."""
        plain = {key: value for key, value in self.to_dict().items() if key not in _OUTSIDE_DIGEST}
        named = by_content(plain)
        data = {"dataset": self.space.network.dataset}  # a space of the user's own may name it
        found = by_content(data)
        return digest({**named, "space": self.space.digest, **(found if found != data else {})})

    def dump(self) -> str:
        """As YAML."""
        return dump_yaml(self.to_dict())

    def check(self, where: str, unread: Sequence[Fault] = ()) -> Recipe:
        """Refuse what is not registered, out of range, or does not go together; returns the recipe.

        Args:
            unread: what could not be read of it, and is told beside the rest.

        Raises:
            SpecError: all faults at once.
        """
        faults = check_rules(self, where, unread)
        for name, value, low, high in (
            ("trials", self.trials, 1, MAX_TRIALS),
            ("batch", self.batch, 1, 65_536),
            ("seed", self.seed, 0, 2**31 - 1),
            ("front_points", self.front_points, 1, 1000),
        ):
            if type(value) is not int or not low <= value <= high:
                faults.append(Fault(f"{where}.{name}", f"is {value!r}", f"an integer from {low} to {high}"))
        if faults:
            raise SpecError(faults)
        return self

    def differences(self, other: Recipe) -> tuple[str, ...]:
        """Keys in which another recipe proposes or measures otherwise."""
        mine, theirs = self.to_dict(), other.to_dict()
        return tuple(key for key in mine if key not in _OUTSIDE_DIGEST and mine[key] != theirs[key])


def parse_recipe(raw: Any, where: str, variant: str = "") -> Recipe:
    """A recipe from plain values; keys left out are those of what it extends, or the defaults.

    Raises:
        SpecError: malformed; all faults at once.
    """
    fields, unread = read_raw(_extended(raw, where, variant, ()), where)
    return Recipe(**fields).check(where, unread)


def _extended(raw: Any, where: str, variant: str, seen: tuple[str, ...]) -> dict[str, Any]:
    """Raw values over those of the recipe that they extend, with a variant's over both."""
    if not isinstance(raw, dict):
        raise SpecError(Fault(where, f"is {type(raw).__name__}", "a mapping of " + ", ".join(KEYS)))
    own = dict(raw)
    base, variants = own.pop("extends", None), own.pop("variants", None) or {}
    if not isinstance(variants, dict) or any(not isinstance(item, dict) for item in variants.values()):
        raise SpecError(Fault(f"{where}.variants", f"is {str(variants)[:60]}", "a mapping of names to recipe keys"))
    if variant:
        if variant not in variants:
            raise unknown_name(where, "variant", variant, map(str, variants))
        kept = {key: value for key, value in own.items() if key not in ("systems", "same", "differs")}
        own = {**kept, **variants[variant], "name": f"{own.get('name', where)}:{variant}"}
    if base is None:
        return own
    if not isinstance(base, str) or base in seen:
        raise SpecError(Fault(f"{where}.extends", f"is {str(base)[:60]!r}", "another recipe, not in a circle"))
    path, base_variant = _file_of(base, where)
    below = _extended(load_yaml(path), base, base_variant, (*seen, base))
    return {**{key: value for key, value in below.items() if key not in _ABOUT}, **own}


def _file_of(reference: str, where: str) -> tuple[Path, str]:
    """The file of a recipe, and the variant that is asked for."""
    name, _, variant = reference.partition(":")
    if name.endswith((".yaml", ".yml")):
        return Path(name), variant
    if name not in recipe_names():
        raise unknown_name(where, "recipe", name, recipe_names())
    return RECIPE_DIR / f"{name}.yaml", variant


def recipe_names() -> tuple[str, ...]:
    """The recipes that ship."""
    return tuple(sorted(path.stem for path in RECIPE_DIR.glob("*.yaml")))


def variant_names(name: str) -> tuple[str, ...]:
    """Variants of a recipe that ships."""
    raw = load_yaml(RECIPE_DIR / f"{name}.yaml")
    return tuple(map(str, raw.get("variants") or ()))


def load_recipe(name: str = DEFAULT_RECIPE, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """A recipe by name (``NAME`` or ``NAME:VARIANT``), or by the path of a ``.yaml`` file.

    Args:
        overrides: keys that replace those of the file, as plain values; None values are ignored. A network that
            cannot be trained takes the providers that train, and their metrics, out of a recipe that does not ask
            for them itself.

    Raises:
        SpecError: unknown name, malformed file or override.
    """
    path, variant = _file_of(name, "--recipe")
    where = str(path) if path.parent != RECIPE_DIR else f"recipe {name}"
    raw = _extended(load_yaml(path), where, variant, ())
    changes = {key: value for key, value in (overrides or {}).items() if value is not None}
    data = changes.pop("data", None)
    raw = {**raw, **shorthand(raw, changes, data)}
    fields, unread = read_raw({**raw, **changes}, where)
    if unread:
        return Recipe(**fields).check(where, unread)
    if data is not None:
        fields["network"] = for_images(fields.get("network", Recipe().network), data)
    recipe = Recipe(**fields)
    if {"network", "hardware"} & set(changes):
        recipe = replace(recipe, driver=without_strangers(recipe.driver, recipe.space.decisions.names))
    return recipe.check("explore" if changes or data else where)


__all__ = ["Part", "Recipe", "load_recipe", "parse_recipe", "recipe_names", "replace", "variant_names"]
