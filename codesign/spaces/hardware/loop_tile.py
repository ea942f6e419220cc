"""Loop-tile accelerators on an FPGA: HotNAS' and FNAS' spaces (Jiang 2020, Jiang 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accel_models.published.loop_tile import CLOCK_HZ, Extent, LoopTile
from codesign.decisions import Decision
from mappings.workload import Workload

_PIXELS = (4, 7, 8, 14, 16, 20, 28, 32, 56, 64, 112, 224)
_PORTS = tuple(range(1, 31))


@dataclass(frozen=True)
class LoopTileSpace:
    """Tile, ports, and an engine for depthwise convolutions; what the board has no room for, the provider tells.

    Attributes:
        bits: of a word.
        clock_mhz: of everything.
        extent: rows and columns of a layer as the formulas take them: "input", or "output" as published.
    """

    bits: int = 16
    clock_mhz: int = CLOCK_HZ // 1_000_000
    extent: str = str(Extent.INPUT)

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Eight."""
        choices: dict[str, tuple[int, ...]] = {
            "tm": tuple(range(4, 257, 4)),
            "tn": tuple(range(1, 65)),
            "tr": _PIXELS,
            "tc": _PIXELS,
            "weight_ports": _PORTS,
            "input_ports": _PORTS,
            "output_ports": _PORTS,
            "depthwise_lanes": (0, *range(64, 961, 128)),
        }
        return tuple(Decision(name, "hardware", values) for name, values in choices.items())

    def hardware_at(self, point: Mapping[str, Any], workload: Workload | None) -> LoopTile:
        """The accelerator at a point, whatever the network's widths."""
        sizes = {decision.name: int(point[decision.name]) for decision in self.decisions}
        return LoopTile(**sizes, bits=self.bits, clock_hz=self.clock_mhz * 1_000_000, extent=Extent(self.extent))
