"""Capsules with routing by agreement: what NASCaps searches (Marchisio 2020), for small images.

A strided convolution, then one for each type of primary capsule: every position of its map is a capsule of some
channels. Each votes, by weights that a type's positions share, for the poses of the output capsules. Routing weighs
the votes: an output capsule's pose is the normalised sum of the votes for it, in which a vote weighs more the more it
agrees with the pose of the round before; and so on for some rounds. The poses go to the classifier.

Agreements are products and poses are normalised by a layer norm, as in Tsai (2020), where Sabour (2017) squashes their
lengths. The weights of the votes for one output capsule sum to 1 over the positions of a type; there, each capsule's
own weights sum to 1 over the output capsules: the hardware's softmax goes along the channels of a row, where positions
lie. In the first round all weights are equal. Poses of a multiple of the array's channel word run on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from codesign.decisions import Decision
from codesign.spaces.network import IMAGES, Network
from codesign.spaces.network.building import Builder
from codesign.spaces.network.transformer import Tokens
from mappings.layer import Bits, Layer, Op
from mappings.workload import TensorShape, Workload


@dataclass(frozen=True)
class CapsuleSpace:
    """The space for one image size.

    Attributes:
        channels, extent, classes, dataset: as in the elastic space.
        widths, kernels: of the first convolution.
        types: numbers of types of primary capsules.
        dimensions: channels of a primary capsule.
        capsules, poses: numbers of output capsules, and channels of one's pose.
        rounds: of routing; 1: all votes weigh alike.
    """

    channels: int = 1
    extent: int = 28
    classes: int = 10
    dataset: str = IMAGES
    widths: tuple[int, ...] = (8, 16, 24)
    kernels: tuple[int, ...] = (3, 5)
    types: tuple[int, ...] = (1, 2)
    dimensions: tuple[int, ...] = (4, 8)
    capsules: tuple[int, ...] = (6, 10)
    poses: tuple[int, ...] = (8, 16)
    rounds: tuple[int, ...] = (1, 2, 3)

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """In the order of the network."""
        return tuple(
            Decision(name, "network", tuple(sorted(choices)))
            for name, choices in (
                ("stem_width", self.widths),
                ("stem_kernel", self.kernels),
                ("types", self.types),
                ("dimension", self.dimensions),
                ("capsules", self.capsules),
                ("pose", self.poses),
                ("rounds", self.rounds),
            )
        )

    def network_at(self, point: Mapping[str, Any]) -> Network:
        """The network at a point, with 8-bit data."""
        return Network(workload=self.workload(point))

    def workload(self, point: Mapping[str, Any]) -> Workload:
        """Its layers; the name is "capsules"."""
        net = Builder(Bits(), self.channels, self.extent)
        net.conv("stem", int(point["stem_width"]), int(point["stem_kernel"]), 2, relu=True)
        stem, width, side = net.tensor, net.channels, net.extent
        count, pose = int(point["capsules"]), int(point["pose"])
        votes = []
        for number in range(1, int(point["types"]) + 1):
            net.tensor, net.channels, net.extent = stem, width, side
            net.conv(f"t{number}_primary", int(point["dimension"]), 3, 2, relu=False)
            tokens = Tokens(net.layers, net.extent**2, net.channels)
            flat = tokens.append(f"t{number}_capsules", Op.RESHAPE, net.tensor, groups=net.channels)
            read = tokens.norm(f"t{number}_norm", flat)
            votes.append(tokens.append(f"t{number}_votes", Op.LINEAR, read, K=count * pose, C=net.channels))
        routing = _Routing(net.layers, votes, net.extent**2, count, pose)
        poses = routing.first()
        for number in range(2, int(point["rounds"]) + 1):
            poses = routing.again(number, poses)
        net.layers.append(Layer("fc", Op.LINEAR, K=self.classes, C=count * pose, inputs=(poses,)))
        image = TensorShape("image", C=self.channels, H=self.extent, W=self.extent)
        return Workload("capsules", (image,), tuple(net.layers))


class _Routing:
    """Rounds of routing.

    Args:
        layers: those before, to which others are appended.
        votes: of each type, [capsules * pose] channels a position.
        positions: of a type's capsules.
        count, pose: output capsules, and channels of each.
    """

    def __init__(self, layers: list[Layer], votes: list[str], positions: int, count: int, pose: int) -> None:
        self._layers, self._votes = layers, votes
        self._positions, self._count, self._pose = positions, count, pose

    def first(self) -> str:
        """Poses where all votes weigh alike: their means; what scales them is gone with the norm."""
        parts = []
        for number, votes in enumerate(self._votes, 1):
            shape = {"groups": self._count * self._pose, "R": self._positions}
            self._layers.append(Layer(f"r1t{number}_mean", Op.AVGPOOL, **shape, inputs=(votes,)))  # type: ignore[arg-type] # extents
            parts.append(f"r1t{number}_mean")
        return self._normalised("r1", parts)

    def again(self, number: int, poses: str) -> str:
        """Poses of another round, by how votes agree with those so far."""
        parts = []
        capsules, places = self._count, self._positions
        for kind, votes in enumerate(self._votes, 1):
            name, one = f"r{number}t{kind}", Tokens(self._layers, 1, 0)
            agreed = {"groups": capsules, "K": places, "C": self._pose, "transpose_b": True}
            one.append(f"{name}_agreement", Op.MATMUL, poses, votes, **agreed)
            one.append(f"{name}_weights", Op.SOFTMAX, f"{name}_agreement", groups=capsules, K=places, C=places)
            summed = {"groups": capsules, "K": self._pose, "C": places}
            parts.append(one.append(f"{name}_sum", Op.MATMUL, f"{name}_weights", votes, **summed))
        return self._normalised(f"r{number}", parts)

    def _normalised(self, name: str, parts: list[str]) -> str:
        channels = self._count * self._pose
        one, total = Tokens(self._layers, 1, channels), parts[0]
        for place, part in enumerate(parts[1:], 2):
            total = one.append(f"{name}_add{place}", Op.ADD, total, part, groups=channels)
        return one.norm(f"{name}_poses", total)
