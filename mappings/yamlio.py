"""YAML in and out: a safe loader that refuses duplicate keys and hostile nesting, and a stable digest."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import yaml

from mappings.errors import Fault, SpecError

MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 64


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    """Safe loader without silent overwrites."""


def _mapping(loader: Any, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, (str, int, float, bool)):
            raise yaml.constructor.ConstructorError(None, None, "a key must be a plain name", key_node.start_mark)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f'duplicate key "{key}"', key_node.start_mark)
        seen.add(key)
    return dict(loader.construct_pairs(node, deep=True))


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


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
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SpecError(Fault(str(path), f"larger than {MAX_BYTES} bytes"))
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SpecError(Fault(str(path), f"cannot be read: {error.strerror}")) from None
    except UnicodeDecodeError:
        raise SpecError(Fault(str(path), "not UTF-8 text")) from None
    return load_yaml_text(text, str(path))


def dump_yaml(value: Any) -> str:
    """Plain values as block YAML, keys in the order given."""
    return yaml.safe_dump(value, sort_keys=False, default_flow_style=None, width=110)


def digest(value: Any) -> str:
    """SHA-256 (hex) of the canonical JSON of plain values: the cache key of everything immutable."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
