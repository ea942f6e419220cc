"""``codesign explore`` as a function; names and figures are checked before anything heavy is loaded."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codesign.accuracy.cluster import check_executor
from codesign.accuracy.guard import refuse_within_start
from codesign.commands.applies import check_applies
from codesign.commands.kinds import Kind
from codesign.commands.targets import FILES
from codesign.explorer.folder import RunFolder
from codesign.explorer.options import ExploreOptions, prepare
from codesign.explorer.wanted import MAX_IMAGES, check_wanted
from codesign.spaces.network import NETWORK_SPACES
from mappings.errors import Fault, SpecError, cut

if TYPE_CHECKING:
    from codesign.explorer.result import RunResult
    from codesign.explorer.search import SearchTally
    from codesign.progress import Reporter

MAX_JOBS = 256


def explore(
    recipe: str | Path | None = None,
    *,
    network: str | Path | None = None,
    input: str | Sequence[int] | None = None,  # noqa: A002 - the command line's word
    hardware: str | Path | None = None,
    objectives: str | Sequence[str] | None = None,
    limit: str | Sequence[str] | Mapping[str, float] | None = None,
    data: str | Path | None = None,
    device: str | Path | None = None,
    controller: str | None = None,
    driver: str | None = None,
    trials: int | None = None,
    seed: int | None = None,
    out: str | Path | None = None,
    storage: str | None = None,
    resume: str | Path | None = None,
    verify: str | Sequence[str] | None = None,
    images: int | None = None,
    jobs: int | None = None,
    executor: str | None = None,
    reporter: Reporter | None = None,
) -> RunResult:
    """Search networks and hardware together; what is found is in the run's folder, too.

    Args:
        recipe: name, NAME:VARIANT or YAML file; None: "default" ("joint" where hardware or a driver is named, or a
            network that is no space), or the resumed run's.
        network: a space, ``my_space.py:MySpace``, or one network by name, module or YAML file.
        input: shape of a module's input.
        hardware: a space, or the YAML of one design or template.
        objectives: metrics.
        limit: "METRIC=BOUND", each, or a mapping of metrics to bounds; together they replace the recipe's.
        data: data set: a name, an NPZ, a folder (IDX, CIFAR, one folder of images a class), or ``my_data.py:load``.
        device, controller, driver, trials, seed: in place of the recipe's.
        out: folder of a new run; None: the next free ``runs/RECIPE``.
        storage: Optuna storage URL; None: SQLite in the run's folder.
        resume: folder of a run to go on with; what else is given must be what it was begun with, but for trials.
        verify: points to run as hardware: names, "knee", "all"; "synth" synthesises every point, "synth:knee" or
            "synth:point_00" one; or "none" alone. None: "knee", or what the resumed run was begun with.
        images: test images that the hardware runs; None: 10, or as many as the resumed run was begun with.
        jobs: worker processes; 0: none; None: one a core.
        executor: ``dask://HOST:PORT`` of a cluster whose workers train in place of them.
        reporter: where progress goes.

    Raises:
        SpecError: wrong input, an option that changes nothing or contradicts the resumed run; nothing was begun.
    """
    network, hardware, data, controller, driver, device, recipe, out, storage, resume, executor = (
        _text(name, value)
        for name, value in (
            ("network", network), ("hardware", hardware), ("data", data), ("controller", controller),
            ("driver", driver), ("device", device), ("recipe", recipe), ("out", out), ("storage", storage),
            ("resume", resume), ("executor", executor),
        )
    )  # fmt: skip
    trials, seed, images, jobs = (
        _whole(name, value) for name, value in (("trials", trials), ("seed", seed), ("images", images), ("jobs", jobs))
    )
    given: dict[str, Any] = {
        "recipe": recipe, "network": network, "input": input, "hardware": hardware, "objectives": objectives,
        "limit": limit, "data": data, "device": device, "controller": controller, "driver": driver, "trials": trials,
        "seed": seed, "out": out, "storage": storage, "resume": resume, "verify": verify, "images": images,
        "jobs": jobs, "executor": executor,
    }  # fmt: skip
    check_applies("explore", Kind.NEW if resume is None else Kind.RESUMED, given)
    if input is not None and (network is None or network in NETWORK_SPACES.names() or network.endswith(FILES)):
        allowed = "--network my_module.py:MyNet, or a network by name"
        raise SpecError(Fault("--input", "changes nothing for a space or a file", allowed))
    if images is not None and not 1 <= images <= MAX_IMAGES:
        raise SpecError(Fault("--images", f"is {images}", f"1 to {MAX_IMAGES}"))
    _check_jobs(jobs, executor)
    options = ExploreOptions(
        recipe=recipe,
        network=network,
        hardware=hardware,
        input=_joined(input),
        objectives=_joined(objectives),
        limits=_limits(limit),
        data=data,
        device=device,
        controller=controller,
        driver=driver,
        trials=trials,
        seed=seed,
        out=out,
        storage=storage,
        resume=resume,
        verify=_wanted(verify),
        jobs=jobs,
        executor=executor,
        images=images,
    )
    prepare(options)  # what is wrong is told before torch and Optuna are loaded
    result: RunResult = importlib.import_module("codesign.explorer.run").explore(options, reporter)
    return result


def join_run(
    run: str | Path,
    *,
    storage: str | None = None,
    jobs: int | None = None,
    executor: str | None = None,
    reporter: Reporter | None = None,
) -> SearchTally:
    """Search along with whoever is at a run already, as a further worker; how the search stands at its end.

    Args:
        run: its folder.
        storage: Optuna storage URL, where the study is not in the folder.
        jobs: worker processes; 0: none; None: one a core.
        executor: ``dask://HOST:PORT`` of a cluster whose workers train in place of them.
        reporter: where progress goes.

    Raises:
        SpecError: no run there, or one that cannot be used.
    """
    _check_jobs(jobs, executor)
    RunFolder(Path(run)).read_run()
    tally: SearchTally = importlib.import_module("codesign.explorer.run").join(
        str(run), storage, jobs, executor, reporter
    )
    return tally


def _check_jobs(jobs: int | None, executor: str | None) -> None:
    refuse_within_start()
    if executor is not None:
        check_executor(executor)
        if jobs is not None:
            raise SpecError(Fault("--jobs", "changes nothing with --executor", "one of the two"))
    if jobs is not None and not 0 <= jobs <= MAX_JOBS:
        raise SpecError(Fault("--jobs", f"is {jobs}", f"0 (no workers) to {MAX_JOBS}"))


def _text(name: str, value: Any) -> str | None:
    """A name or a path. The thing itself would not do: the run's folder says what is searched, and where it is resumed
    nobody else has it."""
    if value is None or isinstance(value, str | Path):
        return None if value is None else str(value)
    raise SpecError(Fault(f"--{name}", f"is {cut(repr(value))}", "a name or a path, which the run's folder can hold"))


def _whole(name: str, value: Any) -> int | None:
    """A whole number of whatever kind, numpy's among them."""
    if value is None:
        return None
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise SpecError(Fault(f"--{name}", f"is {cut(repr(value))}", "a whole number"))
    return index(value)


def _limits(limit: str | Sequence[str] | Mapping[str, float] | None) -> tuple[str, ...]:
    if isinstance(limit, Mapping):
        return tuple(f"{metric}={float(bound)!r}" for metric, bound in limit.items())
    return (limit,) if isinstance(limit, str) else tuple(limit or ())


def _joined(value: str | Sequence[Any] | None) -> str | None:
    return value if value is None or isinstance(value, str) else ",".join(map(str, value))


def _wanted(verify: str | Sequence[str] | None) -> tuple[str, ...] | None:
    """Points to run; none for "none"; None where nothing is said.

    Raises:
        SpecError: what can be no point of any front, or "none" among others.
    """
    if verify is None:
        return None
    items = (verify,) if isinstance(verify, str) else tuple(verify)
    check_wanted(items)
    return () if items in ((), ("none",)) else items
