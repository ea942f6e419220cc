"""How large a network is, whatever it runs on: the field's oldest stand-in for cost."""

from __future__ import annotations

from collections.abc import Sequence

from codesign.providers.base import Candidate, Measurement, ProviderContext
from mappings.operators import SecondOperand


class SizeProvider:
    """Counts of a workload.

    Args:
        context: of the run.
    """

    metrics = ("macs", "parameters", "weight_bytes")
    needs = ("workload",)
    key = "network"

    def __init__(self, context: ProviderContext) -> None:
        del context

    def prepare(self) -> None:
        """Nothing to prepare."""

    def measure(self, candidates: Sequence[Candidate]) -> list[Measurement]:
        """Figures of each network; a weighted operator has one bias a channel."""
        out = []
        for candidate in candidates:
            assert candidate.workload is not None, "a candidate without a workload is not measured"
            weights = bits = biases = 0
            for layer in candidate.workload.layers:
                if layer.op.spec.weighted:
                    count = layer.channels_out * layer.C * layer.R * layer.S
                    weights, bits = weights + count, bits + count * layer.bits.W
                    biases += layer.channels_out
                elif layer.op.spec.second is SecondOperand.TABLE:
                    weights, bits = weights + layer.elements["W"], bits + layer.elements["W"] * layer.bits.W
            figures = {"macs": float(candidate.workload.macs), "parameters": float(weights + biases)}
            out.append(Measurement({**figures, "weight_bytes": bits / 8}))
        return out
