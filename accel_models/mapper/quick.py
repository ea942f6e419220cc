"""A mapping in some milliseconds: a short evolution within limits, for searches that map thousands of accelerators."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np

from accel_models.hardware.connectivity import Connected, limits_of
from accel_models.mapper import OBJECTIVES
from accel_models.mapper.generate import Generator
from accel_models.mapper.local import Evolution
from accel_models.mapper.space import dataflow_limits
from accel_models.report import Infeasible, LayerCost
from accel_models.reuse.evaluate import evaluate
from accel_models.reuse.translate import column_to_mapping
from mappings.dataflow import DATAFLOWS
from mappings.layer import Layer
from mappings.mapping import Mapping

DRAWN, GENERATIONS = 2, 6


def connected_mapping(
    layer: Layer, machine: Connected, objective: str = "edp", generations: int = GENERATIONS, flow: str = ""
) -> tuple[Mapping, LayerCost] | Infeasible:
    """The best mapping found of a layer within an accelerator's connectivity, and its figures by the scalar path.

    Args:
        generations: of the evolution; each breeds some 500 mappings.
        flow: keep to the axes of a named dataflow, which may share one among several loops; "": the machine's loops.
    """
    found = _found(replace(layer, name="", inputs=(), activation=""), machine, objective, generations, flow)
    if isinstance(found, Infeasible):
        return replace(found, where=layer.name)
    return found[0], found[1].named(layer.name)


@lru_cache(maxsize=65536)
def _found(
    layer: Layer, machine: Connected, objective: str, generations: int, flow: str
) -> tuple[Mapping, LayerCost] | Infeasible:
    target = machine.accelerator
    limits = dataflow_limits(layer, target, DATAFLOWS.get(flow)) if flow else limits_of(machine, layer)
    generator = Generator(layer, target, limits=limits)
    evolution = Evolution(generator, np.array([*OBJECTIVES[objective], 1]))
    evolution.run(1, drawn=DRAWN, generations=generations)
    if math.isinf(evolution.best[0]):
        return Infeasible("on-chip memory", 0, 0, "mappings", "larger l1 or l2")
    mapping = column_to_mapping(evolution.found, 0, layer, target)
    cost = evaluate(layer, mapping, target)
    assert isinstance(cost, LayerCost), f"batch and scalar path disagree: {cost}"
    return mapping, cost
