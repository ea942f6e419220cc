"""What a search is for: metrics, objectives, limits and rewards."""

from codesign.objectives.goal import Goal, Limit, Outcome
from codesign.objectives.metrics import METRICS, Metric
from codesign.objectives.rewards import REWARDS, Reward

__all__ = ["METRICS", "REWARDS", "Goal", "Limit", "Metric", "Outcome", "Reward"]
