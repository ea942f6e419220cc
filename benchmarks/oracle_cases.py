"""Random (layer, mapping, accelerator) triples, small enough to be walked element by element."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from accel_models.hardware.accelerator import Accelerator, Buffering, MemoryKind, MemoryLevel
from mappings.dataflow import DATAFLOWS
from mappings.directives import Cluster, Directive, SpatialMap, TemporalMap
from mappings.errors import SpecError
from mappings.layer import DIMS, TENSORS, Layer, Op
from mappings.loops import LOOP_OPS, bounds_of
from mappings.mapping import Mapping

MAX_STEPS_OF_WORK = 1500


@dataclass(frozen=True)
class Case:
    """One triple, and the dataflow it came from ("random" for random directives)."""

    layer: Layer
    mapping: Mapping
    accelerator: Accelerator
    dataflow: str


def random_layer(rng: random.Random) -> Layer:
    """Any operator that has loops, at most ``MAX_STEPS_OF_WORK`` iterations."""
    while True:
        op = rng.choice(sorted(LOOP_OPS))
        try:
            layer = Layer("layer", op, **_extents(rng, op))
        except SpecError:  # the padding may leave no input
            continue
        if math.prod(bounds_of(layer)) <= MAX_STEPS_OF_WORK:
            return layer


def _extents(rng: random.Random, op: Op) -> dict[str, object]:
    one_to = lambda high: rng.randint(1, high)  # noqa: E731
    pair = lambda high: (one_to(high), one_to(high))  # noqa: E731
    if op in (Op.CONV, Op.TRCONV):
        channels = {"K": one_to(6), "C": one_to(6), "groups": rng.choice([1, 1, 2, 3])}
        if rng.random() < 0.2:
            channels = {"groups": one_to(7)}  # depthwise
        return {
            "N": one_to(3),
            **channels,
            "P": one_to(9),
            "Q": one_to(8),
            "R": one_to(4),
            "S": one_to(4),
            "stride": pair(3),
            "dilation": pair(3),
            "padding": tuple(rng.randint(0, 3) for _ in range(4)) if rng.random() < 0.7 else (0, 0, 0, 0),
        }
    if op is Op.LINEAR:
        return {"N": one_to(3), "K": one_to(13), "C": one_to(13), "P": one_to(8)}
    if op is Op.EMBEDDING:
        return {"N": one_to(2), "K": one_to(9), "C": one_to(30), "P": one_to(9)}
    if op is Op.MATMUL:
        return {"N": one_to(2), "groups": one_to(3), "K": one_to(9), "C": one_to(9), "P": one_to(9)}
    if op in (Op.MAXPOOL, Op.AVGPOOL):
        window = {
            "R": one_to(3),
            "S": one_to(3),
            "stride": pair(3),
            "padding": tuple(rng.randint(0, 1) for _ in "tlbr"),
        }
        return {"N": one_to(2), "groups": one_to(6), "P": one_to(7), "Q": one_to(7), **window}
    if op in (Op.SOFTMAX, Op.LAYERNORM):
        channels_ = one_to(9)
        return {"N": one_to(2), "groups": one_to(3), "K": channels_, "C": channels_, "P": one_to(7), "Q": one_to(3)}
    return {"N": one_to(3), "groups": one_to(6), "P": one_to(7), "Q": one_to(7)}


def random_accelerator(rng: random.Random, capacity_bytes: int | None = None) -> Accelerator:
    """Two to four levels, any fan-outs up to 4 x 4, any tensors, any networks; unbounded unless a capacity is given."""
    count = rng.choice([2, 3, 3, 3, 4])
    levels = []
    for index in range(count):
        axes = rng.choice([0, 1, 1, 2, 2])
        levels.append(
            MemoryLevel(
                name=f"M{index}",
                capacity_bytes=None if index == 0 else capacity_bytes,
                kind=MemoryKind.DRAM if index == 0 else MemoryKind.SRAM,
                tensors=TENSORS if index == 0 else _some_tensors(rng),
                buffering=rng.choice(list(Buffering)),
                fanout=tuple(rng.randint(1, 4) for _ in range(axes)),
                keeps_overlap=rng.random() < 0.3,
                multicast=rng.random() < 0.7,
                spatial_reduction=rng.random() < 0.7,
            )
        )
    return Accelerator("random", tuple(levels), clock_hz=1_000_000_000)


def _some_tensors(rng: random.Random) -> tuple[str, ...]:
    return TENSORS if rng.random() < 0.6 else tuple(sorted(rng.sample(TENSORS, rng.randint(1, 3)), key=TENSORS.index))


def random_mapping(rng: random.Random, layer: Layer, accelerator: Accelerator) -> Mapping:
    """Any legal directives: every tile size, ragged or not, every loop order, every use of the fan-outs."""
    rest = dict(zip(DIMS, bounds_of(layer), strict=True))
    directives: list[Directive] = []
    last = len(accelerator.levels) - 1
    for index, level in enumerate(accelerator.levels):
        if index:
            directives.append(Cluster(accelerator.macs_below(index)))
        free = [*level.fanout, 1, 1][:2]
        order = list(DIMS)
        rng.shuffle(order)
        for dim in order:
            size = rest[dim]
            units = [1, 1]
            for axis in range(2):
                if free[axis] > 1 and rng.random() < 0.4:
                    units[axis] = rng.randint(1, min(free[axis], max(1, size)))
                    free[axis] //= units[axis]
            block = 1 if index == last else rng.choice([size, rng.randint(1, size), rng.randint(1, size)])
            tile = min(size, units[0] * units[1] * block)
            if tile < size:
                directives.append(TemporalMap(dim, tile))
            for share in (min(tile, units[1] * block), min(tile, block)):
                if share < tile:
                    directives.append(SpatialMap(dim, share))
                    tile = share
            rest[dim] = tile
    bypass = tuple(
        (level.name, tensor) for level in accelerator.levels[1:] for tensor in level.tensors if rng.random() < 0.15
    )
    return Mapping(tuple(directives), bypass)


def random_case(seed: str) -> Case:
    """The case of a seed: random directives or a dataflow of the library, alternately."""
    rng = random.Random(seed)
    layer = random_layer(rng)
    if rng.random() < 0.5:
        accelerator = random_accelerator(rng)
        return Case(layer, random_mapping(rng, layer, accelerator), accelerator, "random")
    accelerator = random_accelerator(rng, rng.choice([None, 8, 32, 64, 256]))
    name = rng.choice(DATAFLOWS.names())
    flow = DATAFLOWS.get(name)
    params = {key: rng.randint(1, 6) for key, _ in flow.params}
    return Case(layer, flow.instantiate(layer, accelerator, params), accelerator, name)
