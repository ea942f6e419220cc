"""What tracing returns: the workload, and the float parameters and values behind each of its layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx

from codesign.trace.capture import Captured
from codesign.trace.views import Shape, View
from mappings.layer import Layer
from mappings.operators import SecondOperand
from mappings.workload import Workload


@dataclass(frozen=True)
class Operand:
    """What a layer reads: ``count`` channels of ``tensor`` from ``first``, times ``factor``."""

    tensor: str
    first: int
    count: int
    factor: float = 1.0


@dataclass
class TracedLayer:
    """A layer with its float side.

    Attributes:
        layer: loop bounds; ``inputs`` is filled in when the trace ends.
        operands: what it reads, in operand order.
        node: the graph node that has its float value, fused operators included; "" for a layer that tracing put in.
        view: how that value lies in the stored ``[N, channels, P, Q]``.
        weight: float64 ``[G*K, C, R, S]``, batch norm folded.
        bias: float64 ``[G*K]``; for layer norm too, where ``weight`` is the gain ``[C]``.
        epsilon: of a layer norm.
        divisor: of an average pool.
        function: of an activation that stands alone.
        value: of a constant, float64 ``[N, channels, rows, columns]``.
        index: of a reshape that moves data: flat source position of each output element, -1 for 0.
        mask: of a softmax, 0 and 1 ``[P, C]``; 0 is masked out.
        scaling: a depthwise 1 x 1 convolution that stands for a scale and a shift by channel.
        part: ``(first, count)`` of the channels of ``view`` that are its own, where a layer was split.
    """

    layer: Layer
    operands: list[Operand]
    node: str
    view: View
    weight: Tensor | None = None
    bias: Tensor | None = None
    epsilon: float = 0.0
    divisor: int = 0
    function: Callable[[Tensor], Tensor] | None = None
    value: Tensor | None = None
    index: np.ndarray[Any, np.dtype[np.int64]] | None = None
    mask: np.ndarray[Any, np.dtype[np.int64]] | None = None
    part: tuple[int, int] | None = None
    scaling: bool = False

    @property
    def name(self) -> str:
        """Name in the workload."""
        return self.layer.name


@dataclass(frozen=True)
class TracedNetwork:
    """A module as a workload, with what quantisation needs.

    Attributes:
        workload: layers in topological order.
        layers: float side, by layer name.
        outputs: what the module returns, as views of stored tensors.
        input_views: how each input of the module lies in the workload's.
        stored_shapes: stored shape of every tensor that a view names.
        captured: the graph.
    """

    workload: Workload
    layers: dict[str, TracedLayer]
    outputs: tuple[View, ...]
    input_views: dict[str, View]
    stored_shapes: dict[str, Shape]
    captured: Captured = field(repr=False)

    @property
    def scale_macs(self) -> int:
        """Multiply-accumulates of scales by channel that nothing takes in, which torch does not count."""
        return sum(item.layer.macs for item in self.layers.values() if item.scaling)

    def run_float(self, *inputs: Tensor) -> dict[str, Tensor]:
        """Float value of every workload input and layer, stored as ``[N, channels, rows, columns]``, float32.

        Args:
            inputs: as the module takes them, of the traced shapes.
        """
        wanted: dict[str, list[TracedLayer]] = {}
        for item in self.layers.values():
            wanted.setdefault(item.node, []).append(item)
        stored: dict[str, Tensor] = {}
        for tensor, value in zip(self.workload.inputs, inputs, strict=True):
            stored[tensor.name] = value.reshape(-1)[self._inverse(self.input_views[tensor.name])].float()

        def keep(node: fx.Node, value: Any) -> None:
            for item in wanted.get(node.name, ()):
                tensor = value[0] if isinstance(value, (tuple, list)) else value
                full = self._stored(item.view, tensor)
                first, count = item.part or (0, full.shape[1])
                stored[item.name] = full[:, first : first + count]

        self.captured.run(inputs, keep)
        for item in self.layers.values():
            if item.value is not None:
                stored[item.name] = item.value.float()
            elif item.name not in stored:
                stored[item.name] = self._inserted(item, stored)
        return stored

    def _inserted(self, item: TracedLayer, stored: dict[str, Tensor]) -> Tensor:
        """Value of a layer that no node of the graph stands for."""
        operand = item.operands[0]
        source = stored[operand.tensor]
        parts = [stored[o.tensor][:, o.first : o.first + o.count] * o.factor for o in item.operands]
        if item.function is not None:
            return item.function(parts[0])
        if item.layer.op.spec.second is SecondOperand.ADDED:
            return parts[0] + parts[1]
        if item.layer.op.spec.second is SecondOperand.MULTIPLIED:
            return parts[0] * parts[1]
        if item.weight is not None:  # a scale and a shift by channel
            bias = torch.zeros(()) if item.bias is None else item.bias.reshape(1, -1, 1, 1)
            return (parts[0] * item.weight.reshape(1, -1, 1, 1) + bias).float()
        shape = self.workload.shapes[item.name]
        if item.index is None:
            return source.reshape(shape)
        flat = torch.cat([source.reshape(-1), source.new_zeros(1)])
        return flat[torch.from_numpy(item.index.reshape(-1))].reshape(shape)

    def _inverse(self, view: View) -> Tensor:
        shape = self.stored_shapes[view.tensor]
        flat = view.index(shape).reshape(-1)
        inverse = np.empty(flat.size, dtype=np.int64)
        inverse[flat] = np.arange(flat.size)
        return torch.from_numpy(inverse).reshape(shape)

    def _stored(self, view: View, value: Tensor) -> Tensor:
        return value.reshape(-1)[self._inverse(view)].float()
