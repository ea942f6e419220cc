"""Decisions: what a search may choose, one named choice at a time."""

from codesign.decisions.decision import (
    Choice,
    Decision,
    Permutation,
    Point,
    Real,
    Value,
    Variable,
    When,
    check_point,
    count_points,
)
from codesign.decisions.space import DecisionSpace

__all__ = [
    "Choice",
    "Decision",
    "DecisionSpace",
    "Permutation",
    "Point",
    "Real",
    "Value",
    "Variable",
    "When",
    "check_point",
    "count_points",
]
