"""Quantisation-aware training: a workload as a torch module that computes what the integers will compute.

The arithmetic follows :mod:`mappings.quantized`: symmetric signed tensors, one scale a tensor for activations (learned:
LSQ, Esser 2020), one scale an output channel for weights (their largest magnitude), every operator's output
clamped to its bits. Batch normalisation stays apart while training; folding it into the convolution
multiplies a channel's weights by one number, which its scale absorbs, so the integers do not change by it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from codesign.networks import attention
from codesign.networks.convolution import convolution
from codesign.networks.taps import kept_taps
from codesign.quantization.layer import TERNARY_SCALE, power_of_two_scale
from mappings.errors import Fault, SpecError
from mappings.layer import Layer, Op
from mappings.workload import Workload

BN_EPSILON = 1e-5
#: A hard sigmoid of a normalised value is ``clamp(x / 6 + 1 / 2, 0, 1)``.
GATE_GAIN, GATE_BIAS = 1 / 6, 1 / 2
#: Share of a tensor's elements that its first scale keeps from being clamped.
_CLIPPED_FROM = 0.9999
#: Of learned positions at first.
POSITION_DEVIATION = 0.5
#: Operators whose output has the scale of what they read.
PASSING = (Op.RESHAPE, Op.MAXPOOL, Op.CONCAT, Op.ACT)
#: Operators whose output has a scale that is given: that of a softmax too.
UNSCALED = (Op.SOFTMAX, *PASSING)
#: Operators without parameters.
_PLAIN = (Op.ADD, Op.MUL, Op.AVGPOOL, Op.MATMUL, Op.SOFTMAX, *PASSING)


class _FakeQuantize(torch.autograd.Function):
    """``clamp(round(x / s), low, high) * s`` with LSQ's gradients, in few passes over memory.

    Ties round to even here and away from zero in the integers: a tie of two real numbers is no event to train for.
    """

    @staticmethod
    def forward(ctx: Any, value: Tensor, log_scale: Tensor, low: int, high: int) -> Tensor:
        scale = float(log_scale.exp())
        out = value.mul(1.0 / scale).round_().clamp_(low, high).mul_(scale)
        ctx.save_for_backward(value, out)
        ctx.bounds = low * scale, high * scale
        # LSQ: every element pulls at the one step size; its gradient shrinks by sqrt(elements of an image x levels).
        ctx.shrink = 1.0 / math.sqrt(value[0].numel() * high)
        return out

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        (grad,) = grad_outputs
        value, out = ctx.saved_tensors
        passed = torch.ops.aten.hardtanh_backward(grad, value, *ctx.bounds)
        # d out / d log s = out - value where the value is inside the clamp, out where it is clamped.
        pull = torch.sum(grad * out) - torch.sum(passed * value)
        return passed, pull * ctx.shrink, None, None


def weight_scale(weight: Tensor, bits: int) -> Tensor:
    """Scale of each output channel: ``weight`` [K, C, R, S] or [K, C] to [K, 1, ...].

    The largest magnitude is the largest integer; of ternary weights, :data:`TERNARY_SCALE` times the mean is 1.
    """
    magnitude, dims = weight.detach().abs(), tuple(range(1, weight.dim()))
    if bits == 2:
        return TERNARY_SCALE * magnitude.mean(dim=dims, keepdim=True).clamp_min(1e-8)
    levels: int = 2 ** (bits - 1) - 1
    return magnitude.amax(dim=dims, keepdim=True).clamp_min(1e-8) / levels


def integer_weight(weight: Tensor, scale: Tensor, bits: int) -> Tensor:
    """Weights in units of their scale, as whole numbers."""
    levels = 2 ** (bits - 1) - 1
    return torch.round(weight.detach() / scale).clamp(-levels, levels)


def fake_quantize_weight(weight: Tensor, bits: int) -> Tensor:
    """Weights as the integers represent them; same shape."""
    scale = weight_scale(weight, bits)
    quantized = integer_weight(weight, scale, bits) * scale
    return weight + (quantized - weight).detach()


def _most(value: Tensor) -> float:
    """The magnitude that all but one in 10,000 elements stay below."""
    magnitude = value.detach().abs().flatten()
    return float(magnitude.kthvalue(max(1, math.floor(_CLIPPED_FROM * magnitude.numel()))).values)


class ActivationQuantizer(nn.Module):
    """Clamp and round one tensor with one learned scale.

    Args:
        bits: width.
        unsigned: the tensor is never negative (it follows a ReLU): the low clamp is 0.

    Attributes:
        exact: the tensor is rounded and clamped; else it passes, through its ReLU alone.
    """

    def __init__(self, bits: int, *, unsigned: bool) -> None:
        super().__init__()
        self.exact = True
        self._observed: float | None = None
        self.low = 0 if unsigned else -(2 ** (bits - 1))
        self.high = 2 ** (bits - 1) - 1
        # A few standard deviations of a normalised activation; training moves it.
        self.log_scale = nn.Parameter(torch.tensor(math.log((3.0 if unsigned else 4.0) / self.high)))

    @property
    def scale(self) -> Tensor:
        """Real value of one unit; positive by construction."""
        scale: Tensor = self.log_scale.exp()
        return scale

    def observe(self) -> None:
        """From now on the largest magnitudes that pass are noted."""
        self._observed = 0.0

    @torch.no_grad()
    def begin(self) -> None:
        """Round from now on, with a scale for what was observed."""
        if self._observed:
            self.log_scale.fill_(math.log(self._observed / self.high))
        self._observed, self.exact = None, True

    def forward(self, value: Tensor) -> Tensor:
        """The value that the integers represent; any shape."""
        if not self.exact:
            if self._observed is not None:
                self._observed = max(self._observed, _most(value))
            return functional.relu(value) if self.low == 0 else value
        quantized: Tensor = _FakeQuantize.apply(value, self.log_scale, self.low, self.high)  # type: ignore[no-untyped-call]
        return quantized


def share_what_was_seen(quantizers: Sequence[ActivationQuantizer]) -> None:
    """The largest magnitude that passed any of them is each one's."""
    most = max((quantizer._observed or 0.0 for quantizer in quantizers), default=0.0)
    for quantizer in quantizers:
        if quantizer._observed is not None:
            quantizer._observed = most


