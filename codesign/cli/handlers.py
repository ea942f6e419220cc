"""One function a command: options to a public function, its result to a table or JSON; heavy imports wait till then."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from codesign.cli import output
from mappings.errors import Fault, SpecError

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


def _reporter(options: argparse.Namespace) -> Any:
    from rich.console import Console

    from codesign.progress import Bars, Silent

    if options.quiet:
        return Silent()
    console = Console(stderr=True)
    return Bars(console if console.is_terminal else Console(stderr=True, width=160))


def _explore(options: argparse.Namespace) -> int:
    from codesign.explorer.run import ExploreOptions, explore

    if not 1 <= options.images <= 500:
        raise SpecError(Fault("--images", f"is {options.images}", "1 to 500"))
    if options.jobs is not None and not 0 <= options.jobs <= 256:
        raise SpecError(Fault("--jobs", f"is {options.jobs}", "0 (no workers) to 256"))
    wanted = [] if options.verify == ["none"] else options.verify or ["knee"]
    result = explore(
        ExploreOptions(
            recipe=options.recipe,
            network=options.network,
            hardware=options.hardware,
            input=options.input,
            objectives=options.objectives,
            limits=options.limit or (),
            data=options.data,
            device=options.device,
            controller=options.controller,
            driver=options.driver,
            trials=options.trials,
            seed=options.seed,
            out=options.out,
            storage=options.storage,
            resume=options.resume,
            verify=wanted,
            jobs=options.jobs,
            images=options.images,
        ),
        _reporter(options),
    )
    output.run(result, options)
    return 0 if all(item.passed for item in result.verifications) else 1


def _cost(options: argparse.Namespace) -> int:
    from accel_models.report import Infeasible
    from codesign.commands.cost import cost, cost_maestro
    from codesign.commands.targets import parse_shape

    if options.maestro is not None:
        if options.target is not None:
            raise SpecError(Fault("--maestro", "takes no other target"))
        if options.hw is None:
            raise SpecError(Fault("--hw", "is missing", "a MAESTRO hardware file"))
        figures = cost_maestro(options.maestro, options.hw, options.simd_lanes, options.csv)
        if isinstance(figures, Infeasible):
            return output.infeasible(figures, options)
        output.maestro(figures, options)
        return 0
    if options.target is None:
        raise SpecError(Fault("target", "is missing", "design.yaml, my_module.py:MyNet, a network, or --maestro"))
    shapes = [parse_shape(text) for text in options.input or ()]
    result = cost(
        options.target,
        inputs=shapes,
        accelerator=options.accelerator,
        dataflow=options.dataflow,
        objective=options.objective,
        reporter=_reporter(options),
    )
    if isinstance(result, Infeasible):
        return output.infeasible(result, options)
    output.cost(result, options)
    return 0


def _map(options: argparse.Namespace) -> int:
    from accel_models.report import Infeasible
    from codesign.commands.mapping import map_network
    from codesign.commands.targets import parse_shape

    result = map_network(
        options.target,
        inputs=[parse_shape(text) for text in options.input or ()],
        accelerator=options.accelerator,
        dataflow=options.dataflow,
        objective=options.objective,
        tiles=options.tiles,
        reporter=_reporter(options),
    )
    if isinstance(result, Infeasible):
        return output.infeasible(result, options)
    output.mapped(result, options)
    return 0


def _simulate(options: argparse.Namespace) -> int:
    from codesign.commands.hardware import simulate

    result = simulate(options.target, images=options.images, with_hls=not options.no_hls, reporter=_reporter(options))
    output.verification(result, options)
    return 0 if result.passed else 1


def _emit(options: argparse.Namespace) -> int:
    from codesign.commands.hardware import emit

    output.emitted(emit(options.target, options.out, options.what), options)
    return 0


def _report(options: argparse.Namespace) -> int:
    from codesign.commands.reporting import report

    output.path(report(options.run), options)
    return 0


def _list(options: argparse.Namespace) -> int:
    from codesign.commands.listing import list_names

    output.listed(list_names(options.kind), options)
    return 0


_HANDLERS: dict[str, Callable[[argparse.Namespace], int]] = {
    "explore": _explore,
    "cost": _cost,
    "map": _map,
    "simulate": _simulate,
    "emit": _emit,
    "report": _report,
    "list": _list,
}


def run(options: argparse.Namespace) -> int:
    """Run the chosen command; returns its exit code."""
    return _HANDLERS[options.command](options)
