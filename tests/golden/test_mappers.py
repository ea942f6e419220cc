"""The mapper against the optima that other mappers found for the same layers on the same accelerator."""

import pytest

from accel_models.hardware.accelerators import accelerator
from accel_models.report import LayerCost
from accel_models.reuse.evaluate import evaluate
from benchmarks import mapper as benchmark
from benchmarks.common import REFERENCE_VARIABLE, reference_dir
from mappings.directives import Cluster, SpatialMap, TemporalMap
from mappings.layer import Bits, Layer, Op
from mappings.mapping import Mapping

FOLDER = reference_dir() / "mappers"


@pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no reference data; {REFERENCE_VARIABLE} names its folder")
def test_as_good_as_the_best_known_and_proved() -> None:
    figures = benchmark.compare(FOLDER, quick=True) + benchmark.fastest(FOLDER, quick=True)
    assert not [figure for figure in figures if figure.met is False]


@pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no reference data; {REFERENCE_VARIABLE} names its folder")
def test_the_evolution_stays_close_to_proved_optima() -> None:
    assert not [figure for figure in benchmark.evolved(FOLDER, quick=True) if figure.met is False]


def test_an_exact_optimum_of_another_tool_costs_the_same_here() -> None:
    """AccelForge's 53.767 uJ: 2 filters x 128 channels side by side, outputs in the buffer, the rest from DRAM."""
    layer = Layer("pointwise", Op.CONV, K=512, C=256, P=7, Q=7, bits=Bits(8, 8, 8, 8))
    maps = (
        TemporalMap("C", 128),
        Cluster(256),
        TemporalMap("C", 128),
        SpatialMap("C", 8),
        SpatialMap("K", 256),
        SpatialMap("C", 1),
        Cluster(1),
        TemporalMap("K", 1),
        TemporalMap("P", 1),
        TemporalMap("Q", 1),
    )
    bypass = (("GLB", "I"), ("GLB", "W"), ("RF", "O"))
    cost = evaluate(layer, Mapping(maps, bypass), accelerator("ca1"))
    assert isinstance(cost, LayerCost)
    assert cost.total_energy_pj == pytest.approx(53.767e6, rel=1e-5)
