"""The cocotb side of the fast bench: starts each job and waits for its end. Python sleeps while the clock runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge, Timer


@cocotb.test()  # type: ignore[untyped-decorator]
async def run_jobs(dut: Any) -> None:
    """Run every job of ``CODESIGN_JOB_DIR/jobs.json``, one after another, without a reset between them."""
    folder = Path(os.environ["CODESIGN_JOB_DIR"])
    jobs = json.loads((folder / "jobs.json").read_text(encoding="utf-8"))
    dut.go_i.value = 0
    dut.latency_i.value = jobs[0]["latency"]
    dut.bytes_per_cycle_i.value = jobs[0]["bytes_per_cycle"]
    dut.stall_i.value = jobs[0]["stall"]
    dut.seed_i.value = jobs[0]["seed"]
    for level in (1, 0):  # an edge of the reset before the first of the clock, whatever the port woke up with
        dut.rst_ni.value = level
        await Timer(1, unit="step")
    Clock(dut.clk_i, 2, unit="step").start()
    await ClockCycles(dut.clk_i, 4)
    dut.rst_ni.value = 1
    await ClockCycles(dut.clk_i, 4)
    for number, job in enumerate(jobs):
        await FallingEdge(dut.clk_i)
        dut.job_i.value = number
        dut.bases_i.value = sum(base << 40 * region for region, base in enumerate(job["bases"]))
        dut.latency_i.value = job["latency"]
        dut.bytes_per_cycle_i.value = job["bytes_per_cycle"]
        dut.stall_i.value = job["stall"]
        dut.limit_i.value = job["limit"]
        dut.go_i.value = 1
        await FallingEdge(dut.clk_i)
        dut.go_i.value = 0
        await RisingEdge(dut.finished_o)
