"""Accelerators of free connectivity (NAAS, DiGamma), of a fixed one that is sized (NHAS), or one a layer
(ConfuciuX)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accel_models.hardware.connectivity import ENVELOPES, PARALLEL, Connected, LayerMachines
from codesign.decisions import Choice, Decision, Permutation, Variable, When
from mappings.workload import Workload

_KIB = 1024
_L1_BYTES = (16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
_L2_KIB = (8, 16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192)
#: Sizes of ConfuciuX' decisions (Kao 2020).
_LAYER_PES = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128)


def _choice(name: str, choices: tuple[Choice, ...], *when: When) -> Decision:
    return Decision(name, "hardware", choices, when=when)


@dataclass(frozen=True)
class _Within:
    """What the spaces share.

    Attributes:
        envelope: name; its bounds are told by the provider.

    Raises:
        SpecError: no such envelope.
    """

    envelope: str = "edgetpu"

    def __post_init__(self) -> None:
        ENVELOPES.get(self.envelope, "hardware.envelope")

    @property
    def own_device(self) -> str:
        """The envelope's: no other goes with it."""
        return ENVELOPES.get(self.envelope).device

    def _sizes(self) -> tuple[tuple[Choice, ...], tuple[Decision, ...]]:
        given = ENVELOPES.get(self.envelope)
        axis = tuple(range(2, min(given.pes, 128) + 1, 2))
        buffers = tuple(size for size in _L2_KIB if size * _KIB <= given.onchip_bytes)
        return axis, (_choice("l1_bytes", _L1_BYTES), _choice("l2_kib", buffers))

    def _made(self, wanted: tuple[int, ...], parallel: tuple[str, ...], point: Mapping[str, Any]) -> Connected:
        """Axes take what those before them left of the PEs, the buffer what the PEs' memories left (a repair)."""
        given = ENVELOPES.get(self.envelope)
        axes: list[int] = []
        for size in wanted:
            axes.append(max(1, min(size, given.pes // math.prod(axes))))
        l1_bytes = int(point["l1_bytes"])
        left = given.onchip_bytes - l1_bytes * math.prod(axes[:2])
        l2_bytes = int(point["l2_kib"]) * _KIB
        return Connected(self.envelope, tuple(axes), parallel, l1_bytes, min(l2_bytes, left) if left > 0 else l2_bytes)


@dataclass(frozen=True)
class FreeSpace(_Within):
    """Number of axes, their sizes, the loops side by side (the first of an order of importance), memories.

    Attributes:
        envelope: see above.
        most_axes: up to three; a third one is MACs within a PE.
    """

    most_axes: int = 2

    @property
    def decisions(self) -> tuple[Variable, ...]:
        """In order."""
        axis, memories = self._sizes()
        more = tuple(range(2, self.most_axes + 1))
        out: list[Variable] = [_choice("axes", (1, *more)), _choice("axis1", axis)]
        if more:
            out.append(_choice("axis2", axis, When("axes", more)))
        if self.most_axes == 3:
            out.append(_choice("axis3", (2, 4, 8, 16), When("axes", (3,))))
        return (*out, Permutation("parallel", "hardware", PARALLEL), *memories)

    def hardware_at(self, point: Mapping[str, Any], workload: Workload | None) -> Connected:
        """The accelerator at a point."""
        count = int(point["axes"])
        axes = tuple(int(point[f"axis{place}"]) for place in range(1, count + 1))
        return self._made(axes, tuple(point["parallel"][:count]), point)


@dataclass(frozen=True)
class SizingSpace(_Within):
    """The envelope's own connectivity: sizes of its two axes and its memories (NHAS)."""

    @property
    def decisions(self) -> tuple[Variable, ...]:
        """Four."""
        axis, memories = self._sizes()
        return _choice("axis1", axis), _choice("axis2", axis), *memories

    def hardware_at(self, point: Mapping[str, Any], workload: Workload | None) -> Connected:
        """The accelerator at a point."""
        axes = int(point["axis1"]), int(point["axis2"])
        return self._made(axes, ENVELOPES.get(self.envelope).parallel, point)


@dataclass(frozen=True)
class LayerSizingSpace(_Within):
    """PEs and memory of each multiplying layer, all on one chip (ConfuciuX); one loop side by side in all.

    The buffer above an array holds eight times what its PEs hold (our choice).

    Attributes:
        envelope: see above.
        layers: of the network that multiply; any beyond run on the last machine.
        parallel: the loop.
    """

    layers: int = 8
    parallel: str = "K"

    @property
    def decisions(self) -> tuple[Variable, ...]:
        """Two a layer."""
        out = []
        for place in range(self.layers):
            out += [_choice(f"pes_{place}", _LAYER_PES), _choice(f"buffer_{place}", tuple(range(1, 13)))]
        return tuple(out)

    def hardware_at(self, point: Mapping[str, Any], workload: Workload | None) -> LayerMachines:
        """The accelerators at a point; a step of a buffer is 16 bytes a PE."""
        machines = []
        for place in range(self.layers):
            pes, l1_bytes = int(point[f"pes_{place}"]), 16 * int(point[f"buffer_{place}"])
            l2_bytes = max(_KIB, 8 * pes * l1_bytes)
            machines.append(Connected(self.envelope, (pes,), (self.parallel,), l1_bytes, l2_bytes))
        return LayerMachines(tuple(machines))


@dataclass(frozen=True)
class EnvelopeHardware(_Within):
    """The published accelerator itself: nothing to decide but the mapping (GAMMA)."""

    @property
    def decisions(self) -> tuple[Variable, ...]:
        """None."""
        return ()

    def hardware_at(self, point: Mapping[str, Any], workload: Workload | None) -> Connected:
        """It."""
        return ENVELOPES.get(self.envelope).own
