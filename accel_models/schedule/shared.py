"""Several chains of layers on several engines: who runs which layer and when, so that the last one ends first.

The layers of a network run in order; an engine runs one layer at a time, each at its own pace. The search goes forward
in time over labels: how many layers of each network have begun, when its last one ends, and where it runs. At a label
the network that is free first begins its next layer on an engine that is free, or waits until another network's layer
ends; some best schedule is made of such steps only, since a layer that begins at any other time could begin earlier. A
label goes where another with the same progress and engines is nowhere later, or where even at best (every layer on its
fastest engine, all engines busy) it cannot end before the best schedule known. If labels outgrow their room the best
are kept, and the answer is not proved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

#: Cycles of a layer on each engine; None: it does not run there.
Times: TypeAlias = Sequence[int | None]
#: Labels of one number of begun layers.
MOST_LABELS = 3_000
_IDLE = -1


@dataclass(frozen=True)
class Placed:
    """One layer of a schedule.

    Attributes:
        network, layer: places.
        engine: that runs it.
        start, end: cycles.
    """

    network: int
    layer: int
    engine: int
    start: int
    end: int


@dataclass(frozen=True)
class SharedSchedule:
    """A schedule.

    Attributes:
        placed: every layer, by start.
        cycles: when the last one ends.
        optimal: proved that none ends earlier.
        labels: looked at.
    """

    placed: tuple[Placed, ...]
    cycles: int
    optimal: bool
    labels: int


@dataclass(frozen=True)
class _Label:
    begun: tuple[int, ...]
    ends: tuple[int, ...]
    engines: tuple[int, ...]
    before: _Label | None
    placed: Placed | None


class _Search:
    def __init__(self, chains: Sequence[Sequence[Times]], most: int) -> None:
        self.chains, self.most = chains, most
        self.engines = len(chains[0][0])
        self.rest = [self._sums(chain) for chain in chains]
        self.total = sum(len(chain) for chain in chains)
        self.labels = 0

    @staticmethod
    def _sums(chain: Sequence[Times]) -> list[int]:
        """At best, the cycles from each layer on."""
        out = [0]
        for times in reversed(chain):
            out.append(out[-1] + min(time for time in times if time is not None))
        return out[::-1]

    def serial(self) -> _Label:
        """One layer after another, each on its fastest engine."""
        count, now = len(self.chains), 0
        label = _Label((0,) * count, (0,) * count, (_IDLE,) * count, None, None)
        for k, chain in enumerate(self.chains):
            for times in chain:
                time, engine = min((time, engine) for engine, time in enumerate(times) if time is not None)
                label = self._begun(label, k, engine, now, now + time)
                now += time
        return label

    def bound(self, label: _Label) -> int:
        """No schedule from here on ends earlier."""
        rest = [sums[count] for sums, count in zip(self.rest, label.begun, strict=True)]
        alone = max(end + left for end, left in zip(label.ends, rest, strict=True))
        now = min((end for end, left in zip(label.ends, rest, strict=True) if left), default=max(label.ends))
        busy = sum(max(0, end - now) for end, on in zip(label.ends, label.engines, strict=True) if on != _IDLE)
        return max(alone, now + -(-(busy + sum(rest)) // self.engines))

    def steps(self, label: _Label) -> list[_Label]:
        """What may happen next."""
        waiting = [k for k, chain in enumerate(self.chains) if label.begun[k] < len(chain)]
        now = min(label.ends[k] for k in waiting)
        later = sorted({end for end in label.ends if end > now})
        taken = {on for end, on in zip(label.ends, label.engines, strict=True) if end > now and on != _IDLE}
        out = []
        for k in waiting:
            if label.ends[k] != now:
                continue
            for engine, time in enumerate(self.chains[k][label.begun[k]]):
                if time is not None and engine not in taken:
                    out.append(self._begun(label, k, engine, now, now + time))
            if later:
                ends = (*label.ends[:k], later[0], *label.ends[k + 1 :])
                out.append(_Label(label.begun, ends, (*label.engines[:k], _IDLE, *label.engines[k + 1 :]), label, None))
        return out

    @staticmethod
    def _begun(label: _Label, k: int, engine: int, start: int, end: int) -> _Label:
        begun = (*label.begun[:k], label.begun[k] + 1, *label.begun[k + 1 :])
        ends = (*label.ends[:k], end, *label.ends[k + 1 :])
        engines = (*label.engines[:k], engine, *label.engines[k + 1 :])
        return _Label(begun, ends, engines, label, Placed(k, label.begun[k], engine, start, end))

    def run(self, width: int, known: int) -> tuple[_Label | None, bool]:
        """The best last label that ends before ``known``, and whether none was dropped for lack of room."""
        count = len(self.chains)
        wave = [_Label((0,) * count, (0,) * count, (_IDLE,) * count, None, None)]
        whole = True
        for _ in range(self.total):
            kept: dict[tuple[tuple[int, ...], tuple[int, ...]], list[_Label]] = {}
            stack = list(wave)
            progress = sum(wave[0].begun)
            while stack:  # waits keep the progress: they are followed until a layer begins
                label = stack.pop()
                for after in self.steps(label):
                    self.labels += 1
                    if self.bound(after) >= known:
                        continue
                    if sum(after.begun) == progress:
                        stack.append(after)
                    else:
                        self._keep(kept, after)
            wave = [label for labels in kept.values() for label in labels]
            if len(wave) > width:
                wave.sort(key=lambda item: (self.bound(item), sum(item.ends)))
                wave, whole = wave[:width], False
            if not wave:
                return None, whole
        return min(wave, key=lambda item: max(item.ends)), whole

    @staticmethod
    def _keep(kept: dict[tuple[tuple[int, ...], tuple[int, ...]], list[_Label]], label: _Label) -> None:
        """Add a label unless another is nowhere later; drop those that it makes needless."""
        now = min(label.ends)
        engines = tuple(on if end > now else _IDLE for end, on in zip(label.ends, label.engines, strict=True))
        others = kept.setdefault((label.begun, engines), [])
        if any(all(a <= b for a, b in zip(other.ends, label.ends, strict=True)) for other in others):
            return
        others[:] = [o for o in others if not all(a <= b for a, b in zip(label.ends, o.ends, strict=True))]
        others.append(label)


def schedule_shared(chains: Sequence[Sequence[Times]], most_labels: int = MOST_LABELS) -> SharedSchedule | None:
    """The schedule whose last layer ends first.

    Args:
        chains: of each network, of each layer in order, cycles on each engine.
        most_labels: with the same number of begun layers that are kept.

    Returns:
        The schedule; None where some layer runs nowhere.
    """
    if not chains or any(not chain for chain in chains):
        return SharedSchedule((), 0, True, 0)
    if any(all(time is None for time in times) for chain in chains for times in chain):
        return None
    search = _Search(chains, most_labels)
    best = search.serial()
    known, proved = max(best.ends), False
    for width in (4, 64, most_labels):  # a narrow search first: its answer bounds the wide one
        found, whole = search.run(width, known)
        if found is not None:
            best, known = found, max(found.ends)
        if whole:
            proved = True
            break
    placed = []
    label: _Label | None = best
    while label is not None:
        if label.placed is not None:
            placed.append(label.placed)
        label = label.before
    return SharedSchedule(tuple(sorted(placed, key=lambda item: item.start)), known, proved, search.labels)
