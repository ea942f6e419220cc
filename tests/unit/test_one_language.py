"""A template's tiles are mappings of its hierarchy: read back as they were, taken by the directive model."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from accel_models.report import Infeasible, LayerCost
from accel_models.reuse.evaluate import evaluate
from accel_models.schedule import as_run, default_mapping, mapping_of, schedule_network, tiling_of
from accel_models.schedule.planning import Outline
from accel_models.schedule.tiling import Tiling, check, shape_of
from accel_models.template.accelerator import template_accelerator
from accel_models.template.spec import ArrayKind, Template
from accel_models.design import Design
from benchmarks.rtl_layers import random_attention, random_layer, random_template
from mappings.layer import Layer, Op
from mappings.mapping import Mapping


def drawn(seed: int):
    rng = np.random.default_rng(seed)
    template = random_template(rng, list(ArrayKind)[seed % 5], [4, 8][seed // 5 % 2])
    if seed % 4 == 3 and template.nonlinear_lanes:
        workload = random_attention(rng, template)
    else:
        workload = random_layer(rng, template.act_bits, template.acc_bits)
    return rng, template, workload


@pytest.mark.parametrize("seed", range(60))
def test_x(seed: int) -> None:
    rng, template, workload = drawn(seed)
    target = template_accelerator(template)
    for layer in workload.layers:
        if layer.op in (Op.CONCAT, Op.RESHAPE):
            continue
        m = default_mapping(layer, template)
        if isinstance(m, Infeasible):
            continue
        assert as_run(layer, m, template) == m or print(layer, m, as_run(layer, m, template))
        cost = evaluate(layer, m, target)
        assert isinstance(cost, LayerCost), (layer, m.to_dict(), cost)
