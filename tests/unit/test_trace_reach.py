"""Operators that are traced as others: values as torch's, multiply-accumulates as torch counts them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from accel_models.hardware.accelerators import accelerator
from accel_models.report import LayerCost
from accel_models.reuse.evaluate import evaluate
from accel_models.reuse.nest import LOOP_OPS
from benchmarks.trace_models import torch_macs
from codesign.quantization.calibrate import Range, collect_ranges
from codesign.quantization.integer_reference import run_integer
from codesign.quantization.quantize import QuantizeOptions, quantize_input, quantize_traced, signal_to_noise_db
from codesign.trace import trace_network
from mappings.dataflow import DATAFLOWS
from mappings.errors import SpecError
from mappings.integer_run import run_network
from tests.unit.test_trace_operators import Apply

IMAGE, TOKENS, LINE, VOLUME = (1, 8, 9, 11), (1, 6, 8), (1, 8, 12), (1, 4, 5, 6, 7)


class Function(nn.Module):
    """A function of the input and of parameters."""

    def __init__(self, function: Callable[..., Tensor], *shapes: tuple[int, ...]) -> None:
        super().__init__()
        self.function = function
        self.values = nn.ParameterList(nn.Parameter(torch.rand(shape) + 0.5) for shape in shapes)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, *self.values)


def first(module: nn.Module) -> nn.Module:
    return Apply(lambda x, m: m(x)[0], module)


def attention_weights(x: Tensor, attention: nn.Module) -> Tensor:
    mixed, weights = attention(x, x, x, need_weights=True)
    return weights @ mixed


def swin_mask(x: Tensor) -> Tensor:
    places = x.new_zeros((6, 8))
    for number, rows in enumerate((slice(0, 3), slice(3, 6))):
        places[rows] = number
    return x + places


def biased(x: Tensor, q: nn.Module) -> Tensor:
    parts = q(x).reshape(1, 2, 3, 2, 4).permute(0, 1, 3, 2, 4)
    return torch.einsum("bghid,bghjd->bghij", parts, parts).softmax(-1)


def gqa(x: Tensor, q: nn.Module, k: nn.Module) -> Tensor:
    query = q(x).reshape(1, 6, 4, 4).transpose(1, 2)
    key = k(x).reshape(1, 6, 2, 4).transpose(1, 2)
    mixed = functional.scaled_dot_product_attention(query, key, key, enable_gqa=True)
    return mixed.transpose(1, 2).flatten(2)


#: name: (module, input shape)
CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "mean over two dims of tokens": (lambda: Apply(lambda x: x.view(1, 3, 2, 8).mean((1, 2))), TOKENS),
    "mean over channels": (lambda: Apply(lambda x: x.mean(1)), IMAGE),
    "mean over channels, kept": (lambda: Apply(lambda x: x * x.mean(1, keepdim=True)), IMAGE),
    "mean over features": (lambda: Apply(lambda x: x - x.mean(-1, keepdim=True)), TOKENS),
    "mean over all": (lambda: Apply(lambda x: x.mean()), IMAGE),
    "sum over dims": (lambda: Apply(lambda x: x.sum((2, 3))), IMAGE),
    "sum over one": (lambda: Apply(lambda x: x.sum(1)), IMAGE),
    "amax over channels": (lambda: Apply(lambda x: x.amax(1)), IMAGE),
    "amin": (lambda: Apply(lambda x: x.amin((2, 3))), IMAGE),
    "max along a dim": (lambda: Apply(lambda x: x.max(1).values), IMAGE),
    "variance": (lambda: Apply(lambda x: x.var((2, 3), unbiased=False)), IMAGE),
    "zeros like": (lambda: Apply(lambda x: torch.cat([torch.zeros_like(x), x], 1)), IMAGE),
    "ones like": (lambda: Apply(lambda x: x + torch.ones_like(x)), TOKENS),
    "a mask made of new zeros": (lambda: Apply(swin_mask), TOKENS),
    "stack": (lambda: Apply(lambda x: torch.stack([x, x.relu()], 1).sum(1)), IMAGE),
    "where with a constant": (
        lambda: Apply(lambda x: torch.where(torch.arange(8) > 3, x, torch.full((), 0.5))),
        TOKENS,
    ),
    "where between values": (lambda: Apply(lambda x: torch.where(torch.arange(8) > 3, x, x.relu())), TOKENS),
    "where of a comparison": (lambda: Apply(lambda x: torch.where(x > 0.25, x * 2, x - 1)), TOKENS),
    "comparison": (lambda: Apply(lambda x: x * (x > 0)), TOKENS),
    "largest of two": (lambda: Apply(lambda x: torch.maximum(x, x.flip(1))), TOKENS),
    "division by a value": (lambda: Apply(lambda x: x / (x.abs() + 1)), TOKENS),
    "one over a value": (lambda: Apply(lambda x: 2 / (x.abs() + 1)), TOKENS),
    "normalize": (lambda: Apply(lambda x: functional.normalize(x, dim=-1)), TOKENS),
    "normalize channels": (lambda: Apply(lambda x: functional.normalize(x, dim=1)), IMAGE),
    "RMS norm": (lambda: nn.RMSNorm(8), TOKENS),
    "group norm": (lambda: nn.GroupNorm(2, 8), IMAGE),
    "group norm after a convolution": (lambda: nn.Sequential(nn.Conv2d(8, 8, 3), nn.GroupNorm(4, 8)), IMAGE),
    "instance norm": (lambda: nn.InstanceNorm2d(8, affine=True), IMAGE),
    "layer norm over an image": (lambda: nn.LayerNorm((9, 11)), IMAGE),
    "slopes by channel": (lambda: nn.PReLU(8), IMAGE),
    "gated linear": (lambda: nn.GLU(1), IMAGE),
    "addcmul": (lambda: Function(lambda x, a, b: torch.addcmul(a, b, x), (8,), (8,)), TOKENS),
    "windows of heads": (lambda: Apply(biased, nn.Linear(8, 8)), TOKENS),
    "contraction with sums": (lambda: Function(lambda x, w: torch.einsum("btc,kc->bk", x, w), (5, 8)), TOKENS),
    "bilinear": (lambda: nn.Upsample(scale_factor=2, mode="bilinear"), IMAGE),
    "bilinear to a size": (lambda: nn.Upsample((5, 16), mode="bilinear", align_corners=True), IMAGE),
    "bicubic": (lambda: nn.Upsample(scale_factor=2, mode="bicubic"), (1, 3, 4, 5)),
    "average without padding": (lambda: nn.AvgPool2d(3, 1, 1, count_include_pad=False), IMAGE),
    "average with ceil": (lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True), IMAGE),
    "average with ceil alone": (lambda: nn.AvgPool2d(2, 2, ceil_mode=True), IMAGE),
    "average of a line": (lambda: nn.AvgPool1d(3, 2, 1, count_include_pad=False), LINE),
    "adaptive": (lambda: nn.AdaptiveAvgPool2d((4, 3)), IMAGE),
    "adaptive maximum": (lambda: nn.AdaptiveMaxPool2d((4, 3)), IMAGE),
    "adaptive of a line": (lambda: nn.AdaptiveAvgPool1d(5), LINE),
    "transposed line": (lambda: nn.ConvTranspose1d(8, 4, 3, 2, 1, 1), LINE),
    "transposed, more outputs": (lambda: nn.ConvTranspose2d(8, 4, 3, 3, 0, 2), IMAGE),
    "attention with weights": (lambda: Apply(attention_weights, nn.MultiheadAttention(8, 2, batch_first=True)), TOKENS),
    "grouped queries": (lambda: Apply(gqa, nn.Linear(8, 16), nn.Linear(8, 8)), TOKENS),
    "volumes": (lambda: nn.Conv3d(4, 6, 3, (2, 1, 2), 1, groups=2), VOLUME),
    "volumes, norm, pool": (
        lambda: nn.Sequential(nn.Conv3d(4, 6, (1, 3, 3)), nn.BatchNorm3d(6), nn.ReLU(), nn.AvgPool3d(2)),
        VOLUME,
    ),
    "volumes to one": (lambda: nn.Sequential(nn.Conv3d(4, 6, 2), nn.AdaptiveAvgPool3d(1), nn.Flatten()), VOLUME),
    "maximum of volumes": (lambda: nn.MaxPool3d(3, 2, 1), VOLUME),
    "product with constants": (lambda: Function(lambda x, w: w @ x, (5, 6)), TOKENS),
    "broadcast product": (lambda: Apply(lambda x: x.unsqueeze(1) @ x.reshape(1, 1, 8, 6).expand(1, 2, 8, 6)), TOKENS),
    "padding with a value": (lambda: Apply(lambda x: functional.pad(x, (0, 1), value=1.0)), TOKENS),
    "unfold": (lambda: nn.Unfold(3, padding=1), (1, 2, 5, 6)),
}
#: Those whose values hold for a table of few entries only roughly, with what is left of the signal (dB, at 8 bits).
ROUGH = {"normalize": 15, "one over": 15, "division": 20, "where of a comparison": 10, "comparison": 10, "RMS norm": 15}
#: Integers that are refused: (name, what the message says).
REFUSED = {"group norm": "", "layer norm over an image": "", "instance norm": ""}


@pytest.mark.parametrize("name", CASES)
def test_operator(name: str) -> None:
    """Values, multiply-accumulates, cost, and integers alike in numpy and PyTorch."""
    make, shape = CASES[name]
    torch.manual_seed(1)
    module = make().eval().requires_grad_(False)
    x = torch.randn(4, *shape[1:])
    traced = trace_network(module, x[:1])
    values, output = traced.run_float(x[:1]), traced.outputs[0]
    with torch.no_grad():
        real = module(x[:1])
    index = torch.from_numpy(output.index(traced.stored_shapes[output.tensor]))
    found = values[output.tensor].reshape(-1)[index].reshape(real.shape)
    torch.testing.assert_close(found, real, rtol=1e-4, atol=1e-5)
    assert traced.workload.macs - traced.scale_macs == torch_macs(module, x[:1])
    machine, flow = accelerator("ca1"), DATAFLOWS.get("output_stationary")
    for layer in traced.workload.layers:
        if layer.op in LOOP_OPS:
            cost = evaluate(layer, flow.instantiate(layer, machine), machine)
            assert isinstance(cost, LayerCost)
            assert cost.macs == layer.macs
            assert cost.cycles > 0

    network = quantize_traced(traced, collect_ranges(module, traced, [x]), QuantizeOptions(8, 8, 32))
    integers = quantize_input(network, x)
    outputs = run_integer(network, integers)
    twin = run_network(network, {key: value.numpy() for key, value in integers.items()})
    for key, value in outputs.items():
        assert np.array_equal(value.numpy(), twin[key]), f"{key}: numpy and PyTorch differ"
    result = torch.cat([traced.run_float(sample)[output.tensor] for sample in x.split(1)])
    floor = next((db for key, db in ROUGH.items() if key in name), 24)
    assert signal_to_noise_db(result, outputs[output.tensor], network.layers[output.tensor].scale) > floor


def unrolled(module: nn.Module, *shape: int) -> tuple[int, Tensor, Tensor]:
    """Multiply-accumulates, the result by the trace, and the module's."""
    torch.manual_seed(1)
    x = torch.randn(shape)
    module = first(module.eval().requires_grad_(False))
    traced = trace_network(module, x)
    values, output = traced.run_float(x), traced.outputs[0]
    index = torch.from_numpy(output.index(traced.stored_shapes[output.tensor]))
    return traced.workload.macs - traced.scale_macs, values[output.tensor].reshape(-1)[index], module(x)


