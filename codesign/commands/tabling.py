"""``codesign table``: what each layer of a space costs on one accelerator, by a model or by RTL, as a file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from accel_models.cost import cost as design_cost
from accel_models.design import Design
from accel_models.hardware.accelerator import Accelerator
from accel_models.pricing.layers import LayerTable
from accel_models.report import CostReport, Infeasible
from accel_models.schedule import Schedule, default_mapping, schedule_network
from codesign.commands.applies import check_applies
from codesign.commands.kinds import Kind
from codesign.commands.targets import HardwareLike, find_hardware, parse_shape
from codesign.progress import Reporter, Silent
from codesign.providers.cost.layer_table import LayerFile, LayerRow
from codesign.recipe import load_recipe
from codesign.seeds import derive_seed
from codesign.spaces.search_space import NETWORK_GROUPS, SearchSpace
from mappings.errors import Fault, SpecError, unknown_name
from mappings.workload import Workload

#: Who finds out what a layer costs.
BY = ("program", "directive", "simulation")
DEFAULT_RECIPE, DEFAULT_NETWORKS, MAX_NETWORKS = "networks", 1000, 1_000_000
#: In place of what a recipe searches for, and how: only its networks count here, also those that cannot be trained.
_PLAIN_GOAL = {
    "objectives": ["macs"], "limits": {}, "reward": {"name": "weighted_sum", "weights": {"macs": -1.0}},
    "providers": ["size"], "controller": "random", "controllers": {}, "driver": "ask_tell", "start": [],
}  # fmt: skip
#: Of as many networks as were drawn: drawn afterwards, to see how many the table covers.
_HELD_OUT = 0.2
#: Layers that run in one simulation; a table is written at least so often.
_AT_ONCE, _EVERY_S = 16, 30.0
#: Latency in ms and energy in uJ (None: not modelled) of one layer, or why it has none.
Found = tuple[float, float | None] | str
_NOTHING = (0.0, 0.0)


@dataclass(frozen=True)
class Tabled:
    """A table that was built.

    Attributes:
        path: of the file.
        hardware, by: whose figures they are, and who found them out.
        layers: that the file has; new: of those, found out now.
        networks: that were drawn.
        covered: share of other networks of the space all of whose layers the file has.
        refused: layers that the accelerator does not run, with why the first does not.
    """

    path: Path
    hardware: str
    by: str
    layers: int
    new: int
    networks: int
    covered: float
    refused: int
    why: str


def table(
    *,
    out: str | Path,
    hardware: HardwareLike,
    by: str | None = None,
    recipe: str | Path | None = None,
    network: str | Path | None = None,
    input: str | None = None,  # noqa: A002 - the command line's word
    networks: int | None = None,
    seed: int | None = None,
    reporter: Reporter | None = None,
) -> Tabled:
    """Build a table of layers, for the provider ``lookup``; one that is there already is added to.

    Args:
        out: file of the table.
        hardware: an accelerator by name, from a file, or the thing itself.
        by: "program" (exact cycles and energy of the layer's own program, on a template), "directive" (the directive
            model with the mapper), or "simulation" (cycles of the RTL); None: "program".
        recipe: whose network space, compression and choices count; None: "networks".
        network: in place of the recipe's: a space, a class of the user's own, or one network.
        input: shape of a module's input.
        networks: so many are drawn, and all their layers measured; None: 1000.
        seed: of the draws.
        reporter: where progress goes.

    Raises:
        SpecError: wrong input, hardware that cannot be asked so, or a file that is another table.
    """
    given = {
        "out": out, "hardware": hardware, "by": by, "recipe": recipe, "network": network, "input": input,
        "networks": networks, "seed": seed,
    }  # fmt: skip
    check_applies("table", Kind.SPACE, given)
    by, wanted, reporter = by or BY[0], DEFAULT_NETWORKS if networks is None else networks, reporter or Silent()
    if by not in BY:
        raise unknown_name("--by", "kind of figures", by, BY)
    if not 1 <= wanted <= MAX_NETWORKS:
        raise SpecError(Fault("--networks", f"is {wanted}", f"1 to {MAX_NETWORKS}"))
    accelerator = find_hardware(hardware, "--hardware")
    if by != "directive" and accelerator.template is None:
        what = f"accelerator {accelerator.name} has no template, so there is no {by}"
        raise SpecError(Fault("--hardware", what, "the YAML of a template or of a design, or --by directive"))
    named: object = None if network is None else str(network)
    if input is not None:
        named = {"name": str(network), "input": list(parse_shape(input))}
    read = load_recipe(str(recipe or DEFAULT_RECIPE), {**_PLAIN_GOAL, "network": named, "seed": seed})
    made = LayerFile(accelerator.name, by)
    if Path(out).exists():
        made = LayerFile.load(out)
        if (made.hardware, made.by) != (accelerator.name, by):
            what = f"holds figures of {made.hardware} by {made.by}, not of {accelerator.name} by {by}"
            raise SpecError(Fault(f"--out {out}", what, "another file"))
    with reporter.task("networks", None):
        singles, seen = _layers(read.space, wanted, derive_seed(read.seed, "table"))
    before = len(made.rows)
    fresh = [layer for layer in singles if layer.digest not in made.rows]
    refused, saved = dict[str, str](), time.monotonic()
    with reporter.task(f"layers by {by}", len(fresh)) as advance:
        for layer, found in _FIND[by](fresh, accelerator, reporter):
            if isinstance(found, str):
                refused[layer.digest] = found
            else:
                made.add(LayerRow(layer, *found))
            advance()
            if made.rows and time.monotonic() - saved > _EVERY_S:
                made.save(out)
                saved = time.monotonic()
    if not made.rows:
        raise SpecError(
            Fault("--hardware", f"{accelerator.name} runs no layer of the space: {next(iter(refused.values()))}")
        )
    made.save(out)
    others = wanted if seen < wanted else max(1, round(_HELD_OUT * seen))  # where all were seen, all of them again
    covered = _covered(read.space, made, others, derive_seed(read.seed, "table", "held out"))
    why = next(iter(refused.values()), "")
    return Tabled(
        Path(out), made.hardware, by, len(made.rows), len(made.rows) - before, seen, covered, len(refused), why
    )


def _networks(space: SearchSpace, most: int, seed: int) -> Iterator[Workload]:
    """Networks of a space: all of them where they are no more than so many, else so many draws.

    Raises:
        SpecError: a space whose networks have no layers.
    """
    rng, decided = np.random.default_rng(seed), space.decisions.of_groups(*NETWORK_GROUPS)
    points = decided.enumerated() if decided.size <= most else [decided.draw(rng) for _ in range(most)]
    for point in points:
        workload = space.network_at(point).workload
        if workload is None:
            raise SpecError(Fault("--network", "has networks without layers", "a space with workloads"))
        yield workload


def _layers(space: SearchSpace, most: int, seed: int) -> tuple[list[Workload], int]:
    """Distinct layers of a space's networks, each as a network of its own; and of how many networks."""
    seen, count = LayerTable(), 0
    for count, workload in enumerate(_networks(space, most, seed), 1):  # noqa: B007 - how many there were
        seen.counts(workload)
    return seen.layers, count


