"""Each network is measured once and priced on every accelerator, so that one training yields a front of designs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from codesign.controllers.controller import Foreseeing, Told
from codesign.decisions import DecisionSpace, Point
from codesign.drivers.base import DriverContext, HardwareFronts
from codesign.drivers.ledger import Ledger
from codesign.drivers.parts import joined, part_of, part_space
from codesign.objectives import Goal, Outcome
from codesign.objectives.front import nondominated, scaled_costs, thinned
from mappings.errors import Fault, SpecError

_CHUNK = 8192
#: So few accelerators are priced one by one.
_FEW = 1000
#: Networks whose fronts are kept.
_MOST_KEPT = 1024


class Nested:
    """The outer controller proposes networks; the budget counts them.

    Options: ``accelerators``: "all" prices the whole hardware space (at most ``most_accelerators``), "search" lets a
    controller look through it with ``inner_trials`` designs; ``designs_per_network``: most designs of a network that
    are kept, the least crowded of its front; 0: all.

    A problem that can prove networks' fronts over all accelerators (:attr:`Problem.hardware_fronts`) is asked for them
    in place of pricing each accelerator; ``most_accelerators`` does not bind then.

    What the outer controller is told of a network is the best of each objective over its front; of one that fits no
    accelerator, what its nearest design breaks. All but what the dear providers tell it may ask for beforehand.
    """

    def run(self, context: DriverContext) -> None:
        """Until the journal holds the budget's networks.

        Raises:
            SpecError: more accelerators than the options allow, or nothing to decide of the networks.
        """
        networks = part_space(context, "network")
        goal, ledger, hardware = context.problem.goal, Ledger(context), NetworkFronts(context)
        controller = context.make_controller("network", networks, goal)
        if isinstance(controller, Foreseeing):
            controller.foresees(lambda network: best_of(goal, [outcome for _, outcome in hardware.of([network])[0]]))
        fronts: dict[tuple[object, ...], list[Told]] = {}
        done = 0
        while done < context.budget:
            asked = controller.ask(context.batch)[: context.budget - done]
            told: list[list[Told]] = []
            fresh: dict[tuple[object, ...], int] = {}
            for place, network in enumerate(asked):
                key = tuple(network.items())
                told.append(fronts.get(key) or ledger.held(_phase(done + place)))
                if not told[-1]:
                    fresh.setdefault(key, place)
            points, phases = list[Point](), list[str]()
            for place, front in zip(fresh.values(), hardware.of([asked[p] for p in fresh.values()]), strict=True):
                points += [joined(context, asked[place], point) for point, _ in front]
                phases += [_phase(done + place)] * len(front)
            measured = ledger.measure(points, phases, within_budget=False)
            for item, phase in zip(measured, phases, strict=True):
                told[int(phase.split()[1]) - done].append(item)
            for network, items in zip(asked, told, strict=True):
                if items:
                    fronts[tuple(network.items())] = items
            answers = []
            for network in asked:
                items = fronts[tuple(network.items())]
                answers.append(Told(part_of(networks, network), best_of(goal, [item.outcome for item in items])))
                context.advance()
            controller.tell(answers)
            done += len(asked)


class NetworkFronts:
    """Of each network, the designs that no other of it dominates at what is known before the dear providers.

    Args:
        context: of the driver.

    Raises:
        SpecError: more accelerators than the options allow, or nothing to decide of them.
    """

    def __init__(self, context: DriverContext) -> None:
        self._context, self.space = context, part_space(context, "hardware")
        self._rows: list[Point] | None = None
        self._whole: HardwareFronts | None = None
        self._kept: dict[tuple[object, ...], list[tuple[Point, Outcome]]] = {}
        if context.options["accelerators"] == "all":
            self._whole = context.problem.hardware_fronts
            if self._whole is None or self.space.size <= _FEW:
                self._rows, self._whole = _all_points(context, self.space), None

    def of(self, networks: Sequence[Point]) -> list[list[tuple[Point, Outcome]]]:
        """Of each network hardware and what is known of each design; the nearest to feasible where none is."""
        keys = [tuple(network.items()) for network in networks]
        missing = {key: network for key, network in zip(keys, networks, strict=True) if key not in self._kept}
        out = {key: self._kept[key] for key in keys if key in self._kept}
        if len(self._kept) + len(missing) > _MOST_KEPT:
            self._kept.clear()
        proved = [None] * len(missing) if self._whole is None else self._whole(list(missing.values()))
        for (key, network), rows in zip(missing.items(), proved, strict=True):
            out[key] = self._kept[key] = self._found(network, rows)
        return [out[key] for key in keys]

    def _found(self, network: Point, proved: list[Point] | None) -> list[tuple[Point, Outcome]]:
        problem = self._context.problem
        if proved is not None:
            found = list(zip(proved, problem.price(network, proved), strict=True))
        elif self._rows is None:
            found = self._searched(network)
        else:
            found = []
            for start in range(0, len(self._rows), _CHUNK):
                part = self._rows[start : start + _CHUNK]
                found += zip(part, problem.price(network, part), strict=True)
                found = _kept(problem.goal, found)
        kept = _kept(problem.goal, found)
        most = int(self._context.options["designs_per_network"])
        if most and len(kept) > most:
            outcomes = [outcome for _, outcome in kept]
            kept = [kept[row] for row in thinned(_known_costs(problem.goal, outcomes), most)]
        return kept

    def _searched(self, network: Point) -> list[tuple[Point, Outcome]]:
        context = self._context
        goal, found = context.problem.goal, list[tuple[Point, Outcome]]()
        known = Goal(cheap_objectives(context, network, self.space), goal.limits)
        controller = context.make_controller("hardware", self.space, known)
        while len(found) < int(context.options["inner_trials"]):
            asked = controller.ask(min(context.batch, int(context.options["inner_trials"]) - len(found)))
            outcomes = context.problem.price(network, asked)
            controller.tell([Told(point, outcome) for point, outcome in zip(asked, outcomes, strict=True)])
            found += zip(asked, outcomes, strict=True)
        return found


def _phase(number: int) -> str:
    return f"network {number}"


def _all_points(context: DriverContext, hardware: DecisionSpace) -> list[Point]:
    most = int(context.options["most_accelerators"])
    if not hardware.size <= most:
        what = f"prices every accelerator, and the space has {hardware.size:,}"
        allowed = f"at most {most:,}: fewer choices, a larger most_accelerators, or accelerators: search"
        raise SpecError(Fault("driver nested", what, allowed))
    return hardware.enumerated()


def cheap_objectives(
    context: DriverContext, network: Point, hardware: DecisionSpace, otherwise: tuple[str, ...] = ("latency_ms",)
) -> tuple[str, ...]:
    """Objectives that are known before the dear providers, from one design of the network that is priced."""
    rng = np.random.default_rng(0)
    names = set[str]()
    for outcome in context.problem.price(network, [hardware.draw(rng) for _ in range(16)]):
        names |= set(outcome.metrics)
    return tuple(name for name in context.problem.goal.objectives if name in names) or otherwise


def _known_costs(goal: Goal, outcomes: Sequence[Outcome]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    names = tuple(name for name in goal.objectives if all(name in outcome.metrics for outcome in outcomes))
    if not names:
        return np.zeros((len(outcomes), 1))
    return scaled_costs(Goal(names), outcomes)


def _kept(goal: Goal, found: Sequence[tuple[Point, Outcome]]) -> list[tuple[Point, Outcome]]:
    """The front of what is feasible; else the design that is nearest to it."""
    feasible = [item for item in found if item[1].feasible]
    if not feasible:
        return [min(found, key=lambda item: goal.distance(item[1]))]
    costs = _known_costs(goal, [outcome for _, outcome in feasible])
    return [feasible[row] for row in nondominated(costs)]


def best_of(goal: Goal, outcomes: Sequence[Outcome]) -> Outcome:
    """The best of each metric that is known over the feasible ones; the nearest to feasible where none is."""
    feasible = [outcome for outcome in outcomes if outcome.feasible]
    if not feasible:
        return min(outcomes, key=goal.distance)
    best = dict(feasible[0].metrics)
    for name, metric in zip(goal.objectives, goal.metrics, strict=True):
        values = [outcome.metrics[name] for outcome in feasible if name in outcome.metrics]
        if values:
            best[name] = max(values) if metric.maximize else min(values)
    return Outcome(best, (), feasible[0].measured_by)
