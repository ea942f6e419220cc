"""All networks of NAS-Bench-201 on all accelerators of a space, priced: the true front, and a problem to search it.

Cost is the provider `layer_sum`: a network's cycles and energy are those of its layers, each timed alone on the
accelerator by its own exact program. The 15,625 networks have few distinct layers, hence few lists of layers, and
every pair is a dot product. Networks of one list of layers have equal costs on every accelerator; of them only the most
accurate can be on the front.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accel_models.hardware.devices import device
from accel_models.pricing.layers import LayerTable, layer_costs
from accel_models.pricing.price import Pricer
from accel_models.report import Infeasible
from accel_models.template.resources import fits
from codesign.decisions import Decision, DecisionSpace, Point
from codesign.drivers.base import Trial
from codesign.objectives import Goal, Outcome
from codesign.providers.accuracy.table import read_table
from codesign.recipe_parts import Part, make_space
from codesign.spaces.network.nasbench201 import EDGES, OPERATIONS, NasBench201, architecture, edge_name, live_edges
from codesign.spaces.search_space import SearchSpace
from mappings.errors import Fault, SpecError

Floats = NDArray[np.float64]
OBJECTIVES = ("accuracy", "latency_ms", "energy_uj")
#: What of the default hardware space the race keeps; every array, shape, bus and clock is in it.
CHOICES: dict[str, tuple[Any, ...]] = {
    "input_buffer_kib": (4, 32),
    "weight_buffer_kib": (4, 32),
    "acc_buffer_kib": (8, 32),
    "output_buffer_kib": (1, 4),
}
SPLIT = "test_200"
#: The bound of hypervolumes lies so much of the true front's span beyond its worst.
MARGIN = 0.1


def front_of(costs: Floats) -> list[int]:
    """Rows [n, 3] (all minimised) that no other dominates, ascending."""
    order = np.lexsort((costs[:, 2], costs[:, 1], costs[:, 0]))
    seconds, thirds, kept = list[float](), list[float](), list[int]()  # a staircase: second up, third down
    for row in order:
        second, third = float(costs[row, 1]), float(costs[row, 2])
        place = bisect.bisect_right(seconds, second)
        if place and thirds[place - 1] <= third:
            continue
        start = bisect.bisect_left(seconds, second)
        end = start
        while end < len(seconds) and thirds[end] >= third:
            end += 1
        seconds[start:end], thirds[start:end] = [second], [third]
        kept.append(int(row))
    return sorted(kept)


def hypervolume(costs: Floats, bound: Floats) -> float:
    """Volume that rows [n, 3] dominate below a bound [3]."""
    inside = costs[(costs < bound).all(axis=1)]
    if not len(inside):
        return 0.0
    inside = inside[np.lexsort((inside[:, 2], inside[:, 1], inside[:, 0]))]
    seconds, thirds, total, area = list[float](), list[float](), 0.0, 0.0
    for row, (first, second, third) in enumerate(inside.tolist()):
        place = bisect.bisect_right(seconds, second)
        if not place or thirds[place - 1] > third:
            start = end = bisect.bisect_left(seconds, second)
            height = thirds[start - 1] if start else float(bound[2])
            left = second
            while True:  # what the new corner adds to the area, column by column
                right = seconds[end] if end < len(seconds) else float(bound[1])
                area += (right - left) * (height - third)
                if end >= len(seconds) or thirds[end] < third:
                    break
                left, height = right, thirds[end]
                end += 1
            seconds[start:end], thirds[start:end] = [second], [third]
        after = inside[row + 1, 0] if row + 1 < len(inside) else bound[0]
        total += area * (after - first)
    return float(total)


@dataclass(frozen=True, eq=False)
class Oracle:
    """Everything known.

    Attributes:
        space: networks x accelerators.
        accuracy: [15,625], by `nasbench201.row_of`.
        kind: [15,625], which list of layers a network has; same: which computation it is.
        latency_ms, energy_uj, chip_mw: [kinds, accelerators]; not a number where a buffer cannot hold a layer.
        hardware: the accelerators' points, in the order of columns; broken: what of the device each breaks.
        power_mw: the device's bound, or None.
    """

    space: SearchSpace
    accuracy: Floats
    kind: NDArray[np.int64]
    same: NDArray[np.int64]
    latency_ms: Floats
    energy_uj: Floats
    chip_mw: Floats
    hardware: list[Point]
    broken: list[tuple[Infeasible, ...]]
    power_mw: float | None

    @property
    def pairs(self) -> int:
        """How many."""
        return len(self.accuracy) * len(self.hardware)

    def feasible(self) -> NDArray[np.bool_]:
        """[kinds, accelerators]: the device has room, and every buffer holds every layer."""
        room = np.array([not broken for broken in self.broken])
        good: NDArray[np.bool_] = np.isfinite(self.latency_ms) & room
        if self.power_mw is not None:
            good &= ~(self.chip_mw > self.power_mw)
        return good

    def fronts(self) -> list[NDArray[np.int64]]:
        """Of each kind, the accelerators that no other dominates in latency and energy, fastest first."""
        good, out = self.feasible(), []
        for kind in range(len(self.latency_ms)):
            columns = np.flatnonzero(good[kind])
            latency, energy = self.latency_ms[kind, columns], self.energy_uj[kind, columns]
            order = np.lexsort((energy, latency))
            least = np.minimum.accumulate(energy[order])
            first = np.ones(len(order), dtype=bool)
            first[1:] = energy[order][1:] < least[:-1]
            out.append(columns[order[first]])
        return out


def _counted(cells: Sequence[tuple[str, ...]], dataset: str) -> tuple[LayerTable, list[dict[int, int]]]:
    space, table = NasBench201(dataset), LayerTable()
    return table, [table.counts(space.workload(cell)) for cell in cells]


def layer_lists(dataset: str, jobs: int) -> tuple[list[Any], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Distinct layers; how often each distinct list has each, [kinds, layers]; which list, and computation, each is."""
    cells = list(product(OPERATIONS, repeat=len(EDGES)))
    same: dict[tuple[Any, ...], int] = {}
    live = np.array([same.setdefault(tuple(live_edges(cell).items()), len(same)) for cell in cells])
    firsts = [cells[place] for place in np.unique(live, return_index=True)[1]]
    parts = [firsts[part :: 2 * jobs] for part in range(2 * jobs)]
    if jobs > 1:
        with ProcessPoolExecutor(jobs) as pool:
            done = list(pool.map(_counted, parts, [dataset] * len(parts)))
    else:
        done = [_counted(part, dataset) for part in parts]
    layers: dict[Any, int] = {}
    counts = np.zeros((len(firsts), 256), dtype=np.int64)
    for part, (table, found) in enumerate(done):
        for place, row in enumerate(found):
            for number, count in row.items():
                layer = layers.setdefault(table.layers[number], len(layers))
                counts[part + 2 * jobs * place, layer] = count
    kinds, kind_of = np.unique(counts[:, : len(layers)], axis=0, return_inverse=True)
    return list(layers), kinds, kind_of.reshape(-1)[live], live


