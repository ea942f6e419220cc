"""NVDLA: published sizes and speeds of its configurations against the model's description of them.

    python -m benchmarks.nvdla                                  # all configurations
    python -m benchmarks.nvdla --configs 1024,256 --data nvdla_primer.csv

The published figures are the primer's (nvdla.org: area at 28 and 16 nm, ResNet-50 int8 frames a second at 1 GHz; its
makers' estimates), as ``CODESIGN_REFERENCE_DIR``/others/nvdla_primer.csv.

Speed is of ``nvdla_like`` with the configuration's multipliers, buffer and memory bandwidth, its dataflow kept and the
sizes and orders of each layer's loops found by our mapper, for the least energy x delay (``--given``: as the dataflow's
file has them). Time is that of convolutions and linear layers: additions and pooling run in units of their own beside
them. Reads and writes of DRAM share its published bandwidth. The four largest are within 7 %. What is published of the
two smallest is what traffic behind computation, not beside it, gives (8.1 and 4.0 frames a second for 7.3 and 3.6).

Area is that of our own accelerator with NVDLA's dataflow, ``channel_parallel``, as many multipliers and as large
buffers: gates and flip-flops as fitted to its synthesis, memories as fitted to real macros. Its sides end at 32, so
that the largest configuration is counted with two arrays. A fit over the published areas says what they have beyond it:
a fixed part, so much a multiplier, and the buffer some times that of ``nvdla_like``. A published multiplier takes 3.6
times (28 nm) to 4.8 times (16 nm) as much as ours, which is what the larger configurations miss: NVDLA's multiply int16
and FP16 too, ours int8 alone.
"""

from __future__ import annotations

import argparse
import csv
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from accel_models.hardware.accelerator import Accelerator
from accel_models.hardware.accelerators import accelerator
from accel_models.hardware.technology import Technology, technology
from accel_models.report import CostReport, Infeasible
from accel_models.template.cells import cells
from accel_models.template.resources import area_um2
from accel_models.template.spec import ArrayKind, Template
from benchmarks.common import Figure, reference_dir, show
from codesign.commands.cost import cost
from codesign.commands.mapping import map_network
from mappings.errors import Fault, SpecError

#: Multipliers -> kernels x channels. 2,048, 256 and 64 are published (the int8 "full", "small 256" and "small"
#: configurations of the hardware manual); the others keep as near to four channels a kernel as powers of two let them.
SHAPES = {2048: (32, 64), 1024: (16, 64), 512: (16, 32), 256: (8, 32), 128: (8, 16), 64: (8, 8), 32: (4, 8)}

_DATAFLOW = "channel_parallel"
#: Rows or columns of our arrays, at most.
_WIDEST = 32


@dataclass(frozen=True)
class Config:
    """One row of the published table."""

    macs: int
    buffer_bytes: int
    dram_bytes_per_s: float
    area_mm2: tuple[tuple[str, float], ...]
    frames_per_s: float


def read(path: Path) -> list[Config]:
    """The published table.

    Raises:
        SpecError: unreadable, another form, or a configuration whose shape is not known.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        found = [
            Config(
                int(row["macs_int8"]),
                int(row["conv_buffer_KB"]) * 1024,
                float(row["dram_GBps"]) * 1e9,
                (("asic_28nm", float(row["area_mm2_28nm"])), ("asic_16nm", float(row["area_mm2_16nm"]))),
                float(row["resnet50_int8_fps_1GHz"]),
            )
            for row in rows
        ]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise SpecError(Fault(str(path), f"can not be read ({error!r})", "the table of the NVDLA primer")) from None
    unknown = [item.macs for item in found if item.macs not in SHAPES]
    if unknown or not found:
        raise SpecError(Fault(str(path), f"has {unknown or 'no'} multipliers", ", ".join(map(str, SHAPES))))
    return found


def described(config: Config) -> Accelerator:
    """The configuration as memories and multipliers."""
    base = accelerator("nvdla_like")
    kernels, channels = SHAPES[config.macs]
    rate = config.dram_bytes_per_s / base.clock_hz
    dram, buffer, sums, mac = base.levels
    return replace(
        base,
        name=f"nvdla_{config.macs}",
        levels=(
            replace(dram, read_bytes_per_cycle=rate, write_bytes_per_cycle=rate),
            replace(
                buffer,
                capacity_bytes=config.buffer_bytes,
                fanout=(kernels,),
                # Every multiplier's weight and one input a channel can come in a cycle, as in the "large" one.
                read_bytes_per_cycle=float(config.macs + channels),
                write_bytes_per_cycle=float(channels),
                width_bits=8 * channels,
            ),
            replace(sums, fanout=(channels,)),
            mac,
        ),
    )


def built(config: Config) -> tuple[Template, int]:
    """Our accelerator with as many multipliers and as much on-chip memory, and how many arrays that takes."""
    channels, kernels = (min(side, _WIDEST) for side in _sides(config.macs))
    return _template(channels, kernels, config.buffer_bytes), -(-config.macs // (channels * kernels))


def _template(channels: int, kernels: int, buffer_bytes: int) -> Template:
    half = buffer_bytes // 4  # inputs and weights share NVDLA's buffer; each of ours has two halves
    kind = ArrayKind.CHANNEL_PARALLEL
    return Template(array=kind, rows=channels, cols=kernels, input_buffer_bytes=half, weight_buffer_bytes=half)


def _sides(macs: int) -> tuple[int, int]:
    """Channels and kernels of an array, as square as powers of two let it be."""
    kernels = 1 << (macs.bit_length() - 1) // 2
    return macs // kernels, kernels


def area_mm2(config: Config, node: Technology) -> float:
    """Area of our accelerator; the arrays beyond the first bring their gates and flip-flops alone."""
    template, arrays = built(config)
    whole = area_um2(template, node)
    assert whole is not None, "an asic technology models areas"
    return (whole + (arrays - 1) * _array_um2(template, node)) / 1e6


def _array_um2(template: Template, node: Technology) -> float:
    """Area of the array's gates and flip-flops."""
    found, gate, flop = cells(template), node.value("gate_um2"), node.register_um2(1)
    assert gate is not None and flop is not None, "an asic technology models areas"
    return found.array_gates * gate + found.array_flops * flop


