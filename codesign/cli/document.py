"""The reference of the command line from its own parser: ``python -m codesign.cli.document > docs/commands.md``."""

from __future__ import annotations

import argparse

from codesign.cli.handlers import PRINTING
from codesign.cli.parser import COMMANDS, build_parser
from codesign.commands.applies import APPLIES
from codesign.commands.kinds import Kind

_HEAD = """# Commands

Written by `python -m codesign.cli.document > docs/commands.md`; a test holds it equal to the parser.

Each command is a function of `codesign` with the same keywords (`--simd-lanes` is `simd_lanes`, `map` is
`codesign.map`, `list` is `codesign.list_names`); where the command line takes a path or a name, the function takes
the thing itself, too: a `torch.nn.Module`, a `Workload`, a `Design`, an `Accelerator`, a `Template`; but for `explore`,
whose run is a folder that others go on with, and which takes names and paths alone.

An option either takes effect or is refused: what changes nothing for the target that is given ends the command with
one line and status 2. "For" says to which targets an option applies.

| status | meaning |
|---|---|
| 0 | done |
| 1 | a verification failed, a bound of the hardware is broken (`infeasible: ...`), or a defect of ours |
| 2 | wrong input: one line says where, what, and what is allowed |
| 130, 143 | interrupted by Ctrl-C, stopped by SIGTERM: what is finished is kept |

Every command has `--format` (`table` for people, `json` for programs) and `--debug` (a traceback on errors). Progress
goes to standard error, results to standard output; `-q` leaves the results alone.
"""
_NOTES = {
    "explore": """
`codesign explore` makes a run: a folder with `report.html`, `front.csv`, `result.json` and a design file for each
point ([runs.md](runs.md)). `--resume` goes on with one that was stopped; an option that contradicts what it was begun
with is refused by name, `--trials` may ask for more.

```python
import codesign

if __name__ == "__main__":  # worker processes read the script again; with jobs=0 there are none
    result = codesign.explore(trials=24, verify="none", out="runs/small")
    run = codesign.load_run("runs/small")  # pandas: run.front has the front, run.trials every trial
```
""",
    "cost": """
Hardware of our own (a template) runs its own program: the figures are those of the program, whose cycles are exact,
and a second table says where they go. `bound by` is what takes most of them: `compute`, the `vector unit`, the
`non-linear unit`, or a wait, between tiles for `post-processing`, `DRAM` or the `sequencer`, or before a layer's
first tile (`layer start`). A network is quantised to the widths of the template's data. Any other accelerator is a
hierarchy of memories, on which each layer has the best mapping of the library's dataflows.

**Objective.** By default mappings are chosen for the energy-delay product, and for latency where the accelerator's
energy is not modelled. `latency` saves a cycle whatever energy it costs: on one layer it prefers 4,610 cycles at
91.3 uJ to 4,749 at 4.3 uJ. `map` has the same default.

**Hardware files.** `--accelerator` and `--hardware` take the YAML of an accelerator (memory levels, see
`accel_models/hardware/library`), of a design, whose accelerator is taken, or of a template: its parameters alone, or
with what prices its energy and bounds its size:

```yaml
name: mine
device: zynq7020
template: {array: output_stationary, rows: 8, cols: 8, axi_bits: 64, dram_bytes_per_cycle: 8}
```
""",
    "map": """
The mapper searches each layer's mappings ([mapper.md](mapper.md)) and says which are proved best. The first time on a
machine it compiles itself, which takes a minute or more and is told. `--format json` and `yaml` print a design: a
file that `codesign cost`, `map` and, on hardware of ours, `synth` take.

On an accelerator with a template the legal tiles of its program are searched for its exact cycles and energy, and the
answer is what the hardware runs: never worse than the default tiles, or than the mappings of the design that was given.
Of a run's design, write the answer beside it, and `cost`, `simulate` and `emit` take it; of a module, `cost`,
`simulate` and `emit` take the answer as `--accelerator` or `--hardware`, and run its mappings where the layers are the
same.
""",
    "simulate": """
A module (or a network by name, with random weights) is quantised to the widths of `--hardware`, then runs as
SystemVerilog under Verilator and as HLS C++, image by image, each layer compared bit for bit with PyTorch's integers,
its cycles with those predicted. Scales are chosen on the samples of `--data` (the first 512), and the first
`--images` of them run; without `--data` both are standard normal values of a fixed seed, which is told.

`--data` is an `.npz` file with one array `[n, ...]` for each input of the module, in the order of its inputs:
`numpy.savez("data.npz", images)`.
""",
    "emit": """
`FOLDER/rtl` holds the SystemVerilog with the program and memory image of the network and one input, `FOLDER/hls` the
HLS C++ with the very same image ([hardware.md](hardware.md), [hls.md](hls.md)).
""",
    "synth": """
Estimates beside what open tools find; what was found is kept and found again at once ([resources.md](resources.md)).
""",
    "table": """
`codesign table --network my_space.py:MySpace --hardware my_hardware.yaml --by simulation --out table.json` draws
networks of a space (all of them where these are few), measures each distinct layer alone, and says what share of other
networks the table covers. A network is then the sum of its layers: in a recipe, `providers: [{name: lookup, file:
table.json}, train]`. Layers run in their default tiles; `--by directive` takes any accelerator, and of each layer the
mapping that `codesign map` finds. Energy of `--by simulation` is that of what the program moves. The file is plain
JSON, in which figures that were measured on a board may stand as well:

```json
{"hardware": "my_board", "by": "measured", "layers": [{"layer": {"name": "...", "inputs": [], "layers": []},
 "latency_ms": 0.01, "energy_uj": 1.2}]}
```
""",
    "report": """
Of a search that is not finished, the page shows the front as it stands.
""",
    "list": """
With `--format json` figures are numbers, and units stand in the keys (`area_mm2`, `clock_hz`).
""",
}


