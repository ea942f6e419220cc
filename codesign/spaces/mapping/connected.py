"""Mappings onto accelerators of free connectivity: searched by our mapper, encoded by importances, or a named
dataflow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accel_models.hardware.connectivity import ENVELOPES, PARALLEL, Connected, loop_of
from accel_models.mapper.quick import connected_mapping
from accel_models.report import Infeasible, LayerCost
from accel_models.reuse.evaluate import evaluate
from codesign.decisions import Permutation, Real, Variable
from codesign.spaces.mapping.own import OwnMapping
from mappings.dataflow import DATAFLOWS, Dataflow, Step
from mappings.layer import Layer

Found = LayerCost | Infeasible


@dataclass(frozen=True)
class SearchedMapping(OwnMapping):
    """The best that a short evolution finds for each layer.

    Attributes:
        objective: edp, latency or energy.
        generations: of the evolution.
    """

    objective: str = "edp"
    generations: int = 6

    def layer_cost(self, point: Mapping[str, Any], layer: Layer, machine: Connected) -> Found:
        """Figures of a layer, or what does not fit."""
        found = connected_mapping(layer, machine, self.objective, self.generations)
        return found if isinstance(found, Infeasible) else found[1]


@dataclass(frozen=True)
class DataflowMapping(OwnMapping):
    """A named dataflow, as large as the memories allow.

    Attributes:
        dataflow: name; "": the envelope's own.
    """

    dataflow: str = ""

    def __post_init__(self) -> None:
        if self.dataflow:
            DATAFLOWS.get(self.dataflow, "mapping.dataflow")

    def layer_cost(self, point: Mapping[str, Any], layer: Layer, machine: Connected) -> Found:
        """Figures of a layer, or what does not fit."""
        flow = DATAFLOWS.get(self.dataflow or ENVELOPES.get(machine.envelope).dataflow)
        target = machine.accelerator
        return evaluate(layer, flow.instantiate(layer, target), target)


@dataclass(frozen=True)
class EncodedMapping(OwnMapping):
    """One genome for all layers (NAAS, GAMMA): the order of the loops outside each memory, and tiles as shares.

    A tile that does not fit is shrunk, largest saving first, instead of rejected. Loops of the first two axes are those
    of the connectivity; MACs of a third one idle.
    """

    @property
    def decisions(self) -> tuple[Variable, ...]:
        """Two orders, and a share of each loop at each memory."""
        out: list[Variable] = []
        for level in ("l2", "l1"):
            out.append(Permutation(f"order_{level}", "mapping", PARALLEL))
            out += [Real(f"tile_{level}_{dim}", "mapping", 0.0, 1.0) for dim in PARALLEL]
        return tuple(out)

    def flow(self, point: Mapping[str, Any], layer: Layer, machine: Connected) -> Dataflow:
        """The genome as a dataflow of one layer."""
        bounds = layer.bounds
        name = {dim: "G" if dim == "C" and layer.is_depthwise else dim for dim in PARALLEL}

        def shares(level: str, above: Mapping[str, int]) -> dict[str, int]:
            return {
                name[dim]: 1 + round(float(point[f"tile_{level}_{dim}"]) * (above[name[dim]] - 1)) for dim in PARALLEL
            }

        outer = shares("l2", bounds)
        inner = shares("l1", outer)
        spread = [loop_of(dim, machine, layer) for dim in machine.parallel[:2]]
        rest = [Step(False, "1", dim) for dim in "GN" if dim not in name.values()]
        memory = [Step(False, str(outer[name[dim]]), name[dim]) for dim in point["order_l2"]]
        rows = [Step(False, str(inner[name[dim]]), name[dim]) for dim in point["order_l1"]]
        side = [(Step(True, str(inner.get(dim, 1)), dim),) for dim in spread]
        order = tuple(step for step in rows if step.dim not in spread)
        roles = ((*rest, *memory), (*rest, *order, *side[0]), side[1] if len(side) > 1 else (), ())
        return Dataflow("encoded", "a genome", "", roles)

    def layer_cost(self, point: Mapping[str, Any], layer: Layer, machine: Connected) -> Found:
        """Figures of a layer, or what does not fit."""
        target = machine.accelerator
        return evaluate(layer, self.flow(point, layer, machine).instantiate(layer, target), target)
