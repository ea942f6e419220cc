"""Worker processes that end before their work does."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

import codesign
from codesign.accuracy import pool as pools
from codesign.accuracy.base import AccuracyContext
from codesign.accuracy.pool import AccuracyPool
from mappings.errors import SpecError
from mappings.workload import Workload


def start(folder: Path, parent: int) -> None:
    os.environ["POOL_TEST"] = str(folder)
    del parent


def work(purpose: str, number: int) -> int:
    """Number 3 is too much for the first worker that takes it; with "never", for every one."""
    if purpose == "leave":
        os._exit(7)
    mark = Path(os.environ["POOL_TEST"]) / "killed"
    if number == 3 and (purpose == "never" or not mark.exists()):
        mark.write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


class Pool(AccuracyPool):
    """The pool over plain numbers."""

    def _start(self, jobs: int) -> pools.ProcessPoolExecutor:
        context = pools.multiprocessing.get_context("spawn")
        folder = self._context.folder
        return pools.ProcessPoolExecutor(jobs, mp_context=context, initializer=start, initargs=(folder, 0))


def opened(folder: Path, monkeypatch: pytest.MonkeyPatch, jobs: int) -> Pool:
    monkeypatch.setattr(pools, "_work", work)
    return Pool("toy", AccuracyContext(0, "", folder, {}), jobs)


NUMBERS: list[Workload] = [1, 2, 3, 4, 5]  # type: ignore[list-item]


def test_the_rest_goes_on_with_one_worker_fewer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with opened(tmp_path, monkeypatch, 2) as pool:
        assert sorted(pool.run("once", NUMBERS)) == [(n, n * n) for n in range(1, 6)]
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "--jobs 1" in said


def test_a_worker_that_ends_by_itself_is_not_taken_for_one_that_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = r"ended by itself with status 7.*__main__"
    with opened(tmp_path, monkeypatch, 2) as pool, pytest.raises(SpecError, match=wanted):
        list(pool.run("leave", NUMBERS))


def test_a_script_that_a_worker_reads_begins_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(multiprocessing.current_process(), "_inheriting", True, raising=False)
    with pytest.raises(SpecError, match=r'explore: is called by a worker.*if __name__ == "__main__"'):
        codesign.explore(trials=1)
    assert not list(tmp_path.iterdir())


def test_the_last_worker_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path, monkeypatch, 1) as pool, pytest.raises(SpecError, match=r"ended by the system.*the last"):
        list(pool.run("never", NUMBERS))


def test_an_evaluator_that_cannot_be_made_says_why(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    context = AccuracyContext(0, "nowhere/my_data.py:load", tmp_path, {})
    with (
        pytest.raises(SpecError, match=r"nowhere/my_data\.py: no such file"),
        AccuracyPool("train", context, 1) as pool,
    ):
        list(pool.run("measure", NUMBERS))
    assert capfd.readouterr().err == ""


def test_an_error_ends_only_the_pools_own_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child = pools.multiprocessing.get_context("spawn").Process(target=signal.pause)
    child.start()
    try:
        with pytest.raises(RuntimeError), opened(tmp_path, monkeypatch, 1) as pool:
            next(pool.run("once", NUMBERS))
            raise RuntimeError("stop")
        assert child.is_alive()
    finally:
        child.kill()
        child.join()
