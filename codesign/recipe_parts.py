"""What the keys of a recipe hold: names with typed options, and the space and the goal that they make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from codesign.accuracy.task import NAMES, TASKS, wrong_task
from codesign.controllers.registry import CONTROLLERS
from codesign.decisions import Choice
from codesign.drivers.registry import DRIVERS
from codesign.objectives import Goal, Limit
from codesign.objectives.rewards import REWARDS, Reward
from codesign.options import Option, check_options, list_of, number, pairs, text
from codesign.plugin import load_target
from codesign.providers.registry import PROVIDERS
from codesign.spaces.compression import COMPRESSION_SPACES
from codesign.spaces.hardware import HARDWARE_SPACES
from codesign.spaces.hardware.fixed import FixedHardware
from codesign.spaces.mapping import MAPPING_SPACES
from codesign.spaces.network import NETWORK_SPACES
from codesign.spaces.network.nasbench201 import DATASETS as PUBLISHED
from codesign.spaces.search_space import GROUPS, SearchSpace
from codesign.zoo import NETWORKS
from mappings.errors import Fault, SpecError, unknown_name
from mappings.reader import unknown_keys

#: By key of a recipe, the registry of what it may name.
REGISTRIES: dict[str, Any] = {
    "network": NETWORK_SPACES,
    "compression": COMPRESSION_SPACES,
    "hardware": HARDWARE_SPACES,
    "mapping": MAPPING_SPACES,
    "providers": PROVIDERS,
    "controller": CONTROLLERS,
    "driver": DRIVERS,
}
KEYS = (
    "name",
    "summary",
    "source",
    "headline",
    "systems",
    "same",
    "differs",
    "extends",
    "variants",
    *GROUPS,
    "choices",
    "device",
    "objectives",
    "limits",
    "reward",
    "infeasible_reward",
    "providers",
    "controller",
    "controllers",
    "driver",
    "start",
    "trials",
    "batch",
    "seed",
    "front_points",
)


#: Options that a space for images takes from its data set.
_OF_IMAGES = ("channels", "extent", "classes", "dataset")


@dataclass(frozen=True)
class Part:
    """A name with options.

    Attributes:
        name: registered.
        options: (name, value) pairs, as given.
    """

    name: str
    options: tuple[tuple[str, Any], ...] = field(default=())

    @property
    def given(self) -> dict[str, Any]:
        """The options by name."""
        return dict(self.options)

    def option(self, name: str) -> Any:
        """A given option, or None."""
        return dict(self.options).get(name)

    def plain(self) -> Any:
        """As a recipe holds it."""
        plain = {key: plain_value(value) for key, value in self.options}
        return {"name": self.name, **plain} if plain else self.name


def plain_value(value: Any) -> Any:
    """A value as YAML and JSON hold it."""
    if isinstance(value, Mapping):
        return {str(key): plain_value(item) for key, item in value.items()}
    return [plain_value(item) for item in value] if isinstance(value, (list, tuple)) else value


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, (list, tuple)) else value


def read_part(value: Any, where: str) -> Part:
    """``NAME``, or ``{name: NAME, option: value, ...}``.

    Raises:
        SpecError: neither.
    """
    if isinstance(value, Part):
        return value
    if isinstance(value, str) and value:
        return Part(value)
    if isinstance(value, dict) and isinstance(value.get("name"), str) and all(isinstance(key, str) for key in value):
        return Part(value["name"], tuple((key, _frozen(item)) for key, item in value.items() if key != "name"))
    raise SpecError(Fault(where, f"is {str(value)[:60]}", "a name, or {name: ..., option: value}"))


def resolve_network(part: Part, where: str) -> Part:
    """A class of the user's own, a file, or a network by name, as the space that holds it.

    Raises:
        SpecError: none of these.
    """
    if part.name in NETWORK_SPACES.names():
        return part
    colon = ":" in part.name  # a file or a module, and a name in it
    if colon and part.option("input") is None:
        return Part("user", (("space", part.name), *part.options))
    if part.name in NETWORKS.names() or part.name.endswith((".yaml", ".yml")) or (colon):
        return Part("fixed", (("network", part.name), *part.options))
    raise unknown_name(where, "network", part.name, (*NETWORK_SPACES.names(), *NETWORKS.names()))


def for_images(part: Part, data: str) -> Part:
    """A network space for a data set: it takes what it has options for of the images' channels, extent and classes.

    Raises:
        SpecError: no such data set, or one that is malformed, or a network that takes none.
    """
    options = {key: value for key, value in part.options if key not in _OF_IMAGES}
    taken = set(NETWORK_SPACES.get(part.name).options)
    if "dataset" not in taken:
        what = f"has no use: the network {part.option('network') or part.name} is not trained"
        trained = (name for name in NETWORK_SPACES.names() if "dataset" in NETWORK_SPACES.get(name).options)
        raise SpecError(Fault("--data", what, f"with --network my_space.py:MySpace, or {', '.join(trained)}"))
    if set(_OF_IMAGES) <= taken:
        found = load_target("codesign.accuracy.data:load_dataset")(data, "--data")  # loads what a recipe alone does not
        wanted = NETWORK_SPACES.get(part.name).tasks or NAMES
        if found.task not in wanted:
            raise SpecError(wrong_task(data, found.task, part.name, wanted[0], spaces_for(found.task)))
        shaped = [name for name in (*_OF_IMAGES, "length") if name in taken and name != "dataset"]
        options |= {name: getattr(found, name) for name in shaped}
    return Part(part.name, (*options.items(), ("dataset", data)))


def spaces_for(task: str) -> list[str]:
    """Names of the trainable network spaces whose networks give what a task needs."""
    entries = {name: NETWORK_SPACES.get(name) for name in NETWORK_SPACES.names()}
    return [name for name, entry in entries.items() if "trainable" in entry.offers and task in (entry.tasks or NAMES)]


def without_conflicts(part: Part, task: str) -> Part:
    """A provider for networks of a task: options that labels do not follow stay at what goes with them."""
    entry = PROVIDERS.get(part.name) if part.name in PROVIDERS.names() else None
    if entry is None or task not in entry.tasks:
        return part
    given = dict(part.options)
    for name in entry.options:
        plain = name.removeprefix("search_").removeprefix("deploy_")
        if plain in TASKS[task].without:
            given[name] = TASKS[task].without[plain]
    return Part(part.name, tuple(given.items()))


def resolve_hardware(part: Part) -> Part:
    """A file as the space that holds it."""
    if part.name.endswith((".yaml", ".yml")):
        return Part("fixed", (("hardware", part.name), *part.options))
    return part


def shorthand(raw: Mapping[str, Any], changes: Mapping[str, Any], data: str | None = None) -> dict[str, Any]:
    """What else changes where another network or other hardware is asked for on the command line.

    Restrictions of decisions and points to start from go, since the decisions are others. Networks that give maps are
    trained without what labels of pixels or boxes do not follow. A network that cannot be trained (by name, from a
    file, a module of one's own) is priced as it is, with 8-bit data: nothing trains it, accuracy is no objective, and
    the hardware may have every knob. One accelerator fixes the widths of data, and is on the device that its file says,
    where no other is asked for.

    Args:
        data: the data set that is asked for.

    Raises:
        SpecError: no such network, or hardware that cannot be read.
    """
    out: dict[str, Any] = {"choices": {}, "start": []} if "network" in changes or "hardware" in changes else {}
    hardware = resolve_hardware(read_part(changes.get("hardware", raw.get("hardware", "templates")), "--hardware"))
    if hardware.name == "fixed" and "hardware" in changes:
        fixed = FixedHardware(str(hardware.option("hardware")))
        template = fixed.template
        if fixed.device and "device" not in changes:
            out["device"] = fixed.device
        out["compression"] = {
            "name": "uniform_bits",
            "weight_bits": [template.weight_bits],
            "act_bits": [template.act_bits],
        }
    if "network" not in changes:
        return out
    part = resolve_network(read_part(changes["network"], "--network"), "--network")
    given = [read_part(item, "providers") for item in raw.get("providers", ("schedule", "train"))]
    offers = NETWORK_SPACES.get(part.name).offers
    # Networks of a benchmark are trained where there are images for them; its own data are names, and in no file.
    own = data is not None or part.option("dataset") not in (None, *PUBLISHED)
    if "trainable" in offers and (own or "table" not in offers):
        if tasks := NETWORK_SPACES.get(part.name).tasks:
            out["providers"] = [without_conflicts(item, tasks[0]).plain() for item in given]
        return out
    kept = [p for p in given if p.name not in PROVIDERS.names() or "trainable" not in PROVIDERS.get(p.name).needs]
    out |= {"compression": "none", "providers": [item.plain() for item in kept], "reward": None}
    if hardware.name == "templates" and "hardware" not in changes:
        out["hardware"] = "templates_full"
    objectives = raw.get("objectives", ("latency_ms", "energy_uj"))
    out["objectives"] = [name for name in objectives if name != "accuracy"]
    return out


def read_raw(raw: Mapping[str, Any], where: str) -> tuple[dict[str, Any], list[Fault]]:
    """Fields of a recipe from plain values, and what cannot be read: unknown keys, values of another kind."""
    faults: list[Fault] = unknown_keys(raw, KEYS, where)
    out: dict[str, Any] = {}

    def take(key: str, read: Callable[[Any], Any], allowed: str) -> None:
        if key not in raw:
            return
        try:
            out[key] = read(raw[key])
        except SpecError as error:
            faults.extend(error.faults)
        except (ValueError, TypeError):
            faults.append(Fault(f"{where}.{key}", f"is {str(raw[key])[:60]}", allowed))

    def part(key: str) -> Callable[[Any], Part]:
        return lambda value: read_part(value, f"{where}.{key}")

    for key in ("name", "summary", "source", "headline", "same", "differs", "device"):
        take(key, lambda value: value if value == "" else text().read(value), "a text")
    for key in ("compression", "mapping", "controller", "driver"):
        take(key, part(key), "")
    take("network", lambda value: resolve_network(part("network")(value), f"{where}.network"), "")
    take("hardware", lambda value: resolve_hardware(part("hardware")(value)), "")
    take("reward", lambda value: None if value is None else part("reward")(value), "")
    take("choices", _choices, "a mapping of decisions to lists")
    take("systems", list_of(text()).read, "a list of names")
    take("objectives", list_of(text(), least=1).read, "a list of metrics")
    take("limits", lambda value: pairs().read(value or {}), "a mapping of metrics to numbers")
    take("infeasible_reward", number(0.0).read, "a number")
    take("providers", lambda value: _parts(value, f"{where}.providers"), "a list of names, cheap to dear")
    take("controllers", lambda value: _named(value or {}, f"{where}.controllers"), "controllers by part of the space")
    take("start", _points, "a list of mappings of decisions to values")
    for key in ("trials", "batch", "seed", "front_points"):
        if key in raw:
            out[key] = raw[key]
    return out, faults


def _choices(value: Any) -> tuple[tuple[str, tuple[Choice, ...]], ...]:
    if not isinstance(value, dict) or any(not isinstance(item, list) for item in value.values()):
        raise ValueError
    return tuple((str(name), tuple(items)) for name, items in value.items())


def _points(value: Any) -> tuple[tuple[tuple[str, Any], ...], ...]:
    if not isinstance(value, (list, tuple)) or any(not isinstance(item, Mapping) for item in value):
        raise ValueError
    return tuple(tuple((str(name), _frozen(choice)) for name, choice in item.items()) for item in value)


def _parts(value: Any, where: str) -> tuple[Part, ...]:
    if not isinstance(value, (list, tuple)) or not value:
        raise ValueError
    return tuple(read_part(item, f"{where}[{place}]") for place, item in enumerate(value))


def _named(value: Any, where: str) -> tuple[tuple[str, Part], ...]:
    if not isinstance(value, dict):
        raise ValueError
    return tuple((str(name), read_part(item, f"{where}.{name}")) for name, item in value.items())


def make_space(
    parts: Mapping[str, Part], device: str, choices: Mapping[str, tuple[Choice, ...]], where: str
) -> SearchSpace:
    """The spaces of a recipe, joined.

    Raises:
        SpecError: unknown spaces or options, all at once; then unknown decisions or choices.
    """
    made: dict[str, Any] = {}
    faults: list[Fault] = []
    for key, part in parts.items():
        try:
            entry = REGISTRIES[key].get(part.name, f"{where}.{key}")
            made[key] = entry.load()(**entry.checked(part.given, f"{where}.{key}"))
        except SpecError as error:
            faults.extend(error.faults)
    if faults:
        raise SpecError(faults)
    names = {key: part.plain() for key, part in parts.items()}
    return SearchSpace.join(**made, device=device, restrictions=choices, names=names, where=where)


def reward_options(name: str, where: str) -> dict[str, Option | Any]:
    """Options of a registered reward: the fields of its class, with their defaults.

    Raises:
        SpecError: no such reward.
    """
    factory: Any = REWARDS.get(name, where)
    out: dict[str, Option | Any] = {}
    for item in fields(factory):
        default = item.default if item.default is not MISSING else ()
        out[item.name] = pairs(default) if isinstance(default, tuple) else default
    return out


def make_goal(
    objectives: tuple[str, ...],
    limits: tuple[tuple[str, float], ...],
    reward: Part | None,
    infeasible_reward: float,
    where: str,
) -> Goal:
    """The goal of a recipe.

    Raises:
        SpecError: unknown metric, reward or option.
    """
    made: Reward | None = None
    if reward is not None:
        given = check_options(reward_options(reward.name, f"{where}.reward"), reward.given, f"{where}.reward")
        made = REWARDS.get(reward.name)(**given)
    bounds = tuple(Limit(metric, bound) for metric, bound in limits)
    return Goal(objectives, bounds, made, infeasible_reward)
