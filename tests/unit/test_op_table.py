"""The one table of operators: complete, right by torch's own counts, and asked by everything else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from accel_models.reuse.oracle import TOUCH
from accel_models.schedule.commands import ComputeOp
from accel_models.schedule.tiling import compute_op
from accel_models.template.spec import Template
from codesign.quantization.integer_reference import _RUN as TORCH_INTEGERS
from codesign.quantization.layer import _BY_OP as QUANTIZED
from codesign.trace import trace
from mappings.integer_run import _RUN as INTEGERS
from mappings.layer import DIMS, Layer, Op
from mappings.loops import relevance, tensors_of
from mappings.operators import Layout, Macs, OpSpec, Rescale, SecondOperand, Unit

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("mappings", "accel_models", "rtl_templates", "hls", "codesign")
#: Files that hold operators' own arithmetic, or what another machine or space is said to run.
OWN_ARITHMETIC = {
    "mappings/integer_run.py",
    "accel_models/reuse/oracle.py",  # shares nothing with the table that it is a check of
    "accel_models/published/dpu.py",
    "codesign/accuracy/progressive.py",  # a mean of whole channels takes any extent
    "codesign/accuracy/proxies.py",
    "codesign/quantization/integer_reference.py",
    "codesign/quantization/deploy.py",
    "codesign/networks/morphism.py",
    "codesign/quantization/qat.py",
    "codesign/providers/accuracy/probe.py",
    "codesign/quantization/quantize.py",
    "codesign/quantization/random_network.py",  # what tracing would find behind each operator
    "codesign/supernet/stabilised.py",  # a mean over places and a matrix over channels may change places
    "codesign/trace/builder.py",
    "codesign/trace/ops_window.py",
}


class Call(nn.Module):
    """A function as a module."""

    def __init__(self, function: object) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Tensor:
        result: Tensor = self.function(*inputs)  # type: ignore[operator]
        return result


class Biased(nn.Module):
    """A stored tensor added to the input."""

    def __init__(self) -> None:
        super().__init__()
        self.stored = nn.Parameter(torch.randn(1, 4, 5, 6))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.stored


IMAGE = (2, 4, 5, 6)
CASES: dict[Op, tuple[nn.Module, list[tuple[int, ...]]]] = {
    Op.CONV: (nn.Conv2d(4, 6, (3, 2), stride=2, padding=1, groups=2), [IMAGE]),
    Op.TRCONV: (nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, groups=2), [IMAGE]),
    Op.LINEAR: (nn.Linear(7, 9), [(2, 5, 7)]),
    Op.MATMUL: (Call(torch.bmm), [(3, 5, 7), (3, 7, 4)]),
    Op.MAXPOOL: (nn.MaxPool2d(2), [IMAGE]),
    Op.AVGPOOL: (nn.AvgPool2d(2), [IMAGE]),
    Op.ADD: (Call(lambda a, b: a + b), [IMAGE, IMAGE]),
    Op.MUL: (Call(lambda a, b: a * b), [IMAGE, IMAGE]),
    Op.CONCAT: (Call(lambda a, b: torch.cat([a, b], 1)), [IMAGE, IMAGE]),
    Op.ACT: (nn.SiLU(), [IMAGE]),
    Op.SOFTMAX: (nn.Softmax(-1), [(2, 5, 7)]),
    Op.LAYERNORM: (nn.LayerNorm(7), [(2, 5, 7)]),
    Op.CONSTANT: (Biased(), [(1, 4, 5, 6)]),
    Op.EMBEDDING: (nn.Embedding(11, 7), [(2, 5)]),
    Op.RESHAPE: (Call(lambda x: functional.interpolate(x, scale_factor=2.0)), [IMAGE]),
}


def traced(op: Op) -> tuple[Layer, nn.Module, list[Tensor]]:
    """The operator's layer of its case."""
    module, shapes = CASES[op]
    module = module.eval()
    inputs = [torch.zeros(shape, dtype=torch.long) if op is Op.EMBEDDING else torch.randn(shape) for shape in shapes]
    layers = trace(module, inputs, "case").layers
    return next(layer for layer in layers if layer.op is op), module, inputs


