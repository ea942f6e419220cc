"""What the parts of a recipe need of each other, checked when it is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from accel_models.hardware.devices import device
from codesign.accuracy.task import KNOWN, task_of, wrong_task
from codesign.objectives import METRICS
from codesign.options import shown
from codesign.recipe_parts import REGISTRIES, Part, spaces_for
from codesign.recipe_plans import check_named, check_plan, check_widths
from codesign.spaces.search_space import GROUPS, PART_GROUPS
from mappings.errors import Fault, SpecError, nearest

if TYPE_CHECKING:
    from codesign.recipe import Recipe


def check_rules(recipe: Recipe, where: str, unread: Sequence[Fault] = ()) -> list[Fault]:
    """Every fault: names and options first; what does not go together where those are sound.

    Args:
        unread: what could not be read of the recipe, in which a default stands for it.
    """
    faults = dict.fromkeys(unread)  # each once, in order

    def collect(action: Callable[[], object]) -> None:
        try:
            action()
        except SpecError as error:
            faults.update(dict.fromkeys(error.faults))

    parts = _named_parts(recipe)
    for key, spot, part in parts:
        collect(lambda key=key, spot=spot, part=part: _entry(key, part, f"{where}.{spot}"))  # type: ignore[misc]
    collect(lambda: device(recipe.device, f"{where}.device"))
    if not faults:
        collect(lambda: recipe.space)
    collect(lambda: recipe.goal)
    if not faults:
        for rule in (
            _needs,
            _tasks,
            _metrics,
            _parts,
            _controllers,
            _start,
            _envelope,
            _clients,
            check_named,
            check_widths,
        ):
            faults.update(dict.fromkeys(rule(recipe, where)))
    if not faults and type(recipe.trials) is int:  # else told beside this
        faults.update(dict.fromkeys(check_plan(recipe, where)))
    return list(faults)


def _named_parts(recipe: Recipe) -> list[tuple[str, str, Part]]:
    """(registry, place, part) of whatever a recipe names."""
    out = [(key, key, getattr(recipe, key)) for key in (*GROUPS, "controller", "driver")]
    out += [("providers", f"providers[{place}]", part) for place, part in enumerate(recipe.providers)]
    out += [("controller", f"controllers.{name}", part) for name, part in recipe.controllers]
    return out


def _entry(key: str, part: Part, where: str) -> Any:
    entry = REGISTRIES[key].get(part.name, where)
    entry.checked(part.given, where)
    return entry


def _needs(recipe: Recipe, where: str) -> list[Fault]:
    """Capabilities that nothing in the recipe offers."""
    named = [(spot, part, _entry(key, part, where)) for key, spot, part in _named_parts(recipe)]
    offered = {offer: f"{spot} {part.name}" for spot, part, entry in named for offer in getattr(entry, "offers", ())}
    faults = []
    for spot, part, entry in named:
        for need in getattr(entry, "needs", ()):
            if need not in offered:
                others = ", ".join(f"{other} {item.name}" for other, item, _ in named if other != spot)
                offers = sorted({p for key, registry in REGISTRIES.items() for p in _offering(key, registry, need)})
                what = f'"{part.name}" needs "{need}", which none of {others} offers'
                faults.append(Fault(f"{where}.{spot}", what, ", ".join(offers) or "another " + spot))
    return faults


def _offering(key: str, registry: Any, need: str) -> list[str]:
    return [f"{key} {name}" for name in registry.names() if need in getattr(registry.get(name), "offers", ())]


def _tasks(recipe: Recipe, where: str) -> list[Fault]:
    """Parts that do not understand the labels for which the networks are, and data with labels of another kind."""
    network, faults = recipe.space.network, list[Fault]()
    task, dataset = task_of(network), str(getattr(network, "dataset", ""))
    if KNOWN.get(dataset, task.name) != task.name:
        faults.append(wrong_task(dataset, KNOWN[dataset], recipe.network.name, task.name, spaces_for(KNOWN[dataset])))
    for key, spot, part in _named_parts(recipe):
        entry = _entry(key, part, where)
        understood = getattr(entry, "tasks", ())
        if not understood:
            continue
        if task.name not in understood:
            others = [n for n in REGISTRIES[key].names() if task.name in getattr(REGISTRIES[key].get(n), "tasks", ())]
            what = f'"{part.name}" understands labels for {", ".join(understood)}, and the networks are for {task.name}'
            faults.append(Fault(f"{where}.{spot}", what, ", ".join(others)))
            continue
        for name, value in entry.checked(part.given, where).items():
            plain = name.removeprefix("search_").removeprefix("deploy_")
            if plain in task.without and value != task.without[plain]:
                what = f"is {shown(value)}, which does not go with labels for {task.name}"
                faults.append(Fault(f"{where}.{spot}.{part.name}.{name}", what, shown(task.without[plain])))
    return faults


def _metrics(recipe: Recipe, where: str) -> list[Fault]:
    """Metrics that are asked for and that no provider gives."""
    given: dict[str, str] = {}
    faults = []
    for part in recipe.providers:
        for metric in REGISTRIES["providers"].get(part.name).metrics_on(recipe.device):
            if metric in given:
                what = f'"{part.name}" gives {metric}, which "{given[metric]}" gives already'
                faults.append(Fault(f"{where}.providers", what, "one provider for each metric"))
            given[metric] = part.name
    known = METRICS.names()
    limits = [name for name, _ in recipe.limits]
    for name in recipe.goal.needed:
        if name not in given:
            spot = "objectives" if name in recipe.objectives else "limits" if name in limits else "reward"
            near = nearest(name, [other for other in known if other in given])
            what = f"no provider of the recipe gives {name} on {recipe.device}{near}"
            faults.append(Fault(f"{where}.{spot}", what, ", ".join(given)))
    return faults


def _start(recipe: Recipe, where: str) -> list[Fault]:
    """Points to start from that the space does not hold, or that nobody asks for."""
    faults = []
    if recipe.start and not REGISTRIES["driver"].get(recipe.driver.name).asks:
        what = f'changes nothing: the driver "{recipe.driver.name}" asks no controller'
        faults.append(Fault(f"{where}.start", what, "ask_tell"))
    for place, pairs in enumerate(recipe.start):
        point, spot = dict(pairs), f"{where}.start[{place}]"
        completed = recipe.space.decisions.completed(point, np.random.default_rng(0))
        try:
            recipe.space.decisions.check({**completed, **point}, spot)
        except SpecError as error:
            faults += error.faults
    return faults


def _envelope(recipe: Recipe, where: str) -> list[Fault]:
    """A device beside an envelope, which is of a device of its own: it would be named and change nothing."""
    hardware = recipe.space.hardware
    own = getattr(hardware, "own_device", recipe.device)
    if recipe.device == own:
        return []
    envelope = getattr(hardware, "envelope", "")
    what = f'is "{recipe.device}", and the envelope "{envelope}" of the hardware is of another'
    return [Fault(f"{where}.device", what, f"{own}, or hardware in another envelope")]


def _clients(recipe: Recipe, where: str) -> list[Fault]:
    """A search by clients, and a training by clients that hold other images."""
    searches = _entry("driver", recipe.driver, where).checked(recipe.driver.given, where)
    faults = []
    for place, part in enumerate(recipe.providers):
        if part.name != "federated" or not searches.get("clients"):
            continue
        trains = _entry("providers", part, where).checked(part.given, where)
        faults += [
            Fault(
                f"{where}.providers[{place}].{name}",
                f"is {shown(trains[name])}, and the driver's clients are dealt by {shown(searches[name])}",
                f"{name}: {shown(searches[name])}",
            )
            for name in ("clients", "concentration")
            if trains[name] != searches[name]
        ]
    return faults


def _parts(recipe: Recipe, where: str) -> list[Fault]:
    """A driver that searches parts of the space apart, and a space that decides nothing of one of them."""
    named, decisions = REGISTRIES["driver"].get(recipe.driver.name).parts, recipe.space.decisions
    empty = [part for part in PART_GROUPS if part in named and not decisions.of_groups(*PART_GROUPS[part]).decisions]
    return [
        Fault(
            f"{where}.driver",
            f'"{recipe.driver.name}" searches the {part} apart, of which the space decides nothing',
            f"ask_tell, or a {part} space with decisions",
        )
        for part in empty
    ]


def _controllers(recipe: Recipe, where: str) -> list[Fault]:
    """Controllers that cannot search the space, and parts of the space that the driver does not have."""
    faults = []
    driver = REGISTRIES["driver"].get(recipe.driver.name)
    for name, _ in recipe.controllers:
        if name not in driver.parts:
            what = f'the driver "{recipe.driver.name}" asks no controller for "{name}"'
            faults.append(Fault(f"{where}.controllers.{name}", what, ", ".join(driver.parts)))
    for spot, part in (("controller", recipe.controller), *((f"controllers.{n}", p) for n, p in recipe.controllers)):
        entry = REGISTRIES["controller"].get(part.name)
        if getattr(entry, "discrete", False) and not recipe.space.decisions.discrete:
            what = f'"{part.name}" takes lists of choices; the space has other decisions'
            others = [n for n in REGISTRIES["controller"].names() if not REGISTRIES["controller"].get(n).discrete]
            faults.append(Fault(f"{where}.{spot}", what, ", ".join(others)))
    return faults
