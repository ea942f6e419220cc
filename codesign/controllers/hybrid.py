"""Evolution with operators of its own kind: learned mutations, growth by morphisms, genomes by parts.

Each is NSGA-II in how it selects; they differ in how a child is made.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codesign.controllers.controller import ControllerContext, Told
from codesign.controllers.evolution import Nsga2
from codesign.controllers.proposals import moved
from codesign.controllers.scalar import survivors
from codesign.decisions import Decision, Point


class LearnedMutation(Nsga2):
    """NSGA-II whose mutations are learned (MoreMNAS: Chu 2019; RENAS: Chen 2018).

    A table of preferences over (decision, choice), moved by the gradient of REINFORCE: a mutation that brought a child
    into the parents is made more likely, one that did not less. ``learned_share`` of the mutations come from it.
    """

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        widths = [len(d.choices) if isinstance(d, Decision) else 1 for d in context.space.decisions]
        self._where: NDArray[np.float64] = np.zeros(len(widths))
        self._what = [np.zeros(width) for width in widths]
        self._made: dict[int, tuple[int, int]] = {}
        self._pending: list[tuple[Point, int, int]] = []
        self._baseline = 0.5
        #: Children that became parents, and children made, by who mutated them.
        self.rates = {"learned": [0, 0], "drawn": [0, 0]}

    def _child(self, front: NDArray[np.int64], crowd: NDArray[np.float64]) -> Point:
        if self._rng.random() >= self._context.options["learned_share"]:
            return super()._child(front, crowd)
        space = self._context.space
        child = self._tournament(front, crowd)
        if self._rng.random() < self._context.options["crossover_probability"]:
            child = space.crossover(child, self._tournament(front, crowd), self._rng)
        active = np.array([d.name in child and d.size > 1 for d in space.decisions])
        odds = np.where(active, np.exp(self._where - self._where.max()), 0.0)
        if not odds.any():
            return child
        place = int(self._rng.choice(len(odds), p=odds / odds.sum()))
        decision = space.decisions[place]
        if isinstance(decision, Decision):
            logits = self._what[place]
            weights = np.exp(logits - logits.max())
            weights[decision.choices.index(child[decision.name])] = 0.0
            choice = int(self._rng.choice(len(weights), p=weights / weights.sum()))
            changed = space.completed({**child, decision.name: decision.choices[choice]}, self._rng)
        else:
            choice = 0
            changed = space.completed(
                {**child, decision.name: moved(decision, child[decision.name], self._rng)}, self._rng
            )
        self._pending.append((changed, place, choice))
        return changed

    @property
    def learned(self) -> NDArray[np.float64]:
        """How likely each decision is to be mutated [decisions], summing to 1."""
        odds = np.exp(self._where - self._where.max())
        return np.asarray(odds / odds.sum())

    def tell(self, told: Sequence[Told]) -> None:
        """Select, then reward the mutations whose children were kept."""
        first = len(self._archive)
        super().tell(told)
        kept = {int(row) for row in self._parents}
        rate = float(self._context.options["learning_rate"])
        for row, item in enumerate(told, first):
            place, choice = next(((p, c) for point, p, c in self._pending if point == item.point), (-1, -1))
            if first >= self.population:
                rate_of = self.rates["drawn" if place < 0 else "learned"]
                rate_of[0] += row in kept
                rate_of[1] += 1
            if place < 0:
                continue
            gain = float(row in kept) - self._baseline
            self._baseline += 0.05 * gain
            odds = self.learned
            self._where += rate * gain * ((np.arange(len(odds)) == place) - odds)
            chances = np.exp(self._what[place] - self._what[place].max())
            chances /= chances.sum()
            self._what[place] += rate * gain * ((np.arange(len(chances)) == choice) - chances)
        self._pending = []


class HistoryEvolution(Nsga2):
    """NSGA-II, then samples of a Bayesian network over what it found (NSGA-Net: Lu 2019).

    The network is a chain: each decision depends on the one before, with counts over the ``history`` best of everything
    told. Children come from it in the last ``exploit_share`` of the budget; before that, from crossover and mutation.
    """

    #: What an unseen pair of choices counts.
    _PRIOR = 0.1

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._ranked_at = -1
        self._ranked: NDArray[np.int64] = np.zeros(0, np.int64)

    @property
    def exploits(self) -> bool:
        """Whether the last part of the budget has come."""
        budget, share = self._context.budget, float(self._context.options["exploit_share"])
        return bool(budget) and len(self._archive) >= budget * (1 - share)

    def _child(self, front: NDArray[np.int64], crowd: NDArray[np.float64]) -> Point:
        return self.sample() if self.exploits else super()._child(front, crowd)

    def sample(self) -> Point:
        """One draw of the Bayesian network; a decision without a list of choices is taken from one of the best."""
        space = self._context.space
        history = int(self._context.options["history"])
        best = [self._archive.told[int(row)].point for row in self._best(history)]
        model = best[int(self._rng.integers(len(best)))]
        values: Point = {}
        before = ""
        for decision in space.decisions:
            if not all(condition.holds(values) for condition in decision.when):
                continue
            if not isinstance(decision, Decision):
                values[decision.name] = model.get(decision.name) or decision.draw(self._rng)
                continue
            counts = np.full(len(decision.choices), self._PRIOR)
            for point in best:
                alike = not before or point.get(before) == values[before]
                if alike and decision.name in point:
                    counts[decision.choices.index(point[decision.name])] += 1.0
            values[decision.name] = decision.choices[int(self._rng.choice(len(counts), p=counts / counts.sum()))]
            before = decision.name
        return values

    def _best(self, count: int) -> NDArray[np.int64]:
        if self._ranked_at != len(self._archive):
            self._ranked_at, self._ranked = (
                len(self._archive),
                survivors(self._archive.costs, self._archive.violations, count),
            )
        return self._ranked


class Morphism(Nsga2):
    """Lamarckian growth (LEMONADE: Elsken 2019; EAS: Cai 2018; hill climbing: Elsken 2017).

    Children are morphisms of their parent: what the space's hook "morphisms" gives, or one ordered network decision one
    place larger. Some shrink again. Parents are drawn where the cheap objectives are thinly covered (LEMONADE: density
    of cost first), so growth spreads along the front. The search begins at the smallest networks.
    """

    def _draw(self) -> Point:
        space = self._context.space
        point = space.draw(self._rng)
        if len(self._archive) < self.population:
            low = {
                d.name: d.choices[min(int(self._rng.geometric(0.6)) - 1, len(d.choices) - 1)]
                for d in space.decisions
                if isinstance(d, Decision) and d.ordered and d.group == "network"
            }
            return space.completed({**point, **low}, self._rng)
        return point

    def _child(self, front: NDArray[np.int64], crowd: NDArray[np.float64]) -> Point:
        options, space = self._context.options, self._context.space
        density = np.where(np.isfinite(crowd), crowd, crowd[np.isfinite(crowd)].max(initial=1.0))
        odds = (density + 1e-9) * (front == front.min())
        place = int(self._rng.choice(len(odds), p=odds / odds.sum()))
        parent = self._archive.told[int(self._parents[place])].point
        grow = self._rng.random() < options["growth_share"]
        hook = self._context.hooks.get("morphisms")
        if grow and hook is not None:
            children = hook(parent)
            if children:
                return space.completed(children[int(self._rng.integers(len(children)))], self._rng)
        ladders = [d for d in space.decisions if isinstance(d, Decision) and d.ordered and d.name in parent]
        ladders = [d for d in ladders if 0 <= d.choices.index(parent[d.name]) + (1 if grow else -1) < len(d.choices)]
        if not ladders or self._rng.random() < options["other_share"]:
            return super()._child(front, crowd)
        decision = ladders[int(self._rng.integers(len(ladders)))]
        value = decision.choices[decision.choices.index(parent[decision.name]) + (1 if grow else -1)]
        return space.completed({**parent, decision.name: value}, self._rng)


class StructuredGenome(Nsga2):
    """Genomes by parts (GAMMA: Kao 2020; DiGamma: Kao 2022): crossover of whole groups, an operator for each kind.

    A child takes each group of decisions (network, hardware, mapping, or the part of a name before its dot: a layer, a
    level) whole from one parent, so that choices which fit one another stay together; then an order is mended by swaps,
    a size by a step, another choice by a draw.
    """

    def _child(self, front: NDArray[np.int64], crowd: NDArray[np.float64]) -> Point:
        space, options = self._context.space, self._context.options
        first, second = self._tournament(front, crowd), self._tournament(front, crowd)
        child = dict(first)
        if self._rng.random() < options["crossover_probability"]:
            parts = {d.name: d.name.rpartition(".")[0] or d.group for d in space.decisions}
            from_second = {part for part in dict.fromkeys(parts.values()) if self._rng.random() < 0.5}
            child = {name: value for name, value in first.items() if parts[name] not in from_second}
            child |= {name: value for name, value in second.items() if parts[name] in from_second}
            child = space.completed(child, self._rng)
        movable = [d for d in space.decisions if d.name in child and d.size > 1]
        count = 1 + int(self._rng.binomial(max(len(movable) - 1, 0), min(1.0, 0.5 / max(len(movable), 1))))
        for place in self._rng.choice(len(movable), size=min(count, len(movable)), replace=False) if movable else []:
            decision = movable[int(place)]
            if decision.name in child:
                changed = {**child, decision.name: moved(decision, child[decision.name], self._rng)}
                child = space.completed(changed, self._rng)
        return child