def hardware_points(space: SearchSpace) -> list[Point]:
    """Every accelerator, mappings among them."""
    decisions = [item for item in space.decisions.decisions if item.group in ("hardware", "mapping")]
    assert all(isinstance(item, Decision) and not item.when for item in decisions), "templates have plain choices"
    names = [item.name for item in decisions]
    return [dict(zip(names, values, strict=True)) for values in product(*(item.choices for item in decisions))]  # type: ignore[union-attr]


def make_oracle(
    table: str, dataset: str, device_name: str, *, choices: Mapping[str, tuple[Any, ...]] = CHOICES, jobs: int = 2
) -> Oracle:
    """Price everything.

    Raises:
        SpecError: a table that is damaged or of another benchmark, an unknown device, data set or choice.
    """
    told = read_table(table)
    if (dataset, SPLIT) not in told.accuracy or told.benchmark != "nasbench201":
        raise SpecError(Fault(table, f"has no {SPLIT} of {dataset}", "a table of NAS-Bench-201 with that data set"))
    parts = {
        "network": Part("nasbench201", (("dataset", dataset),)),
        "compression": Part("none"),
        "hardware": Part("templates"),
        "mapping": Part("default"),
    }
    space = make_space(parts, device_name, dict(choices), "oracle")
    shares = told.accuracy[dataset, SPLIT]
    accuracy = np.array([shares[architecture(cell)] for cell in product(OPERATIONS, repeat=len(EDGES))])
    layers, kinds, kind_of, same = layer_lists(dataset, jobs)
    part, points = device(device_name), hardware_points(space)
    templates = [space.hardware.hardware_at(point, layers[0]) for point in points]
    costs = layer_costs(Pricer(part, bounded=False), layers, templates)
    runs = (kinds > 0).astype(np.float64) @ (costs.code > 0) == 0
    weights, clocks = kinds.astype(np.float64), np.array([float(template.clock_hz) for template in templates])
    cycles = weights @ costs.cycles  # whole numbers far below 2**53: exact
    energy = weights @ np.nan_to_num(costs.energy_pj)
    chip = weights @ np.nan_to_num(costs.chip_pj)
    latency = np.where(runs, cycles / clocks * 1e3, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        chip_mw = chip / 1e9 / (latency / 1e3)
    broken = [fits(template, part) for template in templates]
    energy_uj = np.where(runs, energy / 1e6, np.nan)
    return Oracle(space, accuracy, kind_of, same, latency, energy_uj, chip_mw, points, broken, part.power_mw)


class Truth:
    """The true front of an oracle, and hypervolumes as shares of its own."""

    def __init__(self, oracle: Oracle, fronts: Sequence[NDArray[np.int64]]) -> None:
        best = np.full(len(oracle.latency_ms), -1)
        for network in np.argsort(oracle.accuracy, kind="stable"):
            best[oracle.kind[network]] = network
        rows = [(network, column) for kind, network in enumerate(best) for column in fronts[kind]]
        if not rows:
            raise SpecError(Fault("device", "no accelerator of the space fits it", "a larger device"))
        pairs = np.array(rows)
        kinds = oracle.kind[pairs[:, 0]]
        costs = self.costs(
            oracle.accuracy[pairs[:, 0]],
            oracle.latency_ms[kinds, pairs[:, 1]],
            oracle.energy_uj[kinds, pairs[:, 1]],
        )
        kept = front_of(costs)
        self.pairs, self.front = pairs[kept], costs[kept]
        low, high = self.front.min(axis=0), self.front.max(axis=0)
        self.bound = high + MARGIN * (high - low)
        self.volume = hypervolume(self.front, self.bound)

    def without_luck(self, oracle: Oracle, fronts: Sequence[NDArray[np.int64]]) -> float:
        """Share of the true hypervolume where each network has the mean accuracy of its equals.

        Cells that compute the same were trained apart; which of them came out best is chance, and no search can foresee
        it. What a search has above this share it found by measuring equals.
        """
        mean = (np.bincount(oracle.same, oracle.accuracy) / np.bincount(oracle.same))[oracle.same]
        best = np.zeros(len(oracle.latency_ms))
        np.maximum.at(best, oracle.kind, mean)
        rows = [
            self.costs(np.full(len(front), share), oracle.latency_ms[kind, front], oracle.energy_uj[kind, front])
            for kind, (share, front) in enumerate(zip(best, fronts, strict=True))
        ]
        return hypervolume(np.concatenate(rows), self.bound) / self.volume

    @staticmethod
    def costs(accuracy: Floats, latency_ms: Floats, energy_uj: Floats) -> Floats:
        """Error, and logarithms of latency and energy."""
        return np.column_stack([1.0 - accuracy, np.log(latency_ms), np.log(energy_uj)])

    def share(self, outcomes: Sequence[Outcome]) -> float:
        """Hypervolume of what is feasible among outcomes, of the true one."""
        rows = [[outcome.metrics[name] for name in OBJECTIVES] for outcome in outcomes if outcome.feasible]
        if not rows:
            return 0.0
        accuracy, latency, energy = np.array(rows).T
        return hypervolume(self.costs(accuracy, latency, energy), self.bound) / self.volume


class Memory:
    """A journal in memory."""

    def __init__(self) -> None:
        self._trials: list[Trial] = []

    def __len__(self) -> int:
        """Trials so far."""
        return len(self._trials)

    def __iter__(self) -> Iterator[Trial]:
        """Every trial, in order."""
        return iter(self._trials)

    def __getitem__(self, place: int) -> Trial:
        """One trial."""
        return self._trials[place]

    def since(self, start: int) -> list[Trial]:
        """Trials from a number on."""
        return self._trials[start:]

    def append(self, trials: Sequence[Trial], start: int) -> None:
        """A batch."""
        assert start == len(self._trials), "one worker tells in order"
        self._trials += trials


class OracleProblem:
    """An oracle as what drivers search: every figure is looked up."""

    def __init__(self, oracle: Oracle, goal: Goal, fronts: Sequence[NDArray[np.int64]] | None = None) -> None:
        self.space: DecisionSpace = oracle.space.decisions
        self.goal = goal
        self._oracle, self._fronts = oracle, fronts
        self._edges = [edge_name(edge) for edge in EDGES]
        self._digit = {operation: digit for digit, operation in enumerate(OPERATIONS)}
        self._names = list(oracle.hardware[0])
        self._column = {tuple(point.values()): column for column, point in enumerate(oracle.hardware)}
        self.networks: dict[int, int] = {}  # measured ones, with the number of pairs before each

    def _row(self, point: Mapping[str, Any]) -> int:
        number = 0
        for name in self._edges:
            number = number * len(OPERATIONS) + self._digit[point[name]]
        return number

    def outcome(self, network: int, column: int) -> Outcome:
        """One pair."""
        oracle = self._oracle
        kind = oracle.kind[network]
        latency, energy = float(oracle.latency_ms[kind, column]), float(oracle.energy_uj[kind, column])
        broken = list(oracle.broken[column])
        metrics = {"accuracy": float(oracle.accuracy[network])}
        if np.isfinite(latency):
            metrics |= {"latency_ms": latency, "energy_uj": energy}
            power = float(oracle.chip_mw[kind, column])
            if oracle.power_mw is not None and power > oracle.power_mw:
                broken.append(Infeasible("power", power, oracle.power_mw, "mW", "a slower clock, a smaller array"))
        else:
            broken.append(Infeasible("buffers", 1.0, 0.0, "", "larger buffers"))
        broken += self.goal.broken(metrics)
        return Outcome(metrics, tuple(broken), ("layer_sum", "table"))

    def measure(self, points: Sequence[Point], *, fidelity: float = 1.0, gated: bool = True) -> list[Outcome]:
        """Outcomes in order."""
        del fidelity, gated
        out = []
        for point in points:
            column = self._column[tuple(point[name] for name in self._names)]
            out.append(self.outcome(self._row(point), column))
        return out

    def price(self, network: Point, rows: Sequence[Point]) -> list[Outcome]:
        """A network on many accelerators; accuracy stands for a training, and is not told."""
        row = self._row(network)
        out = []
        for point in rows:
            told = self.outcome(row, self._column[tuple(point[name] for name in self._names)])
            metrics = {name: value for name, value in told.metrics.items() if name != "accuracy"}
            broken = tuple(item for item in told.broken if item.resource != "accuracy")
            out.append(Outcome(metrics, broken, ("layer_sum",)))
        return out

    def hardware_fronts(self, networks: Sequence[Point]) -> list[list[Point]]:
        """Networks' fronts over every accelerator, within the goal's limits; where none is, the nearest to them."""
        return [self._front(network) for network in networks]

    def _front(self, network: Point) -> list[Point]:
        oracle, row = self._oracle, self._row(network)
        kind = oracle.kind[row]
        assert self._fronts is not None, "a problem for nested drivers is made with fronts"
        columns = self._fronts[kind]
        within = [c for c in columns if self.outcome(row, int(c)).feasible]
        if within:
            return [oracle.hardware[c] for c in within]
        near = columns if len(columns) else np.arange(len(oracle.hardware))
        nearest = min(near, key=lambda c: self.outcome(row, int(c)).violation)
        return [oracle.hardware[int(nearest)]]