@pytest.mark.parametrize("op", Op)
def test_counts_are_those_of_torch(op: Op) -> None:
    layer, module, inputs = traced(op)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        output = module(*inputs)
    assert 2 * layer.macs == counter.get_total_flops()
    assert op.spec.multiplies == (layer.macs > 0)
    if op is not Op.CONSTANT:
        assert layer.elements["O"] == output.numel()
    second = op.spec.second
    if second in (SecondOperand.WEIGHTS, SecondOperand.TABLE):
        weight = module.weight
        assert isinstance(weight, Tensor)
        assert layer.elements["W"] == weight.numel()
    elif second is SecondOperand.ACTIVATIONS:
        assert layer.elements["W"] == inputs[1].numel()
    else:
        assert layer.elements["W"] == 0


@pytest.mark.parametrize("op", [op for op in Op if op.spec.has_loops])
def test_relevance_is_what_the_oracle_touches(op: Op) -> None:
    layer = Layer("layer", op)
    if not op.spec.transposed:  # its nest is a convolution's
        for x in (1, 2):
            start = TOUCH[x](layer, (0,) * 8)
            assert tensors_of(op)[x] == (start is not None)
            touched = tuple(int(TOUCH[x](layer, tuple(int(e == d) for e in range(8))) != start) for d in range(8))
            assert relevance(op)[x] == touched
    assert [dim for dim, used in zip(DIMS, relevance(op)[0], strict=True) if not used] == ["K"]


@pytest.mark.parametrize("op", Op)
def test_rows_do_not_contradict_themselves(op: Op) -> None:
    spec = op.spec
    assert (spec.second is SecondOperand.NONE) == (spec.indexes[1] == "")
    assert (spec.unit is Unit.MEMORY) == (spec.layout is not Layout.NONE)
    assert (spec.rescale is Rescale.CHANNEL) == spec.weighted
    assert spec.multiplies == (spec.second in (SecondOperand.WEIGHTS, SecondOperand.ACTIVATIONS))
    assert not spec.multiplies or spec.unit is Unit.ARRAY
    assert (spec.scans > 1) == spec.over_rows
    assert (spec.macs is Macs.INPUTS) == spec.transposed
    assert all(hasattr(Template(), need) for need in spec.needs)


@pytest.mark.parametrize("op", Op)
def test_the_unit_that_runs_it_is_that_of_the_table(op: Op) -> None:
    computed = compute_op(Layer("layer", op), Template(nonlinear_lanes=4))
    assert (computed is ComputeOp.ARRAY) == (op.spec.unit is Unit.ARRAY)
    assert computed.nonlinear == (op.spec.unit is Unit.NONLINEAR)
    assert (computed is ComputeOp.NORM) == (op.spec.over_rows and op.spec.channel_values)


def test_every_operator_has_its_integers() -> None:
    defined = {op for op in Op if op.spec.rescale is not Rescale.UNDEFINED}
    moved = {Op.RESHAPE, Op.CONSTANT}  # of stacked samples: in the functions themselves
    assert set(INTEGERS) == set(TORCH_INTEGERS) == defined - moved
    assert set(QUANTIZED) == defined


def test_each_column_tells_operators_apart() -> None:
    for column in fields(OpSpec):
        assert len({getattr(op.spec, column.name) for op in Op}) > 1, column.name


def named(tree: ast.AST) -> Iterator[ast.AST]:
    """Comparisons with an operator, and collections of some."""

    def is_op(node: ast.AST) -> bool:
        return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Op"

    for node in ast.walk(tree):
        match node:
            case ast.Compare() if any(is_op(part) for part in ast.walk(node)):
                yield node
            case ast.Set() | ast.Tuple() | ast.List() if sum(is_op(part) for part in node.elts) > 1:
                yield node
            case ast.match_case() if any(is_op(part) for part in ast.walk(node.pattern)):
                yield node.pattern


def test_others_ask_the_table() -> None:
    found = set()
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            if any(named(ast.parse(path.read_text(encoding="utf-8")))):
                found.add(path.relative_to(ROOT).as_posix())
    assert found == OWN_ARITHMETIC, "ask `op.spec`, or add a column to `mappings/operators.py`"
