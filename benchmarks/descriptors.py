"""Programs: what part of the DRAM traffic is descriptors, network by network and accelerator by accelerator.

python -m benchmarks.descriptors
python -m benchmarks.descriptors --networks mobilenet_v2 --input 1,3,64,64 --sizes 8
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from accel_models.report import Infeasible
from accel_models.template.accelerator import template_accelerator
from accel_models.template.spec import ArrayKind, Template
from benchmarks.common import Figure, read_names, read_numbers, show
from codesign.commands.cost import cost
from mappings.errors import SpecError

TARGET = 0.05


def share(network: str, shape: str, template: Template) -> tuple[float, int] | Infeasible:
    """Descriptors' part of the bytes moved, and all bytes moved."""
    found = cost(network, input=shape or None, accelerator=template_accelerator(template))
    if isinstance(found, Infeasible):
        return found
    moved = program = 0
    for layer in found.report.layers:
        for level, tensor, _, size in layer.traffic_bytes:
            if level == "DRAM":
                moved += size
                program += size if tensor == "program" else 0
    return program / moved, moved


def main() -> int:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", default="resnet20,mobilenet_v2,resnet18")
    parser.add_argument("--input", default="", help="shape of every network's input (its own)")
    parser.add_argument("--arrays", default=",".join(ArrayKind))
    parser.add_argument("--sizes", default="8,16", help="rows and columns")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    figures = []
    try:
        arrays = read_names(args.arrays, "--arrays", "array", list(ArrayKind))
        sizes = read_numbers(args.sizes, "--sizes")
        for network in args.networks.split(","):
            for size in sizes:
                for array in arrays:
                    name = f"{network}, {array} {size}x{size}"
                    found = share(network, args.input, Template(array=ArrayKind(array), rows=size, cols=size))
                    if isinstance(found, Infeasible):
                        figures.append(Figure(name, str(found)))
                        continue
                    part, moved = found
                    figures.append(Figure(name, part, "at most 5 %", part <= TARGET, f"of {moved:,} bytes"))
    except SpecError as error:
        print(f"descriptors: {error}", file=sys.stderr)
        return 2
    return show("Descriptors in the DRAM traffic", figures, args.json)


if __name__ == "__main__":
    sys.exit(main())
