"""A design as files: the templates, the one generated package, the program with its memory, a file list."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from accel_models.design import Design
from accel_models.program.descriptors import program_number
from accel_models.program.image import Bytes, memory_image
from accel_models.program.parameters import parameters
from accel_models.report import Infeasible
from accel_models.schedule import RegionKind, Regions, Schedule, schedule_network
from accel_models.schedule.builder import DESCRIPTOR_BYTES
from accel_models.template.spec import Template
from mappings.quantized import IntArray, QuantizedNetwork

RTL = Path(__file__).parent / "rtl"
PACKAGES = ("cd_types_pkg.sv", "cd_config_pkg.sv")
TOP = "cd_top.sv"
#: Base registers (`cd_csr.sv`); upper bits 4 bytes on.
REGISTERS = {
    RegionKind.PROGRAM: 0x10,
    RegionKind.WEIGHTS: 0x50,
    RegionKind.ACTIVATIONS: 0x58,
    RegionKind.INPUT: 0x60,
    RegionKind.OUTPUT: 0x68,
}


@dataclass(frozen=True, eq=False)
class Rendered:
    """What :func:`render` wrote.

    Attributes:
        folder: where.
        files: SystemVerilog sources in compile order; also listed in ``files.f``.
        schedule: commands and places.
    """

    folder: Path
    files: tuple[Path, ...]
    schedule: Schedule


def config_package(template: Template) -> str:
    """`cd_config_pkg`: the one file that depends on the design."""
    lines = [
        f"  localparam bit          {name:<14} = 1'b{value:d};"
        if isinstance(value, bool)
        else f"  localparam int unsigned {name:<14} = {value};"
        for name, value in parameters(template).items()
    ]
    return "\n".join(
        ["// Generated: the parameters of one design.", "package cd_config_pkg;", *lines, "endpackage", ""]
    )


def sources() -> tuple[Path, ...]:
    """The templates in compile order, without the generated package."""
    modules = sorted(path for path in RTL.glob("*.sv") if path.name not in PACKAGES)
    return (RTL / PACKAGES[0], *modules)


def render(
    design: Design, network: QuantizedNetwork, folder: Path, inputs: dict[str, IntArray] | None = None
) -> Rendered | Infeasible:
    """Write everything that a design's hardware is made of, and the memory from which it runs.

    Args:
        design: with an accelerator that has a template.
        network: the integers of the design's workload.
        folder: made where it is missing; the sources, ``files.f``, ``memory.bin``, ``memory.hex``, ``map.json`` and
            ``README.md`` are written into it. ``files.f`` is a command file of Verilator and of Yosys'
            ``read_slang -f``; `cd_top` is the top.
        inputs: by name, for the memory image; None: zeros.

    Raises:
        SpecError: an operator that the hardware does not run.
        OSError: the folder can not be written.
    """
    schedule = schedule_network(design)
    if isinstance(schedule, Infeasible):
        return schedule
    if inputs is None:
        inputs = {t.name: np.zeros((t.N, t.C, t.H, t.W), dtype=np.int64) for t in schedule.workload.inputs}
    memory = memory_image(schedule, network, inputs)
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for source in sources():
        shutil.copyfile(source, folder / source.name)
        names.append(source.name)
    (folder / PACKAGES[1]).write_text(config_package(schedule.template), encoding="utf-8")
    names.insert(1, PACKAGES[1])
    (folder / "files.f").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    (folder / "memory.bin").write_bytes(memory.tobytes())
    beat = schedule.template.axi_bits // 8
    words = memory[: len(memory) // beat * beat].reshape(-1, beat)[:, ::-1]
    (folder / "memory.hex").write_text("".join(f"{row.tobytes().hex()}\n" for row in words), encoding="utf-8")
    text = json.dumps(memory_map(schedule, memory), indent=1)
    (folder / "map.json").write_text(text + "\n", encoding="utf-8")
    (folder / "README.md").write_text(driver_notes(schedule), encoding="utf-8")
    return Rendered(folder, tuple(folder / name for name in names), schedule)


def memory_map(schedule: Schedule, memory: Bytes) -> dict[str, object]:
    """Where everything lies, for whoever drives the hardware.

    Args:
        schedule: places.
        memory: the image, which holds the program's number.
    """
    regions = Regions(schedule)
    return {
        "design_number": parameters(schedule.template)["DesignHash"],
        "program_number": program_number(memory[schedule.program_addr :][:DESCRIPTOR_BYTES].tobytes()),
        "regions": {
            region.kind.name.lower(): {
                "register": f"{REGISTERS[region.kind]:#04x}",
                "image_first": region.base,
                "image_end": region.end,
                "register_offset": region.first - region.base if region.kind is RegionKind.PROGRAM else 0,
            }
            for region in regions.by_kind.values()
        },
        "program_addr": schedule.program_addr,
        "descriptors": len(schedule.commands),
        "memory_bytes": schedule.memory_bytes,
        "tensors": {
            name: {
                "addr": tensor.addr,
                "region": regions.place(tensor.addr)[0].name.lower(),
                "region_offset": regions.place(tensor.addr)[1],
                "channels": tensor.channels,
                "channel_words": tensor.blocks,
                "rows": tensor.rows,
                "cols": tensor.cols,
                "image_stride": tensor.image_stride,
                "plane_words": tensor.plane_words,
                "row_words": tensor.row_words,
                "col_words": tensor.col_words,
                "places": "dense" if tensor.is_dense else tensor.places.tolist(),
            }
            for name, tensor in schedule.tensors.items()
        },
        "layers": [plan.layer.name for plan in schedule.plans],
    }


def driver_notes(schedule: Schedule) -> str:
    """How to drive the hardware, for a person who writes its driver."""
    lines = [
        "# Driving this accelerator",
        "",
        "`memory.bin` is an image of the memory; `map.json` says what lies where. The image need not lie at address 0,",
        "nor in one piece: each region below is a buffer of its own.",
        "",
        "1. Read register 0x0C: it has to be `design_number` of `map.json`, or this program is for other hardware.",
        "2. For each region allocate `image_end - image_first` bytes at a multiple of 4096 and copy that part of the",
        "   image into it. (Other places work too; the cycles are as predicted where all are multiples of 4096.)",
        "3. Write the buffer's address plus `register_offset` to the region's register (upper bits 4 bytes on).",
        "4. Write `program_number` to 0x48: any other program is then refused (error 5). 0 takes any.",
        "5. Write a limit of cycles to 0x4C, or 0; write 7 to 0x00; wait for the interrupt or for bit 1 of 0x04.",
        "6. Bit 2 of 0x04 says that the run failed; bits 11:8 why (`cd_types_pkg.sv`), 0x08 at which descriptor.",
        "",
        "A tensor lies `region_offset` bytes behind the address in its region's register. Inputs may change between",
        "runs without anything else being written again. Registers: `cd_csr.sv`.",
        "",
        "`codesign_accelerator.v` is a wrapper with the port names from which block designs infer the interfaces. For",
        "tools that read no SystemVerilog, `python -m rtl_templates.wrapper .` writes both as one Verilog-2005 file,",
        "`plain.v`.",
        "",
        "| region | register | bytes |",
        "| --- | --- | --- |",
    ]
    for region in Regions(schedule).by_kind.values():
        size = region.end - region.base if region.end > region.first else 0
        lines.append(f"| {region.kind.name.lower()} | {REGISTERS[region.kind]:#04x} | {size:,} |")
    return "\n".join(lines) + "\n"
