"""The functions that are the twins of the commands take modules, workloads, designs, paths and names."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import codesign
from accel_models.hardware.accelerators import ACCELERATORS
from accel_models.report import CostReport
from accel_models.template.spec import Template
from codesign.cli.parser import COMMANDS
from codesign.commands.applies import APPLIES
from codesign.commands.cost import Costed
from codesign.commands.hardware import read_samples
from codesign.commands.kinds import Kind
from codesign.commands.mapping import Mapped
from codesign.explorer.run import ExploreOptions
from codesign.explorer.run import explore as run_explore
from mappings.errors import SpecError
from mappings.yamlio import dump_yaml
from tests.toy import register_network, small_convolution, write_recipe


class SmallConvolution(torch.nn.Sequential):
    """A class, as ``my_module.py:MyNet`` names one."""

    def __init__(self) -> None:
        super().__init__(*small_convolution())


SMALL = Template(rows=8, cols=8, axi_bits=64, dram_bytes_per_cycle=8)


def costed(*target: object, **options: object) -> Costed:
    found = codesign.cost(*target, **options)  # type: ignore[call-overload]
    assert isinstance(found, Costed)
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_keywords_are_those_of_the_command_line(command: str) -> None:
    function = getattr(codesign, {"list": "list_names"}.get(command, command))
    keywords = set(inspect.signature(function).parameters)
    for kind, options in APPLIES[command].items():
        if kind is Kind.JOINED:
            assert {"run", *options} - {"join"} <= set(inspect.signature(codesign.join_run).parameters)
        else:
            assert set(options) <= keywords, command


def test_whatever_is_costed_is_the_same(tmp_path: Path) -> None:
    name, module = register_network(), small_convolution()
    by_module = costed(module, input=(1, 3, 8, 8), accelerator="eyeriss_like")
    workload = by_module.design.workload
    path = tmp_path / "workload.yaml"
    path.write_text(dump_yaml(workload.to_dict()), encoding="utf-8")
    design = tmp_path / "design.yaml"
    by_module.design.save(design)
    for found in (
        costed(module, input="1,3,8,8", accelerator=ACCELERATORS.get("eyeriss_like")),
        costed(module, input=[(1, 3, 8, 8)], accelerator="eyeriss_like"),
        costed(module, input=np.array([1, 3, 8, 8]), accelerator="eyeriss_like"),
        costed(module, input=[torch.Size([np.int64(1), 3, 8, 8])], accelerator="eyeriss_like"),
        costed(name, accelerator="eyeriss_like"),
        costed(workload, accelerator="eyeriss_like"),
        costed(workload, accelerator=by_module.design),
        costed(SmallConvolution, input=(1, 3, 8, 8), accelerator="eyeriss_like"),
        costed(path, accelerator="eyeriss_like"),
        costed(by_module.design),
        costed(design),
        costed(str(design)),
        costed(codesign.DesignFile("a", by_module.design)),
    ):
        assert found.report == by_module.report


def test_a_template_is_hardware() -> None:
    found = costed(small_convolution(), input=(1, 3, 8, 8), accelerator=SMALL)
    mapped = codesign.map(small_convolution(), input=(1, 3, 8, 8), accelerator=SMALL)
    assert isinstance(mapped, Mapped) and isinstance(mapped.report, CostReport)
    assert mapped.report == costed(mapped.design).report
    assert mapped.report.latency_cycles <= found.report.latency_cycles
    assert {item.bits.I for item in mapped.design.workload.layers} == {SMALL.act_bits}
    four = Template(rows=8, cols=8, act_bits=4, weight_bits=4, axi_bits=64, dram_bytes_per_cycle=8)
    assert {item.bits.W for item in costed(register_network(), accelerator=four).design.workload.layers} == {4}


def test_what_changes_nothing_is_refused() -> None:
    module = small_convolution()
    with pytest.raises(SpecError, match=r"--objective: changes nothing: the accelerator is one of our templates"):
        codesign.cost(module, input=(1, 3, 8, 8), accelerator=SMALL, objective="energy")
    with pytest.raises(SpecError, match=r"--input: changes nothing for a workload file"):
        codesign.cost(costed(module, input=(1, 3, 8, 8), accelerator=SMALL).design.workload, input=(1, 3, 8, 8))
    with pytest.raises(SpecError, match=r"--hw: changes nothing for a module"):
        codesign.cost(module, hw="a.hw")  # type: ignore[call-overload]
    with pytest.raises(SpecError, match=r"--input: is missing"):
        codesign.cost(module, accelerator=SMALL)
    with pytest.raises(SpecError, match=r"--hardware: accelerator eyeriss_like has no template"):
        codesign.simulate(module, input=(1, 3, 8, 8), hardware="eyeriss_like")
    with pytest.raises(SpecError, match=r"a batch of 2"):
        codesign.simulate(module, input=(2, 3, 8, 8), hardware=SMALL)


def test_emit_of_a_module(tmp_path: Path) -> None:
    torch.manual_seed(0)
    written = codesign.emit(small_convolution(), input=(1, 3, 8, 8), hardware=SMALL, out=tmp_path / "out")
    assert written.rtl and written.hls and all(path.stat().st_size for path in (*written.rtl, *written.hls))
    assert written.rtl[-1].name == "codesign_accelerator.v" and "m_axi_awvalid" in written.rtl[-1].read_text()
    images = [tmp_path / "out" / what / "memory.bin" for what in ("rtl", "hls")]
    assert images[0].read_bytes() == images[1].read_bytes()  # one program, one memory


def test_samples_are_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"

    def saved(**arrays: object) -> Path:
        np.savez(path, **arrays)  # type: ignore[arg-type]
        return path

    shapes = [(1, 3, 8, 8)]
    (found,) = read_samples(saved(x=np.ones((5, 3, 8, 8), np.uint8)), shapes)
    assert found.shape == (5, 3, 8, 8) and found.dtype == torch.float32
    good = np.zeros((5, 3, 8, 8))
    for arrays, told in (
        ({"x": np.zeros((5, 3, 8, 9))}, r"has shape \[5, 3, 8, 9\]"),
        ({"x": np.zeros((0, 3, 8, 8))}, r"has shape \[0, "),
        ({"x": np.array(1.0)}, r"has shape \[\]"),
        ({"x": np.full((1, 3, 8, 8), np.nan)}, "not finite"),
        ({"x": np.array(["a"])}, "numbers"),
        ({"x": good, "y": good}, "holds 2 arrays"),
        ({}, "holds 0 arrays"),
    ):
        with pytest.raises(SpecError, match=told):
            read_samples(saved(**arrays), shapes)
    with pytest.raises(SpecError, match="5 and 6 samples"):
        read_samples(saved(x=good, y=np.zeros((6, 2))), [(1, 3, 8, 8), (1, 2)])
    path.write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(SpecError, match="is no whole npz archive"):
        read_samples(path, shapes)
    with pytest.raises(SpecError, match="cannot be read"):
        read_samples(tmp_path / "none.npz", shapes)


def test_a_run_as_tables(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "toy.yaml", trials=16)
    folder = tmp_path / "run"
    result = run_explore(ExploreOptions(recipe=str(recipe), out=str(folder), verify=(), jobs=0))
    run = codesign.load_run(folder)
    assert len(run.trials) == 16 and list(run.trials["trial"]) == list(range(16))
    assert list(run.front["name"]) == [point.name for point in result.points]
    assert run.recipe == result.recipe
    for column in ("latency_ms", "energy_uj", "rows", "array"):
        assert column in run.trials and column in run.front
    for _, row in run.front.iterrows():  # a point of the front is the trial that it names
        trial = run.trials.iloc[int(row["trial"])]
        assert trial["feasible"] and trial["rows"] == row["rows"]
        assert trial["latency_ms"] == pytest.approx(row["latency_ms"])
    assert (run.trials["feasible"] == (run.trials["broken"] == "")).all()
    with pytest.raises(SpecError, match="holds no run"):
        codesign.load_run(tmp_path)


@pytest.mark.parametrize("shape", [3, (1.0, 3, 8, 8), (True, 3, 8, 8), [[]], torch.zeros(1, 3, 8, 8), np.zeros(3)])
def test_what_is_no_shape_is_refused(shape: Any) -> None:
    with pytest.raises(SpecError, match=r"--input: is .*positive integers"):
        codesign.cost(small_convolution(), input=shape, accelerator="eyeriss_like")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"network": small_convolution()}, "--network: is .*a name or a path"),
        ({"hardware": SMALL}, "--hardware: is .*a name or a path"),
        ({"images": 1.0}, "--images: is 1.0"),
        ({"trials": True}, "--trials: is True"),
        ({"limit": {"latency": 1}}, "latency"),
    ],
)
def test_explore_takes_names_and_whole_numbers(given: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=told):
        codesign.explore(out=tmp_path / "run", **given)
    assert not (tmp_path / "run").exists()
