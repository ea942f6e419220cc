"""Networks and single layers with random shapes and integers, random hardware, and reference outputs from PyTorch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from accel_models.design import Design
from accel_models.template import ArrayKind, Template
from accel_models.template_accelerator import template_accelerator
from codesign.integer_reference import run_integer
from mappings.errors import SpecError
from mappings.integer_ops import SOFTMAX_RECIPROCAL_BITS
from mappings.layer import Bits, Layer, Op
from mappings.quantized import IntArray, QuantizedLayer, QuantizedNetwork, multiplier
from mappings.workload import TensorShape, Workload


def limits(bits: int) -> tuple[int, int]:
    """Smallest and largest value of that many bits."""
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


def quantized(workload: Workload, seed: int) -> QuantizedNetwork:
    """Random parameters whose outputs use their range: neither all zero nor all clamped."""
    rng = np.random.default_rng(seed)
    layers = {layer.name: _parameters(layer, rng) for layer in workload.layers}
    return QuantizedNetwork(workload, layers, {tensor.name: 1.0 for tensor in workload.inputs})


def _parameters(layer: Layer, rng: np.random.Generator) -> QuantizedLayer:
    low, high = limits(layer.bits.O)
    low = 0 if layer.activation in ("relu", "relu6") else low
    channels = layer.channels_out
    if layer.op in (Op.CONV, Op.LINEAR):
        top = limits(layer.bits.W)[1]
        weight = rng.integers(-top, top + 1, size=(channels, layer.C, layer.R, layer.S))
        spread = float(np.sqrt(layer.C * layer.R * layer.S) * top / 3)
        mult_bits = 15 if layer.bits.acc == 48 else 31
        mult = rng.integers(2 ** (mult_bits - 2), 2**mult_bits - 1, size=channels)
        shift = np.full(channels, mult_bits + max(0, round(float(np.log2(spread)))) - 1)
        bias = rng.integers(-int(spread * high) - 1, int(spread * high) + 2, size=channels)
        return QuantizedLayer(low, high, 1.0, weight=weight, bias=bias, mult=mult, shift=shift)
    if layer.op is Op.AVGPOOL:
        taps = layer.R * layer.S
        return QuantizedLayer(low, high, 1.0, mult=np.array([2**30 // taps + 1]), shift=np.array([30]))
    if layer.op is Op.ADD:
        size = 16 if layer.bits.I == 16 else 22
        mults = (int(rng.integers(1, 2**size)), int(rng.integers(1, 2**size)))
        return QuantizedLayer(low, high, 1.0, shift=np.array([size]), add_mult=mults)
    if layer.op is Op.MUL:
        return QuantizedLayer(low, high, 1.0, mult=np.array([2**30 // high + 1]), shift=np.array([29]))
    if layer.op is Op.ACT and layer.activation == "table":
        table = rng.integers(low - 3, high + 4, size=(1 << layer.bits.I) + 1)
        return QuantizedLayer(low, high, 1.0, constants={"table": table})
    if layer.op in (Op.SOFTMAX, Op.LAYERNORM, Op.MATMUL) or layer.activation == "gelu":
        return _attention_parameters(layer, rng)
    return QuantizedLayer(low, high, 1.0)


def _attention_parameters(layer: Layer, rng: np.random.Generator) -> QuantizedLayer:
    """Scales of a few units of the real function, so that no operator saturates everywhere."""
    low, high = limits(layer.bits.O)
    mult_bits = 15 if layer.bits.acc == 48 else 31
    if layer.op is Op.MATMUL:
        spread = float(np.sqrt(layer.C)) * high / 2
        mult, shift = multiplier(1 / spread, mult_bits)
        return QuantizedLayer(low, high, 1.0, mult=np.array([mult]), shift=np.array([shift]))
    if layer.op is Op.SOFTMAX:
        arg_mult, arg_shift = multiplier(float(rng.uniform(2, 12)) / high / np.log(2) * 2**15, 20)
        constants = {"arg_mult": np.array([arg_mult]), "arg_shift": np.array([arg_shift])}
        shift = SOFTMAX_RECIPROCAL_BITS - (layer.bits.O - 1)
        return QuantizedLayer(0, high, 1.0, shift=np.array([shift]), constants=constants)
    if layer.op is Op.LAYERNORM:
        shift = 20 if layer.bits.O == 16 else 26
        unit = high / 4 * 2 ** (shift - 14)
        gain = np.round(rng.normal(1, 0.4, layer.C) * unit).astype(np.int64)
        bias = np.round(rng.normal(0, 0.4, layer.C) * unit * 2**14).astype(np.int64)
        constants = {"gain": gain, "bias": bias, "epsilon": rng.integers(0, 1000, 1)}
        return QuantizedLayer(low, high, 1.0, shift=np.array([shift]), constants=constants)
    arg_mult, arg_shift = multiplier(float(rng.uniform(1, 5)) / high / np.sqrt(2) * 2**14, 16)
    mult, shift = multiplier(2.0**-15, mult_bits)
    constants = {"arg_mult": np.array([arg_mult]), "arg_shift": np.array([arg_shift])}
    return QuantizedLayer(low, high, 1.0, mult=np.array([mult]), shift=np.array([shift]), constants=constants)


def inputs(workload: Workload, seed: int) -> dict[str, IntArray]:
    """Random integers over the whole range of each input."""
    rng = np.random.default_rng(seed)
    found = {}
    for t in workload.inputs:
        low, high = limits(t.bits)
        found[t.name] = rng.integers(low, high + 1, size=(t.N, t.C, t.H, t.W))
    return found


def reference(network: QuantizedNetwork, given: dict[str, IntArray]) -> dict[str, IntArray]:
    """Every layer's output by PyTorch."""
    outputs = run_integer(network, {name: torch.from_numpy(value) for name, value in given.items()})
    return {name: value.numpy() for name, value in outputs.items()}


