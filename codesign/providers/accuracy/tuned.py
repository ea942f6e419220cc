"""Accuracy of compressed networks that keep a trained network's weights: trained once, each form is tuned a little."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codesign.accuracy.base import AccuracyContext
from codesign.accuracy.data import load_dataset
from codesign.accuracy.tuned import load_base, train_base
from codesign.providers.accuracy.kept import kept_once
from codesign.providers.accuracy.train import TrainProvider
from codesign.providers.base import ProviderContext
from codesign.spaces.search_space import SearchSpace
from mappings.errors import Fault, SpecError
from mappings.workload import Workload
from mappings.yamlio import digest

#: Options that decide the weights of the one network; the others say what is done with them.
_TRAINING = ("base_steps", "base_learning_rate", "shift_pixels")


class TunedProvider(TrainProvider):
    """The network as it is before its compression, trained, and workers that take compressed forms of it.

    Args:
        context: of the run. The trained network is kept in the run's folder and, for other runs, in the cache.
    """

    def __init__(self, context: ProviderContext) -> None:
        super().__init__(context, "tuned")
        self._file = Path()

    def prepare(self) -> None:
        """Find the trained network, or train it.

        Raises:
            SpecError: the space has several networks.
        """
        self._file = kept_base(self._context, whole_network(self._context.space), "the network to compress")

    def _asked(self, fidelity: float) -> AccuracyContext:
        options = {name: value for name, value in self._context.options.items() if name not in _TRAINING}
        told = {**options, "file": str(self._file)}
        told["deploy_shift_pixels"] = told["tune_shift_pixels"] = self._context.options["shift_pixels"]
        return AccuracyContext(self._context.seed, self._context.space.network.dataset, self._context.folder, told)


def kept_base(context: ProviderContext, workload: Workload, what: str) -> Path:
    """The file of a network that is trained by the options of :data:`_TRAINING`: found, or made.

    Args:
        what: it is, for progress.
    """
    data = load_dataset(context.space.network.dataset)
    given = {name: context.options[name] for name in _TRAINING}
    told: dict[str, Any] = {"network": workload.digest, "data": data.digest, "seed": context.seed, **given}

    def whole(path: Path) -> bool:
        try:
            return load_base(path)[1] == told
        except SpecError:
            return False

    def make(path: Path) -> None:
        steps, rate, shift = (given[name] for name in _TRAINING)
        with context.reporter.task(f"training {what}", steps) as advance:
            train_base(workload, data, (steps, rate, shift), context.seed, told, path, advance)

    return kept_once(f"base-{digest(told)[:16]}.npz", context.folder, whole, make)


def whole_network(space: SearchSpace) -> Workload:
    """The one network of a space as it is before its compression.

    Raises:
        SpecError: the space has several networks.
    """
    networks = space.decisions.of_groups("network")
    if networks.size != 1:
        what = f"compresses one network, and the space has {networks.size:,.0f}"
        raise SpecError(Fault("provider tuned", what, "one choice of each decision of the network"))
    found = space.network.network_at({decision.name: decision.choices[-1] for decision in networks.choices}).workload
    assert found is not None, "a trainable space has workloads"
    return found
