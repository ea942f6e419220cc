"""Ranges of a network's tensors on calibration inputs: what the activation scales are chosen from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from codesign.trace import TracedNetwork, trace_network
from mappings.errors import Fault, SpecError, unknown_name

METHODS = ("max", "percentile", "mse")
#: Values kept of one tensor in one batch; the rest is left out at even distances.
_KEEP = 1 << 15
_BATCH = 32


@dataclass
class Range:
    """What is kept of one tensor's values: the largest magnitude, and a sample of magnitudes."""

    largest: float = 0.0
    samples: list[Tensor] = field(default_factory=list)

    def add(self, value: Tensor) -> None:
        """Take in one batch of values, of any shape."""
        flat = value.detach().reshape(-1).abs()
        self.largest = max(self.largest, float(flat.max()))
        self.samples.append(flat[:: max(1, flat.numel() // _KEEP)].clone())

    def merged(self, other: Range) -> Range:
        """Both together."""
        return Range(max(self.largest, other.largest), self.samples + other.samples)

    def amplitude(self, method: str, levels: int, percentile: float) -> float:
        """The magnitude that the largest integer stands for.

        Args:
            method: "max"; "percentile" of the magnitudes; or "mse", the least mean squared error of rounding and
                clipping together, over 64 amplitudes.
            levels: largest integer, e.g. 127.
            percentile: 0 to 100.
        """
        if method == "max" or self.largest == 0.0:
            return self.largest
        values = torch.cat(self.samples).double()
        if method == "percentile":
            rank = min(values.numel() - 1, int(values.numel() * percentile / 100))
            return float(values.kthvalue(rank + 1).values) or self.largest
        best, best_error = self.largest, float("inf")
        for step in range(64, 0, -1):
            amplitude = self.largest * step / 64
            scale = amplitude / levels
            error = float(((values / scale).round().clamp(max=levels) * scale - values).square().mean())
            if error < best_error:
                best, best_error = amplitude, error
        return best


def check_method(method: str) -> None:
    """Refuse an unknown calibration method.

    Raises:
        SpecError: not one of :data:`METHODS`.
    """
    if method not in METHODS:
        raise unknown_name("quantize: method", "calibration method", method, METHODS)


def collect_ranges(module: nn.Module, traced: TracedNetwork, inputs: Sequence[Tensor]) -> dict[str, Range]:
    """Ranges of every workload input and layer output.

    Many samples run in batches where the graph of a batch has the same layers as that of one sample, else one by one.

    Args:
        module: the module that was traced.
        traced: its trace, of one sample.
        inputs: calibration inputs, ``[n, ...]`` each.

    Raises:
        SpecError: no sample, or a value that is not finite.
    """
    total = inputs[0].shape[0]
    single = traced.workload.inputs[0].N
    if total < 1 or total % single:
        raise SpecError(Fault("quantize: inputs", f"{total} calibration samples", f"a positive multiple of {single}"))
    ranges: dict[str, Range] = {}
    start = 0
    while start < total:
        batch = next(b for b in (_BATCH, 8, single) if (b <= total - start and b % single == 0) or b == single)
        network = traced if batch == single else _batched(module, traced, inputs, batch)
        if network is None:
            network, batch = traced, single
        end = total - (total - start) % batch
        for first in range(start, end, batch):
            _add(ranges, network, [tensor[first : first + batch] for tensor in inputs])
        start = end
    return ranges


def _batched(module: nn.Module, traced: TracedNetwork, inputs: Sequence[Tensor], batch: int) -> TracedNetwork | None:
    try:
        network = trace_network(module, [tensor[:batch] for tensor in inputs])
    except SpecError:
        return None
    return network if list(network.layers) == list(traced.layers) else None


def _add(ranges: dict[str, Range], network: TracedNetwork, inputs: Sequence[Tensor]) -> None:
    for name, value in network.run_float(*inputs).items():
        if not bool(torch.isfinite(value).all()):
            raise SpecError(Fault(f"quantize: {name}", "takes values that are not finite on the calibration inputs"))
        ranges.setdefault(name, Range()).add(value)
