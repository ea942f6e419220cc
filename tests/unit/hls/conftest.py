"""A folder for each template, so that tests that share one compile its engine once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from accel_models.template.spec import Template
from mappings.yamlio import digest


@pytest.fixture(scope="session")
def engine_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Template], Path]:
    """Where a template's C++ goes."""
    base = tmp_path_factory.mktemp("engines")
    return lambda template: base / digest(template.to_dict())
