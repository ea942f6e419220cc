"""Look-up by name."""

from __future__ import annotations

import pytest

from mappings.errors import SpecError
from mappings.registry import Registry


def test_builtins_and_later_entries_share_one_table() -> None:
    registry: Registry[int] = Registry("thing", lambda r: r.register("one", 1))
    registry.register("two", 2)
    assert registry.get("one") == 1
    assert set(registry.names()) == {"one", "two"}
    assert registry.group == "codesign.things"
    assert Registry("technology").group == "codesign.technologies"


def test_a_name_is_taken_once_and_the_nearest_is_offered() -> None:
    registry: Registry[int] = Registry("thing", lambda r: r.register("one", 1))
    with pytest.raises(SpecError, match='did you mean "one"'):
        registry.get("onne")
    with pytest.raises(SpecError, match="registered already"):
        registry.register("one", 3)
