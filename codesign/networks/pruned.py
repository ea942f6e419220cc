"""A trained network with channels taken out, or with other widths of data: what is left keeps its weights.

Of the channels that go together those stay that the layers behind them read with the largest weights, summed by
magnitude (He 2018, AMC).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from codesign.quantization.qat import QatLayer, QatNetwork
from codesign.spaces.compression.layer_channels import Width, mixes, widths
from mappings.errors import Fault, SpecError
from mappings.layer import Layer
from mappings.workload import Workload


def _step(network: QatNetwork, name: str) -> QatLayer:
    found = network.steps[name]
    assert isinstance(found, QatLayer)
    return found


def importance(base: QatNetwork, width: Width) -> Tensor:
    """Sum of magnitudes of the weights that read each channel of a width [count]."""
    total = torch.zeros(width.count)
    for layer in base.workload.layers:
        if not mixes(layer) or layer.inputs[0] not in width.tensors:
            continue
        weight = _step(base, layer.name).weight
        assert weight is not None
        total += weight.detach().abs().sum(dim=0).reshape(width.count, -1).sum(dim=1)
    return total


def _kept(base: QatNetwork, workload: Workload) -> dict[str, Tensor]:
    """Places of the channels that each tensor of the smaller network has of the larger one's."""
    out: dict[str, Tensor] = {}
    for width in widths(base.workload):
        count = workload.by_name[width.tensors[0]].channels_out
        best = torch.argsort(importance(base, width), descending=True, stable=True)[:count]
        out.update(dict.fromkeys(width.tensors, torch.sort(best).values))
    return out


def inherited(base: QatNetwork, workload: Workload, kept: Mapping[str, Tensor] | None = None) -> QatNetwork:
    """A network with the weights of a larger one; its batch statistics are best set anew.

    Args:
        base: trained.
        workload: its own with fewer channels (of :func:`codesign.spaces.compression.layer_channels.with_channels`) and
            with other bits.
        kept: places of the channels that stay, ascending, by tensor that loses some; None: by :func:`importance`.

    Raises:
        SpecError: the workload is no such part of the base's.
    """
    if [layer.name for layer in workload.layers] != [layer.name for layer in base.workload.layers]:
        what = "has other layers than the network whose weights it takes"
        raise SpecError(Fault(f"network {workload.name}", what, "the same with fewer channels or other bits"))
    network, kept = QatNetwork(workload), _kept(base, workload) if kept is None else kept
    for layer in workload.layers:
        _copy(_step(base, layer.name), _step(network, layer.name), kept)
    return network


@torch.no_grad()
def _copy(source: QatLayer, target: QatLayer, kept: Mapping[str, Tensor]) -> None:
    new = target.layer
    rows = kept.get(new.name)
    if source.weight is not None and target.weight is not None:
        weight = source.weight if rows is None else source.weight[rows]
        if mixes(source.layer) and new.inputs[0] in kept:  # of one channel, a depthwise convolution looks like it
            weight = weight[:, _columns(kept[new.inputs[0]], new)]
        if weight.shape != target.weight.shape:
            what = f"has weights {list(target.weight.shape)} where {list(weight.shape)} are left"
            raise SpecError(Fault(f"layer {new.name}", what, "a part of the network whose weights it takes"))
        target.weight.copy_(weight)
    if source.bias is not None and target.bias is not None:
        target.bias.copy_(source.bias if rows is None else source.bias[rows])
    if source.norm is not None and target.norm is not None:
        state = source.norm.state_dict()
        chosen = {name: value if rows is None or not value.dim() else value[rows] for name, value in state.items()}
        target.norm.load_state_dict(chosen)
    # The same range of real numbers, in as many units as there are.
    reach = math.log(source.quantizer.high / target.quantizer.high)
    target.quantizer.log_scale.copy_(source.quantizer.log_scale + reach)


def _columns(channels: Tensor, layer: Layer) -> Tensor:
    """Places along C of the channels that are kept; a linear layer over an image has several places a channel."""
    each = layer.C // len(channels)
    return (channels[:, None] * each + torch.arange(each)).flatten()
