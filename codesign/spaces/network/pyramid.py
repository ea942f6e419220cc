"""Detectors whose feature pyramid is found: merging cells over the maps of a backbone (Ghiasi 2019, NAS-FPN).

The backbone gives maps of three levels, each of half the resolution of the one before, with as many channels each. A
merging cell takes two of the maps so far, brings them to a level of its own and merges them: by their sum, or by the
first weighed by the means of the second, plus the second. A 3 x 3 convolution follows; the result is a map like the
others. What no cell has taken in the end is added at the head's level. The head gives, for each place, scores of no box
and of each class and the distances of a box's edges (:mod:`codesign.accuracy.boxes`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

from codesign.accuracy.boxes import EDGES, NONE
from codesign.accuracy.task import Detection
from codesign.decisions import Decision
from codesign.spaces.network import Network
from codesign.spaces.network.building import Builder
from mappings.errors import Fault, SpecError
from mappings.layer import Bits
from mappings.workload import TensorShape, Workload

LEVELS = ("fine", "middle", "coarse")
#: The level on which the head stands.
HEAD = "middle"
MERGES = ("sum", "attention")


def check_levels(where: str, widths: Sequence[int], extent: int) -> None:
    """Refuse stages that are not one a level, or images that are not halved so often.

    Raises:
        SpecError: either, or both.
    """
    faults = []
    if len(widths) != len(LEVELS):
        faults.append(Fault(f"{where}.widths", f"are {list(widths)}", f"{len(LEVELS)} stages"))
    if extent % 2 ** len(LEVELS):
        what = f"is {extent}, which is halved {len(LEVELS)} times"
        faults.append(Fault(f"{where}.extent", what, f"a multiple of {2 ** len(LEVELS)}"))
    if faults:
        raise SpecError(faults)


@dataclass(frozen=True)
class PyramidSpace:
    """The space for one image size.

    Attributes:
        merges: merging cells.
        widths: channels of the backbone's stages.
        width: channels of the pyramid.
        channels, extent, classes, dataset: of the images; classes of boxes.
    """

    merges: int = 3
    widths: tuple[int, ...] = (8, 16, 24)
    width: int = 16
    channels: int = 1
    extent: int = 32
    classes: int = 10
    dataset: str = "digit_boxes"
    task = Detection.name

    def __post_init__(self) -> None:
        check_levels("pyramid", self.widths, self.extent)

    @cached_property
    def decisions(self) -> tuple[Decision, ...]:
        """Cell by cell: which two maps, the level of the result, how they are merged."""
        out = []
        for cell in range(1, self.merges + 1):
            maps = (*LEVELS, *(f"m{other}" for other in range(1, cell)))
            pairs = tuple("+".join(pair) for pair in combinations(maps, 2))
            out.append(Decision(f"m{cell}_pair", "network", pairs, ordered=False))
            out.append(Decision(f"m{cell}_level", "network", LEVELS))
            out.append(Decision(f"m{cell}_merge", "network", MERGES, ordered=False))
        return tuple(out)

    def network_at(self, point: Mapping[str, Any]) -> Network:
        """The network at a point, with 8-bit data."""
        return Network(workload=self.workload(point))

    def workload(self, point: Mapping[str, Any]) -> Workload:
        """Its layers; the name is "pyramid"."""
        build = Builder(Bits(), self.channels, self.extent)
        maps = dict[str, tuple[str, int]]()
        for level, width in zip(LEVELS, self.widths, strict=True):
            build.conv(f"{level}_down", width, 3, 2, relu=True)
            build.conv(f"{level}_conv", width, 3, relu=True)
            behind = build.tensor, build.channels, build.extent
            build.conv(level, self.width, 1, relu=True)
            maps[level] = build.tensor, build.extent
            build.tensor, build.channels, build.extent = behind
        build.channels, taken = self.width, set[str]()
        for cell in range(1, self.merges + 1):
            name, pair = f"m{cell}", str(point[f"m{cell}_pair"]).split("+")
            extent = self._extent(str(point[f"m{cell}_level"]))
            taken |= set(pair)
            one, other = (self._brought(build, f"{name}_{source}", maps[source], extent) for source in pair)
            build.tensor, build.extent = one, extent
            if point[f"m{cell}_merge"] == "attention":
                build.gated_by(f"{name}_weighed", other)
            build.add(f"{name}_merged", other, relu=True)
            build.conv(name, self.width, 3, relu=True)
            maps[name] = build.tensor, build.extent
        self._head(build, [found for source, found in maps.items() if source not in taken])
        image = TensorShape("image", C=self.channels, H=self.extent, W=self.extent)
        return Workload("pyramid", (image,), tuple(build.layers))

    def _extent(self, level: str) -> int:
        return self.extent >> (1 + LEVELS.index(level))

    def _brought(self, build: Builder, name: str, found: tuple[str, int], extent: int) -> str:
        """A map at another extent: places repeated, or means of squares."""
        build.tensor, build.extent = found
        build.enlarge(f"{name}_up", max(1, extent // build.extent))
        build.shrink(f"{name}_down", max(1, build.extent // extent))
        return build.tensor

    def _head(self, build: Builder, loose: list[tuple[str, int]]) -> None:
        """What no cell has taken, summed; a convolution; scores and four distances."""
        extent = self._extent(HEAD)
        brought = [self._brought(build, f"{found[0]}_out", found, extent) for found in loose]
        build.tensor, build.extent = brought[0], extent
        for place, other in enumerate(brought[1:], 1):
            build.add(f"out{place}", other, relu=True)
        build.conv("head", self.width, 3, relu=True)
        build.conv("map", NONE + self.classes + EDGES, 1, relu=False)
