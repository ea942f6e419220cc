"""Loop-tile accelerators on FPGAs, as HotNAS (Jiang 2020) and FNAS (Jiang 2019) search them, every limit enforced.

The cycles, multipliers and memory blocks are the published formulas (:mod:`loop_tile_formulas`). The released code of
HotNAS leaves its check of memory blocks commented out, and its logged optima exceed the board; here a design that
exceeds anything is ``Infeasible``. Look-up tables are not in the publications: the adders alone are counted, one table
a bit (AMD UG574), a lower bound of what the logic takes. Energy is not modelled by any of them, nor are pooling,
addition and activations, which ride along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from accel_models.hardware.devices import Device
from accel_models.published.loop_tile_formulas import bram18, layer_cycles
from accel_models.report import Bound, Infeasible, broken_bounds
from mappings.errors import Fault, SpecError
from mappings.layer import Layer
from mappings.operators import OpSpec, Unit

CLOCK_HZ = 100_000_000
PORT_BITS = 512
#: Multiplier blocks of one multiply-accumulate by bits of a word (Zhang 2015: 5 for 32 bits in floating point).
DSP_OF_BITS = {8: 1, 12: 1, 16: 1, 32: 5}


class Extent(StrEnum):
    """What the formulas' ``R`` and ``C``, rows and columns of a layer, stand for.

    The formulas divide a tile by the stride, so they are those of the *input*. With output extents a layer of stride 2
    counts a quarter of its work; the figures published for ResNet-18 (12.57 ms, and the sweeps of the formulas that
    others report) are only met so.
    """

    INPUT = "input"
    OUTPUT = "output"


@dataclass(frozen=True)
class Board:
    """What a loop-tile accelerator may take.

    Attributes:
        name: of the device.
        dsp, bram18, lut: blocks; ``lut`` is the part that still routes.
        port_bits: of the memory interface, all three ports together.
    """

    name: str
    dsp: int
    bram18: int
    lut: int
    port_bits: int = PORT_BITS

    @classmethod
    def of(cls, part: Device, port_bits: int = PORT_BITS) -> Board:
        """The board of a device.

        Raises:
            SpecError: the device states no such blocks (it is no FPGA).
        """
        if part.dsp is None or part.bram36 is None or part.lut is None:
            raise SpecError(Fault(f"device {part.name}", "has no multiplier and memory blocks", "an FPGA"))
        return cls(part.name, part.dsp, 2 * part.bram36, int(part.lut * part.lut_fill), port_bits)


@dataclass(frozen=True)
class LoopTile:
    """One accelerator.

    Attributes:
        tm, tn: output and input channels side by side.
        tr, tc: rows and columns of a tile.
        weight_ports, input_ports, output_ports: words a cycle.
        depthwise_lanes: channels side by side in a second engine for depthwise convolutions; 0: there is none.
        bits: of a word.
        clock_hz: of everything.
        extent: see :class:`Extent`.

    Raises:
        SpecError: a size below 1, or bits that the publications do not have.
    """

    tm: int
    tn: int
    tr: int
    tc: int
    weight_ports: int
    input_ports: int
    output_ports: int
    depthwise_lanes: int = 0
    bits: int = 16
    clock_hz: int = CLOCK_HZ
    extent: Extent = Extent.INPUT

    def __post_init__(self) -> None:
        sizes = ("tm", "tn", "tr", "tc", "weight_ports", "input_ports", "output_ports", "clock_hz")
        faults = [
            Fault(f"loop tile.{name}", f"is {getattr(self, name)}", "1 or more")
            for name in sizes
            if getattr(self, name) < 1
        ]
        if self.depthwise_lanes < 0:
            faults.append(Fault("loop tile.depthwise_lanes", f"is {self.depthwise_lanes}", "0 or more"))
        if self.bits not in DSP_OF_BITS:
            faults.append(Fault("loop tile.bits", f"is {self.bits}", ", ".join(map(str, DSP_OF_BITS))))
        if faults:
            raise SpecError(faults)

    @property
    def dsp(self) -> int:
        """Multiplier blocks."""
        return (self.tm * self.tn + self.depthwise_lanes) * DSP_OF_BITS[self.bits]

    @property
    def port_bits(self) -> int:
        """Of the memory interface."""
        return (self.weight_ports + self.input_ports + self.output_ports) * self.bits

    @property
    def lut(self) -> int:
        """Adders: each product is added once, in twice the width of a word."""
        return (self.tm * self.tn + self.depthwise_lanes) * 2 * self.bits

    def bram18(self, layers: Sequence[Layer]) -> int:
        """Blocks of 18 Kb for a network; the depthwise engine has buffers of its own, a bank of each a lane."""
        layers = convolutions(layers)
        dense = max((item.R * item.S for item in layers if not item.is_depthwise), default=1)
        blocks = bram18(self.tm, self.tn, self.tr, self.tc, dense, self.bits)
        if self.depthwise_lanes:
            taps = max((item.R * item.S for item in layers if item.is_depthwise), default=1)
            own = bram18(1, 1, self.tr, self.tc, taps, self.bits)
            blocks += self.depthwise_lanes * own
        return blocks

    def broken(self, layers: Sequence[Layer], board: Board) -> tuple[Infeasible, ...]:
        """Every limit of a board that a network on this accelerator exceeds, and operators that it lacks."""
        out = [
            *broken_bounds(
                (
                    Bound("DSP", self.dsp, board.dsp, "blocks", "smaller tm, tn or depthwise_lanes"),
                    Bound("BRAM18", self.bram18(layers), board.bram18, "blocks", "smaller tm, tn, tr or tc"),
                    Bound("LUT", self.lut, board.lut, "tables", "smaller tm or tn"),
                    Bound("port", self.port_bits, board.port_bits, "bits", "fewer ports"),
                )
            )
        ]
        lacking = [item.name for item in layers if not _runs(item.op.spec)]
        if not self.depthwise_lanes:
            lacking += [item.name for item in convolutions(layers) if item.is_depthwise]
        if lacking:
            remedy = "convolutions and linear layers only; depthwise ones need depthwise_lanes"
            out.append(Infeasible("operators", len(lacking), 0, "unsupported", remedy, lacking[0]))
        return tuple(out)

    def layer_cycles(self, layer: Layer) -> int:
        """Cycles of one convolution or linear layer.

        Raises:
            SpecError: another operator, or depthwise without an engine for it.
        """
        shape = shape_of(layer, self.extent)
        ports = (self.weight_ports, self.input_ports, self.output_ports)
        if not layer.is_depthwise:
            return layer.groups * layer_cycles(self.tm, self.tn, self.tr, self.tc, *ports, *shape)
        if not self.depthwise_lanes:
            raise SpecError(Fault(f"layer {layer.name}", "is depthwise", "depthwise_lanes above 0"))
        return self._depthwise_cycles(shape)

    def _depthwise_cycles(self, shape: tuple[int, ...]) -> int:
        """One channel in and out a lane: inputs and outputs cross the ports for all lanes, weights for all too."""
        batch, channels, _, height, width, rows, cols, down, right = shape
        lanes = self.depthwise_lanes
        tile_rows, tile_cols = min(self.tr, height), min(self.tc, width)
        pixels = -(-tile_rows // down) * -(-tile_cols // right)
        busy = min(lanes, channels)
        pace = max(
            -(-lanes * rows * cols // self.weight_ports),
            -(-busy * tile_rows * tile_cols // self.input_ports),
            rows * cols * pixels,
            -(-busy * pixels // self.output_ports),
        )
        return batch * -(-height // self.tr) * -(-width // self.tc) * -(-channels // lanes) * pace

    def latency_cycles(self, layers: Sequence[Layer]) -> int:
        """Cycles of all convolutions and linear layers, one after another.

        Raises:
            SpecError: depthwise without an engine for it.
        """
        return sum(self.layer_cycles(layer) for layer in convolutions(layers))

    def to_dict(self) -> dict[str, int | str]:
        """Plain values."""
        return {**vars(self), "extent": str(self.extent)}


def _runs(spec: OpSpec) -> bool:
    """Convolutions; beside the engines, for nothing, what passes over each channel alone."""
    return spec.convolves or spec.unit in (Unit.VECTOR, Unit.MEMORY)


def convolutions(layers: Sequence[Layer]) -> list[Layer]:
    """The layers that the formulas price."""
    return [layer for layer in layers if layer.op.spec.convolves]


def shape_of(layer: Layer, extent: Extent) -> tuple[int, int, int, int, int, int, int, int, int]:
    """(batch, filters, channels, height, width, filter rows, filter columns, strides) as the formulas take them.

    Filters and channels are of one group; of a depthwise layer, filters are its channels. Height and width are the
    outputs' times the stride: the padded input less what the last window overhangs.

    Raises:
        SpecError: an operator that the engines lack.
    """
    if not layer.op.spec.convolves:
        raise SpecError(Fault(f"layer {layer.name}", f'is "{layer.op}"', "conv, linear"))
    down, right = layer.stride
    grown = (down, right) if extent is Extent.INPUT else (1, 1)
    filters = layer.groups if layer.is_depthwise else layer.K
    size = (layer.P * grown[0], layer.Q * grown[1])
    return layer.N, filters, layer.C, *size, layer.R, layer.S, down, right


def shapes_of(layers: Sequence[Layer], extent: Extent) -> list[tuple[tuple[int, ...], int]]:
    """Distinct dense shapes, each with how often it runs.

    Raises:
        SpecError: a depthwise layer, which the dense engine does not run.
    """
    counted: dict[tuple[int, ...], int] = {}
    for layer in convolutions(layers):
        if layer.is_depthwise:
            raise SpecError(Fault(f"layer {layer.name}", "is depthwise", "dense convolutions"))
        shape = shape_of(layer, extent)
        counted[shape] = counted.get(shape, 0) + layer.groups
    return list(counted.items())


def fill(machine: LoopTile, layers: Sequence[Layer], board: Board) -> float:
    """Largest share of a board's resource that is taken."""
    pairs: Sequence[tuple[int, int]] = (
        (machine.dsp, board.dsp),
        (machine.bram18(layers), board.bram18),
        (machine.lut, board.lut),
        (machine.port_bits, board.port_bits),
    )
    return max(taken / bound for taken, bound in pairs)
