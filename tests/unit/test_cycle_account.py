"""Every cycle of a run has one cause."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from accel_models.cycles import GROUPS, CycleAccount
from accel_models.design import Design
from accel_models.report import CostReport, Infeasible, LayerCost
from accel_models.schedule import schedule_network
from accel_models.template.accelerator import template_accelerator
from accel_models.template.cost import template_cost
from accel_models.template.cycle_account import layer_accounts, total
from accel_models.template.spec import ArrayKind, Template
from accel_models.template.timing import predict
from benchmarks.rtl_cases import design, digits
from mappings.layer import Layer, Op
from mappings.workload import TensorShape, Workload

SMALL = Template(rows=8, cols=8, axi_bits=64, dram_bytes_per_cycle=8)


@pytest.mark.parametrize("array", list(ArrayKind))
def test_the_parts_sum_to_the_run(array: ArrayKind) -> None:
    template = replace(SMALL, array=array)
    schedule = schedule_network(design(digits(8), template))
    assert not isinstance(schedule, Infeasible)
    timing = predict(schedule)
    accounts = layer_accounts(schedule, timing)
    whole = total(accounts)
    assert whole.cycles == timing.cycles
    pes = template.rows * template.cols
    macs = sum(plan.layer.macs for plan in schedule.plans if plan.layer.op in (Op.CONV, Op.LINEAR))
    depthwise = sum(plan.layer.macs for plan in schedule.plans if plan.layer.is_depthwise)
    assert whole.mac_cycles == pytest.approx((macs - depthwise) / pes)
    assert all(account.edge_cycles >= 0 and account.layer_start_cycles > 0 for account in accounts)
    assert all(
        (account.vector_cycles > 0) == plan.shape.vector for account, plan in zip(accounts, schedule.plans, strict=True)
    )


def one_layer(**changes: int) -> tuple[float, float]:
    """Shares of (memory, post-processing) of a 1x1 layer from 8 to 64 channels in many tiles."""
    layer = Layer("y", Op.CONV, K=64, C=8, P=48, Q=48, inputs=("x",))
    workload = Workload("one", (TensorShape("x", 1, 8, 48, 48, 8),), (layer,))
    schedule = schedule_network(design(workload, replace(SMALL, **changes)))
    assert not isinstance(schedule, Infeasible)
    account = total(layer_accounts(schedule, predict(schedule)))
    return account.memory_cycles / account.cycles, account.post_processing_cycles / account.cycles


def test_a_slow_memory_is_named() -> None:
    slow, fast = one_layer(dram_bytes_per_cycle=1), one_layer(ppu_lanes=8)
    assert slow[0] > 0.5 > fast[0]


def test_slow_post_processing_is_named() -> None:
    slow, fast = one_layer(ppu_lanes=1), one_layer(ppu_lanes=8)
    assert slow[1] > 0.3 > fast[1]


def test_the_report_says_what_a_layer_waits_for() -> None:
    """Depthwise convolution: one lane of post-processing is waited for, all lanes are not."""
    layer = Layer("c", Op.CONV, groups=64, P=48, Q=48, inputs=("x",))
    workload = Workload("w", (TensorShape("x", 1, 64, 48, 48, 8),), (layer,))
    reports = []
    for lanes in (1, 16):
        report = template_cost(Design(workload, template_accelerator(Template(ppu_lanes=lanes)), ()))
        assert isinstance(report, CostReport)
        accounts = [item.account for item in report.layers if item.account is not None]
        assert len(accounts) == len(report.layers)
        assert sum(account.cycles for account in accounts) == pytest.approx(report.latency_cycles)
        assert all(sum(account.groups.values()) == pytest.approx(account.cycles) for account in accounts)
        assert LayerCost.from_dict(report.layers[0].to_dict()) == report.layers[0]
        reports.append(report)
    assert reports[0].layers[0].bound_by == "post-processing"
    assert reports[1].layers[0].bound_by != "post-processing"
    assert reports[1].latency_cycles < reports[0].latency_cycles


def test_groups_name_every_part_once() -> None:
    parts = [part for names in GROUPS.values() for part in names]
    assert sorted(parts) == sorted(item.name for item in fields(CycleAccount))