class FixedQuantizer(ActivationQuantizer):
    """With a scale that is not learned: of a softmax a power of two, with which the largest integer is nearly 1."""

    def __init__(self, bits: int, *, unsigned: bool) -> None:
        super().__init__(bits, unsigned=unsigned)
        del self.log_scale
        self.register_buffer("log_scale", torch.tensor(math.log(power_of_two_scale(1.0, self.high))))

    def begin(self) -> None:
        """Round from now on."""
        self._observed, self.exact = None, True


class QatLayer(nn.Module):
    """One layer of a workload: its operator, batch normalisation, ReLU, and the quantiser of its output."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer, self.exact_weight = layer, True
        self.weight: nn.Parameter | None = None
        self.bias: nn.Parameter | None = None
        self.norm: nn.BatchNorm2d | None = None
        if layer.op is Op.CONV:
            fan_in = layer.C * layer.R * layer.S
            shape = (layer.channels_out, layer.C, layer.R, layer.S)
            self.weight = nn.Parameter(torch.randn(shape) * math.sqrt(2.0 / fan_in))
            self.norm = nn.BatchNorm2d(layer.channels_out, eps=BN_EPSILON)
        elif layer.op is Op.LINEAR:
            self.weight = nn.Parameter(torch.randn(layer.K, layer.C) / math.sqrt(layer.C))
            self.bias = nn.Parameter(torch.zeros(layer.K))
        elif layer.op is Op.LAYERNORM:
            self.weight, self.bias = nn.Parameter(torch.ones(layer.C)), nn.Parameter(torch.zeros(layer.C))
        elif layer.op is Op.CONSTANT:
            self.weight = nn.Parameter(torch.randn(layer.channels_out, layer.P, layer.Q) * POSITION_DEVIATION)
        elif layer.op not in _PLAIN or (layer.op is Op.ACT and layer.activation != "relu"):
            trained = ", ".join(map(str, (Op.CONV, Op.LINEAR, Op.LAYERNORM, Op.CONSTANT, *_PLAIN)))
            raise SpecError(Fault(f"layer {layer.name}", f"cannot train operator {layer.op}", trained))
        kind = FixedQuantizer if layer.op in UNSCALED else ActivationQuantizer
        unsigned = layer.activation == "relu" or layer.op is Op.SOFTMAX
        self.quantizer = kind(layer.bits.O, unsigned=unsigned)

    @torch.no_grad()
    def become_gate(self) -> None:
        """Begin as a hard sigmoid: its clamp is that from 0 to 1."""
        assert self.norm is not None, "a gate is a convolution over one place"
        self.norm.weight.fill_(GATE_GAIN)
        self.norm.bias.fill_(GATE_BIAS)
        self.quantizer.log_scale.fill_(-math.log(self.quantizer.high))

    @torch.no_grad()
    def become_border(self, pool: Layer) -> None:
        """A constant that is not learned: it makes a mean over a window with zeros one over the window's pixels."""
        inside = functional.pad(torch.ones(1, self.layer.channels_out, pool.H, pool.W_in), _around(pool))
        share = functional.avg_pool2d(inside, (pool.R, pool.S), pool.stride)[0]
        del self.weight
        self.register_buffer("weight", 1.0 / share)
        self.quantizer.log_scale.fill_(math.log(float((1.0 / share).max()) / self.quantizer.high))

    def pruned(self, weight: Tensor) -> Tensor:
        """The weight under the taps that the layer keeps; of a layer that keeps all, as it is."""
        return weight * kept_taps(weight, self.layer) if self.layer.kept_taps else weight

    def _integer_weight(self, weight: Tensor) -> Tensor:
        return fake_quantize_weight(weight, self.layer.bits.W) if self.exact_weight else weight

    def _convolved(self, value: Tensor, taps: Tensor | None) -> Tensor:
        """The normalised convolution; the quantiser's clamp at 0 is the ReLU."""
        assert self.weight is not None and self.norm is not None
        layer, weight = self.layer, self._integer_weight(self.pruned(self.weight))
        if taps is not None:
            weight = weight * taps
        value = convolution(value, weight, layer)
        normal: Tensor = self.norm(value)
        return normal

    def with_taps(self, value: Tensor, taps: Tensor) -> Tensor:
        """A convolution whose taps are weighed by ``taps`` [R, S]."""
        result: Tensor = self.quantizer(self._convolved(value, taps))
        return result

    def forward(self, *inputs: Tensor) -> Tensor:
        """Inputs [N, C, H, W] to the layer's quantised output (linear of one token: [N, K])."""
        if self.layer.op in PASSING:
            return passed_on(inputs, self.layer)
        result: Tensor = self.quantizer(self._computed(*inputs))
        return result

    def _computed(self, *inputs: Tensor) -> Tensor:
        """In real numbers."""
        layer, weight, bias = self.layer, self.weight, self.bias
        if layer.op is Op.CONSTANT:
            assert weight is not None
            return weight[None]
        value = inputs[0]
        if self.norm is not None:
            return self._convolved(value, None)
        if weight is not None:
            assert bias is not None
            if layer.op is Op.LAYERNORM:
                return attention.normalised(value, weight, bias)
            return attention.linear(value, self._integer_weight(weight), bias)
        if layer.op is Op.MATMUL:
            return attention.product(layer, value, inputs[1])
        if layer.op is Op.SOFTMAX:
            return attention.softmax(layer, value)
        if layer.op is Op.ADD:
            return value + inputs[1]
        if layer.op is Op.MUL:
            return value * inputs[1]
        if layer.P * layer.Q == 1 and layer.padding == (0, 0, 0, 0):  # of whole channels, whatever their extent
            return value.mean(dim=(2, 3), keepdim=True)
        return functional.avg_pool2d(functional.pad(value, _around(layer)), (layer.R, layer.S), layer.stride)


