"""Designs as hardware: run them, write them."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import hls
from accel_models.report import Infeasible
from codesign.commands.targets import load_design
from codesign.design_file import DesignFile
from codesign.explorer.verify import Verification, verify
from codesign.images import random_images, sample_images
from codesign.progress import Reporter
from codesign.quantize import quantize_input
from mappings.errors import Fault, SpecError
from mappings.quantized import IntArray, QuantizedNetwork
from rtl_templates.render import render

MAX_IMAGES = 500


def _network(item: DesignFile) -> QuantizedNetwork:
    network = item.load_network()
    if network is None:
        raise SpecError(Fault(str(item.path), "names no network", "a design file of a run, with its weights"))
    return network


def _images(item: DesignFile, network: QuantizedNetwork, count: int) -> tuple[dict[str, IntArray], IntArray | None]:
    """Test images of the design's data set, or integers over the whole range where it has none."""
    if not item.dataset:
        return random_images(network, count), None
    pixels, labels = sample_images(item.dataset, count)
    return {name: value.numpy() for name, value in quantize_input(network, pixels).items()}, labels


def simulate(target: str, *, images: int = 10, with_hls: bool = True, reporter: Reporter | None = None) -> Verification:
    """Run a design's RTL, and its HLS, on images, against PyTorch's integers.

    Args:
        target: a design file.
        images: how many.
        with_hls: run the HLS C++ too.
        reporter: where progress goes.

    Raises:
        SpecError: wrong input, or a missing tool.
    """
    if not 1 <= images <= MAX_IMAGES:
        raise SpecError(Fault("--images", f"is {images}", f"1 to {MAX_IMAGES}"))
    item = load_design(target)
    network = _network(item)
    integers, labels = _images(item, network, images)
    with tempfile.TemporaryDirectory() as scratch:
        return verify(
            item.name, item.design, network, integers, labels, Path(scratch), with_hls=with_hls, reporter=reporter
        )


@dataclass(frozen=True)
class Emitted:
    """What was written.

    Attributes:
        folder: of everything.
        rtl, hls: source files, or empty.
    """

    folder: Path
    rtl: tuple[Path, ...]
    hls: tuple[Path, ...]


def emit(target: str, out: str, what: str = "both") -> Emitted:
    """Write a design's SystemVerilog (with program and memory image) and HLS C++.

    Args:
        target: a design file.
        out: folder; made when needed.
        what: "rtl", "hls" or "both".

    Raises:
        SpecError: wrong input, or a folder that cannot be written.
    """
    if what not in ("rtl", "hls", "both"):
        raise SpecError(Fault("--what", f"is {what!r}", "rtl, hls, both"))
    item = load_design(target)
    network = _network(item)
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SpecError(Fault(out, f"cannot be written: {error.strerror}", "a folder of your own")) from None
    integers, _ = _images(item, network, 1)
    rtl: tuple[Path, ...] = ()
    sources: tuple[Path, ...] = ()
    if what in ("rtl", "both"):
        rendered = render(item.design, network, folder / "rtl", integers)
        if isinstance(rendered, Infeasible):
            raise SpecError(Fault(target, str(rendered)))
        rtl = rendered.files
    if what in ("hls", "both"):
        sources = tuple(hls.emit(item.design, network, folder / "hls").sources)
    return Emitted(folder, rtl, sources)
