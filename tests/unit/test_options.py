"""Every option of every command takes effect or is refused: a sweep over all of them, by kind of target."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from accel_models.design import Design
from accel_models.hardware.accelerator import Accelerator
from accel_models.mapper import MappingResult
from accel_models.report import LayerCost
from accel_models.reuse.evaluate import evaluate
from accel_models.template.accelerator import template_accelerator
from accel_models.template.spec import ArrayKind, Template
from codesign.cli.document import document
from codesign.cli.handlers import PRINTING
from codesign.cli.main import main
from codesign.cli.parser import COMMANDS, build_parser
from codesign.commands.applies import APPLIES, flag
from codesign.commands.cost import cost, program_design
from codesign.commands.kinds import Kind
from codesign.design_file import DesignFile
from codesign.explorer.folder import RunFolder, RunRecord
from codesign.explorer.options import ExploreOptions, prepare
from codesign.quantization.quantize import quantize
from codesign.recipe import load_recipe
from mappings.dataflow import DATAFLOWS
from mappings.layer import Layer
from mappings.network_io import network_digest, save_network
from mappings.yamlio import dump_yaml
from tests.toy import register_network, small_convolution

MODULE = "from tests.toy import small_convolution as Net\n"
MAESTRO = (
    "Network a {{ Layer c {{ Type: CONV Dimensions {{ K: {k}, C: 4, R: 3, S: 3, Y: 8, X: 8 }} "
    "Dataflow {{ SpatialMap(1,1) K; TemporalMap(1,1) C; TemporalMap(3,3) R; TemporalMap(3,3) S; "
    "TemporalMap(3,1) Y; TemporalMap(3,1) X; }} }} }}"
)
HARDWARE = "num_pes: {pes}\nl1_size_cstr: 100\nl2_size_cstr: 3000\nnoc_bw_cstr: 1000\noffchip_bw_cstr: 50\n"
SMALL = Template(rows=8, cols=8, axi_bits=64, dram_bytes_per_cycle=8)


def parsers() -> dict[str, argparse.ArgumentParser]:
    """The parser of each command."""
    actions = build_parser()._subparsers._group_actions  # type: ignore[union-attr]
    return dict(actions[0].choices)  # type: ignore[arg-type]


def keywords(command: str) -> set[str]:
    """The options of a command, those of printing left out."""
    found = {action.dest for action in parsers()[command]._actions if action.option_strings}
    return found - {"help", *PRINTING}


@pytest.fixture
def files(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own with something of every kind."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[2])
    return tmp_path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The same, made once."""
    folder = tmp_path_factory.mktemp("made")
    with contextlib.chdir(folder):
        _make()
        yield folder


def _make() -> None:
    register_network()
    Path("mine.py").write_text(MODULE, encoding="utf-8")
    for name, k in (("a.m", 4), ("b.m", 8)):
        Path(name).write_text(MAESTRO.format(k=k), encoding="utf-8")
    for name, pes in (("a.hw", 4), ("b.hw", 2)):
        Path(name).write_text(HARDWARE.format(pes=pes), encoding="utf-8")
    Path("template.yaml").write_text(dump_yaml(SMALL.to_dict()), encoding="utf-8")
    other = Template(ArrayKind.OUTPUT_STATIONARY, 4, 4, axi_bits=64, dram_bytes_per_cycle=8)
    Path("other.yaml").write_text(dump_yaml(other.to_dict()), encoding="utf-8")
    rng = np.random.default_rng(1)
    np.savez("data.npz", x=rng.normal(size=(12, 3, 8, 8)))
    torch.manual_seed(0)
    network = quantize(small_convolution(), torch.randn(4, 3, 8, 8))
    save_network(network, "net")
    design = program_design(network.workload, template_accelerator(SMALL))
    assert isinstance(design, Design)
    DesignFile("point", design, "net").save(Path("design.yaml"))
    mapped = cost(network.workload, accelerator="eyeriss_like")
    mapped.design.save("mapped.yaml")  # type: ignore[union-attr]
    Path("workload.yaml").write_text(dump_yaml(network.workload.to_dict()), encoding="utf-8")
    run = RunFolder(Path("runs/begun"))
    run.path.mkdir(parents=True)
    run.write_run(RunRecord(load_recipe("default"), "0" * 32))


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What the commands that run for long were asked to do; they do not do it."""
    asked: list[Any] = []

    def verify(name: str, design: Design, network: Any, images: Any, labels: Any, _: Path, **more: Any) -> Any:
        pixels = [hashlib.sha256(value.tobytes()).hexdigest() for value in images.values()]
        asked.append((name, design.digest, network_digest(network), pixels, more["with_hls"]))
        return SimpleNamespace(passed=True)

    def synthesize(template: Template, target: str, **more: Any) -> Any:
        asked.append((template.to_dict(), target, more))

    def best_mapping(layer: Layer, hardware: Accelerator, flow: Any, objective: str, tiles: str) -> MappingResult:
        """One of the library's, whatever is wanted: that it was wanted is what counts."""
        asked.append((layer.digest, hardware.digest, str(flow), objective, tiles))
        mapping = DATAFLOWS.get("weight_stationary").instantiate(layer, hardware)
        found = evaluate(layer, mapping, hardware)
        assert isinstance(found, LayerCost)
        return MappingResult(mapping, found, objective, "any", 1.0, False, 0, 0, 0, 0, 0.0)

    def explore(options: ExploreOptions, _: Any) -> Any:
        folder, record = prepare(options)
        told = {key: value for key, value in asdict(options).items() if key not in ("recipe",)}
        asked.append((str(folder.path), record.recipe.to_dict(), record.storage, told))
        return SimpleNamespace(verifications=(), syntheses=())

    monkeypatch.setattr("codesign.commands.mapping.is_compiled", lambda _: True)
    monkeypatch.setattr("codesign.commands.mapping.best_mapping", best_mapping)
    monkeypatch.setattr("codesign.commands.hardware.verify", verify)
    monkeypatch.setattr("codesign.commands.synth.synthesize", synthesize)
    monkeypatch.setattr("codesign.explorer.run.explore", explore)
    monkeypatch.setattr("codesign.explorer.run.join", lambda *given: asked.append(given[:-1]))
    for name in ("verification", "synthesised", "run", "joined"):
        monkeypatch.setattr(f"codesign.cli.output.{name}", lambda *_: None)
    yield asked