def _around(layer: Layer) -> tuple[int, int, int, int]:
    """A layer's padding in torch's order: left, right, top, bottom."""
    top, left, bottom, right = layer.padding
    return left, right, top, bottom


def passed_on(inputs: Sequence[Tensor], layer: Layer) -> Tensor:
    """What an operator that rescales nothing makes of its inputs."""
    if layer.op is Op.CONCAT:
        return torch.cat(list(inputs), dim=1 + ("K", "P", "Q").index(layer.axis or "K"))
    if layer.op is Op.RESHAPE:
        return moved(inputs[0], layer)
    if layer.op is Op.ACT:
        return functional.relu(inputs[0])
    value = functional.pad(inputs[0], _around(layer), value=-math.inf) if any(layer.padding) else inputs[0]
    largest: Tensor = functional.max_pool2d(value, (layer.R, layer.S), layer.stride, 0, layer.dilation)
    return largest


def moved(value: Tensor, layer: Layer) -> Tensor:
    """What a reshape makes of a tensor: its elements in their order, or a box of it with places skipped or repeated."""
    if layer.moves != "box":
        return value.reshape(len(value), layer.channels_out, layer.P, layer.Q)
    first, *origin = layer.origin
    value = value[:, first : first + layer.channels_out]
    for axis, count in enumerate((layer.P, layer.Q)):
        places = origin[axis] + torch.arange(count) * layer.stride[axis] // layer.dilation[axis]
        value = value.index_select(2 + axis, places)
    return value


