"""NVDLA: published sizes and speeds of its configurations against the model's description of them.

    python -m benchmarks.nvdla                                  # all configurations
    python -m benchmarks.nvdla --configs 1024,256 --data nvdla_primer.csv

The published figures are the primer's (nvdla.org: area at 28 and 16 nm, ResNet-50 int8 frames a second at 1 GHz), as
``CODESIGN_REFERENCE_DIR``/others/nvdla_primer.csv. The description is ``nvdla_like`` with the configuration's
multipliers, buffer and memory bandwidth. Time is that of convolutions and linear layers: additions and pooling run in
units of their own beside them, which the description does not have; nor has its area. What the published areas have
beyond it is shown by a fit over all rows: a fixed part, so much a multiplier, and the buffer some times ours.
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
from accel_models.hardware.budget import silicon_um2
from accel_models.report import Infeasible
from benchmarks.common import Figure, reference_dir, show
from codesign.commands.cost import cost
from mappings.errors import Fault, SpecError

#: Multipliers -> kernels x channels. 2,048, 256 and 64 are published (the int8 "full", "small 256" and "small"
#: configurations of the hardware manual); the others keep as near to four channels a kernel as powers of two let them.
SHAPES = {2048: (32, 64), 1024: (16, 64), 512: (16, 32), 256: (8, 32), 128: (8, 16), 64: (8, 8), 32: (4, 8)}


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


def measure(config: Config) -> list[Figure]:
    """Area and speed of one configuration."""
    machine, figures = described(config), []
    for node, published in config.area_mm2:
        found = silicon_um2(replace(machine, technology=node))
        assert found is not None, "an asic technology models areas"
        error = found / 1e6 / published - 1
        name = f"{config.macs} MACs: area, {node.removeprefix('asic_')}"
        figures.append(Figure(name, error, "within 25 %", abs(error) <= 0.25, f"{found / 1e6:.2f} of {published} mm2"))
    costed = cost("resnet50", accelerator=machine, dataflow="channel_parallel")
    if isinstance(costed.report, Infeasible):
        return [*figures, Figure(f"{config.macs} MACs: ResNet-50", str(costed.report), "runs", False)]
    cycles = sum(layer.cycles for layer in costed.report.layers if layer.macs)
    frames = machine.clock_hz / cycles
    error, target = frames / config.frames_per_s - 1, "within 20 %"
    told = f"{frames:.1f} of {config.frames_per_s:g} frames/s"
    return [*figures, Figure(f"{config.macs} MACs: ResNet-50", error, target, abs(error) <= 0.2, told)]


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
        technology = machines[0].tech
        own = technology.mac_um2(8, 8, 32) if technology is not None else None
        told = f"ours: {own:.0f}; fixed {fixed:.2f} mm2, buffer {times:.2f} of ours, worst error of the fit {worst:.1%}"
        name = f"published area a multiplier, {node.removeprefix('asic_')}, um2"
        figures.append(Figure(name, round(float(each), 1), peer=told))
    return figures


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
        figures += [figure for config in chosen for figure in measure(config)]
    except SpecError as error:
        print(f"nvdla: {error}", file=sys.stderr)
        return 2
    return show("NVDLA's configurations, published and modelled", figures, args.json)


if __name__ == "__main__":
    sys.exit(main())
