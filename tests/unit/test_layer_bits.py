"""Bits a layer: quantisation after training, the compression space, hardware that takes them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from accel_models.template.spec import ArrayKind
from codesign.quantization.quantize import quantize, quantize_input
from codesign.spaces.compression.layer_bits import LayerBits, weighted
from codesign.spaces.hardware.templates import NarrowTemplateSpace
from codesign.zoo import NETWORKS
from mappings.errors import SpecError
from mappings.integer_run import run_network
from mappings.layer import Bits


def module() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(2, 8, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 4, 1),
    ).eval()


def test_quantised_layer_by_layer() -> None:
    net, images = module(), torch.rand(16, 2, 8, 8)
    plain = quantize(net, images)
    names = [layer.name for layer in plain.workload.layers if layer.name in weighted(plain.workload)]
    weights, acts = dict(zip(names, (4, 2, 8), strict=True)), {names[1]: 4}
    mixed = quantize(net, images, layer_weight_bits=weights, layer_act_bits=acts)
    assert [layer.bits.W for layer in mixed.workload.layers if layer.name in names] == [4, 2, 8]
    tops = [int(np.abs(mixed.layers[name].weight).max()) for name in names]  # type: ignore[arg-type]
    assert tops == [7, 1, 127]
    # The pooling that follows shares the scale of the 4-bit tensor, and the last layer reads 4 bits.
    by_name = {layer.name: layer.bits for layer in mixed.workload.layers}
    assert by_name[names[0]] == Bits(8, 4, 8, 32)
    assert by_name[names[1]] == Bits(8, 2, 4, 32)
    assert by_name[names[2]].I == 4 and by_name[names[2]].O == 8
    inputs = {name: value.numpy() for name, value in quantize_input(mixed, images[:2]).items()}
    outputs = run_network(mixed, inputs)
    assert outputs[names[1]].min() >= -8 and outputs[names[1]].max() == 7
    last = names[2]
    real = net(images[:2]).detach().numpy()
    told = outputs[last] * mixed.layers[last].scale
    assert np.corrcoef(real.reshape(-1), told.reshape(-1))[0, 1] > 0.7


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"layer_weight_bits": {"0": 3}}, "layer_weight_bits.0: is 3"),
        ({"layer_weight_bits": {"none": 4}}, "none"),
        ({"layer_act_bits": {"0": 2}}, "layer_act_bits.0: is 2"),
        ({"layer_weight_bits": {"3": 4}}, "3"),  # a pooling has no weights
    ],
)
def test_wrong_widths_are_told(given: dict[str, dict[str, int]], told: str) -> None:
    with pytest.raises(SpecError, match=told):
        quantize(module(), torch.rand(4, 2, 8, 8), **given)  # type: ignore[arg-type]


def test_space_of_bits() -> None:
    workload = NETWORKS.get("resnet20").workload()
    space = LayerBits((2, 4, 8), (4, 8), slots=5)
    names = weighted(workload)
    assert len(space.decisions) == 10
    point = {f"weight_bits_{i}": (2, 4, 8, 4, 2)[i] for i in range(5)} | {f"act_bits_{i}": 4 for i in range(5)}
    made = space.compressed(workload, point)
    bits = {layer.name: layer.bits for layer in made.layers}
    assert [bits[names[i]].W for i in (0, -1)] == [2, 2]
    assert {bits[name].W for name in names} == {2, 4, 8}
    assert sorted(bits[name].W for name in names) != [bits[name].W for name in names]
    assert bits[names[-1]].O == 8 and bits[names[0]].O == 4  # logits keep the widest
    assert made.inputs[0].bits == 8
    for layer in made.layers:
        widths = [bits[source].O if source in bits else 8 for source in layer.inputs]
        assert max(widths) == layer.bits.I


def test_space_of_narrow_hardware() -> None:
    space = NarrowTemplateSpace()
    workload = LayerBits(slots=1).compressed(NETWORKS.get("resnet20").workload(), {"weight_bits_0": 4})
    point = {decision.name: decision.choices[0] for decision in space.decisions}
    point |= {"array": "loop_tile", "rows": 8, "cols": 4, "weight_packing": 2, "dual_rate": 1}
    point |= {"input_buffer_kib": 4, "weight_buffer_kib": 4}
    made = space.hardware_at(point, workload)
    assert (made.weight_bits, made.weight_packing, made.dual_rate) == (8, 2, True)
    for other in ({"array": str(ArrayKind.ROW_STATIONARY)}, {"cols": 32}, {"weight_packing": 1}):
        assert not space.hardware_at({**point, **other}, workload).dual_rate