@pytest.mark.parametrize(
    ("make", "shape", "macs"),
    [
        # 5 steps of 4 gates x 6 units over 8 inputs; and over 6 states, but in the first step, whose state is zero
        (lambda: nn.LSTM(8, 6, batch_first=True), (1, 5, 8), 5 * 24 * 8 + 4 * 24 * 6),
        (lambda: nn.LSTM(8, 6, num_layers=2, bidirectional=True), (5, 1, 8), 2 * (960 + 576) + 2 * (5 * 24 * 12 + 576)),
        (lambda: nn.LSTM(8, 6, proj_size=3), (5, 8), 5 * 24 * 8 + 4 * 24 * 3 + 5 * 3 * 6),
        (lambda: nn.GRU(8, 6, batch_first=True), (1, 5, 8), 5 * 18 * 8 + 4 * 18 * 6),
        (lambda: nn.RNN(8, 6, batch_first=True, bias=False), (1, 5, 8), 5 * 6 * 8 + 4 * 6 * 6),
    ],
)
def test_recurrent_layers_are_unrolled(make: Callable[[], nn.Module], shape: tuple[int, ...], macs: int) -> None:
    counted, found, real = unrolled(make(), *shape)
    torch.testing.assert_close(found.reshape(real.shape), real)
    assert counted == macs


