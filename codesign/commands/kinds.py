"""Kinds of targets that a command may be pointed at."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """Kinds of targets, as messages and documentation name them."""

    NETWORK = "a network by name"
    MODULE = "a module"
    WORKLOAD = "a workload file"
    DESIGN = "a design file"
    MAESTRO = "MAESTRO files"
    NEW = "a new run"
    RESUMED = "a resumed run"
    JOINED = "a joined run"
    FINISHED = "a run"
    HARDWARE = "an accelerator with a template"
    SPACE = "a network space"
    NAMES = "names"
