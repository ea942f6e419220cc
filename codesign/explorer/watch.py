"""How a search stands while it runs: what a terminal or a log is shown."""

from __future__ import annotations

from codesign.drivers.base import Journal
from codesign.drivers.registry import DRIVERS
from codesign.explorer.search import feasible, search_front
from codesign.objectives import METRICS
from codesign.progress import Glance
from codesign.recipe import Recipe
from mappings.errors import counted

_ROWS = 12


def figure(name: str, value: float) -> str:
    """A metric for people."""
    return f"{value:.1%}" if name == "accuracy" else f"{value:,.4g}"


class Watch:
    """Looks at the journal.

    Args:
        recipe: what runs.
        journal: of the run.
    """

    def __init__(self, recipe: Recipe, journal: Journal) -> None:
        self._recipe, self._journal = recipe, journal
        self._done = self._trained = 0
        self._counts_designs = DRIVERS.get(recipe.driver.name).unit == "designs"

    def advance(self) -> None:
        """One more of the budget is done."""
        self._done += 1

    def trained(self) -> None:
        """One more network is known to a dear provider; its designs are told with their batch."""
        self._trained += 1

    def glance(self) -> Glance:
        """Best of each objective, and the front."""
        recipe, trials = self._recipe, list(self._journal)
        done = len(trials) if self._counts_designs else self._done
        found, within = feasible(trials), sum(trial.told.outcome.feasible for trial in trials)
        share = f"{within:,} of {counted(len(trials), 'design')} feasible"
        if not found:
            state = f"{share}, none measured in full yet" if within else "no design told within its bounds yet"
            return Glance(done, f"{counted(self._trained, 'network')} trained, {state}")
        front = search_front(recipe.goal, found)
        best = []
        for name in recipe.objectives:
            values = [item.metrics[name] for item in front]
            best.append(f"{name} {figure(name, max(values) if METRICS.get(name).maximize else min(values))}")
        share += f", {len(found):,} measured in full" if len(found) < within else ""
        line = f"{share}, {len(front):,} on the front; best " + ", ".join(best)
        shown = search_front(recipe.goal, front, _ROWS)
        first = recipe.objectives[0]
        shown.sort(key=lambda item: item.metrics[first], reverse=METRICS.get(first).maximize)
        rows = tuple(
            (str(item.number), *(figure(name, item.metrics[name]) for name in recipe.objectives)) for item in shown
        )
        return Glance(done, line, ("trial", *recipe.objectives), rows)
