"""From a module to a functional graph of ATen operators, by ``torch.export``."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind

from codesign.trace.decompose import DECOMPOSITIONS
from codesign.trace.loader import RAISED_BY_USERS
from mappings.errors import Fault, SpecError


@dataclass(frozen=True)
class Captured:
    """An exported graph and the tensors that it names.

    Attributes:
        graph: functional ATen nodes.
        tensors: parameters, buffers and constants, by placeholder name.
        inputs: placeholder names of the module's inputs, in order.
    """

    graph: fx.Graph
    graph_module: fx.GraphModule
    tensors: dict[str, Tensor]
    inputs: tuple[str, ...]

    def run(self, inputs: Sequence[Tensor], keep: Callable[[fx.Node, Any], None]) -> None:
        """Run the graph in float, handing each node's value to ``keep``."""
        given = dict(zip(self.inputs, inputs, strict=True))

        class Recorder(fx.Interpreter):
            def run_node(self, n: fx.Node) -> Any:
                value = super().run_node(n)
                keep(n, value)
                return value

        arguments = [
            given[node.name] if node.name in given else self.tensors.get(node.name)
            for node in self.graph.nodes
            if node.op == "placeholder"
        ]
        with torch.no_grad():
            Recorder(self.graph_module).run(*arguments)


@contextlib.contextmanager
def _evaluation(module: nn.Module) -> Iterator[None]:
    """Evaluation mode, the fused attention path off (it would be one opaque operator); restored on leaving."""
    modes = {child: child.training for child in module.modules()}
    fast = torch.backends.mha.get_fastpath_enabled()
    module.eval()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for child, mode in modes.items():
            child.training = mode


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__


def _run_once(module: nn.Module, inputs: tuple[Tensor, ...], where: str) -> None:
    """Run forward, so that an error of the module itself is told as such."""
    shapes = ", ".join("x".join(map(str, t.shape)) for t in inputs)
    try:
        with torch.no_grad():
            module(*inputs)
    except RAISED_BY_USERS as error:
        raise SpecError(
            Fault(f"{where}.forward", f"fails on an input of {shapes}: {type(error).__name__}: {_first_line(error)}")
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch from printing its own account of a failure: the error that follows says it in one line."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(disabled)


def capture(module: nn.Module, inputs: tuple[Tensor, ...]) -> Captured:
    """Export a module in evaluation mode.

    Raises:
        SpecError: forward fails on these inputs, or its control flow depends on their values.
    """
    where = type(module).__name__
    with _evaluation(module):
        _run_once(module, inputs, where)
        try:
            with _quiet():
                program: ExportedProgram = torch.export.export(module, inputs, strict=False)
                program = program.run_decompositions(DECOMPOSITIONS)
        except SpecError:
            raise
        except RAISED_BY_USERS as error:
            text = str(error)
            if "data-dependent" in text.lower() or "DataDependent" in type(error).__name__:
                what = "its control flow depends on the values of its tensors, so that it has no one graph"
                allowed = "branches and loops over shapes and constants; torch.where for values"
            else:
                what = f"torch.export can not trace it: {type(error).__name__}: {_first_line(error)}"
                allowed = "a module that torch.export accepts"
            raise SpecError(Fault(f"{where}.forward", what, allowed)) from error
    tensors: dict[str, Tensor] = {}
    names: list[str] = []
    for spec in program.graph_signature.input_specs:
        name = spec.arg.name
        if spec.kind is InputKind.USER_INPUT:
            names.append(name)
        elif spec.kind in (InputKind.PARAMETER, InputKind.BUFFER, InputKind.CONSTANT_TENSOR) and spec.target:
            source = program.state_dict if spec.target in program.state_dict else program.constants
            tensors[name] = copy.copy(source[spec.target]).detach()
    return Captured(program.graph, program.graph_module, tensors, tuple(names))
