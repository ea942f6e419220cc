"""The main job in small: search, deployment, RTL, HLS, report; interruption, resume, determinism."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from plotly.offline import get_plotlyjs

from codesign.cli.main import main
from codesign.design_file import DesignFile
from codesign.explorer.folder import RunFolder
from codesign.explorer.run import ExploreOptions, explore
from codesign.explorer.study import is_feasible
from mappings.errors import SpecError
from tests import toy

ROOT = Path(__file__).resolve().parents[2]
TRIALS = 24


def told(folder: Path) -> list[optuna.trial.FrozenTrial]:
    study = optuna.load_study(study_name="codesign", storage=f"sqlite:///{folder}/study.db")
    return [trial for trial in study.trials if trial.state == optuna.trial.TrialState.COMPLETE]


def history(folder: Path) -> list[tuple[dict[str, object], list[float]]]:
    return [(trial.params, trial.values) for trial in told(folder)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run, verified on hardware."""
    base = tmp_path_factory.mktemp("explore")
    recipe = toy.write_recipe(base / "toy.yaml", TRIALS)
    folder = base / "run"
    assert main(["explore", "--recipe", str(recipe), "--out", str(folder), "--jobs", "0", "--images", "2", "-q"]) == 0
    return folder


@pytest.mark.rtl
def test_the_story_ends_with_its_line(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    (check,) = result["verifications"]
    assert check["point"] == result["knee"] and check["passed"]
    assert check["exact_images"] == check["hls_exact_images"] == check["images"] == 2
    assert check["predicted_cycles"] > 0 and check["simulated_cycles"] > 0
    assert abs(check["simulated_cycles"] / check["predicted_cycles"] - 1) < 0.002
    assert len(check["layers"]) >= 5 and all(layer["images"] == 2 for layer in check["layers"])
    knee = str(run / "designs" / f"{result['knee']}.yaml")
    assert main(["simulate", knee, "--images", "1", "--no-hls", "-q"]) == 0
    said = capsys.readouterr().out.strip().splitlines()
    assert said[-1].startswith("verified: 1/1 images bit-exact, ") and said[-1].endswith("(0.0 %)")


@pytest.mark.rtl
def test_every_design_file_is_accepted(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = sorted((run / "designs").glob("*.yaml"))
    with (run / "front.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [path.stem for path in files] == [row["name"] for row in rows] and rows
    for path, row in zip(files, rows, strict=True):
        assert main(["cost", str(path), "--format", "json"]) == 0
        cost = json.loads(capsys.readouterr().out)
        assert cost["latency_cycles"] == int(row["latency_cycles"])
        assert cost["energy_pj"] == pytest.approx(float(row["energy_uj"]) * 1e6)
        item = DesignFile.load(path)
        assert item.accuracy["held_out"] == float(row["accuracy_held_out"])
        assert item.load_network() is not None
    assert main(["emit", str(files[0]), "--out", str(tmp_path / "out"), "--format", "json"]) == 0
    emitted = json.loads(capsys.readouterr().out)
    assert emitted["rtl"] and emitted["hls"]
    assert all(Path(name).exists() for name in [*emitted["rtl"], *emitted["hls"]])
    assert main(["map", str(files[0]), "-q"]) in (0, 1)  # found, or the buffers of this design are told


@pytest.mark.rtl
def test_the_front_holds_no_design_over_budget(run: Path) -> None:
    trials = {trial.number: trial for trial in told(run)}
    assert len(trials) == TRIALS
    assert any(not is_feasible(trial) for trial in trials.values()), "the recipe is meant to break bounds now and then"
    for trial in trials.values():
        if not is_feasible(trial):
            assert trial.values == [0.0, float("inf"), float("inf")]
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    assert all(is_feasible(trials[point["trial"]]) for point in result["points"])
    assert result["tally"]["infeasible"] == sum(not is_feasible(trial) for trial in trials.values())


@pytest.mark.rtl
def test_the_page_is_whole_and_escaped(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = (run / "report.html").read_text(encoding="utf-8").replace(get_plotlyjs(), "")
    assert "Plotly.newPlot" in page and "bit-exact" in page
    assert not [word for word in ('src="http', "src='http", 'href="http') if word in page]
    data = json.loads((run / "result.json").read_text(encoding="utf-8"))
    data["recipe"]["name"] = data["points"][0]["decisions"]["array"] = "</script><script>alert(1)</script>"
    (run / "result.json").write_text(json.dumps(data), encoding="utf-8")
    assert main(["report", str(run)]) == 0
    assert "report.html" in capsys.readouterr().out
    assert "<script>alert(1)" not in (run / "report.html").read_text(encoding="utf-8")


def explore_toy(folder: Path, trials: int = TRIALS, **options: object) -> None:
    base = folder.parent / f"{folder.name}.yaml"
    toy.write_recipe(base, trials)
    explore(ExploreOptions(recipe=str(base), out=str(folder), verify=(), jobs=0, **options))  # type: ignore[arg-type]


@pytest.mark.parametrize("controller", ["nsga2", "random", "tpe", "reinforce"])
def test_a_seed_fixes_the_front(controller: str, tmp_path: Path) -> None:
    for name in "ab":
        explore_toy(tmp_path / name, trials=16, controller=controller, seed=3)
    assert history(tmp_path / "a") == history(tmp_path / "b")
    first, second = ((tmp_path / name / "front.csv").read_text(encoding="utf-8") for name in "ab")
    assert first == second


KILLED = """
import signal
import sys
import time
sys.path.insert(0, sys.argv[1])
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job may inherit that it is ignored
from tests import toy
from codesign.cli.main import main
measure, measured = toy.ToyEvaluator.measure, []
def ten_and_no_more(self, workload):
    measured.append(workload)
    if len(measured) > 10:
        time.sleep(600)  # whoever kills is never too late
    return measure(self, workload)
toy.ToyEvaluator.measure = ten_and_no_more
toy.register()
sys.exit(main(["explore", "--recipe", sys.argv[2], "--out", sys.argv[3], "--verify", "none", "--jobs", "0", "-q"]))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_goes_on_where_it_was(how: signal.Signals, tmp_path: Path) -> None:
    recipe = toy.write_recipe(tmp_path / "toy.yaml", TRIALS)
    folder = tmp_path / "killed"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(ROOT), str(recipe), str(folder)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        time.sleep(0.2)
        if (folder / "study.db").exists() and (folder / "run.yaml").exists() and len(told(folder)) >= 10:
            break
    process.send_signal(how)
    _, said = process.communicate()
    if how is signal.SIGINT:
        assert process.returncode == 130 and b"--resume" in said
    kept = history(folder)
    assert 10 <= len(kept) < TRIALS
    explore(ExploreOptions(resume=str(folder), verify=(), jobs=0))
    assert len(told(folder)) == TRIALS
    assert history(folder)[: len(kept)] == kept or set(map(str, kept)) <= set(map(str, history(folder)))
    # The same as a run that nobody touched.
    explore_toy(tmp_path / "whole")
    assert history(folder) == history(tmp_path / "whole")
    fronts = [(tmp_path / name / "front.csv").read_text(encoding="utf-8") for name in ("killed", "whole")]
    assert fronts[0] == fronts[1]


def test_resume_is_refused_where_it_would_be_another_search(tmp_path: Path) -> None:
    explore_toy(tmp_path / "run", trials=8)
    before = history(tmp_path / "run")

    def refused(match: str, **options: object) -> None:
        with pytest.raises(SpecError, match=match):
            explore(ExploreOptions(resume=str(tmp_path / "run"), verify=(), jobs=0, **options))  # type: ignore[arg-type]

    refused("another search space", recipe="default")
    refused("--seed: is 7", seed=7)
    refused("--device: is zcu102", device="zcu102")
    refused("--controller: is tpe", controller="tpe")
    refused("--storage", storage="sqlite:///elsewhere.db")
    file = tmp_path / "run" / "run.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("axi_bits: [32, 64]", "axi_bits: [32]"), encoding="utf-8")
    refused("made with another search space")
    file.write_text(text, encoding="utf-8")
    assert history(tmp_path / "run") == before
    explore(ExploreOptions(resume=str(tmp_path / "run"), trials=12, verify=(), jobs=0))
    assert len(told(tmp_path / "run")) == 12 and history(tmp_path / "run")[:8] == before


def test_a_folder_belongs_to_one_run_at_a_time(tmp_path: Path) -> None:
    explore_toy(tmp_path / "run", trials=8)
    with pytest.raises(SpecError, match="holds a run already"):
        explore_toy(tmp_path / "run", trials=8)
    with RunFolder(tmp_path / "run").locked(), pytest.raises(SpecError, match="another codesign explore"):
        explore(ExploreOptions(resume=str(tmp_path / "run"), verify=(), jobs=0))


def test_any_storage_url(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/shared.db"
    explore_toy(tmp_path / "a", trials=8, storage=url)
    explore_toy(tmp_path / "b", trials=8, storage=url)
    studies = optuna.get_all_study_names(storage=url)
    assert len(studies) == 2 and not (tmp_path / "a" / "study.db").exists()
    explore(ExploreOptions(resume=str(tmp_path / "a"), trials=10, verify=(), jobs=0))
    study = optuna.load_study(study_name=f"codesign:{tmp_path}/a", storage=url)
    assert len(study.trials) == 10
    with pytest.raises(SpecError, match="cannot be opened"):
        explore_toy(tmp_path / "c", storage="nosuch://host/db")


def test_no_design_that_fits_is_told(tmp_path: Path) -> None:
    device = tmp_path / "tiny.yaml"
    device.write_text(
        "title: tiny\nkind: fpga\n"
        "figures:\n  dsp: [1, mine]\n  bram36: [1, mine]\n  lut: [10, mine]\n  ff: [10, mine]\n",
        encoding="utf-8",
    )
    with pytest.raises(SpecError, match="none of 8 designs fits"):
        explore_toy(tmp_path / "run", trials=8, device=str(device))
    assert len(told(tmp_path / "run")) == 8


def test_points_to_verify_are_checked(tmp_path: Path) -> None:
    explore_toy(tmp_path / "run", trials=8)
    with pytest.raises(SpecError, match="unknown point"):
        explore(ExploreOptions(resume=str(tmp_path / "run"), verify=("point_99",), jobs=0))
