"""Random hardware, and single layers of any operator with random shapes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from accel_models.template.spec import ArrayKind, Template
from mappings.errors import SpecError
from mappings.layer import Bits, Layer, Op
from mappings.workload import TensorShape, Workload

#: Arrays that can make two products with weights of half the width, and skip filter taps.
TREE_ARRAYS = (ArrayKind.CHANNEL_PARALLEL, ArrayKind.LOOP_TILE)


def random_template(rng: np.random.Generator, array: ArrayKind, size: int | None = None) -> Template:
    """Small hardware of any shape and width; small buffers, so that layers fall into tiles.

    Args:
        rng: draws everything else.
        array: its dataflow.
        size: rows and columns; None: drawn, seldom 32, whose simulators take a minute to compile.
    """
    while True:
        rows, cols = (size or int(rng.choice([4, 4, 4, 8, 8, 8, 16, 16, 32])) for _ in range(2))
        bits = int(rng.choice([4, 8, 8, 16]))
        dual = bool(rng.integers(2)) and bits == 8 and cols <= 16 and array in TREE_ARRAYS
        lanes = max(rows, cols << dual)
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
                weight_packing=int(rng.choice([2, 4] if dual else [1, 2, 4])),
                dual_rate=dual,
                tap_skipping=bool(rng.integers(2)) and array in TREE_ARRAYS,
                acc_stages=int(rng.choice([0, 0, 1, 2, 3])),
                ppu_stages=int(rng.choice([0, 0, 1, 2, 3])),
                axi_bits=axi,
                axi_burst_beats=int(rng.choice([16, 16, 32, 64])),
                unaligned=bool(rng.integers(4)),
                dram_latency_cycles=int(rng.integers(1, 80)),
                dram_bytes_per_cycle=int(rng.integers(1, axi // 8 + 1)),
            )
        except SpecError:
            continue


def narrowed(rng: np.random.Generator, workload: Workload, template: Template) -> Workload:
    """The same network with weights of fewer bits in some layers, down to what the template packs."""
    layers = []
    for layer in workload.layers:
        if layer.op in (Op.CONV, Op.LINEAR, Op.TRCONV):
            weight = template.weight_bits // int(rng.choice([n for n in (1, 2, 4) if n <= template.weight_packing]))
            layer = replace(layer, bits=replace(layer.bits, W=weight))
        layers.append(layer)
    return replace(workload, layers=tuple(layers))


def pruned(rng: np.random.Generator, workload: Workload, template: Template) -> Workload:
    """The same network with fewer filter taps in some convolutions, in blocks that suit the array or do not."""
    layers = []
    for layer in workload.layers:
        plain = layer.op is Op.CONV and layer.groups == 1 and layer.R * layer.S > 1
        if plain and template.tap_skipping and rng.integers(2):
            block = (template.word_lanes, template.word_lanes) if rng.integers(4) else (int(rng.integers(1, 9)), 8)
            layer = replace(layer, kept_taps=int(rng.integers(1, layer.R * layer.S)), tap_block=block)
        layers.append(layer)
    return replace(workload, layers=tuple(layers))


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
    r, s = (int(rng.integers(1, int(rng.choice([4, 6])))) for _ in range(2))
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
        masked = bool(rng.integers(2)) and template.weight_word_bytes * 8 >= lanes
        layer = Layer(
            "y", Op.SOFTMAX, N=n, K=channels, C=channels, P=rows, groups=heads, masked=masked, bits=b, inputs=("x",)
        )  # fmt: skip
        return Workload(kind, (x,), (layer,))
    if kind == "layernorm":
        layer = Layer("y", Op.LAYERNORM, N=n, K=channels, C=channels, P=rows, bits=b, inputs=("x",))
        return Workload(kind, (x,), (layer,))
    if kind == "gelu":
        layer = Layer("y", Op.ACT, N=n, P=rows, groups=channels, activation="gelu", bits=b, inputs=("x",))
        return Workload(kind, (x,), (layer,))
    turned = bool(rng.integers(2))
    width = lanes * int(rng.integers(1, 3)) if rng.integers(2) else int(rng.integers(1, 2 * lanes))
    tokens = int(rng.integers(1, 30))
    heads = int(rng.integers(1, 4))
    c, k = (width, tokens) if turned else (tokens, width)
    x = replace(x, C=heads * c)
    second = TensorShape("z", n, heads * (c if turned else k), k if turned else c, 1, bits)
    layer = Layer(
        "y", Op.MATMUL, N=n, C=c, K=k, P=rows, groups=heads, transpose_b=turned, bits=b, inputs=("x", "z")
    )  # fmt: skip
    return Workload(kind, (x, second), (layer,))
