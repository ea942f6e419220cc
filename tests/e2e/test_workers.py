"""Several processes at one run: nothing is lost, nothing is done twice, and the front is that of one process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from codesign.commands.exploring import join_run
from codesign.decisions import Point
from codesign.explorer.claims import Claims
from codesign.explorer.fronts import SharedFronts
from codesign.explorer.measured import MeasuredFile, SharedFile
from codesign.explorer.options import ExploreOptions
from codesign.explorer.run import explore
from codesign.providers.base import Measurement
from mappings.errors import SpecError
from tests import toy

ROOT = Path(__file__).resolve().parents[2]
TRIALS = 40
#: A worker whose trainings take a while; a word in its environment makes it stop at the third for good.
WORKER = """
import os
import sys
import time
sys.path.insert(0, sys.argv[1])
from tests import toy
from codesign.cli.main import main
measure, begun = toy.ToyEvaluator.measure, []
def slow(self, workload):
    begun.append(workload)
    with open(sys.argv[2], "a") as file:
        file.write(workload.digest + chr(10))
    while not os.path.exists("go"):  # until every worker is at one
        time.sleep(0.02)
    time.sleep(600 if os.environ.get("STOP_AT") == str(len(begun)) else 0.2)
    return measure(self, workload)
toy.ToyEvaluator.measure = slow
toy.register()
sys.exit(main(["explore", *sys.argv[3:], "--jobs", "0", "-q"]))
"""


def worker(log: Path, *words: str, stop_at: str = "") -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(ROOT), str(log), *words],
        cwd=log.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT), "STOP_AT": stop_at},
        stderr=subprocess.PIPE,
    )


def wait_for(path: Path, lines: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if path.exists() and len(path.read_text().splitlines()) >= lines:
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} never had {lines} lines")


@pytest.mark.parametrize("storage", ["", "journal"])
def test_workers_share_one_run(storage: str, tmp_path: Path) -> None:
    recipe = toy.write_recipe(tmp_path / "toy.yaml", TRIALS)
    where = ("--storage", f"journal:///{tmp_path}/study.log") if storage else ()
    run = tmp_path / "shared"
    first = worker(tmp_path / "first", "--recipe", str(recipe), "--out", str(run), "--verify", "none", *where)
    wait_for(tmp_path / "first", 1)
    killed = worker(tmp_path / "killed", "--join", str(run), *where, stop_at="3")
    second = worker(tmp_path / "second", "--join", str(run), *where)
    for name in ("second", "killed"):
        wait_for(tmp_path / name, 1)
    (tmp_path / "go").touch()
    wait_for(tmp_path / "killed", 3)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    for process in (first, second):
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said.decode()
    logs = [(tmp_path / name).read_text().split() for name in ("first", "killed", "second")]
    begun = [digest for log in logs for digest in log]
    twice = [digest for digest in set(begun) if begun.count(digest) > 1]
    assert twice == [logs[1][-1]], "what the killed one was at is begun again, and nothing else"
    explore(ExploreOptions(recipe=str(recipe), out=str(tmp_path / "alone"), verify=(), jobs=0))
    fronts = [(folder / "front.csv").read_text(encoding="utf-8") for folder in (run, tmp_path / "alone")]
    assert fronts[0] == fronts[1]
    kept = [json.loads(line)[0] for path in (run / "measured").iterdir() for line in path.read_text().splitlines()]
    assert len(kept) == len(set(kept)) == len(set(begun))


def test_a_run_is_joined_by_its_folder(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="holds no run"):
        join_run(tmp_path / "nothing")
    with pytest.raises(SpecError, match="--jobs"):
        join_run(tmp_path, jobs=-1)


def test_a_line_that_a_kill_cut_off_spoils_no_other(tmp_path: Path) -> None:
    claims = Claims(tmp_path / ".claims")
    file = MeasuredFile(tmp_path / "train.jsonl", claims)
    file.add("a", 1.0, Measurement({"accuracy": 0.5}))
    with file.path.open("a", encoding="utf-8") as cut:
        cut.write('["b", 1.0, {"accu')
    assert [key for key, _, _ in file.fresh()] == ["a"]
    file.add(("b", 2), 0.5, Measurement({"accuracy": 0.25}))
    assert [(key, level, dict(found.metrics)) for key, level, found in file.fresh()] == [
        (("b", 2), 0.5, {"accuracy": 0.25})
    ]
    again = MeasuredFile(file.path, claims)
    assert [key for key, _, _ in again.fresh()] == ["a", ("b", 2)]


def test_a_front_is_proved_once_and_that_of_another_waited_for(tmp_path: Path) -> None:
    path, proved = tmp_path / "fronts" / "fronts.jsonl", list[int]()
    networks: list[Point] = [{"width": width} for width in (1, 2, 3, 2)]

    class Other(Claims):
        """Another process has the second network, and writes its front while this one proves the third."""

        def take(self, name: str) -> bool:
            return '\\"width\\": 2' not in name and super().take(name)

    claims = Other(tmp_path / ".claims")

    def prove(network: Point) -> list[Point]:
        proved.append(int(network["width"]))
        if network["width"] == 3:
            SharedFile(path, claims).write([json.dumps({"width": 2}), [{"rows": 20, "hop": True}]])
        return [{"rows": 10 * int(network["width"]), "hop": True}]

    expected = [[{"rows": rows, "hop": True}] for rows in (10, 20, 30, 20)]
    assert SharedFronts(prove, SharedFile(path, claims))(networks) == expected and proved == [1, 3]
    assert SharedFronts(prove, SharedFile(path, claims))(networks) == expected and proved == [1, 3]


def test_a_claim_ends_with_its_process(tmp_path: Path) -> None:
    claims = Claims(tmp_path / ".claims")
    script = "import sys, time; from pathlib import Path; from codesign.explorer.claims import Claims\n"
    script += "print(Claims(Path(sys.argv[1])).take('x'), flush=True); time.sleep(600)"
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / ".claims")],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"True\n"
    assert not claims.take("x") and claims.take("y")
    holder.kill()
    holder.communicate()
    assert claims.take("x")
