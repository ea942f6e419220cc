"""Regions of a program's memory: they part the image, and no transfer leaves its own."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from accel_models.report import Infeasible
from accel_models.schedule import Buffer, Dma, RegionKind, Regions, Schedule, schedule_network
from accel_models.template.spec import ArrayKind, Template
from benchmarks.rtl_cases import design
from benchmarks.rtl_graphs import random_workload
from benchmarks.rtl_layers import random_template
from mappings.layer import Layer, Op
from mappings.workload import TensorShape, Workload


def word_bytes(schedule: Schedule, buffer: Buffer) -> int:
    template = schedule.template
    sizes = {Buffer.WEIGHT: template.weight_word_bytes, Buffer.PARAM: 16, Buffer.TABLE: 16, Buffer.PROGRAM: 32}
    return sizes.get(buffer, template.act_word_bytes)


def check(schedule: Schedule) -> None:
    regions = Regions(schedule)
    spans = sorted((region.first, region.end) for region in regions.by_kind.values())
    assert spans[0][0] == 0
    assert spans[-1][1] == schedule.memory_bytes
    assert all(a[1] == b[0] for a, b in itertools.pairwise(spans))
    for command in schedule.commands:
        body = command.body
        if not isinstance(body, Dma):
            continue
        region = regions.at(body.addr)
        last = body.addr + (body.count1 - 1) * body.stride1 + (body.count2 - 1) * body.stride2
        assert region.first <= body.addr
        assert last + body.count0 * word_bytes(schedule, body.buffer) <= region.end
        kind, offset = regions.place(body.addr)
        assert regions.bases()[kind] + offset == body.addr
        assert (kind is RegionKind.PROGRAM) == (body.buffer is Buffer.PROGRAM)
        assert kind is not RegionKind.INPUT or command.unit == 0, "an input is written"


def test_inputs_outputs_and_weights_of_a_chain_are_regions_of_their_own() -> None:
    layers = (
        Layer("a", Op.CONV, K=8, C=4, P=6, Q=6, R=3, S=3, padding=(1,) * 4, inputs=("x",)),
        Layer("b", Op.CONV, K=8, C=8, P=6, Q=6, inputs=("a",)),
        Layer("c", Op.CONV, K=5, C=8, P=6, Q=6, inputs=("b",)),
    )
    workload = Workload("chain", (TensorShape("x", 1, 4, 6, 6),), layers)
    schedule = schedule_network(design(workload, Template(rows=4, cols=4)))
    assert not isinstance(schedule, Infeasible)
    check(schedule)
    regions = Regions(schedule)
    found = {name: regions.at(tensor.addr).kind for name, tensor in schedule.tensors.items()}
    inner = RegionKind.ACTIVATIONS
    assert found == {"x": RegionKind.INPUT, "a": inner, "b": inner, "c": RegionKind.OUTPUT}
    assert all(regions.at(tile.addr).kind is RegionKind.WEIGHTS for plan in schedule.plans for tile in plan.weights)
    assert regions.by_kind[RegionKind.INPUT].end == 4 * 36 + (-(4 * 36) % 64)


@pytest.mark.parametrize("scatter", [None, 3])
def test_no_transfer_leaves_its_region(scatter: int | None) -> None:
    """Random graphs: concatenations, reshapes, several outputs, products, tables."""
    rng = np.random.default_rng(8)
    done = 0
    while done < 40:
        template = random_template(rng, list(ArrayKind)[done % len(ArrayKind)], None)
        schedule = schedule_network(design(random_workload(rng, template), template), scatter=scatter)
        if not isinstance(schedule, Infeasible):
            check(schedule)
            done += 1
