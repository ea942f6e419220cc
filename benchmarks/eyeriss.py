"""Predicts what the Eyeriss chip does with AlexNet and VGG-16, and compares with the chip's measurements.

    python benchmarks/eyeriss.py [--data FOLDER] [--layers] [--quick] [--json]

FOLDER holds ``alexnet_batch4.csv`` and ``vgg16_batch3.csv`` (Chen 2017, tables V and VI): a row a layer with the
processing latency, the global buffer and DRAM accesses and the zeros of the inputs. Mappings are searched for, not
read, and evaluated by the general engine: in the chip's own mapspace, and, for comparison, by the general mapper on an
accelerator of the same resources whose array has fixed axes. One bound of the chip is inferred from measurements; it
is inferred anew from a part of the layers and judged on the others. With ``--layers``, a line for each layer; with
``--quick``, only the figures of the chip's mapspace (10 CPU-s; a minute and a half with all).
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from accel_models.hardware.accelerators import accelerator
from accel_models.mapper import best_mapping
from accel_models.published.eyeriss import EYERISS, Eyeriss, RowStationary
from accel_models.published.eyeriss_search import best
from accel_models.report import Infeasible
from benchmarks.common import Figure, reference_dir, show
from mappings.errors import Fault, SpecError
from mappings.layer import Bits, Layer, Op

#: (name, groups, filters and channels a group, output extent, filter extent, stride, padding)
ALEXNET = (
    ("CONV1", 1, 96, 3, 55, 11, 4, 0),
    ("CONV2", 2, 128, 48, 27, 5, 1, 2),
    ("CONV3", 1, 384, 256, 13, 3, 1, 1),
    ("CONV4", 2, 192, 192, 13, 3, 1, 1),
    ("CONV5", 2, 128, 192, 13, 3, 1, 1),
)
VGG16 = tuple(
    (f"CONV{name}", 1, filters, channels, extent, 3, 1, 1)
    for name, filters, channels, extent in (
        ("1-1", 64, 3, 224),
        ("1-2", 64, 64, 224),
        ("2-1", 128, 64, 112),
        ("2-2", 128, 128, 112),
        ("3-1", 256, 128, 56),
        ("3-2", 256, 256, 56),
        ("3-3", 256, 256, 56),
        ("4-1", 512, 256, 28),
        ("4-2", 512, 512, 28),
        ("4-3", 512, 512, 28),
        ("5-1", 512, 512, 14),
        ("5-2", 512, 512, 14),
        ("5-3", 512, 512, 14),
    )
)


@dataclass(frozen=True)
class Network:
    """What was run: file, images of a batch, layers, and the target of the mean latency error."""

    file: str
    images: int
    shapes: tuple[tuple[str, int, int, int, int, int, int, int], ...]
    latency_target: float
    peer: str

    def layers(self) -> list[Layer]:
        """Its convolutions, 16 bits."""
        return [
            Layer(
                name,
                Op.CONV,
                N=self.images,
                K=filters,
                C=channels,
                P=extent,
                Q=extent,
                R=kernel,
                S=kernel,
                groups=groups,
                stride=(stride, stride),
                padding=(pad, pad, pad, pad),
                bits=Bits(16, 16, 16, 16),
            )
            for name, groups, filters, channels, extent, kernel, stride, pad in self.shapes
        ]


NETWORKS = {
    "AlexNet": Network("alexnet_batch4.csv", 4, ALEXNET, 0.10, "MAESTRO, mapped by hand: 4.25"),
    "VGG-16": Network("vgg16_batch3.csv", 3, VGG16, 0.15, "MAESTRO, generic template: 128"),
}
TARGET_DRAM = 0.25
#: Bounds that the inference chooses from; the last is none.
ROW_WORDS = (64, 128, 256, 1 << 20)


@dataclass(frozen=True)
class Measured:
    """One layer on the chip."""

    latency_ms: float
    buffer_mb: float
    dram_mb: float
    zeros: float


@dataclass(frozen=True)
class Predicted:
    """One layer as modelled, with the mapping found."""

    mapping: RowStationary
    active_pes: int
    latency_ms: float
    buffer_mb: float
    dram_mb: float


def measured(path: Path, network: Network) -> dict[str, Measured]:
    """The layers of a table by name; a megabyte is 10^6 bytes.

    Raises:
        SpecError: a column or a layer of the network is missing, or a cell is no number.
    """
    out = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            cells = {str(key).strip(): str(value).strip() for key, value in row.items()}
            if cells.get("Layer") == "Total":
                continue
            try:
                zeros = next(value for key, value in cells.items() if key.startswith("Zeros"))
                out[cells["Layer"]] = Measured(
                    float(cells["Processing Latency (ms)"]),
                    float(cells["Global Buffer Accesses (MB)"]),
                    float(cells["DRAM Accesses (MB)"]),
                    float(zeros.rstrip("%")) / 100,
                )
            except (KeyError, StopIteration, ValueError) as error:
                raise SpecError(Fault(f"{path}: {cells.get('Layer')}", f"cannot be read: {error!r}")) from None
    absent = [layer for layer, *_ in network.shapes if layer not in out]
    if absent:
        raise SpecError(Fault(str(path), f"lacks the layers {', '.join(absent)}"))
    return out


def predict(
    network: Network, chip: dict[str, Measured], machine: Eyeriss = EYERISS, only: Container[str] | None = None
) -> dict[str, Predicted]:
    """Every layer (or some), mapped by search. Outputs have the zeros of the next layer's inputs."""
    out = {}
    layers = network.layers()
    for layer, following in zip(layers, [*layers[1:], layers[-1]], strict=True):
        if only is not None and layer.name not in only:
            continue
        found = best(replace(layer, name=""), machine)
        if isinstance(found, Infeasible):
            raise SystemExit(str(found))
        mapping, cost = found
        out[layer.name] = Predicted(
            mapping,
            cost.active_pes,
            cost.cycles / machine.clock_hz * 1e3,
            cost.buffer_words * 2e-6,
            cost.dram_words(chip[layer.name].zeros, chip[following.name].zeros) * 2e-6,
        )
    return out


