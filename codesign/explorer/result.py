"""What a run found, as one value and as one file: everything that the report shows."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from accel_models.hardware.devices import device
from codesign.explorer.finish import FrontPoint
from codesign.explorer.folder import RunFolder
from codesign.explorer.search import SearchTally
from codesign.explorer.verify import Verification
from codesign.recipe import Recipe
from mappings.errors import Fault, SpecError
from mappings.files import read_json

MAX_RESULT_BYTES = 2**28
"""A million searched designs fit."""


@dataclass(frozen=True)
class RunResult:
    """A finished run.

    Attributes:
        recipe: with all overrides.
        folder: of the run.
        networks, accelerators: sizes of the spaces.
        tally: how the search went.
        points: the front, by falling accuracy.
        knee: name of the point nearest to the ideal.
        cloud: (accuracy, latency_ms, energy_uj) of every design that the search measured.
        verifications: points that ran as hardware.
        seconds: wall time of this process.
    """

    recipe: Recipe
    folder: str
    networks: int
    accelerators: int
    tally: SearchTally
    points: tuple[FrontPoint, ...]
    knee: str
    cloud: tuple[tuple[float, float, float], ...]
    verifications: tuple[Verification, ...]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        part = device(self.recipe.device)
        return {
            "recipe": self.recipe.to_dict(),
            "device": {"name": part.name, "title": part.title},
            "budget": {name: bound for name, bound in _budget(self.recipe.device) if bound is not None},
            "folder": self.folder,
            "networks": self.networks,
            "accelerators": self.accelerators,
            "tally": asdict(self.tally),
            "knee": self.knee,
            "points": [_point(point) for point in self.points],
            "cloud": [list(item) for item in self.cloud],
            "verifications": [item.to_dict() for item in self.verifications],
            "seconds": self.seconds,
        }


def _budget(name: str) -> list[tuple[str, int | None]]:
    part = device(name)
    return [("DSP", part.dsp), ("BRAM36", part.bram36), ("LUT", part.lut), ("FF", part.ff)]


def _point(point: FrontPoint) -> dict[str, Any]:
    layers = {layer.name: layer for layer in point.design.workload.layers}
    return {
        "name": point.name,
        "trial": point.candidate.number,
        "decisions": dict(point.candidate.point),
        "accuracy": dict(point.accuracy),
        "latency_ms": point.candidate.latency_ms,
        "latency_cycles": point.cost.latency_cycles,
        "energy_uj": point.candidate.energy_uj,
        "macs": point.design.workload.macs,
        "resources": dict(point.cost.resources or ()),
        "layers": [
            {
                "name": item.name,
                # A part of a layer (a phase, a copy) has its place behind the name.
                "op": str(layers[item.name if item.name in layers else item.name.rpartition("[")[0]].op),
                "macs": item.macs,
                "cycles": item.cycles,
                "compute_cycles": item.compute_cycles,
                "utilisation": item.utilisation,
                "energy_pj": dict(item.energy_pj or ()),
            }
            for item in point.cost.layers
        ],
    }


def write_result(result: RunResult, folder: RunFolder) -> None:
    """Write ``result.json``."""
    partial = folder.result_file.with_suffix(".partial")
    partial.write_text(json.dumps(result.to_dict(), indent=1, allow_nan=False), encoding="utf-8")
    partial.replace(folder.result_file)


def read_result(folder: RunFolder) -> dict[str, Any]:
    """What :func:`write_result` wrote.

    Raises:
        SpecError: there is none, or it is malformed.
    """
    if not folder.result_file.exists():
        raise SpecError(Fault(str(folder.path), "holds no finished run", f"codesign explore --resume {folder.path}"))
    found = read_json(folder.result_file, MAX_RESULT_BYTES)
    if not isinstance(found, dict) or not isinstance(found.get("points"), list):
        raise SpecError(Fault(str(folder.result_file), "is not the result of a run", "what codesign explore writes"))
    if not found["points"]:
        raise SpecError(Fault(f"{folder.result_file}: points", "is empty", "one design or more"))
    return found
