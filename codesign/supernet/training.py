"""Training the shared parameters: deterministic for a seed, and gone on with after a kill as if there had been none."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from codesign.accuracy.augment import shifted
from codesign.accuracy.data import Dataset, check_fits
from codesign.accuracy.training import batches, recalibrate, score, tensors
from codesign.decisions import Point
from codesign.quantization.qat import QatNetwork
from codesign.seeds import derive_seed
from codesign.supernet.corners import Corners
from codesign.supernet.greedy import Greedy, Priority
from codesign.supernet.names import JUDGING
from codesign.supernet.network import Shared, SuperNetwork
from codesign.supernet.sampling import Planner, StepPlan, planner
from codesign.supernet.stabilised import skips_of
from codesign.supernet.store import Arrays, Stored, load
from mappings.cache_folder import tell
from mappings.errors import SpecError
from mappings.workload import Workload

#: Seconds between two checkpoints.
CHECKPOINT_SECONDS = 20.0
#: Held-out images that judge a network in training (You 2020: 1,000).
JUDGED = 128
#: Where an exponential schedule stops falling (BigNAS, Yu 2020).
_FLOOR = 0.05


@dataclass(frozen=True)
class TrainingOptions:
    """How a supernet is trained.

    Attributes:
        strategy: which networks share a step.
        kernel: how kernel sizes share weights.
        steps: updates; a step takes one batch of 64 images through each of its networks.
        learning_rate: the highest.
        schedule: "cosine", or "exponential" with a constant end.
        subnets: networks drawn in a step, for the strategies that draw several.
        shift_pixels: images are moved by up to so many.
        stabilised: a learned matrix stands in place of each part that a network leaves out.
        seed: of initial values, draws and batches.
    """

    strategy: str = "uniform"
    kernel: str = "crop"
    steps: int = 1000
    learning_rate: float = 0.01
    schedule: str = "cosine"
    subnets: int = 2
    shift_pixels: int = 0
    stabilised: bool = False
    seed: int = 0

    def rate(self, step: int) -> float:
        """Learning rate of a step: a warm-up of a tenth, then falling."""
        warm = max(1, self.steps // 10)
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        done = (step - warm) / max(1, self.steps - warm)
        if self.schedule == "exponential":
            return self.learning_rate * max(_FLOOR, math.exp(-4.0 * done))
        return self.learning_rate * 0.5 * (1.0 + math.cos(math.pi * done))


def new_network(corners: Corners, options: TrainingOptions) -> SuperNetwork:
    """The untrained supernet of a space."""
    shared = Shared.by(corners.covering(kernels=options.kernel != "crop"))
    if options.stabilised:
        largest = corners.workload_at(corners.largest)
        shared = replace(shared, skips=skips_of(largest, corners.covering(), corners.parts))
    return SuperNetwork(shared, options.kernel, options.seed)


class Trainer:
    """A training, from its first step or from a checkpoint.

    Args:
        corners: of the space.
        data: its training part is seen.
        options: how.
        space: digest of the space, for the file.
        told: all that decides the weights, for the file.
    """

    def __init__(
        self,
        corners: Corners,
        data: Dataset,
        options: TrainingOptions,
        space: str = "",
        told: Mapping[str, Any] | None = None,
    ) -> None:
        torch.set_num_threads(1)  # equal results whatever the machine
        check_fits(data, corners.workload_at(corners.largest))
        self.corners, self.data, self._options = corners, data, options
        self._space, self._told = space, dict(told or {})
        self.network = new_network(corners, options)
        self._plan: Planner = self._planner()
        self._optimizer = self._fresh_optimizer()
        self._teacher: QatNetwork | None = None
        self.step = 0

    def _planner(self) -> Planner:
        options = self._options
        if options.strategy in JUDGING:
            kind = Greedy if options.strategy == "greedy" else Priority
            return kind(self.corners, options.seed, options.steps, options.subnets, self._losses)
        return planner(options.strategy, self.corners, options.seed, options.steps, options.subnets)

    def _losses(self, points: Sequence[Point], step: int) -> list[float]:
        """Of networks with the weights as they are, on a draw of held-out images, with the statistics of that draw."""
        images, labels = tensors(self.data, "held_out")
        generator = torch.Generator().manual_seed(derive_seed(self._options.seed, "judged", step))
        chosen = torch.randperm(len(labels), generator=generator)[:JUDGED]
        with torch.no_grad():
            logits = [self.network(images[chosen], self.corners.workload_at(point)) for point in points]
            return [float(functional.cross_entropy(found, labels[chosen])) for found in logits]

    def _fresh_optimizer(self) -> torch.optim.AdamW:
        return torch.optim.AdamW(self.network.parameters(), lr=1e-3, betas=(0.8, 0.95), weight_decay=1e-4)

    def run(
        self, checkpoint: Path | None = None, advance: Callable[[], None] = lambda: None, until: int | None = None
    ) -> None:
        """Train to the last step (or to ``until``), keeping a checkpoint every now and then.

        Args:
            checkpoint: where; what is there is gone on from.
            advance: called after each step, also for steps that the checkpoint holds.
        """
        if checkpoint is not None and self.step == 0:
            self._resume(checkpoint)
            for _ in range(self.step):
                advance()
        options = self._options
        images, labels = tensors(self.data, "train")
        order = batches(self.data, options.steps, options.seed)
        kept = time.monotonic()
        while self.step < min(options.steps, until or options.steps):
            index = order[self.step]
            moves = torch.Generator().manual_seed(derive_seed(options.seed, "shifts", self.step))
            batch = shifted(images[index], options.shift_pixels, moves) if options.shift_pixels else images[index]
            self._update(batch, labels[index])
            self.step += 1
            advance()
            if checkpoint is not None and time.monotonic() - kept > CHECKPOINT_SECONDS:
                self.stored().save(checkpoint)
                kept = time.monotonic()
        if until is not None and checkpoint is not None and self.step < options.steps:
            self.stored().save(checkpoint)

    def _update(self, images: Tensor, labels: Tensor) -> None:
        """One step: the gradients of all its networks, then one update."""
        plan = self._plan(self.step)
        self._enter(plan)
        for group in self._optimizer.param_groups:
            group["lr"] = self._options.rate(self.step)
        self._optimizer.zero_grad()
        soft: Tensor | None = None
        if plan.teacher == "frozen":
            assert self._teacher is not None, "made when the phase began"
            with torch.no_grad():
                soft = functional.softmax(self._teacher(images), dim=1)
        taught = plan.points
        if plan.teacher == "board":
            with torch.no_grad():
                soft = functional.softmax(self.network(images, self.corners.workload_at(taught[0])), dim=1)
            taught = taught[1:]
        for place, point in enumerate(taught):
            logits = self.network(images, self.corners.workload_at(point))
            if plan.teacher == "first" and place:
                assert soft is not None, "the first of a sandwich teaches"
                loss = functional.cross_entropy(logits, soft)
            else:
                loss = functional.cross_entropy(logits, labels)
                if plan.teacher in ("frozen", "board") and soft is not None:
                    loss = 0.5 * (loss + functional.cross_entropy(logits, soft))
            if plan.teacher == "first" and not place:
                soft = functional.softmax(logits.detach(), dim=1)
            (loss / len(taught)).backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()

    def _enter(self, plan: StepPlan) -> None:
        """What happens once at the beginning of a phase of progressive shrinking."""
        if plan.phase == 0 or self._plan(self.step - 1).phase == plan.phase:
            return
        self._optimizer = self._fresh_optimizer()
        if plan.phase == 1:
            self._teacher = self.network.extract(self.corners.workload_at(self.corners.largest))
            recalibrate(self._teacher, self.data)
        self.network.sort_channels()

    def stored(self) -> Stored:
        """As a file holds it; of an unfinished training with all that it needs to go on."""
        arrays: Arrays = {f"weight/{key}": part.detach().numpy().copy() for key, part in self.network.parts.items()}
        if self.step < self._options.steps:
            for key, part in self.network.parts.items():
                for kind, value in self._optimizer.state[part].items() if part in self._optimizer.state else ():
                    arrays[f"state/{kind}/{key}"] = value.numpy().copy()
            if isinstance(self._plan, Greedy):
                arrays |= self._plan.arrays()
            if self._teacher is not None:
                arrays |= {f"teacher/{key}": value.numpy().copy() for key, value in self._teacher.state_dict().items()}
        return Stored(self._space, self._told, self.step, arrays)

    def _resume(self, path: Path) -> None:
        try:
            found = load(path, self._space)
        except SpecError as error:
            if path.exists():
                tell(f"the training begins anew: {error}")
            return
        if dict(found.told) != self._told or found.step > self._options.steps:
            return
        restore(self.network, found.arrays)
        self.step = found.step
        if isinstance(self._plan, Greedy):
            self._plan.restore(found.arrays)
        for key, part in self.network.parts.items():
            state = {
                name.split("/")[1]: torch.from_numpy(np.array(value))
                for name, value in found.arrays.items()
                if name.startswith("state/") and name.split("/", 2)[2] == key
            }
            if state:
                self._optimizer.state[part] = state
        teacher = {name[8:]: torch.from_numpy(value) for name, value in found.arrays.items() if name[:8] == "teacher/"}
        if teacher:
            self._teacher = QatNetwork(self.corners.workload_at(self.corners.largest)).eval()
            self._teacher.load_state_dict(teacher)


def restore(network: SuperNetwork, arrays: Arrays) -> None:
    """Put a file's weights in place."""
    with torch.no_grad():
        for key, part in network.parts.items():
            part.copy_(torch.from_numpy(arrays[f"weight/{key}"]))


def from_arrays(arrays: Arrays, kernel: str) -> SuperNetwork:
    """A supernet of a file's weights, without the space that it is of."""
    network = SuperNetwork(Shared({}, {}, {}, (), {}), kernel, 0)
    for name, value in arrays.items():
        if name.startswith("weight/"):
            network.parts[name[7:]] = nn.Parameter(torch.from_numpy(np.array(value)))
    return network


def measured(network: SuperNetwork, workload: Workload, data: Dataset, part: str, images: int) -> float:
    """Accuracy of one network without retraining: its batch statistics are set anew, then it is scored.

    Args:
        images: training images for the statistics.
    """
    alone = network.extract(workload)
    recalibrate(alone, data, images)
    return score(alone, data, part)
