"""Heterogeneous sub-accelerators that share an envelope (NASAIC: Yang 2020; MAGMA: Kao 2022)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accel_models.hardware.connectivity import ENVELOPES, Connected, SubAccelerators
from codesign.decisions import Decision
from mappings.workload import Workload

#: Templates by name: the loops of their two axes.
STYLES = {"dla": ("K", "C"), "shi": ("P", "Q"), "eye": ("R", "P")}
_SHARES = (1, 2, 3, 4, 6, 8)


@dataclass(frozen=True)
class SubAcceleratorSpace:
    """Of each sub-accelerator the template, and its part of PEs, buffer and bandwidth.

    Parts are dealt out in the ratio of the shares, so all of the envelope is given out and nothing more.

    Attributes:
        envelope: name.
        count: sub-accelerators, two to four.
        homogeneous: all are alike: one template, equal shares.
    """

    envelope: str = "nvdla_1024"
    count: int = 2
    homogeneous: bool = False

    def __post_init__(self) -> None:
        ENVELOPES.get(self.envelope, "hardware.envelope")

    @property
    def own_device(self) -> str:
        """The envelope's: no other goes with it."""
        return ENVELOPES.get(self.envelope).device

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """In order."""
        styles = tuple(STYLES)
        out = [Decision("l1_bytes", "hardware", (16, 32, 64, 128, 256))]
        if self.homogeneous:
            return (*out, Decision("style_0", "hardware", styles, ordered=False))
        for place in range(self.count):
            out.append(Decision(f"style_{place}", "hardware", styles, ordered=False))
            out += [Decision(f"{what}_{place}", "hardware", _SHARES) for what in ("pes", "buffer", "bandwidth")]
        return tuple(out)

    def hardware_at(self, point: Mapping[str, Any], workload: Workload | None) -> SubAccelerators:
        """The accelerators at a point."""
        given, l1_bytes = ENVELOPES.get(self.envelope), int(point["l1_bytes"])

        def share(what: str, place: int) -> float:
            if self.homogeneous:
                return 1 / self.count
            return int(point[f"{what}_{place}"]) / sum(int(point[f"{what}_{k}"]) for k in range(self.count))

        machines, room = [], max(given.onchip_bytes - l1_bytes * given.pes, self.count)
        for place in range(self.count):
            style = str(point["style_0" if self.homogeneous else f"style_{place}"])
            pes = max(1, int(given.pes * share("pes", place)))
            rows = max(1, math.isqrt(pes))
            l2_bytes = max(1, int(room * share("buffer", place)))
            axes = (rows, max(1, pes // rows))
            machines.append(
                Connected(self.envelope, axes, STYLES[style], l1_bytes, l2_bytes, share("bandwidth", place))
            )
        return SubAccelerators(tuple(machines))
