"""What a search of mappings minimises, compiled, and what it counts on its way."""

from __future__ import annotations

from typing import Any

import numpy as np

from accel_models.jit import entry

#: Counters, by position in ``tally``.
OUTER, SPREADS, INNER, PAIRS, EVALUATED, FEASIBLE, CUT = range(7)
TALLY = 7


@entry
def worth(energy: float, cycles: float, objective: Any) -> tuple[float, float]:
    """Value of an objective ``energy ** a * cycles ** b``, and what decides between equals (0: nothing does)."""
    value = 1.0
    for _ in range(objective[0]):
        value *= energy
    for _ in range(objective[1]):
        value *= cycles
    if objective[2] == 0:
        return value, 0.0
    return value, energy if objective[0] == 0 else cycles


@entry
def beats(energy: float, cycles: float, objective: Any, best: Any) -> bool:
    """Whether figures (or bounds of them) are better than the best so far, ``best = [value, tie-break]``."""
    value, tie = worth(energy, cycles, objective)
    return bool(value < best[0] or (value == best[0] and tie < best[1]))


@entry
def worths(energy: Any, cycles: Any, objective: Any) -> Any:
    """:func:`worth` of arrays."""
    values, ties = np.empty_like(energy), np.empty_like(energy)
    for j in range(energy.size):
        values[j], ties[j] = worth(energy[j], cycles[j], objective)
    return values, ties
