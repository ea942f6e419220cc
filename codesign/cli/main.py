"""Arguments in, one of two formats out, one clear line for what is wrong."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from codesign.cli import handlers
from codesign.cli.parser import WRONG_INPUT, build_parser
from mappings.errors import SpecError, cut, printable

INTERNAL, INTERRUPTED, STOPPED = 1, 130, 143


@contextmanager
def _stoppable() -> Iterator[list[int]]:
    """Whoever ends the process by SIGTERM is heard as Ctrl-C is: workers end, what is finished is kept.

    The value has the signal once it came.
    """
    heard: list[int] = []

    def stop(number: int, _: object) -> NoReturn:
        heard.append(number)
        signal.signal(number, signal.SIG_IGN)  # once is enough
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield heard
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield heard
    finally:
        signal.signal(signal.SIGTERM, before)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        exit code: 0 done, 1 a defect of ours or a failed verification, 2 wrong input, 130 interrupted, 143 stopped.
    """
    try:
        options = build_parser().parse_args(arguments)
    except SystemExit as leave:
        return int(leave.code or 0)
    with _stoppable() as heard:
        try:
            return handlers.run(options)
        except SpecError as error:
            _trace(options.debug)
            print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
            return WRONG_INPUT
        except SystemExit as leave:
            _trace(options.debug)
            print(printable(f"error: code of yours leaves: SystemExit: {leave}"), file=sys.stderr)
            return WRONG_INPUT
        except KeyboardInterrupt as stop:
            word = "stopped" if heard else "interrupted"
            print(f"{word}; {stop}" if str(stop) else word, file=sys.stderr)
            return STOPPED if heard else INTERRUPTED
        except BrokenPipeError:
            # The reader left: no complaint at exit either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except OSError as error:
            _trace(options.debug)
            file = error.filename2 or error.filename or "system"  # of a copy the one that is written
            print(printable(f"error: {file}: {error.strerror or error}"), file=sys.stderr)
            return WRONG_INPUT
        except Exception as error:
            _trace(options.debug)
            told = cut(f"{type(error).__name__}: {' '.join(str(error).split())}", 2_000)
            print(f"internal error: {printable(told)} (--debug shows where)", file=sys.stderr)
            return INTERNAL


def _trace(wanted: bool) -> None:
    if wanted:
        traceback.print_exc()


if __name__ == "__main__":
    sys.exit(main())
