"""Compute cycles of a systolic array: the steps of the engine, and what filling and draining the array adds.

A convolution is lowered to a matrix product (outputs x window, window x filters), as such arrays run it. Each time the
stationary tensor changes, the wavefront enters and leaves anew: ``rows`` cycles to load it (weight and input stationary
arrays), then ``rows + cols - 2`` of skew. As in SCALE-Sim (Samajdar 2020), the total is the index of the last cycle,
counted from 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from accel_models.hardware.accelerator import Accelerator, Buffering, MemoryKind, MemoryLevel
from accel_models.report import Infeasible
from accel_models.reuse.charges import events
from accel_models.reuse.counts import count, profiles_of
from accel_models.reuse.lower import lower
from accel_models.reuse.nest import relevance
from mappings.dataflow import dataflow
from mappings.errors import unknown_name
from mappings.layer import TENSORS, Layer, Op

#: Name -> (dataflow, stationary tensor, whether it is loaded before the work starts).
SYSTOLIC = {
    "ws": ("weight_stationary", "W", True),
    "is": ("input_stationary", "I", True),
    "os": ("output_stationary_systolic", "O", False),
}


@dataclass(frozen=True)
class SystolicCycles:
    """Cycles without any memory stall.

    Attributes:
        steps: cycles in which the array takes operands.
        passes: how often the stationary tensor is replaced.
        fill: cycles of loading and skew of one pass.
    """

    steps: int
    passes: int
    fill: int

    @property
    def total(self) -> int:
        """All passes, one after another."""
        return self.steps + self.passes * self.fill - 1


def matrix_product(layer: Layer) -> Layer:
    """One group of a convolution as rows of outputs x window x filters."""
    return Layer(layer.name, Op.LINEAR, K=layer.K, C=layer.C * layer.R * layer.S, P=layer.N * layer.P * layer.Q)


def systolic_array(kind: str, rows: int, cols: int) -> Accelerator:
    """An array whose PEs hold one element of the stationary tensor, fed by an unbounded buffer.

    Weights and inputs enter a loaded array with the reduction down its rows; our dataflows name the other axis first.
    """
    _, stationary, loaded = SYSTOLIC[kind]
    levels = (
        MemoryLevel("DRAM", None, MemoryKind.DRAM),
        MemoryLevel("BUF", None, fanout=(cols, rows) if loaded else (rows, cols)),
        MemoryLevel("PE", 4, MemoryKind.REGISTER, tensors=(stationary,), buffering=Buffering.STREAM),
    )
    return Accelerator(f"systolic {rows}x{cols}", levels, clock_hz=1_000_000_000)


def systolic_cycles(layer: Layer, kind: str, rows: int, cols: int) -> SystolicCycles:
    """Stall-free cycles of one group of a layer on a systolic array.

    Args:
        layer: a convolution or a linear layer.
        kind: "ws", "is" or "os": what stays in the PEs.
        rows, cols: of the array.

    Raises:
        SpecError: another kind.
    """
    if kind not in SYSTOLIC:
        raise unknown_name("systolic_cycles", "systolic dataflow", kind, SYSTOLIC)
    name, stationary, loaded = SYSTOLIC[kind]
    product = matrix_product(layer)
    target = systolic_array(kind, rows, cols)
    nest = lower(product, dataflow(name).instantiate(product, target), target)
    assert not isinstance(nest, Infeasible), "a dataflow fits its array"
    x = TENSORS.index(stationary)
    passes = events(x, 2, nest.bounds, nest.chains, nest.orders, relevance(product.op), nest.levels, profiles_of(nest))
    return SystolicCycles(count(nest).steps, passes, (rows if loaded else 0) + rows + cols - 2)
