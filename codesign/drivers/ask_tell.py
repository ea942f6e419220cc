"""One controller over all decisions."""

from __future__ import annotations

from collections.abc import Sequence

from codesign.controllers.proposals import Key, key_of
from codesign.decisions import DecisionSpace, Point
from codesign.drivers.base import DriverContext
from codesign.drivers.ledger import Ledger

#: Of a space of so few points a search knows which are left.
_FEW = 20_000


class AskTell:
    """Batch by batch: asked, measured, told; of a small space each point once, at most."""

    def run(self, context: DriverContext) -> None:
        """Until the journal holds the budget's trials, or every point of the space."""
        space = context.problem.space
        controller = context.make_controller("", space, context.problem.goal)
        ledger, left = Ledger(context), _Left(space) if space.size <= _FEW else None
        while ledger.left > 0:
            asked = controller.ask(context.batch if left is None else min(context.batch, len(left)))
            told = ledger.measure(asked if left is None else left.taken(asked))
            controller.tell(told)
            if left is not None and not len(left):
                return


class _Left:
    """Points of a small space that were not proposed yet."""

    def __init__(self, space: DecisionSpace) -> None:
        self._points: dict[Key, Point] = {key_of(point): point for point in space.enumerated()}

    def __len__(self) -> int:
        return len(self._points)

    def taken(self, asked: Sequence[Point]) -> list[Point]:
        """Proposals, the known ones of which are replaced by points that are left, in the space's order."""
        new = {key_of(point): point for point in asked if key_of(point) in self._points}
        for key in new:
            del self._points[key]
        for key in list(self._points)[: len(asked) - len(new)]:
            new[key] = self._points.pop(key)
        return list(new.values())
