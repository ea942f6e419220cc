"""The compiled pricing equals the readable path: plans, cycles, energy, resources and what is infeasible."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import numpy as np
import pytest

from accel_models.pricing.dense import dense_plans, plain_layers
from accel_models.pricing.plans import plan_rows
from accel_models.pricing.price import BROKEN, Pricer
from accel_models.template.accelerator import template_accelerator
from accel_models.template.cost import mapped_design, template_cost, template_design
from accel_models.template.resources import demand, estimate
from accel_models.template.spec import ArrayKind, Template
from codesign.recipe import load_recipe
from codesign.zoo import NETWORKS
from mappings.workload import Workload

TECHNOLOGY = "fpga_28nm"


def same_as_readable(drawn: list[tuple[Workload, Template, int, int]]) -> int:
    """Holds the figures of some designs equal; returns how many of them run."""
    workloads, templates, rows, channels = zip(*drawn, strict=True)
    priced = Pricer(tech=TECHNOLOGY).price(workloads, templates, rows, channels)
    for i, (workload, template, most_rows, most_channels) in enumerate(drawn):
        design = mapped_design(workload, template, "zynq7020", most_rows, most_channels)
        if isinstance(design, tuple):
            assert BROKEN[priced.code[i]] == design[0].resource
            continue
        cost = template_cost(dataclasses.replace(design, accelerator=template_accelerator(template, TECHNOLOGY)))
        if isinstance(cost, tuple):
            assert BROKEN[priced.code[i]] == cost[0].resource
            continue
        assert BROKEN[priced.code[i]] == ""
        assert priced.cycles[i] == cost.latency_cycles > 0
        assert priced.energy_pj[i] == cost.energy_pj
        assert priced.latency_ms[i] == cost.latency_ms
        assert tuple(priced.resources[i]) == tuple(value for _, value in cost.resources or ())
    return int((priced.code == 0).sum())


def default_space(count: int, seed: int) -> list[tuple[Workload, Template, int, int]]:
    rng, space = np.random.default_rng(seed), load_recipe("default").space
    drawn = []
    for _ in range(count):
        point = space.decisions.draw(rng)
        workload = space.network_at(point).workload
        assert workload is not None
        template = space.hardware.hardware_at(point, workload)
        drawn.append((workload, template, int(point["tile_rows"]), int(point["tile_channels"])))
    return drawn


def test_random_designs_of_the_default_space() -> None:
    assert same_as_readable(default_space(60, 7)) > 30


@pytest.mark.parametrize("rate", [3, 8, 16])
def test_slower_memories_and_other_knobs(rate: int) -> None:
    """Beats that wait for the memory's bandwidth, pipeline registers, lanes and taps."""
    rng, drawn = random.Random(rate), []
    for workload, template, rows, channels in default_space(12, rate):
        knobs: dict[str, Any] = {
            "axi_bits": 128,
            "dram_bytes_per_cycle": rate,
            "dram_latency_cycles": rng.choice([1, 40, 200]),
            "ppu_lanes": rng.choice([1, 2, 4]),
            "vector_taps": rng.choice([1, 3]),
            "acc_stages": rng.choice([0, 2]),
            "ppu_stages": rng.choice([0, 3]),
            "weight_buffer_bytes": 32768,
        }
        drawn.append((workload, dataclasses.replace(template, **knobs), rows, channels))
    assert same_as_readable(drawn) > 6


@pytest.mark.parametrize("name", ["unet_small", "mobilenet_v3_small", "transformer_encoder", "dcgan"])
def test_networks_that_are_not_plain(name: str) -> None:
    """Concatenations, enlargements, transposed convolutions, tables, attention."""
    workload = NETWORKS.get(name).workload()
    drawn = [
        (workload, Template(array=kind, rows=16, cols=cols, nonlinear_lanes=4, activation_tables=tables), 14, 128)
        for kind, cols, tables in (
            (ArrayKind.WEIGHT_STATIONARY, 8, 1),
            (ArrayKind.OUTPUT_STATIONARY, 16, 1),
            (ArrayKind.ROW_STATIONARY, 16, 1),
        )
    ]
    assert same_as_readable(drawn) > 0


def test_plain_plans_are_those_of_the_planner() -> None:
    for workload, template, *_ in default_space(30, 3):
        plain = plain_layers(workload)
        assert plain is not None
        fast, slow = dense_plans(*plain, template), plan_rows(workload, template)
        assert fast is not None
        np.testing.assert_array_equal(fast.rows, slow.rows)
        assert fast.end == slow.end


def test_resources_are_the_sum_of_the_parts() -> None:
    for _, template, *_ in default_space(50, 5):
        assert demand(template) == tuple(value for _, value in estimate(template).as_pairs())


def test_a_budget_binds() -> None:
    drawn = default_space(40, 9)
    workloads, templates, rows, channels = zip(*drawn, strict=True)
    priced = Pricer("zynq7020").price(workloads, templates, rows, channels)
    for i, (workload, template, most_rows, most_channels) in enumerate(drawn):
        design = template_design(workload, template, "zynq7020", most_rows, most_channels)
        assert (priced.code[i] == 0) == (not isinstance(design, tuple))
    assert 0 < (priced.code == 0).sum() < 40


def test_what_the_hardware_does_not_run_has_a_code() -> None:
    workload = NETWORKS.get("transformer_encoder").workload()
    priced = Pricer(tech=TECHNOLOGY).price([workload], [Template()])
    assert BROKEN[priced.code[0]] == "operator"
    assert priced.cycles[0] == 0
    assert np.isnan(priced.energy_pj[0])