class Steps(nn.ModuleDict):
    """Modules by the names of layers, of which traced ones may hold dots, that no module's name may."""

    def __getitem__(self, key: str) -> nn.Module:
        return super().__getitem__(key.replace(".", "/"))

    def __setitem__(self, key: str, module: nn.Module) -> None:
        super().__setitem__(key.replace(".", "/"), module)

    def __contains__(self, key: str) -> bool:
        return super().__contains__(key.replace(".", "/"))

    def items(self) -> Any:
        """Names of layers with their modules."""
        return {name.replace("/", "."): module for name, module in super().items()}.items()


def alike(workload: Workload) -> list[list[str]]:
    """Layers that give what is concatenated, by concatenation: theirs is one scale.

    Raises:
        SpecError: an image or a softmax is among them, whose scale is its own.
    """
    ops = {layer.name: layer for layer in workload.layers}
    groups: list[set[str]] = []
    for layer in workload.layers:
        if layer.op is not Op.CONCAT:
            continue
        found, waiting = set[str](), list(layer.inputs)
        while waiting:
            name = waiting.pop()
            if name not in ops or ops[name].op is Op.SOFTMAX:
                what = f"joins {name} with others, which would have its scale"
                raise SpecError(Fault(f"layer {layer.name}", what, "tensors that layers compute"))
            if ops[name].op in PASSING:
                waiting += ops[name].inputs
            else:
                found.add(name)
        apart = [group for group in groups if not group & found]
        groups = [*apart, found.union(*(group for group in groups if group & found))]
    return [[layer.name for layer in workload.layers if layer.name in group] for group in groups]


def gates_of(workload: Workload) -> list[str]:
    """Layers whose output multiplies the channels of another."""
    borders = borders_of(workload)
    return [layer.inputs[1] for layer in workload.layers if layer.op is Op.MUL and layer.inputs[1] not in borders]


def borders_of(workload: Workload) -> dict[str, Layer]:
    """Constants that multiply what a padded mean gives, with that layer.

    Raises:
        SpecError: a constant that multiplies anything else, of which nobody says what it is.
    """
    found, by = dict[str, Layer](), workload.by_name
    for layer in workload.layers:
        if layer.op is not Op.MUL or layer.inputs[1] not in by or by[layer.inputs[1]].op is not Op.CONSTANT:
            continue
        pool = by.get(layer.inputs[0])
        if pool is None or pool.op is not Op.AVGPOOL or not any(pool.padding):
            what = "multiplies by a constant that is no border of a mean, and can not be trained"
            raise SpecError(Fault(f"layer {layer.name}", what, "a gate, or the factor of a padded mean"))
        found[layer.inputs[1]] = pool
    return found


def fitted(images: Tensor, workload: Workload) -> Tensor:
    """Images [n, C, rows, columns] at the extent of a network's input: areas averaged, or interpolated."""
    shape = workload.inputs[0]
    return _resized(images, (shape.H, shape.W))