def general_latency_ms(network: Network) -> dict[str, float]:
    """What the general mapper finds for the same resources: 12 x 14 PEs in fixed axes, sizes that divide the layer.

    Processing only, as the chip's figures: DRAM has no bound.
    """
    like = accelerator("eyeriss_like")
    dram, buffer, scratchpads = like.levels
    dram = replace(dram, read_bytes_per_cycle=None, write_bytes_per_cycle=None)
    buffer = replace(buffer, capacity_bytes=2 * EYERISS.banks * EYERISS.bank_words, tensors=("I", "O"))
    chip = replace(like, levels=(dram, buffer, scratchpads))
    out = {}
    for layer in network.layers():
        found = best_mapping(layer, chip, "row_stationary", "edp")
        if isinstance(found, Infeasible):
            raise SystemExit(str(found))
        out[layer.name] = found.cost.cycles / chip.clock_hz * 1e3
    return out


def inferred_elsewhere(
    chips: dict[str, dict[str, Measured]], known: set[str], asked: set[str], bounds: Sequence[int] = ROW_WORDS
) -> tuple[int, float]:
    """The row bound that explains the latency of some layers best, and the mean error with it on others.

    Args:
        chips: measurements of each network by layer.
        known, asked: layers, as "network layer".
        bounds: to choose from.

    Returns:
        The bound, the widest of several as good, and the error.
    """
    errors: dict[int, dict[str, float]] = {}
    for row_words in bounds:
        machine = replace(EYERISS, row_words=row_words)
        errors[row_words] = {}
        for name, chip in chips.items():
            wanted = {layer for layer in chip if f"{name} {layer}" in known | asked}
            found = _latency_errors(NETWORKS[name], chip, machine, wanted)
            errors[row_words] |= {f"{name} {layer}": error for layer, error in found.items()}
    chosen = min(bounds, key=lambda bound: (round(_mean(errors[bound], known), 6), -bound))
    return chosen, _mean(errors[chosen], asked)


def figures(folder: Path, machine: Eyeriss = EYERISS, layers: bool = False, checks: bool = True) -> list[Figure]:
    """What the command prints.

    Args:
        folder: the tables.
        machine: the chip.
        layers: a line for each layer too.
        checks: the figures without a target too.

    Raises:
        SpecError: a table lacks layers or figures.
    """
    out = []
    chips = {name: measured(folder / network.file, network) for name, network in NETWORKS.items()}
    for name, network in NETWORKS.items():
        chip = chips[name]
        ours = predict(network, chip, machine)
        latency = _latency_errors(network, chip, machine)
        dram = {layer: ours[layer].dram_mb / chip[layer].dram_mb - 1 for layer in ours}
        buffer = {layer: ours[layer].buffer_mb / chip[layer].buffer_mb - 1 for layer in ours}
        if layers:
            out += [_line(name, layer, ours[layer], chip[layer]) for layer in ours]
        mean = _mean(latency)
        worst = max(dram.values(), key=abs)
        total = sum(one.dram_mb for one in ours.values()) / sum(chip[layer].dram_mb for layer in ours) - 1
        out += [
            Figure(
                f"{name}: mean absolute error of processing latency (%)",
                100 * mean,
                f"<= {100 * network.latency_target:g}",
                mean <= network.latency_target,
                network.peer,
            ),
            Figure(f"{name}: largest error of processing latency (%)", 100 * max(map(abs, latency.values()))),
            Figure(
                f"{name}: largest error of a layer's DRAM accesses (%)",
                100 * worst,
                f"within {100 * TARGET_DRAM:g}",
                abs(worst) <= TARGET_DRAM,
            ),
            Figure(
                f"{name}: error of all DRAM accesses (%)",
                100 * total,
                f"within {100 * TARGET_DRAM:g}",
                abs(total) <= TARGET_DRAM,
            ),
            Figure(f"{name}: mean absolute error of buffer accesses (%)", 100 * _mean(buffer)),
        ]
        if checks:
            out += _checks(name, network, chip)
    if checks:
        out += _inference(chips)
    return out


