"""Power of whole accelerators in standard cells: the model beside netlists that run what the RTL ran, bit for bit.

    python -m benchmarks.asic_power                                 # five arrays, three sizes, two libraries: hours
    python -m benchmarks.asic_power --sizes 4 --arrays loop_tile --libraries sg13g2
    python -m benchmarks.asic_power --kept                          # judge on the table, synthesise nothing
    python -m benchmarks.asic_power --kept --clocks 0.1,1,10,100    # and each run's energy at several clocks

Each accelerator is simulated on a 3x3 convolution of random integers, synthesised, and run as a netlist with the
recorded inputs; its outputs have to be the RTL's in every cycle. Power is that of the cells by their liberty's tables,
at 100 MHz, without memories, wires and the clock's tree, on both sides. The libraries are IHP SG13G2 (130 nm) and ASAP7
(7 nm), looked for in ``CODESIGN_REFERENCE_DIR``/liberty. Needs ``pip install pyosys``. Results enter
``data/asic_power.csv`` as they come, with the digest of their sources.

The shares of registers and gates that change (``accel_models.hardware.energy``) are of weight and output stationary 4x4
in SG13G2; all others are judged.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from accel_models.design import Design
from accel_models.hardware.technology import technology
from accel_models.report import CostReport
from accel_models.template.accelerator import template_accelerator
from accel_models.template.cost import template_cost
from accel_models.template.energy import cells_mw
from accel_models.template.spec import ArrayKind, Template
from benchmarks.asic import LIBRARIES, cases, write_rows
from benchmarks.common import Figure, read_names, read_numbers, reference_dir, show
from benchmarks.resources import sources, spelled
from benchmarks.rtl_cases import design, inputs, quantized
from mappings.errors import Fault, SpecError
from mappings.layer import Layer, Op
from mappings.workload import TensorShape, Workload
from rtl_templates.synth.measure import WHOLE
from rtl_templates.synth.power import PowerReport, Ran, measured_power

TABLE = Path(__file__).parent / "data" / "asic_power.csv"
HEAD = ("library", "template", "seed", "sources", "cycles", "clock", "registers", "gates", "nets", "leakage_uw")
TECHNOLOGIES = {"sg13g2": "asic_130nm", "asap7": "asic_7nm"}
#: The library and the arrays, of the first size, that the shares of what changes are from.
FITTED = ("sg13g2", (ArrayKind.WEIGHT_STATIONARY, ArrayKind.OUTPUT_STATIONARY), 4)
CLOCK_HZ = 100e6


@dataclass(frozen=True)
class Case:
    """One accelerator in one library: its power by the netlist, and by the model."""

    library: str
    template: Template
    found: PowerReport
    guess_mw: float

    @property
    def found_mw(self) -> float:
        """By the netlist."""
        return self.found.milliwatts(CLOCK_HZ)

    @property
    def error(self) -> float:
        """Relative error of the model."""
        return self.guess_mw / self.found_mw - 1


def network(template: Template) -> Workload:
    """One convolution whose channels fill the array, so long that starting it counts for little."""
    channels = 4 * max(template.rows, template.cols)
    layer = Layer("conv", Op.CONV, K=channels, C=channels, P=8, Q=8, R=3, S=3, padding=(1,) * 4, inputs=("x",))
    return Workload("conv", (TensorShape("x", C=channels, H=8, W=8),), (layer,))


def estimated_mw(library: str, template: Template, clock_hz: float = CLOCK_HZ) -> float:
    """By the model in the library's technology."""
    tech, template = technology(TECHNOLOGIES[library]), replace(template, clock_hz=round(clock_hz))
    cost = template_cost(Design(network(template), template_accelerator(template, tech.name), ()))
    assert isinstance(cost, CostReport), "no device bounds it"
    found = cells_mw(cost, template, tech)
    assert found is not None, "an asic technology models energy"
    return found


def measured(library: str, template: Template, seed: int, run: bool) -> Case | None:
    """One accelerator; of the table where ``run`` is False, None where it is not there."""
    rows = {}
    if TABLE.exists():
        with TABLE.open(encoding="utf-8", newline="") as file:
            rows = {(row["library"], row["template"], row["seed"]): row for row in csv.DictReader(file)}
    place, digest = (library, spelled(template), str(seed)), sources(WHOLE, template)
    row = rows.get(place)
    if run and (row is None or row["sources"] != digest):
        workload = network(template)
        ran = Ran(design(workload, template), quantized(workload, seed), inputs(workload, seed + 1))
        files = [reference_dir() / "liberty" / name for name in LIBRARIES[library].files]
        power = measured_power(ran, files)
        figures = (power.clock, power.registers, power.gates, power.nets, power.leakage_uw)
        row = dict(zip(HEAD, (*place, digest, str(power.cycles), *(f"{x:.6g}" for x in figures)), strict=True))
        rows[place] = row
        write_rows(TABLE, HEAD, list(rows.values()))
    if row is None:
        return None
    found = PowerReport(int(row["cycles"]), *(float(row[name]) for name in HEAD[5:]))
    return Case(library, template, found, estimated_mw(library, template))