#: By command and kind: the target, and the options without which there is nothing to change.
BASES: dict[tuple[str, Kind], tuple[list[str], dict[str, Any]]] = {
    **{
        (command, kind): ([target], {**shape, "accelerator": "eyeriss_like"})
        for command in ("cost", "map")
        for kind, target, shape in (
            (Kind.NETWORK, "small_convolution", {}),
            (Kind.MODULE, "mine.py:Net", {"input": "1,3,8,8"}),
            (Kind.WORKLOAD, "workload.yaml", {}),
        )
    },
    ("cost", Kind.DESIGN): (["design.yaml"], {}),
    ("map", Kind.DESIGN): (["mapped.yaml"], {}),
    ("cost", Kind.MAESTRO): ([], {"maestro": "a.m", "hw": "a.hw"}),
    **{
        (command, kind): ([target], {**more, **({"out": "written"} if command == "emit" else {})})
        for command in ("simulate", "emit")
        for kind, target, more in (
            (Kind.NETWORK, "small_convolution", {"hardware": "template.yaml"}),
            (Kind.MODULE, "mine.py:Net", {"input": "1,3,8,8", "hardware": "template.yaml"}),
            (Kind.DESIGN, "design.yaml", {}),
        )
    },
    ("synth", Kind.DESIGN): (["design.yaml"], {}),
    ("synth", Kind.HARDWARE): (["template.yaml"], {}),
    ("explore", Kind.NEW): ([], {}),
    ("explore", Kind.RESUMED): ([], {"resume": "runs/begun"}),
    ("explore", Kind.JOINED): ([], {"join": "runs/begun"}),
    ("table", Kind.SPACE): (
        [],
        {"networks": 2, "hardware": "template.yaml", "out": "t.json"},
    ),
    ("report", Kind.FINISHED): (["runs/begun"], {}),
    ("list", Kind.NAMES): (["devices"], {}),
}
#: A value of each option that differs from what is taken without it.
VALUES: dict[str, Any] = {
    "input": "1,3,12,12",
    "accelerator": "nvdla_like",
    "dataflow": "row_stationary",
    "objective": "latency",
    "tiles": "any",
    "maestro": "b.m",
    "hw": "b.hw",
    "simd_lanes": "2",
    "csv": "out.csv",
    "hardware": "other.yaml",
    "data": "data.npz",
    "images": "3",
    "no_hls": True,
    "out": "elsewhere",
    "what": "hls",
    "by": "simulation",
    "networks": "3",
    "target": "ecp5",
    "liberty": "cells.lib",
    "route": True,
    "power": True,
    "device": "zcu104",
    "recipe": "random",
    "network": "small_convolution",
    "objectives": "latency_ms,energy_uj",
    "limit": "latency_ms=5",
    "controller": "random",
    "driver": "alternate",
    "trials": "48",
    "seed": "3",
    "storage": "sqlite:///other.db",
    "resume": "runs/begun",
    "join": "runs/begun",
    "verify": "all",
    "jobs": "0",
    "executor": "dask://localhost:8786",
}
#: Options that need another one: with it on both sides.
WITH: dict[tuple[str, str], dict[str, Any]] = {
    ("synth", "liberty"): {"target": "asic"},
    ("synth", "power"): {"target": "asic", "liberty": "cells.lib"},
    ("synth", "device"): {"route": True, "target": "ecp5"},
    ("table", "input"): {"network": "small_convolution"},
    ("explore", "input"): {"network": "small_convolution"},
    ("explore", "hardware"): {"network": "small_convolution"},
}
SWEPT = [
    (command, kind, option) for command in COMMANDS for kind in APPLIES[command] for option in sorted(keywords(command))
]


