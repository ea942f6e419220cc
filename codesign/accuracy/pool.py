"""Accuracy in worker processes: networks side by side, one thread each, results as they come."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from typing import Any

from codesign.accuracy.base import ACCURACY, AccuracyContext, AccuracyEvaluator
from mappings.workload import Workload

_evaluator: AccuracyEvaluator | None = None


def make_evaluator(name: str, context: AccuracyContext) -> AccuracyEvaluator:
    """The evaluator of that name; options that the context leaves out take their defaults.

    Raises:
        SpecError: unknown name or option.
    """
    plugin = ACCURACY.get(name, "accuracy")
    options = plugin.checked(context.options, "accuracy_options")
    return plugin.load()(AccuracyContext(context.seed, context.dataset, context.folder, options))


def _leave_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _start_worker(name: str, context: AccuracyContext, parent: int) -> None:
    global _evaluator  # noqa: PLW0603 - one evaluator a worker process
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle; it ends its workers
    threading.Thread(target=_leave_with_parent, args=(parent,), daemon=True).start()
    os.nice(5)  # the terminal stays responsive
    _evaluator = make_evaluator(name, context)


def _work(purpose: str, workload: Workload) -> Any:
    assert _evaluator is not None
    return getattr(_evaluator, purpose)(workload)


class AccuracyPool:
    """Measures many networks.

    Args:
        name: registered evaluator.
        context: what it is told.
        jobs: worker processes; 0 works in this one.
    """

    def __init__(self, name: str, context: AccuracyContext, jobs: int) -> None:
        self._name, self._context, self._jobs = name, context, jobs
        self._pool: ProcessPoolExecutor | None = None
        self._local: AccuracyEvaluator | None = None

    def __enter__(self) -> AccuracyPool:
        if self._jobs == 0:
            self._local = make_evaluator(self._name, self._context)
        else:
            self._pool = ProcessPoolExecutor(
                self._jobs,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_start_worker,
                initargs=(self._name, self._context, os.getpid()),
            )
        return self

    def __exit__(self, *exc: object) -> None:
        if self._pool is not None:
            if exc[0] is not None:
                for worker in self._workers():
                    worker.terminate()
            self._pool.shutdown(wait=True, cancel_futures=True)

    @staticmethod
    def _workers() -> list[multiprocessing.process.BaseProcess]:
        return list(multiprocessing.active_children())

    def run(self, purpose: str, workloads: Sequence[Workload]) -> Iterator[tuple[Workload, Any]]:
        """Each workload with its result, in the order in which they finish.

        Args:
            purpose: "measure" or "finish".
        """
        if self._local is not None:
            for workload in workloads:
                yield workload, getattr(self._local, purpose)(workload)
            return
        assert self._pool is not None, "use it as a context manager"
        futures: dict[Future[Any], Workload] = {self._pool.submit(_work, purpose, w): w for w in workloads}
        for future in as_completed(futures):
            yield futures[future], future.result()
