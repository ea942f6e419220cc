"""What is written, what is refused, and that names of a network stay out of the code."""

from __future__ import annotations

import re
import subprocess
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

import hls
from accel_models.template.spec import ArrayKind
from hls.csim import compiler
from hls.emit import ARRAYS, COMMON_HEADERS, INCLUDE_DIR, comment
from hls.layout import TensorPlace, pack_elements, unpack_elements
from hls.program import Step
from hls.tiling import BufferWords, choose, fits
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


def test_steps_have_the_fields_of_the_header_in_its_order() -> None:
    body = re.search(r"struct Layer \{(.*?)\n\};", (INCLUDE_DIR / "cd_layer.h").read_text(), re.DOTALL)
    assert body is not None
    lines = [line.split("//")[0].strip() for line in body.group(1).splitlines()]
    names = [n.strip() for line in lines if line for n in line.rstrip(";").split(" ", 1)[1].split(",")]
    assert names == [item.name for item in fields(Step)]


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
        "INTERFACE m_axi",
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


def test_parameters_are_checked(tmp_path: Path) -> None:
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


def test_widths_and_tiles_over_the_template_are_refused(tmp_path: Path) -> None:
    _, network = small_network()
    with pytest.raises(SpecError, match="activations of 8 bits"):
        hls.emit(replace(SMALL, act_bits=4, weight_bits=8), network, tmp_path)
    with pytest.raises(SpecError, match="weights of 8 bits"):
        hls.emit(replace(SMALL, weight_bits=4), network, tmp_path)
    with pytest.raises(SpecError, match="not legal"):
        hls.emit(SMALL, network, tmp_path, {"c": hls.Tiling(k=3, c=3, p=1, q=1, r=3)})
    wide = Layer("w", Op.CONV, C=1, K=1, S=4096, Q=1)
    with pytest.raises(SpecError, match="no tile"):
        choose(wide, BufferWords.of(SMALL))


def test_an_unwritable_folder_is_told(tmp_path: Path) -> None:
    _, network = small_network()
    (tmp_path / "file").write_text("")
    with pytest.raises(SpecError, match="cannot be written"):
        hls.emit(SMALL, network, tmp_path / "file")


@pytest.mark.parametrize("bits", [4, 8, 16])
def test_packing_comes_back(bits: int) -> None:
    rng = np.random.default_rng(bits)
    values = rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), (13, 3, 5))
    place = TensorPlace(7, bits, 13, 3, 5, lanes=8)
    memory = np.frombuffer(bytes(7) + place.pack(values), dtype=np.uint8)
    assert memory.size == 7 + place.size_bytes
    np.testing.assert_array_equal(place.unpack(memory), values)
    flat = values.reshape(-1)
    back = unpack_elements(np.frombuffer(pack_elements(flat, bits), dtype=np.uint8), bits)
    np.testing.assert_array_equal(back[: flat.size], flat)


def test_chosen_tiles_fit() -> None:
    words = BufferWords.of(SMALL)
    rng = np.random.default_rng(11)
    for _ in range(200):
        k, c, p, q, r, s = (int(rng.integers(1, high)) for high in (200, 200, 60, 60, 6, 6))
        layer = Layer("l", Op.CONV, K=k, C=c, P=p, Q=q, R=r, S=s)
        tile = choose(layer, words)
        assert fits(layer, tile, words)
        assert tile.k % words.cols == 0
