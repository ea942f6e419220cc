"""Tilings, commands and the prediction: invariants that hold without hardware."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from accel_models.design import Design
from accel_models.report import Infeasible
from accel_models.schedule import Buffer, Dma, Drain, Schedule, Unit, default_mapping, schedule_network
from accel_models.schedule.builder import CHUNK, FETCH_AT
from accel_models.schedule.tiling import choose_tiling, tiling_of
from accel_models.template.accelerator import template_accelerator
from accel_models.template.spec import ArrayKind, Template
from accel_models.template.timing import predict
from benchmarks.rtl_cases import digits
from benchmarks.rtl_layers import random_layer, random_template
from mappings.directives import TemporalMap
from mappings.errors import SpecError
from mappings.layer import Layer, Op
from mappings.mapping import Mapping
from mappings.workload import TensorShape, Workload

TEMPLATE = Template(rows=8, cols=16, input_buffer_bytes=4096, weight_buffer_bytes=8192, output_buffer_bytes=1024)
CONV = Layer("c", Op.CONV, K=40, C=24, P=12, Q=12, R=3, S=3, padding=(1,) * 4, inputs=("x",))
NETWORK = Workload("n", (TensorShape("x", 1, 24, 12, 12),), (CONV,))


def scheduled(workload: Workload, template: Template, mapping: Mapping | None = None) -> Schedule:
    mappings = () if mapping is None else ((workload.layers[-1].name, mapping),)
    found = schedule_network(Design(workload, template_accelerator(template), mappings))
    assert isinstance(found, Schedule)
    return found


def test_the_default_mapping_reads_back_as_the_chosen_tiling() -> None:
    for layer in digits(8).layers:
        if layer.op in (Op.CONCAT, Op.RESHAPE):
            continue
        mapping = default_mapping(layer, TEMPLATE)
        assert isinstance(mapping, Mapping)
        assert tiling_of(layer, mapping, TEMPLATE) == choose_tiling(layer, TEMPLATE), layer.name


@pytest.mark.parametrize("seed", range(40))
def test_random_layers(seed: int) -> None:
    """Tokens balance, all output is stored once, traffic and cycles are no less than they must be."""
    rng = np.random.default_rng(seed)
    template = random_template(rng, list(ArrayKind)[seed % 5])
    workload = random_layer(rng, template.act_bits, template.acc_bits)
    found = schedule_network(Design(workload, template_accelerator(template), ()))
    if isinstance(found, Infeasible):
        assert found.demand > found.bound
        return
    given, taken = [0] * 16, [0] * 16
    for command in found.commands:
        for token in range(16):
            taken[token] += command.wait >> token & 1
            assert taken[token] <= given[token], "waits for a token that only a later command gives"
            given[token] += command.signal >> token & 1
    stored = {plan.index: 0 for plan in found.plans}
    drained = dict(stored)
    for command in found.commands:
        if command.unit is Unit.STORE and isinstance(command.body, Dma):
            stored[command.tag] += command.body.words
        elif isinstance(command.body, Drain):
            drained[command.tag] += command.body.blocks * command.body.words
    for plan in found.plans:
        layer = plan.layer
        assert stored[plan.index] == drained[plan.index] == layer.N * plan.output.blocks * layer.P * layer.Q
    for start in range(0, len(found.commands) - CHUNK, CHUNK):
        body = found.commands[start + FETCH_AT].body
        assert isinstance(body, Dma)
        assert body.buffer is Buffer.PROGRAM
    timing = predict(found)
    pes = template.rows * template.cols
    for item, plan in zip(timing.layers, found.plans, strict=True):
        macs = plan.layer.macs if not plan.shape.vector else 0
        assert item.compute_cycles * pes >= macs
        assert item.write_bytes >= stored[plan.index] * template.act_word_bytes
    assert timing.cycles > max(item.end_cycle for item in timing.layers) - 1
    assert timing.cycles * template.dram_bytes_per_cycle >= sum(item.read_bytes for item in timing.layers) // 2


def test_more_bandwidth_and_less_latency_are_not_slower() -> None:
    cycles = [
        predict(scheduled(NETWORK, replace(TEMPLATE, dram_bytes_per_cycle=rate, dram_latency_cycles=latency))).cycles
        for rate, latency in ((1, 80), (4, 80), (16, 80), (16, 10))
    ]
    assert cycles == sorted(cycles, reverse=True)
    assert cycles[0] > cycles[-1]


def test_the_loop_order_of_a_mapping_is_obeyed() -> None:
    """Channels outermost load each weight once; rows outermost load each input row once."""
    tiles = [TemporalMap("K", 16), TemporalMap("P", 4)]
    weights, inputs = [], []
    for order in (tiles, tiles[::-1]):
        schedule = scheduled(NETWORK, TEMPLATE, Mapping((*order, TemporalMap("C", 24))))
        bodies = [command.body for command in schedule.commands if isinstance(command.body, Dma)]
        weights.append(sum(body.words for body in bodies if body.buffer is Buffer.WEIGHT))
        inputs.append(sum(body.words for body in bodies if body.buffer is Buffer.INPUT))
    assert weights[1] == 3 * weights[0]
    assert inputs[0] == 3 * inputs[1]


def test_mappings_that_the_hardware_can_not_run_are_infeasible() -> None:
    accelerator = template_accelerator(TEMPLATE)
    for maps, resource in (
        ((TemporalMap("C", 16), TemporalMap("K", 16)), "accumulators"),
        ((TemporalMap("S", 1),), "filter S"),
        ((TemporalMap("K", 40), TemporalMap("P", 12)), "input_buffer_bytes"),
        ((TemporalMap("K", 40), TemporalMap("P", 2)), "weight_buffer_bytes"),
    ):
        found = schedule_network(Design(NETWORK, accelerator, (("c", Mapping(maps)),)))
        assert isinstance(found, Infeasible)
        assert found.resource == resource
        assert found.where == "c"


def test_layouts_that_would_move_data_are_refused() -> None:
    shape = TensorShape("x", 1, 8, 4, 4)
    turned = Layer("r", Op.RESHAPE, groups=16, P=8, inputs=("x",))
    with pytest.raises(SpecError, match="moves data"):
        scheduled(Workload("w", (shape,), (turned, Layer("y", Op.CONV, C=16, P=8, inputs=("r",)))), TEMPLATE)
    turned = replace(turned, groups=8, P=4, Q=4, moves="list")
    with pytest.raises(SpecError, match="moves data"):
        scheduled(Workload("w", (shape,), (turned,)), TEMPLATE)


def test_an_accelerator_without_a_template_is_refused() -> None:
    accelerator = replace(template_accelerator(TEMPLATE), template=None)
    with pytest.raises(SpecError, match="has no template"):
        schedule_network(Design(NETWORK, accelerator, ()))


def test_weights_may_be_narrower_than_activations_where_a_layer_has_none() -> None:
    """Pooling has no weights and an addition takes its second operand as activations; a product's must fit."""
    template = replace(TEMPLATE, weight_bits=4, act_bits=8)
    layers = (
        CONV,
        Layer("p", Op.MAXPOOL, K=40, C=40, P=6, Q=6, R=2, S=2, stride=(2, 2), inputs=("c",)),
        Layer("a", Op.ADD, K=40, C=40, P=6, Q=6, inputs=("p", "p")),
    )
    bits = {"c": 4}
    narrow = Workload(
        "n", NETWORK.inputs, tuple(replace(item, bits=replace(item.bits, W=bits.get(item.name, 8))) for item in layers)
    )
    assert scheduled(narrow, template).commands
    with pytest.raises(SpecError, match=r"layer c\.bits\.W: is 8 .allowed: at most the template's 4"):
        scheduled(NETWORK, template)