def design(workload: Workload, template: Template) -> Design:
    """The network on the template with the default tiles."""
    return Design(workload, template_accelerator(template), ())


def digits(bits: int, acc: int = 32) -> Workload:
    """A small network with one of every operator of the first slice: 28 x 28 to ten classes."""
    b = Bits(bits, bits, bits, acc)
    layers = (
        Layer("conv1", Op.CONV, K=16, P=28, Q=28, R=3, S=3, padding=(1,) * 4, activation="relu", inputs=("x",), bits=b),
        Layer("pool1", Op.MAXPOOL, P=14, Q=14, R=2, S=2, stride=(2, 2), groups=16, inputs=("conv1",), bits=b),
        Layer("depth", Op.CONV, P=14, Q=14, R=3, S=3, padding=(1,) * 4, groups=16, inputs=("pool1",), bits=b),
        Layer("point", Op.CONV, K=16, C=16, P=14, Q=14, inputs=("depth",), bits=b),
        Layer("add", Op.ADD, P=14, Q=14, groups=16, inputs=("pool1", "point"), bits=b),
        Layer("side", Op.CONV, K=8, C=16, P=14, Q=14, R=3, S=3, padding=(1,) * 4, inputs=("add",), bits=b),
        Layer("wide", Op.CONV, K=20, C=16, P=14, Q=14, activation="relu", inputs=("add",), bits=b),
        Layer("both", Op.CONCAT, P=14, Q=14, groups=28, inputs=("side", "wide"), bits=b),
        Layer(
            "conv2",
            Op.CONV,
            K=40,
            C=28,
            P=7,
            Q=7,
            R=3,
            S=3,
            stride=(2, 2),
            padding=(1, 1, 0, 0),
            inputs=("both",),
            bits=b,
        ),
        Layer("clamp", Op.ACT, P=7, Q=7, groups=40, activation="relu", inputs=("conv2",), bits=b),
        Layer("mean", Op.AVGPOOL, R=7, S=7, groups=40, inputs=("clamp",), bits=b),
        Layer("flat", Op.RESHAPE, groups=40 * 49, inputs=("clamp",), bits=b),
        Layer("hidden", Op.LINEAR, K=33, C=40 * 49, activation="relu", inputs=("flat",), bits=b),
        Layer("mixed", Op.LINEAR, K=33, C=40, inputs=("mean",), bits=b),
        Layer("sum", Op.ADD, groups=33, inputs=("hidden", "mixed"), bits=b),
        Layer("logits", Op.LINEAR, K=10, C=33, inputs=("sum",), bits=b),
    )
    return Workload("digits", (TensorShape("x", 1, 1, 28, 28, bits),), layers)


