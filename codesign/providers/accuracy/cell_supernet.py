"""Accuracy of NAS-Bench-201's cells from one shared training of them all, where no table is to be believed or had."""

from __future__ import annotations

import fcntl
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from accel_models.jit import cache_dir
from codesign.accuracy.data import Dataset, load_dataset
from codesign.accuracy.splits import check_batch
from codesign.providers.base import Candidate, Measurement, ProviderContext
from codesign.spaces.network.nasbench201 import operations_of
from codesign.supernet.cells import CellSuperNetwork, CellTraining, scored, train_cells
from mappings.cache_folder import own_folder
from mappings.errors import Fault, SpecError
from mappings.yamlio import digest


class CellSupernetProvider:
    """Cells by their part of the shared weights, on held-out images.

    Args:
        context: options are those of :class:`CellTraining`, ``data`` and ``images`` (that score). The weights are kept
            in the cache by a digest of all that decides them, for every run that asks for the same.
    """

    metrics = ("accuracy",)
    needs = ("network",)
    key = "network"

    def __init__(self, context: ProviderContext) -> None:
        self._context = context
        self._how = CellTraining(**{item.name: context.options[item.name] for item in fields(CellTraining)})
        self._data: Dataset | None = None
        self._network: CellSuperNetwork | None = None

    def prepare(self) -> None:
        """Train the cells, or go on with what a kill left.

        Raises:
            SpecError: no such data set, images without colours, or fewer of them than a batch.
        """
        name = str(self._context.options["data"])
        self._data = load_dataset(name, "providers.cell_supernet.data")
        if self._data.channels != 3:
            what = f"has images of {self._data.channels} channel(s)"
            raise SpecError(Fault(name, what, "colour images, as NAS-Bench-201's networks take them"))
        check_batch(self._data, self._how.batch, "providers.cell_supernet")
        folder = own_folder(cache_dir()) / "supernets"
        folder.mkdir(parents=True, exist_ok=True)
        told = digest({"how": repr(self._how), "seed": self._context.seed, "data": self._data.digest})
        file: Path = folder / f"cells-{told[:16]}.npz"
        with file.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # of several runs that need it one trains it, and the others wait
            with self._context.reporter.task("training the shared cells", self._how.steps) as advance:
                self._network = train_cells(self._how, self._data, self._context.seed, file, advance)

    def measure(self, candidates: Sequence[Candidate]) -> list[Measurement]:
        """Accuracy of each cell on held-out images."""
        assert self._network is not None and self._data is not None, "prepared before"
        out, images = [], int(self._context.options["images"])
        for candidate in candidates:
            operations = operations_of(candidate.network)
            if operations is None:
                what = "scores cells in real numbers, and is asked for a compressed network"
                raise SpecError(Fault("providers.cell_supernet", what, "compression: none"))
            out.append(Measurement({"accuracy": scored(self._network, operations, self._data, images)}))
        return out
