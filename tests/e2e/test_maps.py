"""Segmentation and detection through the whole job: search, deployment, hardware, report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codesign.cli.main import main
from mappings.yamlio import dump_yaml

TRAIN = {"name": "train", "search_steps": 6, "deploy_steps": 12, "deploy_shift_pixels": 0}
SMALL = {"widths": [4, 6, 8], "extent": 16}
TRELLIS = {"name": "trellis", "depth": 2, "cell": 1, "kinds": ["sep3"], **SMALL}
SQUEEZE = {"name": "squeeze", "blocks": [1, 1, 2], "kinds": ["e1k3", "e3k3"], **SMALL}
BRANCHES = {"name": "branches", "branches": 2, "width": 6, "widths": [4, 6], "rates": [1, 2], "grids": [1, 2]}
DECODER = {"name": "decoder", "blocks": 1, "width": 6, **SMALL}
PYRAMID = {"name": "pyramid", "merges": 1, "width": 6, **SMALL}
SCENES, BOXES = {"classes": 5, "dataset": "small_scenes"}, {"classes": 4, "dataset": "small_boxes"}
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "auto_deeplab": ({"network": TRELLIS | SCENES, "driver": {"name": "routes", "steps": 6}}, "mIoU"),
    "squeezenas": (
        {
            "network": SQUEEZE | SCENES,
            "driver": {"name": "gradient", "relaxation": "gumbel_soft", "steps": 6},
            "limits": {"latency_ms": 0.5},
        },
        "mIoU",
    ),
    "nas_fpn": ({"network": PYRAMID | BOXES}, "mAP"),
    "dense_prediction": (
        {
            "network": BRANCHES | SCENES | {"extent": 16},
            "driver": {"name": "halving", "eta": 2, "rungs": 2},
            "trials": 3,
            "batch": 2,
        },
        "mIoU",
    ),
    "auxiliary_cells": (
        {
            "network": DECODER | SCENES,
            "providers": ["schedule", TRAIN | {"auxiliary": ["d1"]}],
            "trials": 6,
            "batch": 4,
        },
        "mIoU",
    ),
}


@pytest.mark.rtl
@pytest.mark.parametrize("name", CASES)
def test_maps_end_on_hardware(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes, score = CASES[name]
    asked = {"extends": name, "name": "small", "summary": "small", "trials": 1, "batch": 1}
    asked["providers"] = ["schedule", TRAIN]
    recipe, out = tmp_path / "small.yaml", tmp_path / "run"
    recipe.write_text(dump_yaml({**asked, **changes}), encoding="utf-8")
    command = ["explore", "--recipe", str(recipe), "--out", str(out), "--jobs", "0", "--images", "2"]
    assert main([*command, "--verify", "knee", "-q"]) == 0
    result = json.loads((out / "result.json").read_text(encoding="utf-8"))
    (check,) = result["verifications"]
    assert check["passed"] and check["exact_images"] == 2 and check["hls_exact_images"] == 2
    assert check["simulated_cycles"] == check["predicted_cycles"] > 0
    assert (result["score"], check["score_name"], check["right"]) == (score, score, None) and 0 <= check["score"] <= 1
    assert all(0 <= value <= 1 for value in result["points"][0]["accuracy"].values())
    page = (out / "report.html").read_text(encoding="utf-8")
    assert f"test {score} of the knee" in page and f"{score} of the hardware" in page
    assert main(["simulate", str(out / "designs" / "point_00.yaml"), "--images", "2", "--no-hls"]) == 0
    assert f"{score} of the hardware's outputs" in capsys.readouterr().out


@pytest.mark.rtl
def test_own_label_maps_end_on_hardware(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 60, (150, 16, 16), dtype=np.uint8)
    labels = np.zeros((150, 16, 16), np.int64)
    for place in range(150):
        top, left = rng.integers(0, 10, 2)
        images[place, top : top + 6, left : left + 6] = 220
        labels[place, top : top + 6, left : left + 6] = 1
    np.savez(tmp_path / "squares.npz", images=images, labels=labels)
    train = {**TRAIN, "search_steps": 30, "deploy_steps": 60, "deploy_learning_rate": 0.03}
    asked = {"extends": "auto_deeplab", "name": "own", "summary": "own", "providers": ["schedule", train]}
    asked |= {"network": TRELLIS, "driver": {"name": "routes", "steps": 9}, "trials": 1, "batch": 1}
    recipe, out = tmp_path / "own.yaml", tmp_path / "run"
    recipe.write_text(dump_yaml(asked), encoding="utf-8")
    command = ["explore", "--recipe", str(recipe), "--data", str(tmp_path / "squares.npz"), "--out", str(out)]
    assert main([*command, "--jobs", "0", "--images", "2", "--verify", "knee", "-q"]) == 0
    result = json.loads((out / "result.json").read_text(encoding="utf-8"))
    assert result["verifications"][0]["passed"]
    assert result["points"][0]["accuracy"]["test"] > 0.6  # background alone: 0.43