def _kinds(command: str, option: str) -> str:
    """Targets to which an option applies; "" for all."""
    table = APPLIES[command]
    named = [str(kind) for kind, options in table.items() if option in options]
    return "" if len(named) == len(table) else ", ".join(named)


def _spelled(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else f" {action.metavar or '|'.join(action.choices or ()) or action.dest.upper()}"
    return ", ".join(f"`{word}{value}`" for word in action.option_strings)


def _command(name: str, parser: argparse.ArgumentParser) -> str:
    actions = [action for action in parser._actions if action.dest != "help"]
    positional = [action for action in actions if not action.option_strings]
    named = [(str(item.metavar or item.dest), item) for item in positional]
    words = [f"[{word}]" if item.nargs == "?" else word for word, item in named]
    told = parser.description or ""
    out = [f"## `codesign {' '.join([name, *words])}`", "", f"{told[:1].upper()}{told[1:]}."]
    kinds = [str(kind) for kind in APPLIES[name] if kind is not Kind.NAMES]
    if len(kinds) > 1:
        out += ["", f"Targets: {', '.join(kinds)}."]
    for word, item in named:
        out += ["", f"`{word}`: {item.help}."]
    out += _NOTES[name].rstrip().splitlines()
    rows = [action for action in actions if action.option_strings and action.dest != "debug"]
    out += ["", "| option | what | for |", "|---|---|---|"]
    for action in rows:
        scope = "" if action.dest in PRINTING else _kinds(name, action.dest)
        out.append(f"| {_spelled(action).replace('|', chr(92) + '|')} | {action.help} | {scope} |")
    return "\n".join(out) + "\n"


def document() -> str:
    """The whole page."""
    actions = [action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction)]
    parsers: dict[str, argparse.ArgumentParser] = dict(actions[0].choices)
    return "\n".join([_HEAD, *(_command(name, parsers[name]) for name in COMMANDS)])


if __name__ == "__main__":
    print(document(), end="")
