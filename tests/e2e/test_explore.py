"""The main job in small: search, deployment, RTL, HLS, report; interruption, resume, determinism."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path
from unittest.mock import patch

import optuna
import pytest
from plotly.offline import get_plotlyjs
from rich.console import Console

from codesign.cli.main import main
from codesign.commands.reporting import report
from codesign.design_file import DesignFile
from codesign.explorer.folder import RunFolder
from codesign.explorer.run import ExploreOptions, explore
from codesign.progress import Bars, Glance
from codesign.recipe import Part
from mappings.errors import SpecError
from mappings.yamlio import dump_yaml
from tests import toy

ROOT = Path(__file__).resolve().parents[2]
TRIALS = 24


def told(folder: Path) -> list[optuna.trial.FrozenTrial]:
    study = optuna.load_study(study_name="codesign", storage=f"sqlite:///{folder}/study.db")
    return [trial for trial in study.trials if trial.state == optuna.trial.TrialState.COMPLETE]


def is_feasible(trial: optuna.trial.FrozenTrial) -> bool:
    return all(value <= 0 for value in trial.constraints.values())


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
    assert said[-1].startswith("verified: 1/1 image bit-exact, ") and said[-1].endswith("(0.0 %)")


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
            assert trial.values == [-float("inf"), float("inf"), float("inf")]
            report = json.loads(trial.user_attrs["report"])
            assert report["broken"] and "train" not in report["measured_by"] and "toy" not in report["measured_by"]
    assert any("latency_ms" in json.loads(trial.user_attrs["report"])["metrics"] for trial in trials.values())
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


@pytest.mark.parametrize(
    "options",
    [{"controller": name} for name in ("nsga2", "random", "tpe", "reinforce")]
    + [{"driver": name} for name in ("staged", "halving")],
)
def test_a_seed_fixes_the_front(options: dict[str, str], tmp_path: Path) -> None:
    for name in "ab":
        explore_toy(tmp_path / name, trials=24, seed=3, **options)
    same_front(tmp_path)


def test_a_seed_fixes_the_front_of_parts_in_turn(tmp_path: Path) -> None:
    recipe = toy.write_recipe(tmp_path / "toy.yaml", TRIALS, driver=Part("alternate", (("phase_trials", 8),)))
    for name in "ab":
        explore(ExploreOptions(recipe=str(recipe), out=str(tmp_path / name), seed=3, verify=(), jobs=0))
    same_front(tmp_path)


def same_front(tmp_path: Path) -> None:
    assert history(tmp_path / "a") == history(tmp_path / "b")
    first, second = ((tmp_path / name / "front.csv").read_text(encoding="utf-8") for name in "ab")
    assert first == second


def measured(folder: Path) -> list[str]:
    """Networks that were trained, as they were kept."""
    lines = [line for path in sorted((folder / "measured").glob("*.jsonl")) for line in path.read_text().splitlines()]
    return [json.loads(line)[0] for line in lines]


def test_nested_trains_a_network_once_for_a_front_of_designs(tmp_path: Path) -> None:
    options = (("accelerators", "search"), ("inner_trials", 12), ("designs_per_network", 4))
    # Multipliers against latency: a device's static power makes the fastest design the thriftiest one, too.
    goal = ("accuracy", "latency_ms", "dsp")
    recipe = toy.write_recipe(tmp_path / "toy.yaml", 6, batch=3, driver=Part("nested", options), objectives=goal)
    for name in "ab":
        explore(ExploreOptions(recipe=str(recipe), out=str(tmp_path / name), verify=(), jobs=0))
    assert history(tmp_path / "a") == history(tmp_path / "b")
    result = json.loads((tmp_path / "a" / "result.json").read_text(encoding="utf-8"))
    assert 1 <= len(measured(tmp_path / "a")) == result["tally"]["trained"] <= 6 < result["tally"]["told"]
    explore(ExploreOptions(resume=str(tmp_path / "b"), trials=9, verify=(), jobs=0))
    assert history(tmp_path / "b")[: len(told(tmp_path / "a"))] == history(tmp_path / "a")


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
        if len(measured(folder)) >= 10:
            break
    process.send_signal(how)
    _, said = process.communicate()
    if how is signal.SIGINT:
        assert process.returncode == 130 and b"--resume" in said
    page = report(str(folder))  # how it stands, from the study alone
    assert "The search is not finished" in page.read_text(encoding="utf-8")
    kept, trained = history(folder), measured(folder)
    assert 8 <= len(kept) < TRIALS and len(trained) == 10, "whole batches are told, each training is kept at once"
    explore(ExploreOptions(resume=str(folder), verify=(), jobs=0))
    assert len(told(folder)) == TRIALS and history(folder)[: len(kept)] == kept
    assert measured(folder)[:10] == trained and len(set(measured(folder))) == len(measured(folder))
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

    other = r"--recipe default: choices: is {'act_bits': \[8\]}, but .*default: providers: is .*nothing was changed"
    refused(other, recipe="default")
    refused("--seed: is 7, but .* was begun with 0", seed=7)
    refused("--device: is zcu102", device="zcu102")
    refused("--controller: is random", controller="random")
    refused("--limit: is {'dsp': 9.0}, but .* was begun with {}", limits=("dsp=9",))
    refused("--storage", storage="sqlite:///elsewhere.db")
    file = tmp_path / "run" / "run.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("axi_bits: [32, 64]", "axi_bits: [32]"), encoding="utf-8")
    refused("made with another recipe")
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
    with pytest.raises(SpecError, match=r"not in its folder but in sqlite:.*shared.db.*--storage URL"):
        explore(ExploreOptions(resume=str(tmp_path / "a"), trials=10, verify=(), jobs=0))
    explore(ExploreOptions(resume=str(tmp_path / "a"), storage=url, trials=10, verify=(), jobs=0))
    run = RunFolder(tmp_path / "a").read_run().run
    assert len(optuna.load_study(study_name=f"codesign:{run}", storage=url).trials) == 10
    with pytest.raises(SpecError, match="cannot be opened"):
        explore_toy(tmp_path / "c", storage="nosuch://host/db")
    assert not (tmp_path / "c").exists()


def test_no_design_that_fits_is_told(tmp_path: Path) -> None:
    device = tmp_path / "tiny.yaml"
    device.write_text(
        "title: tiny\nkind: fpga\n"
        "figures:\n  dsp: [1, mine]\n  bram36: [1, mine]\n  lut: [10, mine]\n  ff: [10, mine]\n",
        encoding="utf-8",
    )
    with pytest.raises(SpecError, match=r"none of 8 designs fits; .* is broken most often; the nearest is trial"):
        explore_toy(tmp_path / "run", trials=8, device=str(device))
    assert len(told(tmp_path / "run")) == 8
    page = tmp_path / "run" / "report.html"
    for again in (False, True):
        if again:
            page.unlink()
            assert report(tmp_path / "run") == page
        text = page.read_text("utf-8")
        assert "No design is within its bounds" in text and "not finished" not in text
        assert text.count("<td>trial ") == 8 and "look-up tables" in text


def test_points_to_verify_are_checked(tmp_path: Path) -> None:
    explore_toy(tmp_path / "run", trials=8)
    with pytest.raises(SpecError, match="unknown point"):
        explore(ExploreOptions(resume=str(tmp_path / "run"), verify=("point_99",), jobs=0))


@pytest.mark.rtl
def test_the_hardware_of_one_network_is_searched_and_verified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from torch import nn\n\n\nclass Net(nn.Sequential):\n    def __init__(self):\n"
        "        super().__init__(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))\n",
        encoding="utf-8",
    )
    command = [
        "explore",
        "--network",
        f"{file}:Net",
        "--input",
        "1,1,8,8",
        "--out",
        str(tmp_path / "run"),
        "--jobs",
        "0",
    ]
    command += ["--trials", "48", "--images", "1", "--limit", "dsp=150", "--objectives", "latency_ms,energy_uj", "-q"]
    assert main(command) == 0
    result = json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))
    assert result["networks"] == 1 and result["tally"]["trained"] == 0 and result["points"]
    assert all(point["metrics"]["dsp"] <= 150 for point in result["points"])
    assert result["verifications"][0]["passed"]
    design = str(tmp_path / "run" / "designs" / "point_00.yaml")
    template = result["points"][0]["hardware"]
    assert main(["report", str(tmp_path / "run")]) == 0
    # Networks alone, for that hardware: widths are those of the hardware.
    recipe = tmp_path / "networks.yaml"
    base = toy.recipe(16).to_dict() | {"name": "networks", "compression": "none", "choices": {}, "hardware": design}
    recipe.write_text(dump_yaml(base), encoding="utf-8")
    assert (
        main(["explore", "--recipe", str(recipe), "--out", str(tmp_path / "b"), "--verify", "none", "--jobs", "0"]) == 0
    )
    found = json.loads((tmp_path / "b" / "result.json").read_text(encoding="utf-8"))
    assert found["accelerators"] == 5 * 4 and all(point["hardware"] == template for point in found["points"])


SPACE = """
from torch import nn
from codesign.decisions import Decision

