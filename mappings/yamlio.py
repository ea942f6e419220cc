"""YAML in and out: a safe loader that refuses duplicate keys and hostile nesting, and a stable digest."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import yaml

from mappings.errors import Fault, SpecError, cut
from mappings.files import read_text

MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 64
MAX_DIGITS = 40
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_HEXADECIMAL = re.compile(r"[-+]?0x[0-9a-fA-F]+")


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    """Safe loader without silent overwrites."""


def _mapping(loader: Any, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, (str, int, float, bool)):
            raise yaml.constructor.ConstructorError(None, None, "a key must be a plain name", key_node.start_mark)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f'duplicate key "{cut(str(key))}"', key_node.start_mark)
        seen.add(key)
    return dict(loader.construct_pairs(node, deep=True))


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def _integer(loader: Any, node: yaml.ScalarNode) -> int:
    """Decimal and hexadecimal integers. YAML 1.1 reads 010 as 8, 1:30 as 90 and 1_0 as 10: nobody means that."""
    text = loader.construct_scalar(node)
    if len(text) > MAX_DIGITS:
        raise yaml.constructor.ConstructorError(None, None, f"an integer of {len(text)} digits", node.start_mark)
    if _DECIMAL.fullmatch(text):
        return int(text)
    if _HEXADECIMAL.fullmatch(text):
        return int(text, 16)
    meant = "" if ":" in text else f"{text.replace('_', '').lstrip('+0') or '0'} or "
    problem = f'"{text}" is an integer of doubtful value (write {meant}"{text}" in quotes)'
    raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _number(loader: Any, node: yaml.ScalarNode) -> float:
    """Floating-point numbers, but none of YAML 1.1's base 60 (1:30.5) and underscores."""
    text = loader.construct_scalar(node)
    if ":" in text or "_" in text:
        problem = f'"{cut(text)}" is a number of doubtful value (write "{cut(text)}" in quotes)'
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
    return float(loader.construct_yaml_float(node))


_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:float", _number)


def _spot(where: str, mark: Any) -> str:
    return f"{where}:{mark.line + 1}:{mark.column + 1}" if mark else where


def _check_depth(text: str, where: str) -> None:
    """Refuse deep nesting from the event stream: the constructor would exhaust the C stack."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            depth += 1
            if depth > MAX_DEPTH:
                mark = event.start_mark
                raise SpecError(Fault(_spot(where, mark), f"nested deeper than {MAX_DEPTH} levels"))
        elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            raise SpecError(Fault(_spot(where, event.start_mark), "aliases are not accepted"))


def load_yaml_text(text: str, where: str) -> Any:
    """Parse YAML into plain Python values.

    Raises:
        SpecError: syntax error, duplicate key, alias, or nesting over ``MAX_DEPTH``.
    """
    try:
        _check_depth(text, where)
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise SpecError(Fault(_spot(where, mark), str(getattr(error, "problem", None) or "not YAML"))) from None
    except (RecursionError, ValueError) as error:
        if isinstance(error, SpecError):
            raise
        raise SpecError(Fault(where, "not YAML of this kind")) from None


def load_yaml(path: str | Path) -> Any:
    """Read a YAML file; errors name the file.

    Raises:
        SpecError: unreadable, too large, or malformed.
    """
    text = read_text(path, MAX_BYTES)
    return load_yaml_text(text, str(path))


def dump_yaml(value: Any) -> str:
    """Plain values as block YAML, keys in the order given."""
    return yaml.safe_dump(value, sort_keys=False, default_flow_style=None, width=110)


def digest(value: Any) -> str:
    """SHA-256 (hex) of the canonical JSON of plain values: the cache key of everything immutable."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
