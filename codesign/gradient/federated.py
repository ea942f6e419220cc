"""A gradient search of clients: each learns weights and choices on its own images, and what they hold is averaged."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence

import torch

from codesign.accuracy.clients import averaged
from codesign.accuracy.data import Dataset
from codesign.gradient.derive import CostTable
from codesign.gradient.network import MixedNetwork
from codesign.gradient.search import GradientOptions, GradientSearch, Searched
from codesign.seeds import derive_seed


class FederatedSearch:
    """Rounds of ``local_steps`` steps of every client, from the mean of the round before (He 2020, FedNAS).

    Weights, logits and the multipliers of limits are averaged by the clients' numbers of images; the moments of a
    client's optimisers stay with it.

    Args:
        network: the relaxed network; holds the mean at the end.
        parts: images of each client (:func:`codesign.accuracy.clients.clients_of`).
        tables, limits, options: as of :class:`GradientSearch`; ``steps`` are those of each client.
        local_steps: of a round.
        seed: of batches and draws.
    """

    def __init__(
        self,
        network: MixedNetwork,
        parts: Sequence[Dataset],
        tables: Mapping[str, CostTable],
        limits: Mapping[str, float],
        options: GradientOptions,
        local_steps: int,
        seed: int,
    ) -> None:
        self._network, self._steps, self._local = network, options.steps, local_steps
        self._sizes = [len(part.labels["train"]) for part in parts]
        self._networks = [copy.deepcopy(network) for _ in parts]
        self._searches = [
            GradientSearch(own, part, tables, limits, options, derive_seed(seed, "client", place))
            for place, (own, part) in enumerate(zip(self._networks, parts, strict=True))
        ]

    def run(self, advance: Callable[[], None] = lambda: None) -> Searched:
        """All rounds; ``advance`` is called after each."""
        torch.set_num_threads(1)
        for search in self._searches:
            search.begin()
        for start in range(0, self._steps, self._local):
            for search in self._searches:
                for step in range(start, min(start + self._local, self._steps)):
                    search.take(step)
            mean = averaged([own.state_dict() for own in self._networks], self._sizes)
            multipliers = {
                name: sum(
                    search.multipliers[name] * size for search, size in zip(self._searches, self._sizes, strict=True)
                )
                / sum(self._sizes)
                for name in self._searches[0].multipliers
            }
            for own, search in zip(self._networks, self._searches, strict=True):
                own.load_state_dict(mean)
                search.multipliers = dict(multipliers)
            advance()
        self._network.load_state_dict(mean)
        return self._searches[0].searched(self._steps)
