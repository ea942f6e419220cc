"""Dataflow files: what they may say, and that each is legal for any layer on any hierarchy."""

from dataclasses import replace
from pathlib import Path

import pytest

from accel_models.hardware.accelerators import ACCELERATORS, accelerator
from accel_models.report import LayerCost
from accel_models.reuse.evaluate import evaluate
from mappings.dataflow import DATAFLOWS, Dataflow, dataflow
from mappings.errors import SpecError
from mappings.layer import Layer, Op
from mappings.registry import Registry

LAYERS = [
    Layer("conv", Op.CONV, K=64, C=48, P=27, Q=29, R=3, S=3, padding=(1, 1, 1, 1)),
    Layer("first", Op.CONV, K=40, C=3, P=55, Q=55, R=11, S=11, stride=(4, 4)),
    Layer("depthwise", Op.CONV, groups=97, P=14, Q=14, R=3, S=3, padding=(1, 1, 1, 1)),
    Layer("linear", Op.LINEAR, N=3, K=1000, C=513),
    Layer("attention", Op.MATMUL, groups=3, K=64, C=197, P=197),
    Layer("pool", Op.AVGPOOL, groups=64, P=7, Q=7, R=7, S=7),
    Layer("add", Op.ADD, groups=37, P=14, Q=13),
    Layer("softmax", Op.SOFTMAX, groups=3, K=197, C=197, P=197),
    Layer("up", Op.TRCONV, K=8, C=12, P=16, Q=16, R=4, S=4, stride=(2, 2), padding=(1, 1, 1, 1)),
    Layer("one", Op.LINEAR),
]
NAMES = {
    "weight_stationary",
    "output_stationary",
    "row_stationary",
    "channel_parallel",
    "xp",
    "no_local_reuse",
    "loop_tile",
    "input_stationary",
}


def test_library_is_complete_and_sourced() -> None:
    assert set(DATAFLOWS.names()) >= NAMES
    for name in NAMES:
        assert dataflow(name).summary
        assert dataflow(name).source


@pytest.mark.parametrize("target", ACCELERATORS.names())
@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_dataflow_is_legal_for_every_layer(name: str, target: str) -> None:
    on = accelerator(target)
    for layer in LAYERS:
        result = evaluate(layer, dataflow(name).instantiate(layer, on), on)
        assert isinstance(result, LayerCost), f"{name} of {layer.name} on {target}: {result}"
        assert result.compute_cycles * on.pes >= layer.macs
        assert 0 < result.utilisation <= 1


def test_each_keeps_still_what_its_name_says() -> None:
    layer = replace(LAYERS[0], P=22, Q=22)  # fits half of the accumulators
    on = accelerator("gemmini_like")
    found = evaluate(layer, dataflow("weight_stationary").instantiate(layer, on), on)
    assert isinstance(found, LayerCost)
    assert found.bytes_of("PE", "W", "write") == layer.elements["W"]  # each weight enters the array once
    on = accelerator("shidiannao_like")
    found = evaluate(layer, dataflow("output_stationary").instantiate(layer, on), on)
    assert isinstance(found, LayerCost)
    assert found.bytes_of("PE", "O", "write") == 4 * layer.macs  # a sum never comes back to a PE
    assert found.bytes_of("NB", "O", "write") == layer.elements["O"]


def test_parameters_set_tiles_and_wrong_ones_are_told() -> None:
    layer, on = LAYERS[0], accelerator("ca1")
    small = dataflow("loop_tile").instantiate(layer, on, {"Tr": 5, "Tm": 8})
    assert "TemporalMap(5,5) P" in [str(item) for item in small.directives]
    with pytest.raises(SpecError, match='unknown parameter "Tmm", did you mean "Tm"'):
        dataflow("loop_tile").instantiate(layer, on, {"Tmm": 8})
    with pytest.raises(SpecError, match="is 0"):
        dataflow("loop_tile").instantiate(layer, on, {"Tm": 0})


def test_a_users_file_joins_the_registry(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    lines = ["Cluster(pes)", "SpatialMap(width) K", "Cluster(cols)", "SpatialMap(1) C", "Cluster(1)"]
    path.write_text("name: mine\nparams: {width: 2}\ndirectives:\n" + "".join(f"- {line}\n" for line in lines))
    registry: Registry[Dataflow] = Registry("dataflow")
    registry.register("mine", Dataflow.load(path))
    assert dataflow(str(path)) == registry.get("mine")
    on = accelerator("ca1")
    assert isinstance(evaluate(LAYERS[0], registry.get("mine").instantiate(LAYERS[0], on), on), LayerCost)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"directives": ["SpatialMap(1) K"]}, "has 0 clusters"),
        ({"directives": ["Cluster(1)", "Cluster(pes)", "Cluster(cols)"]}, "out of place"),
        ({"directives": ["SpatialMap(2*rows) K"]}, "is not a directive"),
        ({"directives": ["SpatialMap(rowz) K"]}, 'did you mean "rows"'),
        ({"directives": ["SpatialMap(1) X"]}, 'unknown dim "X"'),
        ({"directives": ["SpatialMap(Sz(Y)) K"]}, "unknown dim in"),
        ({"directives": ["SpatialMap(0) K"]}, "size 0"),
        ({"directives": 3}, "is 3"),
        ({"params": {"rows": 3}}, "name of the hardware"),
        ({"params": {"a b": 3}}, "params"),
        ({"bypass": [["dram", "I"]]}, "bypass"),
        ({"directive": []}, 'did you mean "directives"'),
    ],
)
def test_malformed_files(change: dict[str, object], message: str) -> None:
    good = {"name": "x", "directives": ["Cluster(pes)", "Cluster(cols)", "Cluster(1)"]}
    with pytest.raises(SpecError, match=message.replace("(", r"\(")):
        Dataflow.from_dict({**good, **change})
