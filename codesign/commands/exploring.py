"""``codesign explore`` as a function; names and figures are checked before anything heavy is loaded."""

from __future__ import annotations

import contextlib
import importlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codesign.commands.applies import check_applies, flag
from codesign.commands.kinds import Kind
from codesign.explorer.folder import RunFolder, new_folder
from codesign.recipe import Recipe, load_recipe
from mappings.errors import Fault, SpecError, nearest

if TYPE_CHECKING:
    from codesign.explorer.result import RunResult
    from codesign.progress import Reporter

MAX_IMAGES, MAX_JOBS = 500, 256
#: Options that replace a key of the recipe.
_RECIPE_OPTIONS = ("device", "controller", "trials", "seed")
#: Of these a resumed run may differ from what it was begun with.
_FREE = {"trials"}


def explore(
    recipe: str | None = None,
    *,
    device: str | None = None,
    controller: str | None = None,
    trials: int | None = None,
    seed: int | None = None,
    out: str | Path | None = None,
    storage: str | None = None,
    resume: str | Path | None = None,
    verify: str | Sequence[str] | None = None,
    images: int | None = None,
    jobs: int | None = None,
    reporter: Reporter | None = None,
) -> RunResult:
    """Search networks and hardware together; the run is in its folder, too.

    Args:
        recipe: name or YAML file; None: default, or the resumed run's.
        device, controller, trials, seed: in place of the recipe's.
        out: folder of a new run; None: the next free ``runs/RECIPE``.
        storage: Optuna storage URL; None: SQLite in the run's folder.
        resume: folder of a run to go on with; what else is given must be what it was begun with, but for trials.
        verify: points to run as hardware: names, "knee" (None), "all"; or "none" alone.
        images: test images that the hardware runs (10).
        jobs: worker processes; 0: none; None: one a core.
        reporter: where progress goes.

    Raises:
        SpecError: wrong input, an option that changes nothing or contradicts the resumed run; nothing was begun.
    """
    given: dict[str, Any] = {
        "recipe": recipe, "device": device, "controller": controller, "trials": trials, "seed": seed,
        "out": out, "storage": storage, "resume": resume, "verify": verify, "images": images, "jobs": jobs,
    }  # fmt: skip
    check_applies("explore", Kind.NEW if resume is None else Kind.RESUMED, given)
    wanted = _wanted(verify)
    if images is not None:
        if not wanted:
            raise SpecError(Fault("--images", "changes nothing with --verify none"))
        if not 1 <= images <= MAX_IMAGES:
            raise SpecError(Fault("--images", f"is {images}", f"1 to {MAX_IMAGES}"))
    if jobs is not None and not 0 <= jobs <= MAX_JOBS:
        raise SpecError(Fault("--jobs", f"is {jobs}", f"0 (no workers) to {MAX_JOBS}"))
    overrides = {name: given[name] for name in _RECIPE_OPTIONS}
    if resume is None:
        load_recipe(recipe or "default", overrides)
        folder = new_folder(None if out is None else str(out), recipe or "default")
    else:
        folder = RunFolder(Path(resume))
        check_resumed(folder, recipe, overrides)
    existed = folder.path.exists()
    run = importlib.import_module("codesign.explorer.run")  # torch and Optuna come with it
    options = run.ExploreOptions(
        **overrides,
        recipe=recipe,
        out=None if out is None else str(out),
        storage=storage,
        resume=None if resume is None else str(resume),
        verify=wanted,
        jobs=jobs,
        images=images or 10,
    )
    try:
        result: RunResult = run.explore(options, reporter)
    except SpecError:
        if not existed:
            _remove_unused(folder.path)
        raise
    return result


def _remove_unused(path: Path) -> None:
    """Remove a folder that was made for a run which was then refused; one in which anything was kept stays."""
    with contextlib.suppress(OSError):
        (path / "networks").rmdir()
    if [item.name for item in path.glob("*")] in ([], [".lock"]):
        (path / ".lock").unlink(missing_ok=True)
        path.rmdir()


def _wanted(verify: str | Sequence[str] | None) -> tuple[str, ...]:
    """Points to run; none for "none".

    Raises:
        SpecError: what can be no point of any front, or "none" among others.
    """
    items = ("knee",) if verify is None else (verify,) if isinstance(verify, str) else tuple(verify)
    words = ("knee", "all", "none")
    for item in items:
        if item not in words and not re.fullmatch(r"point_\d{2,4}", item):
            what = f"is {item[:60]!r}{nearest(item, words)}"
            raise SpecError(Fault("--verify", what, "knee, all, none, or a point: point_00"))
    if "none" in items and len(items) > 1:
        raise SpecError(Fault("--verify", "none goes with no other point"))
    return () if items == ("none",) else items


def check_resumed(folder: RunFolder, name: str | None, overrides: dict[str, Any]) -> None:
    """Refuse what contradicts the run: another recipe, and options other than those that it was begun with.

    Raises:
        SpecError: each option that differs, and how; or no run there.
    """
    begun, _ = folder.read_run()
    faults = [
        Fault(flag(key), f"is {value}, but {folder.path} was begun with {getattr(begun, key)}")
        for key, value in overrides.items()
        if key not in _FREE and value is not None and value != getattr(begun, key)
    ]
    if name is not None and not faults:
        differences = _differences(begun, load_recipe(name, overrides))
        if differences:
            what = f"{name} is not the one that {folder.path} was begun with: {'; '.join(differences)}"
            faults.append(Fault("--recipe", what))
    if faults:
        raise SpecError([*faults, Fault("--resume", "nothing was changed", "the run's own options, or a new run")])


def _differences(begun: Recipe, asked: Recipe) -> list[str]:
    """Keys in which two recipes differ; what a resumed run's options may have replaced is compared as given."""
    theirs, ours = begun.to_dict(), asked.to_dict()
    skipped = {"name", "summary", *_FREE}
    return [
        f"{key} is {_short(ours.get(key))}, not {_short(value)}"
        for key, value in theirs.items()
        if key not in skipped and ours.get(key) != value
    ]


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
