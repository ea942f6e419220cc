"""Free connectivity against sizing alone, and importance against index encoding, within published envelopes.

    python -m benchmarks.naas [--networks vgg16,mobilenet_v2] [--envelopes edgetpu] [--trials 64] [--free-trials 192]
                              [--codes 192] [--seeds 2] [--seed 0] [--json]

Lin 2021 reports 3.52 times (VGG-16) and 1.42 times (MobileNetV2) less EDP than sizing alone in the Edge TPU's
envelope, 2.61 and 1.62 times in NVDLA-1024's; speeds of 2.6, 2.2, 4.4, 1.7 and 4.4 times those of EdgeTPU, NVDLA-1024
(VGG-16, ResNet-50, UNet), Eyeriss, NVDLA-256 and ShiDianNao (MobileNetV2, SqueezeNet, MNasNet); and 1.4 to 7.4 times
more EDP with index encoding. Here, by our directive model, of the operators that multiply, one input: *published* is
the envelope's own accelerator by its own dataflow, *mapped* the same by our mapper, *sized* the best of ``--trials``
sizes by that dataflow (*sized, mapped*: by the mapper), *free* the best of ``--free-trials`` connectivities, each
mapped. All searches start from the envelope's own accelerator. The encodings search connectivity and one mapping genome
together, ``--codes`` trials each.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from statistics import geometric_mean
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from accel_models.hardware.connectivity import ENVELOPES, PARALLEL
from accel_models.mapper.quick import connected_mapping
from accel_models.report import Infeasible, LayerCost
from benchmarks.common import Figure, show
from codesign.controllers.controller import ControllerContext, Told
from codesign.controllers.registry import make_controller
from codesign.objectives import Outcome
from codesign.providers.base import ProviderContext
from codesign.providers.registry import make_provider
from codesign.recipe import parse_recipe
from codesign.spaces.hardware.free import FreeSpace
from codesign.zoo import NETWORKS
from mappings.errors import SpecError

LARGE, MOBILE = ("vgg16", "resnet50", "unet"), ("mobilenet_v2", "squeezenet", "mnasnet_b1")
#: (envelope, network): published gain in EDP over sizing alone.
GAINS = {
    ("edgetpu", "vgg16"): 3.52,
    ("edgetpu", "mobilenet_v2"): 1.42,
    ("nvdla_1024", "vgg16"): 2.61,
    ("nvdla_1024", "mobilenet_v2"): 1.62,
}
#: envelope: published speed over it, and for which networks.
SPEEDS = {
    "edgetpu": (2.6, LARGE),
    "nvdla_1024": (2.2, LARGE),
    "eyeriss": (4.4, MOBILE),
    "nvdla_256": (1.7, MOBILE),
    "shidiannao": (4.4, MOBILE),
}
METRICS = ("latency_cycles", "edp_uj_ms", "onchip_edp_uj_ms")
Found = dict[str, float]


def own_point(hardware: dict[str, Any]) -> dict[str, Any]:
    """The envelope's own accelerator as a point of a space, its memories rounded to the nearest choices."""
    own = ENVELOPES.get(hardware["envelope"]).own
    rest = [loop for loop in PARALLEL if loop not in own.parallel]
    choices = {item.name: getattr(item, "choices", ()) for item in FreeSpace(hardware["envelope"]).decisions}
    point: dict[str, Any] = {f"axis{place}": size for place, size in enumerate(own.axes, 1)}
    point["l1_bytes"] = min(choices["l1_bytes"], key=lambda size: abs(size - own.l1_bytes))
    point["l2_kib"] = min((k for k in choices["l2_kib"] if k * 1024 >= own.l2_bytes), default=choices["l2_kib"][-1])
    return (
        point if hardware["name"] == "sizing" else {"axes": len(own.axes), "parallel": [*own.parallel, *rest], **point}
    )


