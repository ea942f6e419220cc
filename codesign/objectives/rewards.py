"""Rewards: several metrics as one number to climb, for controllers that climb one.

A reward is made from typed options and is a function of a design's metrics; an infeasible design has none, and
controllers take ``infeasible`` in its place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from mappings.errors import Fault, SpecError
from mappings.registry import Registry


class Reward(Protocol):
    """One number of a feasible design; larger is better."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """What it reads."""
        ...

    def __call__(self, metrics: Mapping[str, float]) -> float:
        """The reward."""
        ...


def _refuse_divisors(**divisors: float) -> None:
    """Refuse what a metric is divided by and is not above 0.

    Raises:
        SpecError: all of them at once.
    """
    faults = [Fault(f"reward.{name}", f"is {value:g}", "above 0") for name, value in divisors.items() if value <= 0]
    if faults:
        raise SpecError(faults)


def _named(option: str, values: tuple[tuple[str, float], ...]) -> dict[str, float]:
    return {f"{option}.{name}": value for name, value in values}


@dataclass(frozen=True)
class SoftConstraint:
    """``quality * (metric / target) ^ exponent`` (Tan 2019, eq. 2 and 3).

    Attributes:
        quality: name of the metric to raise.
        metric: name of the metric with a target.
        target: T.
        below, above: exponent where the metric is under and over its target; 0 below and -1 above is the hard form.
    """

    metric: str = "latency_ms"
    target: float = 1.0
    below: float = -0.07
    above: float = -0.07
    quality: str = "accuracy"

    def __post_init__(self) -> None:
        """Refuse what cannot be divided by."""
        _refuse_divisors(target=self.target)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Quality and metric."""
        return (self.quality, self.metric)

    def __call__(self, metrics: Mapping[str, float]) -> float:
        """The reward."""
        ratio = metrics[self.metric] / self.target
        return float(metrics[self.quality] * ratio ** (self.above if ratio > 1 else self.below))


@dataclass(frozen=True)
class WeightedSum:
    """``sum of weight * metric / scale`` (MONAS: Hsu 2018, eq. 3); a metric to lower has a negative weight.

    Attributes:
        weights: by metric.
        scales: by metric; 1 where left out.
    """

    weights: tuple[tuple[str, float], ...] = (("accuracy", 1.0), ("latency_ms", -0.1))
    scales: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be divided by."""
        _refuse_divisors(**_named("scales", self.scales))

    @property
    def metrics(self) -> tuple[str, ...]:
        """Those with a weight."""
        return tuple(name for name, _ in self.weights)

    def __call__(self, metrics: Mapping[str, float]) -> float:
        """The reward."""
        scale = dict(self.scales)
        return sum(weight * metrics[name] / scale.get(name, 1.0) for name, weight in self.weights)


@dataclass(frozen=True)
class WeightedProduct:
    """``product of metric ^ weight``; a metric to lower has a negative weight."""

    weights: tuple[tuple[str, float], ...] = (("accuracy", 1.0), ("latency_ms", -0.07))

    @property
    def metrics(self) -> tuple[str, ...]:
        """Those with a weight."""
        return tuple(name for name, _ in self.weights)

    def __call__(self, metrics: Mapping[str, float]) -> float:
        """The reward."""
        return math.exp(sum(w * math.log(max(metrics[name], 1e-300)) for name, w in self.weights))


@dataclass(frozen=True)
class Tchebycheff:
    """The worst weighted distance from an ideal (min-max; Miettinen 1999): ``-max w |metric - ideal| / scale``.

    Attributes:
        ideals: by metric.
        weights, scales: by metric; 1 where left out.
    """

    ideals: tuple[tuple[str, float], ...] = (("accuracy", 1.0), ("latency_ms", 0.0))
    weights: tuple[tuple[str, float], ...] = ()
    scales: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be divided by."""
        _refuse_divisors(**_named("scales", self.scales))

    @property
    def metrics(self) -> tuple[str, ...]:
        """Those with an ideal."""
        return tuple(name for name, _ in self.ideals)

    def __call__(self, metrics: Mapping[str, float]) -> float:
        """The reward."""
        weight, scale = dict(self.weights), dict(self.scales)
        return -max(
            weight.get(name, 1.0) * abs(metrics[name] - ideal) / scale.get(name, 1.0) for name, ideal in self.ideals
        )


@dataclass(frozen=True)
class Specifications:
    """Several specifications (Yang 2020, NASAIC, eq. 3): ``quality - penalty * sum of max(0, metric / bound - 1)``.

    Attributes:
        bounds: by metric to keep under.
        penalty: of one whole bound too much.
        quality: name of the metric to raise.
    """

    bounds: tuple[tuple[str, float], ...] = (("latency_ms", 1.0),)
    penalty: float = 10.0
    quality: str = "accuracy"

    def __post_init__(self) -> None:
        """Refuse what cannot be divided by."""
        _refuse_divisors(**_named("bounds", self.bounds))

    @property
    def metrics(self) -> tuple[str, ...]:
        """Quality and those with a bound."""
        return (self.quality, *(name for name, _ in self.bounds))

    def __call__(self, metrics: Mapping[str, float]) -> float:
        """The reward."""
        over = sum(max(0.0, metrics[name] / bound - 1.0) for name, bound in self.bounds)
        return metrics[self.quality] - self.penalty * over


def _register_builtins(registry: Registry[Callable[..., Reward]]) -> None:
    registry.register("soft_constraint", SoftConstraint)
    registry.register("weighted_sum", WeightedSum)
    registry.register("weighted_product", WeightedProduct)
    registry.register("tchebycheff", Tchebycheff)
    registry.register("specifications", Specifications)


REWARDS: Registry[Callable[..., Reward]] = Registry("reward", _register_builtins)