def _checks(name: str, network: Network, chip: dict[str, Measured]) -> list[Figure]:
    """What the error hangs on, and what the general mapper finds."""
    free = general_latency_ms(network)
    changed = {
        "24 banks": replace(EYERISS, banks=24),
        "27 banks, the filters' too": replace(EYERISS, banks=27),
        "no bound on a pass's row": replace(EYERISS, row_words=ROW_WORDS[-1]),
    }
    return [
        *(
            Figure(f"{name}: mean latency error (%) with {what}", 100 * _mean(_latency_errors(network, chip, other)))
            for what, other in changed.items()
        ),
        Figure(
            f"{name}: general mapper, fixed axes: mean latency error (%)",
            100 * _mean({layer: free[layer] / chip[layer].latency_ms - 1 for layer in free}),
        ),
        Figure(
            f"{name}: general mapper, fixed axes: its latency / the chip's, all layers",
            sum(free.values()) / sum(chip[layer].latency_ms for layer in free),
        ),
    ]


def _inference(chips: dict[str, dict[str, Measured]]) -> list[Figure]:
    names = [f"{name} {layer}" for name, network in NETWORKS.items() for layer, *_ in network.shapes]
    vgg = [name for name in names if name.startswith("VGG")]
    parts = {
        "AlexNet, judged on VGG-16": (set(names) - set(vgg), set(vgg)),
        "VGG-16, judged on AlexNet": (set(vgg), set(names) - set(vgg)),
        "every second layer, judged on the others": (set(names[::2]), set(names[1::2])),
        "the other layers, judged on these": (set(names[1::2]), set(names[::2])),
    }
    out = []
    for what, (known, asked) in parts.items():
        bound, error = inferred_elsewhere(chips, known, asked)
        row = "no bound" if bound == ROW_WORDS[-1] else f"{bound} words"
        out.append(Figure(f"mean latency error (%), row bound inferred from {what}: {row}", 100 * error))
    return out


def _latency_errors(
    network: Network, chip: dict[str, Measured], machine: Eyeriss, only: Container[str] | None = None
) -> dict[str, float]:
    ours = predict(network, chip, machine, only)
    return {layer: ours[layer].latency_ms / chip[layer].latency_ms - 1 for layer in ours}


def _mean(errors: dict[str, float], chosen: set[str] | None = None) -> float:
    taken = [abs(error) for name, error in errors.items() if chosen is None or name in chosen]
    return sum(taken) / len(taken)


def _line(name: str, layer: str, ours: Predicted, chip: Measured) -> Figure:
    found = ", ".join(f"{key} {value}" for key, value in vars(ours.mapping).items())
    figures = (
        f"{ours.latency_ms:.1f} of {chip.latency_ms:.1f} ms, buffer {ours.buffer_mb:.1f} of {chip.buffer_mb:.1f} MB, "
        f"DRAM {ours.dram_mb:.1f} of {chip.dram_mb:.1f} MB"
    )
    return Figure(f"{name} {layer}: {found}; {ours.active_pes} PEs", figures)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=None, help="folder with the two tables")
    parser.add_argument("--layers", action="store_true", help="a line for each layer, with its mapping")
    parser.add_argument("--quick", action="store_true", help="without the general mapper and the inference")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    folder = arguments.data or reference_dir() / "eyeriss"
    missing = [network.file for network in NETWORKS.values() if not (folder / network.file).is_file()]
    if missing:
        parser.error(f"{folder} lacks {', '.join(missing)}")
    try:
        return show("eyeriss", figures(folder, layers=arguments.layers, checks=not arguments.quick), arguments.json)
    except SpecError as error:
        parser.error(str(error))


if __name__ == "__main__":
    sys.exit(main())
