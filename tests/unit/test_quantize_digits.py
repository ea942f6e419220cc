"""A network trained on real images keeps its accuracy in integers."""

from __future__ import annotations

import torch
from sklearn.datasets import load_digits
from torch import nn

from codesign.quantization.integer_reference import run_integer
from codesign.quantization.quantize import quantize, quantize_input


def trained() -> tuple[nn.Module, torch.Tensor, torch.Tensor, torch.Tensor]:
    """A small network, training images, test images and labels (scikit-learn's 8 x 8 digits)."""
    data = load_digits()
    images = torch.tensor(data.images, dtype=torch.float32).unsqueeze(1) / 16
    labels = torch.tensor(data.target)
    torch.manual_seed(0)
    order = torch.randperm(len(labels))
    images, labels = images[order], labels[order]
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, 2, 1, groups=16, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU6(),
        nn.Conv2d(16, 32, 1),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(128, 10),
    )
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(6):
        for batch in torch.randperm(1400).split(100):
            loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return model.eval(), images[:1400], images[1400:], labels[1400:]


def test_accuracy_in_integers() -> None:
    model, training, images, labels = trained()
    with torch.no_grad():
        logits = model(images)
    real = float((logits.argmax(1) == labels).float().mean())
    assert real > 0.95
    accuracy = {}
    for bits, method in ((16, "max"), (8, "max"), (8, "percentile"), (4, "mse")):
        network = quantize(
            model, training[:128], weight_bits=bits, act_bits=bits, acc_bits=48 if bits == 16 else 32, method=method
        )
        output = run_integer(network, quantize_input(network, images))["10"].reshape(-1, 10)
        accuracy[bits, method] = float((output.argmax(1) == labels).float().mean())
        if bits == 16:
            assert torch.equal(output.argmax(1), logits.argmax(1))
    assert accuracy[8, "max"] > real - 0.01
    assert accuracy[8, "percentile"] > real - 0.01
    assert 0.8 < accuracy[4, "mse"] <= 1
