"""Drivers of which each trial is a whole search with a seed of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

from codesign.decisions import Point
from codesign.drivers.base import DriverContext
from codesign.drivers.ledger import Ledger

_Shared = TypeVar("_Shared")


def whole_searches(
    context: DriverContext, make: Callable[[DriverContext], _Shared], search: Callable[[_Shared, int], Point]
) -> None:
    """Until the journal holds the budget's searches: each ends with one point, which the providers measure.

    Args:
        make: what all searches of a run share; made where a search is left.
        search: one search by its number, which gives it its seed.
    """
    torch.set_num_threads(1)  # equal results whatever the machine
    ledger = Ledger(context)
    done = len([item for number in range(context.budget) for item in ledger.held(f"search {number}")])
    for _ in range(done):
        context.advance()
    if done == context.budget:
        return
    shared = make(context)
    for number in range(done, context.budget):
        ledger.measure([search(shared, number)], f"search {number}", within_budget=False)
        context.advance()
