"""A Dask cluster of real processes, ended in the middle of a search: nothing is lost, nothing waits for ever."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from codesign.explorer.options import ExploreOptions
from codesign.explorer.run import explore
from mappings.errors import SpecError
from tests import toy

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'codesign[dask]'")

ROOT = Path(__file__).resolve().parents[2]
TRIALS, BATCH = 10, 5
#: What a worker loads: trainings that tell what they begin; one worker stops at one of its own for good.
PRELOAD = """
import os
import time
from tests import toy
begun = []
def deep(workload):
    return deep(workload)
def slow(self, workload, measure=toy.ToyEvaluator.measure):
    begun.append(workload)
    with open(os.environ["LOG"], "a") as file:
        file.write(workload.digest + chr(10))
    while os.environ.get("STOP_AT") == str(len(begun)):
        time.sleep(0.1)
    if os.environ.get("FAIL_AT") == str(len(begun)):
        return deep(workload)  # an error that cannot be pickled
    return measure(self, workload)
if toy.ToyEvaluator.measure.__name__ != "slow":  # Dask loads this more than once
    toy.ToyEvaluator.measure = slow
    toy.register()
"""


class Processes:
    """A scheduler and its workers, each a process that ``dask`` starts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: list[subprocess.Popen[bytes]] = []
        (folder / "preload.py").write_text(PRELOAD, encoding="utf-8")
        port = "--host 127.0.0.1 --port 0 --no-dashboard --scheduler-file scheduler.json"
        self.scheduler = self.start("scheduler", *port.split())
        wait_until((folder / "scheduler.json").exists)

    @property
    def url(self) -> str:
        """Of the scheduler."""
        address: str = json.loads((self.folder / "scheduler.json").read_text(encoding="utf-8"))["address"]
        return address.replace("tcp://", "dask://")

    def start(self, *words: str, **environment: str) -> subprocess.Popen[bytes]:
        """A process of Dask's."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment}
        command = [sys.executable, "-m", "dask", *words]
        with (self.folder / "dask.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=self.folder, env=environment, stdout=log, stderr=log)
        self.running.append(process)
        return process

    def worker(self, name: str, stop_at: str = "", fail_at: str = "") -> subprocess.Popen[bytes]:
        """One with a thread, as docs/runs.md has it; its nanny would start it anew."""
        words = (
            "--scheduler-file scheduler.json --nworkers 1 --nthreads 1 --no-nanny --no-dashboard --preload preload.py"
        )
        environment = {"LOG": str(self.log(name)), "STOP_AT": stop_at, "FAIL_AT": fail_at}
        return self.start("worker", *words.split(), "--name", name, **environment)

    def log(self, name: str) -> Path:
        """What a worker has begun."""
        return self.folder / f"{name}.begun"

    def begun(self, name: str) -> list[str]:
        """Digests of the networks that a worker has begun to train."""
        return self.log(name).read_text(encoding="utf-8").split() if self.log(name).exists() else []


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[Processes]:
    """A cluster that ends with the test."""
    made = Processes(tmp_path)
    yield made
    for process in made.running:
        process.kill()
        process.wait()


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.05)


def kill_when(process: subprocess.Popen[bytes], holds: Callable[[], bool]) -> threading.Thread:
    """End a process, without any clean-up, as soon as something holds."""

    def end() -> None:
        wait_until(holds)
        process.send_signal(signal.SIGKILL)

    thread = threading.Thread(target=end, daemon=True)
    thread.start()
    return thread


def options(dask: Processes, name: str, **more: object) -> ExploreOptions:
    recipe = dask.folder / "toy.yaml"
    if not recipe.exists():
        toy.write_recipe(recipe, TRIALS, BATCH)
    fields = {"recipe": str(recipe), "out": str(dask.folder / name), "verify": (), **more}
    return ExploreOptions(**fields)  # type: ignore[arg-type]


def front(folder: Path) -> str:
    return (folder / "front.csv").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The front of one process."""
    folder = tmp_path_factory.mktemp("alone")
    recipe = toy.write_recipe(folder / "toy.yaml", TRIALS, BATCH)
    explore(ExploreOptions(recipe=str(recipe), out=str(folder / "run"), verify=(), jobs=0))
    return front(folder / "run")


def connected(dask: Processes, workers: int) -> bool:
    return (dask.folder / "dask.log").read_text(encoding="utf-8").count("Registered to:") >= workers


def test_what_a_killed_worker_was_at_is_done_by_another(dask: Processes, alone: str) -> None:
    lost, _ = dask.worker("lost", stop_at="2"), dask.worker("other")
    wait_until(lambda: connected(dask, 2))

    def told() -> bool:
        """What the worker did before has arrived: a result that is with it alone is done again as well."""
        done = [path.read_text(encoding="utf-8") for path in (dask.folder / "there/measured").glob("*")]
        return len(dask.begun("lost")) == 2 and any(dask.begun("lost")[0] in text for text in done)

    killer = kill_when(lost, told)
    explore(options(dask, "there", executor=dask.url))
    killer.join()
    assert lost.wait() == -signal.SIGKILL
    begun = dask.begun("lost") + dask.begun("other")
    assert [digest for digest in set(begun) if begun.count(digest) > 1] == [dask.begun("lost")[-1]]
    assert front(dask.folder / "there") == alone


@pytest.mark.parametrize("ends", ["worker", "scheduler"])
def test_a_cluster_that_ends_is_one_line_and_loses_nothing(
    ends: str, dask: Processes, alone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codesign.accuracy.cluster._LOOK_S", 0.5)
    monkeypatch.setattr("codesign.accuracy.cluster._WORKERLESS_S", 1.0)
    worker = dask.worker("only", stop_at="3")
    wait_until(lambda: connected(dask, 1))
    killer = kill_when(worker if ends == "worker" else dask.scheduler, lambda: len(dask.begun("only")) == 3)
    with pytest.raises(SpecError, match="--executor dask://") as told:
        explore(options(dask, "there", executor=dask.url))
    killer.join()
    assert len(told.value.faults) == 1
    measured = [line for path in (dask.folder / "there/measured").iterdir() for line in path.read_text().splitlines()]
    assert len(measured) == 2
    explore(options(dask, "there", recipe=None, out=None, resume=str(dask.folder / "there"), jobs=0))
    assert front(dask.folder / "there") == alone


def test_an_error_of_a_training_comes_back(dask: Processes) -> None:
    dask.worker("only", fail_at="2")
    wait_until(lambda: connected(dask, 1))
    with pytest.raises(RuntimeError, match="in a worker of the cluster: RecursionError"):
        explore(options(dask, "there", executor=dask.url))
