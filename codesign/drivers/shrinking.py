"""A network that shrinks while it trains, until it is within its limit (Mei 2020, AtomNAS)."""

from __future__ import annotations

from codesign.accuracy.data import check_fits, load_dataset
from codesign.decisions import Decision, Point
from codesign.drivers.base import DriverContext
from codesign.drivers.parts import joined, options_of, tightest_limit, uncompressed
from codesign.drivers.searches import whole_searches
from codesign.gradient.shrinking import ShrinkOptions, Shrunk, shrink
from codesign.objectives import Limit
from codesign.seeds import derive_seed
from codesign.spaces.compression.layer_channels import kept_count, widths
from mappings.errors import Fault, SpecError
from mappings.workload import Workload


class Shrinking:
    """Each trial is a whole search with a seed of its own: a network that shrinks while it trains; the channels that
    are left of each layer are the point, which the recipe's providers measure.

    A layer keeps the smallest of its shares that has as many channels as are left; where that is over the limit, the
    layer that has most to spare goes down by one share, and so on.

    Options: those of :class:`ShrinkOptions`; ``held`` (decisions of network and hardware; else the last choice of the
    network's, and drawn ones of the hardware's).
    """

    def __init__(self) -> None:
        #: What became of each search that was run.
        self.found: list[Shrunk] = []

    def run(self, context: DriverContext) -> None:
        """Until the journal holds the budget's trials.

        Raises:
            SpecError: no limit that the cheap providers know, or channels that no share stands for.
        """
        whole_searches(context, _Search, self._search)

    def _search(self, shared: _Search, number: int) -> Point:
        self.found.append(shared.shrunk(number))
        return shared.point(self.found[-1])


class _Search:
    """The largest network, what a smaller one costs, and the point that it is."""

    def __init__(self, context: DriverContext) -> None:
        self._context = context
        self._whole, workload, self._space = uncompressed(context, "shrinking")
        self._workload, space = workload, self._space
        self._decisions = {d.name: d for d in context.problem.space.of_groups("compression").choices}
        subjects = space.compression.subjects(workload)  # type: ignore[attr-defined]
        about = {names: self._decisions[name] for name, names in subjects.items()}
        found = widths(workload)
        #: By the first tensor of a width: its channels, and the decision about them.
        self._widths = {w.tensors[0]: (w.count, about[w.writers]) for w in found if w.writers in about}
        if len(self._widths) != len(found) or not all(map(_is_share, self._decisions.values())):
            what = f"has {len(about)} decisions for {len(found)} widths of the network"
            allowed = f"layer_channels with slots: {len(found)}, ascending shares up to 1"
            raise SpecError(Fault("driver shrinking: compression", what, allowed))
        self._limit = self._tightest()

    def _tightest(self) -> Limit:
        found = tightest_limit(self._context, self._whole)
        if found is None:
            (outcome,) = self._context.problem.price(self._whole, [{}])
            what = "has no limit that a provider before the dear ones knows"
            raise SpecError(Fault("driver shrinking", what, ", ".join(outcome.metrics) or "a limit"))
        return found

    def _cost(self, point: Point) -> float:
        (outcome,) = self._context.problem.price(point, [{}])
        return outcome.metrics[self._limit.metric]

    def _cost_of(self, workload: Workload) -> float:
        """Of the nearest point: shares are as fine as the space has them."""
        return self._cost(self._at({w.tensors[0]: w.count for w in widths(workload)}))

    def _at(self, counts: dict[str, int]) -> Point:
        """The point whose shares have at least so many channels; a width that is no longer there has one."""
        values = {}
        for name, (whole, decision) in self._widths.items():
            count = counts.get(name, 1)
            values[decision.name] = next(c for c in decision.choices if kept_count(whole, float(c)) >= count)
        return joined(self._context, self._whole, values)

    def shrunk(self, number: int) -> Shrunk:
        """One search."""
        options = options_of(ShrinkOptions, self._context)
        data = load_dataset(self._space.network.dataset)
        check_fits(data, self._workload)
        seed = derive_seed(self._context.seed, "shrinking", number)
        return shrink(self._workload, data, self._cost_of, self._limit.bound, options, seed)

    def point(self, found: Shrunk) -> Point:
        """Within the limit, where the smallest shares are."""
        point = self._at(dict(found.counts))
        while self._limit.excess(self._cost(point)) > 0:
            lower = {
                name: below[-1]
                for name, (whole, decision) in self._widths.items()
                if (below := [c for c in decision.choices if float(c) < float(point[decision.name])])
            }
            if not lower:
                break
            spare = {
                name: found.counts.get(name, 1) / kept_count(self._widths[name][0], float(choice))
                for name, choice in lower.items()
            }
            name = min(spare, key=lambda key: spare[key])
            point = joined(self._context, point, {self._widths[name][1].name: lower[name]})
        return point


def _is_share(decision: Decision) -> bool:
    """Whether its choices are ascending shares up to all."""
    shares = [float(choice) for choice in decision.choices if isinstance(choice, (int, float))]
    return len(shares) == len(decision.choices) and shares == sorted(shares) and shares[-1] == 1.0
