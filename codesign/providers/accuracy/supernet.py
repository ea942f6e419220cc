"""Accuracy from a supernet: one training for all networks of a space, kept by digest for every recipe and device."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codesign.accuracy.base import AccuracyContext
from codesign.accuracy.data import load_dataset
from codesign.contents import by_content
from codesign.decisions import Point
from codesign.providers.accuracy.kept import kept_once
from codesign.providers.accuracy.train import TrainProvider
from codesign.providers.base import ProviderContext
from codesign.spaces.search_space import NETWORK_GROUPS
from codesign.supernet.corners import Corners
from codesign.supernet.store import FORMAT, Stored, load
from codesign.supernet.training import Trainer, TrainingOptions
from mappings.errors import SpecError
from mappings.workload import Workload
from mappings.yamlio import digest

#: Options that decide the shared weights; the others say what is done with them.
_TRAINING = ("strategy", "kernel", "steps", "learning_rate", "schedule", "subnets", "shift_pixels", "stabilised")


class SupernetProvider(TrainProvider):
    """A supernet and workers that take networks out of it.

    Args:
        context: of the run. The supernet is kept in the run's folder and, for other runs, in the cache; option ``file``
            names one that is taken as it is.
    """

    def __init__(self, context: ProviderContext) -> None:
        super().__init__(context, "supernet")
        self._file = Path()

    def prepare(self) -> None:
        """Find the supernet, or train it; an unfinished training is gone on with.

        Raises:
            SpecError: ``file`` is no supernet, or one of another version or space.
        """
        options = self._context.options
        space, told = space_digest(self._context.space), self._told()
        if options.get("file"):
            self._file = Path(options["file"])
            self._kernel = str(load(self._file, space).told.get("kernel", "crop"))
            return
        self._kernel = str(options["kernel"])
        self._file = kept_once(
            f"supernet-{digest(told)[:16]}.npz",
            self._context.folder,
            lambda path: _whole(path, space, told),
            lambda path: self._train(path, space, told),
        )

    def _train(self, cached: Path, space: str, told: Mapping[str, Any]) -> None:
        options = TrainingOptions(**self._how(), seed=self._context.seed)
        trainer = self._trainer(options, space, told)
        checkpoint = cached.with_suffix(".part.npz")
        with self._context.reporter.task("training the supernet", options.steps) as advance:
            trainer.run(checkpoint, advance)
        trainer.stored().save(cached)
        checkpoint.unlink(missing_ok=True)

    def _trainer(self, options: TrainingOptions, space: str, told: Mapping[str, Any]) -> Trainer:
        data = load_dataset(self._context.space.network.dataset)
        return Trainer(corners_of(self._context.space), data, options, space, told)

    def _told(self) -> dict[str, Any]:
        """All that decides the shared weights."""
        data = load_dataset(self._context.space.network.dataset)
        space = space_digest(self._context.space)
        return {"format": FORMAT, "space": space, "data": data.digest, "seed": self._context.seed, **self._how()}

    def _how(self) -> dict[str, Any]:
        return {name: value for name, value in self._context.options.items() if name in _TRAINING}

    def _asked(self, fidelity: float) -> AccuracyContext:
        options = {name: value for name, value in self._context.options.items() if name not in ("file", *_TRAINING)}
        told = {**options, "file": str(self._file), "kernel": self._kernel}
        told["deploy_shift_pixels"] = told["tune_shift_pixels"] = self._context.options["shift_pixels"]
        return AccuracyContext(self._context.seed, self._context.space.network.dataset, self._context.folder, told)


def _whole(path: Path, space: str, told: Mapping[str, Any]) -> bool:
    """Whether a finished supernet of just this training is there."""
    try:
        found: Stored = load(path, space)
    except SpecError:
        return False
    return dict(found.told) == dict(told) and found.step == int(told["steps"])


def corners_of(space: Any) -> Corners:
    """Largest, smallest and covering networks of a search space, compression included.

    Args:
        space: a :class:`codesign.spaces.search_space.SearchSpace`.
    """

    def workload_at(point: Point) -> Workload:
        found: Workload | None = space.network_at(point).workload
        assert found is not None, "a trainable space has workloads"
        return found

    cells = getattr(space.network, "cells", ())  # of a space of repeated cells their number
    parts = tuple(prefix for prefix, _ in cells) if isinstance(cells, tuple) else ()
    return Corners.of(space.decisions.of_groups(*NETWORK_GROUPS), workload_at, parts)


def space_digest(space: Any) -> str:
    """Of a search space's networks alone: what builds them and the choices that are left."""
    whole = space.to_dict()
    own = [item for item in whole["decisions"] if item["group"] in NETWORK_GROUPS]
    return digest(
        by_content({"network": whole.get("network"), "compression": whole.get("compression"), "decisions": own})
    )
