"""Worker processes read the script of whoever starts them: one that begins a run as it is read would begin more."""

from __future__ import annotations

import multiprocessing

from mappings.errors import Fault, SpecError

#: What such a script lacks.
GUARD = 'if __name__ == "__main__": around what calls codesign.explore, or jobs=0'


def refuse_within_start() -> None:
    """Refuse to begin anything in a process that is still being started.

    Raises:
        SpecError: it is.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SpecError(Fault("explore", "is called by a worker process as it starts and reads the script", GUARD))
