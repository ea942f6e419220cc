"""Arguments in, one of two formats out, one clear line for what is wrong."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

from codesign.cli import handlers
from mappings.errors import SpecError, cut, nearest, printable

WRONG_INPUT, INTERNAL, INTERRUPTED = 2, 1, 130


class _Parser(argparse.ArgumentParser):
    """One line on wrong arguments, in place of the whole usage."""

    def error(self, message: str) -> NoReturn:
        if "invalid choice: " in message:
            given = message.split("invalid choice: ")[1].split("'")[1] if "'" in message else ""
            choices = message.split("choose from ")[-1].rstrip(")").replace("'", "").split(", ")
            message = message.split(" (choose")[0] + nearest(given, choices) + f" (allowed: {', '.join(choices)})"
        self.exit(WRONG_INPUT, f"error: {printable(message)}; see {self.prog} --help\n")


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=("table", "json"), default="table", help="what to print (table)")
    parser.add_argument("-v", "--verbose", action="store_true", help="more detail")
    parser.add_argument("-q", "--quiet", action="store_true", help="results only, no progress")
    parser.add_argument("--debug", action="store_true", help="a traceback on errors")


def _explore(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--recipe", help="name, NAME:VARIANT, or YAML file (default)")
    parser.add_argument(
        "--network", help="what is searched: a space, my_space.py:MySpace; or one network: a name, my.py:Net, a YAML"
    )
    parser.add_argument("--input", metavar="1,3,32,32", help="shape of a module's input")
    parser.add_argument("--hardware", help="a hardware space, or the YAML of one design or template")
    parser.add_argument("--objectives", metavar="A,B", help="metrics, e.g. latency_ms,energy_uj (the recipe's)")
    parser.add_argument(
        "--limit", action="append", metavar="METRIC=BOUND", help="hard limit on any metric, e.g. latency_ms=0.2"
    )
    parser.add_argument("--data", help="data set: a name, or my_data.py:load")
    parser.add_argument("--device", help="name or YAML file of the budget (the recipe's)")
    parser.add_argument("--controller", help="search method (the recipe's)")
    parser.add_argument("--driver", help="how the search proceeds (the recipe's)")
    parser.add_argument("--trials", type=int, help="designs to ask for (networks, for the driver nested)")
    parser.add_argument("--seed", type=int, help="equal seeds give equal fronts")
    parser.add_argument("--out", metavar="runs/NAME", help="folder of the run (the next free runs/RECIPE)")
    parser.add_argument("--storage", metavar="URL", help="Optuna storage (SQLite in the run's folder)")
    parser.add_argument("--resume", metavar="runs/NAME", help="go on with a run")
    parser.add_argument(
        "--verify", action="append", metavar="POINT", help='points to run as hardware: a name, "knee", "all", "none"'
    )
    parser.add_argument("--images", type=int, default=10, help="test images that the hardware runs (10)")
    parser.add_argument("--jobs", type=int, help="worker processes (one a core)")


def _target(parser: argparse.ArgumentParser, optional: bool = False) -> None:
    text = "design.yaml of a run, or my_module.py:MyNet, or the name of a network"
    parser.add_argument("target", nargs="?" if optional else None, help=text)
    parser.add_argument(
        "--input", metavar="1,3,32,32", help="shape of a module's input; several: one option each", action="append"
    )
    parser.add_argument("--accelerator", help="name or YAML file")
    parser.add_argument("--dataflow", help="name of a dataflow (the best of all)")
    parser.add_argument(
        "--objective", choices=("latency", "energy", "edp"), default="latency", help="what mappings are chosen for"
    )


def _map(parser: argparse.ArgumentParser) -> None:
    _target(parser)
    parser.add_argument(
        "--tiles", choices=("divisors", "any"), default="divisors", help="tiles that divide, or (slower) any"
    )


def _cost(parser: argparse.ArgumentParser) -> None:
    _target(parser, optional=True)
    parser.add_argument("--maestro", metavar="mapping.m", help="cost a MAESTRO mapping file with MAESTRO's semantics")
    parser.add_argument("--hw", metavar="hw.hw", help="MAESTRO hardware file")
    parser.add_argument("--simd-lanes", type=int, default=1, help="vector width of a MAESTRO PE (1)")
    parser.add_argument("--csv", metavar="out.csv", help="write MAESTRO's 52 columns")


def _simulate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", help="design.yaml of a run")
    parser.add_argument("--images", type=int, default=10, help="how many images (10)")
    parser.add_argument("--no-hls", action="store_true", help="RTL alone")


def _emit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", help="design.yaml of a run")
    parser.add_argument("--out", required=True, help="folder to write")
    parser.add_argument("--what", choices=("rtl", "hls", "both"), default="both", help="what to write (both)")


def _report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="folder of a run: runs/NAME")


def _list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=handlers.KINDS, help="what to list")


_COMMANDS = {
    "explore": (_explore, "search networks and hardware together; verify the knee of the front in RTL and HLS"),
    "cost": (_cost, "what a design, or a network on an accelerator, costs, layer by layer"),
    "map": (_map, "the best mapping of each layer"),
    "simulate": (_simulate, "run a design's RTL and HLS on images, bit for bit against PyTorch"),
    "emit": (_emit, "write a design's SystemVerilog and HLS C++"),
    "report": (_report, "make a run's report.html anew"),
    "list": (_list, "what is known by name"),
}


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = _Parser(
        prog="codesign", description="Neural networks and their accelerators, searched together.", allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (fill, text) in _COMMANDS.items():
        sub = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        fill(sub)
        _common(sub)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        exit code: 0 done, 1 a defect of ours or a failed verification, 2 wrong input, 130 interrupted.
    """
    try:
        options = build_parser().parse_args(arguments)
    except SystemExit as leave:
        return int(leave.code or 0)
    try:
        return handlers.run(options)
    except SpecError as error:
        if options.debug:
            traceback.print_exc()
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return WRONG_INPUT
    except KeyboardInterrupt as stop:
        print(f"interrupted; {stop}" if str(stop) else "interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader left: no complaint at exit either
        return 0
    except OSError as error:
        if options.debug:
            traceback.print_exc()
        print(printable(f"error: {error.filename or 'system'}: {error.strerror or error}"), file=sys.stderr)
        return WRONG_INPUT
    except Exception as error:
        if options.debug:
            traceback.print_exc()
        told = cut(f"{type(error).__name__}: {' '.join(str(error).split())}", 2_000)
        print(f"internal error: {printable(told)} (--debug shows where)", file=sys.stderr)
        return INTERNAL


if __name__ == "__main__":
    sys.exit(main())
