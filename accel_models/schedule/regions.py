"""The buffers that a run needs in memory: each can lie anywhere, for its transfers count from a base register."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple

from accel_models.schedule.commands import Buffer, Dma, Unit
from accel_models.schedule.network import Schedule
from mappings.operators import Layout

PAGE_BYTES = 4096  #: a buffer that begins at a multiple takes the predicted cycles


class RegionKind(IntEnum):
    """Numbers of `cd_types_pkg::region_e`."""

    PROGRAM = 0
    WEIGHTS = 1
    ACTIVATIONS = 2
    INPUT = 3
    OUTPUT = 4


class Region(NamedTuple):
    """A part of the memory image.

    Attributes:
        first, end: its bytes there; ``first == end``: nothing.
    """

    kind: RegionKind
    first: int
    end: int

    @property
    def base(self) -> int:
        """Byte of the image that its base register names: the page in which it begins."""
        return self.first // PAGE_BYTES * PAGE_BYTES


class Regions:
    """The regions of a schedule: inputs, what lies between, outputs, weights, program, in the order of the image.

    What the hardware writes last, the network's outputs, is a region of its own where nothing else reaches into it;
    inputs likewise. Otherwise they are part of the activations.
    """

    def __init__(self, schedule: Schedule) -> None:
        weights, tensors = _first_weight(schedule), schedule.tensors
        spans = sorted(_spans(schedule, weights))
        written = [a for a, _, store in spans if store]
        fixed = [tensors[x.name].addr for x in schedule.workload.layers if x.op.spec.layout is Layout.STORED]
        inputs = min([*written, *fixed, weights])
        outputs = min((tensors[name].addr for name in schedule.workload.outputs if name in tensors), default=weights)
        inputs = _clear(inputs, spans) if inputs else 0
        outputs = _clear(max(outputs, inputs), spans) or weights
        cuts = (
            (RegionKind.INPUT, 0, inputs),
            (RegionKind.ACTIVATIONS, inputs, outputs),
            (RegionKind.OUTPUT, outputs, weights),
            (RegionKind.WEIGHTS, weights, schedule.program_addr),
            (RegionKind.PROGRAM, schedule.program_addr, schedule.memory_bytes),
        )
        self.by_kind = {kind: Region(kind, first, end) for kind, first, end in cuts}
        self._some = [region for region in self.by_kind.values() if region.end > region.first]
        self._firsts = [region.first for region in self._some]

    def at(self, addr: int) -> Region:
        """The region of a byte of the image."""
        return self._some[bisect_right(self._firsts, addr) - 1]

    def place(self, addr: int) -> tuple[RegionKind, int]:
        """Region of a byte of the image, and its distance from what the base register names.

        The program's register names its first byte.
        """
        region = self.at(addr)
        return region.kind, addr - (region.first if region.kind is RegionKind.PROGRAM else region.base)

    def bases(self) -> tuple[int, ...]:
        """What the base registers hold where the image lies in memory as it is, in the order of the kinds."""
        return tuple(
            region.first if kind is RegionKind.PROGRAM else region.base for kind, region in sorted(self.by_kind.items())
        )


def _first_weight(schedule: Schedule) -> int:
    found = [schedule.program_addr]
    for plan in schedule.plans:
        found += [tile.addr for tile in plan.weights]
        if plan.shape.params:
            found.append(plan.param_addr)
        if plan.layer.masked:
            found.append(plan.mask_addr)
        if plan.table is not None:
            found.append(plan.table_addr)
    return min(found)


def _spans(schedule: Schedule, weights: int) -> Iterable[tuple[int, int, bool]]:
    """First byte, end and direction of every transfer of activations."""
    word = schedule.template.act_word_bytes
    for command in schedule.commands:
        body = command.body
        if isinstance(body, Dma) and body.addr < weights and body.buffer is not Buffer.PROGRAM:
            last = body.addr + (body.count1 - 1) * body.stride1 + (body.count2 - 1) * body.stride2
            yield body.addr, last + body.count0 * word, command.unit is Unit.STORE


def _clear(cut: int, spans: list[tuple[int, int, bool]]) -> int:
    """The cut, or 0 where a transfer lies across it."""
    return 0 if any(first < cut < end for first, end, _ in spans) else cut
