"""FPGA resources: the estimate from the structure against synthesis of the real RTL (needs ``pip install pyosys``)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from accel_models.template.resources import estimate
from accel_models.template.spec import ArrayKind, Template
from benchmarks.common import Figure, show
from rtl_templates.synthesize import synthesize

#: Relative error that is accepted of each resource.
TARGETS = {"DSP": 0.0, "BRAM36": 0.02, "LUT": 0.15, "FF": 0.15}


def compare(template: Template) -> list[Figure]:
    """Four figures of one accelerator."""
    measured = dict(synthesize(template).as_pairs())
    figures = []
    for name, value in estimate(template).as_pairs():
        error = value / measured[name] - 1
        label = f"{template.array} {template.rows}x{template.cols} int{template.act_bits}: {name}"
        target = f"within {TARGETS[name]:.0%}" if TARGETS[name] else "exact"
        met = abs(error) <= TARGETS[name] + 1e-12
        figures.append(Figure(label, value, target, met, f"synthesis: {measured[name]:,} ({error:+.1%})"))
    return figures


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arrays", nargs="+", default=list(ArrayKind), type=ArrayKind, choices=list(ArrayKind))
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--cols", type=int, default=8)
    parser.add_argument("--act-bits", type=int, default=8)
    parser.add_argument("--weight-bits", type=int, default=8)
    parser.add_argument("--acc-bits", type=int, default=32)
    parser.add_argument("--axi-bits", type=int, default=128)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    figures = []
    for array in args.arrays:
        template = Template(
            array=array,
            rows=args.rows,
            cols=args.cols,
            act_bits=args.act_bits,
            weight_bits=args.weight_bits,
            acc_bits=args.acc_bits,
            axi_bits=args.axi_bits,
            dram_bytes_per_cycle=min(16, args.axi_bits // 8),
        )
        figures += compare(template)
    return show("FPGA resources, estimated and synthesised (Yosys, xc7)", figures, args.json)


if __name__ == "__main__":
    sys.exit(main())
