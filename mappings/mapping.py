"""A dataflow with concrete numbers for one layer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from mappings.directives import Cluster, Directive, Map, SpatialMap, TemporalMap, split_levels
from mappings.errors import Fault, SpecError
from mappings.layer import DIMS
from mappings.reader import Reader
from mappings.yamlio import digest

_DIRECTIVE = re.compile(
    r"\s*(?:(TemporalMap|SpatialMap)\(\s*(\d{1,18})\s*(?:,\s*(\d{1,18})\s*)?\)\s*([A-Z])|Cluster\(\s*(\d{1,18})\s*\))\s*;?\s*"
)


def parse_directive(text: str, where: str) -> Directive:
    """One directive from its text form, e.g. ``SpatialMap(1,1) K`` or ``Cluster(16)``.

    Raises:
        SpecError: not a directive, or an unknown dim.
    """
    match = _DIRECTIVE.fullmatch(text)
    if not match:
        raise SpecError(
            Fault(
                where,
                f'"{text[:60]}" is not a directive',
                "TemporalMap(size,offset) DIM, SpatialMap(size,offset) DIM, Cluster(n)",
            )
        )
    kind, size, offset, dim, cluster = match.groups()
    if cluster:
        return Cluster(int(cluster))
    if dim not in DIMS:
        raise SpecError(Fault(where, f'unknown dim "{dim}"', " ".join(DIMS)))
    if int(size) < 1 or (offset is not None and int(offset) < 1):
        raise SpecError(Fault(where, f'"{text[:60]}" has a size or offset of 0', "integers of 1 or more"))
    return (TemporalMap if kind == "TemporalMap" else SpatialMap)(dim, int(size), int(offset or size))


@dataclass(frozen=True)
class Mapping:
    """Directives for one layer on one accelerator.

    Level ``i`` (between Clusters, outermost first) belongs to memory level ``i`` of the accelerator: its maps cut
    what that memory holds into the tiles that the memory below it receives. The innermost level feeds the MACs
    one element a step. A dim that a level does not map passes through whole.

    Attributes:
        directives: maps and Clusters, outermost first.
        bypass: (memory level name, tensor) pairs that skip that memory.
    """

    directives: tuple[Directive, ...]
    bypass: tuple[tuple[str, str], ...] = ()

    @property
    def levels(self) -> tuple[tuple[Map, ...], ...]:
        """The maps of each level, outermost first."""
        return split_levels(self.directives)

    def to_dict(self) -> dict[str, Any]:
        """Plain values: directives as text."""
        out: dict[str, Any] = {"directives": [str(directive) for directive in self.directives]}
        if self.bypass:
            out["bypass"] = [list(pair) for pair in self.bypass]
        return out

    @classmethod
    def from_dict(cls, value: Any, where: str = "mapping") -> Mapping:
        """The reverse of :meth:`to_dict`.

        Raises:
            SpecError: malformed; all faults at once.
        """
        reader = Reader(value, where, ("directives", "bypass"))

        def pair(given: Any, _spot: str) -> tuple[str, str]:
            level, tensor = given
            if not isinstance(level, str) or not isinstance(tensor, str):
                raise ValueError
            return level, tensor

        directives = reader.items(
            "directives", lambda text, spot: parse_directive(str(text), spot), "directives as text"
        )
        bypass = reader.items("bypass", pair, "[memory level, tensor]", ())
        reader.done()
        return cls(directives, bypass)

    @property
    def digest(self) -> str:
        """Digest of the canonical form."""
        return digest(self.to_dict())
