"""Arithmetic of the batch kernel, counted while its own source runs: a tally in front of each statement on a column.

What is counted is what a column's value goes through: additions, multiplications, divisions, comparisons, maxima,
selections, shifts and masks. Where a value lies (the arithmetic of subscripts) and conversions count for nothing.
"""

from __future__ import annotations

import ast
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accel_models import reuse
from accel_models.columns import compiled, counts, kernel, moves, windows
from accel_models.columns.kernel import Columns, new_work
from accel_models.columns.tables import LayerTable, MachineTable
from accel_models.jit import uncounted_entry
from mappings.mapspace import MappingColumns

#: In the order in which they import one another.
_MODULES = (counts, windows, moves, kernel)
_MARKS = ("compiled", "uncounted", "uncounted_entry")
#: Of an element; others convert or call what is counted by itself.
_ELEMENTARY = ("floor", "ceil", "abs", "sqrt")


def operations(node: ast.AST) -> int:
    """Arithmetic of an expression or a plain statement."""
    total = 0
    for child in ast.iter_child_nodes(node):
        if not (isinstance(node, ast.Subscript) and child is node.slice):
            total += operations(child)
    if isinstance(node, ast.BinOp | ast.AugAssign | ast.IfExp):
        total += 1
    elif isinstance(node, ast.Compare):
        total += len(node.ops)
    elif isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in ("max", "min"):
            total += len(node.args) - 1
        elif name in _ELEMENTARY:
            total += 1
        elif name.startswith(("int", "uint")):  # where it lies
            total = 0
    return total


class _Tallied(ast.NodeTransformer):
    """Plain Python of a module whose loops over columns (``j``) say what they do."""

    def __init__(self) -> None:
        self._inside = False

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom:
        if node.module == compiled.__name__:  # formulas as they are
            node.module = reuse.__name__
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.decorator_list = [item for item in node.decorator_list if getattr(item, "id", "") not in _MARKS]
        self.generic_visit(node)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        return node.args[0] if getattr(node.func, "id", "") in _MARKS else node

    def visit_For(self, node: ast.For) -> ast.For:
        outer = self._inside
        self._inside |= isinstance(node.target, ast.Name) and node.target.id == "j"
        node.body = self._told(node.body)
        self._inside = outer
        return node

    def visit_If(self, node: ast.If) -> ast.If:
        node.body, node.orelse = self._told(node.body), self._told(node.orelse)
        return node

    def _told(self, body: list[ast.stmt]) -> list[ast.stmt]:
        out: list[ast.stmt] = []
        for item in body:
            counted = item.test if isinstance(item, ast.If) else item
            if self._inside and not isinstance(item, ast.For) and operations(counted):
                out += ast.parse(f"_tally[0] += {operations(counted)}").body
            out.append(self.visit(item))
        return out


def _counting() -> tuple[ModuleType, list[int]]:
    """The kernel's module in plain Python, and what it adds up in."""
    tally, made = [0], dict[str, ModuleType]()
    for plain in _MODULES:
        assert plain.__file__ is not None
        tree = _Tallied().visit(ast.parse(Path(plain.__file__).read_text("utf-8")))
        module = ModuleType(plain.__name__)
        vars(module).update({"_tally": tally, "__file__": plain.__file__})
        exec(compile(ast.fix_missing_locations(tree), plain.__file__, "exec"), vars(module))
        for item in ast.walk(tree):
            if isinstance(item, ast.ImportFrom) and item.module in made:
                for name in item.names:
                    setattr(module, name.asname or name.name, getattr(made[item.module], name.name))
        made[plain.__name__] = module
    return made[kernel.__name__], tally


def operations_of(columns: MappingColumns, layer: LayerTable, machine: MachineTable) -> tuple[float, NDArray[np.int64]]:
    """Arithmetic operations that the kernel spends on a column, the mean of some columns; and these columns' cycles."""
    module, tally = _counting()
    arrays, count = Columns(columns.chains, columns.orders, columns.keeps), len(columns)
    cycles = np.zeros(count, np.int64)
    out = np.zeros(count), cycles, np.zeros(count, np.int64), np.zeros(count, np.uint8)
    module.evaluate_run(0, count, arrays, layer, machine, new_work(len(machine.fanout)), out)
    return tally[0] / count, cycles


@uncounted_entry
def multiply_adds(rounds: int, values: Any, factor: float, added: float) -> None:
    """A plain loop of multiply-adds over a chunk of columns: ``rounds`` for each."""
    for _ in range(rounds):
        for j in range(len(values)):
            values[j] = values[j] * factor + added
