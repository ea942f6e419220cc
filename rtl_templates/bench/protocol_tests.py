"""The cocotb side of `cd_protocol`: AXI models in Python on every port. ``setup.json`` names files and expectations."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge, with_timeout
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiRam, AxiSlave, MemoryRegion

FOLDER = Path(os.environ["CODESIGN_JOB_DIR"])
SETUP = json.loads((FOLDER / "setup.json").read_text(encoding="utf-8"))
CONTROL, STATUS, ERROR_AT, DESIGN, PROGRAM_LO, PROGRAM_HI, CYCLES, ERROR_ADDR = (
    0x00,
    0x04,
    0x08,
    0x0C,
    0x10,
    0x14,
    0x18,
    0x40,
)
GEOMETRY, PORT, IMAGE, WATCHDOG, COUNTERS = 0x34, 0x38, 0x48, 0x4C, 0x80
BASES = (PROGRAM_LO, 0x50, 0x58, 0x60, 0x68)  # program, weights, activations, inputs, outputs
START, CLEAR, ENABLE, ABORT, RESET = 1, 2, 4, 8, 16
ERR_IMAGE, ERR_ABORT, ERR_WATCHDOG = 5, 6, 7
BUSY, DONE, ERROR = 1, 2, 4
LIMIT = 2_000_000  # steps
LONGEST_BURST = SETUP["burst_beats"] * SETUP["beat_bytes"]


def pauses(seed: int, share: float) -> Iterator[bool]:
    """Random pauses of one channel."""
    generator = random.Random(seed)
    while True:
        yield generator.random() < share


class System:
    """The accelerator with a memory and a processor."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.addresses = 0
        self.data_led = 0  # bursts of data that were taken before their address, at most
        self.address_led = 0

    async def begin(self, share: float = 0.0, seed: int = 0, region: MemoryRegion | None = None) -> None:
        """Clock, models, reset, and pauses on all channels; ``region`` in place of a memory without faults."""
        dut = self.dut
        dut.rst_n.value = 0
        Clock(dut.clk, 2, unit="step").start()
        port = (AxiBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst_n)
        if region is None:
            self.memory = AxiRam(*port, reset_active_level=False, size=SETUP["memory_bytes"])
        else:
            self.memory = AxiSlave(*port, reset_active_level=False, target=region)
        self.master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst_n, reset_active_level=False)
        if share:
            write, read = self.memory.write_if, self.memory.read_if
            channels = [write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel]
            lite_write, lite_read = self.master.write_if, self.master.read_if
            channels += [lite_write.aw_channel, lite_write.w_channel, lite_write.b_channel]
            channels += [lite_read.ar_channel, lite_read.r_channel]
            for number, channel in enumerate(channels):
                channel.set_pause_generator(pauses(seed * 100 + number, share))
        await ClockCycles(dut.clk, 5)
        dut.rst_n.value = 1
        await ClockCycles(dut.clk, 5)
        cocotb.start_soon(self._count())

    async def _count(self) -> None:
        while True:
            await RisingEdge(self.dut.clk)
            for channel in ("ar", "aw"):
                valid, ready = getattr(self.dut, f"m_axi_{channel}valid"), getattr(self.dut, f"m_axi_{channel}ready")
                self.addresses += int(valid.value) & int(ready.value)

    def load(self, name: str) -> None:
        """A file into the memory."""
        self.memory.write(0, (FOLDER / name).read_bytes())

    async def start(self, program: int, bases: list[int] | None = None) -> None:
        """Addresses of all buffers, start."""
        for register, base in zip(BASES, [program, *(bases or SETUP["bases"])[1:]], strict=True):
            await self.master.write_dword(register, base & 0xFFFFFFFF)
            await self.master.write_dword(register + 4, base >> 32)
        await self.master.write_dword(CONTROL, START | CLEAR | ENABLE)

    async def read_counter(self, register: int) -> int:
        """64 bits, the lower half first."""
        lower = await self.master.read_dword(register)
        return int(lower) | int(await self.master.read_dword(register + 4)) << 32

    async def run(self, program: int, bases: list[int] | None = None) -> int:
        """One run to its interrupt; returns the status register."""
        await self.start(program, bases)
        while not int(self.dut.irq.value):
            await with_timeout(RisingEdge(self.dut.irq), LIMIT, "step")
        status = int(await self.master.read_dword(STATUS))
        await self.master.write_dword(CONTROL, CLEAR | ENABLE)
        assert not int(self.dut.irq.value), "the interrupt does not clear"
        return status

    def check(self) -> None:
        """Every layer's output as expected."""
        for name, (addr, size) in SETUP["outputs"].items():
            expected = (FOLDER / f"{name}.expected").read_bytes()
            assert len(expected) == size > 0
            assert self.memory.read(addr, size) == expected, f"layer {name} differs"

    def forget(self) -> None:
        """Overwrite the outputs, so that a run must write them again."""
        for addr, size in SETUP["outputs"].values():
            self.memory.write(addr, b"\xa5" * size)


