"""What is searched: a space, a goal, and providers in order, cheap to dear, with gates between them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accel_models.report import Infeasible
from codesign.decisions import DecisionSpace, Point
from codesign.objectives import Goal, Outcome
from codesign.providers.base import Candidate, Measurement, Provider
from codesign.providers.registry import ProviderEntry
from codesign.spaces.search_space import SearchSpace
from mappings.errors import Fault, SpecError

#: Results in memory; beyond it they are forgotten and measured again.
_MOST_KEPT = 500_000


@dataclass
class Step:
    """One provider of the ladder.

    Attributes:
        name, entry, provider: as registered and made.
        kept: results by key and fidelity.
        file: where the results of a dear provider are kept as soon as they are known, or None.
    """

    name: str
    entry: ProviderEntry
    provider: Provider
    kept: dict[tuple[Any, float], Measurement] = field(default_factory=dict)
    file: Path | None = None

    def load(self) -> None:
        """Read back what an earlier process kept; a line that a kill cut off is passed over."""
        if self.file is None or not self.file.exists():
            return
        for line in self.file.read_text(encoding="utf-8").splitlines():
            try:
                key, fidelity, metrics, broken = json.loads(line)
            except ValueError:
                continue
            bounds = tuple(Infeasible.from_dict(item) for item in broken)
            self.kept[key, fidelity] = Measurement(metrics, bounds)

    def keep(self, key: Any, fidelity: float, found: Measurement) -> None:
        """Remember one result."""
        if len(self.kept) > _MOST_KEPT:
            self.kept.clear()
        self.kept[key, fidelity] = found
        if self.file is not None:
            line = json.dumps([key, fidelity, dict(found.metrics), [item.to_dict() for item in found.broken]])
            with self.file.open("a", encoding="utf-8") as file:
                file.write(line + "\n")

    def key(self, candidate: Candidate) -> Any:
        """By what results are shared."""
        return candidate.network if self.entry.key == "network" else tuple(candidate.point.items())


@dataclass
class _State:
    """A candidate on its way through the ladder."""

    candidate: Candidate
    metrics: dict[str, float]
    broken: list[Infeasible]
    by: list[str]

    def outcome(self) -> Outcome:
        return Outcome(self.metrics, tuple(self.broken), tuple(self.by))


class SearchProblem:
    """Points to outcomes.

    Args:
        space: what points stand for.
        goal: limits are gates: a design that breaks one is not shown to dear providers.
        steps: the ladder.
        measured: called for each result of a dear provider, for progress.
    """

    def __init__(
        self, space: SearchSpace, goal: Goal, steps: Sequence[Step], measured: Callable[[], None] = lambda: None
    ) -> None:
        self.space: DecisionSpace = space.decisions
        self.search_space, self.goal = space, goal
        self._steps, self._measured = list(steps), measured

    def measure(self, points: Sequence[Point], *, fidelity: float = 1.0, gated: bool = True) -> list[Outcome]:
        """Outcomes in order."""
        states = self._decoded(points)
        for step in self._steps:
            self._run(step, states, fidelity, gated)
        return [state.outcome() for state in states]

    def price(self, network: Point, rows: Sequence[Point]) -> list[Outcome]:
        """What is known of a network on each accelerator before the dear providers are asked.

        Nothing of it is kept: a space of accelerators is seen once a network. A provider's own ``price`` may leave out
        by how much a bound is broken.
        """
        states = self._decoded([self.space.canonical({**network, **row}) for row in rows])
        for step in self._steps:
            if step.entry.dear:
                continue
            shown = [state for state in states if self._sees(step, state, gated=True)]
            if not shown:
                continue
            candidates = [state.candidate for state in shown]
            if step.entry.key == "network":
                found = step.provider.measure(candidates[:1]) * len(shown)
            else:
                found = getattr(step.provider, "price", step.provider.measure)(candidates)
            for state, item in zip(shown, found, strict=True):
                self._add(step, state, item)
        return [state.outcome() for state in states]

    def _add(self, step: Step, state: _State, found: Measurement) -> None:
        state.metrics.update(found.metrics)
        state.broken += [*found.broken, *self.goal.broken(found.metrics)]
        state.by.append(step.name)

    def _decoded(self, points: Sequence[Point]) -> list[_State]:
        return [_State(item, {}, list(item.broken), []) for item in self.search_space.decode(points, designs=False)]

    def _run(self, step: Step, states: Iterable[_State], fidelity: float, gated: bool) -> None:
        """One provider over what it may see: each key once, kept ones not again."""
        level = fidelity if "fidelity" in step.entry.offers else 1.0
        shown = [state for state in states if self._sees(step, state, gated)]
        missing: dict[Any, Candidate] = {}
        results: dict[Any, Measurement] = {}
        for state in shown:
            key = step.key(state.candidate)
            if (key, level) in step.kept:
                results[key] = step.kept[key, level]
            else:
                missing.setdefault(key, state.candidate)
        for key, found in self._measurements(step, missing, level):
            absent = [name for name in step.provider.metrics if name not in found.metrics]
            if absent and not found.broken:
                raise SpecError(Fault(f"provider {step.name}", f"did not give {', '.join(absent)}, which it declares"))
            step.keep(key, level, found)
            results[key] = found
        for state in shown:
            self._add(step, state, results[step.key(state.candidate)])

    @staticmethod
    def _sees(step: Step, state: _State, gated: bool) -> bool:
        if any(getattr(state.candidate, need) in (None, "") for need in step.provider.needs):
            return False
        return not (step.entry.dear and gated and state.broken)

    def _measurements(
        self, step: Step, missing: dict[Any, Candidate], fidelity: float
    ) -> Iterable[tuple[Any, Measurement]]:
        """Each key with its result; one by one as they come from a provider that can do so."""
        if not missing:
            return
        stream = getattr(step.provider, "stream", None)
        if stream is None:
            found = step.provider.measure(list(missing.values()))
            yield from zip(missing, found, strict=True)
            return
        for key, measurement in stream(list(missing.values()), fidelity):
            yield key, measurement
            self._measured()
