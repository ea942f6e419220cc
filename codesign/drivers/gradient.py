"""Gradient search: the choices of a network's cells are relaxed and learned with its weights; what is derived from them
is checked by the exact model and mended until it is under every limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch

from codesign.accuracy.clients import clients_of
from codesign.accuracy.data import check_fits, load_dataset
from codesign.decisions import Point
from codesign.drivers.base import DriverContext
from codesign.drivers.parts import joined, part_space
from codesign.drivers.searches import whole_searches
from codesign.gradient.cells import Cell, cells_of, with_arms
from codesign.gradient.derive import CostTable, derived
from codesign.gradient.federated import FederatedSearch
from codesign.gradient.network import MixedNetwork
from codesign.gradient.rules import fewer_identities
from codesign.gradient.search import GradientOptions, GradientSearch, Searched
from codesign.gradient.several_limits import within_all
from codesign.objectives import METRICS, Outcome
from codesign.seeds import derive_seed
from codesign.spaces.search_space import PART_GROUPS, SearchSpace
from mappings.errors import Fault, SpecError
from mappings.workload import Workload

#: Relaxations that weigh all arms and draw nothing.
_WEIGHED = ("softmax", "sigmoid", "sharp", "scheduled")


@dataclass(frozen=True)
class Found:
    """What one search ended with.

    Attributes:
        network: the relaxed network, trained.
        searched: shares of its cells' arms, and how they came about.
        tables: by metric, what arms cost.
        point: what was made of them: within the limits.
    """

    network: MixedNetwork
    searched: Searched
    tables: Mapping[str, CostTable]
    point: Point


class Gradient:
    """Each trial is a whole search with a seed of its own; the budget counts them.

    Options: those of :class:`GradientOptions`; ``relaxation``, ``partial`` (1 / this many channels are mixed);
    ``held``: decisions that are no cell's (else their last choice), hardware among them; ``hardware_draws``:
    accelerators of which the fastest that fits is taken, where the hardware is not held; ``metric``: the cost, where no
    limit names one; ``fill``: the share of a limit that a derived network uses at least, where its arms allow it;
    ``most_identities``: cells of a derived network that may be left out, at most (P-DARTS; -1: all);
    ``clients``: so many search on images of their own, dealt by ``concentration``, and are averaged every
    ``local_steps``; 0: one search on all images.
    """

    def __init__(self) -> None:
        #: What became of each search that was run.
        self.found: list[Found] = []

    def run(self, context: DriverContext) -> None:
        """Until the journal holds the budget's trials.

        Raises:
            SpecError: nothing to choose, no accelerator that fits, a metric that the cheap providers do not give.
        """
        _check(context.options)
        whole_searches(context, _Search, self._search)

    def _search(self, shared: _Search, number: int) -> Point:
        self.found.append(shared.derived(number))
        return self.found[-1].point


class _Search:
    """What all searches of a run share: skeleton, accelerator, tables."""

    def __init__(self, context: DriverContext) -> None:
        self._context, self._options = context, context.options
        space: Any = context.search_space
        assert isinstance(space, SearchSpace), "a driver that needs cells is given the space that has them"
        self._space = space
        self._networks = part_space(context, "network")
        rng = np.random.default_rng(derive_seed(context.seed, "gradient", "hardware"))
        base = {decision.name: decision.choices[-1] for decision in self._networks.choices}
        given = dict(self._options["held"])
        context.problem.space.check(
            context.problem.space.completed({**base, **given}, rng) | _known(given, context.problem.space.names),
            "driver gradient: held",
        )
        self._base: Point = self._networks.canonical({**base, **_known(given, self._networks.names)})
        self._cells = cells_of(space.network, self._networks, self._base)
        self._limits = {
            limit.metric: limit.bound for limit in context.problem.goal.limits if limit.metric != "accuracy"
        }
        self._points = [
            [
                with_arms(self._networks, self._base, self._cells, self._places(cell, arm))
                for arm in range(len(one.arms))
            ]
            for cell, one in enumerate(self._cells)
        ]
        self._hardware = self._accelerator(given, rng)
        self._tables = {name: self._table(name) for name in self._metrics()}

    def _places(self, cell: int = 0, arm: int | None = None) -> tuple[int, ...]:
        """The last arm of each cell, but for one."""
        last = [len(one.arms) - 1 for one in self._cells]
        if arm is not None:
            last[cell] = arm
        return tuple(last)

    def _metrics(self) -> tuple[str, ...]:
        asked = str(self._options["metric"])
        names = tuple(self._limits)
        return names if names or not self._options["cost_weight"] else (asked,)

    def _accelerator(self, given: dict[str, Any], rng: np.random.Generator) -> Point:
        """The accelerator that is held: the one named, or the fastest of some draws that fit the skeleton, and on which
        it or the smallest network is within the limits (else the nearest to them)."""
        hardware = self._context.problem.space.of_groups(*PART_GROUPS["hardware"])
        rows = [hardware.completed(given, rng) for _ in range(int(self._options["hardware_draws"]))]
        found = self._context.problem.price(self._base, rows)
        small = self._context.problem.price(self._smallest(), rows)
        metric = next((n for n in (self._options["metric"], "latency_ms", "macs") if n in found[0].metrics), "")
        # A limit of the goal may be broken by the skeleton; a bound of the device may not.
        goal = self._context.problem.goal
        limits = {(limit.metric, limit.bound) for limit in goal.limits}

        def over(outcome: Outcome) -> float:
            return Outcome(broken=goal.broken(outcome.metrics)).violation  # limits alone

        fitting = [
            (min(over(one), over(other)), one.metrics.get(metric, 0.0), place)
            for place, (one, other) in enumerate(zip(found, small, strict=True))
            if all((item.resource, item.bound) in limits for item in one.broken)
        ]
        if not fitting:
            why = "; ".join(str(item) for item in min(found, key=lambda item: item.violation).broken)
            what = f"none of {len(rows)} accelerators fits the skeleton; the nearest: {why}"
            raise SpecError(Fault("driver gradient", what, "more hardware_draws, hardware in held, a larger device"))
        return rows[min(fitting)[2]]

    def _smallest(self) -> Point:
        """The network of each cell's arm with the fewest multiply-accumulates."""
        arms = [min(range(len(rows)), key=lambda arm: self.workload_at(rows[arm]).macs) for rows in self._points]
        return with_arms(self._networks, self._base, self._cells, tuple(arms))

    def _price(self, networks: Sequence[Point]) -> list[Outcome]:
        return [self._context.problem.price(network, [self._hardware])[0] for network in networks]

    def _cost(self, outcome: Outcome, metric: str) -> float:
        if metric not in outcome.metrics:
            known = ", ".join(name for name in outcome.metrics)
            raise SpecError(Fault("driver gradient", f"no cheap provider gives {metric}", known or "a cost provider"))
        return outcome.metrics[metric]

    def _table(self, metric: str) -> CostTable:
        """Exact costs of the skeleton with one cell changed at a time."""
        if METRICS.get(metric).maximize:
            what = f"limits {metric}, which grows with what is better; its sum over cells bounds nothing"
            raise SpecError(Fault("driver gradient", what, "a cost that is to be at most its limit"))
        base = self._cost(self._price([self._points[0][-1]])[0], metric)
        differences = tuple(
            tuple(self._cost(outcome, metric) - base for outcome in self._price(points)) for points in self._points
        )
        return CostTable(base, differences)

    def workload_at(self, point: Point) -> Workload:
        """The network at a point of the network decisions."""
        found = self._space.network_at(point).workload
        assert found is not None, "a space with cells has workloads"
        return found

    def derived(self, number: int) -> Found:
        """One search from a seed of its own."""
        names = {field.name for field in fields(GradientOptions)}
        options = GradientOptions(**{name: value for name, value in self._options.items() if name in names})
        seed = derive_seed(self._context.seed, "gradient", number)
        torch.manual_seed(seed)
        network = MixedNetwork(
            self.workload_at, self._points, self._cells, str(self._options["relaxation"]), int(self._options["partial"])
        )
        data = load_dataset(self._space.network.dataset)
        check_fits(data, self.workload_at(self._base))
        clients = int(self._options["clients"])
        if clients:
            # Who holds which images is the run's, for every search and for training.
            parts = clients_of(data, clients, float(self._options["concentration"]), self._context.seed)
            local = int(self._options["local_steps"])
            found = FederatedSearch(network, parts, self._tables, self._limits, options, local, seed).run()
        else:
            found = GradientSearch(network, data, self._tables, self._limits, options, seed).run()
        most = int(self._options["most_identities"])
        shares = found.shares if most < 0 else fewer_identities(found.shares, network.identities, most)
        return Found(network, found, self._tables, joined(self._context, self._mended(shares), self._hardware))

    def _mended(self, shares: Sequence[Any]) -> Point:
        """The likeliest arms under every limit, by the exact model."""

        def point(places: tuple[int, ...]) -> Point:
            return with_arms(self._networks, self._base, self._cells, places)

        def costs(places: tuple[int, ...]) -> dict[str, float]:
            (outcome,) = self._price([point(places)])
            return {name: self._cost(outcome, name) for name in self._limits}

        if not self._limits:
            return point(tuple(int(np.argmax(share)) for share in shares))
        tightest = max(self._limits, key=lambda name: self._tables[name].base / self._limits[name])
        fill = float(self._options["fill"])
        places, _ = derived(
            shares, self._tables[tightest], lambda arms: costs(arms)[tightest], self._limits[tightest], fill
        )
        if any(cost > self._limits[name] for name, cost in costs(places).items()):
            places = within_all(shares, self._tables, costs, self._limits, fill)
        return point(places)