def _covered(space: SearchSpace, made: LayerFile, most: int, seed: int) -> float:
    """Share of other networks all of whose layers a table has."""
    seen = LayerTable()
    whole = [
        all(seen.layers[place].digest in made.rows for place in seen.counts(workload))
        for workload in _networks(space, most, seed)
    ]
    return sum(whole) / len(whole)


def _figures(report: CostReport, cycles: int | None = None) -> Found:
    same = cycles is None or cycles == report.latency_cycles
    latency_ms = report.latency_ms if same else report.latency_ms * (cycles or 0) / report.latency_cycles
    return latency_ms, None if report.energy_pj is None else report.energy_pj / 1e6


def _program(layer: Workload, hardware: Accelerator) -> tuple[Schedule, CostReport] | str | None:
    """A layer's own program; why there is none; or None: it moves nothing (a concatenation in place)."""
    assert hardware.template is not None, "checked before"
    (only,) = layer.layers
    mappings = []
    if only.op.spec.has_loops:
        mapping = default_mapping(only, hardware.template)
        if isinstance(mapping, Infeasible):
            return str(mapping)
        mappings.append((only.name, mapping))
    design = Design(layer, hardware, tuple(mappings))
    schedule = schedule_network(design)
    if isinstance(schedule, Infeasible):
        return str(schedule)
    if not schedule.plans:
        return None
    report = design_cost(design)
    return (schedule, report) if isinstance(report, CostReport) else str(report[0])


def _by_program(
    layers: Sequence[Workload], hardware: Accelerator, reporter: Reporter
) -> Iterator[tuple[Workload, Found]]:
    del reporter
    for layer in layers:
        found: tuple[Schedule, CostReport] | str | None
        try:
            found = _program(layer, hardware)
        except SpecError as error:  # an operator that it does not run
            found = str(error)
        yield layer, _NOTHING if found is None else found if isinstance(found, str) else _figures(found[1])


def _by_directive(
    layers: Sequence[Workload], hardware: Accelerator, reporter: Reporter
) -> Iterator[tuple[Workload, Found]]:
    from codesign.commands.mapping import map_network

    machine = replace(hardware, template=None)
    for place, layer in enumerate(layers):
        try:
            found = map_network(layer, accelerator=machine, reporter=Silent() if place else reporter)
        except SpecError as error:
            yield layer, str(error)
            continue
        yield layer, str(found) if isinstance(found, Infeasible) else _figures(found.report)


def _by_simulation(
    layers: Sequence[Workload], hardware: Accelerator, reporter: Reporter
) -> Iterator[tuple[Workload, Found]]:
    """Cycles of the RTL, several layers a simulation; energy of what its program moves."""
    from codesign.images import random_images
    from codesign.quantization.random_network import random_network
    from rtl_templates.simulate import Job, simulate_jobs

    del reporter
    for first in range(0, len(layers), _AT_ONCE):
        jobs, told = list[Job](), list[tuple[Workload, CostReport]]()
        for layer in layers[first : first + _AT_ONCE]:
            found: tuple[Schedule, CostReport] | str | None
            try:
                found = _program(layer, hardware)
                if isinstance(found, tuple):
                    network = random_network(layer)
            except SpecError as error:
                found = str(error)
            if not isinstance(found, tuple):
                yield layer, _NOTHING if found is None else found
                continue
            jobs.append(Job(found[0], network, random_images(network, 1)))
            told.append((layer, found[1]))
        for (layer, report), run in zip(told, simulate_jobs(jobs), strict=True):
            yield layer, _figures(report, run.cycles)


_FIND: dict[str, Callable[[Sequence[Workload], Accelerator, Reporter], Iterator[tuple[Workload, Found]]]] = {
    "program": _by_program,
    "directive": _by_directive,
    "simulation": _by_simulation,
}
