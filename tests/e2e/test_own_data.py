"""Data of one's own through the whole job: noise stays at chance, a folder of images ends on hardware."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from codesign.cli.main import main
from codesign.recipe import Part
from tests import toy

TRAIN = (("search_steps", 40), ("deploy_steps", 60), ("search_learning_rate", 0.03))


def recipe(path: Path, trials: int) -> str:
    made = toy.recipe(trials, trials)
    choices = dict(made.choices) | {"rows": (8,), "cols": (8,), "axi_bits": (64,), "s3_depth": (1,), "stem_width": (8,)}
    blocks = {f"s{stage}_block": ("plain",) for stage in (1, 2, 3)}
    changed = replace(
        made,
        choices=tuple((choices | blocks).items()),
        providers=(Part("schedule"), Part("train", TRAIN)),
        objectives=("accuracy",),
        front_points=1,
    )
    path.write_text(changed.dump(), encoding="utf-8")
    return str(path)


def test_random_labels_on_random_images_give_chance(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    data, count, classes = tmp_path / "noise.npz", 3000, 4
    np.savez(data, images=rng.integers(0, 256, (count, 12, 12), np.uint8), labels=rng.integers(0, classes, count))
    out = tmp_path / "run"
    command = ["explore", "--recipe", recipe(tmp_path / "noise.yaml", 4), "--data", str(data), "--out", str(out)]
    assert main([*command, "--jobs", "0", "--verify", "none", "-q"]) == 0
    result = json.loads((out / "result.json").read_text(encoding="utf-8"))
    chance = 1 / classes
    for point in result["points"]:
        for part, share in (("held_out", 0.2), ("test", 0.1)):
            spread = (chance * (1 - chance) / (share * count)) ** 0.5
            # The best of a few networks on the held-out part is a little above chance by choice alone.
            assert abs(point["accuracy"][part] - chance) < 4 * spread, (part, point["accuracy"])


@pytest.mark.rtl
def test_a_folder_of_images_trains_and_runs_on_hardware(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    folder = tmp_path / "shapes"
    for name in ("across", "down", "red"):
        (folder / name).mkdir(parents=True)
        for index in range(60):
            side = int(rng.integers(14, 40))
            wave = (np.arange(side) // max(2, side // 8)) % 2 * 200
            grid = np.broadcast_to(wave[:, None] if name == "across" else wave, (side, side))
            pixels = np.stack([grid] * 3, axis=2) if name != "red" else np.full((side, side, 3), (220, 20, 20))
            pixels = np.clip(pixels + rng.integers(-30, 31, pixels.shape), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{index}.png")
    out = tmp_path / "run"
    command = ["explore", "--recipe", recipe(tmp_path / "mine.yaml", 2), "--data", str(folder), "--out", str(out)]
    assert main([*command, "--jobs", "0", "--images", "1", "-q"]) == 0
    result = json.loads((out / "result.json").read_text(encoding="utf-8"))
    (check,) = result["verifications"]
    assert check["passed"] and check["exact_images"] == 1 and check["simulated_cycles"] == check["predicted_cycles"] > 0
    (point,) = result["points"]
    assert point["accuracy"]["test"] > 0.7 and point["accuracy"]["held_out"] > 0.7  # chance is 1 / 3
    # What the run wrote is read by the other commands, whose data set is the folder.
    design = str(out / "designs" / f"{point['name']}.yaml")
    assert main(["cost", design, "-q"]) == 0
    assert main(["simulate", design, "--images", "1", "-q"]) == 0
