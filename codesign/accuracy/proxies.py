"""Scores of untrained networks: what a few passes tell of how well a network would train. Higher is better.

* ``synflow`` (Tanaka 2020): sum of weight times gradient of the output, all weights made positive, for an input of
  ones, without batch normalisation; its logarithm.
* ``naswot`` (Mellor 2021): log-determinant of how alike the ReLU patterns of some images are.
* ``snip`` (Lee 2019): sum of magnitudes of weight times gradient of the loss on one batch; its logarithm.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from codesign.accuracy.data import Dataset
from codesign.accuracy.training import tensors
from codesign.networks.convolution import convolution
from codesign.quantization.qat import fitted
from mappings.layer import Op
from mappings.workload import Workload

PROXIES = ("synflow", "naswot", "snip")


class Unquantised(nn.Module):
    """The operators of a workload with real numbers.

    Args:
        workload: of convolutions, linears, sums, products and mean pools.
        normal: whether convolutions are normalised over the batch.
    """

    def __init__(self, workload: Workload, generator: torch.Generator, *, normal: bool) -> None:
        super().__init__()
        self.workload, self.normal = workload, normal
        self.weights = nn.ParameterDict()
        for layer in workload.layers:
            if layer.op.spec.convolves:
                shape = (layer.channels_out, layer.C, layer.R, layer.S)
                scale = math.sqrt((2.0 if layer.op.spec.windowed else 1.0) / (layer.C * layer.R * layer.S))
                self.weights[layer.name] = nn.Parameter(torch.randn(shape, generator=generator) * scale)
        #: After each pass: which units of each ReLU are on, [n, units].
        self.patterns: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, C, H, W] to logits [N, classes]."""
        self.patterns = []
        values = {self.workload.inputs[0].name: images}
        for layer in self.workload.layers:
            inputs = [values[name] for name in layer.inputs]
            if layer.op.spec.convolves:
                out = convolution(inputs[0], self.weights[layer.name].to(images.dtype), layer)
                if self.normal and layer.op.spec.windowed:
                    out = functional.batch_norm(out, None, None, training=True)
            elif layer.op is Op.ADD:
                out = inputs[0] + inputs[1]
            elif layer.op is Op.MUL:
                out = inputs[0] * inputs[1]
            else:
                out = inputs[0].mean(dim=(2, 3), keepdim=True)
            if layer.activation == "relu":
                self.patterns.append((out > 0).flatten(1))
                out = torch.relu(out)
            values[layer.name] = out
        return values[self.workload.outputs[0]].flatten(1)


def synflow(workload: Workload, seed: int) -> float:
    """Logarithm of the sum over weights of weight times gradient; double precision, since the sums are large."""
    network = Unquantised(workload, torch.Generator().manual_seed(seed), normal=False).double()
    with torch.no_grad():
        for weight in network.weights.values():
            weight.abs_()
    shape = workload.inputs[0]
    network(torch.ones(1, shape.C, shape.H, shape.W, dtype=torch.float64)).sum().backward()
    total = sum(float((weight.detach() * weight.grad).sum()) for weight in network.weights.values())
    return math.log(total) if total > 0 else -math.inf


def naswot(workload: Workload, images: Tensor, seed: int) -> float:
    """Log-determinant of the kernel ``K[i, j]``: units whose ReLU is alike for images i and j; -inf: two are alike."""
    network = Unquantised(workload, torch.Generator().manual_seed(seed), normal=True)
    with torch.no_grad():
        network(fitted(images, workload))
    on = torch.cat(network.patterns, dim=1).double()
    kernel = on @ on.T + (1 - on) @ (1 - on).T
    sign, value = torch.linalg.slogdet(kernel)
    return float(value) if float(sign) > 0 else -math.inf


def snip(workload: Workload, images: Tensor, labels: Tensor, seed: int) -> float:
    """Logarithm of the sum over weights of the magnitude of weight times gradient."""
    network = Unquantised(workload, torch.Generator().manual_seed(seed), normal=True)
    functional.cross_entropy(network(fitted(images, workload)), labels).backward()  # type: ignore[no-untyped-call]
    total = sum(float((weight.detach() * weight.grad).abs().sum()) for weight in network.weights.values())
    return math.log(total) if total > 0 else -math.inf


def proxy(name: str, workload: Workload, data: Dataset, seed: int, images: int = 32) -> float:
    """A score by name, on the first training images."""
    torch.set_num_threads(1)
    if name == "synflow":
        return synflow(workload, seed)
    first, labels = (part[:images] for part in tensors(data, "train"))
    return naswot(workload, first, seed) if name == "naswot" else snip(workload, first, labels, seed)