def best(network: str, hardware: dict[str, Any], mapping: Any, trials: int, seed: int, encoding: str) -> Found:
    """The figures of the least EDP that an evolution strategy finds; infinite where nothing fits."""
    raw = {
        "name": "naas",
        "network": network,
        "compression": "none",
        "hardware": hardware,
        "mapping": mapping,
        "device": ENVELOPES.get(hardware["envelope"]).device,
        "objectives": ["edp_uj_ms"],
        "providers": ["directive"],
        "start": [] if hardware["name"] == "envelope" else [own_point(hardware)],
        "controller": {"name": "evolution_strategy", "encoding": encoding, "preferences": 1},
        "trials": trials,
        "batch": 8,
        "seed": seed,
    }
    recipe = parse_recipe(raw, "benchmark")
    space = recipe.space
    provider = make_provider("directive", ProviderContext(seed, recipe.device, space, Path(), 0))
    chosen, start = recipe.controller, tuple(dict(point) for point in recipe.start)
    controller = make_controller(
        chosen.name,
        ControllerContext(seed, space.decisions, recipe.goal, recipe.batch, trials, chosen.given, start=start),
    )
    found, asked = dict.fromkeys(METRICS, float("inf")), 0
    while asked < trials:
        points = controller.ask(min(recipe.batch, trials - asked))
        asked += len(points)
        measured = provider.measure(space.decode(points))
        controller.tell([Told(p, Outcome(m.metrics, m.broken)) for p, m in zip(points, measured, strict=True)])
        for item in measured:
            if not item.broken and item.metrics["edp_uj_ms"] < found["edp_uj_ms"]:
                found = dict(item.metrics)
    return found


def published(network: str, envelope: str, mapped: bool) -> Found:
    """Figures of the envelope's own accelerator by its dataflow's axes, mapped by us or as large as memory allows."""
    if not mapped:
        return best(network, {"name": "envelope", "envelope": envelope}, "dataflow", 1, 0, "importance")
    given = ENVELOPES.get(envelope)
    costs: list[LayerCost] = []
    for layer in NETWORKS.get(network).workload(network, ()).layers:
        if layer.op.spec.multiplies:
            found = [connected_mapping(layer, given.own, flow=flow) for flow in (given.dataflow, "")]
            good = [cost for item in found if not isinstance(item, Infeasible) for cost in item[1:]]
            if not good:
                return dict.fromkeys(METRICS, float("inf"))
            costs.append(min(good, key=lambda cost: cost.cycles * (cost.total_energy_pj or 0.0)))
    cycles = sum(cost.cycles for cost in costs)
    milliseconds = 1e3 * cycles / given.own.accelerator.clock_hz
    dram = sum(dict(cost.energy_pj or ())["DRAM"] for cost in costs)
    energy = sum(cost.total_energy_pj or 0.0 for cost in costs)
    return {
        "latency_cycles": float(cycles),
        "edp_uj_ms": energy / 1e6 * milliseconds,
        "onchip_edp_uj_ms": (energy - dram) / 1e6 * milliseconds,
    }


def pair_figures(network: str, envelope: str, options: argparse.Namespace) -> tuple[list[Figure], float]:
    """The lines of one network in one envelope, and the speed over its own accelerator."""
    where = {"envelope": envelope}
    seed, trials = options.seed, options.trials
    own, own_mapped = published(network, envelope, mapped=False), published(network, envelope, mapped=True)
    sized = best(network, {"name": "sizing", **where}, "dataflow", trials, seed, "importance")
    sized_mapped = best(network, {"name": "sizing", **where}, "searched", trials, seed, "importance")
    free = best(network, {"name": "free", **where}, "searched", options.free_trials, seed, "importance")
    title = f"{network} in {envelope}"

    def gain(of: Found, metric: str = "edp_uj_ms") -> float:
        return of[metric] / free[metric] if math.isfinite(of[metric] + free[metric]) else 0.0

    told, lowest = GAINS.get((envelope, network)), floor_edp(network, envelope)
    most = sized["edp_uj_ms"] / lowest if lowest else float("inf")
    peer = f"published {told}" if told else ""
    speed = gain(own, "latency_cycles")
    lines = [
        Figure(f"{title}: cycles, published | mapped | free",
               " | ".join(f"{item['latency_cycles']:.3g}" for item in (own, own_mapped, free))),
        Figure("  EDP gain over sizing alone", gain(sized), f">= {told}" if told else "> 1",
               gain(sized) >= (told or 1.0), peer),
        Figure("    the most that any design could gain: MACs, every byte of DRAM once", most),
        Figure("    DRAM's energy not counted", gain(sized, "onchip_edp_uj_ms"), "", None, peer),
        Figure("    over sizing with our mapper", gain(sized_mapped)),
        Figure("    over sizing with our mapper, DRAM's energy not counted", gain(sized_mapped, "onchip_edp_uj_ms")),
        Figure("  EDP gain over its own accelerator", gain(own)),
        Figure("    mapped by our mapper", gain(own_mapped)),
        Figure("  speed over its own accelerator", speed),
        Figure("    mapped by our mapper", gain(own_mapped, "latency_cycles")),
    ]  # fmt: skip
    return lines, speed


