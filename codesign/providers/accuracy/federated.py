"""Accuracy of networks that clients train together, none of which shows its images."""

from __future__ import annotations

from codesign.providers.accuracy.train import TrainProvider
from codesign.providers.base import ProviderContext


class FederatedProvider(TrainProvider):
    """As :class:`TrainProvider`, by federated averaging (:class:`codesign.accuracy.federated.FederatedEvaluator`)."""

    def __init__(self, context: ProviderContext) -> None:
        super().__init__(context, "federated")
