"""Several FPGAs in a pipeline, each with a loop-tile accelerator (Jiang 2020, [118] of the survey)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accel_models.published.loop_pipeline import LoopPipeline
from accel_models.published.loop_tile import CLOCK_HZ, LoopTile
from codesign.decisions import Decision
from mappings.workload import Workload

_PIXELS = (7, 8, 14, 16, 28, 32, 56)
_CHANNELS = (4, 8, 12, 16, 24, 32, 48, 64, 96, 128)
_PORTS = (1, 2, 3, 4, 6, 8, 10, 12, 16, 20)


@dataclass(frozen=True)
class MultiFpgaSpace:
    """Tile and ports of each board; the layers are cut where the interval is shortest.

    Attributes:
        boards: in a row.
        bits: of a word.
        clock_mhz: of all boards.
        link_bits: a cycle between two boards.
    """

    boards: int = 2
    bits: int = 16
    clock_mhz: int = CLOCK_HZ // 1_000_000
    link_bits: int = 64

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Seven a board."""
        choices = {"tm": _CHANNELS, "tn": (1, 2, 3, *_CHANNELS), "tr": _PIXELS, "tc": _PIXELS}
        choices |= {f"{what}_ports": _PORTS for what in ("weight", "input", "output")}
        return tuple(
            Decision(f"{name}_{board}", "hardware", values)
            for board in range(self.boards)
            for name, values in choices.items()
        )

    def hardware_at(self, point: Mapping[str, Any], workload: Workload | None) -> LoopPipeline:
        """The boards at a point."""
        names = ("tm", "tn", "tr", "tc", "weight_ports", "input_ports", "output_ports")
        clock_hz = self.clock_mhz * 1_000_000
        machines = []
        for board in range(self.boards):
            tile: dict[str, Any] = {name: int(point[f"{name}_{board}"]) for name in names}
            machines.append(LoopTile(**tile, bits=self.bits, clock_hz=clock_hz))
        return LoopPipeline(tuple(machines), self.link_bits)
