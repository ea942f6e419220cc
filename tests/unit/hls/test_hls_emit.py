"""What is written, what is refused, and that names of a network stay out of the code."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hls
from accel_models.schedule import Unit
from accel_models.template.spec import ArrayKind
from hls.csim import compiler
from hls.emit import ARRAYS, COMMON_HEADERS, INCLUDE_DIR, comment
from mappings.errors import SpecError
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
    command = [str(program), str(folder / "changed.bin"), str(folder / "inputs.bin"), "1", str(folder / "tensors.bin")]
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


def test_an_unwritable_folder_is_told(tmp_path: Path) -> None:
    _, network = small_network()
    (tmp_path / "file").write_text("")
    with pytest.raises(SpecError, match="cannot be written"):
        hls.emit(SMALL, network, tmp_path / "file")
