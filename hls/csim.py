"""C simulation: the emitted engine compiled by g++ and run on images."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from accel_models.program.image import tensor_from_bytes, write_tensor
from hls.emit import IMAGE, PROGRAM, STATUS, EmittedHls
from mappings.cache_folder import is_whole, keep, work_folder
from mappings.errors import Fault, SpecError
from mappings.process import refuse_killed, run_owned
from mappings.quantized import IntArray

#: ``-fwrapv``: accumulators wrap as hardware's do. No ``-march=native``: g++ 12 miscompiles ``row_stationary.h`` with
#: ``-O3`` and AVX-512 (a misaligned vector store), and the gain is small.
FLAGS = ("-std=c++17", "-O2", "-fwrapv", "-Wall", "-Wextra", "-Werror")
TIMEOUT_S = 600


@dataclass(frozen=True)
class HlsCycles:
    """Cycles of one layer, counted by the loops that ran, at an initiation interval of one.

    Attributes:
        layer: whose output is left in memory, and which part of it.
        load, compute, drain, store: of each unit.
    """

    layer: str
    load: int
    compute: int
    drain: int
    store: int

    @property
    def total(self) -> int:
        """Of all units: the engine runs one command after another."""
        return self.load + self.compute + self.drain + self.store


@dataclass(frozen=True, eq=False)
class HlsReport:
    """What the C simulation gave.

    Attributes:
        outputs: by layer, int64 ``[images, channels, rows, columns]``, as the memory holds them after the run. A layer
            with which another rode along in post-processing has left none of its own.
        logits: output of the network's last output layer, ``[images, elements]``.
        cycles: of one run of the program, by layer that moves data, in order.
        tensors: all of the memory that a run may change, after each, ``[runs, bytes]``.
        compile_s, run_s: wall time.
    """

    outputs: dict[str, IntArray]
    logits: IntArray
    cycles: tuple[HlsCycles, ...]
    tensors: NDArray[np.uint8]
    compile_s: float
    run_s: float

    @property
    def total_cycles(self) -> int:
        """Cycles of one run of the program: layer after layer."""
        return sum(item.total for item in self.cycles)


def compiler() -> str:
    """Path of the C++ compiler: ``$CXX`` or g++.

    Raises:
        SpecError: not found; says what to install.
    """
    name = os.environ.get("CXX", "g++")
    found = shutil.which(name)
    if found is None:
        raise SpecError(Fault("C simulation", f'"{name}" is not on the PATH', "install it: apt-get install g++"))
    return found


def build(emitted: EmittedHls) -> Path:
    """Compile the C simulation; what was built from the same sources is used again: the engine is the design's alone.

    Raises:
        SpecError: no compiler, or the sources do not compile (a defect: the message has the compiler's first lines).
    """
    command = [compiler(), *FLAGS]
    headers = {path.name for path in emitted.out_dir.glob("*.h")}
    engine, main = emitted.sources
    objects = [
        _built(emitted, [*command, "-c", str(engine)], "engine", [engine, *_in(emitted, headers - {PROGRAM})]),
        _built(emitted, [*command, "-c", str(main)], "main", [main, *_in(emitted, {PROGRAM, STATUS})]),
    ]
    return _built(emitted, [*command, *map(str, objects)], "csim", objects)


def _in(emitted: EmittedHls, names: set[str]) -> list[Path]:
    return [emitted.out_dir / name for name in sorted(names)]


def _built(emitted: EmittedHls, command: list[str], name: str, sources: list[Path]) -> Path:
    """What a command makes of sources: made once for the same bytes."""
    text = b"".join(path.read_bytes() for path in sources) + " ".join(command).encode()
    result = emitted.out_dir / f"{name}-{hashlib.sha256(text).hexdigest()[:16]}"
    if is_whole(result):
        return result
    with work_folder(emitted.out_dir, result.name) as work:
        made = work / "made"
        done = run_owned([*command, "-o", str(made)], timeout_s=TIMEOUT_S)
        if done.returncode != 0:
            refuse_killed("the compiler of the C simulation", done.returncode, done.stderr)
            raise SpecError(Fault(str(emitted.out_dir), "does not compile: " + " ".join(done.stderr.split())[:600]))
        keep(made, result)
    return result


def _input_bytes(emitted: EmittedHls, inputs: Mapping[str, IntArray]) -> tuple[bytes, int]:
    """What each run finds where the inputs lie, and how many runs there are."""
    shapes = emitted.schedule.workload.inputs
    faults = [Fault("inputs", f'no integers for input "{t.name}"') for t in shapes if t.name not in inputs]
    if faults:
        raise SpecError(faults)
    batch, count = shapes[0].N, len(inputs[shapes[0].name])
    if count == 0 or count % batch:
        raise SpecError(Fault("inputs", f"are {count} images", f"a multiple of the batch, {batch}"))
    for tensor in shapes:
        value = inputs[tensor.name]
        expected = (count, tensor.C, tensor.H, tensor.W)
        if value.shape != expected:
            faults.append(Fault(f"input {tensor.name}", f"has shape {value.shape}", str(expected)))
        elif value.size and not -(1 << (tensor.bits - 1)) <= value.min() <= value.max() < 1 << (tensor.bits - 1):
            faults.append(Fault(f"input {tensor.name}", f"does not fit {tensor.bits} bits"))
    if faults:
        raise SpecError(faults)
    first, size = emitted.input_span
    memory, chunks = emitted.image[: first + size].copy(), []
    for start in range(0, count, batch):
        for tensor in shapes:
            part = inputs[tensor.name][start : start + batch]
            write_tensor(memory, emitted.schedule.tensors[tensor.name], part, emitted.schedule.template.act_bits)
        chunks.append(memory[first:].tobytes())
    return b"".join(chunks), count // batch


def csim(emitted: EmittedHls, inputs: IntArray | Mapping[str, IntArray]) -> HlsReport:
    """Compile the engine and run it on images.

    Args:
        emitted: from :func:`hls.emit.emit`.
        inputs: integers ``[images, C, H, W]``, by name where the network has several inputs; so many as a batch has go
            into each run of the program.

    Raises:
        SpecError: no compiler, inputs of another shape or width, or a run that stopped.
    """
    names = [tensor.name for tensor in emitted.schedule.workload.inputs]
    by_name = inputs if isinstance(inputs, Mapping) else {names[0]: np.asarray(inputs, dtype=np.int64)}
    data, runs = _input_bytes(emitted, by_name)
    start = time.perf_counter()
    binary = build(emitted)
    compiled = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        source, sink = Path(scratch) / "inputs.bin", Path(scratch) / "tensors.bin"
        source.write_bytes(data)
        command = [str(binary), str(emitted.out_dir / IMAGE), str(source), str(runs), str(sink)]
        done = run_owned(command, timeout_s=TIMEOUT_S)
        if done.returncode != 0:
            refuse_killed("C simulation", done.returncode, "")
            raise SpecError(Fault("C simulation", f"stopped with {done.returncode}: {done.stderr.strip()[:300]}"))
        tensors = np.fromfile(sink, dtype=np.uint8).reshape(runs, emitted.tensor_bytes)
    run = time.perf_counter()
    outputs = _outputs(emitted, tensors)
    logits = outputs[emitted.schedule.workload.outputs[-1]]
    cycles = _cycles(emitted, done.stdout)
    return HlsReport(outputs, logits.reshape(len(logits), -1), cycles, tensors, compiled - start, run - compiled)


def _outputs(emitted: EmittedHls, tensors: NDArray[np.uint8]) -> dict[str, IntArray]:
    schedule = emitted.schedule
    places = schedule.tensors
    return {
        layer.name: np.concatenate(
            [tensor_from_bytes(places[layer.name], memory, schedule.template.act_bits) for memory in tensors]
        )
        for layer in schedule.workload.layers
        if layer.name in places
    }


def _cycles(emitted: EmittedHls, text: str) -> tuple[HlsCycles, ...]:
    lines = ([int(part) for part in line.split()] for line in text.splitlines())
    return tuple(HlsCycles(emitted.schedule.plans[number].name, *figures) for number, *figures in lines)
