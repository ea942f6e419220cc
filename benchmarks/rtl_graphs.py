"""Random small graphs: what rides along in post-processing, what is moved, transposed convolutions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from accel_models.template.spec import Template
from benchmarks.rtl_layers import random_attention, random_layer
from mappings.layer import Bits, Layer, Op
from mappings.workload import TensorShape, Workload


def random_workload(rng: np.random.Generator, template: Template) -> Workload:
    """A layer or a small graph that the hardware has the units for."""
    if template.nonlinear_lanes and rng.integers(2):
        return random_attention(rng, template)
    if rng.integers(2):
        return random_layer(rng, template.act_bits, template.acc_bits)
    return (random_chain, random_transposed, random_moves)[int(rng.integers(3))](rng, template)


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


def random_transposed(rng: np.random.Generator, template: Template) -> Workload:
    """A transposed convolution of any stride, filter, dilation, groups and cut, with an activation now and then."""
    b = Bits(*(template.act_bits,) * 3, template.acc_bits)
    n, h, w = (int(rng.choice([1, 1, 2])), *(int(v) for v in rng.integers(1, 8, 2)))
    groups = int(rng.choice([1, 1, 2, 5]))
    c, k = (int(v) for v in rng.integers(1, 30 // groups + 2, 2))
    if rng.integers(4) == 0:
        groups, c, k = int(rng.integers(2, 30)), 1, 1
    taps, stride, dilation, outputs, cut = [], [], [], [], []
    for size in (h, w):
        r, st, d = (int(v) for v in rng.integers(1, [6, 4, 3]))
        reach = (size - 1) * st + (r - 1) * d + 1
        before = int(rng.integers(0, min((r - 1) * d, reach - 1) + 1))
        after = int(rng.integers(0, min((r - 1) * d, reach - 1 - before) + 1))
        more = int(rng.integers(0, st)) if after == 0 else 0
        taps.append(r)
        stride.append(st)
        dilation.append(d)
        outputs.append(reach - before - after + more)
        cut.append((before, after))
    layer = Layer(
        "up", Op.TRCONV, N=n, groups=groups, C=c, K=k, P=outputs[0], Q=outputs[1], R=taps[0], S=taps[1],
        stride=(stride[0], stride[1]), dilation=(dilation[0], dilation[1]),
        padding=(cut[0][0], cut[1][0], cut[0][1], cut[1][1]), activation=str(rng.choice(["", "relu"])),
        inputs=("x",), bits=b,
    )  # fmt: skip
    layers = [layer]
    if template.activation_tables and rng.integers(2):
        layers.append(_table("up", "bent", layers, b))
    if rng.integers(2):
        last = layers[-1].name
        kept = Layer("last", Op.CONV, N=n, C=groups * k, K=5, P=layer.P, Q=layer.Q, inputs=(last,), bits=b)
        layers.append(kept)
    return Workload("transposed", (TensorShape("x", n, groups * c, h, w, template.act_bits),), tuple(layers))


def random_moves(rng: np.random.Generator, template: Template) -> Workload:
    """Joined along any axis, cut, spread, enlarged: what has no arithmetic, between two convolutions."""
    b = Bits(*(template.act_bits,) * 3, template.acc_bits)
    n, c, h, w = (int(rng.choice([1, 1, 2])), *(int(v) for v in rng.integers(1, [40, 9, 9])))
    x = TensorShape("x", n, c, h, w, template.act_bits)
    k = int(rng.integers(1, 40))
    a = Layer("a", Op.CONV, N=n, C=c, K=k, P=h, Q=w, inputs=("x",), bits=b)
    layers = [a]
    shapes = {"x": (c, h, w), "a": (k, h, w)}

    def add(layer: Layer) -> str:
        layers.append(layer)
        shapes[layer.name] = (layer.channels_out, layer.P, layer.Q)
        return layer.name

    def join(name: str, sources: list[str], axis: str) -> str:
        sizes = [list(shapes[source]) for source in sources]
        at = "KPQ".index(axis)
        sizes[0][at] = sum(size[at] for size in sizes)
        channels, rows, cols = sizes[0]
        return add(
            Layer(name, Op.CONCAT, N=n, groups=channels, P=rows, Q=cols, axis=axis, inputs=tuple(sources), bits=b)
        )

    def cut(name: str, source: str) -> str:
        steps = [int(v) for v in rng.integers(1, 3, 2)]
        ups = [int(v) if step == 1 else 1 for v, step in zip(rng.integers(1, 4, 2), steps, strict=True)]
        origin = [int(rng.integers(0, size)) for size in shapes[source]]
        rest = [size - first for size, first in zip(shapes[source], origin, strict=True)]
        p, q = (-(-left // step) * up for left, step, up in zip(rest[1:], steps, ups, strict=True))
        channels = int(rng.integers(1, rest[0] + 1))
        return add(
            Layer(
                name, Op.RESHAPE, N=n, groups=channels, P=p, Q=q, stride=(steps[0], steps[1]),
                dilation=(ups[0], ups[1]), moves="box",
                origin=(origin[0], origin[1], origin[2]), inputs=(source,), bits=b,
            )
        )  # fmt: skip

    axis = str(rng.choice(["K", "P", "Q"]))
    kind = int(rng.integers(4))
    if kind == 0:  # two branches and a stored tensor
        second = add(Layer("b", Op.CONV, N=n, C=c, K=k, P=h, Q=w, inputs=("x",), bits=b))
        stored = add(Layer("c", Op.CONSTANT, N=n, groups=k, P=h, Q=w, bits=b))
        last = join("j", [["a", second, stored], [stored, "a"]][int(rng.integers(2))], axis)
    elif kind == 1:  # one tensor several times, in several joins
        first = join("j", ["a", "a"], axis)
        last = join("j2", [first, "a"], axis) if axis != "K" else join("j2", ["a", first], "K")
    elif kind == 2:
        last = cut("cut", "a")
    else:  # rows become tokens, behind a stored one
        flat = add(Layer("flat", Op.RESHAPE, N=n, groups=k, P=h * w, inputs=("a",), bits=b))
        token = add(Layer("token", Op.CONSTANT, N=n, groups=k, bits=b))
        last = join("j", [token, flat], "P")
    if rng.integers(2) and kind != 2:
        last = cut("cut", last)
    channels, rows, cols = shapes[last]
    add(Layer("y", Op.CONV, N=n, C=channels, K=int(rng.integers(1, 20)), P=rows, Q=cols, inputs=(last,), bits=b))
    return Workload("moves", (x,), tuple(layers))
