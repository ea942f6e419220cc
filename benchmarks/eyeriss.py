"""Predicts what the Eyeriss chip does with AlexNet and VGG-16, and compares with the chip's measurements.

    python benchmarks/eyeriss.py [--data FOLDER] [--layers] [--json]

FOLDER holds ``alexnet_batch4.csv`` and ``vgg16_batch3.csv`` (Chen 2017, tables V and VI): a row a layer with the
processing latency, the global buffer and DRAM accesses and the zeros of the inputs. Mappings are searched for, not
read. With ``--layers``, a line for each layer with its mapping.
"""

from __future__ import annotations

import argparse
import csv
import sys
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from accel_models.machines.eyeriss import EYERISS, Eyeriss, EyerissCost, RowStationary
from accel_models.machines.eyeriss_mapping import counted
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


def measured(path: Path) -> dict[str, Measured]:
    """The layers of a table by name; a megabyte is 10^6 bytes.

    Raises:
        SpecError: a column is missing, or a cell is no number.
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
    return out


def predict(network: Network, chip: dict[str, Measured], machine: Eyeriss = EYERISS) -> dict[str, Predicted]:
    """Every layer, mapped by search; equal layers once. Outputs have the zeros of the next layer's inputs."""
    out = {}
    found: dict[str, tuple[RowStationary, EyerissCost]] = {}
    layers = network.layers()
    for layer, following in zip(layers, [*layers[1:], layers[-1]], strict=True):
        if layer.digest not in found:
            best = machine.best(layer)
            if isinstance(best, Infeasible):
                raise SystemExit(str(best))
            found[layer.digest] = best
        mapping, cost = found[layer.digest]
        out[layer.name] = Predicted(
            mapping,
            cost.active_pes,
            cost.cycles / machine.clock_hz * 1e3,
            cost.buffer_words * 2e-6,
            cost.dram_words(chip[layer.name].zeros, chip[following.name].zeros) * 2e-6,
        )
    return out


def figures(folder: Path, machine: Eyeriss = EYERISS, layers: bool = False) -> list[Figure]:
    """What the command prints.

    Args:
        folder: the tables.
        machine: the chip.
        layers: a line for each layer too.
    """
    out = []
    for name, network in NETWORKS.items():
        chip = measured(folder / network.file)
        absent = [layer for layer, *_ in network.shapes if layer not in chip]
        if absent:
            raise SpecError(Fault(str(folder / network.file), f"lacks the layers {', '.join(absent)}"))
        ours = predict(network, chip, machine)
        latency = _latency_errors(network, chip, machine)
        dram = {layer: ours[layer].dram_mb / chip[layer].dram_mb - 1 for layer in ours}
        buffer = {layer: ours[layer].buffer_mb / chip[layer].buffer_mb - 1 for layer in ours}
        differing = sum(not _engine_agrees(layer, ours[layer.name].mapping, machine) for layer in network.layers())
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
            Figure(
                f"{name}: mean latency error (%), were the buffer the 100 KB that the paper gives",
                100 * _mean(_latency_errors(network, chip, replace(machine, buffer_words=100 * 512))),
            ),
            Figure(f"{name}: layers whose DRAM accesses are not the engine's counts", differing, "0", differing == 0),
        ]
    return out


def _latency_errors(network: Network, chip: dict[str, Measured], machine: Eyeriss) -> dict[str, float]:
    ours = predict(network, chip, machine)
    return {layer: ours[layer].latency_ms / chip[layer].latency_ms - 1 for layer in ours}


def _engine_agrees(layer: Layer, mapping: RowStationary, machine: Eyeriss) -> bool:
    """Whether the general engine, given the mapping as directives, counts the same DRAM accesses and steps."""
    cost, counts = machine.cost(layer, mapping), counted(layer, mapping)
    if isinstance(cost, Infeasible):
        return False
    moved = (*counts.reads[0], counts.writes[0][2], counts.steps)
    return moved == (cost.dram_inputs, cost.dram_weights, 0, cost.dram_outputs, cost.steps)


def _mean(errors: dict[str, float]) -> float:
    return sum(abs(error) for error in errors.values()) / len(errors)


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
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    folder = arguments.data or reference_dir() / "eyeriss"
    missing = [network.file for network in NETWORKS.values() if not (folder / network.file).is_file()]
    if missing:
        parser.error(f"{folder} lacks {', '.join(missing)}")
    try:
        return show("eyeriss", figures(folder, layers=arguments.layers), arguments.json)
    except SpecError as error:
        parser.error(str(error))


if __name__ == "__main__":
    sys.exit(main())
