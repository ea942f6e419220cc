"""The judge of a CIFAR-10 run can fail: each target apart."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from benchmarks.cifar10 import fits, judged

RESOURCES = {"DSP": 180.0, "BRAM36": 60.0, "LUT": 30_000.0, "FF": 20_000.0}


def result() -> dict[str, Any]:
    def point(name: str, accuracy: float) -> dict[str, Any]:
        parts = {"held_out": accuracy, "test": accuracy}
        return {"name": name, "accuracy": parts, "macs": 40_000_000, "resources": dict(RESOURCES)}

    check = {
        "point": "point_00",
        "passed": True,
        "exact_images": 100,
        "predicted_cycles": 5,
        "simulated_cycles": 5,
    }
    return {"points": [point("point_00", 0.88), point("point_01", 0.8)], "knee": "point_01", "verifications": [check]}


def missed(found: dict[str, Any]) -> list[str]:
    return [figure.name.strip() for figure in judged(found) if figure.met is False]


def test_a_run_that_meets_every_target() -> None:
    assert missed(result()) == []


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (("points", 0, "accuracy", "test"), 0.869, ["test images that the most accurate names, integers"]),
        (("verifications", 0, "exact_images"), 99, ["its images bit-exact on RTL"]),
        (("verifications", 0, "passed"), False, ["its images bit-exact on RTL"]),
        (("verifications", 0, "point"), "point_01", ["its images bit-exact on RTL", "its cycles as predicted"]),
        (("verifications", 0, "simulated_cycles"), 6, ["its cycles as predicted"]),
        (("points", 0, "resources", "BRAM36"), 400.0, ["fits zcu104"]),
        (("points", 1, "resources", "DSP"), 221.0, ["fits zynq7020"]),
    ],
)
def test_each_target_is_missed_alone(path: tuple[Any, ...], value: Any, expected: list[str]) -> None:
    found = copy.deepcopy(result())
    spot: Any = found
    for key in path[:-1]:
        spot = spot[key]
    spot[path[-1]] = value
    assert missed(found) == expected


def test_what_is_not_told_does_not_fit() -> None:
    assert fits(RESOURCES, "zynq7020")
    assert not fits({key: value for key, value in RESOURCES.items() if key != "LUT"}, "zynq7020")