def measure(config: Config, given: bool) -> list[Figure]:
    """Area and speed of one configuration."""
    machine, figures = described(config), []
    for node, published in config.area_mm2:
        found = area_mm2(config, technology(node))
        error = found / published - 1
        name = f"{config.macs} MACs: area, {node.removeprefix('asic_')}"
        figures.append(Figure(name, error, "within 25 %", abs(error) <= 0.25, f"{found:.2f} of {published} mm2"))
    report = _ran(machine, given)
    if isinstance(report, Infeasible):
        return [*figures, Figure(f"{config.macs} MACs: ResNet-50", str(report), "runs", False)]
    overlapped, apart = (machine.clock_hz / cycles for cycles in _cycles(config, machine, report))
    error, target = overlapped / config.frames_per_s - 1, "within 20 %"
    told = f"{overlapped:.1f} of {config.frames_per_s:g} frames/s; memory behind computation: {apart:.1f}"
    return [*figures, Figure(f"{config.macs} MACs: ResNet-50", error, target, abs(error) <= 0.2, told)]


def _cycles(config: Config, machine: Accelerator, report: CostReport) -> tuple[float, float]:
    """Of a frame, where memory works beside the multipliers, and where each layer's traffic waits for them.

    Reads and writes share the published bandwidth, while the model's levels have a rate for each.
    """
    dram, rate = machine.levels[0].name, config.dram_bytes_per_s / machine.clock_hz
    layers = [(layer, layer.bytes_of(dram) / rate) for layer in report.layers if layer.macs]
    return (
        sum(max(layer.cycles, moving) for layer, moving in layers),
        sum(layer.compute_cycles + moving for layer, moving in layers),
    )


def _ran(machine: Accelerator, given: bool) -> CostReport | Infeasible:
    """ResNet-50 with the dataflow as its file has it, or with its sizes and orders searched."""
    if given:
        costed = cost("resnet50", accelerator=machine, dataflow=_DATAFLOW)
        return costed if isinstance(costed, Infeasible) else costed.report
    mapped = map_network("resnet50", accelerator=machine, dataflow=_DATAFLOW, objective="edp")
    return mapped if isinstance(mapped, Infeasible) else mapped.report


def explained(configs: list[Config]) -> list[Figure]:
    """The published areas as a fixed part, a part for each multiplier and a multiple of the buffer's modelled area."""
    figures = []
    for index, (node, _) in enumerate(configs[0].area_mm2):
        machines = [replace(described(item), technology=node) for item in configs]
        buffers = [_buffer_mm2(machine) for machine in machines]
        published = np.array([item.area_mm2[index][1] for item in configs])
        terms = np.array([(1.0, item.macs * 1e-6, size) for item, size in zip(configs, buffers, strict=True)])
        (fixed, each, times), _ = nnls(terms / published[:, None], np.ones(len(published)))
        worst = float(np.abs(terms @ (fixed, each, times) / published - 1).max())
        ours = _each_um2(technology(node))
        told = f"ours: {ours:.0f}; fixed {fixed:.2f} mm2, buffer {times:.2f} of ours, fit off by {worst:.1%} at most"
        name = f"published area a multiplier, {node.removeprefix('asic_')}, um2"
        figures.append(Figure(name, round(float(each), 1), peer=told))
    return figures


def _each_um2(node: Technology) -> float:
    """What a multiplier adds to our array, from 16 x 16 to 32 x 32."""
    large, small = (_array_um2(_template(side, side, 1 << 19), node) for side in (_WIDEST, _WIDEST // 2))
    return (large - small) / (_WIDEST**2 - (_WIDEST // 2) ** 2)


def _buffer_mm2(machine: Accelerator) -> float:
    """Modelled area of the convolution buffer."""
    level, technology = machine.levels[1], machine.tech
    assert level.total_bytes is not None and technology is not None, "described() gives both"
    found = technology.sram_um2(level.total_bytes, level.width_bits)
    assert found is not None, "an asic technology models areas"
    return found * machine.instances(1) / 1e6


def main() -> int:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=reference_dir() / "others" / "nvdla_primer.csv")
    parser.add_argument("--configs", default="", help="multipliers, with commas between (all)")
    parser.add_argument("--given", action="store_true", help="loops as the dataflow's file has them, not searched")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    try:
        configs = read(args.data)
        wanted = [item for item in args.configs.split(",") if item]
        missing = [item for item in wanted if item not in {str(config.macs) for config in configs}]
        if missing:
            allowed = ", ".join(str(config.macs) for config in configs)
            raise SpecError(Fault("--configs", f"has {', '.join(missing)}", allowed))
        chosen = [config for config in configs if not wanted or str(config.macs) in wanted]
        figures = explained(configs) if len(configs) > 3 else []
        figures += [figure for config in chosen for figure in measure(config, args.given)]
    except SpecError as error:
        print(f"nvdla: {error}", file=sys.stderr)
        return 2
    return show("NVDLA's configurations, published and modelled", figures, args.json)


if __name__ == "__main__":
    sys.exit(main())
