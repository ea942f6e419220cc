"""The options of every command. None has a default here: what is left out reaches a command's function as None."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NoReturn

from codesign import __version__
from codesign.cli.handlers import KINDS
from mappings.errors import nearest, printable

WRONG_INPUT = 2
_TARGET = "design.yaml or workload.yaml, my_module.py:MyNet, or the name of a network"
_HARDWARE = "name, or the YAML of an accelerator, a design or a template"


class _Parser(argparse.ArgumentParser):
    """One line on wrong arguments, in place of the whole usage."""

    def error(self, message: str) -> NoReturn:
        if "invalid choice: " in message:
            given = message.split("invalid choice: ")[1].split("'")[1] if "'" in message else ""
            choices = message.split("choose from ")[-1].rstrip(")").replace("'", "").split(", ")
            message = message.split(" (choose")[0] + nearest(given, choices) + f" (allowed: {', '.join(choices)})"
        self.exit(WRONG_INPUT, f"error: {printable(message)}; see {self.prog} --help\n")


def _printing(parser: argparse.ArgumentParser, formats: tuple[str, ...], detail: bool, progress: bool) -> None:
    parser.add_argument(
        "--format", choices=formats, default="table", help=f"what to print: {', '.join(formats)} (table)"
    )
    if detail:
        parser.add_argument("-v", "--verbose", action="store_true", help="more detail in the table")
    if progress:
        parser.add_argument("-q", "--quiet", action="store_true", help="results only, no progress")
    parser.add_argument("--debug", action="store_true", help="a traceback on errors")


def _explore(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--recipe", help="name, NAME:VARIANT, or YAML file (default)")
    text = "what is searched: a space, my_space.py:MySpace; or one network: a name, my.py:Net, a YAML (the recipe's)"
    add("--network", help=text)
    add("--input", metavar="1,3,32,32", help="shape of a module's input; or another for a network by name")
    add("--hardware", help="a hardware space, or the YAML of one design or template (the recipe's)")
    add("--objectives", metavar="A,B", help="metrics, e.g. latency_ms,energy_uj (the recipe's)")
    add("--limit", action="append", metavar="METRIC=BOUND", help="hard limit on any metric, e.g. latency_ms=0.2")
    add("--data", help="data set: a name, a file, a folder of images, or my_data.py:load (the recipe's)")
    add("--device", help="name or YAML file of the budget (that of the hardware file, or the recipe's)")
    add("--controller", help="search method (the recipe's)")
    add("--driver", help="how the search proceeds (the recipe's)")
    add("--trials", type=int, help="designs to ask for (networks, for the driver nested)")
    add("--seed", type=int, help="equal seeds give equal fronts (the recipe's)")
    add("--out", metavar="runs/NAME", help="folder of the run (the next free runs/RECIPE)")
    text = "sqlite:///FILE, journal:///FILE, redis://, postgresql:// (SQLite in the run's folder)"
    add("--storage", metavar="URL", help=text)
    add("--resume", metavar="runs/NAME", help="go on with a run; other options must be what it was begun with")
    add("--join", metavar="runs/NAME", help="search along with a run that is at work, as one more worker")
    text = 'points to run as hardware: a name, "knee", "all", "none"; to synthesise: "synth", "synth:NAME" (knee)'
    add("--verify", action="append", metavar="POINT", help=text)
    add("--images", type=int, metavar="N", help="test images that the hardware runs (10)")
    add("--jobs", type=int, metavar="N", help="worker processes; 0: none (one a core)")
    add(
        "--executor", metavar="URL", help="dask://HOST:PORT of a cluster whose workers train in place of processes here"
    )


def _mapped(parser: argparse.ArgumentParser, optional: bool) -> None:
    add = parser.add_argument
    add("target", nargs="?" if optional else None, help=_TARGET)
    text = "shape of a module's input (several: one option each), or another for a network by name"
    add("--input", metavar="1,3,32,32", action="append", help=text)
    add("--accelerator", help=_HARDWARE)
    add("--dataflow", help="name or YAML file of a dataflow (the best of all)")
    text = "what mappings are chosen for: edp, latency, energy (edp, or latency where energy is not modelled)"
    add("--objective", choices=("edp", "latency", "energy"), help=text)


def _map(parser: argparse.ArgumentParser) -> None:
    _mapped(parser, optional=False)
    parser.add_argument("--tiles", choices=("divisors", "any"), help="tiles that divide, or (slower) any (divisors)")


def _cost(parser: argparse.ArgumentParser) -> None:
    _mapped(parser, optional=True)
    add = parser.add_argument
    add("--maestro", metavar="mapping.m", help="cost a MAESTRO mapping file with MAESTRO's semantics")
    add("--hw", metavar="hw.hw", help="MAESTRO hardware file")
    add("--simd-lanes", type=int, metavar="N", help="vector width of a MAESTRO PE (1)")
    add("--csv", metavar="out.csv", help="write MAESTRO's 52 columns")


def _from_float(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("target", help="design.yaml of a run; or my_module.py:MyNet or the name of a network, which is quantised")
    text = "shape of a module's input, batch 1 (several: one option each)"
    add("--input", metavar="1,3,32,32", action="append", help=text)
    add("--hardware", help=f"what a module runs on: {_HARDWARE}")
    text = "inputs to choose scales on and to run: an array [n, ...] for each input of the module (random ones)"
    add("--data", metavar="FILE.npz", help=text)


def _simulate(parser: argparse.ArgumentParser) -> None:
    _from_float(parser)
    parser.add_argument("--images", type=int, metavar="N", help="how many images run (10)")
    parser.add_argument("--no-hls", action="store_true", default=None, help="RTL alone")


def _emit(parser: argparse.ArgumentParser) -> None:
    _from_float(parser)
    parser.add_argument("--out", required=True, metavar="FOLDER", help="folder to write")
    parser.add_argument("--what", choices=("rtl", "hls", "both"), help="what to write: rtl, hls, both (both)")


def _synth(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("design", help="design of a run, or the YAML of an accelerator with a template, or of a template")
    targets = ("xc7", "xcup", "ecp5", "ice40", "gowin", "asic")
    add("--target", choices=targets, help=f"FPGA family, or asic: {', '.join(targets)} (its device's, or xc7)")
    add("--liberty", action="append", metavar="FILE", help="cells of target asic; several: one each")
    add("--route", action="store_true", default=None, help="place and route too (ecp5, ice40, gowin)")
    add("--device", help="part to route for (the design's, or the largest of the family)")
    text = "power of the cells of target asic while a design of a run names one image"
    add("--power", action="store_true", default=None, help=text)


def _table(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--recipe", help="whose network space, compression and choices count: name, NAME:VARIANT, or YAML (networks)")
    add("--network", help="a space, my_space.py:MySpace, or one network (the recipe's)")
    add("--input", metavar="1,3,32,32", help="shape of a module's input; or another for a network by name")
    add("--hardware", required=True, help=_HARDWARE)
    text = "whose figures: of the layer's own program, of the directive model with the mapper, of the RTL (program)"
    add("--by", choices=("program", "directive", "simulation"), help=text)
    add("--networks", type=int, metavar="N", help="so many networks are drawn, and all their layers measured (1000)")
    add("--seed", type=int, help="of the draws (the recipe's)")
    add("--out", required=True, metavar="FILE.json", help="file of the table; one that is there is added to")


def _report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="folder of a run: runs/NAME")
    parser.add_argument("--storage", metavar="URL", help="of a search at work whose study is not in its folder")


def _list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=KINDS, metavar="KIND", help=f"what to list: {', '.join(KINDS)}")


_BOTH, _DESIGN = ("table", "json"), ("table", "json", "yaml")
#: Command: its options, what it does, its formats, whether it has more detail, whether it shows progress.
COMMANDS: dict[str, tuple[Callable[[argparse.ArgumentParser], None], str, tuple[str, ...], bool, bool]] = {
    "explore": (
        _explore, "search networks and hardware together; verify the knee of the front in RTL and HLS",
        _BOTH, False, True,
    ),
    "cost": (_cost, "what a design, or a network on an accelerator, costs, layer by layer", _BOTH, True, True),
    "map": (_map, "the best mapping of each layer", _DESIGN, True, True),
    "simulate": (
        _simulate, "run RTL and HLS of a design, or of your own module, bit for bit against PyTorch",
        _BOTH, False, True,
    ),
    "emit": (_emit, "write SystemVerilog and HLS C++ of a design, or of your own module", _BOTH, True, True),
    "synth": (
        _synth, "synthesise a design with open tools: what is found beside what was estimated",
        _BOTH, False, True,
    ),
    "table": (
        _table, "what each layer of a network space costs on one accelerator, as a file for the provider lookup",
        _BOTH, False, True,
    ),
    "report": (_report, "make a run's report.html anew", _BOTH, False, False),
    "list": (_list, "what is known by name", _BOTH, False, False),
}  # fmt: skip


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = _Parser(
        prog="codesign", description="Neural networks and their accelerators, searched together.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"codesign {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (fill, text, formats, detail, progress) in COMMANDS.items():
        sub = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        fill(sub)
        _printing(sub, formats, detail, progress)
        sub.set_defaults(verbose=False, quiet=False)
    return parser