def figures_of(found: Sequence[Case], asked: int) -> list[Figure]:
    """Errors, library by library, and the order of the arrays, size by size."""
    text = f"accelerators of {asked} in cells, outputs as the RTL's in every cycle"
    figures = [Figure(text, len(found), "1 or more", bool(found))]
    for library in dict.fromkeys(item.library for item in found):
        some = [item for item in found if item.library == library]
        judged = [
            item
            for item in some
            if (library, item.template.rows) != (FITTED[0], FITTED[2]) or item.template.array not in FITTED[1]
        ]
        each = ", ".join(
            f"{item.template.array} {item.template.rows}x{item.template.cols} {item.found_mw:.3g} mW {item.error:+.1%}"
            for item in some
        )
        if judged:
            mean = float(np.mean([abs(item.error) for item in judged]))
            text = f"{library}: mean error of {len(judged)} not fitted to"
            figures.append(Figure(text, mean, "at most 20 %", mean <= 0.2, each))
        for size in dict.fromkeys(item.template.rows for item in some):
            alike = [item for item in some if item.template.rows == size]
            if len(alike) > 1:
                orders = [
                    [str(item.template.array) for item in sorted(alike, key=key)]
                    for key in (lambda item: item.found_mw, lambda item: item.guess_mw)
                ]
                text = f"{library}: {len(alike)} arrays {size}x{size} in the model's order"
                same = orders[0] == orders[1]
                figures.append(Figure(text, "yes" if same else "no", "yes", same, " < ".join(orders[0])))
    return figures


def read_clocks(given: str) -> tuple[float, ...]:
    """Clocks in MHz from a list with commas; none given: none.

    Raises:
        SpecError: what is no number, or below 0.01 or above 10,000 MHz.
    """
    found = list[float]()
    for text in given.split(",") if given else ():
        try:
            found.append(float(text))
        except ValueError:
            found.append(float("nan"))
        if not 0.01 <= found[-1] <= 1e4:
            raise SpecError(Fault("--clocks", f"{text} is no clock", "numbers of MHz, 0.01 to 10000"))
    return tuple(found)


def over_clock(found: Sequence[Case], clocks_mhz: Sequence[float]) -> list[Figure]:
    """Energy of one run at each clock, in uJ: what switches does so in any time, what leaks does so all the time."""
    figures = []
    for item in found:
        errors, each = list[float](), list[str]()
        for clock in clocks_mhz:
            seconds = item.found.cycles / (clock * 1e6)
            by_netlist = item.found.milliwatts(clock * 1e6) * seconds * 1e3
            by_model = estimated_mw(item.library, item.template, clock * 1e6) * seconds * 1e3
            errors.append(abs(by_model / by_netlist - 1))
            each.append(f"{clock:g} MHz {by_netlist:.3g} uJ ({by_model:.3g})")
        text = f"{item.library}: {item.template.array} {item.template.rows}x{item.template.cols}, energy over its clock"
        note = "by the netlist (by the model): " + ", ".join(each)
        figures.append(Figure(f"{text}, worst error", max(errors), "at most 20 %", max(errors) <= 0.2, note))
    return figures


def main() -> int:
    """Collect and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arrays", default=",".join(ArrayKind), help="templates")
    parser.add_argument("--sizes", default="4,8,16", help="rows and columns")
    parser.add_argument("--libraries", default=",".join(LIBRARIES), help="of those that are known")
    parser.add_argument("--kept", action="store_true", help="the table alone; synthesise nothing")
    parser.add_argument("--seed", type=int, default=1, help="of the integers")
    parser.add_argument("--clocks", default="", help="MHz, 0.01 or more: energy of a run at each")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = list[Case | None]()
    try:
        arrays = read_names(args.arrays, "--arrays", "array", list(ArrayKind))
        names = read_names(args.libraries, "--libraries", "library", list(LIBRARIES))
        clocks = read_clocks(args.clocks)
        for template in cases(arrays, read_numbers(args.sizes, "--sizes")):
            found += [measured(name, template, args.seed, run=not args.kept) for name in names]
    except SpecError as error:
        print(f"asic_power: {error}", file=sys.stderr)
        return 2
    known = [item for item in found if item is not None]
    figures = figures_of(known, len(found)) + (over_clock(known, clocks) if clocks else [])
    return show("Power of whole accelerators in cells, memories apart", figures, args.json)


if __name__ == "__main__":
    sys.exit(main())
