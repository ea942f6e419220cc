"""What is searched: a space, a goal, and providers in order, cheap to dear, with gates between them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from accel_models.pricing.whole import Account
from accel_models.report import Infeasible
from codesign.decisions import DecisionSpace, Point
from codesign.drivers.base import HardwareFronts
from codesign.explorer.fronts import SharedFronts
from codesign.explorer.measured import MeasuredFile, SharedFile
from codesign.objectives import Goal, Outcome
from codesign.providers.base import Candidate, Measurement, Provider
from codesign.providers.registry import ProviderEntry
from codesign.spaces.search_space import SearchSpace
from mappings.errors import Fault, SpecError

#: Results in memory; beyond it they are forgotten and measured again.
_MOST_KEPT = 500_000
#: How often a worker looks for what others were measuring.
_POLL_S = 0.1


@dataclass
class Step:
    """One provider of the ladder.

    Attributes:
        name, entry, provider: as registered and made.
        kept: results by key and fidelity.
        file: where the results of a dear provider are kept and shared as soon as they are known, or None.
    """

    name: str
    entry: ProviderEntry
    provider: Provider
    kept: dict[tuple[Any, float], Measurement] = field(default_factory=dict)
    file: MeasuredFile | None = None

    def refresh(self) -> None:
        """Know what other workers, and earlier ones, have measured."""
        if self.file is not None:
            for key, fidelity, found in self.file.fresh():
                self.kept[key, fidelity] = found

    def keep(self, key: Any, fidelity: float, found: Measurement) -> None:
        """Remember one result.

        Raises:
            SpecError: a metric that the provider declares is not in it.
        """
        absent = [name for name in self.provider.metrics if name not in found.metrics]
        if absent and not found.broken:
            raise SpecError(Fault(f"provider {self.name}", f"did not give {', '.join(absent)}, which it declares"))
        if self.file is not None:
            self.file.add(key, fidelity, found)
        elif len(self.kept) > _MOST_KEPT:
            self.kept.clear()
        self.kept[key, fidelity] = found

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
        fronts: where proved fronts are shared with other workers, or None.
    """

    def __init__(
        self,
        space: SearchSpace,
        goal: Goal,
        steps: Sequence[Step],
        measured: Callable[[], None] = lambda: None,
        fronts: SharedFile | None = None,
    ) -> None:
        self.space: DecisionSpace = space.decisions
        self.search_space, self.goal = space, goal
        self._steps, self._measured, self._fronts = list(steps), measured, fronts
        #: How each front over the whole hardware space was found, in this process.
        self.proofs: list[Account] = []

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

    @cached_property
    def hardware_fronts(self) -> HardwareFronts | None:
        """Networks' fronts over the whole hardware space by what the cheap provider proves; None: it cannot."""
        cheap = [step for step in self._steps if not step.entry.dear and step.entry.key != "network"]
        whole = getattr(cheap[0].provider, "whole", None) if len(cheap) == 1 else None
        found = None if whole is None else whole(self.search_space, self.goal)
        if found is None:
            return None

        def front(network: Point) -> list[Point]:
            workload = self.search_space.network_at(network).workload
            if workload is None:
                return []
            rows: list[Point] = found.front(workload)
            self.proofs.append(found.account)
            return rows

        return SharedFronts(front, self._fronts)

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
        if hasattr(step.provider, "stream"):  # the longest first, so that workers end together
            missing = dict(sorted(missing.items(), key=lambda item: -_macs(item[1])))
        measured = self._measured_here if step.file is None else self._measured_by_all
        results.update(measured(step, missing, level))
        for state in shown:
            self._add(step, state, results[step.key(state.candidate)])

    @staticmethod
    def _sees(step: Step, state: _State, gated: bool) -> bool:
        if any(getattr(state.candidate, need) in (None, "") for need in step.provider.needs):
            return False
        return not (step.entry.dear and gated and state.broken)

    def _measured_here(
        self, step: Step, missing: Mapping[Any, Candidate], fidelity: float
    ) -> Iterator[tuple[Any, Measurement]]:
        """Each key with its result; one by one as they come from a provider that can do so."""
        if not missing:
            return
        stream = getattr(step.provider, "stream", None)
        if stream is None:
            found = zip(missing, step.provider.measure(list(missing.values())), strict=True)
        else:
            found = stream(missing.values(), fidelity)
        for key, measurement in found:
            step.keep(key, fidelity, measurement)
            yield key, measurement
            if stream is not None:
                self._measured()

    def _measured_by_all(
        self, step: Step, missing: Mapping[Any, Candidate], fidelity: float
    ) -> Iterator[tuple[Any, Measurement]]:
        """The same shared with the run's other workers: each key is measured by the one that claimed it."""
        file, left = step.file, dict(missing)
        assert file is not None, "only results that are kept in a file are shared"
        mine = dict[Any, Candidate]()

        def claimed() -> Iterator[Candidate]:
            """What nobody else is at, one by one as the provider asks for more."""
            for key, candidate in left.items():
                if (key, fidelity) in step.kept or not file.claim(key, fidelity):
                    continue
                mine[key] = candidate
                step.refresh()  # it may have been measured just before it was claimed
                if (key, fidelity) not in step.kept:
                    yield candidate

        stream = getattr(step.provider, "stream", None)
        while left:
            step.refresh()
            try:
                if stream is None:
                    list(claimed())
                    asked = {key: one for key, one in mine.items() if (key, fidelity) not in step.kept}
                    for key, _ in self._measured_here(step, asked, fidelity):
                        file.release(key, fidelity)
                        del mine[key]
                else:
                    for key, found in stream(claimed(), fidelity):
                        step.keep(key, fidelity, found)
                        file.release(key, fidelity)
                        del mine[key]
                        self._measured()
            finally:
                for key in mine:
                    file.release(key, fidelity)
                mine.clear()
            done = [key for key in left if (key, fidelity) in step.kept]
            yield from ((key, step.kept[key, fidelity]) for key in done)
            left = {key: one for key, one in left.items() if (key, fidelity) not in step.kept}
            if left and not done:
                time.sleep(_POLL_S)


def _macs(candidate: Candidate) -> int:
    return 0 if candidate.workload is None else candidate.workload.macs
