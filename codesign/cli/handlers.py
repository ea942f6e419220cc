"""One function a command: options to the function of its name, its result to print; heavy imports wait till then.

The keywords of those functions are the options of the command line, which are handed on as they are: None where one is
left out. Which applies to what is said in one place, :mod:`codesign.commands.applies`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from codesign.cli import output
from codesign.commands.applies import check_applies
from codesign.commands.kinds import Kind

KINDS = (
    "networks",
    "accelerators",
    "dataflows",
    "devices",
    "spaces",
    "metrics",
    "rewards",
    "providers",
    "controllers",
    "drivers",
    "datasets",
    "recipes",
)
#: Options of printing, which no function takes.
PRINTING = ("command", "format", "verbose", "quiet", "debug")


def _keywords(options: argparse.Namespace) -> dict[str, Any]:
    return {name: value for name, value in vars(options).items() if name not in PRINTING}


def _reporter(options: argparse.Namespace) -> Any:
    from rich.console import Console

    from codesign.progress import Bars, Silent

    if options.quiet:
        return Silent()
    console = Console(stderr=True, emoji=False)
    return Bars(console if console.is_terminal else Console(stderr=True, width=160, emoji=False))


@contextlib.contextmanager
def _results_apart() -> Iterator[None]:
    """Standard output is for results: what others print, modules of the user's in any process too, goes to errors."""
    if sys.stdout is not None:
        sys.stdout.flush()
    try:
        kept = os.dup(1)
        os.dup2(2, 1)
    except OSError:  # one of them is closed: nothing can come there
        kept = None
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        if kept is not None:
            os.dup2(kept, 1)
            os.close(kept)


def _explore(options: argparse.Namespace) -> int:
    from codesign.commands.exploring import explore, join_run

    given = _keywords(options)
    if options.join is not None:
        check_applies("explore", Kind.JOINED, given)
        run = options.join
        reporter = _reporter(options)
        with _results_apart():
            tally = join_run(
                run, storage=options.storage, jobs=options.jobs, executor=options.executor, reporter=reporter
            )
        output.joined(run, tally, options)
        return 0
    del given["join"]
    with _results_apart():
        result = explore(**given, reporter=_reporter(options))
    output.run(result, options)
    passed = [item.passed for item in result.verifications] + [item.passed for item in result.syntheses]
    return 0 if all(passed) else 1


def _cost(options: argparse.Namespace) -> int:
    from accel_models.published.maestro import MaestroReport
    from accel_models.report import Infeasible
    from codesign.commands.cost import cost

    call: Callable[..., Any] = cost
    with _results_apart():
        result = call(**_keywords(options), reporter=_reporter(options))
    if isinstance(result, Infeasible):
        return output.infeasible(result, options)
    if isinstance(result, MaestroReport):
        output.maestro(result, options)
    else:
        output.cost(result, options)
    return 0


def _map(options: argparse.Namespace) -> int:
    from accel_models.report import Infeasible
    from codesign.commands.mapping import map_network

    with _results_apart():
        result = map_network(**_keywords(options), reporter=_reporter(options))
    if isinstance(result, Infeasible):
        return output.infeasible(result, options)
    output.mapped(result, options)
    return 0


def _simulate(options: argparse.Namespace) -> int:
    from accel_models.report import Infeasible
    from codesign.commands.hardware import simulate

    with _results_apart():
        result = simulate(**_keywords(options), reporter=_reporter(options))
    if isinstance(result, Infeasible):
        return output.infeasible(result, options)
    output.verification(result, options)
    return 0 if result.passed else 1


def _emit(options: argparse.Namespace) -> int:
    from accel_models.report import Infeasible
    from codesign.commands.hardware import emit

    with _results_apart():
        result = emit(**_keywords(options), reporter=_reporter(options))
    if isinstance(result, Infeasible):
        return output.infeasible(result, options)
    output.emitted(result, options)
    return 0


def _synth(options: argparse.Namespace) -> int:
    from codesign.commands.synth import synth

    with _results_apart():
        result = synth(**_keywords(options), reporter=_reporter(options))
    output.synthesised(result, options)
    return 0


def _table(options: argparse.Namespace) -> int:
    from codesign.commands.tabling import table

    with _results_apart():
        built = table(**_keywords(options), reporter=_reporter(options))
    output.tabled(built, options)
    return 0


def _report(options: argparse.Namespace) -> int:
    from codesign.commands.reporting import report

    with _results_apart():
        page = report(**_keywords(options))
    output.path(page, options)
    return 0


def _list(options: argparse.Namespace) -> int:
    from codesign.commands.listing import list_names

    with _results_apart():  # plug-ins are loaded
        items = list_names(**_keywords(options))
    output.listed(items, options)
    return 0


_HANDLERS: dict[str, Callable[[argparse.Namespace], int]] = {
    "explore": _explore,
    "cost": _cost,
    "map": _map,
    "simulate": _simulate,
    "emit": _emit,
    "synth": _synth,
    "table": _table,
    "report": _report,
    "list": _list,
}


def run(options: argparse.Namespace) -> int:
    """Run the chosen command; returns its exit code.

    Raises:
        SpecError: wrong input, also an option of printing that changes nothing.
    """
    output.check_printing(options)
    return _HANDLERS[options.command](options)
