"""Networks by the errors of their blocks, which a teacher's features trained apart, and by their accuracy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from codesign.accuracy.base import AccuracyContext
from codesign.accuracy.data import load_dataset
from codesign.accuracy.tuned import load_base
from codesign.providers.accuracy.supernet import SupernetProvider, corners_of
from codesign.providers.accuracy.tuned import kept_base
from codesign.providers.base import Candidate, Measurement
from codesign.supernet.blockwise import Blocks, BlockwiseTrainer, Ratings, prefixes_of
from codesign.supernet.store import load
from codesign.supernet.training import Trainer, TrainingOptions, from_arrays
from mappings.workload import Workload

#: Options that the workers have no use for.
_OWN = ("base_steps", "base_learning_rate", "images")


class BlockwiseProvider(SupernetProvider):
    """The teacher is the largest network of the space, trained alone; a network is put together from trained blocks.

    Stem and classifier are the teacher's, so that what is put together is a network that names images.
    """

    metrics = ("accuracy", "block_error")

    def prepare(self) -> None:
        """Find or train the teacher, then the blocks.

        Raises:
            SpecError: something outside the blocks is left to choose.
        """
        space = self._context.space
        names = prefixes_of(space)
        corners = corners_of(space)
        teacher = kept_base(self._context, corners.workload_at(corners.largest), "the teacher")
        self._blocks = Blocks(load_base(teacher)[0], names)
        super().prepare()
        data, images = load_dataset(space.network.dataset), int(self._context.options["images"])
        network = from_arrays(load(self._file).arrays, self._kernel)
        self._ratings = Ratings(network, self._blocks, data, images)

    def _trainer(self, options: TrainingOptions, space: str, told: Mapping[str, Any]) -> Trainer:
        data = load_dataset(self._context.space.network.dataset)
        return BlockwiseTrainer(corners_of(self._context.space), data, options, self._blocks, space, told)

    def _told(self) -> dict[str, Any]:
        return {**super()._told(), **{name: self._context.options[name] for name in _OWN[:2]}, "blocks": "apart"}

    def _asked(self, fidelity: float) -> AccuracyContext:
        found = super()._asked(fidelity)
        left = {name: value for name, value in found.options.items() if name not in _OWN}
        return AccuracyContext(found.seed, found.dataset, found.folder, left)

    def stream(self, candidates: Iterable[Candidate], fidelity: float = 1.0) -> Iterator[tuple[str, Measurement]]:
        """As the base's, with the error of the network's blocks."""
        workloads: dict[str, Workload] = {}

        def noted() -> Iterator[Candidate]:
            for candidate in candidates:
                assert candidate.workload is not None, "a candidate without a workload is not measured"
                workloads[candidate.network] = candidate.workload
                yield candidate

        for key, found in super().stream(noted(), fidelity):
            error = self._ratings.error(workloads[key])
            yield key, Measurement({**found.metrics, "block_error": error})
