"""Routes through a densely connected network: chances are learned with the weights, the likeliest route that is within
its limits is what a search ends with (Fang 2020, DenseNAS)."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codesign.accuracy.data import Dataset, check_fits, load_dataset
from codesign.accuracy.losses import loss_of
from codesign.accuracy.training import BATCH, tensors
from codesign.decisions import Point
from codesign.drivers.base import DriverContext
from codesign.drivers.parts import joined, options_of
from codesign.drivers.searches import whole_searches
from codesign.gradient.best_route import Route, cheapest_route, likeliest_route
from codesign.gradient.routes import Graph, PartCosts, Routed, RouteNetwork, Shares, chained
from codesign.gradient.terms import LimitTerm
from codesign.objectives import METRICS, Outcome
from codesign.seeds import derive_seed
from codesign.spaces.network.routed import END, START
from codesign.spaces.search_space import HARDWARE_GROUPS, SearchSpace
from mappings.errors import Fault, SpecError

#: Times that the bound on a route's parts is moved by what their sum is wrong.
_TRIES = 16


@dataclass(frozen=True)
class RouteOptions:
    """How chances learn.

    Attributes:
        steps: updates of the weights; after a third of them the logits learn too, once for each update of weights.
        learning_rate, arch_learning_rate: of weights and logits (AdamW, Adam).
        multiplier_rate: how fast the Lagrange multiplier of a limit grows while the expected cost is over it.
        cost_weight: of the logarithm of the expected cost in the loss, of metrics without a limit.
        learned: chances learn at all; else every way and operator is as likely as any other, and nothing is trained.
    """

    steps: int = 200
    learning_rate: float = 0.02
    arch_learning_rate: float = 0.1
    multiplier_rate: float = 0.2
    cost_weight: float = 0.0
    learned: bool = True


@dataclass(frozen=True)
class Found:
    """What a search ended with.

    Attributes:
        shares: of ways, by source, and of operators, by layer.
        expected: cost by the chain, by metric.
        route: that was derived.
    """

    shares: Shares
    expected: dict[str, float]
    route: Route


class Routes:
    """Each trial is a whole search with a seed of its own; the budget counts them.

    What parts of a route cost is fitted to exact prices of drawn networks: costs of layers add up.

    Options: those of :class:`RouteOptions`; ``metric``: the cost, where no limit names one; ``priced``: networks that
    are drawn for the fit; ``fill``: the share of a limit that a route uses at least, where there is one; ``held``
    (decisions of the hardware; else they are drawn).
    """

    def __init__(self) -> None:
        #: What became of each search that was run.
        self.found: list[Found] = []

    def run(self, context: DriverContext) -> None:
        """Until the journal holds the budget's trials.

        Raises:
            SpecError: a cost that the cheap providers do not give, or that is the better the larger it is.
        """
        whole_searches(context, RouteSearch, self._search)

    def _search(self, shared: RouteSearch, number: int) -> Point:
        self.found.append(shared.derived(number))
        return shared.point(self.found[-1].route)


class RouteSearch:
    """What all searches of a run share: the graph, the accelerator, what parts cost.

    Attributes:
        graph: of the space.
        costs: of parts, by metric.
        misfit: the largest error of their sum against an exact price, as a share of it, over drawn networks that the
            fit did not see; by metric.
    """

    def __init__(self, context: DriverContext) -> None:
        self._context, self._options = context, context.options
        space = context.search_space
        assert isinstance(space, SearchSpace), "a driver that needs routes is given the space that has them"
        network: Any = space.network  # offers routes
        self._space: Routed = network
        self.graph = Graph.of(self._space, START, END)
        self._networks = context.problem.space.of_groups("network")
        rng = np.random.default_rng(derive_seed(context.seed, "routes", "hardware"))
        hardware = context.problem.space.of_groups(*HARDWARE_GROUPS)
        self._hardware = hardware.completed(dict(self._options["held"]), rng)
        self._limits = {i.metric: i.bound for i in context.problem.goal.limits if i.metric != "accuracy"}
        self.costs: dict[str, PartCosts] = {}
        self.misfit: dict[str, float] = {}
        self._fit(rng)

    def _metrics(self) -> tuple[str, ...]:
        weighed = (str(self._options["metric"]),) if self._options["cost_weight"] else ()
        return tuple(dict.fromkeys((*self._limits, *weighed)))

    def _price(self, network: Point) -> Outcome:
        return self._context.problem.price(network, [self._hardware])[0]

    def _fit(self, rng: np.random.Generator) -> None:
        """Least squares over what drawn networks consist of; a tenth of them is kept for the error."""
        metrics = self._metrics()
        if not metrics:
            return
        for name in metrics:
            if METRICS.get(name).maximize:
                what = f"limits {name}, which grows with what is better; its expectation bounds nothing"
                raise SpecError(Fault("driver routes", what, "a cost that is to be at most its limit"))
        points = [self._networks.draw(rng) for _ in range(int(self._options["priced"]))]
        outcomes = [self._price(point) for point in points]
        edges, choices = self.graph.edges, self.graph.choices
        columns: dict[tuple[str, str], int] = {key: place for place, key in enumerate([*edges, *choices], 1)}
        rows = np.zeros((len(points), 1 + len(columns)))
        rows[:, 0] = 1.0
        for row, point in zip(rows, points, strict=True):
            route = (START, *self._space.route_at(point), END)
            picked = [(layer, str(point[layer])) for block in route for layer in self.graph.layers.get(block, ())]
            for key in (*itertools.pairwise(route), *picked):
                row[columns[key]] = 1.0
        seen = len(points) - max(1, len(points) // 10)
        for name in metrics:
            if any(name not in outcome.metrics for outcome in outcomes):
                known = ", ".join(outcomes[0].metrics) or "a cost provider"
                raise SpecError(Fault("driver routes", f"no cheap provider gives {name} of every network", known))
            exact = np.array([outcome.metrics[name] for outcome in outcomes])
            found = np.linalg.lstsq(rows[:seen], exact[:seen], rcond=None)[0]
            self.misfit[name] = float(np.max(np.abs(rows[seen:] @ found - exact[seen:]) / exact[seen:]))
            self.costs[name] = PartCosts(
                float(found[0]),
                {key: float(found[columns[key]]) for key in edges},
                {key: float(found[columns[key]]) for key in choices},
            )

    def point(self, route: Route) -> Point:
        """Of the whole space."""
        return joined(self._context, self._space.point_at(route.blocks, route.operators), self._hardware)

    def derived(self, number: int) -> Found:
        """One search from a seed of its own."""
        options, seed = options_of(RouteOptions, self._context), derive_seed(self._context.seed, "routes", number)
        torch.manual_seed(seed)
        base = self._networks.canonical({d.name: d.choices[-1] for d in self._networks.choices})
        workload = self._space.workload(base)
        data = load_dataset(self._context.search_space.network.dataset)
        check_fits(data, workload)
        network = RouteNetwork(self._space, self.graph, workload)
        if options.learned:
            learn(network, data, self.costs, self._limits, options, seed)
        with torch.no_grad():
            shares = network.shares()
            expected = {name: float(chained(self.graph, shares, costs)) for name, costs in self.costs.items()}
        return Found(shares, expected, self.best(shares))

    def best(self, shares: Shares) -> Route:
        """The likeliest route within every limit by the exact model; where none is found, the cheapest there is."""
        edges = {name: _numbers(share) for name, share in shares.edges.items()}
        operators = {name: _numbers(share) for name, share in shares.operators.items()}
        found = likeliest_route(self.graph, edges, operators)
        assert found is not None, "without a bound there is a route"
        if not self._limits:
            return found
        outcome = self._price(self._space.point_at(found.blocks, found.operators))
        tightest = max(self._limits, key=lambda name: outcome.metrics[name] / self._limits[name])
        costs, bound, fill = self.costs[tightest], self._limits[tightest], float(self._options["fill"])
        for _ in range(_TRIES):
            found = likeliest_route(self.graph, edges, operators, costs, bound, fill * bound) or likeliest_route(
                self.graph, edges, operators, costs, bound
            )
            if found is None:
                break
            outcome = self._price(self._space.point_at(found.blocks, found.operators))
            if outcome.feasible:
                return found
            # By what the sum of its parts is wrong; and below this route, whatever else is broken.
            wrong = max(outcome.metrics[tightest] - found.cost, 0.0)
            bound = min(self._limits[tightest] - wrong, found.cost * (1 - 1e-6))
        return cheapest_route(self.graph, costs)


def learn(
    network: RouteNetwork,
    data: Dataset,
    costs: dict[str, PartCosts],
    limits: dict[str, float],
    options: RouteOptions,
    seed: int,
    advance: Callable[[], None] = lambda: None,
) -> None:
    """Weights and logits in turn on two halves of the training images.

    Args:
        costs: of parts, by metric.
        limits: of the expected costs.
    """
    generator = torch.Generator().manual_seed(derive_seed(seed, "batches"))
    images, labels = tensors(data, "train")
    error_of = loss_of(data.task, (images.shape[2], images.shape[3]))
    order = torch.randperm(len(labels), generator=generator)
    halves = order[: len(order) // 2], order[len(order) // 2 :]
    weights = torch.optim.AdamW(network.weights(), lr=options.learning_rate, betas=(0.8, 0.95), weight_decay=1e-4)
    logits = torch.optim.Adam(network.choosing(), lr=options.arch_learning_rate, betas=(0.5, 0.999))
    terms = {name: LimitTerm("multiplier", log(bound), options.multiplier_rate) for name, bound in limits.items()}

    def error(part: Tensor) -> Tensor:
        index = part[torch.randint(0, len(part), (min(BATCH, len(part)),), generator=generator)]
        return error_of(network(images[index]), labels[index])

    network.train()
    for step in range(options.steps):
        for group in weights.param_groups:
            group["lr"] = options.learning_rate * 0.5 * (1 + np.cos(np.pi * step / options.steps))
        loss = error(halves[0])
        weights.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        weights.step()
        if step >= options.steps // 3:
            loss = error(halves[1])
            for name, parts in costs.items():
                found = torch.log(chained(network.graph, network.shares(), parts).clamp_min(1e-9))
                if name in terms:
                    now = float(found.detach())
                    loss = loss + terms[name](found, now)
                    terms[name].after(now)
                else:
                    loss = loss + options.cost_weight * found
            logits.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            logits.step()
        advance()


def _numbers(share: Tensor) -> NDArray[np.float64]:
    return share.detach().double().numpy()
