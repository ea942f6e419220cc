"""What a driver's options ask of the recipe around it: its budget, its limits, decisions that it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from codesign.decisions import Decision
from codesign.objectives import METRICS
from codesign.options import shown
from codesign.plugin import load_target
from codesign.recipe_parts import REGISTRIES, Part
from codesign.spaces.hardware.fixed import FixedHardware
from codesign.spaces.search_space import NETWORK_GROUPS
from mappings.errors import Fault, nearest

if TYPE_CHECKING:
    from codesign.recipe import Recipe

#: Accelerators over which the front of a network can be proved, at most (`codesign.providers.cost.whole_hardware`).
MOST_PROVED = 50_000_000


def check_plan(recipe: Recipe, where: str) -> list[Fault]:
    """Faults of the recipe's driver that can be known before anything is measured."""
    entry = REGISTRIES["driver"].get(recipe.driver.name)
    if not entry.plan:
        return []
    faults: list[Fault] = load_target(entry.plan)(recipe, entry.checked(recipe.driver.given, where), f"{where}.driver")
    return faults


def check_named(recipe: Recipe, where: str) -> list[Fault]:
    """Points in options (what is held, an expert's network) that name what the space has not."""
    space, faults = recipe.space.decisions, list[Fault]()
    known = {decision.name: decision for decision in space.decisions}
    for spot, name, given in named_points(recipe):
        for key, value in given.items():
            place = f"{where}.{spot}.{name}.{key}"
            if key not in known:
                what = f"is no decision of the space{nearest(str(key), known)}"
                faults.append(Fault(place, what, ", ".join(known) or "nothing, since nothing is open"))
            elif not known[key].contains(value):
                faults.append(Fault(place, f"is {shown(value)}", known[key].allowed))
    return faults


def named_points(recipe: Recipe) -> list[tuple[str, str, Mapping[str, Any]]]:
    """(part, option, its decisions with values) of all options that hold a part of a point."""
    parts = [("driver", "driver", recipe.driver)]
    parts += [("providers", f"providers[{place}]", part) for place, part in enumerate(recipe.providers)]
    return [
        (spot, name, dict(part.given[name]))
        for key, spot, part in parts
        for name, option in REGISTRIES[key].get(part.name).options.items()
        if getattr(option, "decisions", False) and name in part.given
    ]


def without_strangers(part: Part, known: tuple[str, ...]) -> Part:
    """The driver of a recipe that is put on another space: what it held of decisions that are gone is gone."""
    if part.name not in REGISTRIES["driver"].names():
        return part
    entry = REGISTRIES["driver"].get(part.name)
    kept = dict(part.options)
    for name, value in part.options:
        if getattr(entry.options.get(name), "decisions", False) and isinstance(value, Mapping):
            kept[name] = {key: item for key, item in value.items() if key in known}
    return Part(part.name, tuple(kept.items()))


def check_widths(recipe: Recipe, where: str) -> list[Fault]:
    """Widths of data that one accelerator does not run: a search would end at the first network that draws them."""
    hardware = recipe.space.hardware
    if not isinstance(hardware, FixedHardware):
        return []
    template, faults = hardware.template, list[Fault]()
    for name, width, packs in (
        ("weight_bits", template.weight_bits, template.weight_packing > 1),
        ("act_bits", template.act_bits, False),
    ):
        for decision in recipe.space.decisions.of_groups("compression").choices:
            if decision.name != name:
                continue
            others = [bits for bits in decision.choices if bits != width and not (packs and int(bits) < width)]
            if others:
                what = f"has {', '.join(map(str, others))}, and {hardware.hardware} runs {width} bits"
                fits = [bits for bits in decision.choices if bits not in others] or [width]
                faults.append(Fault(f"{where}.choices.{name}", what, f"{name}: {fits} in choices"))
    return faults


def accurate(recipe: Recipe, options: Mapping[str, Any], where: str) -> list[Fault]:
    """Of drivers that go on with what is most accurate."""
    del options
    entries = [REGISTRIES["providers"].get(part.name) for part in recipe.providers]
    if any("accuracy" in entry.metrics_on(recipe.device) for entry in entries):
        return []
    names = REGISTRIES["providers"].names()
    known = [name for name in names if "accuracy" in REGISTRIES["providers"].get(name).metrics_on(recipe.device)]
    what = "goes on with what is most accurate, and no provider of the recipe gives accuracy"
    return [Fault(where, what, f"providers with one of {', '.join(known)}; ask_tell")]