def _check(options: Mapping[str, Any]) -> None:
    """Refuse rules of logits for what has none, or for arms that are drawn."""
    relaxation, faults = str(options["relaxation"]), list[Fault]()
    if options["rule"] == "exponentiated" and relaxation != "softmax":
        what = f'"exponentiated" moves shares of a softmax, not those of "{relaxation}"'
        faults.append(Fault("driver gradient.rule", what, "adam, or the relaxation softmax"))
    for name, none in (("stages", 1), ("patience", 0)):
        if options[name] != none and relaxation in ("shared", "two_path"):
            what = f'is {options[name]}, and "{relaxation}" mixes no arms'
            faults.append(Fault(f"driver gradient.{name}", what, f"{none}, or a relaxation that weighs all arms"))
    whole = (*_WEIGHED, "gumbel_soft")
    if options["alike"] and (relaxation not in whole or int(options["stages"]) > 1):
        what = "compares what all arms give, in two stages of its own"
        allowed = f"stages: 1, and the relaxation {', '.join(whole)}"
        faults.append(Fault("driver gradient.alike", what, allowed))
    whole_search: dict[str, Any] = {"rule": "adam", "stages": 1, "patience": 0, "alike": 0}
    for name, plain in whole_search.items():
        if options["clients"] and options[name] != plain:
            what = f"is {options[name]}: each client would drop arms, or end, by itself"
            faults.append(Fault(f"driver gradient.{name}", what, f"{plain}, or clients: 0"))
    if options["unrolled"] and (relaxation not in _WEIGHED or not options["bilevel"]):
        what = "sees the weights of one mixture ahead, on images that they are not learned from"
        faults.append(Fault("driver gradient.unrolled", what, f"bilevel, and the relaxation {', '.join(_WEIGHED)}"))
    if options["identity_dropout"] and int(options["stages"]) < 2:
        what = "grows from one stage to the next, and there is one"
        faults.append(Fault("driver gradient.identity_dropout", what, "0, or more stages"))
    if options["extremes"] and relaxation != "sigmoid":
        what = f'is {options["extremes"]:g}, and arms of "{relaxation}" have no weight of their own'
        faults.append(Fault("driver gradient.extremes", what, "0, or the relaxation sigmoid"))
    if faults:
        raise SpecError(faults)


def _known(given: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name in names}


__all__ = ["Cell", "Gradient"]