def entering(images: Tensor, workload: Workload) -> Tensor:
    """Images [n, C, rows, columns] in 0..1 as a network's input holds them: at its extent and its levels."""
    return _rounded(fitted(images, workload), input_scale(workload))


def input_scale(workload: Workload) -> float:
    """Value of one step of a network's input: 0..1 takes the positive half of its levels."""
    return 1.0 / float(2 ** (workload.inputs[0].bits - 1) - 1)


def _rounded(images: Tensor, scale: float) -> Tensor:
    """To whole steps; the layers behind keep channels last."""
    levels = torch.round(images / scale) * scale
    if levels.shape[1] != 1:
        return levels
    # To torch either layout is that of one channel: its strides tell it which one is meant.
    count, channels, height, width = levels.shape
    return levels.reshape(count, height, width, channels).permute(0, 3, 1, 2)


def _resized(images: Tensor, extent: tuple[int, int]) -> Tensor:
    if images.shape[2:] == extent:
        return images
    return functional.interpolate(images, extent, mode="bilinear", antialias=True)


class QatNetwork(nn.Module):
    """A trainable network with the layers of a workload.

    Args:
        workload: convolutions (square strides, symmetric padding up to rows that no window touches), residual adds,
            gates (products whose second operand is a convolution of the means), attention, layer norms and stored
            positions over tokens, means and largest values of windows, ReLUs, concatenations, enlarged maps, and a
            linear classifier or a map.
    """

    def __init__(self, workload: Workload) -> None:
        super().__init__()
        self.workload = workload
        self.steps = Steps({layer.name: QatLayer(layer) for layer in workload.layers})
        for name in gates_of(workload):
            gate = self.steps[name]
            assert isinstance(gate, QatLayer)
            gate.become_gate()
        for name, pool in borders_of(workload).items():
            border = self.steps[name]
            assert isinstance(border, QatLayer)
            border.become_border(pool)
        for first, *others in alike(workload):
            for name in others:
                self._quantizer(name).log_scale = self._quantizer(first).log_scale

    def _quantizer(self, name: str) -> ActivationQuantizer:
        step = self.steps[name]
        assert isinstance(step, QatLayer)
        return step.quantizer

    @property
    def image_scale(self) -> float:
        """Real value of one unit of the input image; pixels run from 0 to 1."""
        return input_scale(self.workload)

    def use_integers(self, exact: bool) -> None:
        """Compute with rounded and clamped tensors, or with real numbers; a gate's clamp is its function, and stays."""
        gates = set(gates_of(self.workload))
        for name, step in self.steps.items():
            assert isinstance(step, QatLayer)
            step.exact_weight = exact
            step.quantizer.exact = exact or name in gates

    def calibrate(self, images: Tensor) -> None:
        """Compute with integers from now on, with scales for what these images gave in real numbers."""
        quantizers = [module for module in self.modules() if isinstance(module, ActivationQuantizer)]
        loose = [quantizer for quantizer in quantizers if not quantizer.exact]
        for quantizer in loose:
            quantizer.observe()
        with torch.no_grad():
            self(images)
        for names in alike(self.workload):
            share_what_was_seen([self._quantizer(name) for name in names])
        self.use_integers(True)
        for quantizer in loose:
            quantizer.begin()

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, C, H, W] in 0..1, of any extent, to logits [N, classes]."""
        return self.values(self.entered(images))[self.workload.outputs[0]]

    def at_extent(self, images: Tensor, extent: int) -> Tensor:
        """As ``forward``, with the image at so many rows and columns in place of the network's own."""
        if extent == self.workload.inputs[0].H:
            logits: Tensor = self(images)
            return logits
        image = self.workload.inputs[0]
        entered = _rounded(_resized(images, (extent, extent)), self.image_scale)
        return self.values({image.name: entered})[self.workload.outputs[0]]

    def entered(self, images: Tensor) -> dict[str, Tensor]:
        """Images as the network's input holds them, by its name."""
        return {self.workload.inputs[0].name: entering(images, self.workload)}

    def values(self, entered: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Every tensor by name, from those that enter."""
        values = dict(entered)
        for layer in self.workload.layers:
            values[layer.name] = self.steps[layer.name](*(values[name] for name in layer.inputs))
        return values
