"""A layer-wise space of inverted bottlenecks: what FBNet, ProxylessNAS, MnasNet and OFA search, for small images.

A stem of stride 2, three stages and a classifier. Stage ``i`` has ``si_depth`` blocks of ``si_width`` channels, the
first with stride 2 in stages 2 and 3. Each block decides for itself: its kernel, its expansion, whether a gate
(squeeze and excite, Hu 2018) weighs its channels, and, where it is not the first of its stage, whether it is left out.
Where the space has both kinds, it also decides whether it is fused: one full convolution in place of the expansion and
the depthwise one (Tan 2021). ``resolution`` is the extent to which images are resized.

The gate's hard sigmoid ``clamp(x / 6 + 1 / 2, 0, 1)`` is the scale and bias that its layer has anyhow and the clamp of
its output, so that a gate takes no operator beyond a product.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from codesign.decisions import Choice, Decision, When
from codesign.spaces.network import IMAGES, Network
from codesign.spaces.network.building import Builder
from mappings.errors import Fault, SpecError
from mappings.layer import Bits
from mappings.workload import TensorShape, Workload

STAGES = 3
KINDS = ("inverted", "fused")
#: A gate's hidden channels are its channels over this, at least 2.
_SQUEEZE = 4


def _network(name: str, choices: tuple[Choice, ...], *when: When, ordered: bool = True) -> Decision:
    return Decision(name, "network", choices, ordered, when)


@dataclass(frozen=True)
class LayerwiseSpace:
    """The space for one image size.

    Attributes:
        channels, extent: of the (square) images; the stem sees them at ``resolution`` times their extent.
        classes: outputs.
        dataset: name of the data set on which accuracy is measured.
        blocks: most blocks of a stage.
        widths: channels of each stage, ascending.
        kernels, expansions: of a block.
        resolutions: in hundredths of the extent.
        kinds: of blocks, of :data:`KINDS`; where there is one, blocks do not decide about it.
        shortcuts: blocks that are not the first of their stage add what they read.
    """

    channels: int = 1
    extent: int = 28
    classes: int = 10
    dataset: str = IMAGES
    blocks: int = 3
    widths: tuple[tuple[int, ...], ...] = ((8, 12, 16), (12, 16, 24), (16, 24, 32))
    kernels: tuple[int, ...] = (3, 5, 7)
    expansions: tuple[int, ...] = (2, 4, 6)
    resolutions: tuple[int, ...] = (60, 80, 100)
    kinds: tuple[str, ...] = KINDS[:1]
    shortcuts: bool = True

    def __post_init__(self) -> None:
        faults = []
        if any(kernel % 2 == 0 for kernel in self.kernels):
            faults.append(Fault("layerwise.kernels", f"are {list(self.kernels)}", "odd numbers"))
        if len(self.widths) != STAGES:
            faults.append(Fault("layerwise.widths", f"are of {len(self.widths)} stages", f"{STAGES} lists of channels"))
        if faults:
            raise SpecError(faults)

    @cached_property
    def decisions(self) -> tuple[Decision, ...]:
        """In order."""
        extents = tuple(dict.fromkeys(max(8, self.extent * share // 100) for share in sorted(self.resolutions)))
        out = [_network("resolution", extents), _network("stem_width", self.widths[0])]
        depths = tuple(range(1, self.blocks + 1))
        for stage in range(1, STAGES + 1):
            out += [_network(f"s{stage}_depth", depths), _network(f"s{stage}_width", self.widths[stage - 1])]
            for block in depths:
                name, there = f"s{stage}b{block}", tuple[When, ...]()
                if block > 1:
                    there = (When(f"s{stage}_depth", depths[block - 1 :]),)
                    out.append(_network(f"{name}_block", ("skip", "keep"), *there))
                    there = (When(f"{name}_block", ("keep",)),)
                if len(self.kinds) > 1:
                    out.append(_network(f"{name}_kind", self.kinds, *there, ordered=False))
                out.append(_network(f"{name}_kernel", self.kernels, *there))
                out.append(_network(f"{name}_expansion", self.expansions, *there))
                out.append(_network(f"{name}_gate", ("none", "gate"), *there))
        return tuple(out)

    @property
    def cells(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Each block, with the decisions of its own."""
        blocks = [f"s{stage}b{block}" for stage in range(1, STAGES + 1) for block in range(1, self.blocks + 1)]
        kinds = ("block", "kind", "kernel", "expansion", "gate")
        own = {name: tuple(f"{name}_{kind}" for kind in kinds) for name in blocks}
        known = {decision.name for decision in self.decisions}
        return tuple((f"{name}_", tuple(item for item in names if item in known)) for name, names in own.items())

    def network_at(self, point: Mapping[str, Any]) -> Network:
        """The network at a point, with 8-bit data."""
        return Network(workload=self.workload(point))

    def workload(self, point: Mapping[str, Any]) -> Workload:
        """Its layers; the name is "layerwise"."""
        extent = int(point["resolution"])
        build = Builder(Bits(), self.channels, extent)
        build.conv("stem", int(point["stem_width"]), 3, 2, relu=True)
        for stage in range(1, STAGES + 1):
            width = int(point[f"s{stage}_width"])
            for block in range(1, int(point[f"s{stage}_depth"]) + 1):
                name = f"s{stage}b{block}"
                if block > 1 and point[f"{name}_block"] == "skip":
                    continue
                self._block(build, name, width, 2 if block == 1 and stage > 1 else 1, point)
        build.classifier(self.classes)
        image = TensorShape("image", C=self.channels, H=extent, W=extent, bits=Bits().I)
        return Workload("layerwise", (image,), tuple(build.layers))

    def _block(self, build: Builder, name: str, width: int, stride: int, point: Mapping[str, Any]) -> None:
        source, first = build.tensor, name.endswith("b1")
        hidden, kernel = build.channels * int(point[f"{name}_expansion"]), int(point[f"{name}_kernel"])
        if point.get(f"{name}_kind", self.kinds[0]) == "fused":
            build.conv(f"{name}_fused", hidden, kernel, stride, relu=True)
        else:
            build.conv(f"{name}_expand", hidden, 1, relu=True)
            build.conv(f"{name}_depthwise", hidden, kernel, stride, depthwise=True, relu=True)
        if point[f"{name}_gate"] == "gate":
            build.gate(name, max(2, build.channels // _SQUEEZE))
        build.conv(f"{name}_project", width, 1, relu=False)
        if self.shortcuts and not first:
            build.add(f"{name}_add", source)
