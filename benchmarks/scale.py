"""Workers of one run: what a second one brings, and that a kill of one loses nothing and does nothing twice.

    python -m benchmarks.scale [--trials N] [--workers N] [--recipe NAME] [--seed S] [--json]

The recipe is searched by one process, by several at once (``codesign explore --join``), and by several of which one is
killed when half is trained; deployments, which workers do not share, are cut to a few steps. Rates are of networks
trained a second, once a quarter is kept: workers begin slowly. Each process trains in one worker process, so that the
machine should have as many idle cores as there are workers; what it then can give is measured, too: as many searches at
once that have nothing to do with one another.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

import optuna
from optuna.storages import BaseStorage

from benchmarks.common import Figure, show
from codesign.explorer.folder import RunFolder
from codesign.explorer.journal import read_reports
from codesign.explorer.storage import close_storage, open_sqlite
from codesign.providers.registry import PROVIDERS
from codesign.recipe import load_recipe
from mappings.durable import write_durably
from mappings.yamlio import dump_yaml

_DEPLOY_STEPS = 20
_CLI = [sys.executable, "-m", "codesign", "explore", "--jobs", "1", "-q"]


@dataclass
class Run:
    """What became of one search.

    Attributes:
        rate: networks trained a second.
        trained: results that were kept.
        twice: of those, the second of one network.
        reports: what the study tells of each trial.
        front: the file of the front.
    """

    rate: float
    trained: int
    twice: int
    reports: list[str]
    front: bytes


def hasty(name: str, path: Path) -> Path:
    """A recipe of a few steps a deployment, as a file."""
    document = load_recipe(name).to_dict()
    for provider in document["providers"]:
        if isinstance(provider, dict) and "deploy_steps" in PROVIDERS.get(provider["name"]).options:
            provider["deploy_steps"] = _DEPLOY_STEPS
    write_durably(path, dump_yaml(document))
    return path


def kept(folder: Path) -> list[str]:
    """Keys of the networks that were trained, in order."""
    lines = [line for path in folder.glob("measured/*.jsonl") for line in path.read_text("utf-8").splitlines()]
    return [str(json.loads(line)[0]) for line in lines]


def searched(folder: Path, words: list[str], workers: int, kill_at: int = 0) -> Run:
    """One search by so many processes; the last of them is killed when so many networks are trained (0: none is)."""
    first = subprocess.Popen([*_CLI, *words, "--verify", "none", "--out", str(folder)])
    joined: list[subprocess.Popen[bytes]] = []
    stamps: list[float] = []
    while first.poll() is None:
        if workers > 1 and not joined and (folder / "run.yaml").exists() and (folder / "study.db").exists():
            joined = [subprocess.Popen([*_CLI, "--join", str(folder)]) for _ in range(workers - 1)]
        count = len(kept(folder))
        stamps += [time.monotonic()] * (count - len(stamps))
        if kill_at and count >= kill_at:
            joined[-1].send_signal(signal.SIGKILL)
            kill_at = 0
        time.sleep(0.05)
    for process in joined:
        process.wait()
    if first.returncode:
        raise SystemExit(f"the search ended with {first.returncode}")
    networks, storage = kept(folder), open_sqlite(RunFolder(folder).database)
    try:
        reports = read_reports(_study(storage))
    finally:
        close_storage(storage)
    begun = len(stamps) // 4
    spent = max(stamps[-1] - stamps[begun], 1e-9)
    front = (folder / "front.csv").read_bytes()
    return Run((len(stamps) - 1 - begun) / spent, len(networks), len(networks) - len(set(networks)), reports, front)


def _study(storage: BaseStorage) -> optuna.Study:
    return optuna.load_study(study_name="codesign", storage=storage)


def main(argv: list[str] | None = None) -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=120)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    if options.workers < 2 or options.trials < 2:
        parser.error("--workers and --trials: 2 or more")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recipe = str(hasty(options.recipe, folder / "hasty.yaml"))
        words = ["--recipe", recipe, "--trials", str(options.trials), "--seed", str(options.seed)]
        one = searched(folder / "one", words, 1)
        many = searched(folder / "many", words, options.workers)
        killed = searched(folder / "killed", words, options.workers, kill_at=one.trained // 2)
        with ThreadPoolExecutor(options.workers) as threads:
            apart = list(
                threads.map(lambda place: searched(folder / f"apart{place}", words, 1), range(options.workers))
            )
    roof = sum(item.rate for item in apart)
    ratio, least = many.rate / one.rate, 0.85 * options.workers
    figures = [
        Figure("networks trained a second, one process", one.rate),
        Figure(f"networks trained a second, {options.workers} processes", many.rate),
        Figure(f"networks trained a second, {options.workers} searches apart", roof),
        Figure("ratio", ratio, f">= {least:.3g}", ratio >= least),
        Figure("ratio of searches apart, the machine's roof", roof / one.rate),
    ]
    for kind, run in (("all live", many), ("one killed", killed)):
        figures += [
            Figure(f"{kind}: networks trained", run.trained, f"{one.trained}", run.trained == one.trained),
            Figure(f"{kind}: trained twice", run.twice, "0", run.twice == 0),
            Figure(f"{kind}: trials as of one process", run.reports == one.reports, "True", run.reports == one.reports),
            Figure(f"{kind}: front as of one process", run.front == one.front, "True", run.front == one.front),
        ]
    return show("scale", figures, options.json)


if __name__ == "__main__":
    raise SystemExit(main())
