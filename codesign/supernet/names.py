"""How networks of a space may share weights, by name: for options and the code behind. Loads no torch."""

from __future__ import annotations

#: Which networks share a training step (:mod:`codesign.supernet.sampling`).
STRATEGIES = ("uniform", "several", "fair", "sandwich", "progressive", "dropped", "growing", "greedy", "priority")
#: Those that draw each choice as often as any other, at all times.
EVEN = ("uniform", "fair")
#: Those that need the weights, and keep what they know of networks (:mod:`codesign.supernet.greedy`).
JUDGING = ("greedy", "priority")
#: How kernel sizes share weights: the middle of the largest, one of each size, or the middle through a learned matrix.
SHARING = ("crop", "own", "transform")
#: How weights are predicted in place of being shared (:mod:`codesign.supernet.predicted`).
PREDICTED = ("encoded", "graph")
KERNELS = (*SHARING, *PREDICTED)
