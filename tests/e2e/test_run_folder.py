"""A folder is the run: killed behind every durable write, copied, moved, damaged, locked, or not ours."""

from __future__ import annotations

import errno
import json
import os
import pickle
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from accel_models.hardware.devices import device
from codesign.accuracy.data import digits
from codesign.cli.main import main
from codesign.contents import by_content, missing_files
from codesign.design_file import DesignFile
from codesign.explorer import storage
from codesign.explorer.folder import RunFolder, RunRecord
from codesign.explorer.options import to_verify
from codesign.explorer.run import ExploreOptions, Interrupted, explore
from codesign.explorer.study import open_study, run_storage
from codesign.spaces.hardware.fixed import FixedHardware
from mappings.errors import SpecError
from tests import toy
from tests.kills import durable_writes

TRIALS, BATCH = 12, 4


def begin(folder: Path, **options: object) -> None:
    base = folder.parent / "toy.yaml"
    if not base.exists():
        toy.write_recipe(base, TRIALS, BATCH)
    explore(ExploreOptions(recipe=str(base), out=str(folder), verify=(), jobs=0, **options))  # type: ignore[arg-type]


def resume(folder: Path | str, **options: object) -> None:
    explore(ExploreOptions(resume=str(folder), verify=(), jobs=0, **options))  # type: ignore[arg-type]


def front(folder: Path) -> str:
    return (folder / "front.csv").read_text(encoding="utf-8")


def test_a_full_disk_is_told_with_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, _: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    begin(tmp_path / "whole")
    with monkeypatch.context() as disk:
        disk.setattr("codesign.reports.page.write_durably", full)
        with pytest.raises(
            SpecError, match=r"report\.html: cannot be written: No space .*explore --resume .*room"
        ) as told:
            begin(tmp_path / "run")
    assert str(told.value).count(str(tmp_path / "run")) == 2
    resume(tmp_path / "run")
    assert front(tmp_path / "run") == front(tmp_path / "whole") and (tmp_path / "run" / "report.html").is_file()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody touched."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    begin(folder)
    return folder


