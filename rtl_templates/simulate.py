"""Run designs on their hardware under Verilator and cocotb; say what it did beside what the model predicted."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from accel_models.design import Design
from accel_models.program.image import memory_image, tensor_from_bytes
from accel_models.report import Infeasible
from accel_models.schedule import Regions, Schedule, schedule_network
from accel_models.template.cycle_account import CycleAccount, layer_accounts, total
from accel_models.template.spec import Template
from accel_models.template.timing import Timing, predict
from mappings.errors import Fault, SpecError
from mappings.quantized import IntArray, QuantizedNetwork
from rtl_templates.build import build_bench, run_bench

#: Counters of `cd_csr.sv`, in their order there: cycles at work, cycles without a token, then those of `cd_account.sv`.
COUNTERS = (
    "busy", "load_wait", "compute_wait", "drain_wait", "store_wait", "array", "vector", "nonlinear", "dispatch",
    "memory", "post_processing", "layer_start", "last_store",
)  # fmt: skip
WATCHDOG_FACTOR = 64  #: a run may take this many times its prediction before it counts as hung


@dataclass(frozen=True)
class LayerRun:
    """What one layer did, and what was predicted.

    Attributes:
        name: layer whose output is left in memory.
        parts: the layers that ran as one, in order; ``name`` is the last.
        cycles, predicted_cycles: from the end of the layer before it until its last result is in memory.
        compute_cycles: in which the array or the vector unit was busy.
        waits: cycles in which load, compute, drain, store had a command and lacked a token.
        read_bytes, write_bytes, predicted_read_bytes, predicted_write_bytes: beats on the memory bus.
        macs: multiply-accumulates of the layer.
        utilization: MACs over cycles x PEs, 0 to 1; None without MACs.
        account: where the compute unit's cycles went, as predicted: what happened wherever the prediction is exact.
    """

    name: str
    parts: tuple[str, ...]
    cycles: int
    predicted_cycles: int
    compute_cycles: int
    waits: tuple[int, int, int, int]
    read_bytes: int
    write_bytes: int
    predicted_read_bytes: int
    predicted_write_bytes: int
    macs: int
    utilization: float | None
    account: CycleAccount


@dataclass(frozen=True, eq=False)
class SimReport:
    """One run of a whole network.

    Attributes:
        outputs: by layer, ``[N, C, P, Q]``, as the memory holds them after the run. A layer with which another
            rode along in post-processing has left none of its own.
        cycles, predicted_cycles: from start to done.
        layers: in order.
        counters: of the hardware, by name (:data:`COUNTERS`), in cycles of the whole run.
        compile_seconds, run_seconds: of the simulation; a run's share where several ran together.
        cpu_seconds: of compiling and of the runs, prediction and memory images included.
    """

    outputs: dict[str, IntArray]
    cycles: int
    predicted_cycles: int
    layers: tuple[LayerRun, ...]
    counters: dict[str, int]
    compile_seconds: float
    run_seconds: float
    cpu_seconds: float

    @property
    def account(self) -> CycleAccount:
        """Where the cycles of the whole run went; its parts sum to ``predicted_cycles``."""
        return total(layer.account for layer in self.layers)

    @property
    def predicted_counters(self) -> dict[str, int]:
        """What the hardware's counters of the compute unit have to show by :attr:`account`."""
        whole = self.account
        array = whole.mac_cycles + whole.edge_cycles + whole.fill_cycles + whole.handover_cycles
        return {
            "array": round(array),
            "vector": round(whole.vector_cycles),
            "nonlinear": round(whole.nonlinear_cycles),
            "dispatch": round(whole.dispatch_cycles),
            "memory": round(whole.memory_cycles),
            "post_processing": round(whole.post_processing_cycles),
            "layer_start": round(whole.layer_start_cycles),
            "last_store": round(whole.last_store_cycles),
        }

    @property
    def exact(self) -> bool:
        """Every layer, and the whole, took as many cycles as predicted, and those went where they were predicted."""
        pairs = [(layer.cycles, layer.predicted_cycles) for layer in self.layers]
        pairs += [(self.counters[name], cycles) for name, cycles in self.predicted_counters.items()]
        return all(a == b for a, b in [*pairs, (self.cycles, self.predicted_cycles)])


@dataclass(frozen=True, eq=False)
class Job:
    """One run: a network's schedule and integers, its inputs, and how the memory behaves.

    Attributes:
        stall: probability, in 256ths, that a channel of the memory pauses in a cycle.
        seed: of those pauses.
    """

    schedule: Schedule
    network: QuantizedNetwork
    inputs: dict[str, IntArray]
    stall: int = 0
    seed: int = 1


def simulate(
    design: Design,
    network: QuantizedNetwork,
    inputs: dict[str, IntArray] | Sequence[dict[str, IntArray]],
    stall: int = 0,
    seed: int = 1,
) -> SimReport | list[SimReport] | Infeasible:
    """Run a design; its hardware is compiled once and kept.

    Args:
        design: with an accelerator that has a template.
        network: the integers of the design's workload.
        inputs: by workload input ``[N, C, H, W]``; a sequence runs the network once for each.
        stall, seed: random back-pressure, see :class:`Job`.

    Returns:
        One report for each of ``inputs``.

    Raises:
        SpecError: an operator that the hardware does not run, a missing tool, or a run that failed.
    """
    schedule = schedule_network(design)
    if isinstance(schedule, Infeasible):
        return schedule
    single = isinstance(inputs, dict)
    runs = [inputs] if isinstance(inputs, dict) else list(inputs)
    reports = simulate_jobs([Job(schedule, network, run, stall, seed) for run in runs])
    return reports[0] if single else reports


