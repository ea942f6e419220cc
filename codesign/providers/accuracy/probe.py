"""Accuracy without training the network: random weights, and a linear classifier fitted to what they make of images.

How well a classifier does on the features of an untrained network ranks architectures (Saxe 2011), at the price of one
pass over the data: milliseconds for small networks. It is a stand-in for training, not training.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from codesign.accuracy.data import Dataset, load_dataset
from codesign.accuracy.training import tensors
from codesign.controllers.threads import one_thread
from codesign.providers.base import Candidate, Measurement, ProviderContext
from codesign.quantization.qat import fake_quantize_weight, fitted
from codesign.seeds import derive_seed
from mappings.errors import Fault, SpecError
from mappings.layer import Layer, Op
from mappings.workload import Workload

_EPSILON = 1e-5


class ProbeProvider:
    """Random weights, a ridge classifier on what the last layer reads.

    Args:
        context: options ``draws`` (sets of random weights; the mean accuracy counts), ``ridge``, ``images`` (of the
            training part, 0: all).
    """

    metrics = ("accuracy",)
    needs = ("workload",)
    key = "network"

    def __init__(self, context: ProviderContext) -> None:
        self._context = context
        self._data: Dataset | None = None

    def prepare(self) -> None:
        """The data set."""
        self._data = load_dataset(self._context.space.network.dataset)

    def measure(self, candidates: Sequence[Candidate]) -> list[Measurement]:
        """Share of held-out images that the classifier gets right."""
        found = dict(self.stream(candidates))
        return [found[candidate.network] for candidate in candidates]

    def stream(self, candidates: Sequence[Candidate], fidelity: float = 1.0) -> Iterator[tuple[str, Measurement]]:
        """Each network's key with its accuracy, as it is known.

        Args:
            fidelity: share of the training images that the classifier sees.
        """
        for candidate in candidates:
            assert candidate.workload is not None, "a candidate without a workload is not measured"
            yield candidate.network, Measurement({"accuracy": self._accuracy(candidate.workload, fidelity)})

    @one_thread
    def _accuracy(self, workload: Workload, fidelity: float = 1.0) -> float:
        assert self._data is not None, "prepare it first"
        options = self._context.options
        images, labels = tensors(self._data, "train")
        held_images, held_labels = tensors(self._data, "held_out")
        count = max(1, round((int(options["images"]) or len(labels)) * fidelity))
        images, labels = images[:count], labels[:count]
        shares = []
        for draw in range(int(options["draws"])):
            seed = derive_seed(self._context.seed, "probe", draw, workload.digest)
            both = features(workload, torch.cat([images, held_images]), seed)
            right = ridge_classes(both[: len(labels)], labels.numpy(), both[len(labels) :], float(options["ridge"]))
            shares.append(float(np.mean(right == held_labels.numpy())))
        return float(np.mean(shares))


def features(workload: Workload, images: Tensor, seed: int) -> NDArray[np.float64]:
    """What the last layer of a network with random weights reads [n, features], each convolution normalised.

    Weights and tensors are rounded to their widths.

    Raises:
        SpecError: an operator that it does not run.
    """
    generator = torch.Generator().manual_seed(seed)
    values: dict[str, Tensor] = {workload.inputs[0].name: fitted(images, workload)}
    last = workload.layers[-1]
    with torch.no_grad():
        for layer in workload.layers[:-1]:
            values[layer.name] = _run(layer, [values[name] for name in layer.inputs], generator)
    read = values[last.inputs[0]]
    return np.asarray(read.flatten(1).numpy(), np.float64)


def _run(layer: Layer, inputs: list[Tensor], generator: torch.Generator) -> Tensor:
    value = inputs[0]
    if layer.op is Op.ADD:
        value = value + inputs[1]
    elif layer.op in (Op.AVGPOOL, Op.MAXPOOL):
        pool = functional.avg_pool2d if layer.op is Op.AVGPOOL else functional.max_pool2d
        top, left, bottom, right = layer.padding
        value = pool(functional.pad(value, (left, right, top, bottom)), (layer.R, layer.S), layer.stride)
    elif layer.op is Op.CONV:
        shape = (layer.channels_out, layer.C, layer.R, layer.S)
        weight = torch.randn(shape, generator=generator) * (2.0 / (layer.C * layer.R * layer.S)) ** 0.5
        top, left, bottom, right = layer.padding
        padded = functional.pad(value, (left, right, top, bottom))
        weight = fake_quantize_weight(weight, layer.bits.W)
        value = functional.conv2d(padded, weight, None, layer.stride, 0, layer.dilation, layer.groups)
        mean, spread = value.mean(dim=(0, 2, 3), keepdim=True), value.var(dim=(0, 2, 3), keepdim=True)
        value = (value - mean) / (spread + _EPSILON).sqrt()
    else:
        raise SpecError(Fault(f"layer {layer.name}", f"the probe has no operator {layer.op}", "conv, add, pools"))
    value = functional.relu(value) if layer.activation == "relu" else value
    return _rounded(value, layer.bits.O)


def _rounded(value: Tensor, bits: int) -> Tensor:
    """To the integers of that width, with one scale for the tensor: its 99.9th percentile is the largest of them."""
    most = 2 ** (bits - 1) - 1
    sample = value.abs().flatten()[:: max(1, value.numel() // 20_000)]
    scale = float(torch.quantile(sample, 0.999)) / most
    return value if scale <= 0 else (value / scale).round_().clamp_(-most - 1, most).mul_(scale)


def ridge_classes(
    known: NDArray[np.float64], labels: NDArray[np.int64], asked: NDArray[np.float64], strength: float
) -> NDArray[np.int64]:
    """Classes [m] of ``asked`` [m, f] by ridge regression onto the classes of ``known`` [n, f]."""
    mean, spread = known.mean(axis=0), known.std(axis=0) + 1e-6
    left = np.column_stack([(known - mean) / spread, np.ones(len(known))])
    right = np.column_stack([(asked - mean) / spread, np.ones(len(asked))])
    target = np.eye(int(labels.max()) + 1)[labels]
    # In torch, whose threads are held to one here; those of numpy wait for one another on a busy machine.
    data = torch.from_numpy(left)
    square = data.T @ data + strength * torch.eye(left.shape[1], dtype=torch.float64)
    weights = torch.linalg.solve(square, data.T @ torch.from_numpy(target))
    return np.asarray((torch.from_numpy(right) @ weights).argmax(dim=1).numpy(), np.int64)
