"""The walk over an exported graph that makes a workload of it."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from codesign.trace import ops_elementwise, ops_mac, ops_move, ops_norm, ops_reduce, ops_select, ops_window
from codesign.trace.builder import RANK_AXES, Builder, Value, place
from codesign.trace.capture import Captured, capture
from codesign.trace.network import Operand, TracedLayer, TracedNetwork
from codesign.trace.table import TABLE, aten_name
from codesign.trace.views import Shape, View
from mappings.errors import Fault, SpecError, nearest
from mappings.layer import Layer, Op
from mappings.moves import moves_of
from mappings.workload import TensorShape, Workload

_TABLE_PARTS = (ops_mac, ops_window, ops_elementwise, ops_norm, ops_move, ops_reduce, ops_select)
_TAKES_PADDING = frozenset({"conv2d", "max_pool2d", "max_pool2d_with_indices", "avg_pool2d", "pad", "constant_pad_nd"})
#: What may be done with inputs of whole numbers.
_ON_NUMBERS = frozenset(
    {"embedding", "to", "_to_copy", "clone", "view", "reshape", "unsqueeze", "squeeze", "slice"}
) | {*ops_select.SHAPE_ONLY}
_ADVICE = {
    "log_softmax": "return the logits",
}


def supported_operators() -> tuple[str, ...]:
    """ATen names of the operators that can be lowered, sorted; without the private forms that exporting may put in."""
    return tuple(sorted(name for name in TABLE if not name.startswith("_")))


def trace(module: nn.Module, inputs: Tensor | Sequence[Tensor], name: str = "") -> Workload:
    """A module as a workload: its layers in topological order, batch norm folded, ReLU fused.

    Args:
        module: any module of the operators in :func:`supported_operators`; traced in evaluation mode.
        inputs: example inputs; shapes matter, values do not.
        name: of the workload; the class name by default.

    Raises:
        SpecError: forward fails, control flow depends on data, or an operator can not be lowered (all of them told).
    """
    return trace_network(module, inputs, name).workload


def trace_network(module: nn.Module, inputs: Tensor | Sequence[Tensor], name: str = "") -> TracedNetwork:
    """As :func:`trace`, with the float parameters and the graph that quantisation needs."""
    examples = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    captured = capture(module, examples)
    builder = Builder(name or type(module).__name__)
    _check_operators(captured, builder.name)
    outputs: tuple[View, ...] = ()
    for node in captured.graph.nodes:
        builder.node = node
        if node.op == "placeholder":
            builder.values[node] = _placeholder(builder, captured, node, examples)
        elif node.op == "call_function":
            builder.values[node] = _lower(builder, node)
        elif node.op == "output":
            outputs = _outputs(builder, node)
    layers = _split_parts(builder, {view.tensor for view in outputs})
    if not layers:
        raise SpecError(Fault(builder.name, "has no operator that a layer could be made of"))
    workload = Workload(builder.name, tuple(builder.inputs), tuple(item.layer for item in layers.values()))
    views = {tensor.name: _input_view(builder, tensor.name) for tensor in builder.inputs}
    return TracedNetwork(workload, layers, outputs, views, builder.shapes, captured)


def _check_operators(captured: Captured, name: str) -> None:
    """All operators that are not in the table, told at once."""
    faults, seen = [], set()
    for node in captured.graph.nodes:
        if node.op != "call_function" or node.target is operator.getitem or aten_name(node) in TABLE:
            continue
        if not _reached(node, captured):
            continue
        kind = aten_name(node)
        where = place(node, name)
        if (kind, where) in seen:
            continue
        seen.add((kind, where))
        advice = f"; {_ADVICE[kind]}" if kind in _ADVICE else ""
        faults.append(
            Fault(where, f"can not lower {node.target}{nearest(kind, TABLE)}{advice}", ", ".join(supported_operators()))
        )
    if faults:
        faults = [replace(fault, allowed="") for fault in faults[:-1]] + faults[-1:]
        raise SpecError(faults)


def _reached(node: fx.Node, captured: Captured) -> bool:
    """Whether a node depends on the module's input (what does not is computed beforehand)."""
    stack, seen = [node], set()
    while stack:
        item = stack.pop()
        if item.name in captured.inputs:
            return True
        if item not in seen and (item is node or aten_name(item) not in ops_select.SHAPE_ONLY):
            seen.add(item)
            stack.extend(item.all_input_nodes)
    return False


