"""Networks as hardware: run them, write them; from a design of a run, or from a module and an accelerator."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import hls
from accel_models.cost import cost as design_cost
from accel_models.design import Design
from accel_models.report import CostReport, Infeasible
from codesign.commands.applies import check_applies
from codesign.commands.cost import program_design
from codesign.commands.kinds import Kind
from codesign.commands.targets import (
    HardwareLike,
    ShapesLike,
    Target,
    TargetLike,
    find_hardware,
    load_float,
    load_workload,
    mappings_with,
    random_inputs,
    read_target,
    shapes_of,
)
from codesign.design_file import DesignFile
from codesign.explorer.folder import RUN_FILE
from codesign.explorer.verify import Verification, verify
from codesign.explorer.wanted import DEFAULT_IMAGES, MAX_IMAGES
from codesign.images import random_images, sample_images
from codesign.progress import Reporter, Silent
from codesign.quantization.quantize import quantize, quantize_input
from mappings.errors import Fault, SpecError
from mappings.npz import read_arrays
from mappings.quantized import IntArray, QuantizedNetwork
from rtl_templates.render import render
from rtl_templates.wrapper import write_wrapped

#: Random inputs on which scales are chosen where no data is given, and the most that are taken of data.
CALIBRATION_IMAGES, MAX_CALIBRATION_IMAGES = 32, 512
MAX_DATA_BYTES = 2**30
WHATS = ("both", "rtl", "hls")


@dataclass(frozen=True)
class Job:
    """What runs: a design with its integers, and the inputs that it is run on, with their labels and whose they are."""

    name: str
    design: Design
    network: QuantizedNetwork
    images: dict[str, IntArray]
    labels: IntArray | None = None
    dataset: str = ""


def of_design(item: DesignFile, images: int, reporter: Reporter) -> Job:
    """A design of a run, on test images of its data set; on integers over the whole range where it has none.

    A design file may be anybody's: a data set that is code (``my_data.py:load``) is not run because a file says so.
    """
    network = item.load_network()
    if network is None:
        where = item.name if item.path is None else str(item.path)
        what = "a design file of a run, with its weights; or a module with --hardware"
        raise SpecError(Fault(where, "names no network", what))
    code = ":" in item.dataset and not Path(item.dataset).exists()
    if code:
        reporter.say(f"{item.name}: its data set is code ({item.dataset}), so inputs are random integers of seed 0")
    if code or not item.dataset:
        return Job(item.name, item.design, network, random_images(network, images))
    pixels, labels = sample_images(item.dataset, images, network.workload)
    integers = {name: value.numpy() for name, value in quantize_input(network, pixels).items()}
    return Job(item.name, item.design, network, integers, labels, item.dataset)


def _of_float(
    target: Target,
    shapes: Sequence[tuple[int, ...]],
    hardware: HardwareLike | None,
    data: str | Path | None,
    images: int,
    reporter: Reporter,
) -> Job | Infeasible:
    """A module, quantised to the widths of the hardware on the data or on random inputs, and run on the first ones."""
    if hardware is None:
        raise SpecError(Fault("--hardware", "is missing", "the YAML of an accelerator template or of a design"))
    accelerator = find_hardware(hardware, "--hardware")
    template = accelerator.template
    if template is None:
        what = f"accelerator {accelerator.name} has no template, so nothing builds it"
        raise SpecError(Fault("--hardware", what, "the YAML of a template (array, rows, cols, ...) or of a design"))
    module = load_float(target)
    if data is None:
        samples = random_inputs(target, shapes, max(CALIBRATION_IMAGES, images))
        reporter.say(
            f"{target.name}: inputs are random ones of seed 0, {len(samples[0])} to choose scales on and {images} to "
            "run; --data FILE.npz takes real ones"
        )
    else:
        samples = read_samples(Path(data), [tuple(item.shape) for item in random_inputs(target, shapes, 1)])
    # Before the quantisation, which takes longer: what the hardware cannot run it cannot run with whichever integers.
    traced = load_workload(target, shapes)
    refused = _refused(program_design(traced, accelerator, mappings_with(hardware, traced)))
    if refused is not None:
        return refused
    with reporter.task(f"{target.name}: quantising", None):
        network = quantize(
            module,
            [item[:MAX_CALIBRATION_IMAGES] for item in samples],
            weight_bits=template.weight_bits,
            act_bits=template.act_bits,
            acc_bits=template.acc_bits,
            name=target.value if target.kind is Kind.NETWORK else "",
        )
    design = program_design(network.workload, accelerator, mappings_with(hardware, network.workload))
    if isinstance(design, Infeasible):
        return design
    named = dict(zip((item.name for item in network.workload.inputs), (item[:images] for item in samples), strict=True))
    integers = {name: value.numpy() for name, value in quantize_input(network, named).items()}
    return Job(network.workload.name, design, network, integers)


def read_samples(path: Path, shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
    """Inputs of a module from an ``.npz`` file: one array ``[n, ...]`` for each input, in the order of the file.

    Args:
        path: of the file.
        shapes: of one sample of each input, batch of one included.

    Raises:
        SpecError: unreadable, another number of arrays, other shapes, no numbers, or values that are not finite.
    """
    arrays = read_arrays(path, MAX_DATA_BYTES)
    if len(arrays) != len(shapes):
        what = f"holds {len(arrays)} arrays ({', '.join(list(arrays)[:10]) or 'none'})"
        raise SpecError(Fault(f"--data {path}", what, f"{len(shapes)}: one [n, ...] for each input"))
    faults = []
    counts = {len(array) if array.ndim else 0 for array in arrays.values()}
    for (name, array), shape in zip(arrays.items(), shapes, strict=True):
        where = f"--data {path}: {name}"
        if array.dtype.kind not in "fiu":
            faults.append(Fault(where, f"is of {array.dtype}", "numbers"))
        elif array.ndim == 0 or tuple(array.shape[1:]) != tuple(shape[1:]) or not len(array):
            faults.append(Fault(where, f"has shape {list(array.shape)}", f"[n, {', '.join(map(str, shape[1:]))}]"))
        elif not np.isfinite(array).all():
            faults.append(Fault(where, "holds values that are not finite"))
    if not faults and len(counts) > 1:
        faults.append(
            Fault(f"--data {path}", f"has {' and '.join(map(str, sorted(counts)))} samples", "as many of each")
        )
    if faults:
        raise SpecError(faults)
    return [torch.from_numpy(array.astype(np.float32)) for array in arrays.values()]


def _job(
    target: Target,
    shapes: Sequence[tuple[int, ...]],
    hardware: HardwareLike | None,
    data: str | Path | None,
    images: int,
    reporter: Reporter,
) -> Job | Infeasible:
    """What runs, or the bound of the hardware that it breaks: of its memories, or of the device that it names."""
    if target.kind is Kind.DESIGN:
        job: Job | Infeasible = of_design(target.value, images, reporter)
    else:
        job = _of_float(target, shapes, hardware, data, images, reporter)
    if isinstance(job, Infeasible):
        return job
    return _refused(job.design) or job


def _refused(design: Design | Infeasible) -> Infeasible | None:
    """The bound of the hardware, or of its device, that a design breaks."""
    if isinstance(design, Infeasible):
        return design
    figures = design_cost(design)
    return None if isinstance(figures, CostReport) else figures[0]


def simulate(
    target: TargetLike,
    *,
    input: ShapesLike | None = None,  # noqa: A002 - the command line's word
    hardware: HardwareLike | None = None,
    data: str | Path | None = None,
    images: int | None = None,
    no_hls: bool | None = None,
    reporter: Reporter | None = None,
) -> Verification | Infeasible:
    """Run a network's RTL, and its HLS, on images, against PyTorch's integers.

    Args:
        target: a design of a run; or a module (``my_module.py:MyNet``) or a network by name, which is quantised.
        input: shapes of a module's inputs, a batch of one each.
        hardware: what a module runs on: an accelerator with a template, its YAML, or that of a design or template.
        data: ``.npz`` file with an array ``[n, ...]`` for each input of a module: scales are chosen on the samples, the
            first run; None: random ones.
        images: how many run; None: 10, or all where the data has fewer.
        no_hls: RTL alone.
        reporter: where progress goes.

    Returns:
        what ran; or which bound of the hardware, or of its device, is broken.

    Raises:
        SpecError: wrong input, an option that changes nothing, a network that the hardware does not run, or a missing
            tool.
    """
    given = {"input": input, "hardware": hardware, "data": data, "images": images, "no_hls": no_hls or None}
    found = read_target(target)
    check_applies("simulate", found.kind, given)
    count = DEFAULT_IMAGES if images is None else images
    if not 1 <= count <= MAX_IMAGES:
        raise SpecError(Fault("--images", f"is {count}", f"1 to {MAX_IMAGES}"))
    reporter = reporter or Silent()
    job = _job(found, shapes_of(input), hardware, data, count, reporter)
    if isinstance(job, Infeasible):
        return job
    held = len(next(iter(job.images.values())))
    if images is not None and held < images:
        raise SpecError(Fault("--images", f"is {images}, and the data has {held} to run", f"1 to {held}"))
    with tempfile.TemporaryDirectory() as scratch:
        return verify(
            job.name, job.design, job.network, job.images, job.labels, Path(scratch),
            dataset=job.dataset, with_hls=not no_hls, reporter=reporter,
        )  # fmt: skip


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


def emit(
    target: TargetLike,
    *,
    out: str | Path,
    what: str | None = None,
    input: ShapesLike | None = None,  # noqa: A002 - the command line's word
    hardware: HardwareLike | None = None,
    data: str | Path | None = None,
    reporter: Reporter | None = None,
) -> Emitted | Infeasible:
    """Write a network's SystemVerilog (with program and memory image) and HLS C++.

    Args:
        target, input, hardware, data: as for :func:`simulate`.
        out: folder; made when needed.
        what: "rtl", "hls" or "both" (None).
        reporter: where progress goes.

    Returns:
        what was written; or which bound of the hardware, or of its device, is broken: then nothing is.

    Raises:
        SpecError: wrong input, an option that changes nothing, or a folder that cannot be written.
    """
    given = {"input": input, "hardware": hardware, "data": data, "out": out, "what": what}
    what = what or "both"
    if what not in WHATS:
        raise SpecError(Fault("--what", f"is {what!r}", ", ".join(WHATS)))
    found = read_target(target)
    check_applies("emit", found.kind, given)
    folder = Path(out)
    if (folder / RUN_FILE).exists():
        raise SpecError(
            Fault(str(out), "holds a run", f"a folder of its own, such as {folder / 'hardware' / 'emitted'}")
        )
    job = _job(found, shapes_of(input), hardware, data, 1, reporter or Silent())
    if isinstance(job, Infeasible):
        return job
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SpecError(Fault(str(out), f"cannot be written: {error.strerror}", "a folder of your own")) from None
    rtl: tuple[Path, ...] = ()
    sources: tuple[Path, ...] = ()
    if what in ("rtl", "both"):
        rendered = render(job.design, job.network, folder / "rtl", job.images)
        if isinstance(rendered, Infeasible):
            return rendered
        part = job.design.accelerator.part
        rtl = (*rendered.files, write_wrapped(rendered.schedule.template, rendered.folder, part))
    if what in ("hls", "both"):
        sources = tuple(hls.emit(job.design, job.network, folder / "hls", job.images).sources)
    return Emitted(folder, rtl, sources)