@pytest.mark.parametrize("name", ["front.csv", "result.json", "report.html", "run.yaml", "study.db", "designs/knee"])
def test_a_folder_in_the_place_of_a_file_is_one_line_in_python_too(name: str, whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    place = folder / name if "/" not in name else sorted((folder / "designs").glob("*.yaml"))[0]
    kept = place.read_bytes()
    place.unlink()
    (place / "inside").mkdir(parents=True)
    with pytest.raises(SpecError, match=place.name):
        resume(folder)
    shutil.rmtree(place)
    place.write_bytes(kept)
    resume(folder)
    assert front(folder) == front(whole)


@pytest.mark.slow
@pytest.mark.parametrize("controller", ["nsga2", "random"])
def test_a_kill_behind_any_durable_write_changes_nothing(controller: str, tmp_path: Path) -> None:
    toy.write_recipe(tmp_path / "toy.yaml", 8, BATCH)
    begin(tmp_path / "warm", controller=controller)  # forks inherit what this one has worked out
    reference = tmp_path / "whole"
    writes, killed = durable_writes(lambda: begin(reference, controller=controller))
    assert writes > 10 and not killed
    expected = front(reference)
    for first in range(1, writes + 1):
        folder = tmp_path / f"run{first}"
        made, killed = durable_writes(lambda folder=folder: begin(folder, controller=controller), first)
        assert killed and made == first
        if not (folder / "run.yaml").exists():  # nothing was begun
            continue
        # Killed again, at another distance each time, and then left alone.
        durable_writes(lambda folder=folder: resume(folder), 1 + first % 5)
        durable_writes(lambda folder=folder: resume(folder))
        assert front(folder) == expected, f"killed behind write {first} of {writes}"
        shutil.rmtree(folder)


def test_a_kill_before_a_run_was_begun_leaves_its_folder_free(tmp_path: Path) -> None:
    (tmp_path / "board.yaml").write_text(toy.BOARD, encoding="utf-8")
    run, foreign = tmp_path / "run", tmp_path / "foreign"
    (run / "inputs").mkdir(parents=True)
    for left in (".lock", f".run.yaml.{'0' * 16}.partial", "inputs/board.yaml"):
        (run / left).write_text("")
    for folder in (run, tmp_path / "other"):
        begin(folder, device=str(tmp_path / "board.yaml"), trials=BATCH)
    assert front(run) == front(tmp_path / "other")
    assert not list(run.rglob("*.partial")) and (run / "inputs" / "board.yaml").read_text() == ""
    (foreign / "inputs").mkdir(parents=True)
    with pytest.raises(SpecError, match="holds files that are no run"):
        begin(foreign)


def test_every_key_of_a_result_is_documented(whole: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "runs.md").read_text(encoding="utf-8")
    result = json.loads((whole / "result.json").read_text(encoding="utf-8"))
    assert result and not [key for key in result if f"`{key}`" not in page]


def test_an_interruption_survives_pickling(tmp_path: Path) -> None:
    stop = Interrupted(RunFolder(tmp_path))
    again = pickle.loads(pickle.dumps(stop))
    assert type(again) is Interrupted and str(again) == str(stop) and str(tmp_path) in str(stop)


def test_a_folder_is_the_run(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(whole.parent) not in (whole / "run.yaml").read_text(encoding="utf-8")
    before = (whole / "study.db").read_bytes()
    shutil.copytree(whole, tmp_path / "copy")
    (tmp_path / "copy").rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path / "moved")
    resume(".", trials=TRIALS + BATCH)
    recorded = (tmp_path / "moved" / "run.yaml").read_text(encoding="utf-8")
    for fewer in (1, TRIALS):  # the front is of more than that
        with pytest.raises(SpecError, match=rf"--trials: is {fewer}, but \. has told 16 designs.*allowed: 16 or more"):
            resume(".", trials=fewer)
    assert (tmp_path / "moved" / "run.yaml").read_text(encoding="utf-8") == recorded
    assert (whole / "study.db").read_bytes() == before
    resume(tmp_path / "moved")
    for file in (tmp_path / "moved").rglob("*"):
        assert not file.name.endswith(".partial")


def test_a_run_verifies_what_it_was_begun_with(whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    record = RunFolder(run).read_run()
    assert record.verify == ()
    assert explore(ExploreOptions(resume=str(run), jobs=0)).verifications == ()
    assert to_verify(ExploreOptions(verify=("all",), images=3), record) == (("all",), 3)
    assert RunFolder(run).read_run() == record
    with pytest.raises(SpecError, match="--images: changes nothing where no point is run"):
        explore(ExploreOptions(resume=str(run), images=3))
    RunFolder(run).write_run(replace(record, verify=("synth:knee", "point_01"), images=7))
    assert to_verify(ExploreOptions(), RunFolder(run).read_run()) == (("synth:knee", "point_01"), 7)


def test_more_images_than_the_test_part_has_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    held = len(digits().labels["test"])
    with pytest.raises(SpecError, match=rf"--images: is {held + 1}, and the test part of digits has {held} images"):
        explore(ExploreOptions(data="digits", out=str(tmp_path / "run"), images=held + 1))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "journal://", "postgresql://h:1/x"])
