"""Segmentation networks with a cell of branches over a backbone (Chen 2018, dense prediction cells), for small images.

Each branch takes the backbone's map or what an earlier branch gave, and applies one operator: a 1 x 1 convolution, a
separable one with holes of any rows and columns between its taps, or means over a grid of squares, repeated to the
map's extent. All branches together, 1 x 1 convolutions of which are added, give the scores of each place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from codesign.accuracy.task import Segmentation
from codesign.decisions import Decision
from codesign.spaces.network import Network
from codesign.spaces.network.building import Builder
from mappings.errors import Fault, SpecError
from mappings.layer import Bits
from mappings.workload import TensorShape, Workload

#: The backbone's map.
MAP = "map"
PLAIN = "conv1"


@dataclass(frozen=True)
class BranchSpace:
    """The space for one image size.

    Attributes:
        branches: of the cell.
        rates: rows, and columns, between the taps of a convolution with holes.
        grids: squares of a mean, in a row and in a column of the map.
        widths: channels of the backbone's stages; each halves the image.
        width: channels of a branch.
        channels, extent, classes, dataset: of the images; classes of a pixel.
    """

    branches: int = 4
    rates: tuple[int, ...] = (1, 2, 3)
    grids: tuple[int, ...] = (1, 2, 4)
    widths: tuple[int, ...] = (8, 16)
    width: int = 16
    channels: int = 1
    extent: int = 32
    classes: int = 11
    dataset: str = "digit_scenes"
    task = Segmentation.name

    def __post_init__(self) -> None:
        faults, side = [], self.extent // 2 ** len(self.widths)
        if self.extent % 2 ** len(self.widths):
            what = f"is {self.extent}, which is halved {len(self.widths)} times"
            faults.append(Fault("branches.extent", what, f"a multiple of {2 ** len(self.widths)}"))
        if wrong := [grid for grid in self.grids if side % grid]:
            faults.append(Fault("branches.grids", f"are {wrong}, of a map of {side} rows", f"divisors of {side}"))
        if faults:
            raise SpecError(faults)

    @property
    def operators(self) -> tuple[str, ...]:
        """Of a branch."""
        holes = tuple(f"holes{rows}x{columns}" for rows in self.rates for columns in self.rates)
        return (PLAIN, *holes, *(f"grid{grid}" for grid in self.grids))

    @cached_property
    def decisions(self) -> tuple[Decision, ...]:
        """Branch by branch: its operator, and what it takes."""
        out = []
        for branch in range(1, self.branches + 1):
            sources = (MAP, *(f"b{other}" for other in range(1, branch)))
            out.append(Decision(f"b{branch}_operator", "network", self.operators, ordered=False))
            out.append(Decision(f"b{branch}_from", "network", sources, ordered=False))
        return tuple(out)

    def network_at(self, point: Mapping[str, Any]) -> Network:
        """The network at a point, with 8-bit data."""
        return Network(workload=self.workload(point))

    def workload(self, point: Mapping[str, Any]) -> Workload:
        """Its layers; the name is "branches"."""
        build = Builder(Bits(), self.channels, self.extent)
        for stage, width in enumerate(self.widths, 1):
            build.conv(f"s{stage}_down", width, 3, 2, relu=True)
            build.conv(f"s{stage}", width, 3, relu=True)
        maps = {MAP: (build.tensor, build.channels)}
        extent = build.extent
        for branch in range(1, self.branches + 1):
            name = f"b{branch}"
            build.tensor, build.channels = maps[str(point[f"{name}_from"])]
            self._branch(build, name, str(point[f"{name}_operator"]))
            maps[name] = build.tensor, build.channels
        for branch in range(1, self.branches + 1):
            before = build.tensor if branch > 1 else ""
            build.tensor, build.channels, build.extent = *maps[f"b{branch}"], extent
            build.conv(f"b{branch}_joined", self.width, 1, relu=False)
            if before:
                build.add(f"joined{branch}", before, relu=branch == self.branches)
        build.conv("scores", self.classes, 1, relu=False)
        image = TensorShape("image", C=self.channels, H=self.extent, W=self.extent)
        return Workload("branches", (image,), tuple(build.layers))

    def _branch(self, build: Builder, name: str, operator: str) -> None:
        if operator.startswith("holes"):
            rows, columns = (int(rate) for rate in operator.removeprefix("holes").split("x"))
            build.conv(f"{name}_deep", build.channels, 3, depthwise=True, relu=True, dilation=(rows, columns))
        elif operator != PLAIN:
            factor = build.extent // int(operator.removeprefix("grid"))
            build.shrink(f"{name}_means", factor)
            build.conv(name, self.width, 1, relu=True)
            build.enlarge(f"{name}_map", factor)
            return
        build.conv(name, self.width, 1, relu=True)
