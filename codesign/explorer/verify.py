"""A point of the front as hardware: RTL under Verilator, HLS C++ under g++; bit for bit against PyTorch's integers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import hls
from accel_models.design import Design
from accel_models.report import Infeasible
from codesign.accuracy.data import load_dataset
from codesign.accuracy.task import Classification
from codesign.explorer.finish import FrontPoint
from codesign.explorer.folder import RunFolder
from codesign.images import random_images, sample_images
from codesign.progress import Reporter, Silent
from codesign.quantization.integer_reference import run_integer
from codesign.quantization.quantize import quantize_input
from mappings.errors import Fault, SpecError, counted
from mappings.network_io import load_network
from mappings.quantized import IntArray, QuantizedNetwork
from rtl_templates.simulate import simulate as rtl_simulate


@dataclass(frozen=True)
class LayerCheck:
    """One layer on hardware.

    Attributes:
        predicted_cycles, simulated_cycles: of one image.
        images: on how many images its output equals the reference, every element.
    """

    name: str
    predicted_cycles: int
    simulated_cycles: int
    images: int


@dataclass(frozen=True)
class Verification:
    """One design on hardware.

    Attributes:
        point: name of the design.
        images: that ran.
        exact_images: on which every layer and the logits equal the reference in RTL.
        hls_exact_images: the same of the C simulation, which runs the same program; None: not run.
        right: images that the hardware classifies correctly; None: the labels name no images.
        score, score_name: of what the hardware gave, where labels are no classes of images; None: without labels.
        layers: in order.
        predicted_cycles, simulated_cycles: of one image, from start to done.
        compile_s, run_s, hls_s: wall time.
    """

    point: str
    images: int
    exact_images: int
    hls_exact_images: int | None
    right: int | None
    layers: tuple[LayerCheck, ...]
    predicted_cycles: int
    simulated_cycles: int
    compile_s: float
    run_s: float
    hls_s: float | None
    score: float | None = None
    score_name: str = ""

    @property
    def passed(self) -> bool:
        """Every image bit-exact, in RTL and, where it ran, in HLS."""
        return self.exact_images == self.images and self.hls_exact_images in (None, self.images)

    @property
    def error(self) -> float:
        """Share by which the simulated cycles differ from the predicted ones."""
        return abs(self.simulated_cycles - self.predicted_cycles) / self.simulated_cycles

    def line(self) -> str:
        """The line that ends a run."""
        return (
            f"{'verified' if self.passed else 'FAILED'}: {self.exact_images}/{counted(self.images, 'image')} "
            f"bit-exact, {counted(len(self.layers), 'layer')}, cycles predicted {self.predicted_cycles:,} simulated "
            f"{self.simulated_cycles:,} ({100 * self.error:.1f} %)"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "passed": self.passed}


def _exact(
    network: QuantizedNetwork,
    outputs: dict[str, IntArray],
    reference: dict[str, IntArray],
    inner: frozenset[str] = frozenset(),
) -> dict[str, bool]:
    """By layer, whether every element is equal; a computed layer without an output counts as different.

    Args:
        inner: layers that ran as one with the layer after them: their results show in that one's.
    """
    return {
        layer.name: layer.name in outputs and np.array_equal(outputs[layer.name], reference[layer.name])
        for layer in network.workload.layers
        if layer.name in outputs or (layer.op.spec.has_loops and layer.name not in inner)
    }


def _one_by_one(batch: Mapping[str, IntArray]) -> list[dict[str, IntArray]]:
    """Tensors ``[n, ...]`` by name, image by image."""
    count = len(next(iter(batch.values())))
    return [{key: value[index : index + 1] for key, value in batch.items()} for index in range(count)]


def _judged(outputs: IntArray, scale: float, labels: IntArray, dataset: str) -> tuple[int | None, float | None, str]:
    """Images classified correctly; or, where labels are no classes of images, the task's score and its name."""
    data = load_dataset(dataset) if dataset else None
    if data is None or data.task == Classification.name:
        named = outputs.reshape(len(outputs), -1).argmax(axis=1)
        return int(np.sum(named == labels)), None, ""
    rows, columns = data.images["test"].shape[2:]
    return None, data.does.score((outputs * scale).astype(np.float64), labels, (rows, columns)), data.does.score_name