class Cells(nn.Module):
    """A loop over steps that the user wrote."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.LSTMCell(8, 6, bias=False), nn.GRUCell(6, 5)
        self.c, self.d = nn.RNNCell(5, 4), nn.RNNCell(4, 3, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        h, c = torch.zeros(1, 6), torch.zeros(1, 6)
        states = [torch.zeros(1, n) for n in (5, 4, 3)]
        for t in range(x.shape[1]):
            h, c = self.a(x[:, t], (h, c))
            states[0] = self.b(h, states[0])
            states[1] = self.c(states[0], states[1])
            states[2] = self.d(states[1], states[2])
        return states[2]


def test_cells_are_steps_of_their_layers() -> None:
    counted, found, real = unrolled(Cells(), 1, 3, 8)
    torch.testing.assert_close(found.reshape(real.shape), real)
    inputs, states = 24 * 8 + 15 * 6 + 4 * 5 + 3 * 4, 24 * 6 + 15 * 5 + 4 * 4 + 3 * 3
    assert counted == 3 * inputs + 2 * states  # a first state of zeros is no product


class Masked(nn.Module):
    """Zeros of the value's shape where a mask of its channels says so."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, bias=False)
        self.register_buffer("keep", (torch.arange(8) % 2 == 0).view(1, 8, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        picked: Tensor = torch.where(self.keep, x, torch.zeros_like(x)) + torch.where(self.keep, x, torch.ones_like(x))
        return picked


def test_a_mask_may_be_smaller_than_what_it_chooses() -> None:
    counted, found, real = unrolled(Masked(), 1, 3, 8, 8)
    torch.testing.assert_close(found.reshape(real.shape), real)
    assert counted == 8 * 27 * 36


class Language(nn.Module):
    """Rows of a table, of positions, and a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places, self.out = nn.Embedding(50, 8), nn.Embedding(12, 8), nn.Linear(8, 50)

    def forward(self, numbers: Tensor) -> Tensor:
        x = self.words(numbers) + self.places(torch.arange(numbers.shape[1]))
        scores: Tensor = self.out(x)
        return scores


def test_embeddings_have_a_cost_and_no_integers() -> None:
    module, numbers = Language().eval().requires_grad_(False), torch.randint(0, 50, (1, 12))
    traced = trace_network(module, numbers)
    assert [str(layer.op) for layer in traced.workload.layers] == ["embedding", "constant", "add", "linear"]
    values, output = traced.run_float(numbers), traced.outputs[0]
    index = torch.from_numpy(output.index(traced.stored_shapes[output.tensor]))
    torch.testing.assert_close(values[output.tensor].reshape(-1)[index], module(numbers))
    assert traced.workload.macs == torch_macs(module, numbers) == 12 * 8 * 50
    machine, layer = accelerator("ca1"), traced.workload.layers[0]
    assert layer.elements == {"I": 12, "W": 50 * 8, "O": 12 * 8}
    cost = evaluate(layer, DATAFLOWS.get("weight_stationary").instantiate(layer, machine), machine)
    assert isinstance(cost, LayerCost)
    assert cost.bytes_of("DRAM", "W", "read") == cost.bytes_of("DRAM", "O", "write") == 12 * 8
    with pytest.raises(SpecError, match="kind embedding, which has a cost but no integers"):
        quantize_traced(traced, {name: Range(1.0) for name in values}, QuantizeOptions(8, 8, 32))
    with pytest.raises(SpecError, match="on whole numbers"):
        trace_network(Apply(lambda x: x * 2.0), numbers)
