"""Where golden tests find the results of other tools, and how they skip without them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.common import REFERENCE_VARIABLE, reference_dir


def reference(*parts: str) -> Path:
    """A file or folder of the reference data; skips the test where it is missing."""
    path = reference_dir().joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no reference data at {path}: set {REFERENCE_VARIABLE}")
    return path
