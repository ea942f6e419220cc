"""Recipes: space x controller x objectives x accuracy x cost, as YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from accel_models.hardware.devices import device
from codesign.accuracy.base import ACCURACY
from codesign.controllers.base import CONTROLLERS, ControllerContext, Reward
from codesign.costs import COSTS
from codesign.decisions import Choice
from codesign.space import SearchSpace
from mappings.errors import Fault, SpecError, unknown_name
from mappings.reader import unknown_keys
from mappings.yamlio import dump_yaml, load_yaml

RECIPE_DIR = Path(__file__).parent / "recipes"
DEFAULT_RECIPE = "default"
#: Objectives by name: direction and unit.
OBJECTIVES = {"accuracy": ("maximize", ""), "latency_ms": ("minimize", "ms"), "energy_uj": ("minimize", "uJ")}
_KEYS = (
    "name",
    "summary",
    "network",
    "hardware",
    "choices",
    "device",
    "controller",
    "controller_options",
    "objectives",
    "reward",
    "accuracy",
    "accuracy_options",
    "cost",
    "trials",
    "batch",
    "seed",
    "front_points",
)
MAX_TRIALS = 1_000_000


@dataclass(frozen=True)
class Recipe:
    """How one exploration is made.

    Attributes:
        name, summary: display.
        network, hardware: names of the spaces.
        choices: restrictions of decisions, as (name, choices) pairs.
        device: budget, by name or the path of a YAML file.
        controller: name, with ``controller_options``.
        reward: for controllers that climb a single number.
        accuracy: name of the evaluator, with ``accuracy_options``.
        cost: name of the cost provider.
        trials: budget: designs that are asked for, feasible or not.
        batch: trials asked for before any is told; a generation.
        seed: equal seeds give equal fronts.
        front_points: at most so many points of the front are trained for deployment, the least crowded.
    """

    name: str = DEFAULT_RECIPE
    summary: str = ""
    network: str = "elastic_mnist"
    hardware: str = "templates"
    choices: tuple[tuple[str, tuple[Choice, ...]], ...] = ()
    device: str = "zynq7020"
    controller: str = "nsga2"
    controller_options: tuple[tuple[str, float], ...] = ()
    reward: Reward = field(default_factory=Reward)
    accuracy: str = "train"
    accuracy_options: tuple[tuple[str, float], ...] = ()
    cost: str = "schedule"
    trials: int = 120
    batch: int = 24
    seed: int = 0
    front_points: int = 10

    @property
    def space(self) -> SearchSpace:
        """The search space.

        Raises:
            SpecError: unknown space, decision or choice.
        """
        return SearchSpace.of(self.network, self.hardware, dict(self.choices), f"recipe {self.name}")

    @property
    def context(self) -> ControllerContext:
        """What the controller is told."""
        return ControllerContext(
            self.seed, self.space.decisions, self.batch, self.reward, dict(self.controller_options)
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "name": self.name,
            "summary": self.summary,
            "network": self.network,
            "hardware": self.hardware,
            "choices": {name: list(values) for name, values in self.choices},
            "device": self.device,
            "controller": self.controller,
            "controller_options": dict(self.controller_options),
            "objectives": list(OBJECTIVES),
            "reward": vars(self.reward).copy(),
            "accuracy": self.accuracy,
            "accuracy_options": dict(self.accuracy_options),
            "cost": self.cost,
            "trials": self.trials,
            "batch": self.batch,
            "seed": self.seed,
            "front_points": self.front_points,
        }

    def dump(self) -> str:
        """As YAML."""
        return dump_yaml(self.to_dict())

    def _check_options(self, kind: str, where: str) -> None:
        registry: Any = {"controller": CONTROLLERS, "accuracy": ACCURACY}[kind]
        given = dict(getattr(self, f"{kind}_options"))
        registry.get(getattr(self, kind), f"{where}.{kind}").with_defaults(given, f"{where}.{kind}_options")

    def check(self, where: str) -> Recipe:
        """Refuse names that are not registered and figures out of range; returns the recipe.

        Raises:
            SpecError: all faults at once.
        """
        faults: list[Fault] = []

        def collect(action: Any) -> None:
            try:
                action()
            except SpecError as error:
                faults.extend(error.faults)

        collect(lambda: SearchSpace.of(self.network, self.hardware, dict(self.choices), where))
        collect(lambda: device(self.device, f"{where}.device"))
        for kind in ("controller", "accuracy"):
            collect(lambda kind=kind: self._check_options(kind, where))
        collect(lambda: COSTS.get(self.cost, f"{where}.cost"))
        for name, value, low, high in (
            ("trials", self.trials, 1, MAX_TRIALS),
            ("batch", self.batch, 2, 1024),
            ("seed", self.seed, 0, 2**31 - 1),
            ("front_points", self.front_points, 1, 1000),
        ):
            if type(value) is not int or not low <= value <= high:
                faults.append(Fault(f"{where}.{name}", f"is {value!r}", f"an integer from {low} to {high}"))
        if not self.reward.target_latency_ms > 0:
            faults.append(Fault(f"{where}.reward.target_latency_ms", "is not positive", "milliseconds above 0"))
        if faults:
            raise SpecError(faults)
        return self


def _numbers(value: Any, where: str, faults: list[Fault]) -> tuple[tuple[str, float], ...]:
    if not isinstance(value, dict) or any(type(item) not in (int, float) for item in value.values()):
        faults.append(Fault(where, f"is {str(value)[:60]}", "a mapping of names to numbers"))
        return ()
    return tuple((str(name), item) for name, item in value.items())


def parse_recipe(raw: Any, where: str) -> Recipe:
    """A recipe from plain values; keys left out take their default.

    Raises:
        SpecError: malformed; all faults at once.
    """
    if not isinstance(raw, dict):
        raise SpecError(Fault(where, f"is {type(raw).__name__}", "a mapping of " + ", ".join(_KEYS)))
    faults = unknown_keys(raw, _KEYS, where)
    values: dict[str, Any] = {key: raw[key] for key in raw if key in Recipe.__dataclass_fields__}
    faults += [
        Fault(f"{where}.{key}", f"is {str(values[key])[:60]}", "a name")
        for key in ("name", "summary", "network", "hardware", "device", "controller", "accuracy", "cost")
        if key in values and not isinstance(values[key], str)
    ]
    for key in ("controller_options", "accuracy_options"):
        if key in values:
            values[key] = _numbers(values[key], f"{where}.{key}", faults)
    if "choices" in values:
        choices = values["choices"]
        if not isinstance(choices, dict) or any(not isinstance(item, list) for item in choices.values()):
            faults.append(Fault(f"{where}.choices", f"is {str(choices)[:60]}", "a mapping of decisions to lists"))
        else:
            values["choices"] = tuple((str(name), tuple(items)) for name, items in choices.items())
    if "objectives" in raw and raw["objectives"] != list(OBJECTIVES):
        faults.append(Fault(f"{where}.objectives", f"is {str(raw['objectives'])[:60]}", ", ".join(OBJECTIVES)))
    if "reward" in values:
        numbers = dict(_numbers(values["reward"], f"{where}.reward", faults))
        known = list(Reward.__dataclass_fields__)
        faults += unknown_keys(numbers, known, f"{where}.reward")
        values["reward"] = Reward(**{name: value for name, value in numbers.items() if name in known})
    if faults:
        raise SpecError(faults)
    return Recipe(**values).check(where)


def recipe_names() -> tuple[str, ...]:
    """The recipes that ship."""
    return tuple(sorted(path.stem for path in RECIPE_DIR.glob("*.yaml")))


def load_recipe(name: str = DEFAULT_RECIPE, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """A recipe by name, or by the path of a ``.yaml`` file.

    Args:
        overrides: fields that replace those of the file; None values are ignored.

    Raises:
        SpecError: unknown name, malformed file or override.
    """
    if name.endswith((".yaml", ".yml")):
        recipe = parse_recipe(load_yaml(name), name)
    elif name in recipe_names():
        recipe = parse_recipe(load_yaml(RECIPE_DIR / f"{name}.yaml"), f"recipe {name}")
    else:
        raise unknown_name("--recipe", "recipe", name, recipe_names())
    changes = {key: value for key, value in (overrides or {}).items() if value is not None}
    return replace(recipe, **changes).check("explore") if changes else recipe
