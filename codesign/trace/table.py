"""The table of operators that tracing can lower: ATen name to the function that does it."""

from __future__ import annotations

from collections.abc import Callable

from torch import fx

from codesign.trace.builder import Builder, Value

Handler = Callable[..., Value]

#: Handlers by ATen name, without overload and without the trailing underscore of in-place forms. Each is called with
#: the builder and the node's arguments, values in place of nodes; ``builder.node`` is the node.
TABLE: dict[str, Handler] = {}


def lowers(*names: str) -> Callable[[Handler], Handler]:
    """Register a handler for ATen operators."""

    def register(handler: Handler) -> Handler:
        for name in names:
            TABLE[name] = handler
        return handler

    return register


def aten_name(node: fx.Node) -> str:
    """``conv2d`` for ``aten.conv2d.default``; for anything else its full name."""
    text = str(node.target)
    if text.startswith("aten."):
        name = text.split(".")[1]
        return name if name.startswith("__") else name.rstrip("_")
    return getattr(node.target, "__name__", text)


def source_of(builder: Builder, position: int = 0) -> fx.Node:
    """The node that is an argument of the one being lowered."""
    node = builder.node.args[position]
    assert isinstance(node, fx.Node)
    return node


def result_sizes(builder: Builder) -> tuple[int, ...]:
    """Torch shape of the node being lowered (of its first result, if it has several)."""
    value = builder.node.meta["val"]
    if isinstance(value, (tuple, list)):
        value = value[0]
    return tuple(int(size) for size in value.shape)