@cocotb.test()  # type: ignore[untyped-decorator]
async def two_runs_under_pauses(dut: Any) -> None:
    """Every channel pauses at random; the same program twice without a reset."""
    system = System(dut)
    await system.begin(0.4, seed=1)
    system.load("memory.bin")
    for _ in range(2):
        status = await system.run(SETUP["program_addr"])
        assert status & (BUSY | DONE | ERROR) == DONE, f"status {status:#x}"
        system.check()
        cycles = await system.master.read_dword(CYCLES)
        assert cycles > SETUP["predicted_cycles"] // 4
        system.forget()


def write_order(system: System, kind: str, seed: int) -> None:
    """Pauses that force an order between write addresses and data that the specification allows.

    ``data_first`` takes an address only behind the last beat of its data, ``both`` only with data on offer,
    ``address_first`` data only behind its address; ``late_replies`` holds responses back for long.
    """
    dut, write = system.dut, system.memory.write_if
    write.w_channel.queue_occupancy_limit = 2 * SETUP["burst_beats"]  # data that may wait for its address
    generator = random.Random(seed)

    async def follow() -> None:
        addresses = bursts = 0  # taken
        while True:
            await FallingEdge(dut.clk)
            if kind == "data_first":
                write.aw_channel.pause = addresses >= bursts
            elif kind == "both":
                write.aw_channel.pause = not int(dut.m_axi_wvalid.value) and addresses >= bursts
            elif kind == "address_first":
                write.w_channel.pause = bursts >= addresses
            else:
                write.b_channel.pause = generator.random() < 0.98
            await RisingEdge(dut.clk)
            addresses += int(dut.m_axi_awvalid.value) & int(dut.m_axi_awready.value)
            last = int(dut.m_axi_wlast.value)
            bursts += int(dut.m_axi_wvalid.value) & int(dut.m_axi_wready.value) & last
            system.data_led = max(system.data_led, bursts - addresses)
            system.address_led = max(system.address_led, addresses - bursts)

    cocotb.start_soon(follow())


async def in_order(dut: Any, kind: str, share: float) -> System:
    system = System(dut)
    await system.begin()
    system.load("memory.bin")
    write_order(system, kind, 7)
    if share:
        for number, channel in enumerate((system.memory.read_if.r_channel, system.memory.read_if.ar_channel)):
            channel.set_pause_generator(pauses(number, share))
    status = await system.run(SETUP["program_addr"])
    assert status & (BUSY | DONE | ERROR) == DONE, f"{kind}: status {status:#x}"
    system.check()
    return system


@cocotb.test()  # type: ignore[untyped-decorator]
async def addresses_behind_their_data(dut: Any) -> None:
    """A memory that takes a write's address only when all its data has come."""
    system = await in_order(dut, "data_first", 0.2)
    assert system.data_led > 0, "no data went before its address"


@cocotb.test()  # type: ignore[untyped-decorator]
async def addresses_with_data_on_offer(dut: Any) -> None:
    """A memory that raises AWREADY only after WVALID."""
    await in_order(dut, "both", 0.0)


@cocotb.test()  # type: ignore[untyped-decorator]
async def data_behind_its_address(dut: Any) -> None:
    """A memory that raises WREADY only after the address."""
    system = await in_order(dut, "address_first", 0.2)
    assert system.data_led == 0


