"""A template's tiles are mappings of its hierarchy: read back as they were, and moved as the directive model says."""

from __future__ import annotations

import numpy as np
import pytest

from accel_models.design import Design
from accel_models.report import Infeasible, LayerCost
from accel_models.reuse.evaluate import evaluate
from accel_models.schedule import Buffer, Schedule, as_run, default_mapping, mapping_of, schedule_network
from accel_models.schedule.moves import WHY, moved_bytes, unaccounted
from accel_models.schedule.tiling import Tiling, choose_tiling, group_span, shape_of, tiling_of
from accel_models.template.accelerator import template_accelerator
from accel_models.template.cost import moved
from accel_models.template.energy import TENSOR_OF, word_bits
from accel_models.template.spec import ArrayKind, Template
from benchmarks.rtl_layers import narrowed, pruned, random_attention, random_layer, random_template
from mappings.layer import Layer, Op
from mappings.mapping import Mapping
from mappings.workload import Workload

SEEDS = 40


def drawn(seed: int) -> tuple[np.random.Generator, Template, Workload]:
    rng = np.random.default_rng(seed)
    template = random_template(rng, list(ArrayKind)[seed % 5], [4, 8][seed // 5 % 2])
    if seed % 4 == 3 and template.nonlinear_lanes:
        return rng, template, random_attention(rng, template)
    workload = narrowed(rng, random_layer(rng, template.act_bits, template.acc_bits), template)
    return rng, template, pruned(rng, workload, template) if len(workload.layers) == 1 else workload


def random_tiling(rng: np.random.Generator, layer: Layer, template: Template) -> Tiling | None:
    """Any tiling of a layer that the buffers hold; None: a few draws found none."""
    shape, lanes = shape_of(layer, template), template.word_lanes
    for _ in range(60):
        k = shape.row_k or min(shape.unit_k, lanes * int(rng.integers(1, shape.unit_k // lanes + 1)))
        c = shape.c
        if not shape.vector and layer.groups == 1:
            c = lanes * int(rng.integers(1, shape.c // lanes + 1))
        p, q = int(rng.integers(1, layer.P + 1)), int(rng.integers(1, layer.Q + 1))
        held = int(rng.integers(1, layer.R + 1)) if rng.integers(3) == 0 else 0
        held = 0 if held == layer.R else held
        order = str(rng.choice(["KPQ", "KQP", "PKQ", "PQK", "QKP", "QPK"]))
        if shape.groups > 1:
            c = group_span(layer, k, lanes)
        mapping = mapping_of(layer, Tiling(k, c, p, q, order, held), template)
        found = tiling_of(layer, mapping, template)
        if not isinstance(found, Infeasible):
            return found
    return None


def aligned(layer: Layer, lanes: int) -> bool:
    """Tiles of whole groups are tiles of whole channel words."""
    grouped = layer.groups > 1 and layer.op is Op.CONV and not layer.is_depthwise
    return not grouped or layer.K % lanes == 0 or lanes % layer.K == 0


def mapped(seed: int) -> tuple[Template, Workload, dict[str, Mapping]]:
    rng, template, workload = drawn(seed)
    mappings = {}
    for layer in workload.layers:
        if layer.op.spec.has_loops:
            tiling = random_tiling(rng, layer, template) or choose_tiling(layer, template)
            if not isinstance(tiling, Infeasible):
                mappings[layer.name] = mapping_of(layer, tiling, template)
                again = tiling_of(layer, mappings[layer.name], template)
                assert isinstance(again, Tiling)
                if aligned(layer, template.word_lanes):
                    assert again == tiling, layer
                assert mapping_of(layer, again, template) == mappings[layer.name]
    return template, workload, mappings


@pytest.mark.parametrize("seed", range(SEEDS))
def test_tiles_are_mappings_and_back(seed: int) -> None:
    template, workload, mappings = mapped(seed)
    target = template_accelerator(template)
    for layer in workload.layers:
        for mapping in (mappings.get(layer.name), default_mapping(layer, template)):
            if isinstance(mapping, Mapping) and layer.name in mappings:
                assert Mapping.from_dict(mapping.to_dict()) == mapping
                assert as_run(layer, mapping, template) == mapping
                if not shape_of(layer, template).kept:  # to the directives its skipped taps take room
                    assert isinstance(evaluate(layer, mapping, target), LayerCost)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_what_the_mapping_moves_is_what_the_program_moves(seed: int) -> None:
    """Byte for byte a tensor, each difference one that has a name."""
    template, workload, mappings = mapped(seed)
    accelerator = template_accelerator(template)
    found = schedule_network(Design(workload, accelerator, tuple(mappings.items())), fuse=False)
    if isinstance(found, Infeasible):
        pytest.skip("a layer fits no buffer")
    for number, plan in enumerate(found.plans):
        layer = plan.layer
        if layer.name not in mappings or unaccounted(plan, template):
            continue
        expected = program_bytes(found, number)
        for tensor in moved_bytes(plan, mappings[layer.name], accelerator):
            assert tensor.program_bytes == expected[tensor.tensor], (tensor, layer, plan.tiling, template)
            assert {reason for reason, _ in tensor.more_bytes} <= set(WHY)


def program_bytes(schedule: Schedule, number: int) -> dict[str, int]:
    """Bytes of a plan's transfers: inputs, weights or a second operand, outputs."""
    row, found = moved(schedule)[number], {"I": 0, "W": 0, "O": 0}
    for buffer, tensor in TENSOR_OF.items():
        size = int(row[buffer]) * word_bits(buffer, schedule.template) // 8
        place = "W" if buffer is Buffer.RESIDUAL else tensor
        found[place] = found.get(place, 0) + size
    return found
