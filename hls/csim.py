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

from hls.emit import EmittedHls
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
        load, compute, store: of each function.
        total: loads of the next tile run beside compute, stores after it.
    """

    layer: str
    load: int
    compute: int
    store: int
    total: int


@dataclass(frozen=True, eq=False)
class HlsReport:
    """What the C simulation gave.

    Attributes:
        outputs: by layer, int64 ``[images, channels, rows, columns]``.
        logits: output of the network's last output layer, ``[images, elements]``.
        cycles: of one image, by layer; layers without work of their own (constants) have none.
        compile_s, run_s: wall time.
    """

    outputs: dict[str, IntArray]
    logits: IntArray
    cycles: tuple[HlsCycles, ...]
    compile_s: float
    run_s: float

    @property
    def total_cycles(self) -> int:
        """Cycles of one image: layer after layer."""
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
    """Compile the C simulation; what was built from the same sources is used again.

    Raises:
        SpecError: no compiler, or the sources do not compile (a defect: the message has the compiler's first lines).
    """
    command = [compiler(), *FLAGS]
    text = b"".join(path.read_bytes() for path in sorted(emitted.out_dir.glob("*.h")))
    text += b"".join(path.read_bytes() for path in emitted.sources) + " ".join(command).encode()
    binary = emitted.out_dir / f"csim-{hashlib.sha256(text).hexdigest()[:16]}"
    if is_whole(binary):
        return binary
    with work_folder(emitted.out_dir, binary.name) as work:
        made = work / "csim"
        done = run_owned([*command, "-o", str(made), *map(str, emitted.sources)], timeout_s=TIMEOUT_S)
        if done.returncode != 0:
            refuse_killed("the compiler of the C simulation", done.returncode, done.stderr)
            raise SpecError(Fault(str(emitted.out_dir), "does not compile: " + " ".join(done.stderr.split())[:600]))
        keep(made, binary)
    return binary


def _input_bytes(emitted: EmittedHls, inputs: Mapping[str, IntArray]) -> tuple[bytes, int]:
    """All images, each the concatenation of its inputs as memory holds them."""
    shapes = emitted.network.workload.inputs
    faults = [Fault("inputs", f'no integers for input "{t.name}"') for t in shapes if t.name not in inputs]
    if faults:
        raise SpecError(faults)
    count = len(inputs[shapes[0].name])
    for tensor in shapes:
        value = inputs[tensor.name]
        expected = (count, tensor.C, tensor.H, tensor.W)
        if value.shape != expected:
            faults.append(Fault(f"input {tensor.name}", f"has shape {value.shape}", str(expected)))
        elif value.size and not -(1 << (tensor.bits - 1)) <= value.min() <= value.max() < 1 << (tensor.bits - 1):
            faults.append(Fault(f"input {tensor.name}", f"does not fit {tensor.bits} bits"))
    if faults:
        raise SpecError(faults)
    chunks = []
    for image in range(count):
        memory = bytearray(emitted.program.input_bytes)
        for tensor in shapes:
            place = emitted.program.tensors[tensor.name]
            memory[place.offset : place.offset + place.size_bytes] = place.pack(inputs[tensor.name][image])
        chunks.append(bytes(memory))
    return b"".join(chunks), count


def csim(emitted: EmittedHls, inputs: IntArray | Mapping[str, IntArray]) -> HlsReport:
    """Compile the engine and run it on images.

    Args:
        emitted: from :func:`hls.emit.emit`.
        inputs: integers ``[images, C, H, W]``, by name where the network has several inputs.

    Raises:
        SpecError: no compiler, inputs of another shape or width, or a run that stopped.
    """
    names = [tensor.name for tensor in emitted.network.workload.inputs]
    by_name = inputs if isinstance(inputs, Mapping) else {names[0]: np.asarray(inputs, dtype=np.int64)}
    data, count = _input_bytes(emitted, by_name)
    start = time.perf_counter()
    binary = build(emitted)
    compiled = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        source, sink = Path(scratch) / "inputs.bin", Path(scratch) / "outputs.bin"
        source.write_bytes(data)
        command = [str(binary), str(emitted.out_dir / "image.bin"), str(source), str(count), str(sink)]
        done = run_owned(command, timeout_s=TIMEOUT_S)
        if done.returncode != 0:
            refuse_killed("C simulation", done.returncode, "")
            raise SpecError(Fault("C simulation", f"stopped with {done.returncode}: {done.stderr.strip()[:300]}"))
        raw = np.fromfile(sink, dtype=np.uint8).reshape(count, emitted.program.tensor_bytes)
    run = time.perf_counter()
    outputs = _outputs(emitted, raw)
    last = emitted.network.workload.outputs[-1]
    return HlsReport(
        outputs, outputs[last].reshape(count, -1), _cycles(emitted, done.stdout), compiled - start, run - compiled
    )


def _outputs(emitted: EmittedHls, raw: NDArray[np.uint8]) -> dict[str, IntArray]:
    program = emitted.program
    image = np.frombuffer(bytes(program.tensor_bytes) + program.image, dtype=np.uint8)
    outputs = {}
    for layer in emitted.network.workload.layers:
        place = program.tensors[layer.name]
        # Constants lie behind the tensors, in the image itself, once for all images.
        memories = raw if place.offset < program.tensor_bytes else [image] * len(raw)
        outputs[layer.name] = np.stack([place.unpack(memory) for memory in memories])
    return outputs


def _cycles(emitted: EmittedHls, text: str) -> tuple[HlsCycles, ...]:
    totals: dict[int, list[int]] = {}
    for line in text.splitlines():
        number, *figures = (int(part) for part in line.split())
        old = totals.get(number, [0] * len(figures))
        totals[number] = [a + b for a, b in zip(old, figures, strict=True)]
    layers = emitted.network.workload.layers
    return tuple(HlsCycles(layers[number].name, *figures) for number, figures in sorted(totals.items()))