def _cheap(recipe: Recipe) -> list[str]:
    """Metrics that are known before the dear providers are asked."""
    entries = [REGISTRIES["providers"].get(part.name) for part in recipe.providers]
    return [metric for entry in entries if not entry.dear for metric in entry.metrics_on(recipe.device)]


def _read(recipe: Recipe, options: Mapping[str, Any], names: Sequence[str], where: str) -> list[Fault]:
    """Options that name a metric which the driver reads before anything is trained."""
    known = _cheap(recipe)
    return [
        Fault(
            f"{where}.{name}",
            f'is "{options[name]}", which no provider before the dear ones gives{nearest(str(options[name]), known)}',
            ", ".join(known) or "another provider",
        )
        for name in names
        if options[name] not in known
    ]


def _bounded(recipe: Recipe, where: str) -> list[Fault]:
    """Limits of drivers that keep them while they learn: on costs that are known without training."""
    known = [name for name in _cheap(recipe) if not METRICS.get(name).maximize]
    faults = []
    for name, _ in recipe.limits:
        if name == "accuracy" or name in known:
            continue
        what = "is on no cost that is known before the dear providers"
        if METRICS.get(name).maximize:
            what = "grows with what is better; what it is expected to be bounds nothing"
        faults.append(Fault(f"{where}: limits.{name}", what, ", ".join(known) or "a cost provider"))
    return faults


def nested(recipe: Recipe, options: Mapping[str, Any], where: str) -> list[Fault]:
    """Of a whole space of accelerators for each network: more than any proof covers, or a plain list may have."""
    most = max(MOST_PROVED, int(options["most_accelerators"]))
    if options["accelerators"] != "all" or recipe.space.accelerators <= most:
        return []
    what = f"prices every accelerator, and the space has {recipe.space.accelerators:,.0f}"
    return [Fault(where, what, f"at most {most:,}: fewer choices, or accelerators: search")]


def pooled(recipe: Recipe, options: Mapping[str, Any], where: str) -> list[Fault]:
    """Of operators that are worth their cost."""
    faults = _read(recipe, options, ("capacity", "cost"), where)
    decisions, ends = recipe.space.decisions.decisions, tuple(options["operators"])
    faults += [
        Fault(where, f"{decision.name} of the space is not always active", "ask_tell")
        for decision in decisions
        if decision.when
    ][:1]
    if not any(isinstance(decision, Decision) and decision.name.endswith(ends) for decision in decisions):
        what = f"is {shown(list(ends))}, and no decision of the space ends so"
        faults.append(Fault(f"{where}.operators", what, ", ".join(recipe.space.decisions.names)))
    return faults


def space_first(recipe: Recipe, options: Mapping[str, Any], where: str) -> list[Fault]:
    """Of what makes smaller spaces."""
    faults = _read(recipe, options, ("by",), where)
    known = {d.name: d for d in recipe.space.decisions.decisions if isinstance(d, Decision) and not d.when}
    for name in ("space", "tied"):
        for given in options[name]:
            if given not in known:
                what = f'has "{given}", no list of choices that is always active{nearest(given, known)}'
                faults.append(Fault(f"{where}.{name}", what, ", ".join(known)))
    return faults


def compound(recipe: Recipe, options: Mapping[str, Any], where: str) -> list[Fault]:
    """Of what grows together."""
    return accurate(recipe, options, where) + _read(recipe, options, ("by",), where)


def gradient(recipe: Recipe, options: Mapping[str, Any], where: str) -> list[Fault]:
    """Of choices that are learned under limits, or by a cost that is weighed."""
    weighed = ("metric",) if options["cost_weight"] and not recipe.limits else ()
    return _bounded(recipe, where) + _read(recipe, options, weighed, where)


def relaxed(recipe: Recipe, options: Mapping[str, Any], where: str) -> list[Fault]:
    """Of choices that are learned together with the accelerator's."""
    del options
    return _bounded(recipe, where)


def _above(spent: int, recipe: Recipe, what: str, where: str, allowed: str) -> list[Fault]:
    if spent < recipe.trials:
        return []
    return [Fault(where, f"{what} {spent} of {recipe.trials} trials, which leaves none for the search", allowed)]


