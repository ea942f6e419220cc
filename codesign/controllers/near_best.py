"""Random search, a part of which stays near the best so far (Chen 2018, dense prediction cells; Golovin 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from codesign.controllers.controller import ControllerContext, Told
from codesign.controllers.proposals import Key, Seen, key_of, step
from codesign.controllers.scalar import Archive
from codesign.decisions import Point


class NearBest:
    """Each proposal is an even draw or, with the chance ``near``, one changed decision of one of the ``best`` so far.

    The best are those of the goal's reward, or of a preference drawn anew for each proposal.
    """

    def __init__(self, context: ControllerContext) -> None:
        self._context, self._rng, self._seen = context, context.rng("near best"), Seen()
        self._archive = Archive(context.goal)
        #: Proposals that were changes of a good one; the others were drawn evenly.
        self.near: set[Key] = set()

    def ask(self, count: int) -> list[Point]:
        """Draws and changes as they come; even draws until something is known."""
        return [self._proposal() for _ in range(count)]

    def _draw(self) -> Point:
        return self._context.space.draw(self._rng)

    def _proposal(self) -> Point:
        options = self._context.options
        if not len(self._archive) or self._rng.random() >= float(options["near"]):
            return self._seen.fresh(self._draw, self._draw)
        scores = self._archive.scores(self._archive.draw_weights(self._rng))
        best = np.argsort(-scores, kind="stable")[: int(options["best"])]
        base = self._archive.told[int(self._rng.choice(best))].point
        point = self._seen.fresh(partial(step, self._context.space, base, self._rng, 0.0), self._draw)
        self.near.add(key_of(point))
        return point

    def tell(self, told: Sequence[Told]) -> None:
        """Keep what became of proposals, also of others'."""
        self._archive.extend(told)
        for item in told:
            self._seen.add(item.point)
