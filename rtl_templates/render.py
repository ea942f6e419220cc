"""A design as files: the templates, the one generated package, the program with its memory, a file list."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from accel_models.design import Design
from accel_models.report import Infeasible
from accel_models.schedule import Schedule, schedule_network
from accel_models.template.spec import ArrayKind, Template
from mappings.quantized import IntArray, QuantizedNetwork
from rtl_templates.program import memory_image

RTL = Path(__file__).parent / "rtl"
ARRAY_KINDS = tuple(ArrayKind)  #: numbers of the ArrayKind parameter
PACKAGES = ("cd_types_pkg.sv", "cd_config_pkg.sv")
TOP = "cd_top.sv"


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


def parameters(template: Template) -> dict[str, int]:
    """The parameters of `cd_accelerator`; those that are one bit are bools."""
    return {
        "ArrayKind": ARRAY_KINDS.index(template.array),
        "Rows": template.rows,
        "Cols": template.cols,
        "ActW": template.act_bits,
        "WgtW": template.weight_bits,
        "AccW": template.acc_bits,
        "IbWords": 2 * template.input_words,
        "WbWords": 2 * template.weight_words,
        "AbWords": template.acc_words,
        "ObWords": 2 * template.output_words,
        "PbChannels": 2 * template.param_channels,
        "PpuLanes": template.ppu_lanes,
        "NonlinearLanes": template.nonlinear_lanes,
        "ActTables": template.activation_tables,
        "VectorTaps": template.vector_taps,
        "AccStages": template.acc_stages,
        "PpuStages": template.ppu_stages,
        "AxiW": template.axi_bits,
        "MaxBurst": template.axi_burst_beats,
        "Unaligned": template.unaligned,
    }


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
        folder: made where it is missing; ``rtl/``, ``files.f``, ``memory.bin``, ``memory.hex`` and ``map.json``
            are written into it. ``files.f`` is a command file of Verilator and of Yosys' ``read_slang -f``;
            `cd_top` is the top.
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
    rtl = folder / "rtl"
    rtl.mkdir(parents=True, exist_ok=True)
    names = []
    for source in sources():
        shutil.copyfile(source, rtl / source.name)
        names.append(source.name)
    (rtl / PACKAGES[1]).write_text(config_package(schedule.template), encoding="utf-8")
    names.insert(1, PACKAGES[1])
    (folder / "files.f").write_text("".join(f"rtl/{name}\n" for name in names), encoding="utf-8")
    (folder / "memory.bin").write_bytes(memory.tobytes())
    beat = schedule.template.axi_bits // 8
    words = memory[: len(memory) // beat * beat].reshape(-1, beat)[:, ::-1]
    (folder / "memory.hex").write_text("".join(f"{row.tobytes().hex()}\n" for row in words), encoding="utf-8")
    (folder / "map.json").write_text(json.dumps(memory_map(schedule), indent=1) + "\n", encoding="utf-8")
    return Rendered(folder, tuple(rtl / name for name in names), schedule)


def memory_map(schedule: Schedule) -> dict[str, object]:
    """Where everything lies, for whoever drives the hardware."""
    return {
        "program_addr": schedule.program_addr,
        "descriptors": len(schedule.commands),
        "memory_bytes": schedule.memory_bytes,
        "tensors": {
            name: {
                "addr": tensor.addr,
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
