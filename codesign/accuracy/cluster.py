"""A Dask cluster of the user's, whose workers train networks in place of processes of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from mappings.errors import Fault, SpecError

FORMS = "dask://HOST:PORT of a scheduler"
_CONNECT_S = 20.0


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
        self._executor = self._client.get_executor(retries=1)

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Have a worker call a function."""
        future: Future[Any] = self._executor.submit(function, *arguments)
        return future

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
            ours = type(error).__module__.partition(".")[0] not in ("distributed", "dask", "builtins", "asyncio")
            lost = isinstance(error, ModuleNotFoundError | ConnectionError | TimeoutError)
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
