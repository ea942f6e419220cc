"""Accuracy in worker processes: networks side by side, one thread each, results as they come."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext
from itertools import islice
from traceback import format_exc
from typing import Any

from codesign.accuracy.base import ACCURACY, AccuracyContext, AccuracyEvaluator
from codesign.accuracy.cluster import Cluster
from codesign.accuracy.guard import GUARD
from mappings.cache_folder import tell
from mappings.errors import Fault, SpecError
from mappings.workload import Workload

#: Of a worker process: what makes its evaluator, and the evaluator once it was needed.
_asked: tuple[str, AccuracyContext] | None = None
_evaluator: AccuracyEvaluator | None = None
#: What a worker of a cluster has made: one evaluator a process.
_made: tuple[str, AccuracyContext, AccuracyEvaluator] | None = None


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
    global _asked  # noqa: PLW0603 - one evaluator a worker process
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle; it ends its workers
    threading.Thread(target=_leave_with_parent, args=(parent,), daemon=True).start()
    os.nice(5)  # the terminal stays responsive
    _asked = name, context


def _work(purpose: str, workload: Workload) -> Any:
    """In a worker, which makes its evaluator here: an error of its making reaches the run as itself."""
    global _evaluator  # noqa: PLW0603 - one evaluator a worker process
    if _evaluator is None:
        assert _asked is not None
        _evaluator = make_evaluator(*_asked)
    return getattr(_evaluator, purpose)(workload)


def _work_there(name: str, context: AccuracyContext, purpose: str, workload: Workload) -> tuple[bool, Any]:
    """In a worker of a cluster, which knows nothing but what comes with the call.

    Returns:
        whether it came to an end, and the result or the error. An error is a result for Dask: it would do the call
        again, to the same end, and never hands on an error that cannot be pickled.
    """
    global _made  # noqa: PLW0603 - data are read once a worker process
    try:
        if _made is None or _made[:2] != (name, context):
            _made = (name, context, make_evaluator(name, context))
        return True, getattr(_made[2], purpose)(workload)
    except (SpecError, OSError, ImportError) as error:
        return False, error
    except Exception as error:
        return False, RuntimeError(f"in a worker of the cluster: {type(error).__name__}: {error}\n{format_exc(-3)}")


class AccuracyPool:
    """Measures many networks.

    Args:
        name: registered evaluator.
        context: what it is told.
        jobs: worker processes; 0 works in this one.
        cluster: in place of them, where one is given.
    """

    def __init__(self, name: str, context: AccuracyContext, jobs: int, cluster: Cluster | None = None) -> None:
        self._name, self._context, self._jobs = name, context, jobs
        self._pool: ProcessPoolExecutor | None = None
        self._local: AccuracyEvaluator | None = None
        self._cluster = cluster

    def __enter__(self) -> AccuracyPool:
        if self._cluster is not None:
            self._jobs = self._cluster.workers
        elif self._jobs == 0:
            self._local = make_evaluator(self._name, self._context)
        else:
            self._pool = self._start(self._jobs)
        return self

    def _start(self, jobs: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            jobs,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start_worker,
            initargs=(self._name, self._context, os.getpid()),
        )

    def __exit__(self, *exc: object) -> None:
        if self._pool is not None:
            if exc[0] is not None:
                for worker in _workers(self._pool):
                    worker.terminate()
            self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, purpose: str, workloads: Iterable[Workload]) -> Iterator[tuple[Workload, Any]]:
        """Each workload with its result, in the order in which they finish.

        Where the system ends a worker (as it does when memory runs out), what is finished stays, and the rest goes on
        with one worker fewer.

        Args:
            purpose: "measure" or "finish".
            workloads: the next one is asked for when a worker is free.

        Raises:
            SpecError: the last worker was ended too, or one ended by itself.
        """
        if self._local is not None:
            for workload in workloads:
                yield workload, getattr(self._local, purpose)(workload)
            return
        coming, begun = iter(workloads), list[Workload]()
        while True:
            futures: dict[Future[Any], Workload] = {}
            try:
                for workload in begun:
                    futures[self._submit(purpose, workload)] = workload
                while True:
                    for workload in islice(coming, max(self._jobs - len(futures), 0)):
                        begun.append(workload)
                        futures[self._submit(purpose, workload)] = workload
                    if not futures:
                        return
                    done = list(self._finished(futures))
                    while done:
                        future = done.pop()
                        with self._cluster.faults() if self._cluster is not None else nullcontext():
                            result, workload = self._result(future), futures[future]
                        # Nothing refers to it now: a cluster works a result out again whose worker was lost, as long
                        # as somebody might ask for it.
                        del futures[future], future
                        begun.remove(workload)
                        yield workload, result
            except BrokenProcessPool:
                # Results that came before the pool broke, and were not yielded yet, are not worked out again.
                for future, workload in futures.items():
                    if future.done() and future.exception() is None:
                        begun.remove(workload)
                        yield workload, future.result()
                self._go_on_with_fewer()

    def _finished(self, futures: Iterable[Future[Any]]) -> set[Future[Any]]:
        if self._cluster is not None:
            return self._cluster.finished(futures)
        return wait(futures, return_when=FIRST_COMPLETED).done

    def _result(self, future: Future[Any]) -> Any:
        if self._cluster is None:
            return future.result()
        whole, found = future.result()
        if not whole:
            raise found
        return found

    def _submit(self, purpose: str, workload: Workload) -> Future[Any]:
        if self._cluster is not None:
            return self._cluster.submit(_work_there, self._name, self._context, purpose, workload)
        assert self._pool is not None, "use it as a context manager"
        return self._pool.submit(_work, purpose, workload)

    def _go_on_with_fewer(self) -> None:
        assert self._pool is not None
        workers = _workers(self._pool)
        self._pool.shutdown(wait=True, cancel_futures=True)
        statuses = [worker.exitcode for worker in workers if worker.exitcode]
        if failed := [status for status in statuses if status > 0]:  # a signal's is negative
            what = f"a worker process ended by itself with status {failed[0]}; its words are above"
            raise SpecError(Fault("accuracy", what, GUARD))
        ended = "a worker process was ended by the system, perhaps for memory"
        if self._jobs == 1:
            raise SpecError(Fault("accuracy", f"{ended}, and it was the last", "more memory, then --resume"))
        self._jobs -= 1
        tell(f"{ended}; going on with --jobs {self._jobs}")
        self._pool = self._start(self._jobs)


def _workers(pool: ProcessPoolExecutor) -> list[multiprocessing.process.BaseProcess]:
    """The pool's own processes, and no other child of the program that it runs in."""
    return list((pool._processes or {}).values())
