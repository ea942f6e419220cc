"""How drivers measure: what the journal holds already is taken from it, in order; the rest is measured and recorded.

So a driver is a plain program from its first line to its last, and going on after a kill is running it again: it asks
and tells its controllers as it did before, and comes to where it was without measuring anything twice. Several workers
of one run are the same program several times over: each finds in the journal what another has told before it.
"""

from __future__ import annotations

from collections.abc import Sequence

from codesign.controllers.controller import Told
from codesign.decisions import Point
from codesign.drivers.base import DriverContext, Trial
from mappings.errors import Fault, SpecError


class Ledger:
    """The journal of a run as a driver sees it.

    Args:
        context: of the driver.
    """

    def __init__(self, context: DriverContext) -> None:
        self._context = context
        self._held = list(context.journal)
        self._done = 0

    def __len__(self) -> int:
        """Trials so far, those that are taken from the journal among them."""
        return self._done

    @property
    def left(self) -> int:
        """Trials of the budget that are left."""
        return self._context.budget - self._done

    def held(self, phase: str) -> list[Told]:
        """Trials of a phase that come next in the journal; they count as done."""
        out = []
        while self._done < len(self._held) and self._held[self._done].phase == phase:
            out.append(self._held[self._done].told)
            self._done += 1
        return out

    def measure(
        self,
        points: Sequence[Point],
        phase: str | Sequence[str] = "",
        *,
        fidelity: float = 1.0,
        gated: bool = True,
        within_budget: bool = True,
    ) -> list[Told]:
        """Points with what became of them, in order.

        Args:
            phase: one for all, or one a point.
            within_budget: points beyond the budget are left out.

        Raises:
            SpecError: the journal holds other points: it was made by another version of what is run.
        """
        if within_budget:
            points = points[: max(self.left, 0)]
        phases = [phase] * len(points) if isinstance(phase, str) else list(phase)
        known = self._known(points, phases)
        missing = points[len(known) :]
        if missing:
            outcomes = self._context.problem.measure(missing, fidelity=fidelity, gated=gated)
            names = phases[len(known) :]
            trials = [
                Trial(Told(point, outcome), name, fidelity)
                for point, outcome, name in zip(missing, outcomes, names, strict=True)
            ]
            self._context.journal.append(trials, self._done + len(known))
            known = self._known(points, phases)
        self._done += len(known)
        if within_budget:
            for _ in known:
                self._context.advance()
        return known

    def _known(self, points: Sequence[Point], phases: Sequence[str]) -> list[Told]:
        """What the journal holds of the points that come next."""
        self._held += self._context.journal.since(len(self._held))
        known = self._held[self._done : self._done + len(points)]
        for number, (trial, point, name) in enumerate(zip(known, points, phases, strict=False), self._done):
            if trial.told.point != point or trial.phase != name:
                what = "is another point than this version proposes there; nothing was changed"
                raise SpecError(Fault(f"trial {number} of the study", what, "a new run in another folder"))
        return [trial.told for trial in known]
