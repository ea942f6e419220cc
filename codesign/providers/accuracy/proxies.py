"""Zero-cost proxies: scores of untrained networks, to rank them or to keep poor ones from training."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from accel_models.report import Infeasible
from codesign.accuracy.data import check_fits, load_dataset
from codesign.accuracy.proxies import PROXIES, proxy
from codesign.decisions import Point
from codesign.providers.base import Candidate, Measurement, ProviderContext
from codesign.seeds import derive_seed
from codesign.spaces.search_space import NETWORK_GROUPS
from mappings.workload import Workload

#: Of a network that no score can be had of: less than any, and finite.
_LEAST = -1e9


class ProxyProvider:
    """One score for each proxy, and a gate.

    Args:
        context: of the run. Option ``gate`` is the share of networks that go on: with it over 0, a network below that
            quantile of ``drawn`` networks of the space, by ``by``, is refused before dear providers see it.
    """

    metrics = PROXIES
    needs = ("workload",)
    key = "network"

    def __init__(self, context: ProviderContext) -> None:
        self._context = context
        self._bound = -math.inf

    def prepare(self) -> None:
        """Score some networks of the space, for the gate."""
        gate, space = float(self._context.options["gate"]), self._context.space
        self._data = load_dataset(space.network.dataset)
        if gate >= 1:
            return
        networks = space.decisions.of_groups(*NETWORK_GROUPS)
        rng = np.random.default_rng(derive_seed(self._context.seed, "proxies"))
        drawn: list[Point] = [networks.draw(rng) for _ in range(int(self._context.options["drawn"]))]
        scores = [self._score(str(self._context.options["by"]), space.network_at(point).workload) for point in drawn]
        self._bound = float(np.quantile(scores, 1 - gate))

    def _score(self, name: str, workload: Workload) -> float:
        check_fits(self._data, workload)
        seed = derive_seed(self._context.seed, "proxy", name)
        return max(_LEAST, proxy(name, workload, self._data, seed, int(self._context.options["images"])))

    def measure(self, candidates: Sequence[Candidate]) -> list[Measurement]:
        """Scores of each network; the first that fails the gate is its broken bound."""
        by, out = str(self._context.options["by"]), []
        for candidate in candidates:
            assert candidate.workload is not None, "a candidate without a workload is not measured"
            metrics = {name: self._score(name, candidate.workload) for name in PROXIES}
            broken: tuple[Infeasible, ...] = ()
            if metrics[by] < self._bound:
                remedy = f"a network that scores at least {self._bound:.4g}, or a larger gate"
                broken = (Infeasible(by, metrics[by], self._bound, "score", remedy),)
            out.append(Measurement(metrics, broken))
        return out