def _spends_all(recipe: Recipe, options: Mapping[str, Any], name: str, rest: str, where: str) -> list[Fault]:
    """A first part, of so many trials, that is the whole search."""
    spent = int(options[name])
    if spent < recipe.trials:
        return []
    allowed = f"1 to {recipe.trials - 1}" if recipe.trials > 1 else "more trials"
    return [Fault(f"{where}.{name}", f"is {spent} of {recipe.trials} trials, which leaves none {rest}", allowed)]


def alternate(recipe: Recipe, options: Mapping[str, Any], where: str) -> list[Fault]:
    """Of parts that are searched in turn."""
    return _spends_all(recipe, options, "phase_trials", "for the other part", where)


def carried(recipe: Recipe, options: Mapping[str, Any], where: str) -> list[Fault]:
    """Of a search that is carried over to another."""
    parts = dict(recipe.controllers)
    faults = _spends_all(recipe, options, "first_trials", "for the task itself", where)
    source, target = (parts.get(name, recipe.controller).name for name in ("source", "target"))
    if source != target:
        what = f"are {source} and {target}, of different kinds, so nothing can be carried over"
        faults.append(Fault(f"{where}: controllers source and target", what, "one kind for both"))
    return faults


def forecast(recipe: Recipe, options: Mapping[str, Any], where: str) -> list[Fault]:
    """Of measurements before anything is forecast."""
    first, full = int(options["first"]), int(options["full"])
    faults = [Fault(f"{where}.full", f"is {full}, above first", f"2 to {first}")] if full > first else []
    spent = first * len(options["levels"]) + full
    return faults + _above(spent, recipe, "measures", where, "smaller first and full, fewer levels, more trials")


def budgeted(recipe: Recipe, options: Mapping[str, Any], where: str) -> list[Fault]:
    """Of measurements beside the search."""
    spent = int(options["samples"]) * (1 + len(options["fidelities"])) + int(options["keep"])
    return _above(spent, recipe, "may measure", where, "fewer samples, fidelities or keep, more trials")


def transferred(recipe: Recipe, options: Mapping[str, Any], where: str) -> list[Fault]:
    """Of measurements before the search."""
    spent = int(options["whole"]) + int(options["compressed"])
    above = _above(spent, recipe, "measures", where, "fewer whole and compressed, more trials")
    return accurate(recipe, options, where) + above


def sequential(recipe: Recipe, options: Mapping[str, Any], where: str) -> list[Fault]:
    """Of what is cut, and of the limit to cut to."""
    faults = accurate(recipe, options, where)
    ordered = [d.name for d in recipe.space.decisions.of_groups(*NETWORK_GROUPS).choices if d.ordered]
    if not ordered:
        faults.append(Fault(where, "has nothing to cut: no decision of the network has an order", "ask_tell"))
    for end in options["decisions"]:
        if not any(name.endswith(end) for name in ordered):
            what = f'has "{end}", with which no decision that has an order ends{nearest(end, ordered)}'
            faults.append(Fault(f"{where}.decisions", what, ", ".join(ordered)))
    given = _cheap(recipe)
    if not any(name in given for name, _ in recipe.limits):
        what = "cuts down to a limit, and none is on what a provider before the dear ones gives"
        faults.append(Fault(where, what, f"limits on one of {', '.join(given)}"))
    return faults


def search_then_cut(recipe: Recipe, options: Mapping[str, Any], where: str) -> list[Fault]:
    """Of a search before the cuts."""
    faults = _spends_all(recipe, options, "search_trials", "to cut with", where)
    return faults + sequential(recipe, options, where)


def whole_network(recipe: Recipe, options: Mapping[str, Any], where: str) -> list[Fault]:
    """Of drivers that learn over all that a network space has: its options say what that is, not ``choices``."""
    del options
    faults = _bounded(recipe, where)
    own = {decision.name for decision in recipe.space.network.decisions}
    kept = [name for name, _ in recipe.choices if name in own]
    if not kept:
        return faults
    what = f"learns over the whole network space, of which choices keeps a part ({', '.join(kept)})"
    return [*faults, Fault(where, what, f"the options of {recipe.network.name}")]
