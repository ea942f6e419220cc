"""Clients that hold images of their own, train apart and are averaged (McMahan 2017)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from codesign.accuracy.data import Dataset
from codesign.seeds import derive_seed
from mappings.errors import Fault, SpecError

State = Mapping[str, Tensor]
#: Fewest images of a client, as a share of an even part.
_LEAST = 0.25
_DRAWS = 1000


def clients_of(data: Dataset, count: int, concentration: float, seed: int) -> list[Dataset]:
    """The training images dealt to clients, each class by shares of a Dirichlet distribution (Hsu 2019).

    Other parts are everybody's. Shares are drawn anew until every client has at least a quarter of an even part.

    Args:
        concentration: small: a client holds few classes; large: all hold the same.

    Raises:
        SpecError: labels that are no classes of images, or too few images for so many clients.
    """
    labels = data.labels["train"]
    where = f"{count} clients of {data.name}"
    if labels.ndim != 1:
        raise SpecError(
            Fault(where, f"are dealt classes of images, and it is for {data.task}", "data of classification")
        )
    rng = np.random.default_rng(derive_seed(seed, "clients", count))
    for _ in range(_DRAWS):
        parts: list[list[int]] = [[] for _ in range(count)]
        for kind in np.unique(labels):
            places = rng.permutation(np.flatnonzero(labels == kind))
            ends = np.round(np.cumsum(rng.dirichlet(np.full(count, concentration))) * len(places)).astype(int)
            for part, some in zip(parts, np.split(places, ends[:-1]), strict=True):
                part += some.tolist()
        if min(len(part) for part in parts) >= max(2, _LEAST * len(labels) / count):
            return [_held(data, np.sort(np.array(part))) for part in parts]
    raise SpecError(Fault(where, f"leave one with hardly any of {len(labels)} images", "fewer, or more alike ones"))


def _held(data: Dataset, places: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Dataset:
    images = {**data.images, "train": data.images["train"][places]}
    return replace(data, images=images, labels={**data.labels, "train": data.labels["train"][places]})


def averaged(states: Sequence[State], weights: Sequence[float]) -> dict[str, Tensor]:
    """The mean of networks that clients hold, by weights such as their numbers of images; counters are the first's."""
    total = sum(weights)
    found = {}
    for name, first in states[0].items():
        if first.is_floating_point():
            parts = [state[name].double() * (weight / total) for state, weight in zip(states, weights, strict=True)]
            found[name] = torch.stack(parts).sum(dim=0).to(first.dtype)
        else:
            found[name] = first.clone()
    return found
