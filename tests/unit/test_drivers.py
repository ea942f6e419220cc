"""Drivers on a problem that costs nothing: budgets, fronts, equal seeds, and going on after a kill anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import optuna
import pytest

from accel_models.report import Infeasible
from codesign.controllers.controller import Controller, ControllerContext, Told
from codesign.controllers.proposals import key_of
from codesign.controllers.registry import make_controller
from codesign.decisions import Decision, DecisionSpace, Permutation, Point, Real, When
from codesign.drivers.base import DriverContext, Trial
from codesign.drivers.ledger import Ledger
from codesign.drivers.registry import DRIVERS
from codesign.explorer.journal import PLACE_KEY, REPORT_KEY, StudyJournal, frozen_trial, read_trial
from codesign.explorer.storage import open_storage
from codesign.objectives import Goal, Limit, Outcome
from codesign.objectives.front import nondominated
from codesign.seeds import derive_seed
from mappings.errors import SpecError

SPACE = DecisionSpace(
    (
        Decision("depth", "network", (1, 2, 3, 4)),
        Decision("width", "network", (4, 8, 16, 32)),
        Decision("array", "hardware", ("a", "b"), ordered=False),
        Decision("rows", "hardware", (4, 8, 16, 32)),
        Decision("taps", "hardware", (1, 3), when=(When("array", ("b",)),)),
        Decision("tile", "mapping", (1, 2, 4)),
    )
)
GOAL = Goal(("accuracy", "latency_ms", "energy_uj"), (Limit("dsp", 500.0),))
NAMES = ("ask_tell", "nested", "alternate", "staged", "halving", "stopped")
OPTIONS = {
    "alternate": {"phase_trials": 10},
    "staged": {"keep": 2},
    "nested": {"accelerators": "all"},
}


class Toy:
    """Accuracy grows with the network, latency falls with the hardware, DSPs are bounded."""

    def __init__(self, space: DecisionSpace = SPACE) -> None:
        self.space, self.goal = space, GOAL
        self.trained: list[tuple[object, ...]] = []
        self.left = 10**9

    def _outcome(self, point: Point, *, dear: bool, fidelity: float, gated: bool = True) -> Outcome:
        self.space.check(point)
        size = point["depth"] * point["width"]
        speed = point["rows"] * (1.5 if point["array"] == "b" else 1.0) * point.get("taps", 1) ** 0.5
        dsp = point["rows"] ** 2 * (1 + (point["array"] == "b"))
        metrics = {"latency_ms": size / speed + point["tile"] / 10, "energy_uj": size * 0.1 + dsp / 50 / point["tile"]}
        metrics["dsp"] = float(dsp)
        broken: tuple[Infeasible, ...] = self.goal.broken(metrics)
        if dear and not (gated and broken):
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
            self.trained.append((point["depth"], point["width"]))
            metrics["accuracy"] = (1 - 1 / (1 + size)) * (0.8 + 0.2 * fidelity)
        return Outcome(metrics, broken, ("cost", "train") if dear else ("cost",))

    def measure(self, points: Sequence[Point], *, fidelity: float = 1.0, gated: bool = True) -> list[Outcome]:
        """Everything."""
        return [self._outcome(point, dear=True, fidelity=fidelity, gated=gated) for point in points]

    hardware_fronts = None

    def price(self, network: Point, rows: Sequence[Point]) -> list[Outcome]:
        """The cost alone."""
        points = [self.space.canonical({**network, **row}) for row in rows]
        return [self._outcome(point, dear=False, fidelity=1.0) for point in points]


class Memory:
    """A journal in memory."""

    def __init__(self, trials: Sequence[Trial] = ()) -> None:
        self.trials = list(trials)

    def __len__(self) -> int:
        return len(self.trials)

    def __iter__(self) -> Iterator[Trial]:
        return iter(self.trials)

    def since(self, start: int) -> list[Trial]:
        """Trials from a number on."""
        return self.trials[start:]

    def append(self, trials: Sequence[Trial], start: int) -> None:
        """A batch."""
        assert start == len(self.trials)
        self.trials += trials


def run(
    name: str, problem: Toy, journal: Memory | StudyJournal, budget: int = 40, seed: int = 3, **options: object
) -> None:
    def controller(part: str, space: DecisionSpace, goal: Goal) -> Controller:
        return make_controller("nsga2", ControllerContext(derive_seed(seed, part), space, goal, 8, 40))

    entry = DRIVERS.get(name)
    given = entry.checked({**OPTIONS.get(name, {}), **options}, "driver")
    entry.load()().run(DriverContext(problem, controller, journal, budget, 8, seed, options=given))


@pytest.mark.parametrize("name", NAMES)
def test_equal_seeds_give_equal_journals(name: str) -> None:
    first, second, other = Memory(), Memory(), Memory()
    run(name, Toy(), first)
    run(name, Toy(), second)
    run(name, Toy(), other, seed=4)
    assert first.trials == second.trials != other.trials
    assert any(trial.told.outcome.feasible and trial.fidelity == 1.0 for trial in first)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("at", [0, 1, 9, 17])
def test_a_killed_run_comes_to_where_the_whole_one_was(name: str, at: int) -> None:
    whole, killed = Memory(), Memory()
    run(name, Toy(), whole)
    problem = Toy()
    problem.left = at
    with pytest.raises(KeyboardInterrupt):
        run(name, problem, killed)
    assert killed.trials == whole.trials[: len(killed)]
    before, again = len(killed), Toy()
    run(name, again, killed)
    assert killed.trials == whole.trials and before < len(whole)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "nested"])
def test_budgets_count_trials_and_can_grow(name: str) -> None:
    journal = Memory()
    run(name, Toy(), journal, budget=21)
    assert len(journal) == 21
    if name != "staged":  # whose stages are shares of the budget
        kept = list(journal)
        run(name, Toy(), journal, budget=40)
        assert len(journal) == 40 and journal.trials[:21] == kept


def test_nested_gives_the_whole_front_of_each_network_from_one_training() -> None:
    problem, journal = Toy(), Memory()
    run("nested", problem, journal, budget=32)
    by_network: dict[tuple[object, ...], list[Trial]] = {}
    for trial in journal:
        by_network.setdefault((trial.told.point["depth"], trial.told.point["width"]), []).append(trial)
    hardware = SPACE.of_groups("hardware", "mapping")
    columns = product("ab", (4, 8, 16, 32), (1, 3), (1, 2, 4))
    everything = [hardware.canonical({"array": a, "rows": r, "taps": t, "tile": m}) for a, r, t, m in columns]
    for (depth, width), trials in by_network.items():
        priced = problem.price({"depth": depth, "width": width}, everything)
        feasible = [outcome for outcome in priced if outcome.feasible]
        costs = Goal(("latency_ms", "energy_uj")).costs(feasible)
        true = {tuple(costs[row]) for row in nondominated(costs)}
        found = {(t.told.outcome.metrics["latency_ms"], t.told.outcome.metrics["energy_uj"]) for t in trials}
        assert found == true and all(t.told.outcome.feasible for t in trials)
    assert len(by_network) <= 16


def test_nested_refuses_a_space_that_it_cannot_price() -> None:
    with pytest.raises(SpecError, match="the space has 36"):
        run("nested", Toy(), Memory(), most_accelerators=35)
    journal = Memory()
    run("nested", Toy(), journal, most_accelerators=35, accelerators="search", inner_trials=16)
    assert len(journal) > 0


def test_a_journal_of_another_version_is_refused() -> None:
    journal = Memory()
    run("ask_tell", Toy(), journal, budget=16)
    told = journal.trials[3].told
    other = {**told.point, "depth": 1 if told.point["depth"] != 1 else 2}
    journal.trials[3] = Trial(Told(other, told.outcome))
    with pytest.raises(SpecError, match="trial 3 of the study: is another point"):
        run("ask_tell", Toy(), journal)


def test_halving_puts_few_on_the_last_rung() -> None:
    journal = Memory()
    run("halving", Toy(), journal, budget=60, eta=2, rungs=3)
    counts = {level: sum(trial.fidelity == level for trial in journal) for level in (0.25, 0.5, 1.0)}
    assert counts[0.25] > counts[0.5] > counts[1.0] > 0


def test_what_is_below_the_mean_is_stopped() -> None:
    journal = Memory()
    run("stopped", Toy(), journal, budget=60)
    short = [trial for trial in journal if trial.fidelity < 1.0]
    whole = {key_of(trial.told.point) for trial in journal if trial.fidelity == 1.0}
    assert {trial.fidelity for trial in short} == {0.3} and 0 < len(whole) < len(short)
    seen: list[float] = []
    batch: list[Trial] = []
    for trial in (*short, None):
        if trial is not None and len(batch) < 8:
            batch.append(trial)
            continue
        fine = [item for item in batch if item.told.outcome.feasible]
        seen += [item.told.outcome.metrics["accuracy"] for item in fine]
        above = {key_of(i.told.point) for i in fine if i.told.outcome.metrics["accuracy"] > sum(seen) / len(seen)}
        mine = {key_of(item.told.point) for item in batch}
        if trial is not None:  # the budget may end within the last batch
            assert above == whole & mine
        batch = [trial] if trial is not None else []


def test_alternate_holds_the_other_part() -> None:
    journal = Memory()
    run("alternate", Toy(), journal, budget=40)
    for phase in {trial.phase for trial in journal}:
        held = SPACE.of_groups(*(("hardware", "mapping") if "network" in phase else ("network",)))
        parts = {tuple(t.told.point.get(n) for n in held.names) for t in journal if t.phase == phase}
        assert len(parts) == 1


MIXED = DecisionSpace(
    (
        Decision("kind", "hardware", ("a", "b"), ordered=False),
        Real("share", "hardware", 0.1, 1.0, log=True),
        Permutation("order", "mapping", ("K", "C", "P")),
        Decision("size", "hardware", (1, 2.5), when=(When("kind", ("b",)),)),
    )
)


@pytest.mark.parametrize("point", [
    {"kind": "a", "share": 0.1 + 1e-17, "order": ("C", "P", "K")},
    {"kind": "b", "share": 0.30000000000000004, "order": ("K", "C", "P"), "size": 2.5},
])  # fmt: skip
def test_a_trial_comes_back_as_it_was(point: Point) -> None:
    goal = Goal(("accuracy", "latency_ms"), (Limit("dsp", 3),))
    bound = Infeasible("DSP", 5, 3, "blocks", "fewer", "array")
    for outcome in (
        Outcome({"accuracy": 0.1, "latency_ms": 1 / 3}, (), ("a",)),
        Outcome({"latency_ms": 7.0}, (bound,)),
    ):
        trial = Trial(Told(point, outcome), "phase 3", 0.25)
        frozen = frozen_trial(MIXED, goal, trial)
        assert read_trial(MIXED, frozen.user_attrs[REPORT_KEY]) == trial
        assert (max(frozen.constraints.values()) > 0) is not outcome.feasible


@pytest.mark.parametrize("kind", ["sqlite", "journal", "memory"])
def test_batches_are_what_optuna_itself_would_have_written(kind: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    directions = ["maximize", "minimize", "minimize"]

    def opened(name: str) -> optuna.Study:
        if kind == "sqlite":
            storage = open_storage(f"sqlite:///{tmp_path}/study.db")
        elif kind == "journal":
            backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / "log"))
            storage = optuna.storages.JournalStorage(backend)
        else:
            storage = optuna.storages.InMemoryStorage()
        return optuna.create_study(storage=storage, study_name=name, directions=directions, load_if_exists=True)

    mine, plain = opened("mine"), opened("plain")
    journal = StudyJournal(mine, SPACE, GOAL)
    run("ask_tell", Toy(), journal, budget=20)
    expected = [frozen_trial(SPACE, GOAL, trial) for trial in journal]
    for place, trial in enumerate(expected):
        if kind != "sqlite":  # where a batch cannot be refused, a trial says which one it is
            trial.set_user_attr(PLACE_KEY, place)
    plain.add_trials(expected)
    fields = ("number", "state", "params", "values", "distributions", "user_attrs", "system_attrs", "constraints")
    for study, other in ((mine, plain), (opened("mine"), plain)) if kind != "memory" else ((mine, plain),):
        trials = [[getattr(trial, name) for name in fields] for trial in study.trials]
        assert trials == [[getattr(trial, name) for name in fields] for trial in other.trials]
    if kind != "memory":
        again = StudyJournal(opened("mine"), SPACE, GOAL)
        assert list(again) == list(journal)
        run("ask_tell", Toy(), again, budget=40)
        whole = Memory()
        run("ask_tell", Toy(), whole, budget=40)
        assert list(again) == whole.trials


def test_the_ledger_stops_at_the_budget() -> None:
    context = DriverContext(Toy(), lambda *_: None, Memory(), 5, 8, 0)  # type: ignore[arg-type, return-value]
    points = [SPACE.draw(ControllerContext(0, SPACE, GOAL, 8).rng(index)) for index in range(8)]
    ledger = Ledger(context)
    assert len(ledger.measure(points)) == 5 and ledger.left == 0 and ledger.measure(points) == []


def test_a_small_space_is_measured_whole_and_nothing_twice() -> None:
    problem, journal = Toy(), Memory()
    assert SPACE.size == len(SPACE.enumerated()) == 4 * 4 * (1 + 2) * 4 * 3
    run("ask_tell", problem, journal, budget=300)
    assert len(journal) == 300 and len({key_of(trial.told.point) for trial in journal}) == 300
    kept = list(journal)
    run("ask_tell", Toy(), journal, budget=10**6)
    assert journal.trials[:300] == kept
    assert {key_of(trial.told.point) for trial in journal} == {key_of(point) for point in SPACE.enumerated()}
    assert len(journal) == SPACE.size