def _placeholder(builder: Builder, captured: Captured, node: fx.Node, examples: tuple[Tensor, ...]) -> Value:
    if node.name not in captured.inputs:
        return captured.tensors.get(node.name)
    example = examples[captured.inputs.index(node.name)]
    where = f"{builder.name}.forward: input {node.name}"
    if not isinstance(example, Tensor):
        return example
    if example.dim() == 5:  # depth goes with the channels
        shape = (example.shape[0], example.shape[1] * example.shape[2], example.shape[3], example.shape[4])
        return builder.reshaped(_stored_input(builder, node, shape, "NCHW"), tuple(example.shape))
    if example.dim() not in RANK_AXES:
        raise SpecError(Fault(where, f"has {example.dim()} dims", "1 to 5 dims"))
    if not example.dtype.is_floating_point:  # one number a token
        rows = int(np.prod(example.shape[1:])) if example.dim() > 1 else example.shape[0]
        first = example.shape[0] if example.dim() > 1 else 1
        builder.numbers.add(node.name)
        return builder.reshaped(_stored_input(builder, node, (first, 1, rows, 1), "NH"), tuple(example.shape))
    axes = RANK_AXES[example.dim()]
    if example.dim() == 3 and any(aten_name(user) == "conv1d" for user in node.users):
        axes = "NCW"
    extent = {"N": 1, "C": 1, "H": 1, "W": 1} | dict(zip(axes, example.shape, strict=True))
    return _stored_input(builder, node, (extent["N"], extent["C"], extent["H"], extent["W"]), axes)


def _stored_input(builder: Builder, node: fx.Node, shape: Shape, axes: str) -> View:
    builder.inputs.append(TensorShape(node.name, *shape))
    builder.shapes[node.name] = shape
    builder.exclusive[node] = False
    return View.whole(node.name, shape, axes)


def _input_view(builder: Builder, name: str) -> View:
    for node, value in builder.values.items():
        if node.name == name:
            assert isinstance(value, View)
            return value
    raise AssertionError(name)


def _lower(builder: Builder, node: fx.Node) -> Value:
    """The value of one node: constants are computed, values are lowered."""
    arguments: Any = fx.map_arg(node.args, lambda n: builder.values[n])
    options: Any = fx.map_arg(node.kwargs, lambda n: builder.values[n])
    if node.target is operator.getitem:
        value = arguments[0][arguments[1]]
    elif not _has_view((arguments, options)):
        target: Any = node.target
        with torch.no_grad():
            return target(*arguments, **options)
    else:
        name = aten_name(node)
        if name != "softmax" and any(source in builder.masks for source in node.all_input_nodes):
            raise builder.fail("on values masked with -inf", "softmax alone")
        if name not in _ON_NUMBERS and any(view.tensor in builder.numbers for view in _views((arguments, options))):
            raise builder.fail("on whole numbers", "embedding; floating-point inputs for the rest")
        if name not in _TAKES_PADDING:
            arguments = _flushed(builder, arguments)
        value = TABLE[name](builder, *arguments, **options)
    for source in node.all_input_nodes:
        if source in builder.masks and node.target is operator.getitem:
            builder.masks[node] = builder.masks[source]
    if isinstance(value, View):
        parents = [
            source
            for source in node.all_input_nodes
            if any(v.tensor == value.tensor for v in _views(builder.values.get(source)))
        ]
        builder.exclusive[node] = len(node.users) == 1 and all(builder.exclusive.get(p, False) for p in parents)
    else:
        builder.exclusive[node] = len(node.users) == 1
    return value


def _views(value: Value) -> list[View]:
    if isinstance(value, View):
        return [value]
    if isinstance(value, (tuple, list)):
        return [view for item in value for view in _views(item)]
    return list(_views(tuple(value.values()))) if isinstance(value, dict) else []


