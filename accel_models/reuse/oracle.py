"""The oracle: a naive interpreter that walks every step of a mapped loop nest and moves every element.

It shares nothing with ``accel_models.reuse.formulas`` but the nest it reads. Memories are sets of elements (sums: dicts
that count what has been accumulated), a transfer is a loop over elements, and a figure is a counter. Slow, and meant
to be.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from accel_models.reuse.nest import Nest
from mappings.layer import Layer, Op

Index = tuple[int, ...]  # (g, n, k, c, p, q, r, s)
Element = tuple[int, ...]


def input_element(layer: Layer, at: Index) -> Element | None:
    """The input element that one iteration reads; None in the padding."""
    g, n, _, c, p, q, r, s = at
    h = p * layer.stride[0] + r * layer.dilation[0] - layer.padding[0]
    w = q * layer.stride[1] + s * layer.dilation[1] - layer.padding[1]
    return (n, g, c, h, w) if 0 <= h < layer.H and 0 <= w < layer.W_in else None


def weight_element(layer: Layer, at: Index) -> Element | None:
    """The element of the second operand, None where the operator has none."""
    g, n, k, c, p, q, r, s = at
    if layer.op in (Op.ADD, Op.MUL):
        return (n, g, c, p, q)
    if layer.op is Op.MATMUL:
        return (n, g, k, c)
    if layer.op is Op.EMBEDDING:
        return (n, g, k, p, q)
    return (g, k, c, r, s) if layer.op in (Op.CONV, Op.TRCONV, Op.LINEAR) else None


def output_element(layer: Layer, at: Index) -> Element:
    """The output element that one iteration adds to."""
    g, n, k, c, p, q, _, _ = at
    return (n, g, c if layer.op in (Op.SOFTMAX, Op.LAYERNORM) else k, p, q)


TOUCH = (input_element, weight_element, output_element)


@dataclass
class Dim:
    """One dim's indices by the digits of its cuts: ``(time, axis 0, axis 1)`` of each level, outermost first."""

    digits: list[tuple[int, ...]]
    trips: dict[tuple[int, ...], int] = field(default_factory=dict)

    @classmethod
    def cut(cls, extent: int, chain: tuple[int, ...]) -> Dim:
        """Cut ``0 .. extent - 1`` one index at a time."""
        digits = []
        for index in range(extent):
            rest, path = index, []
            for size in chain:
                path.append(rest // size)
                rest %= size
            digits.append(tuple(path))
        dim = cls(digits)
        prefixes: dict[tuple[int, ...], set[int]] = defaultdict(set)
        for mine in digits:
            time = mine[::3]
            for level in range(len(time)):
                prefixes[time[:level]].add(time[level])
        dim.trips = {prefix: len(values) for prefix, values in prefixes.items()}
        return dim

    def inside(self, time: tuple[int, ...], m: int) -> dict[tuple[int, ...], list[int]]:
        """Indices below the trips ``time`` of the levels above ``m``, by the unit of the fan-outs above ``m``."""
        out: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for index, mine in enumerate(self.digits):
            if mine[: 3 * m : 3] == time[:m]:
                out[tuple(digit for cut, digit in enumerate(mine[: 3 * m]) if cut % 3)].append(index)
        return out


class Oracle:
    """Walks one nest; the counters are there when :meth:`run` is done.

    Attributes:
        steps, macs: steps of the sequencer, and of all units that had work in them.
        reads, writes: ``[level][tensor]`` element accesses.
        peaks: ``[level][tensor]`` most elements ever in one memory.
        busy: ``[level]`` most memories (last: MACs) at work in one step.
        sums: what each output accumulated, as DRAM holds it at the end.
    """

    def __init__(self, nest: Nest) -> None:
        self.nest, self.layer, self.levels = nest, nest.layer, nest.levels
        self.dims = [Dim.cut(extent, chain) for extent, chain in zip(nest.bounds, nest.chains, strict=True)]
        self.steps = self.macs = 0
        self.reads = [[0] * 3 for _ in range(self.levels)]
        self.writes = [[0] * 3 for _ in range(self.levels)]
        self.peaks = [[0] * 3 for _ in range(self.levels)]
        self.busy = [0] * (self.levels + 1)
        self.sums: dict[Element, int] = {}
        # what each memory holds: [level][tensor][unit] -> {element: accumulated count}; the unit of DRAM is ()
        self.holds: list[list[dict[Any, dict[Element, int]]]] = [[{} for _ in range(3)] for _ in range(self.levels)]
        self.tags: list[list[Any]] = [[None] * 3 for _ in range(self.levels)]
        self.stores = [
            [m for m in range(self.levels) if nest.keeps[m][x] and (x != 1 or self._has_weights())] for x in range(3)
        ]
        self._inside: dict[Any, Any] = {}
        everything = list(product(*(range(extent) for extent in nest.bounds)))
        origin = self._unit_prefix(tuple(() for _ in self.dims), 0)
        for x in range(3):
            if self.stores[x]:
                touched = {TOUCH[x](self.layer, at) for at in everything} - {None}
                self.holds[0][x][origin] = dict.fromkeys(touched, 0) if x < 2 else {}  # type: ignore[arg-type]
                self.peaks[0][x] = len(touched)

    def _has_weights(self) -> bool:
        return weight_element(self.layer, (0,) * 8) is not None

    def _depends(self, x: int, d: int) -> bool:
        """Whether an operator's tensor is indexed by a dim: shown by the element that another index touches."""
        if x == 0:
            return "GNKCPQRS"[d] != "K"  # every window slides, even where this one does not reach the next row
        one = tuple(int(e == d) for e in range(8))
        return TOUCH[x](self.layer, one) != TOUCH[x](self.layer, (0,) * 8)

    @staticmethod
    def _unit_prefix(unit: tuple[tuple[int, ...], ...], m: int) -> tuple[tuple[int, ...], ...]:
        return tuple(digits[: 2 * m] for digits in unit)

    def walk(self) -> Iterator[tuple[tuple[tuple[int, ...], ...], int]]:
        """The trips of all loops in time, by dim and level, in the order of the nest, and the scan (last: 0).

        An operator over rows scans all the channels of a place before the next scan, so the scans turn around the
        outermost loop over channels (dim 3) that takes more than one trip, or, where none does, inside all loops.
        """
        loops = [(level, d) for level in range(self.levels) for d in self.nest.orders[level]]
        turning = [at for at, (level, d) in enumerate(loops) if d == 3 and self._turns(level)]
        scan_at = turning[0] if turning else len(loops)
        scans = {Op.SOFTMAX: 3, Op.LAYERNORM: 2}.get(self.layer.op, 1)

        def descend(
            at: int, time: tuple[tuple[int, ...], ...], scan: int
        ) -> Iterator[tuple[tuple[tuple[int, ...], ...], int]]:
            if at == scan_at and scan == scans:
                for left in reversed(range(scans)):
                    yield from descend(at, time, left)
                return
            if at == len(loops):
                yield time, scan
                return
            _, d = loops[at]
            for trip in range(self.dims[d].trips[time[d]]):
                yield from descend(at + 1, (*time[:d], (*time[d], trip), *time[d + 1 :]), scan)

        yield from descend(0, ((),) * 8, scans)

    def _turns(self, level: int) -> bool:
        """Whether the loop over channels at a level takes more than one trip anywhere."""
        return any(count > 1 for prefix, count in self.dims[3].trips.items() if len(prefix) == level)

    def run(self) -> Oracle:
        """Walk, move, count."""
        for time, scans_left in self.walk():
            self.steps += 1
            touched = range(2) if scans_left else range(3)  # outputs come with the last scan
            stale = [
                (m, x) for x in touched for m in self.stores[x] if m > 0 and self.tags[m][x] != self._tag(time, m, x)
            ]
            held = {(m, x): self._slides(time, m, x) for m, x in stale}
            for m, x in sorted(stale, reverse=True):  # innermost first: its sums go up before its parent's
                self._evict(m, x)
            for m, x in sorted(stale):
                self._load(time, m, x, held[m, x])
                self.tags[m][x] = self._tag(time, m, x)
            self._compute(time, bool(scans_left))
        for m in range(self.levels - 1, 0, -1):
            self._evict(m, 2)
        self.sums = next(iter(self.holds[0][2].values()))
        return self

    def _tag(self, time: tuple[tuple[int, ...], ...], m: int, x: int) -> tuple[tuple[int, ...], ...]:
        return tuple(time[d][:m] if self._depends(x, d) else () for d in range(8))

    def _units(self, time: tuple[tuple[int, ...], ...], m: int) -> Iterator[tuple[Any, list[list[int]]]]:
        """Units at level ``m`` that have work, each with its indices in each dim."""
        per_dim = []
        for d, dim in enumerate(self.dims):
            key = (d, m, time[d][:m])
            if key not in self._inside:
                self._inside[key] = list(dim.inside(time[d], m).items())
            per_dim.append(self._inside[key])
        for combination in product(*per_dim):
            yield tuple(unit for unit, _ in combination), [indices for _, indices in combination]

    def _tile(self, x: int, indices: list[list[int]]) -> set[Element]:
        wanted = [values if self._depends(x, d) else values[:1] for d, values in enumerate(indices)]
        return {e for at in product(*wanted) if (e := TOUCH[x](self.layer, at)) is not None}

    def _parent(self, m: int, x: int) -> int:
        return max(level for level in self.stores[x] if level < m)

    def _together(self, q: int, m: int, x: int) -> bool:
        return all((self.nest.reduction if x == 2 else self.nest.multicast)[q:m])

    def _slides(self, time: tuple[tuple[int, ...], ...], m: int, x: int) -> dict[Any, dict[Element, int]]:
        """What the units may keep: all they hold, where one index of a window went up by one and no other changed."""
        before, after = self.tags[m][x], self._tag(time, m, x)
        if self.nest.keeps[m][x] != 2 or before is None:
            return {}
        changed = [(d, new - old) for d in range(8) for old, new in zip(before[d], after[d], strict=True) if new != old]
        if len(changed) != 1 or changed[0][1] != 1 or changed[0][0] < 4:
            return {}
        for d in (4, 6) if changed[0][0] in (4, 6) else (5, 7):
            if any(digit for mine in self.dims[d].digits for cut, digit in enumerate(mine[: 3 * m]) if cut % 3):
                return {}
        return dict(self.holds[m][x])

    def _load(self, time: tuple[tuple[int, ...], ...], m: int, x: int, here: dict[Any, dict[Element, int]]) -> None:
        q = self._parent(m, x)
        asked: dict[Any, dict[Element, int]] = defaultdict(lambda: defaultdict(int))  # parent -> element -> askers
        for unit, indices in self._units(time, m):
            parent = self._unit_prefix(unit, q)
            source = self.holds[q][x][parent]
            tile: dict[Element, int] = {}
            for element in self._tile(x, indices):
                if element in here.get(unit, {}):
                    tile[element] = 0
                    continue
                asked[parent][element] += 1
                if x < 2:
                    assert element in source, "a memory was asked for what it does not hold"
                    tile[element] = 0
                    self.writes[m][x] += 1
                else:
                    tile[element] = 0
                    if asked[parent][element] == 1 and source.get(element, 0):
                        tile[element] = source[element]  # the sum so far comes down to one of those that share it
                        self.reads[q][x] += 1
                        self.writes[m][x] += 1
            self.holds[m][x][unit] = tile
            self.peaks[m][x] = max(self.peaks[m][x], len(tile))
        if x < 2:
            for elements in asked.values():
                self.reads[q][x] += len(elements) if self._together(q, m, x) else sum(elements.values())

    def _evict(self, m: int, x: int) -> None:
        if x == 2 and m in self.stores[2]:
            q = self._parent(m, 2)
            up: dict[Any, dict[Element, list[int]]] = defaultdict(lambda: defaultdict(list))
            for unit, tile in self.holds[m][2].items():
                for element, value in tile.items():
                    self.reads[m][2] += 1
                    up[self._unit_prefix(unit, q)][element].append(value)
            self._arrive(up, q, self._together(q, m, 2))
        self.holds[m][x] = {}

    def _arrive(self, up: dict[Any, dict[Element, list[int]]], q: int, together: bool) -> None:
        """Sums reach memory ``q``; one of them carries what was there before."""
        for parent, elements in up.items():
            held = self.holds[q][2][parent]
            for element, values in elements.items():
                count = 1 if together else len(values)
                self.writes[q][2] += count
                self.reads[q][2] += count - 1  # without adders on the way, the memory adds: read, add, write
                held[element] = sum(values)

    def _compute(self, time: tuple[tuple[int, ...], ...], reads_only: bool) -> None:
        asked: list[dict[Any, list[Element]]] = [defaultdict(list) for _ in range(3)]
        parents = [max(self.stores[x], default=0) for x in range(3)]
        working: list[set[Any]] = [set() for _ in range(self.levels + 1)]
        for unit, indices in self._units(time, self.levels):
            self.macs += 1
            for m in range(self.levels + 1):
                working[m].add(self._unit_prefix(unit, m))
            at = tuple(values[0] for values in indices)
            assert all(len(values) == 1 for values in indices), "a MAC takes one element a step"
            for x in range(3):
                element = TOUCH[x](self.layer, at)
                if self.stores[x] and element is not None:
                    asked[x][self._unit_prefix(unit, parents[x])].append(element)
        self.busy = [max(most, len(units)) for most, units in zip(self.busy, working, strict=True)]
        for x in range(2):
            for parent, elements in asked[x].items():
                assert all(element in self.holds[parents[x]][x][parent] for element in elements)
                together = self._together(parents[x], self.levels, x)
                self.reads[parents[x]][x] += len(set(elements)) if together else len(elements)
        if reads_only:
            return
        up: dict[Any, dict[Element, list[int]]] = defaultdict(lambda: defaultdict(list))
        for parent, elements in asked[2].items():
            held = self.holds[parents[2]][2][parent]
            for element in elements:
                values = up[parent][element]
                before = 0
                if not values and held.get(element, 0):
                    before = held[element]
                    self.reads[parents[2]][2] += 1
                values.append(before + 1)
        self._arrive(up, parents[2], self._together(parents[2], self.levels, 2))