def verify(
    name: str,
    design: Design,
    network: QuantizedNetwork,
    images: dict[str, IntArray],
    labels: IntArray | None,
    folder: Path,
    *,
    dataset: str = "",
    with_hls: bool = True,
    reporter: Reporter | None = None,
) -> Verification:
    """Run a design on images, in RTL and in HLS.

    Args:
        network: the integers of the design's workload.
        images: by workload input, integers ``[n, C, H, W]``.
        labels: of the images, or None.
        dataset: that they are of, which tells what labels mean; "": each is the class of an image.
        folder: for the emitted HLS.

    Raises:
        SpecError: a missing tool, or hardware that the design's network can not run on.
    """
    reporter = reporter or Silent()
    singles = _one_by_one(images)
    count = len(singles)
    with reporter.task(f"{name}: reference", count) as advance:
        reference: list[dict[str, IntArray]] = []
        for one in singles:
            tensors = {key: torch.from_numpy(value) for key, value in one.items()}
            reference.append({key: value.numpy() for key, value in run_integer(network, tensors).items()})
            advance()
    with reporter.task(f"{name}: RTL, {counted(count, 'image')}", None):
        reports = rtl_simulate(design, network, singles)
    if isinstance(reports, Infeasible):
        raise SpecError(Fault(f"design {name}", str(reports)))
    assert isinstance(reports, list)
    inner = frozenset(part for layer in reports[0].layers for part in layer.parts[:-1])
    exact = [
        _exact(network, report.outputs, expected, inner) for report, expected in zip(reports, reference, strict=True)
    ]
    right, score, score_name = None, None, ""
    if labels is not None:
        logits = network.workload.outputs[0]
        outputs = np.concatenate([report.outputs[logits] for report in reports])
        right, score, score_name = _judged(outputs, network.layers[logits].scale, labels, dataset)
    hls_exact, hls_s = None, None
    if with_hls:
        with reporter.task(f"{name}: HLS, {counted(count, 'image')}", None):
            started = time.perf_counter()
            emitted = hls.emit(design, network, folder / name / "hls")
            found = _one_by_one(hls.csim(emitted, images).outputs)
            hls_s = time.perf_counter() - started
        agreed = (_exact(network, one, expected, inner) for one, expected in zip(found, reference, strict=True))
        hls_exact = sum(all(layers.values()) for layers in agreed)
    layers = tuple(
        LayerCheck(
            layer.name,
            layer.predicted_cycles,
            layer.cycles,
            sum(item.get(layer.parts[-1], False) for item in exact),
        )
        for layer in reports[0].layers
    )
    return Verification(
        point=name,
        images=count,
        exact_images=sum(all(item.values()) for item in exact),
        hls_exact_images=hls_exact,
        right=right,
        layers=layers,
        predicted_cycles=reports[0].predicted_cycles,
        simulated_cycles=reports[0].cycles,
        compile_s=reports[0].compile_seconds,
        run_s=sum(report.run_seconds for report in reports),
        hls_s=hls_s,
        score=score,
        score_name=score_name,
    )


def verify_point(point: FrontPoint, dataset: str, folder: RunFolder, images: int, reporter: Reporter) -> Verification:
    """A point of a front on test images; on integers over the whole range where there is no data set."""
    network = load_network(folder.networks / point.network)
    integers, labels = random_images(network, images), None
    if dataset:
        pixels, labels = sample_images(dataset, images, network.workload)
        integers = {key: value.numpy() for key, value in quantize_input(network, pixels).items()}
    assert point.design is not None, "hardware that is not ours is not built"
    return verify(
        point.name, point.design, network, integers, labels, folder.hardware, dataset=dataset, reporter=reporter
    )
