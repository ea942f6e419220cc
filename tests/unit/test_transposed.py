"""A transposed convolution's multiply-accumulates, cycles, energy and traffic, with sums by hand."""

from __future__ import annotations

import pytest

from accel_models.cost import cost
from accel_models.design import Design
from accel_models.hardware.accelerator import Accelerator, MemoryKind, MemoryLevel
from accel_models.hardware.accelerators import accelerator
from accel_models.report import CostReport, LayerCost
from accel_models.reuse.evaluate import evaluate
from accel_models.schedule import default_mapping
from accel_models.template.accelerator import template_accelerator
from accel_models.template.spec import ArrayKind, Template
from mappings.dataflow import DATAFLOWS
from mappings.layer import Bits, Layer, Op
from mappings.mapping import Mapping
from mappings.phases import phases
from mappings.workload import TensorShape, Workload

#: nn.ConvTranspose2d(3, 1, 2, stride=2) on [1, 3, 2, 2]: each of 12 inputs meets 4 taps.
DOUBLED = Layer("up", Op.TRCONV, C=3, P=4, Q=4, R=2, S=2, stride=(2, 2), inputs=("x",))
#: nn.ConvTranspose2d(100, 512, 4) on [1, 100, 1, 1]: one input a channel.
FIRST = Layer("first", Op.TRCONV, K=512, C=100, P=4, Q=4, R=4, S=4)
#: nn.ConvTranspose2d(8, 8, 1, stride=3) on [1, 8, 2, 2]: 4 of 16 outputs meet the tap, the others are the bias.
SPARSE = Layer("sparse", Op.TRCONV, K=8, C=8, P=4, Q=4, stride=(3, 3), inputs=("x",))


def one_mac() -> Accelerator:
    """One MAC at 1 pJ, an unbounded buffer, a DRAM of 4 bytes a cycle, 1 pJ a byte read, 2 written."""
    dram = MemoryLevel(
        "DRAM", None, MemoryKind.DRAM, read_bytes_per_cycle=4, write_bytes_per_cycle=4,
        read_pj_per_byte=1.0, write_pj_per_byte=2.0, leakage_mw=0.0,
    )  # fmt: skip
    buffer = MemoryLevel("buffer", None, read_pj_per_byte=0.0, write_pj_per_byte=0.0, leakage_mw=0.0)
    return Accelerator("one", (dram, buffer), clock_hz=10**9, mac_pj=1.0, mac_leakage_mw=0.0)


def of(layer: Layer) -> LayerCost:
    found = evaluate(layer, DATAFLOWS.get("output_stationary").instantiate(layer, one_mac()), one_mac())
    assert isinstance(found, LayerCost)
    return found


def test_each_input_meets_each_tap() -> None:
    assert DOUBLED.macs == 3 * 2 * 2 * 2 * 2 == 48
    assert [(p.layer.P, p.layer.Q, p.layer.R, p.layer.S, p.macs) for p in phases(DOUBLED)] == [(2, 2, 1, 1, 12)] * 4
    found = of(DOUBLED)
    assert (found.macs, found.compute_cycles) == (48, 48)
    assert dict(found.energy_pj or ())["MAC"] == 48.0


def test_one_input_meets_every_tap_once() -> None:
    assert FIRST.macs == sum(phase.layer.macs for phase in phases(FIRST)) == 100 * 512 * 16
    assert len(phases(FIRST)) == 16


@pytest.mark.parametrize(
    ("taps", "padding", "more", "done"),
    [(3, 1, 1, (4 * 1 + 4 * 2) ** 2), (3, 1, 0, (4 * 1 + 3 * 2) ** 2), (3, 0, 0, (5 * 2 + 4 * 1) ** 2), (4, 1, 0, 256)],
)
def test_phases_by_hand(taps: int, padding: int, more: int, done: int) -> None:
    """Four inputs along each axis, stride 2: outputs x taps of even places, and of odd ones."""
    extent = 3 * 2 + taps - 2 * padding + more
    edges = (padding, padding, padding - more, padding - more)
    layer = Layer("up", Op.TRCONV, P=extent, Q=extent, R=taps, S=taps, stride=(2, 2), padding=edges)
    assert layer.macs == 16 * taps * taps
    assert sum(phase.layer.macs for phase in phases(layer)) == of(layer).compute_cycles == done
    assert of(layer).utilisation <= 1


def test_outputs_without_taps_are_written_and_nothing_else() -> None:
    assert SPARSE.macs == 8 * 8 * 4
    found = of(SPARSE)
    assert found.compute_cycles == 8 * 8 * 4
    assert found.bytes_of("DRAM", "O", "write") >= 8 * 16
    (with_taps, *others) = phases(SPARSE)
    assert with_taps.macs == SPARSE.macs
    assert not with_taps.empty and all(phase.empty for phase in others)
    alone = Layer("taps", Op.CONV, K=8, C=8, P=2, Q=2)
    more = found.bytes_of("DRAM", "O", "write") - of(alone).bytes_of("DRAM", "O", "write")
    assert more == 8 * (16 - 4)
    assert (found.total_energy_pj or 0) - (of(alone).total_energy_pj or 0) == pytest.approx(2.0 * more)
    assert found.cycles - of(alone).cycles == more // 4


@pytest.mark.parametrize("layer", [DOUBLED, SPARSE])
@pytest.mark.parametrize("array", list(ArrayKind))
def test_the_program_counts_the_same(layer: Layer, array: ArrayKind) -> None:
    template = Template(rows=4, cols=4, array=array)
    layer = Layer(**{**vars(layer), "bits": Bits(8, 8, 8, template.acc_bits)})
    workload = Workload("net", (TensorShape("x", 1, layer.C, layer.H, layer.W_in),), (layer,))
    mapping = default_mapping(layer, template)
    assert isinstance(mapping, Mapping)
    design = Design(workload, template_accelerator(template, "fpga_28nm", ""), ((layer.name, mapping),))
    report = cost(design)
    assert isinstance(report, CostReport)
    assert report.macs == layer.macs
    assert all(0 <= part.utilisation <= 1 for part in report.layers)
    busy = sum(part.utilisation * part.cycles * 16 for part in report.layers)
    assert busy == pytest.approx(layer.macs)


@pytest.mark.parametrize("name", DATAFLOWS.names())
def test_every_dataflow_runs_the_phases(name: str) -> None:
    target = accelerator("ca1")
    found = evaluate(DOUBLED, DATAFLOWS.get(name).instantiate(DOUBLED, target), target)
    assert isinstance(found, LayerCost)
    assert found.macs == 48
    assert 0 < found.utilisation <= 48 / (found.cycles * target.pes) + 1e-12
