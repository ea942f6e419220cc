"""A search by shared weights, from the training of the supernet to hardware that runs what was taken out of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from codesign.explorer.run import ExploreOptions, explore
from codesign.providers.accuracy import kept as kept_files
from codesign.recipe import Part, Recipe

CHOICES = (
    ("stem_width", (4, 8)),
    ("stem_kernel", (3,)),
    ("downsample", ("s1+s2+s3",)),
    ("s1_depth", (1,)),
    ("s2_depth", (1,)),
    ("s3_depth", (1,)),
    ("s1_width", (8, 12)),
    ("s2_width", (12,)),
    ("s3_width", (12, 24)),
    ("s1_block", ("plain",)),
    ("s2_block", ("plain",)),
    ("s3_kernel", (3,)),
    ("weight_bits", (8,)),
    ("act_bits", (8,)),
    ("array", ("weight_stationary",)),
    ("rows", (8,)),
    ("cols", (8,)),
    ("axi_bits", (64,)),
)
OPTIONS = {"steps": 60, "learning_rate": 0.03, "subnets": 1, "deploy_steps": 0, "calibration_images": 128}


@pytest.mark.rtl
def test_a_search_by_shared_weights_ends_on_hardware(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_files, "cache_dir", lambda: tmp_path / "cache")
    made = Recipe(
        name="shared",
        choices=CHOICES,
        objectives=("accuracy",),
        providers=(Part("schedule"), Part("supernet", tuple(OPTIONS.items()))),
        trials=8,
        batch=8,
        front_points=1,
    )
    path = tmp_path / "shared.yaml"
    path.write_text(made.dump(), encoding="utf-8")
    result = explore(ExploreOptions(recipe=str(path), out=str(tmp_path / "run"), jobs=0, images=1))
    (check,) = result.verifications
    assert check.passed and check.exact_images == 1 and check.simulated_cycles == check.predicted_cycles > 0
    (point,) = result.points
    # Taken out untouched: the integer network scores what the search saw, up to rounding.
    assert point.accuracy["held_out"] == pytest.approx(point.accuracy["search"], abs=0.03)
    assert point.accuracy["test"] > 0.5  # chance is 0.1