@cocotb.test()  # type: ignore[untyped-decorator]
async def late_replies(dut: Any) -> None:
    """Responses come long after their data."""
    system = await in_order(dut, "late_replies", 0.0)
    assert system.data_led <= 1


@cocotb.test()  # type: ignore[untyped-decorator]
async def buffers_anywhere(dut: Any) -> None:
    """Each region in a buffer of its own, in random order at random places; what lies between them stays as it was."""
    generator = random.Random(11)
    image = (FOLDER / "memory.bin").read_bytes()
    system = System(dut)
    await system.begin(0.1, seed=9)
    for step in (4096, SETUP["granule"]):
        junk = bytes(generator.randrange(256) for _ in range(SETUP["memory_bytes"]))
        system.memory.write(0, junk)
        bases, end, places = [0] * len(BASES), 0, {}
        for region in generator.sample(range(len(BASES)), len(BASES)):
            first, base, stop = SETUP["regions"][region]
            gap = generator.randrange(1, 4)
            lead = first - base if region == 0 else 0  # the program's register names its first byte
            bases[region] = -(-end // step) * step + gap * step
            system.memory.write(bases[region], image[base + lead : stop])
            end = bases[region] + stop - base - lead
            places[region] = bases[region] - base - lead
        assert end <= SETUP["memory_bytes"]
        before = system.memory.read(0, SETUP["memory_bytes"])
        status = await system.run(bases[0], bases)
        assert status & (BUSY | DONE | ERROR) == DONE, f"status {status:#x}"
        for name, (addr, size) in SETUP["outputs"].items():
            region = SETUP["output_regions"][name]
            found = system.memory.read(addr + places[region], size)
            assert found == (FOLDER / f"{name}.expected").read_bytes(), f"layer {name} differs"
        after = system.memory.read(0, SETUP["memory_bytes"])
        allowed = set()
        for region in (2, 4):
            first, base, stop = SETUP["regions"][region]
            allowed |= set(range(first + places[region], stop + places[region]))
        wrong = [at for at, (x, y) in enumerate(zip(before, after, strict=True)) if x != y and at not in allowed]
        assert not wrong, f"byte {wrong[0]:#x} was written"


@cocotb.test()  # type: ignore[untyped-decorator]
async def wrong_images(dut: Any) -> None:
    """A descriptor for other hardware, or of another program than the one announced, ends the run before it does
    anything, wherever it lies: nothing but the program is fetched where it is the first.
    """
    system = System(dut)
    await system.begin()
    assert await system.master.read_dword(DESIGN) == SETUP["design_number"]
    assert await system.master.read_dword(GEOMETRY) == SETUP["geometry"]
    assert await system.master.read_dword(PORT) == SETUP["port"]
    program = SETUP["program_addr"]
    for case in SETUP["wrong"]:
        system.load("memory.bin")
        system.memory.write(program, bytes.fromhex(case["program"]))
        await system.master.write_dword(IMAGE, case["image"])
        system.addresses = 0
        status = await system.run(program)
        told = f"{case['name']}: status {status:#x}"
        assert status & (BUSY | DONE | ERROR) == DONE | ERROR and status >> 8 & 15 == ERR_IMAGE, told
        assert await system.master.read_dword(ERROR_AT) == case["at"], case["name"]
        if case["at"] == 0:
            assert system.addresses <= SETUP["program_bursts"], f"{case['name']}: {system.addresses} bursts"
    system.load("memory.bin")
    for image in (SETUP["program_number"], 0):
        await system.master.write_dword(IMAGE, image)
        status = await system.run(program)
        assert status & (BUSY | DONE | ERROR) == DONE, f"status {status:#x}"
        system.check()
        system.forget()


@cocotb.test()  # type: ignore[untyped-decorator]
async def aborts_and_watchdog(dut: Any) -> None:
    """An abort and a watchdog end a run with their error, at any moment; the next run is clean."""
    system = System(dut)
    await system.begin()
    for moment in SETUP["reset_after"]:
        system.load("memory.bin")
        await system.start(SETUP["program_addr"])
        await ClockCycles(dut.clk, moment)
        await system.master.write_dword(CONTROL, ABORT | ENABLE)
        while not int(dut.irq.value):
            await with_timeout(RisingEdge(dut.irq), LIMIT, "step")
        status = int(await system.master.read_dword(STATUS))
        assert status & (BUSY | DONE | ERROR) == DONE | ERROR and status >> 8 & 15 == ERR_ABORT, f"{status:#x}"
        await system.master.write_dword(WATCHDOG, max(moment, 2))
        await system.run(SETUP["program_addr"])
        while (status := int(await system.master.read_dword(STATUS))) & BUSY:
            pass
        assert status & (DONE | ERROR) == DONE | ERROR and status >> 8 & 15 == ERR_WATCHDOG, f"{status:#x}"
        await system.master.write_dword(CONTROL, CLEAR | ENABLE)
        await system.master.write_dword(WATCHDOG, 0)
        system.forget()
        status = await system.run(SETUP["program_addr"])
        assert status & (BUSY | DONE | ERROR) == DONE, f"status {status:#x}"
        system.check()


@cocotb.test()  # type: ignore[untyped-decorator]
async def a_bus_that_never_answers(dut: Any) -> None:
    """The watchdog's interrupt comes all the same; a reset through the registers gives a clean run."""
    system = System(dut)
    await system.begin()
    system.load("memory.bin")
    system.memory.read_if.ar_channel.pause = True
    await system.master.write_dword(WATCHDOG, 500)
    await system.start(SETUP["program_addr"])
    await with_timeout(RisingEdge(dut.irq), LIMIT, "step")
    status = int(await system.master.read_dword(STATUS))
    assert status & (BUSY | DONE | ERROR) == BUSY | ERROR and status >> 8 & 15 == ERR_WATCHDOG, f"{status:#x}"
    await system.master.write_dword(CONTROL, RESET | ENABLE)
    await ClockCycles(dut.clk, 12)
    assert await system.master.read_dword(STATUS) == 0
    system.memory.read_if.ar_channel.pause = False
    await system.master.write_dword(WATCHDOG, 0)
    status = await system.run(SETUP["program_addr"])
    assert status & (BUSY | DONE | ERROR) == DONE, f"status {status:#x}"
    system.check()


@cocotb.test()  # type: ignore[untyped-decorator]
async def counters(dut: Any) -> None:
    """Those of the compute unit sum to the run's cycles; a lower half that is read holds its upper half."""
    system = System(dut)
    await system.begin(0.2, seed=3)
    system.load("memory.bin")
    await system.start(SETUP["program_addr"])
    former = 0
    while not int(dut.irq.value):
        found = await system.read_counter(CYCLES)
        assert found >= former
        former = found
    cycles = await system.read_counter(CYCLES)
    account = [await system.read_counter(COUNTERS + 8 * number) for number in range(5, 13)]
    assert sum(account) == cycles
    assert sum(account[:3]) == await system.read_counter(COUNTERS)
    assert await system.read_counter(COUNTERS + 8 * 13) == 0


@cocotb.test()  # type: ignore[untyped-decorator]
async def reset_in_the_middle(dut: Any) -> None:
    """A reset at several moments of a run, then a clean run."""
    system = System(dut)
    await system.begin()
    for moment in SETUP["reset_after"]:
        system.load("memory.bin")
        await system.start(SETUP["program_addr"])
        await ClockCycles(dut.clk, moment)
        assert await system.master.read_dword(STATUS) & BUSY
        dut.rst_n.value = 0
        await ClockCycles(dut.clk, 3)
        for channel in ("ar", "aw", "w"):
            assert not int(getattr(dut, f"m_axi_{channel}valid").value), f"{channel}valid during reset"
        dut.rst_n.value = 1
        await ClockCycles(dut.clk, 3)
        assert await system.master.read_dword(STATUS) == 0
    system.load("memory.bin")
    system.forget()
    status = await system.run(SETUP["program_addr"])
    assert status & (BUSY | DONE | ERROR) == DONE, f"status {status:#x}"
    system.check()


@cocotb.test()  # type: ignore[untyped-decorator]
async def illegal_descriptors(dut: Any) -> None:
    """Each ends with its error code at its place, and with no bus traffic but the fetch of its program."""
    system = System(dut)
    await system.begin()
    system.load("memory.bin")
    for case in SETUP["illegal"]:
        system.memory.write(SETUP["scratch_addr"], bytes.fromhex(case["program"]))
        system.addresses = 0
        status = await system.run(SETUP["scratch_addr"])
        assert status & (BUSY | DONE | ERROR) == DONE | ERROR, f"{case['name']}: status {status:#x}"
        assert status >> 8 & 15 == case["code"], f"{case['name']}: error code {status >> 8 & 15}"
        assert await system.master.read_dword(ERROR_AT) == case["at"], case["name"]
        assert system.addresses == SETUP["fetch_bursts"], f"{case['name']}: {system.addresses} bursts"
    system.forget()
    status = await system.run(SETUP["program_addr"])
    assert status & (BUSY | DONE | ERROR) == DONE, f"after errors: status {status:#x}"
    system.check()


class Faulty(MemoryRegion):  # type: ignore[misc]
    """A memory that answers with an error where ``bad`` lies."""

    bad = range(0)

    def _refuse(self, address: int, length: int) -> None:
        if self.bad.start < address + length and address < self.bad.stop:
            raise ValueError("a bad place")

    async def _read(self, address: int, length: int, **options: Any) -> bytes:
        self._refuse(address, length)
        return bytes(await super()._read(address, length, **options))

    async def _write(self, address: int, data: bytes, **options: Any) -> None:
        self._refuse(address, len(data))
        await super()._write(address, data, **options)


@cocotb.test()  # type: ignore[untyped-decorator]
async def bus_errors(dut: Any) -> None:
    """An error response to the program's fetch, to a load, to a store ends the run with its code; the next is clean."""
    system = System(dut)
    region = Faulty(SETUP["memory_bytes"])
    await system.begin(region=region)
    for start, stop, at in SETUP["bad_places"]:
        region[0 : SETUP["memory_bytes"]] = (FOLDER / "memory.bin").read_bytes().ljust(SETUP["memory_bytes"], b"\0")
        region.bad = range(start, stop)
        status = await system.run(SETUP["program_addr"])
        assert status & (BUSY | DONE | ERROR) == DONE | ERROR, f"status {status:#x}"
        assert status >> 8 & 15 == SETUP["bus_code"]
        assert await system.master.read_dword(ERROR_AT) == at
        address = await system.master.read_dword(ERROR_ADDR)
        assert address <= start < address + LONGEST_BURST, f"{address:#x} is not the burst of {start:#x}"
        assert address % SETUP["beat_bytes"] == 0
        region.bad = range(0)
        status = await system.run(SETUP["program_addr"])
        assert status & (BUSY | DONE | ERROR) == DONE, f"status {status:#x}"
        for name, (addr, size) in SETUP["outputs"].items():
            assert region[addr : addr + size] == (FOLDER / f"{name}.expected").read_bytes(), name


@cocotb.test()  # type: ignore[untyped-decorator]
async def registers(dut: Any) -> None:
    """Byte strobes, an unmapped address, a start while busy."""
    system = System(dut)
    await system.begin()
    system.load("memory.bin")
    await system.master.write_dword(PROGRAM_LO, 0x11223344)
    await system.master.write(PROGRAM_LO + 1, b"\xee")
    assert await system.master.read_dword(PROGRAM_LO) == 0x1122EE44
    assert await system.master.read_dword(0x70) == 0
    assert await system.master.read_dword(0x3C) >> 8 == 0xC0DE51
    await system.start(SETUP["program_addr"])
    await ClockCycles(dut.clk, 20)
    await system.master.write_dword(CONTROL, START | ENABLE)
    while not int(dut.irq.value):
        await with_timeout(RisingEdge(dut.irq), LIMIT, "step")
    assert await system.master.read_dword(STATUS) & (BUSY | DONE | ERROR) == DONE
    await ClockCycles(dut.clk, 50)
    assert not await system.master.read_dword(STATUS) & BUSY, "a start while busy was remembered"
    system.check()
