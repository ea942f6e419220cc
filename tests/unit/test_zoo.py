"""The networks of the zoo have the parameter and MAC counts that are known of them."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from codesign.zoo import NETWORKS
from mappings.errors import SpecError
from mappings.layer import Op

#: name: (parameters, MACs of convolutions and linear layers). ResNets, MobileNetV2 and V3, MnasNet, EfficientNet, VGG,
#: SqueezeNet, DCGAN and ViT as published with their reference implementations; AlexNet 60,965,224, U-Net 31,037,698
#: likewise. Transposed convolutions (U-Nets, DCGAN) as ``torch.utils.flop_counter`` counts them: no inserted zeros.
KNOWN = {
    "resnet18": (11_689_512, 1_814_073_344),
    "resnet20": (272_474, 40_813_184),
    "resnet50": (25_557_032, 4_089_184_256),
    "mobilenet_v2": (3_504_872, 300_774_272),
    "mnasnet_b1": (4_383_312, 314_415_872),
    "mnasnet_a1": (3_887_038, 311_579_072),
    "mobilenet_v3_small": (2_542_856, 56_510_400),
    "efficientnet_b0": (5_288_548, 385_814_752),
    "vgg16": (138_357_544, 15_470_264_320),
    "alexnet": (60_965_224, 724_406_816),
    "squeezenet": (1_235_496, 349_151_936),
    "unet": (31_037_698, 48_171_581_440),
    "unet_small": (117_378, 100_466_688),
    "dcgan": (3_576_704, 104_628_224),
    "transformer_decoder": (112_996, 40 * (2 * (4 * 72 * 72 + 3 * 72 * 144) + 72 * 100)),
    "vit_tiny": (5_717_416, 1_074_851_328),
    "bert_base_block": (7_087_872, 128 * 7_077_888),
    "transformer_encoder": (100_746, 32 * 2 * 12 * 64 * 64 + 640),
}


def test_names_are_listed_without_torch() -> None:
    code = "import sys; from codesign.zoo import NETWORKS; print(*NETWORKS.names()); assert 'torch' not in sys.modules"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(KNOWN) <= set(run.stdout.split())


@pytest.mark.parametrize("name", KNOWN)
def test_known_counts(name: str) -> None:
    network = NETWORKS.get(name)
    workload = network.workload(name)
    macs = sum(layer.macs for layer in workload.layers if layer.op is not Op.MATMUL)
    weights = sum(layer.elements["W"] for layer in workload.layers if layer.op is not Op.MATMUL)
    with torch.device("meta"):
        module = network._factory()()
    parameters = sum(p.numel() for p in module.parameters())
    assert (parameters, macs) == KNOWN[name]
    assert weights == sum(
        child.weight.numel()
        for child in module.modules()
        if isinstance(child, (torch.nn.Conv2d, torch.nn.ConvTranspose2d, torch.nn.Linear))
    )


def test_attention_macs() -> None:
    """ViT-Ti: 12 blocks of two products of 197 x 197 x 192."""
    workload = NETWORKS.get("vit_tiny").workload()
    matmuls = [layer for layer in workload.layers if layer.op is Op.MATMUL]
    assert sum(layer.macs for layer in matmuls) == 12 * 2 * 197 * 197 * 192
    assert {layer.transpose_b for layer in matmuls} == {True, False}


def test_the_seed_decides_the_weights() -> None:
    network = NETWORKS.get("resnet20")
    x = network.inputs(2)
    with torch.no_grad():
        first, again, other = (network.build(seed)(x) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)
    assert 0.01 < float(first.std()) < 100


def test_unknown_network() -> None:
    with pytest.raises(SpecError, match='unknown network "resnet19", did you mean "resnet1'):
        NETWORKS.get("resnet19")
