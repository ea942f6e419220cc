"""Collects layers while a graph is walked: places values, puts in reshapes and constants, fuses, splits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, fx

from codesign.trace.network import Operand, TracedLayer
from codesign.trace.views import AXES, Shape, View
from mappings.errors import Fault, SpecError
from mappings.layer import Layer, Op
from mappings.moves import moves_of
from mappings.workload import TensorShape

Value: TypeAlias = Any  # View, Tensor (a constant), number, None, or a list or tuple of these

_LEAF_MODULES = ("conv", "linear", "batchnorm", "normalization", "pooling", "activation")
_NEVER_NEGATIVE = frozenset({"relu", "relu6", "sigmoid", "hardsigmoid"})
#: Stored axes of the torch dims of a value of each rank.
RANK_AXES = {1: "C", 2: "NC", 3: "NHC", 4: "NCHW"}


class Builder:
    """The state of one trace.

    Attributes:
        shapes: stored shape of every tensor so far.
        layers: layers so far, in topological order.
        node: the graph node being lowered.
        masks: places to keep, for nodes whose value waits for a softmax.
        numbers: inputs of whole numbers, which only look up rows of tables.
        exclusive: whether a node's value is all that is left of the layer behind it, so that it may be fused.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.shapes: dict[str, Shape] = {}
        self.inputs: list[TensorShape] = []
        self.layers: dict[str, TracedLayer] = {}
        self.values: dict[fx.Node, Value] = {}
        self.exclusive: dict[fx.Node, bool] = {}
        self.masks: dict[fx.Node, Tensor] = {}
        self.numbers: set[str] = set()
        self._moved: dict[tuple[str, Shape, bytes], str] = {}
        self.node: fx.Node

    # --- names and errors ---------------------------------------------------------------------------------------

    def where(self, node: fx.Node | None = None) -> str:
        """Place of a node in the module, for messages."""
        return place(node or self.node, self.name)

    def fail(self, what: str, allowed: str = "") -> SpecError:
        """An error about the node being lowered, which names its operator."""
        return SpecError(Fault(self.where(), f"{self.node.target} {what}", allowed))

    def fresh_name(self, suffix: str, own: bool = True) -> str:
        """A layer name from the module path; a leaf module's own layer has just its path."""
        stack = list((self.node.meta.get("nn_module_stack") or {}).values())
        path, kind = (str(stack[-1][0]), str(stack[-1][1])) if stack else ("", "")
        leaf = kind.startswith("torch.nn.modules.") and kind.split(".")[3] in _LEAF_MODULES
        if own and leaf and not kind.endswith(".MultiheadAttention") and path:
            base = path
        else:
            base = f"{path}.{suffix}" if path else suffix
        name, count = base, 1
        while name in self.shapes:
            count += 1
            name = f"{base}_{count}"
        return name

    # --- layers -------------------------------------------------------------------------------------------------

    def emit(
        self, op: Op, view_of: Callable[[str], View], operands: Sequence[Operand], suffix: str = "", **fields: Any
    ) -> View:
        """Add a layer; ``fields`` are split between the layer's own and those of :class:`TracedLayer`.

        Args:
            op: operator.
            view_of: the node's value as a view of the new tensor, from its name.
            operands: what it reads.
            suffix: last part of its name where no leaf module gives one.
        """
        side = {key: fields.pop(key) for key in list(fields) if key in TracedLayer.__dataclass_fields__}
        name = self.fresh_name(suffix or str(op), op not in (Op.RESHAPE, Op.CONSTANT))
        layer = Layer(name, op, inputs=tuple(o.tensor for o in operands), **fields)
        self.shapes[name] = (layer.N, layer.channels_out, layer.P, layer.Q)
        view = view_of(name)
        self.layers[name] = TracedLayer(layer, list(operands), self.node.name, view, **side)
        return view

    def inserted(self, view: View) -> View:
        """Mark the newest layer as one without a graph node of its own."""
        self.layers[view.tensor].node = ""
        return view

    def operand(self, view: View) -> Operand:
        """A view as an operand; it must be all places of a gapless range of channels."""
        span = view.channels(self.shapes[view.tensor])
        if span is None or any(view.pad):
            raise AssertionError(f"{view} is not placed")
        return Operand(view.tensor, *span, view.factor)

    def renamed(self, view: View, shape_like: str) -> View:
        """The same arrangement, of another tensor of the same extents."""
        return replace(view, tensor=shape_like, start=(0, 0, 0, 0), factor=1.0, pad=(0, 0, 0, 0))

    def extents(self, view: View) -> Shape:
        """Stored extents of the (placed) view: its own channels, all rows and columns."""
        n, _, h, w = self.shapes[view.tensor]
        span = view.channels(self.shapes[view.tensor])
        assert span is not None
        return n, span[1], h, w

    def masked(self, view: View, keep: Tensor) -> View:
        """The view with places masked out, which only a softmax can take."""
        self.masks[self.node] = keep
        return view

    # --- placing ------------------------------------------------------------------------------------------------

    def indices(self, view: View) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Flat stored position of each element, in torch's shape, pending zeros included as -1."""
        index = view.index(self.shapes[view.tensor])
        if any(view.pad):
            top, left, bottom, right = view.pad
            widths = [(0, 0)] * (index.ndim - 2) + [(top, bottom), (left, right)]
            index = np.pad(index, widths, constant_values=-1)
        return index

    def gathered(self, source: View, index: np.ndarray[Any, np.dtype[np.int64]], axes: str) -> View:
        """A reshape layer whose value has the torch shape of ``index``, torch dim ``i`` stored as ``axes[i]``."""
        extent = dict.fromkeys(AXES, 1) | dict(zip(axes, index.shape, strict=True))
        shape = (extent["N"], extent["C"], extent["H"], extent["W"])
        target = View.whole("", shape, axes)
        stored = np.empty(index.size, dtype=np.int64)
        stored[target.index(shape).reshape(-1)] = index.reshape(-1)
        whole = self.shapes[source.tensor]
        alias = stored.size == int(np.prod(whole)) and bool(np.array_equal(stored, np.arange(stored.size)))
        if alias and shape == whole:
            return replace(target, tensor=source.tensor, factor=source.factor)
        key = (source.tensor, shape, stored.tobytes())
        if key in self._moved:
            return replace(target, tensor=self._moved[key], factor=source.factor)
        view = self.emit(
            Op.RESHAPE,
            lambda name: replace(target, tensor=name),
            [Operand(source.tensor, 0, whole[1])],
            groups=shape[1],
            N=shape[0],
            P=shape[2],
            Q=shape[3],
            index=None if alias and shape[:2] == whole[:2] else stored.reshape(shape),
            **moves_of(stored.reshape(shape), whole),
        )
        self._moved[key] = view.tensor
        return replace(self.inserted(view), factor=source.factor)

    def flushed(self, view: View) -> View:
        """Pending zeros put in by a reshape."""
        if not any(view.pad):
            return view
        return self.gathered(view, self.indices(view), RANK_AXES.get(len(view.sizes), "NCHW"))

    def arranged(self, view: View, axes: str) -> View:
        """The view with torch dim ``i`` stored as ``axes[i]``; moves data only where it must."""
        if view.is_axes(axes, self.shapes[view.tensor]) and not any(view.pad):
            return view
        return self.gathered(view, self.indices(view), axes)

    def placed(self, view: View) -> View:
        """The view as all places of a range of channels, in whatever order its torch dims have."""
        if not any(view.pad) and view.channels(self.shapes[view.tensor]) is not None:
            return view
        return self.stored(self.indices(view), view)

    def stored(self, index: np.ndarray[Any, np.dtype[np.int64]], source: View) -> View:
        """A reshape layer for positions of any rank: of more than 4 dims, those between the first and last are rows."""
        sizes = index.shape
        if len(sizes) in RANK_AXES:
            return self.gathered(source, index, RANK_AXES[len(sizes)])
        if not sizes:
            return self.reshaped(self.gathered(source, index.reshape(1), "C"), ())
        return self.reshaped(self.gathered(source, index.reshape(sizes[0], -1, sizes[-1]), "NHC"), sizes)

    def reshaped(self, view: View, sizes: Sequence[int]) -> View:
        """A view that takes any shape of its elements."""
        found = view.reshaped(sizes)
        assert found is not None
        return found

    def unscaled(self, view: View) -> View:
        """The view with factor 1, by an activation that does nothing but rescale."""
        if view.factor == 1.0:
            return view
        view = self.placed(view)
        return self.inserted(self.unary(view, "identity", lambda x: x))

    def like(self, value: View | Tensor, model: View) -> View:
        """A value (broadcast to the model's torch shape) arranged as ``model`` is: operand of an elementwise layer."""
        shape = self.extents(model)
        order = replace(model, tensor="", start=(0, 0, 0, 0)).index(shape)
        axes = View.whole("", shape, AXES)
        if isinstance(value, Tensor):
            stored = torch.empty(order.size, dtype=torch.float64, device=value.device)
            full = torch.broadcast_to(value, model.sizes).double()
            stored[torch.from_numpy(order.reshape(-1))] = full.reshape(-1)
            view = self.constant(stored.reshape(shape))
        else:
            value = self.flushed(value)
            if value.sizes == model.sizes and value.dims == model.dims and self._same_places(value, model):
                return value
            index = np.broadcast_to(self.indices(value), model.sizes)
            flat = np.empty(order.size, dtype=np.int64)
            flat[order.reshape(-1)] = index.reshape(-1)
            view = self.gathered(value, flat.reshape(shape), AXES)
        factor = view.factor
        assert self.shapes[view.tensor] == axes.sizes
        return replace(self.renamed(model, view.tensor), factor=factor)

    def _same_places(self, a: View, b: View) -> bool:
        first, second = self.shapes[a.tensor], self.shapes[b.tensor]
        return (first[0], *first[2:]) == (second[0], *second[2:]) and a.channels(first) is not None

    def constant(self, value: Tensor) -> View:
        """A stored tensor ``[N, channels, rows, columns]`` as a layer."""
        n, c, h, w = value.shape
        view = self.emit(
            Op.CONSTANT,
            lambda name: View.whole(name, (n, c, h, w), AXES),
            [],
            "constant",
            N=n,
            groups=c,
            P=h,
            Q=w,
            value=value.double(),
        )
        return self.inserted(view)

    # --- elementwise --------------------------------------------------------------------------------------------

    def unary(self, view: View, activation: str, function: Callable[[Tensor], Tensor]) -> View:
        """An activation that stands alone."""
        n, c, h, w = self.extents(view)
        return self.emit(
            Op.ACT,
            lambda name: self.renamed(view, name),
            [self.operand(view)],
            activation,
            N=n,
            groups=c,
            P=h,
            Q=w,
            activation=activation,
            function=function,
        )

    def fuse(self, view: View, source: fx.Node, activation: str) -> View | None:
        """Put an activation into the layer behind ``view``; None where that is not possible."""
        item = self.layers.get(view.tensor)
        if item is None or not self._fusible(view, source) or not item.layer.op.spec.clamps:
            return None
        if view.factor != 1.0 and item.weight is not None:
            item.weight = item.weight * view.factor
            item.bias = None if item.bias is None else item.bias * view.factor
            view = replace(view, factor=1.0)
        item.layer = replace(item.layer, activation=activation)
        return self._taken_over(item, view)

    def affine(self, view: View, source: fx.Node, scale: Tensor, shift: Tensor) -> View:
        """``scale[c] * x + shift[c]`` along channels: folded into the weights before it, else a depthwise 1 x 1."""
        item = self.layers.get(view.tensor)
        if item is not None and self._fusible(view, source) and item.layer.op.spec.weighted and item.weight is not None:
            bias = torch.zeros(scale.numel(), dtype=torch.float64) if item.bias is None else item.bias
            item.weight = item.weight * scale.view(-1, 1, 1, 1) * view.factor
            item.bias = bias * scale * view.factor + shift
            return replace(self._taken_over(item, view), factor=1.0)
        n, c, h, w = self.extents(view)
        return self.emit(
            Op.CONV,
            lambda name: self.renamed(view, name),
            [self.operand(view)],
            "scale",
            N=n,
            groups=c,
            P=h,
            Q=w,
            weight=scale.double().reshape(c, 1, 1, 1),
            bias=shift.double(),
            scaling=True,
        )

    def _fusible(self, view: View, source: fx.Node) -> bool:
        item = self.layers[view.tensor]
        return (
            self.exclusive.get(source, False)
            and not item.layer.activation
            and item.node != ""
            and view.channels(self.shapes[view.tensor]) == (0, self.shapes[view.tensor][1])
            and (view.factor == 1.0 or (item.layer.op.spec.weighted and item.weight is not None))
        )

    def _taken_over(self, item: TracedLayer, view: View) -> View:
        item.node, item.view = self.node.name, replace(view, factor=1.0)
        return view

    def never_negative(self, view: View) -> bool:
        """Whether no element can be negative."""
        item = self.layers.get(view.tensor)
        while item is not None and item.layer.op in {Op.MAXPOOL, Op.RESHAPE} and not item.layer.activation:
            item = self.layers.get(item.operands[0].tensor)
        if item is None or view.factor < 0:
            return False
        return item.layer.op is Op.SOFTMAX or item.layer.activation in _NEVER_NEGATIVE


def place(node: fx.Node, network: str) -> str:
    """``Net.layer1.0 (my_module.py:12: return self.conv(x))`` for a graph node."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    path = f"{network}.{stack[-1][0]}" if stack and stack[-1][0] else network
    lines = [line.strip() for line in (node.meta.get("stack_trace") or "").splitlines() if line.strip()]
    for position in range(len(lines) - 1, -1, -1):
        line = lines[position]
        if line.startswith('File "') and "/torch/" not in line:
            file = line.split('"')[1].rsplit("/", 1)[-1]
            number = line.split("line ")[1].split(",")[0]
            code = lines[position + 1] if position + 1 < len(lines) else ""
            return f"{path} ({file}:{number}{': ' + code if code else ''})"
    return path
