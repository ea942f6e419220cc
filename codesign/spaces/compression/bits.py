"""Widths of data, the same in the whole network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from codesign.decisions import Decision, Variable
from mappings.operators import SecondOperand
from mappings.workload import Workload


@dataclass(frozen=True)
class AsItIs:
    """Nothing to decide."""

    @property
    def decisions(self) -> tuple[Variable, ...]:
        """None."""
        return ()

    def compressed(self, workload: Workload, point: Mapping[str, Any]) -> Workload:
        """The network."""
        return workload


@dataclass(frozen=True)
class UniformBits:
    """Widths from two lists.

    Attributes:
        weight_bits, act_bits: what may be chosen.
    """

    weight_bits: tuple[int, ...] = (4, 8)
    act_bits: tuple[int, ...] = (4, 8)

    @property
    def decisions(self) -> tuple[Variable, ...]:
        """Two."""
        return (
            Decision("weight_bits", "compression", self.weight_bits),
            Decision("act_bits", "compression", self.act_bits),
        )

    def compressed(self, workload: Workload, point: Mapping[str, Any]) -> Workload:
        """Every tensor with the point's widths."""
        weight, act = int(point["weight_bits"]), int(point["act_bits"])
        layers = []
        for layer in workload.layers:
            operand = act if layer.op.spec.second is SecondOperand.ACTIVATIONS else weight
            layers.append(replace(layer, bits=replace(layer.bits, I=act, W=operand, O=act)))
        return replace(workload, inputs=tuple(replace(i, bits=act) for i in workload.inputs), layers=tuple(layers))
