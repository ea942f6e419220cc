"""Tools that end with whoever started them: their whole process group, however the starter ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from mappings.errors import Fault, SpecError

#: The tool runs beside a reader of standard input, whose other end the starter alone holds: when that closes, and the
#: kernel closes it also after SIGKILL, the group is killed. A compiler driver's children are in the group too.
_GUARD = (
    "exec 3<&0; { read _ <&3; kill -KILL 0; } >/dev/null 2>&1 & guard=$!; "
    '"$@" 3<&- </dev/null & wait $!; status=$?; kill $guard 2>/dev/null; exit $status'
)

#: What g++ and Python's runners say of a program that SIGKILL ended.
_KILLED = re.compile(r"Killed signal terminated program|return code: -9\b")


def refuse_killed(what: str, returncode: int | None, words: str) -> None:
    """Say of a tool that the system ended that it was, and blame no source for it.

    Args:
        what: the tool, or what it was at.
        returncode: of the tool, or of the shell that ran it; None: it is among the words.
        words: of the tool; a compiler driver tells there that one of its programs was killed.

    Raises:
        SpecError: SIGKILL ended it.
    """
    if returncode in (-signal.SIGKILL, 128 + signal.SIGKILL) or _KILLED.search(words):
        raise SpecError(Fault(what, "was ended by the system, perhaps for memory", "more memory, then the same again"))


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
