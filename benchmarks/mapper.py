"""The mapper against others' optima on one common accelerator, and its speed.

    python -m benchmarks.mapper [--quick] [--data FOLDER] [--json]

``FOLDER`` holds ``layers.json`` and ``CA1_comparison.csv`` (energy in uJ and EDP in uJ x cycles that each tool found).
The peers count alike but for details: a difference below the exact optimum is room that a peer's mapspace lacks, and
``floor`` (compulsory DRAM traffic and MACs), which no mapping can beat, is checked too.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from accel_models.columns.batch import evaluate_batch
from accel_models.hardware.accelerators import accelerator
from accel_models.mapper import OBJECTIVES, MappingResult, best_mapping
from accel_models.mapper.generate import Generator
from accel_models.mapper.local import Evolution
from benchmarks.common import Figure, reference_dir, show
from mappings.layer import Bits, Layer, Op

CPU_SECONDS_A_LAYER, RESNET_SECONDS, GENERATED_A_SECOND = 0.5, 10.0, 1e6
MACHINES = ("ca1", "eyeriss_like", "shidiannao_like")
QUICK_LAYERS = ("r18_fc", "r18_l4_ds", "r18_l4_3x3")


def layers_of(folder: Path) -> list[Layer]:
    """The layers of the comparison, in words of one byte."""
    given = json.loads((folder / "layers.json").read_text(encoding="utf-8"))["layers"]
    return [
        Layer(name, Op.CONV, K=k, C=c, P=p, Q=q, R=r, S=s, stride=(step, step), bits=Bits(8, 8, 8, 8))
        for name, (k, c, p, q, r, s, step, _) in given.items()
    ]


def resnet50() -> list[Layer]:
    """The distinct convolutions and the classifier of ResNet-50 at 224 x 224."""
    shapes = {(64, 3, 112, 7, 2)}
    channels, size = 64, 56
    for stage, (width, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for block in range(blocks):
            step = 2 if stage and not block else 1
            shapes.add((width, channels, size, 1, 1))
            size //= step
            shapes.add((width, width, size, 3, step))
            shapes.add((4 * width, width, size, 1, 1))
            if block == 0:
                shapes.add((4 * width, channels, size, 1, step))
            channels = 4 * width
    layers = []
    for k, c, p, r, step in sorted(shapes):
        before = r // 2
        after = before if step == 1 else max(0, before - 1)
        padding = (before, before, after, after)
        layers.append(
            Layer(
                f"k{k}c{c}p{p}r{r}s{step}", Op.CONV, K=k, C=c, P=p, Q=p, R=r, S=r, stride=(step, step), padding=padding
            )
        )
    return [*layers, Layer("fc", Op.LINEAR, K=1000, C=2048)]


def known(row: dict[str, str], columns: tuple[str, ...]) -> float | None:
    """The best of some columns, None where all are empty."""
    values = [float(row[name]) for name in columns if row[name]]
    return min(values) if values else None


def solve(layer: Layer, objective: str, target: str = "ca1") -> MappingResult:
    """Search without the cache.

    Raises:
        AssertionError: nothing fits.
    """
    result = best_mapping(layer, accelerator(target), objective=objective, use_cache=False)
    if not isinstance(result, MappingResult):
        raise AssertionError(str(result))
    return result


def compare(folder: Path, quick: bool) -> list[Figure]:
    """Energy and EDP of each layer beside the best known."""
    with (folder / "CA1_comparison.csv").open(encoding="utf-8") as file:
        rows = {row["layer"]: row for row in csv.DictReader(file)}
    figures, slowest, proved, count = [], 0.0, 0, 0
    edp_columns = ("timeloop_60k_EDP_uJcyc", "zigzag_auto5_EDP_uJcyc")
    for layer in layers_of(folder):
        if layer.name not in rows or (quick and layer.name not in QUICK_LAYERS):
            continue
        row = rows[layer.name]
        for objective, best in (("energy", known(row, ("best_known_energy_uJ",))), ("edp", known(row, edp_columns))):
            result = solve(layer, objective)
            slowest, count = max(slowest, result.cpu_seconds), count + 1
            proved += int(result.optimal)
            if best is None:
                continue
            value = result.value * 1e-6
            unit = "uJ" if objective == "energy" else "uJ x cycles"
            figures.append(
                Figure(f"{layer.name}, {unit}", value, "<= best known", round(value, 3) <= best, f"{best:,.6g}")
            )
            if objective == "energy":
                exact = known(row, ("accelforge_optimal_energy_uJ",))
                floor = float(row["floor_uJ_compulsoryDRAM+MAC"])
                if exact is not None:
                    figures.append(
                        Figure(
                            f"{layer.name}, over exact optimum", value / exact, "<= 1.01", value <= 1.01 * exact, "1"
                        )
                    )
                if value < floor * (1 - 1e-4):
                    figures.append(Figure(f"{layer.name}, below the floor", value, f">= {floor}", False))
    figures.append(Figure("proved optimal, searches", proved, str(count), proved == count))
    met = None if quick else slowest <= CPU_SECONDS_A_LAYER
    peers = "ZigZag 4.5, Timeloop 15 to 225, AccelForge 114 to 566"
    figures.append(Figure("slowest search, CPU-s", slowest, f"<= {CPU_SECONDS_A_LAYER}", met, peers))
    return figures


def generation(quick: bool) -> list[Figure]:
    """Feasible mappings a second from generation to cost."""
    layer, target = resnet50()[5], accelerator("ca1")
    generator = Generator(layer, target, seed=3)
    evaluate_batch([layer], generator.take(100), [target])
    started, feasible, made = time.process_time(), 0, 0
    for _ in range(2 if quick else 40):
        columns = generator.take(50_000)
        feasible += int(evaluate_batch([layer], columns, [target]).feasible.sum())
        made += len(columns)
    rate = feasible / (time.process_time() - started)
    met = None if quick else rate >= GENERATED_A_SECOND
    return [
        Figure("generated that are feasible, %", 100 * feasible / made, "100", feasible == made, "0.14 at random"),
        Figure("feasible mappings/s, generated and costed", rate, ">= 1e6", met, "Timeloop 1,500 to 3,900"),
    ]


def network(quick: bool) -> list[Figure]:
    """All distinct layers of ResNet-50, minimum EDP."""
    layers = resnet50()[::6] if quick else resnet50()
    started, proved = time.process_time(), 0
    for layer in layers:
        proved += int(solve(layer, "edp").optimal)
    seconds = time.process_time() - started
    met = None if quick else seconds <= RESNET_SECONDS
    return [
        Figure(f"ResNet-50, {len(layers)} distinct layers, CPU-s", seconds, f"<= {RESNET_SECONDS:.0f}", met),
        Figure("ResNet-50, layers proved optimal", proved, str(len(layers)), proved == len(layers)),
    ]


def fastest(folder: Path, quick: bool) -> list[Figure]:
    """The latency objective, and how long it takes."""
    layers = [layer for layer in layers_of(folder) if not quick or layer.name in QUICK_LAYERS]
    results = [solve(layer, "latency") for layer in layers]
    proved, slowest = sum(one.optimal for one in results), max(one.cpu_seconds for one in results)
    met = None if quick else slowest <= CPU_SECONDS_A_LAYER
    return [
        Figure("latency, proved optimal", proved, str(len(layers)), proved == len(layers)),
        Figure("latency, slowest search, CPU-s", slowest, f"<= {CPU_SECONDS_A_LAYER}", met),
    ]


def evolved(folder: Path, quick: bool) -> list[Figure]:
    """What deeper hierarchies get, the evolution, on three that the branch and bound solves: how far it stays off."""
    slowest, ratios = 0.0, []
    for layer in layers_of(folder):
        if quick and layer.name not in QUICK_LAYERS:
            continue
        for name in MACHINES[:1] if quick else MACHINES:
            target = accelerator(name)
            for objective in ("energy", "edp"):
                best = solve(layer, objective, name)
                if not best.optimal:
                    continue
                started = time.process_time()
                search = Evolution(Generator(layer, target), np.array([*OBJECTIVES[objective], 1]))
                search.run()
                slowest = max(slowest, time.process_time() - started)
                ratios.append(float(search.best[0]) / best.value)
    worst, mean = max(ratios), sum(ratios) / len(ratios)
    met = None if quick else slowest <= CPU_SECONDS_A_LAYER
    return [
        Figure(f"evolution over optimum, worst of {len(ratios)}", worst, "<= 1.02", worst <= 1.02),
        Figure("evolution over optimum, mean", mean, "<= 1.005", mean <= 1.005),
        Figure("evolution, slowest, CPU-s", slowest, f"<= {CPU_SECONDS_A_LAYER}", met),
    ]


def main() -> int:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="few layers, no judgement of the speed")
    parser.add_argument("--data", type=Path, default=reference_dir() / "mappers")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    for objective in ("edp", "latency"):  # compiles, or loads, what all searches use
        solve(Layer("compile", Op.CONV, K=4, C=4, P=4, R=3), objective)
    quick = options.quick
    figures = compare(options.data, quick) + fastest(options.data, quick) + evolved(options.data, quick)
    figures += generation(quick) + network(quick)
    return show("mapper on ca1 (16 x 16 MACs), one core", figures, options.json)


if __name__ == "__main__":
    sys.exit(main())
