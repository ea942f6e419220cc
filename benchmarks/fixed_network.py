"""One network, its hardware and mapping searched: the front of latency, energy and fill on small FPGAs.

    python -m benchmarks.fixed_network [--cases mobilenet_v2@pynq_z2,...] [--extent 128] [--trials N] [--seconds 300]
                                       [--verify] [--small resnet20@pynq_z2] [--seed 0] [--json]

Each case is ``codesign explore --network NETWORK --input 1,3,EXTENT,EXTENT --device DEVICE``: nothing is trained, every
knob of the templates is free. ``--verify`` runs the knee of each on RTL: bit-exact, and in the predicted cycles. The
small case has a space of a few hundred accelerators, all of which are priced: the search's best against the true one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from benchmarks.common import Figure, show
from codesign.explorer.options import ExploreOptions
from codesign.explorer.result import RunResult
from codesign.explorer.run import explore
from codesign.providers.base import ProviderContext
from codesign.providers.registry import make_provider
from codesign.recipe import load_recipe
from mappings.errors import SpecError
from mappings.yamlio import dump_yaml

NETWORKS, DEVICES = ("resnet50", "mobilenet_v2", "vit_tiny", "unet"), ("pynq_z2", "zcu104", "ultra96")
#: Networks whose input is not free: ViT's position embedding has one size.
EXTENTS = {"vit_tiny": 224}
#: Of the small case: a fifth of its space.
SMALL_TRIALS = 48
OBJECTIVES = ("latency_ms", "energy_uj", "fill")


def found(case: str, options: argparse.Namespace, folder: Path) -> list[Figure]:
    """One case: the front, and the time that it took."""
    network, _, device = case.partition("@")
    extent = EXTENTS.get(network, options.extent)
    started = time.perf_counter()
    result: RunResult = explore(
        ExploreOptions(
            network=network,
            input=f"1,3,{extent},{extent}",
            objectives=",".join(OBJECTIVES),
            device=device,
            trials=options.trials,
            seed=options.seed,
            out=str(folder / case.replace("@", "_")),
            verify=(),
        )
    )
    seconds = time.perf_counter() - started
    least = {name: min(point.metrics[name] for point in result.points) for name in OBJECTIVES}
    knee = next(point for point in result.points if point.name == result.knee)
    told = ", ".join(f"{knee.metrics[name]:.4g}" for name in OBJECTIVES)
    lines = [
        Figure(f"{case} at {extent}: seconds", seconds, f"<= {options.seconds:g}", seconds <= options.seconds),
        Figure(f"  designs of {result.tally.told:,} that fit", result.tally.told - result.tally.infeasible),
        Figure("  points of the front", len(result.points), "some", bool(result.points)),
        Figure("  least latency (ms)", least["latency_ms"]),
        Figure("  least energy (uJ)", least["energy_uj"]),
        Figure("  least fill", least["fill"]),
        Figure("  knee (ms, uJ, fill)", told),
    ]
    if options.verify:
        checks = explore(ExploreOptions(resume=result.folder, verify=("knee",), images=1)).verifications
        aim = "bit-exact, cycles as predicted"
        lines += [Figure("  knee on RTL", item.line(), aim, item.passed) for item in checks]
        if not checks:
            lines.append(Figure("  knee on RTL", "not run", aim, False))
    return lines


def enumerated(case: str, options: argparse.Namespace, folder: Path) -> list[Figure]:
    """The best latency and energy-delay of a small space against its enumeration."""
    network, _, device = case.partition("@")
    raw = {
        "name": "small",
        "network": network,
        "compression": "none",
        "hardware": "templates",
        "mapping": "default",
        "device": device,
        "objectives": ["latency_ms", "energy_uj", "fill"],
        "providers": ["schedule"],
        "choices": {
            "rows": [4, 8],
            "cols": [4, 8, 16],
            "input_buffer_kib": [4, 16],
            "weight_buffer_kib": [4, 16],
            "acc_buffer_kib": [8],
            "output_buffer_kib": [2],
            "axi_bits": [32, 64],
            "clock_mhz": [100],
        },
        "trials": SMALL_TRIALS,
        "batch": 12,
    }
    file = folder / "small.yaml"
    file.write_text(dump_yaml(raw), encoding="utf-8")
    recipe = load_recipe(str(file))
    context = ProviderContext(0, recipe.device, recipe.space, folder, 0)
    names = [decision.name for decision in recipe.space.decisions.decisions]
    choices = [decision.choices for decision in recipe.space.decisions.decisions]  # type: ignore[union-attr]
    points = [dict(zip(names, pick, strict=True)) for pick in product(*choices)]
    candidates = recipe.space.decode(points)
    live = [candidate for candidate in candidates if candidate.design is not None and not candidate.broken]
    figures = make_provider("schedule", context).measure(live)
    true = {name: min(item.metrics[name] for item in figures if not item.broken) for name in OBJECTIVES}
    result = explore(ExploreOptions(recipe=str(file), seed=options.seed, out=str(folder / "small"), verify=()))
    best = {name: min(point.metrics[name] for point in result.points) for name in OBJECTIVES}
    lines = [Figure(f"{case}: accelerators enumerated", len(points), "some", bool(live))]
    for name in OBJECTIVES:
        ratio = best[name] / true[name]
        title = f"  {name}: found in {result.tally.told} trials over the optimum"
        lines.append(Figure(title, ratio, "<= 1.01", ratio <= 1.01))
    return lines


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = ",".join(f"{network}@{device}" for network in NETWORKS for device in DEVICES)
    parser.add_argument("--cases", default=every, help="NETWORK@DEVICE with commas between; empty: none")
    parser.add_argument("--small", default="resnet20@pynq_z2", help="the case that is enumerated; empty: none")
    parser.add_argument("--extent", type=int, default=128, help="rows and columns of the image")
    parser.add_argument("--trials", type=int, help="of each case; the recipe's when left out")
    parser.add_argument("--seconds", type=float, default=300.0, help="of each case, without RTL")
    parser.add_argument("--verify", action="store_true", help="run each knee on RTL")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    out: list[Figure] = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            for case in filter(None, options.cases.split(",")):
                lines = found(case, options, Path(folder))
                print("\n".join(f"{item.name}: {item.value}" for item in lines), file=sys.stderr, flush=True)
                out += lines
            if options.small:
                out += enumerated(options.small, options, Path(folder))
        return show("fixed_network", out, options.json)
    except SpecError as error:
        parser.error(str(error))


if __name__ == "__main__":
    sys.exit(main())
