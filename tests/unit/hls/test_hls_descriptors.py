"""The engine reads every field of a descriptor that the encoder writes."""

from __future__ import annotations

import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from accel_models.program import descriptors
from accel_models.schedule import Compute, Dma, Drain, Setting
from hls.csim import FLAGS, compiler
from hls.emit import INCLUDE_DIR
from mappings.layer import Layer, Op
from mappings.workload import TensorShape
from tests.integer_networks import Builder
from tests.unit.hls.test_hls_arrays import SMALL, schedule_of

#: The fields behind the header, from the least significant bit up: name, bits.
BODIES = {
    "dma": "buffer 4 base 20 count2 16 count1 16 count0 20 stride2 32 stride1 32 addr 40",
    "tile": "ab_base 20 wb_base 22 ib_base 20 accumulate 1 in_w 16 in_h 16 pad_left 8 pad_top 8 r 8 q 16 "
    "p 16 c 16 k 16",
    "piece": "lookup_half 1 words 20 blocks 16 pb_base 16 rb_base 20 ob_base 20 ab_base 20",
    "layer": "high -16 low -16 shift 6 mult 32 lookup 1 broadcast 1 product 1 affine 1 residual 1 per_channel 1 "
    "narrow 2 kept 4 dual 1 dilation_w 8 dilation_h 8 stride_w 8 stride_h 8 s 8 op 4 tag 16 reserved 9 hardware 32",
    "constants": "high2 -16 low2 -16 shift2 6 m1 24 m0 24 arg_mult 20 arg_shift 6 shift 6 epsilon 61 masked 1",
}
HEADER = "opcode 4 region 3 mark 1 wait 16 signal 16"


def fields(text: str) -> list[tuple[str, int]]:
    """(name, bits) pairs; negative bits: signed."""
    words = text.split()
    return [(name, int(bits)) for name, bits in list(pairwise(words))[::2]]


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that prints what the engine reads of each descriptor of its standard input, a line each."""
    folder = tmp_path_factory.mktemp("decoder")
    for name in ("cd_int.h", "cd_descriptor.h"):
        shutil.copyfile(INCLUDE_DIR / name, folder / name)
    calls = {"dma": "dma_of(d)", "tile": "tile_of(d, {})", "piece": "piece_of(d)"}
    calls |= {"layer": "layer_of(d)", "constants": "constants_of(d)"}
    lines = []
    for name, text in {"header_of(d)": HEADER + " number 32", **{calls[k]: v for k, v in BODIES.items()}}.items():
        values = "".join(
            f'std::printf("%lld ", (long long)x.{field});' for field, _ in fields(text) if field != "reserved"
        )
        lines.append(f"{{ const auto x = cd::{name}; {values} }}")
    source = f"""#include <cstdio>
#include "cd_descriptor.h"
int main() {{
  cd::Descriptor d;
  while (std::fread(d.word, 1, cd::kDescriptorBytes, stdin) == cd::kDescriptorBytes) {{
    {"".join(lines)}
    std::printf("\\n");
  }}
}}
"""
    (folder / "main.cpp").write_text(source)
    flags = [flag for flag in FLAGS if flag != "-O2"]
    subprocess.run([compiler(), *flags, "-o", str(folder / "main"), str(folder / "main.cpp")], check=True)
    return folder / "main"


def drawn(rng: np.random.Generator, bits: int) -> int:
    """A value of that many bits, its ends among them."""
    low, high = (-(1 << (-bits - 1)), (1 << (-bits - 1)) - 1) if bits < 0 else (0, (1 << bits) - 1)
    return int(rng.choice([low, high, int(rng.integers(low, high, endpoint=True))]))


def test_random_descriptors_are_read_as_they_are_written(decoder: Path) -> None:
    """Each is of one kind: of every line those fields count that its kind has."""
    rng = np.random.default_rng(0)
    text, wanted = b"", []
    for kind in [kind for kind in BODIES for _ in range(40)]:
        header, body = fields(HEADER), fields(BODIES[kind])
        values = [(name, drawn(rng, bits), bits) for name, bits in [*header, *body]]
        number = int(rng.integers(1 << 31))
        word = descriptors._join([(value, abs(bits)) for _, value, bits in values]) | number << 224
        text += word.to_bytes(descriptors.DESCRIPTOR_BYTES, "little")
        own = [value for name, value, _ in values[len(header) :] if name != "reserved"]
        wanted.append((kind, [value for _, value, _ in values[: len(header)]] + [number], own))
    done = subprocess.run([str(decoder)], input=text, capture_output=True, check=True)
    found = [[int(part) for part in line.split()] for line in done.stdout.decode().splitlines()]
    assert len(found) == len(wanted) == 200
    sizes = {kind: sum(name != "reserved" for name, _ in fields(body)) for kind, body in BODIES.items()}
    for line, (kind, header_values, own) in zip(found, wanted, strict=True):
        at = len(header_values) + sum(size for other, size in list(sizes.items())[: list(sizes).index(kind)])
        assert line[: len(header_values)] == header_values
        assert line[at : at + sizes[kind]] == own, kind


def test_the_encoder_writes_these_fields() -> None:
    """The lists above are the encoder's: widths in its own order, and values by name, in a real program."""
    net = Builder(np.random.default_rng(0), TensorShape("x", C=16, H=9, W=9))
    net.conv("a", "x", 16, padding=(1, 1, 1, 1), stride=(2, 1))
    net.conv("b", "a", 16, padding=(1, 1, 1, 1))
    halves = {"add_mult": (1 << 10, 3 << 9), "shift": np.asarray([11])}
    net.simple(Layer("sum", Op.ADD, P=5, Q=9, groups=16, inputs=("b", "a")), **halves)
    network, template = net.network(), SMALL
    schedule = schedule_of(template, network.workload)
    seen = set()
    for command in schedule.commands:
        body, plan = command.body, schedule.plans[command.tag]
        values: dict[str, object] = {}
        if isinstance(body, Dma):
            kind, written = "dma", descriptors._dma(body, body.addr)
            values = body._asdict()
        elif isinstance(body, Compute):
            kind, written = "tile", descriptors._compute(body)
            values = {**body.tile._asdict(), **body._asdict()}
        elif isinstance(body, Drain):
            kind, written = "piece", descriptors._drain(body, template)
            values = body._asdict()
        elif body is Setting.LAYER:
            kind, written = "layer", descriptors._layer(plan, network, template)
            values = {"tag": plan.index, "s": plan.layer.S, "stride_h": plan.layer.stride[0], "op": plan.shape.op}
            values |= {"high": network.layers[plan.layer.name].high, "stride_w": plan.layer.stride[1]}
        elif body is Setting.CONSTANTS:
            kind, written = "constants", descriptors._constants(plan, network)
            values = {"shift2": 11, "m0": 1 << 10, "m1": 3 << 9, "high2": 127, "low2": -128}
        else:
            continue
        seen.add(kind)
        assert [bits for _, bits in written] == [abs(bits) for _, bits in fields(BODIES[kind])]
        for (name, _), (value, _) in zip(fields(BODIES[kind]), written, strict=True):
            assert value == values.get(name, value), (kind, name)
    assert seen == set(BODIES)
