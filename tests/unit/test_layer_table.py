"""Tables of layers: built by each source, read back, added to, refused; RTL as a provider of cost."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from codesign.commands.tabling import Tabled, table
from codesign.explorer.run import ExploreOptions, explore
from codesign.providers.base import ProviderContext
from codesign.providers.cost.layer_table import LayerFile
from codesign.providers.registry import make_provider
from codesign.quantization.integer_reference import run_integer
from codesign.quantization.random_network import random_network
from codesign.recipe import Recipe, parse_recipe
from codesign.trace import trace
from mappings.errors import SpecError

HARDWARE = """name: mine
device: zynq7020
template: {array: output_stationary, rows: 4, cols: 4, axi_bits: 64, dram_bytes_per_cycle: 8}
"""
CHAIN = {"name": "chain", "layers": 2, "kernels": [1, 3], "filters": [4, 8], "halved": [2], "extent": 8}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With hardware and a recipe."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hw.yaml").write_text(HARDWARE, encoding="utf-8")
    told = {
        "network": {**CHAIN, "dataset": "digits"},
        "compression": "none",
        "hardware": {"name": "fixed", "hardware": "hw.yaml"},
        "mapping": "default",
        "objectives": ["latency_ms"],
        "providers": [{"name": "lookup", "file": "table.json"}],
        "trials": 4,
        "batch": 4,
    }
    (tmp_path / "mine.yaml").write_text(json.dumps(told), encoding="utf-8")
    return tmp_path


def _recipe(providers: list[Any]) -> Recipe:
    raw = json.loads(Path("mine.yaml").read_text(encoding="utf-8"))
    return parse_recipe({**raw, "providers": providers}, "mine")


def _provider(recipe: Recipe, folder: Path) -> Any:
    (part,) = recipe.providers
    made = make_provider(part.name, ProviderContext(0, recipe.device, recipe.space, folder, 0, part.given))
    made.prepare()
    return made


def test_a_table_holds_what_each_layer_costs_alone(folder: Path) -> None:
    built = table(out="table.json", hardware="hw.yaml", recipe="mine.yaml")
    assert isinstance(built, Tabled) and built.covered == 1.0 and built.networks == 16 and not built.refused
    again = table(out="table.json", hardware="hw.yaml", recipe="mine.yaml")
    assert again.new == 0 and again.layers == built.layers == built.new
    lookup, exact = (
        _provider(_recipe([part]), folder) for part in ({"name": "lookup", "file": "table.json"}, "layer_sum")
    )
    space = _recipe(["schedule"]).space
    points = [space.decisions.draw(np.random.default_rng(seed)) for seed in range(5)]
    looked = lookup.measure(space.decode(points))
    capped = parse_recipe(
        {
            **json.loads(Path("mine.yaml").read_text(encoding="utf-8")),
            "mapping": "tile_caps",
            "providers": ["layer_sum"],
        },
        "mine",
    ).space
    wide = {decision.name: decision.choices[-1] for decision in capped.decisions.choices if decision.group == "mapping"}
    summed = exact.measure(capped.decode([{**point, **wide} for point in points], designs=False))
    for one, other in zip(looked, summed, strict=True):
        for name in lookup.metrics:
            assert one.metrics[name] == pytest.approx(other.metrics[name], rel=1e-12)


def test_what_a_table_lacks_is_a_broken_bound(folder: Path) -> None:
    table(out="table.json", hardware="hw.yaml", recipe="mine.yaml", networks=1)
    built = table(out="other.json", hardware="hw.yaml", recipe="mine.yaml", networks=2, seed=5)
    assert built.layers < 15 and built.networks == 2
    recipe = _recipe([{"name": "lookup", "file": "table.json"}])
    lookup, space = _provider(recipe, folder), recipe.space
    found = [lookup.measure(space.decode([point]))[0] for point in space.decisions.enumerated()]
    (broken,) = next(item.broken for item in found if item.broken)
    assert broken.resource == "layers that the table lacks" and broken.demand >= 1
    assert any(item.metrics for item in found)


def test_rtl_says_the_same_as_the_program_and_is_a_provider_too(folder: Path) -> None:
    table(out="p.json", hardware="hw.yaml", recipe="mine.yaml", networks=2)
    table(out="s.json", hardware="hw.yaml", recipe="mine.yaml", networks=2, by="simulation")
    program, simulated = LayerFile.load("p.json"), LayerFile.load("s.json")
    assert program.rows == simulated.rows and simulated.by == "simulation" and len(program.rows) > 3
    recipe = _recipe(["simulated"])
    point = recipe.space.decisions.draw(np.random.default_rng(0))
    (found,) = _provider(recipe, folder).measure(recipe.space.decode([point]))
    (exact,) = _provider(_recipe(["schedule"]), folder).measure(recipe.space.decode([point]))
    assert found.metrics == exact.metrics
    assert found.detail["cycles"] == found.detail["predicted_cycles"] == exact.metrics["latency_cycles"]


def test_the_directive_model_fills_a_table_for_any_accelerator(folder: Path) -> None:
    built = table(out="d.json", hardware="eyeriss_like", recipe="mine.yaml", networks=1, by="directive")
    rows = LayerFile.load("d.json").rows
    assert built.hardware == "eyeriss_like" and len(rows) == built.layers
    assert all(row.latency_ms > 0 and row.energy_uj > 0 for row in rows.values() if row.layer.macs)


def test_what_is_wrong_with_a_table_is_one_line_before_there_is_a_run(folder: Path) -> None:
    for given, told in (
        ({"hardware": "eyeriss_like"}, "has no template, so there is no program"),
        ({"hardware": "hw.yaml", "by": "rtl"}, "--by"),
        ({"hardware": "hw.yaml", "networks": 0}, "--networks: is 0"),
    ):
        with pytest.raises(SpecError, match=told):
            table(out="x.json", recipe="mine.yaml", **given)  # type: ignore[arg-type]
    table(out="table.json", hardware="hw.yaml", recipe="mine.yaml", networks=1)
    with pytest.raises(SpecError, match="holds figures of mine by program"):
        table(out="table.json", hardware="hw.yaml", recipe="mine.yaml", networks=1, by="simulation")
    good = json.loads(Path("table.json").read_text(encoding="utf-8"))
    layers = good["layers"]
    for bad, told in (
        ({**good, "layers": [*layers, layers[0]]}, "is a layer that is there already"),
        ({**good, "layers": []}, "has no layer"),
        ({**good, "layers": [{**layers[0], "latency_ms": -1}]}, r"layers\[0\].latency_ms: is -1"),
        ({"arch": 1}, "is no table of layers"),
    ):
        Path("table.json").write_text(json.dumps(bad), encoding="utf-8")
        with pytest.raises(SpecError, match=told):
            explore(ExploreOptions(recipe="mine.yaml", out="run", verify=(), jobs=0))
        assert not Path("run/run.yaml").exists()
    Path("table.json").write_text(json.dumps({**good, "layers": [{**layers[0], "energy_uj": None}]}), encoding="utf-8")
    with pytest.raises(SpecError, match=r"has 1 layer without energy_uj \(allowed: the provider lookup_latency"):
        explore(ExploreOptions(recipe="mine.yaml", out="run", verify=(), jobs=0))
    without = [{**layer, "energy_uj": None} for layer in layers]
    Path("table.json").write_text(json.dumps({**good, "layers": without}), encoding="utf-8")
    (part,) = (provider.plain() for provider in _recipe([{"name": "lookup_latency", "file": "table.json"}]).providers)
    lookup, space = _provider(_recipe([part]), folder), _recipe([part]).space
    known = [lookup.measure(space.decode([point]))[0].metrics for point in space.decisions.enumerated()]
    assert {tuple(item) for item in known if item} == {("latency_ms", "throughput_per_s")}
    named = {**layers[0]["layer"], "name": "theirs"}  # whatever a user calls it, it is the same layer
    Path("table.json").write_text(json.dumps({**good, "layers": [{**layers[0], "layer": named}]}), encoding="utf-8")
    assert LayerFile.load("table.json").rows


def test_random_integers_run_whatever_is_traced() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.ConvTranspose2d(8, 8, 2, stride=2)
            self.norm, self.c = nn.LayerNorm(8), nn.Linear(8, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = nn.functional.max_pool2d(nn.functional.silu(self.b(self.a(x))), 2)
            z = torch.cat([y, y.mean((2, 3), keepdim=True) * y], 1)[:, :8]
            tokens = self.norm(z.flatten(2).transpose(1, 2))
            return self.c(torch.softmax(tokens @ tokens.transpose(1, 2), -1) @ tokens)

    workload = trace(Net(), torch.zeros(1, 3, 8, 8))
    network = random_network(workload)
    image = torch.from_numpy(np.random.default_rng(0).integers(-128, 128, (1, 3, 8, 8)))
    found = run_integer(network, {workload.inputs[0].name: image})
    assert len(torch.unique(found[workload.outputs[0]])) > 4
    odd = replace(workload, inputs=tuple(replace(tensor, bits=5) for tensor in workload.inputs))
    with pytest.raises(SpecError, match="has values of 5 bits"):
        random_network(odd)
