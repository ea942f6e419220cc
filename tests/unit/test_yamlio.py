"""The loader refuses what would be silently wrong or hostile."""

from __future__ import annotations

from pathlib import Path

import pytest

from mappings.errors import SpecError, unknown_name
from mappings.yamlio import digest, dump_yaml, load_yaml, load_yaml_text


def test_round_trip_keeps_order() -> None:
    value = {"b": [1, 2.5, "x"], "a": {"c": None}}
    loaded = load_yaml_text(dump_yaml(value), "t")
    assert loaded == value
    assert list(loaded) == ["b", "a"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: 1\nb: 2\na: 3\n", 'x.yaml:3:1: duplicate key "a"'),
        ("[" * 1_000_000, "nested deeper than 64 levels"),
        ("a: &x [1]\nb: *x\n", "aliases are not accepted"),
        ("a: [1\n", "x.yaml:2:1"),
        ("!!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("? [1, 2]\n: 3\n", "a key must be a plain name"),
    ],
)
def test_refusals_name_the_place(text: str, what: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_yaml_text(text, "x.yaml")
    assert what in str(caught.value)
    assert "x.yaml" in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read"):
        load_yaml(tmp_path / "absent.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"a: \xff\xfe")
    with pytest.raises(SpecError, match="not UTF-8"):
        load_yaml(tmp_path / "latin.yaml")


def test_digest_ignores_key_order_only() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})


def test_unknown_names_offer_the_nearest() -> None:
    error = unknown_name("--device", "device", "zynq7002", ["zynq7020", "zcu102"])
    assert 'did you mean "zynq7020"?' in str(error)
    assert "zcu102, zynq7020" in str(error)


def test_where_there_is_no_name_it_is_said() -> None:
    assert str(unknown_name("recipe", "variant", "whole", [])).endswith("(allowed: there is none)")