def _has_view(value: Value) -> bool:
    return bool(_views(value))


def _flushed(builder: Builder, arguments: Any) -> Any:
    return tuple(builder.flushed(a) if isinstance(a, View) else a for a in arguments)


def _outputs(builder: Builder, node: fx.Node) -> tuple[View, ...]:
    """The module's results; each becomes (part of) a layer's output with factor 1."""
    views = []
    for view in _views(fx.map_arg(node.args, lambda n: builder.values[n])):
        view = builder.unscaled(builder.flushed(view))
        if view.tensor not in builder.layers:
            continue
        views.append(view)
    return tuple(views)


def _split_parts(builder: Builder, outputs: set[str]) -> dict[str, TracedLayer]:
    """Layers with every operand a whole tensor.

    A linear or 1-group convolution of which only disjoint parts are read (a fused query-key-value projection) becomes
    one layer for each part; a part of anything else becomes a reshape.
    """
    uses: dict[str, set[tuple[int, int]]] = {}
    for item in builder.layers.values():
        for o in item.operands:
            uses.setdefault(o.tensor, set()).add((o.first, o.count))
    out: dict[str, TracedLayer] = {}
    renamed: dict[Operand, str] = {}

    def add_parts(source: str, item: TracedLayer | None) -> None:
        channels = builder.shapes[source][1]
        parts = sorted(part for part in uses.get(source, ()) if part != (0, channels))
        disjoint = all(a[0] + a[1] <= b[0] for a, b in itertools.pairwise(parts))
        whole_used = (0, channels) in uses.get(source, ()) or source in outputs or not parts
        splits = item is not None and item.layer.op.spec.convolves and item.layer.groups == 1
        if item is not None and not (splits and disjoint and not whole_used):
            out[source] = item
        for number, (first, count) in enumerate(parts):
            name = f"{source}.{number}"
            while name in builder.shapes:
                name += "_"
            if item is not None and splits and disjoint and not whole_used:
                assert item.weight is not None
                bias = None if item.bias is None else item.bias[first : first + count]
                out[name] = replace(
                    item,
                    layer=replace(item.layer, name=name, K=count),
                    weight=item.weight[first : first + count],
                    bias=bias,
                    part=(first, count),
                )
            else:
                out[name] = _slice_layer(builder, source, name, first, count)
            builder.shapes[name] = (builder.shapes[source][0], count, *builder.shapes[source][2:])
            renamed[Operand(source, first, count)] = name

    for tensor in builder.inputs:
        add_parts(tensor.name, None)
    for name, item in list(builder.layers.items()):
        operands = []
        for o in item.operands:
            new = renamed.get(replace(o, factor=1.0))
            operands.append(o if new is None else Operand(new, 0, o.count, o.factor))
        item.operands = operands
        item.layer = replace(item.layer, inputs=tuple(o.tensor for o in operands))
        add_parts(name, item)
    return _needed(out, outputs)


def _slice_layer(builder: Builder, source: str, name: str, first: int, count: int) -> TracedLayer:
    """A reshape that takes some channels."""
    n, c, h, w = builder.shapes[source]
    index = np.arange(n * c * h * w, dtype=np.int64).reshape(n, c, h, w)[:, first : first + count]
    fields = moves_of(index, (n, c, h, w))
    layer = Layer(name, Op.RESHAPE, N=n, groups=count, P=h, Q=w, inputs=(source,), **fields)
    view = View.whole(name, (n, count, h, w), "NCHW")
    return TracedLayer(layer, [Operand(source, 0, c)], "", view, index=np.ascontiguousarray(index))


def _needed(layers: dict[str, TracedLayer], outputs: set[str]) -> dict[str, TracedLayer]:
    """Layers that an output depends on."""
    wanted = set(outputs)
    for name, item in reversed(layers.items()):
        if name in wanted:
            wanted.update(o.tensor for o in item.operands)
    return {name: item for name, item in layers.items() if name in wanted}
