"""Scores of untrained networks: what a few passes tell of how well a network would train. Higher is better.

* ``synflow`` (Tanaka 2020): sum of weight times gradient of the output, all weights made positive, for an input of
  ones, without normalisation; its logarithm.
* ``naswot`` (Mellor 2021): log-determinant of how alike the ReLU patterns of some images are.
* ``snip`` (Lee 2019): sum of magnitudes of weight times gradient of the loss on one batch; its logarithm.

Weights are those of convolutions and linear layers. The network is the one that is trained, in real numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from codesign.accuracy.data import Dataset
from codesign.accuracy.training import tensors
from codesign.quantization.qat import QatLayer, QatNetwork
from mappings.layer import Op
from mappings.workload import Workload

PROXIES = ("synflow", "naswot", "snip")


def untrained(workload: Workload, seed: int) -> QatNetwork:
    """The network with its first weights, in real numbers; batches are normalised by themselves."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = QatNetwork(workload)
    network.use_integers(False)
    return network.train()


def _layers(network: QatNetwork) -> list[QatLayer]:
    return [step for step in network.steps.values() if isinstance(step, QatLayer)]


def weights_of(network: QatNetwork) -> list[nn.Parameter]:
    """Of convolutions and linear layers."""
    return [step.weight for step in _layers(network) if step.layer.op.spec.convolves and step.weight is not None]


def patterns(network: QatNetwork, values: Mapping[str, Tensor]) -> list[Tensor]:
    """Which units of each ReLU are on, [n, units], of every tensor of a pass."""
    return [(values[y.name] > 0).flatten(1) for y in network.workload.layers if y.activation == "relu"]


def synflow(workload: Workload, seed: int) -> float:
    """Logarithm of the sum over weights of weight times gradient; double precision, since the sums are large."""
    network = untrained(workload, seed).double().eval()
    for step in _layers(network):
        if step.norm is not None:
            step.norm.eps = 0.0  # with its first statistics it changes nothing then
        if step.layer.op is Op.LAYERNORM:
            network.steps[step.layer.name] = nn.Identity()
    weights = weights_of(network)
    with torch.no_grad():
        for value in network.parameters():
            if value.dim() > 1:  # stored positions too
                value.abs_()
    image = workload.inputs[0]
    ones = torch.ones(1, image.C, image.H, image.W, dtype=torch.float64)
    output = network.values({image.name: ones})[workload.outputs[0]]
    found = torch.autograd.grad(output.sum(), weights, allow_unused=True)
    pairs = zip(weights, found, strict=True)
    total = sum(float((weight.detach() * slope).sum()) for weight, slope in pairs if slope is not None)
    return math.log(total) if total > 0 else -math.inf


def naswot(workload: Workload, images: Tensor, seed: int) -> float:
    """Log-determinant of the kernel ``K[i, j]``: units whose ReLU is alike for images i and j.

    -inf where two images are alike in all units, or the network has no ReLU.
    """
    network = untrained(workload, seed)
    with torch.no_grad():
        found = patterns(network, network.values(network.entered(images)))
    if not found:
        return -math.inf
    on = torch.cat(found, dim=1).double()
    kernel = on @ on.T + (1 - on) @ (1 - on).T
    sign, value = torch.linalg.slogdet(kernel)
    return float(value) if float(sign) > 0 else -math.inf


def snip(workload: Workload, images: Tensor, labels: Tensor, seed: int) -> float:
    """Logarithm of the sum over weights of the magnitude of weight times gradient."""
    network = untrained(workload, seed)
    weights, loss = weights_of(network), functional.cross_entropy(network(images).flatten(1), labels)
    pairs = zip(weights, torch.autograd.grad(loss, weights, allow_unused=True), strict=True)
    total = sum(float((weight.detach() * slope).abs().sum()) for weight, slope in pairs if slope is not None)
    return math.log(total) if total > 0 else -math.inf


def proxy(name: str, workload: Workload, data: Dataset, seed: int, images: int = 32) -> float:
    """A score by name, on the first training images."""
    torch.set_num_threads(1)
    if name == "synflow":
        return synflow(workload, seed)
    first, labels = (part[:images] for part in tensors(data, "train"))
    return naswot(workload, first, seed) if name == "naswot" else snip(workload, first, labels, seed)