def random_template(rng: np.random.Generator, array: ArrayKind) -> Template:
    """Small hardware of any shape and width; small buffers, so that layers fall into tiles."""
    while True:
        rows, cols = (int(rng.choice([4, 4, 8, 8, 16])) for _ in range(2))
        bits = int(rng.choice([4, 8, 8, 16]))
        lanes = max(rows, cols)
        axi = int(rng.choice([32, 64, 128, 256]))
        word = lanes * bits // 8
        lanes_choices = [n for n in (1, 2, 4, 8, 16) if n <= lanes]
        try:
            return Template(
                array=array,
                rows=rows,
                cols=cols,
                act_bits=bits,
                weight_bits=bits,
                acc_bits=48 if bits == 16 else 32,
                input_buffer_bytes=word * int(rng.integers(90, 400)),
                weight_buffer_bytes=cols * bits // 8 * int(rng.integers(9, 30)) * lanes,
                acc_buffer_bytes=lanes * (6 if bits == 16 else 4) * int(rng.integers(20, 130)),
                output_buffer_bytes=word * int(rng.integers(20, 90)),
                param_buffer_bytes=16 * lanes * int(rng.integers(1, 6)),
                ppu_lanes=int(rng.choice(lanes_choices)),
                nonlinear_lanes=int(rng.choice(lanes_choices)) if rng.integers(3) == 0 else 0,
                activation_tables=int(rng.integers(2)) if bits <= 8 else 0,
                vector_taps=int(rng.choice([1, 1, 3, 3, 5, 7])),
                axi_bits=axi,
                unaligned=bool(rng.integers(4)),
                dram_latency_cycles=int(rng.integers(1, 80)),
                dram_bytes_per_cycle=int(rng.integers(1, axi // 8 + 1)),
            )
        except SpecError:
            continue


def random_memory(rng: np.random.Generator, template: Template) -> Template:
    """The same hardware with another memory."""
    rate = int(rng.integers(1, template.axi_bits // 8 + 1))
    return replace(template, dram_latency_cycles=int(rng.integers(1, 80)), dram_bytes_per_cycle=rate)


def random_layer(rng: np.random.Generator, bits: int, acc: int) -> Workload:
    """One layer of any operator with what it needs around it, small enough for a few thousand cycles."""
    kind = str(rng.choice(["conv", "conv", "conv", "grouped", "depthwise", "linear", "pool", "add", "concat", "flat"]))
    b = Bits(bits, bits, bits, acc)
    n = int(rng.choice([1, 1, 1, 2]))
    activation = str(rng.choice(["", "relu"]))
    r, s = int(rng.integers(1, 6)), int(rng.integers(1, 6))
    stride = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    dilation = (int(rng.integers(1, 3)), int(rng.integers(1, 3)))
    rows, cols = ((taps - 1) * d for taps, d in zip((r, s), dilation, strict=True))
    padding = tuple(int(rng.integers(0, extent // 2 + 1)) for extent in (rows, cols, rows, cols))
    p = int(rng.integers(1, 12))
    q = int(rng.integers(1, 12))
    h, w = ((x - 1) * st + e + 1 for x, st, e in zip((p, q), stride, (rows, cols), strict=True))
    while h - padding[0] - padding[2] < 1 or w - padding[1] - padding[3] < 1:
        padding = tuple(size // 2 for size in padding)
    h, w = h - padding[0] - padding[2], w - padding[1] - padding[3]
    # Rows and columns that no window reaches are in memory all the same.
    h, w = (
        h + int(rng.integers(0, stride[0])) * (padding[2] == 0),
        w + int(rng.integers(0, stride[1])) * (padding[3] == 0),
    )
    c, k = int(rng.integers(1, 40)), int(rng.integers(1, 40))
    shape = {"N": n, "P": p, "Q": q, "R": r, "S": s, "stride": stride, "dilation": dilation, "padding": padding}
    common = {**shape, "activation": activation, "bits": b}
    x = TensorShape("x", n, c, h, w, bits)
    layers: tuple[Layer, ...]
    if kind == "grouped":
        groups, per_in, per_out = int(rng.integers(2, 6)), int(rng.integers(1, 12)), int(rng.integers(1, 12))
        x = replace(x, C=groups * per_in)
        layers = (Layer("y", Op.CONV, C=per_in, K=per_out, groups=groups, inputs=("x",), **common),)
    elif kind == "depthwise":
        layers = (Layer("y", Op.CONV, groups=max(c, 2), inputs=("x",), **common),)
        x = replace(x, C=max(c, 2))
    elif kind == "linear":
        x = replace(x, H=p, W=1)
        layers = (Layer("y", Op.LINEAR, N=n, P=p, C=c, K=k, activation=activation, bits=b, inputs=("x",)),)
    elif kind == "pool":
        op = Op.MAXPOOL if rng.integers(2) else Op.AVGPOOL
        plain = {**common, "dilation": (1, 1) if op is Op.AVGPOOL else dilation}
        if op is Op.AVGPOOL and dilation != (1, 1):
            x = replace(x, H=(p - 1) * stride[0] + r, W=(q - 1) * stride[1] + s)
            plain["padding"] = (0, 0, 0, 0)
        layers = (Layer("y", op, groups=c, inputs=("x",), **plain),)
    elif kind == "add":
        x = replace(x, H=p, W=q)
        second = Layer("z", Op.CONV, N=n, C=c, K=c, P=p, Q=q, inputs=("x",), bits=b)
        layers = (second, Layer("y", Op.ADD, N=n, P=p, Q=q, groups=c, inputs=("x", "z"), activation=activation, bits=b))
    elif kind == "concat":
        x = replace(x, H=p, W=q)
        one = Layer("a", Op.CONV, N=n, C=c, K=k, P=p, Q=q, inputs=("x",), bits=b)
        two = Layer("b", Op.CONV, N=n, C=c, K=int(rng.integers(1, 40)), P=p, Q=q, inputs=("x",), bits=b)
        total = one.K + two.K
        both = Layer("ab", Op.CONCAT, N=n, P=p, Q=q, groups=total, inputs=("a", "b"), bits=b)
        layers = (one, two, both, Layer("y", Op.CONV, N=n, C=total, K=k, P=p, Q=q, inputs=("ab",), bits=b))
    elif kind == "flat":
        x = replace(x, N=1, C=c, H=min(p, 5), W=min(q, 5))
        size = x.C * x.H * x.W
        flat = Layer("f", Op.RESHAPE, groups=size, inputs=("x",), bits=b)
        layers = (flat, Layer("y", Op.LINEAR, C=size, K=k, inputs=("f",), activation=activation, bits=b))
    else:
        layers = (Layer("y", Op.CONV, C=c, K=k, inputs=("x",), **common),)
    return Workload(kind, (x,), layers)


def random_attention(rng: np.random.Generator, template: Template) -> Workload:
    """One softmax, layer norm, GELU or matrix product of activations."""
    kind = str(rng.choice(["softmax", "layernorm", "gelu", "matmul", "matmul"]))
    lanes, bits = template.word_lanes, template.act_bits
    b = Bits(bits, bits, bits, template.acc_bits)
    n, rows, channels = int(rng.choice([1, 1, 2])), int(rng.integers(1, 12)), int(rng.integers(2, 40))
    x = TensorShape("x", n, channels, rows, 1, bits)
    if kind == "softmax":
        heads = int(rng.integers(1, 4))
        if heads > 1:
            channels = lanes * int(rng.integers(1, 3))
        x = replace(x, C=heads * channels)
        layer = Layer("y", Op.SOFTMAX, N=n, K=channels, C=channels, P=rows, groups=heads, bits=b, inputs=("x",))
        return Workload(kind, (x,), (layer,))
    if kind == "layernorm":
        layer = Layer("y", Op.LAYERNORM, N=n, K=channels, C=channels, P=rows, bits=b, inputs=("x",))
        return Workload(kind, (x,), (layer,))
    if kind == "gelu":
        layer = Layer("y", Op.ACT, N=n, P=rows, groups=channels, activation="gelu", bits=b, inputs=("x",))
        return Workload(kind, (x,), (layer,))
    turned, width = bool(rng.integers(2)), lanes * int(rng.integers(1, 3))
    tokens = int(rng.integers(1, 30))
    heads = int(rng.integers(1, 4)) if turned or tokens % lanes == 0 else 1
    c, k = (width, tokens) if turned else (tokens, width)
    x = replace(x, C=heads * c)
    second = TensorShape("z", n, heads * (c if turned else k), k if turned else c, 1, bits)
    layer = Layer(
        "y", Op.MATMUL, N=n, C=c, K=k, P=rows, groups=heads, transpose_b=turned, bits=b, inputs=("x", "z")
    )  # fmt: skip
    return Workload(kind, (x, second), (layer,))


def random_chain(rng: np.random.Generator, template: Template) -> Workload:
    """Layers of which some ride along with others: a sum, a product or a gate of two branches, then a table."""
    b = Bits(*(template.act_bits,) * 3, template.acc_bits)
    n, c, p, q = (int(rng.choice([1, 1, 2])), *(int(v) for v in rng.integers(1, [40, 10, 10])))
    x = TensorShape("x", n, c, p, q, template.act_bits)
    shape = {"N": n, "P": p, "Q": q}
    branch = str(rng.choice(["conv", "depthwise", "pool", "gate"]))
    activation = str(rng.choice(["", "relu"]))
    layers: list[Layer] = []
    if branch == "conv":
        k = int(rng.integers(1, 40))
        layers.append(Layer("side", Op.CONV, N=n, C=c, K=k, P=p, Q=q, inputs=("x",), bits=b))
        layers.append(
            Layer("main", Op.CONV, N=n, C=c, K=k, P=p, Q=q, R=3, padding=(1, 0, 1, 0), inputs=("x",), bits=b)
        )  # fmt: skip
    elif branch == "depthwise":
        k = max(c, 2)
        x = replace(x, C=k)
        layers.append(Layer("side", Op.CONV, N=n, C=k, K=k, P=p, Q=q, inputs=("x",), bits=b))
        layers.append(Layer("main", Op.CONV, N=n, groups=k, P=p, Q=q, S=3, padding=(0, 1, 0, 1), inputs=("x",), bits=b))
    elif branch == "pool":
        k = c
        layers.append(Layer("side", Op.CONV, N=n, C=c, K=k, P=p, Q=q, activation=activation, inputs=("x",), bits=b))
        pad = (1, 1, 1, 1)
        layers.append(Layer("main", Op.AVGPOOL, N=n, groups=c, P=p, Q=q, R=3, S=3, padding=pad, inputs=("x",), bits=b))
    else:
        k = c
        layers.append(Layer("mean", Op.AVGPOOL, N=n, groups=c, R=p, S=q, inputs=("x",), bits=b))
        layers.append(Layer("side", Op.CONV, N=n, C=c, K=c, inputs=("mean",), bits=b))
        layers.append(Layer("main", Op.CONV, N=n, C=c, K=c, P=p, Q=q, inputs=("x",), bits=b))
    tail = "main"
    op = Op.MUL if branch == "gate" or rng.integers(3) == 0 else Op.ADD
    tables = template.activation_tables and rng.integers(4)
    if tables and rng.integers(2):
        at = next(i for i, layer in enumerate(layers) if layer.name == "side")
        layers.insert(at + 1, _table("side", "bent", layers, b))
        inputs = ("main", "bent") if branch == "gate" or rng.integers(2) else ("bent", "main")
    else:
        inputs = ("main", "side") if branch == "gate" or rng.integers(2) else ("side", "main")
    layers.append(Layer("joined", op, groups=k, activation=activation, inputs=inputs, bits=b, **shape))
    tail = "joined"
    if tables:
        layers.append(_table(tail, "y", layers, b))
        tail = "y"
    if rng.integers(2):
        layers.append(Layer("last", Op.CONV, N=n, C=k, K=5, P=p, Q=q, inputs=(tail,), bits=b))
    return Workload("chain", (x,), tuple(layers))


def _table(source: str, name: str, layers: list[Layer], bits: Bits) -> Layer:
    """An activation function of a layer's output."""
    before = next(layer for layer in layers if layer.name == source)
    shape = {"N": before.N, "P": before.P, "Q": before.Q, "groups": before.channels_out}
    kind = "table"
    return Layer(name, Op.ACT, activation=kind, inputs=(source,), bits=bits, **shape)
