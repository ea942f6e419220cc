"""From nothing to a front on CIFAR-10: `codesign explore --recipe cifar10`, killed on its way and resumed, and judged.

    python -m benchmarks.cifar10 --data cifar-10-batches-bin --out runs/cifar10 [--kill-after 900] [--images 100]
    python -m benchmarks.cifar10 --judge runs/cifar10        # a run that was made before, whoever made it

The most accurate point of the front must name at least 87 % of the test images in integers, run on RTL bit-exactly on
at least 100 of them in the predicted cycles, and fit a ZCU104 by the resource model; the knee must fit a Zynq-7020. All
in two and a half hours of two cores: time is that of the processes, the killed one's too.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from accel_models.hardware.devices import device
from benchmarks.common import Figure, show
from codesign.explorer.folder import RunFolder
from codesign.explorer.result import read_result
from mappings.errors import SpecError

LEAST_ACCURACY, LEAST_IMAGES = 0.87, 100
MOST_SECONDS = 9000.0
BOARD, SMALL_BOARD = "zcu104", "zynq7020"


@dataclass(frozen=True)
class Spent:
    """What the processes of a run took.

    Attributes:
        seconds: wall time, all together.
        kills: how often it was ended on its way.
    """

    seconds: float
    kills: int


def run(options: argparse.Namespace) -> Spent:
    """The command, as a user types it; with a kill, ended once without warning and resumed.

    Raises:
        SpecError: it failed.
    """
    command = [sys.executable, "-m", "codesign", "explore"]
    checked = ["--verify", "point_00", "--verify", "knee", "--images", str(options.images)]
    if options.jobs is not None:
        checked += ["--jobs", str(options.jobs)]
    begin = ["--recipe", options.recipe, "--data", options.data, "--seed", str(options.seed), "--out", options.out]
    started = time.monotonic()
    process = subprocess.Popen([*command, *begin, *checked], stdout=sys.stderr)
    kills = 0
    if options.kill_after:
        try:
            process.wait(options.kill_after)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills = 1
            time.sleep(2.0)  # workers leave when they see that nobody is there
            process = subprocess.Popen([*command, "--resume", options.out, *checked], stdout=sys.stderr)
    if process.wait():
        raise SystemExit(process.returncode)
    return Spent(time.monotonic() - started, kills)


def fits(resources: dict[str, float], name: str) -> bool:
    """Whether a point's demand, as the run told it, is within a device's."""
    part = device(name)
    bounds = {"DSP": part.dsp, "BRAM36": part.bram36, "LUT": part.lut, "FF": part.ff}
    used = {key.upper(): value for key, value in resources.items()}
    return all(key in used and bound is not None and used[key] <= bound for key, bound in bounds.items())


def judged(result: dict[str, Any]) -> list[Figure]:
    """A finished run beside the targets."""
    points = {point["name"]: point for point in result["points"]}
    best = max(points.values(), key=lambda point: point["accuracy"].get("held_out", 0.0))
    knee = points[result["knee"]]
    checks = {item["point"]: item for item in result["verifications"]}
    found, accuracy = checks.get(best["name"]), best["accuracy"]["test"]
    exact = found["exact_images"] if found is not None and found["passed"] else 0
    in_time = found is not None and found["predicted_cycles"] == found["simulated_cycles"]
    lines = [
        Figure("points of the front", len(points)),
        Figure("test images that the most accurate names, integers", accuracy, ">= 0.87", accuracy >= LEAST_ACCURACY),
        Figure("  its multiply-accumulates", best["macs"]),
        Figure("  its images bit-exact on RTL", exact, f">= {LEAST_IMAGES}", exact >= LEAST_IMAGES),
        Figure("  its cycles as predicted", "yes" if in_time else "no", "yes", in_time),
        Figure(f"  fits {BOARD}", _told(best), "yes", fits(best["resources"], BOARD)),
        Figure("test images that the knee names, in integers", knee["accuracy"]["test"]),
        Figure(f"  fits {SMALL_BOARD}", _told(knee), "yes", fits(knee["resources"], SMALL_BOARD)),
    ]
    if found is not None:
        lines.insert(5, Figure("  cycles of an image", found["simulated_cycles"]))
    return lines


def _told(point: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value:g}" for key, value in point["resources"].items())


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="CIFAR-10, as `codesign explore --data` takes it")
    parser.add_argument("--recipe", default="cifar10", help="the recipe, or a variant: the size of the job")
    parser.add_argument("--out", default="runs/cifar10", help="folder of the new run")
    parser.add_argument("--images", type=int, default=LEAST_IMAGES, help="test images that the hardware runs")
    parser.add_argument("--kill-after", type=float, default=0.0, metavar="SECONDS", help="end it once, and resume")
    parser.add_argument("--jobs", type=int, help="worker processes (one a core)")
    parser.add_argument("--judge", metavar="RUN", help="a finished run, in place of a new one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if options.judge is None and options.data is None:
        parser.error("--data PATH, or --judge RUN")
    try:
        lines = []
        if options.judge is None:
            spent = run(options)
            lines = [
                Figure("seconds, from nothing", spent.seconds, f"<= {MOST_SECONDS:g}", spent.seconds <= MOST_SECONDS),
                Figure("times that it was killed and resumed", spent.kills),
            ]
        return show("cifar10", lines + judged(read_result(RunFolder(Path(options.judge or options.out)))), options.json)
    except SpecError as error:
        parser.error(str(error))


if __name__ == "__main__":
    sys.exit(main())
