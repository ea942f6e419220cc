"""A Dask cluster of the user's, whose workers train networks in place of processes of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from typing import Any

from mappings.errors import Fault, SpecError

FORMS = "dask://HOST:PORT of a scheduler"
_CONNECT_S = 20.0
#: How often a cluster in which nothing finishes is looked at, and how long it may be without any worker.
_LOOK_S, _WORKERLESS_S = 5.0, 60.0
#: Where the errors of a cluster come from; a call that is cancelled has lost its scheduler.
_OF_DASK = ("distributed", "dask", "builtins", "asyncio", "concurrent")


class Cluster:
    """A connection to a scheduler, kept until it is closed.

    Args:
        url: ``dask://HOST:PORT``.

    Raises:
        SpecError: Dask is not installed, nobody answers, there are no workers, or one has several threads: training
            sets the seed of its process.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        where, address = f"--executor {url}", check_executor(url)
        try:
            import distributed
        except ImportError:
            raise SpecError(Fault(where, "Dask is not installed", "pip install 'codesign[dask]'")) from None
        try:
            self._client = distributed.Client(f"tcp://{address}", timeout=_CONNECT_S, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise SpecError(Fault(where, f"cannot be reached: {_first_line(error)}", FORMS)) from None
        threads = self._client.nthreads()
        if not threads or max(threads.values()) > 1:
            self.close()
            what = "a worker has several threads" if threads else "has no workers"
            raise SpecError(Fault(where, what, f"dask worker {address} --nworkers N --nthreads 1"))
        self.workers = len(threads)
        self._executor = self._client.get_executor()

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Have a worker call a function."""
        future: Future[Any] = self._executor.submit(function, *arguments)
        return future

    def finished(self, futures: Iterable[Future[Any]]) -> set[Future[Any]]:
        """Calls that have finished; waits for one. What a lost worker was at is begun again by another.

        Raises:
            SpecError: the scheduler is gone, or for a minute there was no worker, which Dask would wait for for ever.
        """
        waiting, without = list(futures), 0.0
        while not (done := wait(waiting, _LOOK_S, FIRST_COMPLETED).done):
            with self.faults():
                without = 0.0 if self._client.nthreads() else without + _LOOK_S
            if without >= _WORKERLESS_S:
                allowed = f"dask worker {check_executor(self._url)} --nthreads 1, then --resume"
                raise SpecError(Fault(f"--executor {self._url}", "all its workers are gone", allowed))
        return done

    @contextmanager
    def faults(self) -> Iterator[None]:
        """What goes wrong in the cluster rather than in the call becomes one line.

        Raises:
            SpecError: in place of it.
        """
        try:
            yield
        except SpecError:
            raise
        except Exception as error:
            ours = type(error).__module__.partition(".")[0] not in _OF_DASK
            lost = isinstance(error, ModuleNotFoundError | OSError)
            if ours or (type(error).__module__ == "builtins" and not lost):
                raise
            what, allowed = f"failed: {_first_line(error)}", "workers with this codesign installed, then --resume"
            raise SpecError(Fault(f"--executor {self._url}", what, allowed)) from None

    def close(self) -> None:
        """Leave the cluster as it is."""
        self._client.close()


def check_executor(url: str) -> str:
    """HOST:PORT of a scheduler.

    Raises:
        SpecError: another kind of address.
    """
    scheme, _, address = url.partition("://")
    host, _, port = address.rpartition(":")
    if scheme != "dask" or not host or not port.isdigit():
        raise SpecError(Fault("--executor", f"is {url[:80]!r}", FORMS))
    return address


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
