"""Results as tables for people, or as JSON for programs. Text from files is never read as markup."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from accel_models.cycles import GROUPS
from mappings.errors import Fault, SpecError, counted, printable
from mappings.yamlio import dump_yaml

if TYPE_CHECKING:
    from pathlib import Path

    from accel_models.published.maestro import MaestroReport
    from accel_models.report import CostReport, Infeasible
    from codesign.commands.cost import Costed
    from codesign.commands.hardware import Emitted
    from codesign.commands.listing import Listed
    from codesign.commands.mapping import Mapped
    from codesign.commands.tabling import Tabled
    from codesign.explorer.result import RunResult
    from codesign.explorer.search import SearchTally
    from codesign.explorer.verify import Verification
    from rtl_templates.synth.report import SynthReport


def _console() -> Console:
    console = Console(emoji=False)
    # In a pipe a table must not be cut to 80 columns.
    return console if console.is_terminal else Console(width=200, emoji=False)


def _json(value: Any) -> None:
    print(json.dumps(value, indent=1, default=str))


def _table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1, right: Sequence[int] = ()
) -> None:
    """A table; the first columns are texts, but for those that are named as ``right``."""
    table = Table(title=Text(printable(title)), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        side: JustifyMethod = "left" if index < left and index not in right else "right"
        table.add_column(Text(column), justify=side, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    _console().print(table)


def _line(text: str) -> None:
    _console().print(printable(text), markup=False, highlight=False, soft_wrap=True)


def _energy(pj: float | None) -> str:
    return "not modelled" if pj is None else f"{pj / 1e6:,.3f}"


def check_printing(options: Namespace) -> None:
    """Refuse options of printing that change nothing.

    Raises:
        SpecError: more detail where everything is printed anyway.
    """
    if options.verbose and options.format != "table":
        raise SpecError(Fault("--verbose", f"changes nothing with --format {options.format}", "with --format table"))
    if options.verbose and getattr(options, "maestro", None) is not None:
        raise SpecError(Fault("--verbose", "changes nothing for MAESTRO files", "--csv, which has all that it prints"))


def listed(items: Sequence[Listed], options: Namespace) -> None:
    """Names with their facts."""
    if options.format == "json":
        _json([item.to_dict() for item in items])
        return
    titles = {fact.key: fact.title or fact.key for item in items for fact in item.facts}
    rows = []
    for item in items:
        shown = {fact.key: fact.shown or _shown(fact.value) for fact in item.facts}
        rows.append([item.name, *(shown.get(key, "") for key in titles)])
    figures = {fact.key for item in items for fact in item.facts if isinstance(fact.value, int | float)}
    right = [index for index, key in enumerate(titles, 1) if key in figures]
    _table(options.kind, ["name", *titles.values()], rows, left=len(titles) + 1, right=right)


def _shown(value: Any) -> str:
    """A value of a list for people."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,g}" if abs(value) < 1e6 else f"{value:.3g}"
    if isinstance(value, dict):
        return ", ".join(f"{key}={_shown(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value))
    return "-" if value in (None, "") else str(value)


def path(value: Path, options: Namespace) -> None:
    """One path."""
    if options.format == "json":
        _json({"path": str(value)})
    else:
        _line(str(value))


def tabled(value: Tabled, options: Namespace) -> None:
    """A table of layers that was built."""
    if options.format == "json":
        _json(asdict(value))
        return
    _line(
        f"{value.path}: {counted(value.layers, 'layer')} on {value.hardware} by {value.by}, {value.new} of them new; "
        f"{counted(value.networks, 'network')} drawn, {100 * value.covered:.1f} % of others are of these layers alone"
    )
    if value.refused:
        _line(f"without {counted(value.refused, 'layer')} that it does not run: {value.why}")


def infeasible(value: Infeasible, options: Namespace) -> int:
    """A bound that is broken; exit code 1."""
    if options.format == "json":
        _json({"infeasible": value.to_dict()})
    else:
        _line(f"infeasible: {value}")
    return 1


def cost(value: Costed, options: Namespace) -> None:
    """Layers and totals."""
    if options.format == "json":
        _json(value.to_dict())
        return
    report, flows = value.report, dict(value.dataflows)
    columns = ["layer", "MACs", "cycles", "busy", "bound by", "energy uJ"]
    columns += ["dataflow"] if flows else []
    rows = []
    for item in report.layers:
        row = [item.name, f"{item.macs:,}", f"{item.cycles:,}", f"{item.utilisation:.1%}", item.bound_by]
        row += [_energy(item.total_energy_pj)]
        rows.append([*row, flows.get(item.name, "")] if flows else row)
    purpose = f", for {value.objective}" if value.objective else ""
    _table(f"{value.network} on {value.accelerator}{purpose}", columns, rows)
    _accounts(report)
    if options.verbose:
        for item in report.layers:
            parts = ", ".join(f"{name} {energy / 1e6:.3f} uJ" for name, energy in item.energy_pj or ())
            moved = ", ".join(f"{level} {tensor} {way} {count:,} B" for level, tensor, way, count in item.traffic_bytes)
            _line(f"{item.name}: {parts or 'energy not modelled'}; {moved}")
    _totals(report)


def _accounts(report: CostReport) -> None:
    """Where the cycles of a program go, layer by layer; parts that take none of any layer are left out."""
    accounts = [(item.name, item.account) for item in report.layers if item.account is not None]
    if not accounts:
        return
    named = [(name, account.groups) for name, account in accounts]
    kept = [group for group in GROUPS if any(groups[group] >= 0.5 for _, groups in named)]
    rows = [[name, *(f"{groups[group]:,.0f}" for group in kept)] for name, groups in named]
    if len(rows) > 1:
        rows.append(["all", *(f"{sum(groups[group] for _, groups in named):,.0f}" for group in kept)])
    _table("cycles in which the unit works or what it waits for", ["layer", *kept], rows)


def _totals(report: CostReport) -> None:
    _line(
        f"total: {report.macs:,} MACs, {report.latency_cycles:,} cycles, {report.latency_ms:.4f} ms, "
        f"energy {'not modelled' if report.energy_pj is None else f'{_energy(report.energy_pj)} uJ'}"
    )
    if report.resources:
        _line("resources: " + ", ".join(f"{name} {count:,}" for name, count in report.resources))
    if report.area_um2 is not None:
        _line(f"area: {report.area_um2 / 1e6:.3f} mm2")


def maestro(value: MaestroReport, options: Namespace) -> None:
    """MAESTRO's main figures; all of them are in the CSV file."""
    if options.format == "json":
        _json([vars(row) for row in value.rows])
        for warning in value.input_warnings:  # those of the figures are in their rows
            print(f"warning: {warning}", file=sys.stderr)
        return
    rows = [
        [
            row.layer,
            f"{row.runtime_cycles:,}",
            f"{row.energy_nj:,.6g}",
            f"{row.macs_per_cycle:,.6g}",
            f"{row.num_pes:,}",
        ]
        for row in value.rows
    ]
    _table(f"{value.network}, MAESTRO's semantics", ["layer", "cycles", "energy nJ", "MACs/cycle", "PEs"], rows)
    for warning in value.warnings:
        _line(f"warning: {warning}")
    if options.csv:
        _line(f"written: {options.csv}")


def mapped(value: Mapped, options: Namespace) -> None:
    """The mapping of each layer, and totals; as JSON or YAML, the design that ``codesign cost`` takes."""
    if options.format == "json":
        _json(value.to_dict())
        return
    if options.format == "yaml":
        print(dump_yaml(value.to_dict()), end="")
        return
    rows = [
        [
            item.layer,
            f"{item.cost.cycles:,}",
            f"{item.cost.utilisation:.1%}",
            _energy(item.cost.total_energy_pj),
            item.how,
        ]
        for item in value.layers
    ]
    purpose = f", for {value.objective}" if value.objective else ""
    _table(f"{value.network} on {value.accelerator}{purpose}", ["layer", "cycles", "busy", "energy uJ", "how"], rows)
    if options.verbose:
        for item in value.layers:
            directives = () if item.mapping is None else item.mapping.directives
            _line(f"{item.layer}: " + ("; ".join(map(str, directives)) or "no mapping of its own"))
    _totals(value.report)


def emitted(value: Emitted, options: Namespace) -> None:
    """Files that were written."""
    if options.format == "json":
        _json({"folder": value.folder, "rtl": value.rtl, "hls": value.hls})
        return
    for kind, files in (("RTL", value.rtl), ("HLS", value.hls)):
        if files:
            _line(f"{kind}: {counted(len(files), 'file')} in {files[0].parent}")
            if options.verbose:
                for file in files:
                    _line(f"  {file}")


def synthesised(value: SynthReport, options: Namespace) -> None:
    """What synthesis found beside what was estimated."""
    if options.format == "json":
        _json(value.to_dict())
        return

    def cell(figure: float | None) -> str:
        return (
            ""
            if figure is None
            else f"{figure:,.0f}"
            if abs(figure) >= 100 or figure == round(figure)
            else f"{figure:.3g}"
        )

    rows = [
        [f"{item.name}, {item.unit}", cell(item.estimated), cell(item.found)]
        + ["" if item.error is None else f"{item.error:+.1%}"]
        for item in value.figures
    ]
    _table(f"synthesis, {value.target}", ("figure", "estimated", "found", "error"), rows)
    if value.part:
        _line(f"routed on {value.part}; critical path {value.critical_path or 'not told'}")
    else:
        _line("no clock: only --route on ecp5 and ice40 tells one")


def verification(value: Verification, options: Namespace) -> None:
    """Predicted and simulated cycles by layer, and the closing line."""
    _checks(value, options)
    if options.format != "json":
        _line(value.line())


def _checks(value: Verification, options: Namespace) -> None:
    if options.format == "json":
        _json(value.to_dict())
        return
    rows = []
    for item in value.layers:
        error = (item.simulated_cycles - item.predicted_cycles) / max(item.simulated_cycles, 1)
        exact = f"{item.images}/{value.images}"
        rows.append([item.name, f"{item.predicted_cycles:,}", f"{item.simulated_cycles:,}", f"{error:+.2%}", exact])
    columns = ["layer", "cycles predicted", "simulated", "error", "images bit-exact"]
    _table(f"{value.point} in RTL", columns, rows)
    if value.right is not None:
        _line(f"images classified correctly by the hardware: {value.right}/{value.images}")
    if value.score is not None:
        _line(f"{value.score_name} of the hardware's outputs: {value.score:.1%}")
    if value.hls_exact_images is not None:
        _line(
            f"HLS C++: {value.hls_exact_images}/{counted(value.images, 'image')} bit-exact "
            f"({value.hls_s:.1f} s with g++)"
        )
    _line(f"RTL: compiled in {value.compile_s:.1f} s, ran in {value.run_s:.1f} s")


def joined(run: str, value: SearchTally, options: Namespace) -> None:
    """How a search stands at whose end this process was one of the workers."""
    if options.format == "json":
        _json({"run": run, **asdict(value)})
        return
    _line(
        f"{counted(value.told, 'design')} told; the process that began {run} writes its front, "
        f"or codesign explore --resume"
    )


def run(value: RunResult, options: Namespace) -> None:
    """The front, what was verified, and where the files are."""
    if options.format == "json":
        _json(value.to_dict())
        return
    names = [
        name for name in dict.fromkeys((*value.recipe.objectives, *dict(value.recipe.limits))) if name != "accuracy"
    ]
    rows = []
    for point in value.points:
        template = None if point.design is None else point.design.accelerator.template
        row = [point.name + (" knee" if point.name == value.knee else "")]
        if template is None:
            row += ["as in front.csv", "-"]
        else:
            row.append(f"{template.array} {template.rows}x{template.cols} @{template.clock_hz / 1e6:g} MHz")
            row.append(f"W{template.weight_bits}A{template.act_bits}")
        row += [f"{point.accuracy[part]:.1%}" for part in ("held_out", "test") if part in point.accuracy]
        row += [f"{point.metrics[name]:,.4g}" for name in names]
        row += [f"{point.workload.macs / 1e3:,.0f}", *(f"{n:,}" for _, n in point.cost.resources or ())]
        rows.append(row)
    columns = ["design", "accelerator", "bits"]
    told = value.points[0].accuracy if value.points else {}
    columns += [part.replace("_", "-") for part in ("held_out", "test") if part in told]
    columns += [*names, "kMACs", *(name for name, _ in (value.points[0].cost.resources or ()))]
    title = f"front of {counted(value.tally.told, 'design')}" + (
        f"; {value.score} of images" if value.score != "accuracy" else ""
    )
    _table(title, columns, rows, left=3)
    for item in value.verifications:
        _checks(item, options)
    spent = f"{value.seconds:.0f} s, {value.cpu_seconds:.0f} s of processor time"
    _line(f"{spent}; {value.folder}/report.html, front.csv, designs/")
    for item in value.verifications:
        _line(item.line())
    for synthesis in value.syntheses:
        _line(synthesis.line())