def arguments(command: str, kind: Kind, changes: dict[str, Any]) -> list[str]:
    """The words of a command line."""
    positional, options = BASES[command, kind]
    words = [command, *positional]
    for keyword, value in {**options, **changes}.items():
        words += [flag(keyword)] if value is True else [flag(keyword), str(value)]
    return words


def effect(
    words: list[str], folder: Path, called: list[Any], capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    """Exit status, standard error, and all else that a command did, as text: what it printed, wrote and asked for."""
    known = set(folder.rglob("*"))
    called.clear()
    code = main(words)
    said = capsys.readouterr()
    written = {}
    for path in sorted(set(folder.rglob("*")) - known, reverse=True):
        if path.is_file():
            if path.suffix not in (".pyc", ".nbi", ".nbc"):
                written[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
            path.unlink()
        else:
            path.rmdir()
    return code, said.err, json.dumps([said.out, written, called], sort_keys=True, default=str)


def test_the_table_names_every_option_and_every_command() -> None:
    assert set(APPLIES) == set(COMMANDS) == set(parsers())
    for command, kinds in APPLIES.items():
        assert {option for options in kinds.values() for option in options} == keywords(command), command
        assert {(command, kind) for kind in kinds} <= set(BASES)


def test_no_option_has_a_default_of_its_own() -> None:
    """What is left out reaches the functions as None, so that a given option is never mistaken for a default."""
    for command, parser in parsers().items():
        for action in parser._actions:
            if action.dest in keywords(command):
                assert action.default is None, (command, action.dest)


@pytest.mark.parametrize(("command", "kind", "option"), SWEPT)
def test_each_option_changes_something_or_is_refused(
    command: str, kind: Kind, option: str, files: Path, called: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    more = WITH.get((command, option), {})
    value = VALUES[option]
    if (command, option) == ("explore", "data"):
        value = "digits"
    if (command, option) in (("explore", "resume"), ("explore", "join")):
        return  # it makes the difference between the kinds
    words = arguments(command, kind, {**more, option: value})
    code, error, changed = effect(words, files, called, capsys)
    if option not in APPLIES[command][kind] or code == 2:
        lines = error.strip().splitlines()
        assert code == 2 and len(lines) == 1 and flag(option) in lines[0], error
        assert kind in (Kind.RESUMED, Kind.FINISHED) or option not in APPLIES[command][kind], error
        return
    plain_code, plain_error, plain = effect(arguments(command, kind, more), files, called, capsys)
    assert plain_code == code == 0, (plain_error, error)
    assert changed != plain, f"{flag(option)} changes nothing"


def test_the_reference_is_that_of_the_parser() -> None:
    """docs/commands.md is written by ``python -m codesign.cli.document``; each option stands in its command's table."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
    assert page == document()
    for part in page.split("\n## ")[1:]:
        command = part.split()[1].strip("`")
        for option in keywords(command):
            assert f"| `{flag(option)}" in part, (command, option)


def test_what_is_searched_where_no_recipe_is_named(tmp_path: Path) -> None:
    def chosen(**given: Any) -> tuple[str, str, int, int]:
        made = prepare(ExploreOptions(out=str(tmp_path / "run"), **given))[1].recipe
        return made.name, made.driver.name, made.trials, len(made.start)

    trials = load_recipe("default").trials
    assert chosen() == chosen(network="elastic_mnist")[:3] + (2,) == ("default", "nested", trials, 2)
    assert chosen(controller="tpe", trials=5) == ("default", "nested", 5, 2)
    for driver in ("alternate", "ask_tell"):
        assert chosen(driver=driver) == ("joint", driver, 120, 0)
    for given in ({}, {"driver": "ask_tell"}, {"controller": "tpe", "device": "zcu104"}):
        assert chosen(network="mobilenet_v2", **given) == ("hardware", "ask_tell", 2400, 0)
    (tmp_path / "mine.yaml").write_text(dump_yaml(Template(rows=8, cols=8).to_dict()), encoding="utf-8")
    assert chosen(hardware=str(tmp_path / "mine.yaml")) == ("joint", "ask_tell", 120, 0)
    default = load_recipe("default")
    alike = {"network": default.network.plain(), "choices": default.to_dict()["choices"]}
    assert default.space.digest == load_recipe("joint", alike).space.digest
