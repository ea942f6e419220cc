"""What ``codesign explore`` is asked for, and the recipe and folder that this makes. Loads neither torch nor optuna."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codesign.commands.targets import parse_shape
from codesign.explorer.folder import RunFolder, RunRecord, new_folder
from codesign.explorer.redact import redacted
from codesign.explorer.wanted import check_wanted, to_run
from codesign.recipe import DEFAULT_RECIPE, HARDWARE_RECIPE, JOINT_RECIPE, Recipe, load_recipe, parse_recipe
from codesign.spaces.search_space import NETWORK_GROUPS
from mappings.errors import Fault, SpecError


@dataclass(frozen=True)
class ExploreOptions:
    """What the command line may say over the recipe; None: what the recipe (or the resumed run) says.

    Attributes:
        recipe: name, NAME:VARIANT, or path; None: "default", or "joint" where hardware or a driver is named, or a
            network that is no space.
        network, hardware: a space, a class of the user's own, or one thing by name or file.
        input: shape of a module's input: "1,3,32,32".
        objectives: metrics, with commas between.
        limits: "METRIC=BOUND" each; together they replace the recipe's.
        data: data set.
        device, controller, driver, trials, seed: override the recipe.
        out: folder of a new run; None: the next free ``runs/RECIPE``.
        storage: Optuna storage URL; None: SQLite in the run's folder.
        resume: folder of a run to go on with.
        verify: points to run as hardware: names, "knee", "all"; to synthesise: "synth", "synth:NAME"; empty: none;
            None: the knee, or what the resumed run was begun with.
        jobs: worker processes for training; None: one a core.
        executor: URL of a cluster that trains in place of worker processes.
        images: test images that the hardware runs; None: 10, or as many as the resumed run was begun with.
    """

    recipe: str | None = None
    network: str | None = None
    hardware: str | None = None
    input: str | None = None
    objectives: str | None = None
    limits: Sequence[str] = ()
    data: str | None = None
    device: str | None = None
    controller: str | None = None
    driver: str | None = None
    trials: int | None = None
    seed: int | None = None
    out: str | None = None
    storage: str | None = None
    resume: str | None = None
    verify: Sequence[str] | None = None
    jobs: int | None = None
    executor: str | None = None
    images: int | None = None


def _overrides(options: ExploreOptions) -> dict[str, Any]:
    """Keys of the recipe that the command line replaces."""
    limits: dict[str, float] = {}
    faults = []
    for text in options.limits:
        name, _, bound = text.partition("=")
        if name in limits:
            faults.append(Fault("--limit", f'bounds "{name[:60]}" twice', "one bound a metric"))
        try:
            limits[name] = float(bound)
        except ValueError:
            faults.append(Fault("--limit", f"is {text[:60]!r}", "METRIC=BOUND, such as latency_ms=0.2"))
    if faults:
        raise SpecError(faults)
    return {
        "network": options.network,
        "hardware": options.hardware,
        "device": options.device,
        "objectives": None if options.objectives is None else options.objectives.split(","),
        "limits": limits or None,
        "data": options.data,
        "controller": options.controller,
        "driver": options.driver,
        "trials": options.trials,
        "seed": options.seed,
    }


def _base(options: ExploreOptions, overrides: dict[str, Any]) -> str:
    """The recipe where none is named."""
    if options.network is not None:
        read = load_recipe(JOINT_RECIPE, {"network": overrides["network"], "data": options.data})
        if not read.space.decisions.of_groups(*NETWORK_GROUPS).decisions:
            return HARDWARE_RECIPE
    return DEFAULT_RECIPE if options.driver is None and options.hardware is None else JOINT_RECIPE


def prepare(options: ExploreOptions) -> tuple[RunFolder, RunRecord]:
    """Folder and record of a new or resumed run.

    Raises:
        SpecError: wrong names or figures, or a resume that is another search.
    """
    overrides = _overrides(options)
    if options.input:
        overrides["network"] = {"name": options.network, "input": list(parse_shape(options.input))}
    if options.resume is None:
        recipe = load_recipe(options.recipe or _base(options, overrides), overrides)
        folder = new_folder(options.out, options.recipe or "default")
        shown = None if options.storage is None else redacted(options.storage)
        record = RunRecord(recipe, secrets.token_hex(16), shown)
        verify, images = to_verify(options, record)
        return folder, replace(record, verify=verify, images=images)
    if options.out is not None:
        raise SpecError(Fault("--out", "goes with a new run, not with --resume"))
    folder = RunFolder(Path(options.resume))
    record = folder.read_run()
    recipe = record.recipe
    faults = _contradictions(options, recipe, {key: value for key, value in overrides.items() if value is not None})
    if faults:
        raise SpecError([*faults, Fault("--resume", "nothing was changed", "the run's own recipe, or a new run")])
    if options.trials is not None:
        recipe = replace(recipe, trials=options.trials).check("explore")
    to_verify(options, record)
    return folder, replace(record, recipe=recipe)


def to_verify(options: ExploreOptions, record: RunRecord) -> tuple[tuple[str, ...], int]:
    """Points to run as hardware or to synthesise, and on how many images: as asked now, or as the run was begun with.

    Raises:
        SpecError: what can be no point of any front, or images where none is run.
    """
    verify = record.verify if options.verify is None else tuple(options.verify)
    check_wanted(verify)
    if options.images is not None and not to_run(verify):
        raise SpecError(Fault("--images", "changes nothing where no point is run", "--verify knee, all or a point"))
    return verify, record.images if options.images is None else options.images


def _contradictions(options: ExploreOptions, recipe: Recipe, given: dict[str, Any]) -> list[Fault]:
    """What is given with ``--resume`` and is not what the run was begun with, but for more trials.

    Args:
        recipe: the run's.
        given: keys of the recipe that the command line names.

    Raises:
        SpecError: no such recipe.
    """
    mine, begun = recipe.to_dict(), f"but {options.resume} was begun with"
    if options.recipe is not None:
        asked = load_recipe(options.recipe, given)
        theirs = asked.to_dict()
        differing = recipe.differences(asked) if asked.digest != recipe.digest else ()
        return [
            Fault(
                _flag(key) if key in given else f"--recipe {options.recipe}: {key}",
                f"is {theirs[key]}, {begun} {mine[key]}",
            )
            for key in differing
        ]
    faults = []
    for key, value in given.items():
        if key == "trials":
            continue
        if key == "data":
            same = value == recipe.space.network.dataset
        else:
            try:
                same = parse_recipe({**mine, key: value}, "explore").digest == recipe.digest
            except SpecError:  # what does not go with the rest of the recipe is not in it
                same = False
        if not same:
            dataset = recipe.space.network.dataset
            where = "--network and --input" if key == "network" and options.input else _flag(key)
            faults.append(Fault(where, f"is {value}, {begun} {dataset if key == 'data' else mine[key]}"))
    return faults


def _flag(key: str) -> str:
    """The option that replaces a key of the recipe."""
    return "--limit" if key == "limits" else f"--{key}"
