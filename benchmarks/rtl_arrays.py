"""PE arrays alone: random tiles on every template and many shapes; bit-exact, in the predicted cycles, busy.

    python -m benchmarks.rtl_arrays --cases 2000 --seed 1

Exit status 1 where a tile is wrong in value, protocol, cycles or accesses, or where a compute-bound 3x3 convolution
leaves PEs idle for more than a tenth of the time.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from accel_models.template.spec import ArrayKind, Template
from benchmarks.common import table_console
from rtl_templates.array_bench import build, run
from rtl_templates.array_cases import busy_tile, random_case, tile_case

KINDS = list(ArrayKind)
TARGET_UTILIZATION = 0.9
#: rows, cols, act_bits, weight_bits, acc_bits
SHAPES = [
    (4, 4, 8, 8, 32),
    (8, 8, 8, 8, 32),
    (16, 16, 8, 8, 32),
    (4, 8, 4, 4, 32),
    (8, 4, 16, 16, 48),
    (16, 4, 8, 4, 32),
    (4, 16, 16, 8, 32),
    (8, 16, 4, 8, 32),
    (16, 8, 8, 8, 48),
    (32, 4, 8, 8, 32),
    (4, 32, 8, 8, 32),
    (32, 32, 8, 8, 32),
]


def measure(kind: ArrayKind, shape: tuple[int, ...], cases: int, seed: int) -> dict[str, Any]:
    """Run ``cases`` random tiles and one compute-bound convolution on one hardware."""
    template = Template(kind, *shape)
    start = time.perf_counter()
    build(template)
    built = time.perf_counter()
    rng = np.random.default_rng([seed, *shape])
    tiles = [random_case(rng, template) for _ in range(cases)]
    results = run(template, [*tiles, tile_case(rng, template, busy_tile(template))])
    wrong = [result for result in results if not result.exact]
    return {
        "array": str(kind),
        "rows": template.rows,
        "cols": template.cols,
        "act_bits": template.act_bits,
        "weight_bits": template.weight_bits,
        "acc_bits": template.acc_bits,
        "tiles": len(results),
        "bit_exact": sum(not r.mismatches and not r.faults for r in results),
        "cycles_exact": sum(r.cycles == r.predicted_cycles for r in results),
        "accesses_exact": sum(r.accesses == r.predicted_accesses for r in results),
        "simulated_cycles": sum(r.cycles for r in results),
        "busy_utilization": results[-1].utilization,
        "build_s": built - start,
        "run_s": time.perf_counter() - built,
        "first_wrong": str(wrong[0]) if wrong else None,
        "ok": not wrong and results[-1].utilization >= TARGET_UTILIZATION,
    }


def main() -> int:
    """Print the table; 0 where every target is met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=600, help="random tiles over all hardware (default 600)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--arrays", nargs="*", choices=[str(kind) for kind in KINDS], help="only these templates")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    kinds = [kind for kind in KINDS if not args.arrays or str(kind) in args.arrays]
    each = -(-args.cases // (len(kinds) * len(SHAPES)))
    rows = [measure(kind, shape, each, args.seed) for kind in kinds for shape in SHAPES]
    good = all(row["ok"] for row in rows)
    if args.json:
        print(json.dumps({"target_utilization": TARGET_UTILIZATION, "hardware": rows, "ok": good}, indent=1))
        return 0 if good else 1
    table = Table(
        "array", "PEs", "bits a/w/acc", "tiles", "bit-exact", "cycles =", "accesses =", "3x3 busy", "build s", "run s"
    )
    for row in rows:
        bits = f"{row['act_bits']}/{row['weight_bits']}/{row['acc_bits']}"
        counts = [str(row[name]) for name in ("tiles", "bit_exact", "cycles_exact", "accesses_exact")]
        times = [f"{row[name]:.1f}" for name in ("build_s", "run_s")]
        table.add_row(
            row["array"], f"{row['rows']}x{row['cols']}", bits, *counts, f"{row['busy_utilization']:.2%}", *times
        )
    table_console().print(table)
    for row in rows:
        if row["first_wrong"]:
            print(row["array"], row["rows"], row["cols"], row["first_wrong"], file=sys.stderr)
    print(f"{sum(row['tiles'] for row in rows)} tiles, {len(rows)} hardware:", "all exact" if good else "TARGET MISSED")
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
