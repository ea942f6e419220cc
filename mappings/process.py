"""Tools that end with whoever started them: their whole process group, however the starter ends."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

#: The tool runs beside a reader of standard input, whose other end the starter alone holds: when that closes, and the
#: kernel closes it also after SIGKILL, the group is killed. A compiler driver's children are in the group too.
_GUARD = (
    "exec 3<&0; { read _ <&3; kill -KILL 0; } >/dev/null 2>&1 & guard=$!; "
    '"$@" 3<&- </dev/null & wait $!; status=$?; kill $guard 2>/dev/null; exit $status'
)


def run_owned(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
    folder: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a tool to its end, in ``folder`` or here; its standard output and error are text in the result.

    Raises:
        subprocess.TimeoutExpired: it and its children were killed.
    """
    inner, outer = os.pipe()  # neither is inherited, but as standard input
    try:
        process = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "sh", *command],
            stdin=inner,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            cwd=folder,
            env=None if environment is None else {**os.environ, **environment},
            start_new_session=True,
        )
    except BaseException:
        os.close(outer)
        raise
    finally:
        os.close(inner)
    try:
        out, err = process.communicate(timeout=timeout_s)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    finally:
        os.close(outer)
    return subprocess.CompletedProcess(list(command), process.returncode, out, err)
