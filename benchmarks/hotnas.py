"""ResNet-18's convolutions on a ZCU102 by the published loop-tile formulas, and on our own loop-tile array.

    python -m benchmarks.hotnas [--network resnet18] [--device zcu102] [--cases 2000] [--seed 0] [--json]

2,520 multiplier blocks, 1,824 memory blocks, 512 port bits, words of 16 bits, 100 MHz. 12.57 ms was published with the
check of memory blocks commented out; a sweep finds 15.35 ms with it. Those figures take the formulas' rows and columns
for those of the output, so that a strided layer counts a quarter of its work: they are compared in the same way, and
the true extents are shown beside. ``--cases`` random accelerators that fit check that none is faster than the proved
one.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

import numpy as np

from accel_models.hardware.devices import device
from accel_models.pricing.price import Pricer
from accel_models.published.loop_tile import Board, Extent, LoopTile
from accel_models.published.loop_tile_search import Fastest, fastest
from accel_models.report import Infeasible
from accel_models.template.cost import template_cost, template_design
from accel_models.template.spec import ArrayKind, Template
from benchmarks.common import Figure, show
from codesign.zoo import NETWORKS
from mappings.errors import SpecError
from mappings.layer import Layer, Op
from mappings.workload import Workload

BITS, CLOCK_HZ = 16, 100_000_000
PUBLISHED_MS, SWEPT_MS, SECONDS = 12.57, 15.35, 1.0
_KIB = 1024
_WIDEST_BUS = 512


def drawn(rng: np.random.Generator, layers: Sequence[Layer], board: Board, count: int) -> list[LoopTile]:
    """Random accelerators that fit."""
    words, found = board.port_bits // BITS, []
    while len(found) < count:
        tm = int(rng.integers(1, 257))
        tn = int(rng.integers(1, max(2, board.dsp // tm + 1)))
        tr, tc = (int(n) for n in rng.integers(1, 113, 2))
        weights = int(rng.integers(1, words - 1))
        inputs = int(rng.integers(1, words - weights))
        outputs = int(rng.integers(1, words - weights - inputs + 1))
        machine = LoopTile(tm, tn, tr, tc, weights, inputs, outputs, bits=BITS, extent=Extent.OUTPUT)
        if not machine.broken(layers, board):
            found.append(machine)
    return found


def own_templates(axi_bits: int) -> list[Template]:
    """Our loop-tile array at its largest, its buffers in three sizes each.

    Args:
        axi_bits: of its one port to memory; the published formulas share the bits of several.
    """
    sizes = (64 * _KIB, 256 * _KIB, 512 * _KIB)
    return [
        Template(
            array=ArrayKind.LOOP_TILE,
            rows=rows,
            cols=32,
            act_bits=BITS,
            weight_bits=BITS,
            acc_bits=48,
            input_buffer_bytes=inputs,
            weight_buffer_bytes=weights,
            acc_buffer_bytes=accs,
            output_buffer_bytes=32 * _KIB,
            ppu_lanes=lanes,
            axi_bits=axi_bits,
            dram_bytes_per_cycle=axi_bits // 8,
            clock_hz=CLOCK_HZ,
        )
        for rows, inputs, weights, accs, lanes in product((16, 32), sizes, sizes, sizes, (8, 32))
    ]


def own_figures(network: Workload, device_name: str) -> list[Figure]:
    """The fastest of our own on the same board, exact cycles, everything of the network counted."""
    wide = replace(
        network,
        inputs=tuple(replace(tensor, bits=BITS) for tensor in network.inputs),
        layers=tuple(replace(layer, bits=replace(layer.bits, I=BITS, W=BITS, O=BITS)) for layer in network.layers),
    )
    port = device(device_name).axi_bits or _WIDEST_BUS  # logic alone has no port of its own that would bind
    templates = own_templates(port)
    priced = Pricer(device_name).price([wide], templates)
    good = np.flatnonzero(priced.code == 0)
    if not len(good):
        return [Figure("own loop-tile arrays that fit", 0, "some", False)]
    best = templates[good[np.argmin(priced.cycles[good])]]
    made = template_design(wide, best, device_name, 2**40, 2**40)
    assert not isinstance(made, tuple)
    cost = template_cost(made)
    assert not isinstance(cost, tuple) and cost.resources is not None
    kinds = {layer.name: layer.op for layer in wide.layers}
    convs = sum(layer.cycles for layer in cost.layers if kinds.get(layer.name) is Op.CONV)
    taken = dict(cost.resources)
    return [
        Figure(f"own loop-tile arrays that fit, on one port of {port} bits", len(good)),
        Figure("  fastest", f"{best.rows} x {best.cols}, {taken['DSP']} DSP, {2 * taken['BRAM36']} BRAM18"),
        Figure("  its convolutions (ms), exact", 1e3 * convs / CLOCK_HZ),
        Figure("  the whole network (ms), exact", cost.latency_ms),
    ]


def _line(found: Fastest) -> str:
    machine = found.machine
    ports = f"{machine.weight_ports}/{machine.input_ports}/{machine.output_ports}"
    return f"Tm {machine.tm} Tn {machine.tn} Tr {machine.tr} Tc {machine.tc}, ports {ports}"


def figures(network: str, device_name: str, cases: int, seed: int) -> list[Figure]:
    """What the command prints.

    Raises:
        SpecError: no such network or device; a network with depthwise layers.
    """
    workload, board = NETWORKS.get(network).workload(network, ()), Board.of(device(device_name))
    layers = [layer for layer in workload.layers if layer.op is Op.CONV]
    fastest(layers[:1], board, BITS)  # compiled
    started = time.perf_counter()
    answer = fastest(layers, board, BITS, Extent.OUTPUT)
    seconds = time.perf_counter() - started
    if isinstance(answer, Infeasible):
        return [Figure("an accelerator that fits", str(answer), "one", False)]
    loose, true = (
        fastest(layers, board, BITS, Extent.OUTPUT, bounded=False),
        fastest(layers, board, BITS, Extent.INPUT),
    )
    assert isinstance(loose, Fastest) and isinstance(true, Fastest)
    best_ms = 1e3 * answer.cycles / CLOCK_HZ
    anchored = (network, device_name) == ("resnet18", "zcu102")
    faster = [
        m for m in drawn(np.random.default_rng(seed), layers, board, cases) if m.latency_cycles(layers) < answer.cycles
    ]
    taken = answer.machine.dsp, answer.machine.bram18(layers), answer.machine.lut
    macs = sum(layer.macs for layer in layers)
    target = f"<= {SWEPT_MS}" if anchored else ""
    loose_ms = 1e3 * loose.cycles / CLOCK_HZ
    return [
        Figure("convolutions", len(layers), "some", bool(layers)),
        Figure("search (s), every integer size", seconds, f"< {SECONDS:g}", seconds < SECONDS, "1,283 s published"),
        Figure("least latency (ms), all limits enforced", best_ms, target, best_ms <= SWEPT_MS if anchored else None,
               f"{SWEPT_MS} by a sweep" if anchored else ""),
        Figure("  by", _line(answer)),
        Figure("  DSP, BRAM18, LUT of adders", ", ".join(map(str, taken))),
        Figure("  limits it breaks", len(answer.machine.broken(layers, board)), "0",
               not answer.machine.broken(layers, board)),
        Figure(f"  random accelerators of {cases:,} that are faster", len(faster), "0", not faster),
        Figure("least latency (ms), memory blocks ignored", loose_ms,
               f"<= {PUBLISHED_MS}" if anchored else "", loose_ms <= PUBLISHED_MS if anchored else None,
               f"{PUBLISHED_MS} published so" if anchored else ""),
        Figure("  memory blocks it would take", loose.machine.bram18(layers), "", None, f"{board.bram18:,} there"),
        Figure("least latency (ms), true extents, all limits", 1e3 * true.cycles / CLOCK_HZ),
        Figure("  by", _line(true)),
        Figure("  floor: MACs / DSP (ms)", 1e3 * macs / board.dsp / CLOCK_HZ),
        *own_figures(workload, device_name),
    ]  # fmt: skip


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="resnet18")
    parser.add_argument("--device", default="zcu102")
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        return show("hotnas", figures(options.network, options.device, options.cases, options.seed), options.json)
    except SpecError as error:
        parser.error(str(error))


if __name__ == "__main__":
    sys.exit(main())
