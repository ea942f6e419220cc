"""Networks trained a little, and how much they see images as a trained teacher does (Bashivan 2019)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch

from codesign.accuracy.augment import Augmentation
from codesign.accuracy.data import check_fits, load_dataset
from codesign.accuracy.likeness import features, likeness, similarities
from codesign.accuracy.training import Training, recalibrate, score, tensors, train
from codesign.accuracy.tuned import load_base
from codesign.controllers.threads import one_thread
from codesign.providers.accuracy.supernet import corners_of
from codesign.providers.accuracy.tuned import kept_base
from codesign.providers.base import Candidate, Measurement, ProviderContext
from codesign.quantization.qat import QatNetwork
from codesign.seeds import derive_seed
from mappings.workload import Workload


class TaughtProvider:
    """The teacher is the largest network of the space, trained alone; each other is trained for some steps.

    Options: ``steps`` and ``learning_rate`` of a network; ``images`` of held-out ones on which it is compared with the
    teacher; ``base_steps``, ``base_learning_rate`` and ``shift_pixels`` of the teacher.

    Args:
        context: of the run.
    """

    metrics = ("accuracy", "teacher_likeness")
    needs = ("workload",)
    key = "network"

    def __init__(self, context: ProviderContext) -> None:
        self._context = context

    def prepare(self) -> None:
        """Find or train the teacher."""
        options, space = self._context.options, self._context.space
        corners = corners_of(space)
        teacher = kept_base(self._context, corners.workload_at(corners.largest), "the teacher")
        self._data = load_dataset(space.network.dataset)
        self._images = tensors(self._data, "held_out")[0][: int(options["images"])]
        self._taught = similarities(features(load_base(teacher)[0], self._images))

    def measure(self, candidates: Sequence[Candidate]) -> list[Measurement]:
        """Accuracy and likeness of each network after its training."""
        return [found for _, found in self.stream(candidates)]

    def stream(self, candidates: Iterable[Candidate], fidelity: float = 1.0) -> Iterator[tuple[str, Measurement]]:
        """As :meth:`measure`, one by one."""
        steps = max(1, round(int(self._context.options["steps"]) * fidelity))
        for candidate in candidates:
            assert candidate.workload is not None, "a candidate without a workload is not measured"
            accuracy, alike = self.judged(candidate.workload, steps)
            yield candidate.network, Measurement({"accuracy": accuracy, "teacher_likeness": alike})

    @one_thread
    def judged(self, workload: Workload, steps: int) -> tuple[float, float]:
        """Held-out accuracy of a network after so many steps, and its likeness to the teacher."""
        check_fits(self._data, workload)
        seed = derive_seed(self._context.seed, "taught", workload.digest)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = QatNetwork(workload)
            how = Training(steps, float(self._context.options["learning_rate"]), augmentation=Augmentation(0))
            train(network, self._data, how, seed)
        recalibrate(network, self._data)
        return score(network, self._data, "held_out"), likeness(
            similarities(features(network, self._images)), self._taught
        )