class MySpace:
    dataset = "mnist5k"
    input_shape = (1, 1, 28, 28)
    decisions = (Decision("width", "network", (4, 8)), Decision("kernel", "network", (3, 5)))

    def build(self, point):
        conv = nn.Conv2d(1, point["width"], point["kernel"], stride=2, padding=1)
        side = (30 - point["kernel"]) // 2 + 1
        return nn.Sequential(conv, nn.ReLU(), nn.AvgPool2d(side), nn.Flatten(), nn.Linear(point["width"], 10))
"""


def test_a_space_of_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "my_space.py").write_text(SPACE, encoding="utf-8")
    explore_toy(tmp_path / "run", trials=16, network=f"{tmp_path}/my_space.py:MySpace")
    result = json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))
    assert result["networks"] == 4 * 4 and {p["decisions"]["width"] for p in result["points"]} <= {4, 8}
    assert 1 <= result["tally"]["trained"] <= 16
    with pytest.raises(SpecError, match='has no "MySpac", did you mean "MySpace"'):
        explore_toy(tmp_path / "c", network=f"{tmp_path}/my_space.py:MySpac")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("4, 8))", '"4", "8"))', r"build\(\{'width': '8', 'kernel': [35]\}\): TypeError"),
        ('point["width"], 10)', 'point["width"], 9)', "has 9 outputs; mnist5k has 10 classes"),
        ('"mnist5k"', '"mnist5q"', 'unknown dataset "mnist5q", did you mean "mnist5k"'),
    ],
)
def test_a_space_that_cannot_be_searched_is_told_before_there_is_a_run(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    (tmp_path / "wrong.py").write_text(SPACE.replace(old, new), encoding="utf-8")
    with pytest.raises(SpecError, match=message):
        explore_toy(tmp_path / "run", network=f"{tmp_path}/wrong.py:MySpace")
    assert not (tmp_path / "run").exists()


def test_a_log_tells_how_the_search_stands() -> None:
    console = Console(file=StringIO(), width=200)
    glance = Glance(3, "2 designs feasible, best latency_ms 0.1")
    with Bars(console).search("search", 10, lambda: glance) as advance, patch("codesign.progress.LINE_SECONDS", 0.0):
        advance()
    assert "search: 3 of 10 in 0 s" in console.file.getvalue()  # type: ignore[attr-defined]
