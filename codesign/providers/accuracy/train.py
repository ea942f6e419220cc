"""Accuracy by training each network from scratch, in worker processes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager

from codesign.accuracy.base import AccuracyContext
from codesign.accuracy.pool import AccuracyPool
from codesign.providers.base import Candidate, Measurement, ProviderContext
from mappings.errors import Fault, SpecError
from mappings.workload import Workload


class TrainProvider(AbstractContextManager["TrainProvider"]):
    """A pool of workers that is opened when the first network comes.

    Args:
        context: of the run; weights for deployment are kept in its folder's ``networks``.
        evaluator: registered name of what the workers run.
    """

    metrics: tuple[str, ...] = ("accuracy",)
    needs = ("workload",)
    key = "network"

    def __init__(self, context: ProviderContext, evaluator: str = "train") -> None:
        self._context, self._evaluator = context, evaluator
        self._pools: dict[int, AccuracyPool] = {}

    def prepare(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, *exc: object) -> None:
        for pool in self._pools.values():
            pool.__exit__(*exc)
        self._pools.clear()

    def _asked(self, fidelity: float) -> AccuracyContext:
        """What workers are told where a share of the search's steps is trained."""
        options = dict(self._context.options)
        if "search_steps" in options:
            options["search_steps"] = max(1, round(options["search_steps"] * fidelity))
        folder, dataset = self._context.folder, self._context.space.network.dataset
        return AccuracyContext(self._context.seed, dataset, folder, options)

    def _pool(self, fidelity: float = 1.0) -> AccuracyPool:
        told = self._asked(fidelity)
        level = int(told.options.get("search_steps", 0))
        if level not in self._pools:
            self._pools[level] = AccuracyPool(
                self._evaluator, told, self._context.jobs, self._context.cluster
            ).__enter__()
        return self._pools[level]

    def measure(self, candidates: Sequence[Candidate]) -> list[Measurement]:
        """Accuracy of each network on held-out images; equal networks are trained once."""
        found = dict(self.stream(candidates))
        return [found[candidate.network] for candidate in candidates]

    def stream(self, candidates: Iterable[Candidate], fidelity: float = 1.0) -> Iterator[tuple[str, Measurement]]:
        """Each network's key with its accuracy, as it is known: what is kept at once survives a kill.

        Args:
            candidates: each is asked for when a worker is free to train it.
            fidelity: share of the search's steps that are trained.
        """
        keys: dict[str, str] = {}

        def workloads() -> Iterator[Workload]:
            for candidate in candidates:
                assert candidate.workload is not None, "a candidate without a workload is not trained"
                if candidate.workload.digest not in keys:
                    keys[candidate.workload.digest] = candidate.network
                    yield candidate.workload

        for workload, accuracy in self._pool(fidelity).run("measure", workloads()):
            yield keys[workload.digest], Measurement({"accuracy": float(accuracy)})

    def deploy(self, workloads: Sequence[Workload]) -> Iterator[tuple[Workload, dict[str, float]]]:
        """Train each network for deployment and keep its weights; accuracies of the integer network by part.

        Raises:
            SpecError: a cluster's worker kept them elsewhere.
        """
        for workload, found in self._pool().run("finish", workloads):
            weights = (self._context.folder / workload.digest[:16]).with_suffix(".npz")
            if self._context.cluster is not None and not weights.exists():
                what = "is not there: the cluster's workers have another folder of that name"
                raise SpecError(
                    Fault(str(weights), what, "a run's folder that the workers share (--out), then --resume")
                )
            yield workload, found