def floor_edp(network: str, envelope: str) -> float:
    """uJ ms below which no accelerator of the envelope comes: MACs, and every byte from or to DRAM once."""
    given = ENVELOPES.get(envelope)
    cycles = energy = 0.0
    for layer in NETWORKS.get(network).workload(network, ()).layers:
        if not layer.op.spec.multiplies:
            continue
        found = connected_mapping(layer, given.own)
        if isinstance(found, Infeasible):
            return 0.0
        parts, moved = dict(found[1].energy_pj or ()), found[1].bytes_of("DRAM")
        least = sum(layer.elements[x] * getattr(layer.bits, x) for x in "IWO") / 8
        energy += parts["MAC"] + parts["DRAM"] / moved * least
        cycles += max(layer.macs / given.pes, least / (2 * given.dram_bytes_per_cycle))
    return energy / 1e6 * 1e3 * cycles / given.own.accelerator.clock_hz


def code_figures(network: str, envelope: str, options: argparse.Namespace) -> Figure:
    """Index over importance encoding: the ratio of the EDP found, geometric mean over seeds."""
    ratios = []
    for seed in range(options.seed, options.seed + options.seeds):
        found = [
            best(network, {"name": "free", "envelope": envelope}, "encoded", options.codes, seed, encoding)["edp_uj_ms"]
            for encoding in ("index", "importance")
        ]
        if not all(map(math.isfinite, found)):
            return Figure(f"{network} in {envelope}: EDP by index over by importance", "nothing fits", "> 1", False)
        ratios.append(found[0] / found[1])
    mean = geometric_mean(ratios)
    spread = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    return Figure(f"{network} in {envelope}: EDP by index over by importance ({spread})", mean, "> 1", mean > 1,
                  "published 1.4 to 7.4")  # fmt: skip


def figures(options: argparse.Namespace) -> list[Figure]:
    """What the command prints."""
    out: list[Figure] = []
    for envelope in options.envelopes.split(","):
        speeds: dict[str, float] = {}
        for network in options.networks.split(","):
            lines, speeds[network] = pair_figures(network, envelope, options)
            out += lines
            if options.seeds:
                out.append(code_figures(network, envelope, options))
        told, networks = SPEEDS[envelope]
        if set(networks) <= set(speeds):
            mean = geometric_mean([speeds[name] for name in networks])
            out.append(Figure(f"{envelope}: speed, mean over {', '.join(networks)}", mean, f">= {told}", mean >= told,
                              f"published {told}"))  # fmt: skip
    return out


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", default="vgg16,mobilenet_v2")
    parser.add_argument("--envelopes", default="edgetpu")
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--free-trials", type=int, default=192, help="of connectivities, the larger space")
    parser.add_argument("--codes", type=int, default=192, help="trials of each encoding")
    parser.add_argument("--seeds", type=int, default=2, help="of the encodings; 0: not compared")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        for name in options.envelopes.split(","):
            ENVELOPES.get(name, "--envelopes")
        return show("naas", figures(options), options.json)
    except SpecError as error:
        parser.error(str(error))


if __name__ == "__main__":
    sys.exit(main())
