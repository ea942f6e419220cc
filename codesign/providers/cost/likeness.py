"""How far a network is from one that an expert made: a topology that is known to train well guides a search."""

from __future__ import annotations

from collections.abc import Sequence

from codesign.providers.base import Candidate, Measurement, ProviderContext
from mappings.errors import Fault, SpecError


class LikenessProvider:
    """The space's own distance of each network to the expert's.

    Options: ``expert``, its decisions.

    Args:
        context: of the run.

    Raises:
        SpecError: decisions that are none of the space, or that are missing.
    """

    metrics = ("expert_distance",)
    needs = ()
    key = "network"

    def __init__(self, context: ProviderContext) -> None:
        networks = context.space.decisions.of_groups("network")
        given = dict(context.options["expert"])
        missing = [name for name in networks.names if name not in given]
        if missing:
            what = f"leaves {missing[0]} open"
            raise SpecError(
                Fault("providers.likeness.expert", what, f"a choice of each of {', '.join(networks.names)}")
            )
        networks.check(given, "providers.likeness.expert")
        self._expert, self._names = given, networks.names
        self._distance = context.space.hooks["distance"]

    def prepare(self) -> None:
        """Nothing to prepare."""

    def measure(self, candidates: Sequence[Candidate]) -> list[Measurement]:
        """The distance of each network."""
        out = []
        for candidate in candidates:
            own = {name: candidate.point[name] for name in self._names if name in candidate.point}
            out.append(Measurement({"expert_distance": float(self._distance(own, self._expert))}))
        return out
