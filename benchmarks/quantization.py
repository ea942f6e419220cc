"""Integer networks against float ones: the two integer runners are equal; noise by layer; accuracy on digits."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from benchmarks.common import Figure, show
from codesign.quantization.calibrate import collect_ranges
from codesign.quantization.integer_reference import run_integer
from codesign.quantization.quantize import (
    QuantizeOptions,
    quantize,
    quantize_input,
    quantize_traced,
    signal_to_noise_db,
)
from codesign.trace import trace_network
from codesign.zoo import NETWORKS
from mappings.integer_run import run_network

DEFAULT_NETWORKS = ("resnet20", "mobilenet_v2", "squeezenet", "mnasnet_a1", "transformer_encoder", "vit_tiny")
#: Least signal to noise ratio of the logits, at 8 bits or more, random weights.
LEAST_DB = 15.0
#: Most that the accuracy on scikit-learn's digits may fall from float to 8 bits.
LARGEST_FALL = 0.01


def network_figures(name: str, bits: int, seed: int) -> list[Figure]:
    """Noise of the logits and of the worst layer, and elements in which numpy and PyTorch differ."""
    entry = NETWORKS.get(name)
    module, samples = entry.build(seed), entry.inputs(4, seed)
    begin = time.perf_counter()
    traced = trace_network(module, samples[:1], name)
    ranges = collect_ranges(module, traced, [samples])
    network = quantize_traced(traced, ranges, QuantizeOptions(bits, bits, 48 if bits == 16 else 32))
    given = quantize_input(network, samples[:1])
    outputs = run_integer(network, given)
    seconds = time.perf_counter() - begin
    twin = run_network(network, {key: value.numpy() for key, value in given.items()})
    differ = sum(int(np.count_nonzero(twin[key] != value.numpy())) for key, value in outputs.items())
    real = traced.run_float(samples[:1])
    noise = {
        key: signal_to_noise_db(real[key], value, network.layers[key].scale)
        for key, value in outputs.items()
        if float(real[key].abs().max()) > 0
    }
    worst = min(noise, key=lambda key: noise[key])
    logits = noise[traced.outputs[0].tensor]
    label = f"{name}, {bits} bits"
    return [
        Figure(f"{label}: elements that differ, numpy and PyTorch", differ, "0", differ == 0),
        Figure(
            f"{label}: logits, dB", logits, f">= {LEAST_DB:g}" if bits == 8 else "", logits >= LEAST_DB or bits != 8
        ),
        Figure(f"{label}: worst layer ({worst}), dB", noise[worst]),
        Figure(f"{label}: trace, calibrate, quantise and run, s", seconds),
    ]


def digits() -> tuple[nn.Module, Tensor, Tensor, Tensor]:
    """A convolutional network trained on scikit-learn's digits; training images, test images, test labels."""
    data = load_digits()
    torch.manual_seed(0)
    order = torch.randperm(len(data.target))
    images = torch.tensor(data.images, dtype=torch.float32).unsqueeze(1)[order] / 16
    labels = torch.tensor(data.target)[order]
    layers: list[nn.Module] = []
    for inputs, outputs, stride, groups in ((1, 32, 1, 1), (32, 32, 1, 32), (32, 64, 2, 1), (64, 64, 1, 64)):
        conv = nn.Conv2d(inputs, outputs, 3, stride, 1, groups=groups, bias=False)
        layers += [conv, nn.BatchNorm2d(outputs), nn.ReLU6()]
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    optimiser = torch.optim.Adam(model.parameters(), 5e-3)
    for _ in range(12):
        for batch in torch.randperm(1200).split(64):
            loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return model.eval(), images[:1200], images[1200:], labels[1200:]


def digits_figures() -> list[Figure]:
    """Accuracy on 597 held-out digits in float and in integers."""
    model, training, images, labels = digits()
    with torch.no_grad():
        real = float((model(images).argmax(1) == labels).double().mean())
    figures = [Figure("digits, float: accuracy", real)]
    for bits, method in ((16, "max"), (8, "max"), (8, "mse"), (4, "max"), (4, "mse")):
        network = quantize(
            model, training[:256], weight_bits=bits, act_bits=bits, acc_bits=48 if bits == 16 else 32, method=method
        )
        logits = run_integer(network, quantize_input(network, images))[network.workload.outputs[0]].flatten(1)
        accuracy = float((logits.argmax(1) == labels).double().mean())
        held = accuracy >= real - LARGEST_FALL if bits >= 8 else None
        target = f">= float - {LARGEST_FALL:g}" if bits >= 8 else ""
        figures.append(Figure(f"digits, {bits} bits ({method}): accuracy", accuracy, target, held))
    return figures


def main() -> int:
    """The exit status is 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", default=",".join(DEFAULT_NETWORKS))
    parser.add_argument("--bits", default="8,16")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = []
    for name in options.networks.split(","):
        for bits in options.bits.split(","):
            figures += network_figures(name, int(bits), options.seed)
    figures += digits_figures()
    return show("quantization", figures, options.json)


if __name__ == "__main__":
    sys.exit(main())