def test_a_refused_storage_leaves_no_folder(url: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("array: weight_stationary\n", encoding="utf-8")  # a run keeps a copy
    hardware, out = str(tmp_path / "mine.yaml"), tmp_path / "run"
    with pytest.raises(SpecError, match=r"--storage|postgresql"):
        explore(ExploreOptions(network="resnet20", hardware=hardware, storage=url, out=str(out), verify=(), jobs=0))
    assert not out.exists()


@pytest.mark.parametrize("name", ["a?x", "a?y", "50%20", "{x}", "{{7}}", "ein großer Name"])
def test_any_name_of_a_folder(name: str, tmp_path: Path) -> None:
    begin(tmp_path / name, trials=BATCH)
    assert {path.name for path in tmp_path.iterdir()} == {"toy.yaml", name}
    resume(tmp_path / name)


@pytest.mark.parametrize("loss", ["gone", "empty", "emptied"])
def test_a_study_without_its_trials_is_refused(loss: str, whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    for part in run.glob("study.db*"):
        part.unlink()
    if loss == "empty":
        (run / "study.db").touch()
    elif loss == "emptied":
        record = RunFolder(run).read_run()
        unbegun = RunRecord(record.recipe, record.run)
        with run_storage(RunFolder(run), unbegun, None) as made:
            open_study(made, RunFolder(run), unbegun)
    expected = front(run)
    with pytest.raises(SpecError, match="does not hold the trials"):
        resume(run)
    assert front(run) == expected


def test_the_study_of_another_run_is_refused(whole: Path, tmp_path: Path) -> None:
    begin(tmp_path / "b", seed=7)
    shutil.copytree(whole, tmp_path / "a")
    for part in (tmp_path / "a").glob("study.db*"):
        part.unlink()
    shutil.copy(tmp_path / "b" / "study.db", tmp_path / "a" / "study.db")
    with pytest.raises(SpecError, match="is of another run"):
        resume(tmp_path / "a")


def test_a_run_without_its_run_file_is_not_adopted(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "run")
    (tmp_path / "run" / "run.yaml").unlink()
    with pytest.raises(SpecError, match="holds files that are no run"):
        begin(tmp_path / "run", seed=7)
    with pytest.raises(SpecError, match="holds no run"):
        resume(tmp_path / "run")


def test_a_shared_storage_and_the_same_name_again(tmp_path: Path) -> None:
    url = f"journal:///{tmp_path}/shared.log"
    begin(tmp_path / "run", storage=url)
    first = front(tmp_path / "run")
    shutil.rmtree(tmp_path / "run")
    begin(tmp_path / "run", storage=url, seed=7)
    begin(tmp_path / "seven", seed=7)
    assert front(tmp_path / "run") == front(tmp_path / "seven") != first


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_damaged_weights_are_trained_again(
    damage: str, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    weights = sorted((run / "networks").glob("*.npz"))
    kept = [file.read_bytes() for file in weights]
    if damage == "cut":
        weights[0].write_bytes(kept[0][:100])
    else:
        weights[0].unlink()
    capsys.readouterr()
    resume(run)
    assert capsys.readouterr().err.count(weights[0].name) == 1
    assert len(weights[0].read_bytes()) == len(kept[0]) and front(run) == front(whole)


def test_a_foreign_folder_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    theirs = tmp_path / "theirs"
    (theirs / "designs").mkdir(parents=True)
    files = [theirs / "front.csv", theirs / "designs" / "point_00.yaml"]
    for file in files:
        file.write_text("theirs")
    recipe = str(toy.write_recipe(tmp_path / "toy.yaml", TRIALS, BATCH))
    assert main(["explore", "--recipe", recipe, "--out", str(theirs), "--verify", "none", "-q"]) == 2
    assert "nothing was changed" in capsys.readouterr().err
    assert [file.read_text() for file in files] == ["theirs"] * 2


@pytest.mark.parametrize("place", ["designs", "networks", "study.db", "report.html"])
def test_nothing_is_written_through_a_link(place: str, whole: Path, tmp_path: Path) -> None:
    run, outside = tmp_path / "run", tmp_path / "outside"
    shutil.copytree(whole, run)
    shutil.move(run / place, outside)
    (run / place).symlink_to(outside)
    before = outside.read_bytes() if outside.is_file() else sorted(outside.iterdir())
    if place == "report.html":
        resume(run)
        assert not (run / place).is_symlink()
    else:
        with pytest.raises(SpecError, match="is a link"):
            resume(run)
    assert (outside.read_bytes() if outside.is_file() else sorted(outside.iterdir())) == before


def test_files_are_private_and_hold_no_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(tmp_path / "run")
    assert {(tmp_path / "run" / name).stat().st_mode & 0o777 for name in ("run.yaml", "study.db")} == {0o600}
    file = tmp_path / "kept.db"
    monkeypatch.setattr("codesign.explorer.study.open_storage", lambda url: storage.open_sqlite(file))
    url = "postgresql://me:p@ss@host/db?password=pw2"
    begin(tmp_path / "far", storage=url)
    text = (tmp_path / "far" / "run.yaml").read_text(encoding="utf-8")
    assert "p@ss" not in text and "pw2" not in text and "postgresql://me:***@host/db?password=***" in text
    with pytest.raises(SpecError) as caught:
        resume(tmp_path / "far")
    assert "--storage URL" in str(caught.value) and "p@ss" not in str(caught.value)


def test_a_locked_study_is_one_line_and_loses_nothing(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    begin(run)
    monkeypatch.setattr(storage, "WAIT_S", 0.05)
    other: list[sqlite3.Connection] = []
    measure = toy.ToyEvaluator.measure

    def locks(self: toy.ToyEvaluator, workload: object) -> float:
        if not other:
            other.append(sqlite3.connect(run / "study.db", isolation_level=None))
            other[0].execute("BEGIN EXCLUSIVE")
        return measure(self, workload)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(toy.ToyEvaluator, "measure", locks)
        with pytest.raises(SpecError, match=r"study\.db: cannot be used: database is locked.*--resume"):
            resume(run, trials=10 * TRIALS)
    assert other, "the run was meant to measure something"
    other[0].rollback()
    other[0].close()
    kept = next((run / "measured").iterdir()).read_text().count("\n")
    assert kept > 0
    resume(run, trials=TRIALS)
    assert front(run) == front(whole)


def test_a_run_keeps_the_device_that_it_was_begun_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("board.yaml").write_text(toy.BOARD, encoding="utf-8")
    begin(tmp_path / "run", device="board.yaml")
    begun = front(tmp_path / "run")
    resume("run", device="board.yaml")  # the same file by its own name
    Path("board.yaml").write_text(toy.BOARD.replace("[220,", "[1,"), encoding="utf-8")
    resume("run")
    assert front(tmp_path / "run") == begun
    with pytest.raises(SpecError, match="--device"):
        resume("run", device="board.yaml")
    (tmp_path / "elsewhere").mkdir()
    shutil.move("run", "elsewhere/moved")
    Path("board.yaml").unlink()
    monkeypatch.chdir("/")
    moved = tmp_path / "elsewhere" / "moved"
    resume(moved)
    assert front(moved) == begun
    design = DesignFile.load(next((moved / "designs").glob("*.yaml"))).design
    assert device(design.accelerator.device).dsp == 220


def test_a_space_that_changed_is_another_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.npz").write_bytes(b"one")
    Path("pkg").mkdir()
    Path("pkg/net.py").write_text("a = 1", encoding="utf-8")
    Path("images/cat").mkdir(parents=True)
    Path("images/cat/1.png").write_bytes(b"one")
    named = {"space": "pkg/net.py:Net", "other": ["pkg.net:Net", "a.npz"], "dataset": "images", "plain": "resnet18"}
    before = by_content(named)
    assert before["plain"] == "resnet18"
    assert before["space"] == before["other"][0]
    for path in ("a.npz", "pkg/net.py", "images/cat/1.png"):
        content = Path(path).read_bytes()
        Path(path).write_bytes(content + b"#")
        assert by_content(named) != before, path
        Path(path).write_bytes(content)
    shutil.copytree(tmp_path, tmp_path.parent / "copied")
    monkeypatch.chdir(tmp_path.parent / "copied")
    assert by_content(named) == before
    Path("pkg/net.py").unlink()
    assert missing_files(named) == ["pkg/net.py"]


def test_hardware_is_a_template_in_any_of_its_files(tmp_path: Path) -> None:
    parameters = "{array: output_stationary, rows: 8, cols: 4, axi_bits: 64, dram_bytes_per_cycle: 8}"
    (tmp_path / "mine.yaml").write_text(f"name: mine\ndevice: zynq7020\ntemplate: {parameters}\n", encoding="utf-8")
    (tmp_path / "bare.yaml").write_text(parameters, encoding="utf-8")
    mine, bare = (FixedHardware(str(tmp_path / name)).template for name in ("mine.yaml", "bare.yaml"))
    assert mine == bare
    assert (mine.rows, mine.cols) == (8, 4)
