"""Power of a netlist in a run: what its cells, nets and clock take by the library's tables and counted changes.

The netlist runs with what a simulation of the RTL recorded, and has to give the same outputs in every cycle. Wires have
no capacitance here, the clock no tree, nets no glitches: figures are of the cells alone, memories apart.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from accel_models.design import Design
from accel_models.program.parameters import parameters
from accel_models.report import Infeasible
from accel_models.schedule import Schedule, schedule_network
from accel_models.template.timing import predict
from mappings.errors import Fault, SpecError
from mappings.quantized import IntArray, QuantizedNetwork
from rtl_templates.recording import read_recording
from rtl_templates.simulate import Job, simulate_jobs
from rtl_templates.synth.asic import cell_netlist, read_liberty
from rtl_templates.synth.gates import Activity, Gates, Integers, read_gates, run, shown_by
from rtl_templates.synth.liberty import Library
from rtl_templates.synth.measure import TOP
from rtl_templates.synth.yosys import RESULTS, key_of, source_key, yosys_version

#: Longest run: a cycle of a small accelerator takes some milliseconds.
MOST_CYCLES = 100_000
_Kind = TypeVar("_Kind", bound=Hashable)


@dataclass(frozen=True)
class PowerReport:
    """Energy of a run in pJ, memories apart.

    Attributes:
        cycles: of the run.
        clock: of clock pins, in cells and on the net.
        registers: of flip-flops whose value or input changes.
        gates: of gates, in cells.
        nets: what charges inputs, but those of the clock.
        leakage_uw: mean over the states of the cells.
    """

    cycles: int
    clock: float
    registers: float
    gates: float
    nets: float
    leakage_uw: float

    @property
    def dynamic_pj(self) -> float:
        """Of the whole run, without what leaks."""
        return self.clock + self.registers + self.gates + self.nets

    def milliwatts(self, clock_hz: float) -> float:
        """Mean power at a clock."""
        return self.dynamic_pj * 1e-9 * clock_hz / self.cycles + self.leakage_uw * 1e-3


def power(gates: Gates, activity: Activity, library: Library) -> PowerReport:
    """Of a run of a netlist in the cells of the library that it was read with."""
    at, volts = library.transition, library.volts
    inside = 0.0
    for (cell, pin), places in _alike(gates.gate_cells).items():
        outs = gates.gates.outputs[places]
        inside += float(np.dot(activity.toggles[outs], cell.output_j(pin, at, gates.loads[outs])))
        quiet = activity.quiet[places].sum(axis=0)
        names = cell.outputs[pin].pins
        inside += sum(int(count) * cell.input_j(name, at) for name, count in zip(names, quiet, strict=False))
    clock = held = farads = 0.0
    for cell, places in _alike(gates.flop_cells).items():
        assert cell.flop is not None, "a flip-flop"
        changes = activity.changes[places]
        stays, moves = cell.clock_j(at)
        clock += (activity.cycles * len(places) - int(changes.sum())) * stays + int(changes.sum()) * moves
        farads += cell.capacitance[cell.flop.clock] * len(places)
        for side, pin in enumerate(shown_by(cell)):
            nets = gates.shown[places, side]
            loads = np.where(nets >= 0, gates.loads[nets], 0.0)
            held += float(np.dot(changes, cell.output_j(pin, at, loads)))
        data = activity.data[places].sum(axis=0)
        names = cell.flop.next_state.pins
        held += sum(int(count) * cell.input_j(name, at) for name, count in zip(names, data, strict=False))
    clock += activity.cycles * farads * volts**2
    loads = gates.loads.copy()
    loads[gates.ports["clk_i"]] = 0.0
    nets_j = 0.5 * volts**2 * float(np.dot(loads, activity.toggles))
    leakage = sum(cell.leakage_w for cell in (*(cell for cell, _ in gates.gate_cells), *gates.flop_cells))
    return PowerReport(activity.cycles, clock * 1e12, held * 1e12, inside * 1e12, nets_j * 1e12, leakage * 1e6)


@dataclass(frozen=True, eq=False)
class Ran:
    """What runs: a design on an accelerator with a template, its integers and its inputs."""

    design: Design
    network: QuantizedNetwork
    inputs: dict[str, IntArray]


def check_power(ran: Ran, liberty: Sequence[Path]) -> Schedule:
    """What :func:`measured_power` needs, before the minutes that it takes; the schedule of the run.

    Raises:
        SpecError: a liberty without tables of power, a design that does not run or takes too long.
    """
    Library(read_liberty(liberty))
    schedule = schedule_network(ran.design)
    if isinstance(schedule, Infeasible):
        raise SpecError(Fault("power", str(schedule), "a design that its accelerator runs"))
    cycles = predict(schedule).cycles
    if cycles > MOST_CYCLES:
        raise SpecError(Fault("power", f"takes a run of {cycles:,} cycles", f"a network of at most {MOST_CYCLES:,}"))
    return schedule


def measured_power(ran: Ran, liberty: Sequence[Path]) -> PowerReport:
    """A design on its hardware in cells: simulated as RTL, synthesised, and run as a netlist; kept by digest.

    Raises:
        SpecError: a wrong liberty, a missing tool, a design that does not run or takes too long, or a netlist that does
            other than the RTL.
    """
    schedule = check_power(ran, liberty)
    job, template, texts = Job(schedule, ran.network, ran.inputs), schedule.template, read_liberty(liberty)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "record.txt"
        simulate_jobs([job], record=path)
        given = parameters(template)
        digests = [hashlib.sha256(data).hexdigest() for data in (path.read_bytes(), *(t.encode() for t in texts))]
        key = key_of(["power", yosys_version(), *source_key(TOP, given), *digests])
        known = RESULTS.load(key)
        if known is not None:
            return PowerReport(**known)
        library = Library(texts)
        gates = read_gates(cell_netlist(TOP, given, texts), TOP, library)
        activity = run(gates, read_recording(path, template.axi_bits))
    wrong = [f"{name} in {count} cycles" for name, count in activity.wrong.items() if count]
    if wrong:
        raise SpecError(Fault("netlist", f"gives other outputs than the RTL: {', '.join(wrong)}"))
    found = power(gates, activity, library)
    RESULTS.store(key, asdict(found))
    return found


def _alike(cells: Sequence[_Kind]) -> dict[_Kind, Integers]:
    """Places by cell."""
    found: dict[_Kind, list[int]] = {}
    for place, cell in enumerate(cells):
        found.setdefault(cell, []).append(place)
    return {cell: np.array(places) for cell, places in found.items()}
