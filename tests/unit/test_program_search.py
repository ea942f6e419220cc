"""The search of a template's tiles: exact, never worse than the default, the best of all where it says so."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations, product

import pytest

from accel_models.design import Design
from accel_models.mapper.program import LayerSearch, best_program
from accel_models.report import CostReport, Infeasible
from accel_models.schedule import Tiling, mapping_of, tiling_of
from accel_models.template.accelerator import template_accelerator
from accel_models.template.cost import template_cost
from accel_models.template.spec import ArrayKind, Template
from benchmarks.rtl_cases import digits
from mappings.errors import SpecError
from mappings.layer import Layer, Op
from mappings.workload import TensorShape, Workload

TECHNOLOGY = "fpga_28nm"
TINY = Template(
    rows=4, cols=4, input_buffer_bytes=100, weight_buffer_bytes=300, acc_buffer_bytes=128, output_buffer_bytes=16,
    param_buffer_bytes=128, axi_bits=32, dram_bytes_per_cycle=4,
)  # fmt: skip
CONV = Layer("c", Op.CONV, K=8, C=8, P=3, Q=2, R=3, S=3, padding=(1,) * 4, inputs=("x",))
ONE = Workload("one", (TensorShape("x", 1, 8, 3, 2),), (CONV,))
POOL = Layer("p", Op.MAXPOOL, groups=8, P=3, Q=3, R=2, S=2, stride=(2, 2), inputs=("x",))
POOLED = Workload("pooled", (TensorShape("x", 1, 8, 6, 6),), (POOL,))
SMALL = Template(rows=8, cols=8, input_buffer_bytes=2048, weight_buffer_bytes=4096, acc_buffer_bytes=2048,
                 output_buffer_bytes=512, axi_bits=64, dram_bytes_per_cycle=8)  # fmt: skip


def figure(report: CostReport, objective: str) -> float:
    assert report.energy_pj is not None
    cycles, energy = float(report.latency_cycles), report.energy_pj
    return {"latency": cycles, "energy": energy, "edp": energy * cycles}[objective]


def priced(design: Design) -> CostReport:
    report = template_cost(design)
    assert isinstance(report, CostReport)
    return report


@pytest.mark.parametrize(("network", "array"), [*((ONE, array) for array in ArrayKind), (POOLED, ArrayKind.LOOP_TILE)])
def test_no_legal_tiling_is_better(network: Workload, array: ArrayKind) -> None:
    """Every mapping that can be written down for the layer goes through the readable program."""
    template = replace(TINY, array=array)
    target, layer = template_accelerator(template, TECHNOLOGY), network.layers[0]
    best = dict.fromkeys(("latency", "energy", "edp"), float("inf"))
    seen = set()
    channels = layer.channels_out
    for k, c, p, q, r in product(
        range(4, channels + 1, 4), range(4, layer.channels_in + 1, 4),
        range(1, layer.P + 1), range(1, layer.Q + 1), range(layer.R),
    ):  # fmt: skip
        for order in permutations("KPQ"):
            mapping = mapping_of(layer, Tiling(k, c, p, q, "".join(order), r), template)
            if mapping in seen or isinstance(tiling_of(layer, mapping, template), Infeasible):
                continue
            seen.add(mapping)
            report = priced(Design(network, target, ((layer.name, mapping),)))
            best = {name: min(value, figure(report, name)) for name, value in best.items()}
    assert len(seen) > 50
    for objective, value in best.items():
        found = best_program(network, target, objective)
        assert not isinstance(found, Infeasible)
        assert found.optimal
        assert found.value == pytest.approx(value, rel=1e-12)
        assert figure(priced(found.design), objective) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("array", list(ArrayKind))
def test_a_network_is_never_worse_than_its_default_tiles(array: ArrayKind) -> None:
    """The value is the program's own figure, to the cycle; given mappings are where it begins."""
    target = template_accelerator(replace(SMALL, array=array), TECHNOLOGY)
    default = priced(Design(digits(8), target, ()))
    found = best_program(digits(8), target, "latency", most=60)
    assert not isinstance(found, Infeasible)
    report = priced(found.design)
    assert report.latency_cycles == found.value < found.default_value == default.latency_cycles
    again = best_program(digits(8), target, "latency", dict(found.design.mappings), most=1)
    assert not isinstance(again, Infeasible)
    assert again.value <= found.value
    assert all(isinstance(log, LayerSearch) for log in found.layers)


def test_what_can_not_be_searched_is_told() -> None:
    with pytest.raises(SpecError, match="has no energies"):
        best_program(ONE, template_accelerator(TINY), "edp")
    with pytest.raises(SpecError, match='unknown objective "edq"'):
        best_program(ONE, template_accelerator(TINY), "edq")
    bare = replace(template_accelerator(TINY), template=None)
    with pytest.raises(SpecError, match="has no template"):
        best_program(ONE, bare)
