"""How far a search of an oracle's networks can get that knows all but chance: a yardstick for real ones.

Cells that compute the same were trained apart and differ by chance. The informed search is told, before its first
evaluation, every network's front over all accelerators, the mean accuracy of each computation and how far single
trainings scatter about it; what it does not know is how each network came out. It measures one network after another,
each time the one with the largest expected gain of hypervolume (expected improvement: Mockus 1975; of hypervolume:
Emmerich 2006). A real search has to learn the means first.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from benchmarks.oracle_space import Floats, Oracle, Truth, hypervolume

#: Places along latency and along energy at which fronts are compared.
_PLACES = 48
#: A computation with so many trainings tells how far they scatter.
_ENOUGH = 10


def informed_shares(
    oracle: Oracle, truth: Truth, fronts: Sequence[NDArray[np.int64]], budgets: Sequence[int], seed: int
) -> dict[int, float]:
    """Shares of the true hypervolume after so many networks.

    Args:
        oracle: everything known.
        truth: its front.
        fronts: of each kind, the accelerators of its front.
        budgets: ascending.
        seed: which of a computation's networks are measured first.
    """
    rng = np.random.default_rng(seed)
    error = 1.0 - oracle.accuracy
    sizes = np.bincount(oracle.same)
    mean = np.bincount(oracle.same, error) / sizes
    variance = np.maximum(np.bincount(oracle.same, error**2) / sizes - mean**2, 0.0)  # rounding may go below
    scatter = float(np.median(np.sqrt(variance[sizes >= _ENOUGH]) / mean[sizes >= _ENOUGH])) * mean

    first = np.unique(oracle.same, return_index=True)[1]
    kind = oracle.kind[first]  # of each computation
    costs = [np.log(np.column_stack([oracle.latency_ms[k, f], oracle.energy_uj[k, f]])) for k, f in enumerate(fronts)]
    covers = _covered(costs, truth.bound)
    waiting = [list(rng.permutation(np.flatnonzero(oracle.same == number))) for number in range(len(sizes))]
    best = np.full(covers.shape[1], truth.bound[0])  # least error so far of what is no dearer, at each place
    rows, shares = list[Floats](), dict[int, float]()
    for done in range(1, max(budgets) + 1):
        gain = _gains(best, covers, kind, mean, scatter)
        gain[[not left for left in waiting]] = -1.0
        place = int(np.argmax(gain))
        network = waiting[place].pop()
        best = np.where(covers[kind[place]], np.minimum(best, error[network]), best)
        known = costs[kind[place]]
        rows.append(np.column_stack([np.full(len(known), error[network]), known]))
        if done in budgets:
            shares[done] = hypervolume(np.concatenate(rows), truth.bound) / truth.volume
    return shares


def _covered(costs: Sequence[Floats], bound: Floats) -> NDArray[np.bool_]:
    """[kinds, places]: some design of the kind's front is no dearer than the place."""
    low = np.min([front.min(axis=0) for front in costs if len(front)], axis=0)
    axes = [np.linspace(low[axis], bound[1 + axis], _PLACES) for axis in range(2)]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    out = np.zeros((len(costs), len(places)), dtype=bool)
    for kind, front in enumerate(costs):
        for row in front:
            out[kind] |= (row <= places).all(axis=1)
    return out


def _gains(best: Floats, covers: NDArray[np.bool_], kind: NDArray[np.int64], mean: Floats, scatter: Floats) -> Floats:
    """[computations]: expected gain of hypervolume, in error times places."""
    levels, level_of = np.unique(best, return_inverse=True)
    onto = np.zeros((len(best), len(levels)), dtype=np.float32)
    onto[np.arange(len(best)), level_of] = 1.0
    counts = (covers.astype(np.float32) @ onto)[kind]
    ahead = levels - mean[:, None]
    ratio = ahead / scatter[:, None]
    density = np.exp(-0.5 * ratio**2) / np.sqrt(2 * np.pi)
    out: Floats = (counts * (ahead * ndtr(ratio) + scatter[:, None] * density)).sum(axis=1)
    return out
