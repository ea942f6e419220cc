"""What is trained once for every run that needs it: kept in the cache by digest, and in the folder of each run."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path

from accel_models.jit import cache_dir
from mappings.cache_folder import own_folder, remove, tell
from mappings.durable import write_durably


def kept_once(name: str, folder: Path, whole: Callable[[Path], bool], make: Callable[[Path], None]) -> Path:
    """The file of that name in the run's folder: found there, copied from the cache, or made.

    Args:
        name: of the file, by a digest of all that decides it.
        folder: of the run.
        whole: whether a file is there and finished.
        make: makes it at a path; an interrupted making may leave its own parts beside it.
    """
    file = folder / name
    if whole(file):
        return file
    cached = own_folder(cache_dir()) / "supernets" / name
    cached.parent.mkdir(parents=True, exist_ok=True)
    with cached.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several runs that need it one makes it, and the others wait
        if not whole(cached):
            if cached.exists():
                tell(f"{cached} is damaged and is made again")
                remove(cached)
            make(cached)
    folder.mkdir(parents=True, exist_ok=True)
    if file.exists():
        tell(f"{file} is damaged and is taken from the cache again")
    write_durably(file, cached.read_bytes())  # a run is its folder: it needs no cache afterwards
    return file
