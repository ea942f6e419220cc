"""The count of the batch kernel's arithmetic, which its share of a roof rests on."""

from __future__ import annotations

import ast

import numpy as np
import pytest

from accel_models.columns.batch import evaluate_batch
from accel_models.columns.tables import layer_table, machine_table
from accel_models.hardware.accelerators import accelerator
from accel_models.mapper.generate import Generator
from benchmarks.operations import operations, operations_of
from mappings.layer import Layer, Op


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("out[row + 1, j] = a[j] * b[j] + c[2 * row, j]", 2),
        ("code[j] = max(code[j], full if bits > bound else fine)", 3),
        ("total[j] += float(np.floor(a[j] / b[j]) != c)", 4),
        ("i = np.uint64(lo + j)", 0),
    ],
)
def test_arithmetic_of_a_statement(text: str, count: int) -> None:
    assert operations(ast.parse(text).body[0]) == count


def test_what_is_counted_computes_what_the_kernel_computes() -> None:
    layer, target = Layer("conv", Op.CONV, K=16, C=8, P=14, Q=14, R=3, S=3), accelerator("ca1")
    columns = Generator(layer, target, 3).take(12)
    spent, cycles = operations_of(columns, layer_table(layer), machine_table(layer, target))
    found = evaluate_batch([layer], columns, [target])
    assert np.array_equal(cycles, found.cycles) and found.feasible.any()
    assert 100 < spent < 10_000
