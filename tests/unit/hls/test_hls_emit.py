"""What is written, what is refused, and that names of a network stay out of the code."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hls
from accel_models.program.image import Bytes
from accel_models.program.packing import pack_weights
from accel_models.schedule import Compute, Unit
from accel_models.template.spec import ArrayKind
from hls.csim import compiler
from hls.emit import ARRAYS, COMMON_HEADERS, INCLUDE_DIR, comment
from mappings.errors import SpecError
from mappings.layer import Layer, Op
from mappings.quantized import QuantizedNetwork
from mappings.workload import TensorShape
from tests.integer_networks import Builder
from tests.unit.hls.test_hls_arrays import SMALL


def small_network(name: str = "c") -> tuple[Builder, QuantizedNetwork]:
    """One convolution."""
    net = Builder(np.random.default_rng(0), TensorShape("x", C=3, H=5, W=5))
    net.conv(name, "x", 4)
    return net, net.network()


def test_each_array_has_its_own_header_and_only_the_chosen_one_is_emitted(tmp_path: Path) -> None:
    _, network = small_network()
    for array in ArrayKind:
        emitted = hls.emit(replace(SMALL, array=array), network, tmp_path / array)
        headers = {path.name for path in emitted.out_dir.glob("*.h")}
        assert headers == {*COMMON_HEADERS, ARRAYS[array][0], "config.h", "program.h"}
        assert "CD_HLS(PIPELINE II = 1)" in (emitted.out_dir / ARRAYS[array][0]).read_text()


def test_headers_need_no_vendor_and_are_all_known() -> None:
    known = {*COMMON_HEADERS, *(header for header, _ in ARRAYS.values())}
    assert {path.name for path in INCLUDE_DIR.glob("*.h")} == known
    for name in known:
        included = re.findall(r"#include [<\"]([^>\"]+)", (INCLUDE_DIR / name).read_text())
        assert set(included) <= known | {"cstdint", "cstdio", "cstdlib", "type_traits"}


def test_pragmas_are_live_for_synthesis_alone(tmp_path: Path) -> None:
    _, network = small_network()
    emitted = hls.emit(SMALL, network, tmp_path)
    command = [compiler(), "-std=c++17", "-E", str(emitted.sources[0])]
    plain = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    live = subprocess.run([*command, "-D__SYNTHESIS__"], capture_output=True, text=True, check=True).stdout
    assert "#pragma HLS" not in plain
    for pragma in (
        "PIPELINE II = 1",
        "UNROLL",
        "INTERFACE m_axi port = memory",
        "INTERFACE s_axilite port = return",
        "ARRAY_PARTITION variable = w complete",
        "AGGREGATE",
    ):
        assert f"#pragma HLS {pragma}" in live


@pytest.mark.parametrize("name", ["../../etc/passwd", "x */ int main(){} /*", 'a\n#include "b"', "x\\", "??/"])
def test_hostile_names_stay_comments(name: str, tmp_path: Path) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_.\-]*", comment(name))
    net, network = small_network(name)
    emitted = hls.emit(SMALL, network, tmp_path / "out")
    report = hls.csim(emitted, net.images(1))
    assert name in report.outputs
    assert {path.name for path in tmp_path.iterdir()} == {"out"}


def builds(folder: Path) -> list[Path]:
    """Programs that were built; each has its digest beside it."""
    return [path for path in folder.glob("csim-*") if path.suffix != ".sha256"]


def test_a_build_is_used_again_and_made_anew_for_another_design(tmp_path: Path) -> None:
    net, network = small_network()
    emitted = hls.emit(SMALL, network, tmp_path)
    hls.csim(emitted, net.images(1))
    again = hls.csim(emitted, net.images(2))
    assert again.outputs["c"].shape == (2, 4, 3, 3) and len(builds(tmp_path)) == 1
    hls.csim(hls.emit(replace(SMALL, rows=4), network, tmp_path), net.images(1))
    assert len(builds(tmp_path)) == 2


def test_a_missing_compiler_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net, network = small_network()
    emitted = hls.emit(SMALL, network, tmp_path)
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(SpecError, match="apt-get install g"):
        hls.csim(emitted, net.images(1))


def test_inputs_are_checked(tmp_path: Path) -> None:
    net, network = small_network()
    emitted = hls.emit(SMALL, network, tmp_path)
    with pytest.raises(SpecError, match="has shape"):
        hls.csim(emitted, np.zeros((1, 3, 5, 6), dtype=np.int64))
    with pytest.raises(SpecError, match="does not fit 8 bits"):
        hls.csim(emitted, net.images(1) + 300)
    with pytest.raises(SpecError, match='input "x"'):
        hls.csim(emitted, {"y": net.images(1)})


def test_integers_are_checked(tmp_path: Path) -> None:
    _, network = small_network()
    good = network.layers["c"]
    assert good.weight is not None and good.mult is not None and good.shift is not None
    cases = {
        "has shape": replace(good, weight=good.weight[:, :1]),
        "does not fit 8 bits": replace(good, weight=good.weight * 0 + 200),
        "positive, below": replace(good, mult=good.mult * 0),
        "0 to 62": replace(good, shift=good.shift * 0 + 63),
        "low, high": replace(good, high=128),
        "needs mult": replace(good, mult=None),
    }
    for message, layer in cases.items():
        with pytest.raises(SpecError, match=message):
            hls.emit(SMALL, replace(network, layers={"c": layer}), tmp_path)
    with pytest.raises(SpecError, match="no integer parameters"):
        hls.emit(SMALL, replace(network, layers={}), tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_the_template_can_not_hold_is_refused(tmp_path: Path) -> None:
    _, network = small_network()
    with pytest.raises(SpecError, match=r"bits\.I.*is 8.*at most the template's 4"):
        hls.emit(replace(SMALL, act_bits=4, weight_bits=8), network, tmp_path)
    with pytest.raises(SpecError, match=r"bits\.W.*is 8.*at most the template's 4"):
        hls.emit(replace(SMALL, weight_bits=4), network, tmp_path)
    net = Builder(np.random.default_rng(0), TensorShape("x", C=3, H=1, W=80))
    net.conv("w", "x", 4, (1, 60))
    with pytest.raises(SpecError, match=r"weight_buffer_bytes needs [0-9]+ of 6144 bytes"):
        hls.emit(SMALL, net.network(), tmp_path)


def run_engine(folder: Path, image: bytes) -> subprocess.CompletedProcess[str]:
    """The built engine on a memory of its own, inputs of 0."""
    (program,) = builds(folder)
    (folder / "changed.bin").write_bytes(image)
    size = int(re.search(r"kInputBytes = (\d+)", (folder / "program.h").read_text()).group(1))  # type: ignore[union-attr]
    (folder / "inputs.bin").write_bytes(bytes(size))
    command = [str(program), str(folder / "changed.bin"), str(folder / "tensors.bin"), str(folder / "inputs.bin")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_program_that_is_not_this_hardwares_is_refused_as_the_rtl_refuses_it(tmp_path: Path) -> None:
    net, network = small_network()
    emitted = hls.emit(SMALL, network, tmp_path)
    hls.csim(emitted, net.images(1))
    good = emitted.image.copy()
    assert run_engine(tmp_path, good.tobytes()).returncode == 0
    at, schedule = emitted.schedule.program_addr, emitted.schedule
    first = {unit: 32 * number for number, unit in reversed(list(enumerate(item.unit for item in schedule.commands)))}
    cases = {
        5: (24, 1),  # the hardware that the first layer names
        1: (first[Unit.LOAD], 15),  # opcode
        2: (first[Unit.COMPUTE] + 30 - 8, 0),  # output channels: beyond the accumulators
        7: (first[Unit.COMPUTE] + 1, 0x80),  # waits for a token of the 16th semaphore, which nobody gives
    }
    for error, (byte, value) in cases.items():
        bad = good.copy()
        bad[at + byte] ^= value or 0xFF
        done = run_engine(tmp_path, bad.tobytes())
        assert done.returncode == 3 and f"error {error}" in done.stderr, (error, done.stderr)


def with_field(image: Bytes, command: int, at: int, bits: int, value: int) -> Bytes:
    """The image with another value in a field of the descriptor that begins at a byte of it."""
    changed = image.copy()
    word = int.from_bytes(changed[command : command + 32].tobytes(), "little")
    word = word & ~(((1 << bits) - 1) << at) | value << at
    changed[command : command + 32] = np.frombuffer(word.to_bytes(32, "little"), dtype=np.uint8)
    return changed


def first_of(emitted: hls.EmittedHls, unit: Unit) -> int:
    """Byte of the image where the first descriptor of a unit lies."""
    units = [item.unit for item in emitted.schedule.commands]
    return emitted.schedule.program_addr + 32 * units.index(unit)


@pytest.mark.parametrize("unit", [Unit.LOAD, Unit.STORE])
def test_a_transfer_beyond_the_memory_is_the_bus_error(unit: Unit, tmp_path: Path) -> None:
    net, network = small_network()
    emitted = hls.emit(SMALL, network, tmp_path)
    hls.csim(emitted, net.images(1))
    command = first_of(emitted, unit)
    for at, bits in ((184, 40), (152, 32), (120, 32)):  # address, and the strides of as many runs as there are
        value = (1 << bits) - 1
        image = with_field(emitted.image, command, at, bits, value)
        if bits == 32:  # of two runs, so that the stride counts
            image = with_field(image, command, 80 if at == 152 else 64, 16, 2)
            image = with_field(image, command, 100, 20, 1)
        done = run_engine(tmp_path, image.tobytes())
        assert done.returncode == 3 and "error 4" in done.stderr, (at, done.returncode, done.stderr)
    before = run_engine(tmp_path, with_field(emitted.image, command, 184, 40, 0).tobytes())
    assert before.returncode == 0 or unit is Unit.STORE, before.stderr


@pytest.mark.parametrize("array", list(ArrayKind))
def test_weights_that_a_tile_reads_lie_in_the_buffer(array: ArrayKind, tmp_path: Path) -> None:
    """Up to the last word that `pack_weights` makes, and not one more."""
    template = replace(SMALL, array=array, rows=4, cols=8, weight_buffer_bytes=16384)
    net = Builder(np.random.default_rng(0), TensorShape("x", C=21, H=4, W=9))
    net.conv("c", "x", 20, (3, 6))
    emitted = hls.emit(template, net.network(), tmp_path)
    hls.csim(emitted, net.images(1))
    command = first_of(emitted, Unit.COMPUTE)
    image = with_field(with_field(emitted.image, command, 191, 16, 21), command, 207, 16, 20)  # all channels at once
    words = len(pack_weights(array, 4, 8, np.ones((20, 21, 3, 6), dtype=np.int64)))
    last = 2 * template.weight_words - words
    assert run_engine(tmp_path, with_field(image, command, 60, 22, last).tobytes()).returncode == 0
    done = run_engine(tmp_path, with_field(image, command, 60, 22, last + 1).tobytes())
    assert done.returncode == 3 and "error 2" in done.stderr, done.stderr


def test_a_nonlinear_tile_stays_in_its_buffers(tmp_path: Path) -> None:
    """Its channels and pixels count, whatever its output channels and the shape of its input say."""
    template = replace(SMALL, nonlinear_lanes=4)
    net = Builder(np.random.default_rng(0), TensorShape("x", C=16, H=2, W=2))
    rows = {"P": 2, "Q": 2, "K": 16, "C": 16}
    argument = {"arg_mult": np.asarray([40_000]), "arg_shift": np.asarray([4])}
    layer = Layer("s", Op.SOFTMAX, inputs=("x",), **rows)  # type: ignore[arg-type]
    net.simple(layer, constants=argument, shift=np.asarray([39]))
    emitted = hls.emit(template, net.network(), tmp_path)
    hls.csim(emitted, net.images(1))
    command = first_of(emitted, Unit.COMPUTE)
    body = next(item.body for item in emitted.schedule.commands if item.unit is Unit.COMPUTE)
    assert isinstance(body, Compute)
    room = template.acc_words // (body.tile.p * body.tile.q) * template.word_lanes  # channels
    inputs = with_field(emitted.image, command, 103, 32, 1 | 1 << 16)  # of 1 x 1: which the RTL's check counts
    for channels, status in ((16, 0), (room, 0), (room + 1, 3), (65535, 3)):
        done = run_engine(tmp_path, with_field(inputs, command, 191, 16, channels).tobytes())
        assert done.returncode == status, (channels, done.stderr)
        assert status == 0 or "error 2" in done.stderr


def test_files_of_another_program_are_told(tmp_path: Path) -> None:
    """By hand: a run on the image's own input; other files are refused in one line."""
    net, network = small_network()
    inputs = net.images(1)
    emitted = hls.emit(SMALL, network, tmp_path, {"x": inputs})
    report = hls.csim(emitted, inputs)
    (program,) = builds(tmp_path)
    image, tensors, other = tmp_path / "memory.bin", tmp_path / "tensors.bin", tmp_path / "other.bin"

    def run(*arguments: Path) -> subprocess.CompletedProcess[str]:
        command = [str(program), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert run(image, tensors).returncode == 0
    np.testing.assert_array_equal(np.fromfile(tensors, dtype=np.uint8), report.tensors[0])
    other.write_bytes(image.read_bytes()[:-1])
    for arguments, message in (
        ((other, tensors), "not an image of this program"),
        ((image, tensors, other), "not inputs of this program"),
        ((image, tmp_path / "no" / "folder"), "cannot be written"),
        ((tmp_path / "none", tensors), "cannot be read"),
        ((image,), "usage"),
    ):
        done = run(*arguments)
        assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1


def test_an_unwritable_folder_is_told(tmp_path: Path) -> None:
    _, network = small_network()
    (tmp_path / "file").write_text("")
    with pytest.raises(SpecError, match="cannot be written"):
        hls.emit(SMALL, network, tmp_path / "file")
