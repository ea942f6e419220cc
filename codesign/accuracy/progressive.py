"""Progressive training (Tan 2021, EfficientNetV2): small images with weak augmentation first, both growing by stages.

A network of convolutions takes any extent with the same weights, and small images cost less; strong augmentation of
small images hurts, so the two grow together.
"""

from __future__ import annotations

from dataclasses import dataclass

from mappings.errors import Fault, SpecError
from mappings.layer import Op
from mappings.workload import Workload

#: Rows and columns that an image has at least.
LEAST_EXTENT = 4


@dataclass(frozen=True)
class Progressive:
    """How images and augmentation grow.

    Attributes:
        stages: equal parts of the training; 1: nothing grows.
        first_extent: rows and columns of the first stage, as a share of the network's.
        first_strength: of the augmentation of the first stage, as a share of the whole.
    """

    stages: int = 1
    first_extent: float = 1.0
    first_strength: float = 1.0

    def _done(self, step: int, steps: int) -> float:
        """0 in the first stage, 1 in the last."""
        return min(step * self.stages // steps, self.stages - 1) / (self.stages - 1) if self.stages > 1 else 1.0

    def extent(self, whole: int, step: int, steps: int) -> int:
        """Rows and columns of the images of a step of so many, for a network of ``whole`` rows and columns."""
        share = self.first_extent + (1.0 - self.first_extent) * self._done(step, steps)
        return max(min(LEAST_EXTENT, whole), round(share * whole))

    def strength(self, step: int, steps: int) -> float:
        """Of the augmentation of a step."""
        return self.first_strength + (1.0 - self.first_strength) * self._done(step, steps)

    def work(self, whole: int, steps: int) -> float:
        """Places that all images of a training have, against those of as many steps at the whole extent."""
        return sum(self.extent(whole, step, steps) ** 2 for step in range(steps)) / (steps * whole**2)

    def check(self, workload: Workload) -> None:
        """Whether a network takes images of any extent.

        Raises:
            SpecError: it does not, and images are to grow.
        """
        if self.stages == 1 or self.first_extent == 1.0:
            return
        pools = {layer.name for layer in workload.layers if layer.op is Op.AVGPOOL}
        for layer in workload.layers:
            grows = layer.op in (Op.CONV, Op.ADD, Op.MUL, Op.AVGPOOL)
            if not grows and not (layer.op is Op.LINEAR and layer.inputs[0] in pools):
                what = f"is {layer.op} over a fixed extent, and images are to grow in training"
                raise SpecError(Fault(f"layer {layer.name}", what, "convolutions and means of whole channels"))
