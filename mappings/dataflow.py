"""Named dataflows as files, and how one becomes a legal mapping of any layer on any hierarchy.

A dataflow file is YAML::

    name: weight_stationary
    summary: one line
    source: Lastname YEAR
    params: {stripe: 16}            # names with their defaults (integers of 1 or more)
    bypass: [[pe, I]]               # tensors that skip a role's memory
    directives:
    - TemporalMap(Sz(K)) K          # role "memory": how DRAM is cut into what the chip holds
    - Cluster(pes)
    - SpatialMap(1) K               # role "rows": along the first axis of the array
    - Cluster(cols)
    - SpatialMap(1) C               # role "cols": along the second axis
    - Cluster(1)
    - TemporalMap(stripe) Q         # role "pe": inside one PE

Directives are ``TemporalMap(SIZE) DIM``, ``SpatialMap(SIZE) DIM`` and the three clusters. A ``SIZE`` is an integer, the
name of a parameter, ``rows``, ``cols`` or ``pes`` (of the array at hand), or ``Sz(DIM)`` (the layer's extent). There
are no expressions.

A role's list gives the loop order, outermost first, and the *largest* tiles wanted: they are clipped to the layer, and
shrunk, largest saving first, until every memory holds its tiles. Several spatial maps in a role share its axis, each
taking what those before it left. Dims that a role does not name pass whole, or, shrunk, loop inside the named ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from mappings.directives import Cluster, Directive, SpatialMap, TemporalMap
from mappings.errors import Fault, SpecError, nearest
from mappings.layer import DIMS, TENSORS, Layer
from mappings.loops import bounds_of, relevance, tensors_of, windows_of
from mappings.mapping import Mapping
from mappings.reader import Reader, whole
from mappings.registry import Registry
from mappings.windows import coprime_steps, touched
from mappings.yamlio import load_yaml

LIBRARY = Path(__file__).parent / "library"
ROLES = ("memory", "rows", "cols", "pe")
HARDWARE_NAMES = ("rows", "cols", "pes")
MAX_SIZE = 2**31 - 1
_LINE = re.compile(r"(TemporalMap|SpatialMap)\(\s*([A-Za-z0-9_]{1,40}|Sz\(\s*[A-Z]\s*\))\s*\)\s*([A-Z])")
_CLUSTERS = ("Cluster(pes)", "Cluster(cols)", "Cluster(1)")
_DOUBLE = "double"


class Memory(Protocol):
    """What a dataflow must know of a memory level."""

    @property
    def name(self) -> str: ...
    @property
    def capacity_bytes(self) -> int | tuple[tuple[str, int], ...] | None: ...
    @property
    def tensors(self) -> tuple[str, ...]: ...
    @property
    def buffering(self) -> str: ...
    @property
    def fanout(self) -> tuple[int, ...]: ...


class Hierarchy(Protocol):
    """What a dataflow must know of an accelerator."""

    @property
    def levels(self) -> tuple[Any, ...]: ...
    @property
    def pes(self) -> int: ...
    def macs_below(self, index: int) -> int: ...


@dataclass(frozen=True)
class Step:
    """One directive whose size is a term: an integer, a name, or ``Sz(DIM)``."""

    spatial: bool
    size: str
    dim: str

    def __str__(self) -> str:
        return f"{'Spatial' if self.spatial else 'Temporal'}Map({self.size}) {self.dim}"


@dataclass(frozen=True)
class Dataflow:
    """A named, parametrised list of directives.

    Attributes:
        name: in the registry.
        summary, source: what it is, after whom.
        roles: the steps of memory, rows, cols and pe.
        params: (name, default) pairs.
        bypass: (role, tensor) pairs.
    """

    name: str
    summary: str
    source: str
    roles: tuple[tuple[Step, ...], ...]
    params: tuple[tuple[str, int], ...] = ()
    bypass: tuple[tuple[str, str], ...] = ()

    @classmethod
    def from_dict(cls, value: Any, where: str = "dataflow") -> Dataflow:
        """From the plain values of a file.

        Raises:
            SpecError: malformed; all faults at once.
        """
        reader = Reader(value, where, ("name", "summary", "source", "params", "bypass", "directives"))
        name = reader.text("name")
        summary, source = reader.text("summary", ""), reader.text("source", "")

        def params(given: Any) -> tuple[tuple[str, int], ...]:
            if not isinstance(given, dict) or not all(re.fullmatch(r"[A-Za-z]\w{0,39}", str(key)) for key in given):
                raise ValueError
            clash = [key for key in given if key in HARDWARE_NAMES]
            if clash:
                raise SpecError(Fault(f"{where}.params", f'"{clash[0]}" is a name of the hardware'))
            return tuple((str(key), whole(size, 1, MAX_SIZE)) for key, size in given.items())

        def pair(given: Any, spot: str) -> tuple[str, str]:
            role, tensor = given
            if role not in ROLES[1:] or tensor not in TENSORS:
                raise SpecError(Fault(spot, f"is {given!r}", "[rows | cols | pe, I | W | O]"))
            return role, tensor

        pairs = reader.take("params", params, "names with integers of 1 or more", ())
        bypass = reader.items("bypass", pair, "[role, tensor]", ())
        names = [*(key for key, _ in pairs or ()), *HARDWARE_NAMES]
        lines = reader.items(
            "directives", lambda text, spot: _parse(text, spot, names), "directives and the three clusters"
        )
        roles: list[list[Step]] = [[]]
        for line in lines or ():
            if isinstance(line, Step):
                roles[-1].append(line)
            elif len(roles) <= len(_CLUSTERS) and line == _CLUSTERS[len(roles) - 1]:
                roles.append([])
            else:
                reader.fault("directives", f"{line} is out of place", ", ".join(_CLUSTERS) + " in this order")
        if lines is not None and len(roles) != len(ROLES):
            reader.fault("directives", f"has {len(roles) - 1} clusters", ", ".join(_CLUSTERS))
        reader.done()
        return cls(name, summary, source, tuple(tuple(role) for role in roles), pairs, bypass)

    @classmethod
    def load(cls, path: str | Path) -> Dataflow:
        """Read a YAML file.

        Raises:
            SpecError: unreadable or malformed.
        """
        return cls.from_dict(load_yaml(path), str(path))

    def instantiate(self, layer: Layer, accelerator: Hierarchy, params: MappingType[str, int] | None = None) -> Mapping:
        """The mapping that this dataflow makes of a layer on an accelerator.

        It covers the layer and fits the array. Tiles fit their memories, unless a single element does not.

        Raises:
            SpecError: an unknown parameter, or one below 1.
        """
        values = dict(self.params)
        faults = []
        for key, value in (params or {}).items():
            if key not in values:
                known = ", ".join(values) or "none"
                faults.append(Fault(f"dataflow {self.name}", f'unknown parameter "{key}"{nearest(key, values)}', known))
            elif type(value) is not int or not 1 <= value <= MAX_SIZE:
                faults.append(Fault(f"dataflow {self.name}.{key}", f"is {value!r}", "an integer of 1 or more"))
            else:
                values[key] = value
        if faults:
            raise SpecError(faults)
        return _Build(self, layer, accelerator, values).mapping()


def _parse(text: Any, where: str, names: list[str]) -> Step | str:
    line = " ".join(str(text).split())
    if line in _CLUSTERS:
        return line
    match = _LINE.fullmatch(line)
    if match is None:
        allowed = "TemporalMap(SIZE) DIM, SpatialMap(SIZE) DIM, " + ", ".join(_CLUSTERS)
        raise SpecError(Fault(where, f'"{line[:60]}" is not a directive', allowed))
    kind, size, dim = match.groups()
    size = size.replace(" ", "")
    if dim not in DIMS:
        raise SpecError(Fault(where, f'unknown dim "{dim}"', " ".join(DIMS)))
    if size.startswith("Sz("):
        if size[3:-1] not in DIMS:
            raise SpecError(Fault(where, f'unknown dim in "{size}"', " ".join(DIMS)))
    elif size.isdigit():
        if not 1 <= int(size) <= MAX_SIZE:
            raise SpecError(Fault(where, f"size {size[:20]}", f"1 to {MAX_SIZE}"))
    elif size not in names:
        raise SpecError(Fault(where, f'unknown name "{size}"{nearest(size, names)}', ", ".join(names)))
    return Step(kind == "SpatialMap", size, dim)


@dataclass
class _Cut:
    """One dim at one level: ``units`` shares along each axis, of ``block`` elements each."""

    above: int
    block: int
    units: list[int] = field(default_factory=lambda: [1, 1])

    @property
    def tile(self) -> int:
        """What one trip takes, all shares together."""
        return min(self.above, self.units[0] * self.units[1] * self.block)


class _Build:
    """Instantiation of one dataflow: cuts of each level, from the outermost in."""

    def __init__(self, flow: Dataflow, layer: Layer, target: Hierarchy, values: dict[str, int]) -> None:
        self.flow, self.layer, self.target = flow, layer, target
        self.extents = dict(zip(DIMS, bounds_of(layer), strict=True))
        last = len(target.levels) - 1
        axes = [(i, a) for i, level in enumerate(target.levels) for a, n in enumerate(level.fanout) if n > 1]
        self.axes = [axes[0] if axes else None, axes[1] if len(axes) > 1 else (axes[0] if axes else None)]
        home = [axis[0] if axis else max(0, last - 1) for axis in self.axes]
        self.level_of = {"memory": 0, "rows": home[0], "cols": home[1], "pe": last}
        sizes = [self._axis_size(index) for index in range(2)]
        self.names = {**values, "rows": sizes[0], "cols": sizes[1] if len(axes) > 1 else 1, "pes": target.pes}

    def _axis_size(self, index: int) -> int:
        axis = self.axes[index]
        return 1 if axis is None else int(self.target.levels[axis[0]].fanout[axis[1]])

    def _size(self, term: str) -> int:
        if term.isdigit():
            return int(term)
        return self.extents[term[3:-1]] if term.startswith("Sz(") else self.names[term]

    def mapping(self) -> Mapping:
        """All levels, joined by the clusters of the hierarchy."""
        above = max(self.level_of["rows"], self.level_of["cols"])  # a PE without a memory has nothing to skip
        pairs = [
            (self.level_of[role], x) for role, x in self.flow.bypass if role != "pe" or self.level_of[role] > above
        ]
        bypass = tuple(dict.fromkeys((self.target.levels[level].name, x) for level, x in pairs if level))
        directives: list[Directive] = []
        rest = dict(self.extents)
        floors = self._floors()
        for index in range(len(self.target.levels)):
            if index:
                directives.append(Cluster(self.target.macs_below(index)))
            order, cuts = self._level(index, rest)
            if index + 1 < len(self.target.levels):
                self._fit(self.target.levels[index + 1], cuts, floors if index == 0 else {}, bypass)
            directives.extend(_emit(order, cuts))
            rest = {dim: min(cut.above, cut.block) for dim, cut in cuts.items()}
        return Mapping(tuple(directives), bypass)

    def _floors(self) -> dict[str, int]:
        """What the array wants of each dim, so that shrinking the memory's tiles does not idle it."""
        floors: dict[str, int] = {}
        for role, steps in zip(ROLES[1:3], self.flow.roles[1:3], strict=True):
            free = self._axis_size(ROLES.index(role) - 1)
            for step in steps:
                if step.spatial:
                    size = self._size(step.size)
                    count = max(1, min(free, -(-self.extents[step.dim] // size)))
                    floors[step.dim] = floors.get(step.dim, 1) * count * (1 if step.dim in floors else size)
                    free //= count
        return floors

    def _level(self, index: int, rest: dict[str, int]) -> tuple[list[str], dict[str, _Cut]]:
        """The wanted cuts of one level."""
        cuts = {dim: _Cut(size, size) for dim, size in rest.items()}
        free: dict[tuple[int, int], int] = {}
        order: list[str] = []
        innermost = index == len(self.target.levels) - 1
        for role, steps in zip(ROLES, self.flow.roles, strict=True):
            if self.level_of[role] != index:
                continue
            axis = self.axes[ROLES.index(role) - 1] if role in ROLES[1:3] else None
            for step in steps:
                order.append(step.dim)
                cut, size = cuts[step.dim], self._size(step.size)
                if not step.spatial:
                    cut.block = min(cut.block, size)
                elif axis is not None:
                    left = free.get(axis, self.target.levels[index].fanout[axis[1]])
                    size = min(size, cut.block)
                    count = min(left, -(-cut.block // size))
                    cut.units[axis[1]] *= count
                    cut.block = size
                    free[axis] = left // count
        if innermost:
            for cut in cuts.values():
                cut.block = 1
        order = list(dict.fromkeys(order))
        return order + [dim for dim in DIMS if dim not in order], cuts

    def _fit(
        self, memory: Memory, cuts: dict[str, _Cut], floors: dict[str, int], bypass: tuple[tuple[str, str], ...]
    ) -> None:
        """Shrink blocks, each time the one that saves most, until the memory below holds its tiles."""
        held = [x for x in memory.tensors if (memory.name, x) not in bypass]
        for bounds in (floors, {}):
            while True:
                now = {dim: min(cut.above, cut.block) for dim, cut in cuts.items()}
                excess = self._excess(memory, held, now)
                if excess <= 0:
                    return
                best, saved = "", 0.0
                for dim, size in now.items():
                    if size > bounds.get(dim, 1):
                        smaller = max(bounds.get(dim, 1), -(-size // 2))
                        saving = excess - self._excess(memory, held, {**now, dim: smaller})
                        if saving > saved:
                            best, saved = dim, saving
                if not best:
                    break
                cuts[best].block = max(bounds.get(best, 1), -(-now[best] // 2))

    def _excess(self, memory: Memory, held: list[str], tile: dict[str, int]) -> float:
        """Bits over the capacity, 0 where the tiles fit. Padding counts, sums at full width: never too little."""
        copies = 2 if memory.buffering == _DOUBLE else 1
        needed = {x: copies * self._tile_bits(x, tile) for x in held}
        if isinstance(memory.capacity_bytes, tuple):
            return float(sum(max(0, needed.get(x, 0) - 8 * n) for x, n in memory.capacity_bytes))
        return 0.0 if memory.capacity_bytes is None else float(max(0, sum(needed.values()) - 8 * memory.capacity_bytes))

    def _tile_bits(self, tensor: str, tile: dict[str, int]) -> int:
        index = TENSORS.index(tensor)
        if not tensors_of(self.layer.op)[index]:
            return 0
        relevant = relevance(self.layer.op)[index]
        bits = self.layer.bits
        total = {"I": bits.I, "W": bits.W, "O": max(bits.O, bits.acc)}[tensor]
        for dim, used in zip(DIMS, relevant, strict=True):
            if used and not (tensor == "I" and dim in "PQRS"):
                total *= tile[dim]
        if tensor == "I":
            for (p, r), window in zip((("P", "R"), ("Q", "S")), windows_of(self.layer), strict=True):
                total *= touched(tile[p], tile[r], *coprime_steps(window[0], window[1]))
        return total


def _emit(order: list[str], cuts: dict[str, _Cut]) -> list[Directive]:
    """The directives of one level; a cut that takes all is left out."""
    out: list[Directive] = []
    for dim in order:
        cut = cuts[dim]
        size = cut.tile
        if size < cut.above:
            out.append(TemporalMap(dim, size))
        for axis in range(2):
            share = min(size, cut.block if axis else cut.units[1] * cut.block)
            if share < size:
                out.append(SpatialMap(dim, share))
            size = share
    return out


def _register_builtins(registry: Registry[Dataflow]) -> None:
    for path in sorted(LIBRARY.glob("*.yaml")):
        flow = Dataflow.load(path)
        registry.register(flow.name, flow)


DATAFLOWS: Registry[Dataflow] = Registry("dataflow", _register_builtins)


def dataflow(name: str, where: str = "dataflow") -> Dataflow:
    """A dataflow by its registered name, or from a YAML file where the name ends in ``.yaml``.

    Raises:
        SpecError: no such name, or the file is unreadable or malformed.
    """
    return Dataflow.load(name) if name.endswith((".yaml", ".yml")) else DATAFLOWS.get(name, where)