def simulate_jobs(jobs: Sequence[Job], record: Path | None = None, noise: int | None = None) -> list[SimReport]:
    """Run jobs one after another on one piece of hardware, without a reset between them.

    Args:
        record: where what goes into and out of the accelerator is left (:mod:`rtl_templates.recording`); None: nowhere.
        noise: seed of what registers and memories hold before the first run writes to them; None: zeros.

    Raises:
        SpecError: the jobs need different hardware; a missing tool; an error status or a hang.
    """
    if not jobs:
        return []
    template = jobs[0].schedule.template
    for job in jobs:
        if hardware(job.schedule.template) != hardware(template):
            raise SpecError(Fault("jobs", "need different hardware", "jobs of one template"))
    begin, cpu = time.perf_counter(), _cpu_seconds()
    executable = build_bench(template, record=record is not None)
    compiled = time.perf_counter()
    predictions = {id(job.schedule): predict(job.schedule) for job in jobs}
    with tempfile.TemporaryDirectory(prefix="codesign-sim-") as name:
        folder = Path(name)
        _write_jobs(folder, jobs, {key: timing.cycles for key, timing in predictions.items()})
        started = time.perf_counter()
        log = run_bench(executable, folder, noise=noise)
        if record is not None:
            shutil.copyfile(folder / "record.txt", record)
        seconds = (time.perf_counter() - started) / len(jobs)
        reports = []
        for number, job in enumerate(jobs):
            facts = _read_report(folder / f"{number}.txt", log)
            memory = np.fromfile(folder / f"{number}.bin", dtype=np.uint8)
            bits = job.schedule.template.act_bits
            outputs = {
                layer.name: tensor_from_bytes(job.schedule.tensors[layer.name], memory, bits)
                for layer in job.schedule.workload.layers
                if layer.name in job.schedule.tensors
            }
            timing = predictions[id(job.schedule)]
            layers, cycles = _layers(job.schedule, timing, facts)
            counters = {name: facts["count"][number][0] for number, name in enumerate(COUNTERS)}
            reports.append(SimReport(outputs, cycles, timing.cycles, layers, counters, compiled - begin, seconds, 0.0))
    spent = _cpu_seconds() - cpu
    return [replace(report, cpu_seconds=spent) for report in reports]


def _cpu_seconds() -> float:
    """CPU time so far of this process and of the compilers and simulators that it waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def hardware(template: Template) -> Template:
    """The template with everything at its default that does not change the hardware: the memory and the clock."""
    plain = Template()
    return replace(
        template,
        dram_latency_cycles=plain.dram_latency_cycles,
        dram_bytes_per_cycle=1,
        clock_hz=plain.clock_hz,
    )


def _write_jobs(folder: Path, jobs: Sequence[Job], predicted: dict[int, int]) -> None:
    settings = []
    for number, job in enumerate(jobs):
        memory_image(job.schedule, job.network, job.inputs).tofile(folder / f"{number}.bin")
        template = job.schedule.template
        settings.append(
            {
                "bases": Regions(job.schedule).bases(),
                "latency": template.dram_latency_cycles,
                "bytes_per_cycle": template.dram_bytes_per_cycle,
                "stall": job.stall,
                "seed": job.seed,
                "limit": predicted[id(job.schedule)] * WATCHDOG_FACTOR + 100_000,
            }
        )
    (folder / "jobs.json").write_text(json.dumps(settings), encoding="utf-8")


Facts = dict[str, dict[int, list[int]]]


def _read_report(path: Path, log: str) -> Facts:
    """The lines of a job's report, by kind and tag.

    Raises:
        SpecError: the run did not reach its end, or ended with an error status.
    """
    facts: Facts = {"event": {}, "bytes": {}, "count": {}, "done": {}}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            kind, tag, *rest = line.split()
            facts[kind][int(tag)] = [int(word) for word in rest]
    if not facts["done"]:
        raise SpecError(Fault("simulation", f"ended early: {log[-1500:]}"))
    status = next(iter(facts["done"]))
    if status == -1:
        raise SpecError(Fault("simulation", "hung: the watchdog ended it"))
    if status & 4:
        raise SpecError(Fault("simulation", f"ended with error status {status:#x}"))
    return facts


def _layers(schedule: Schedule, predicted: Timing, facts: Facts) -> tuple[tuple[LayerRun, ...], int]:
    template = schedule.template
    runs: list[LayerRun] = []
    before = [0] * 6
    accounts = layer_accounts(schedule, predicted)
    for plan in schedule.plans:
        event = facts["event"].get(plan.index)
        if event is None:
            raise SpecError(Fault(f"layer {plan.name}", "never reported its end"))
        read, written = facts["bytes"].get(plan.index, [0, 0])
        model = predicted.layers[plan.index]
        spent = [now - then for now, then in zip(event, before, strict=True)]
        before = event
        pes = template.rows * template.cols
        macs, utilised = plan.useful_macs, plan.utilised_macs
        runs.append(
            LayerRun(
                name=plan.name,
                parts=tuple(layer.name for layer in plan.chain),
                cycles=spent[0],
                predicted_cycles=model.cycles,
                compute_cycles=spent[1],
                waits=(spent[2], spent[3], spent[4], spent[5]),
                read_bytes=read,
                write_bytes=written,
                predicted_read_bytes=model.read_bytes,
                predicted_write_bytes=model.write_bytes,
                macs=macs,
                utilization=utilised / (spent[0] * pes) if utilised and spent[0] > 0 else None,
                account=accounts[plan.index],
            )
        )
    cycles = next(iter(facts["done"].values()))[0]
    return tuple(runs), cycles
