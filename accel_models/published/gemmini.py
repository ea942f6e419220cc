"""Gemmini (Genc 2021): a weight-stationary systolic array with its own DMA engine, on a Rocket tile with an L2 cache.

A layer runs as tiles of the scratchpad, the outermost level of its mapping; a hardware loop sequencer unrolls each tile
into commands. From the mapping come the tile, the order of the tiles and the blocks of 16 x 16 weights; the loops
below the scratchpad only size the tile: the sequencer's own order inside it is fixed. For each tile::

    compute = blocks * (1 + sum over pieces of 16 output pixels of max(n, 6 + n / 2))
    load    = for I and for W: max(DMA requests * 5.5, missing lines * 7.1 + missing runs * 12)
    store   = DMA requests of 16 bytes
    layer   = (tiles - 1) * max(compute, load, store) + compute + load + store

Every tile is loaded anew (the sequencer keeps nothing from tile to tile), but what the L2 still holds does not come
from DRAM. Pixels of a piece lie along P; a piece of fewer than 12 is bound by the issue of its commands, not by the
array, unless they are issued while a full piece before it runs. Rows of less than a beat of the bus (one input channel,
two output channels) fall into the same cache line one after another, and each waits for the one before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from accel_models.hardware.accelerator import Accelerator, MemoryKind, MemoryLevel
from accel_models.report import Infeasible
from accel_models.reuse.lower import lower
from accel_models.reuse.nest import Nest
from mappings.errors import Fault, SpecError
from mappings.layer import DIMS, Layer
from mappings.mapping import Mapping

#: Dims that each tensor's tile depends on.
DEPENDS = {"I": frozenset("NCPQRS"), "W": frozenset("KCRS"), "O": frozenset("NKPQ")}

Extents = dict[str, int]


@dataclass(frozen=True)
class Gemmini:
    """A configuration of the generator and the memory system around it.

    The first group is the generator's and Chipyard's defaults. The second was read off compute-bound layers (a piece
    of 4 pixels takes 8 cycles, of 6: 9, of 10: 11, of 12 or more: its pixels; 1 to 4 pixels after a full piece take 5
    to 6). The third was fitted to 111 runs under FireSim, four figures for all of them (``benchmarks/gemmini.py``
    refits them on one half and checks on the other).

    Attributes:
        mesh: rows and columns of the array; also pixels of a piece.
        request_bytes: largest load of the DMA engine.
        store_bytes: largest store: one row of the array's outputs; also the bus, so a store takes a cycle.
        l2_bytes: Chipyard's shared cache; ``line_bytes`` each line.
        piece_cycles, pixel_cycles: to issue the commands of a piece, and for each pixel of it.
        tail_cycles: least for a piece that follows a full one.
        block_cycles: for each block of weights: the swap of the weight registers.
        request_cycles: for each load; 64 bytes in 5.5 cycles, of the 4 that the bus alone would take.
        line_cycles: for each line that comes from DRAM; 64 bytes in 7.1 cycles.
        run_cycles: for each run of consecutive bytes that comes from DRAM: a new row of a bank to open.
        short_cycles: for each load or store of less than a beat (``store_bytes``): the L2's answer, since the next such
            row is of the same line.
    """

    mesh: int = 16
    request_bytes: int = 64
    store_bytes: int = 16
    l2_bytes: int = 512 * 1024
    line_bytes: int = 64
    piece_cycles: float = 6.0
    pixel_cycles: float = 0.5
    tail_cycles: float = 5.5
    block_cycles: float = 1.0
    request_cycles: float = 5.5
    line_cycles: float = 7.1
    run_cycles: float = 12.2
    short_cycles: float = 33.0

    @cached_property
    def accelerator(self) -> Accelerator:
        """The hierarchy that mappings speak of; DOSA sizes its memories to the mapping, so they are unbounded here."""
        return Accelerator(
            "gemmini",
            (
                MemoryLevel("DRAM", None, MemoryKind.DRAM),
                MemoryLevel("SP", None, tensors=("I", "W"), fanout=(self.mesh,)),
                MemoryLevel("ACC", None, tensors=("O",), fanout=(self.mesh,)),
                MemoryLevel("PE", None, MemoryKind.REGISTER, tensors=("W",)),
            ),
            1_000_000_000,
            source="Genc 2021 (DAC), default configuration",
        )

    def latency_cycles(self, layer: Layer, mapping: Mapping) -> float:
        """Cycles of a layer.

        Raises:
            SpecError: the mapping is not one of this layer and array, or the layer is no plain convolution.
        """
        return self.total_cycles(self.work(layer, mapping))

    def total_cycles(self, work: TileWork) -> float:
        """Cycles of a layer whose average tile asks for ``work``; tiles overlap but for the first and the last."""
        load = self.load_cycles(work)
        store = work.stores * (self.short_cycles if work.short_stores else 1.0)
        longest = max(work.compute_cycles, load, store)
        return (work.tiles - 1) * longest + work.compute_cycles + load + store

    def load_cycles(self, work: TileWork) -> float:
        """Cycles to load an average tile: the slower of DMA and DRAM for each tensor, one tensor after the other."""
        return sum(
            max(
                part.requests * (self.short_cycles if part.short else self.request_cycles),
                part.missing_lines * self.line_cycles + part.missing_runs * self.run_cycles,
            )
            for part in (work.inputs, work.weights)
        )

    def work(self, layer: Layer, mapping: Mapping) -> TileWork:
        """What an average tile of the scratchpad asks of array and memory.

        Raises:
            SpecError: the mapping is not one of this layer and array, or the layer is no plain convolution.
        """
        if not layer.op.spec.convolves or layer.groups != 1 or layer.dilation != (1, 1):
            allowed = "convolution or linear, one group, no dilation"
            raise SpecError(Fault(f"gemmini: layer {layer.name}", "is not supported", allowed))
        nest = lower(layer, mapping, self.accelerator)
        if isinstance(nest, Infeasible):
            raise SpecError(Fault(f"gemmini: layer {layer.name}", str(nest)))
        tile = {dim: nest.chains[index][0] for index, dim in enumerate(DIMS)}
        trips = {dim: -(-layer.bounds[dim] // tile[dim]) for dim in DIMS}
        tiles = math.prod(trips.values())
        loads = {}
        for tensor in ("I", "W"):
            requests, _, runs = self._access(tensor, layer, tile)
            held = self._lines(tensor, layer, tile)
            missing = self._missing_lines(tensor, nest, tile, trips) / tiles
            short = tile["K" if tensor == "W" else "C"] < self.store_bytes
            loads[tensor] = Load(requests, missing, missing * runs / held, short)
        stores = tile["N"] * tile["P"] * tile["Q"] * -(-tile["K"] // self.store_bytes)
        stored = math.prod(trips[dim] for dim in DEPENDS["O"])
        return TileWork(
            tiles, self._compute(tile), loads["I"], loads["W"], stores * stored / tiles, tile["K"] < self.store_bytes
        )

    def _compute(self, tile: Extents) -> float:
        blocks = -(-tile["K"] // self.mesh) * -(-tile["C"] // self.mesh) * tile["R"] * tile["S"]
        whole, left = divmod(tile["P"], self.mesh)

        def piece(pixels: int) -> float:
            return max(pixels, self.piece_cycles + self.pixel_cycles * pixels) if pixels else 0.0

        tail = max(left, self.tail_cycles) if whole and left else piece(left)
        row = whole * piece(self.mesh) + tail
        return blocks * (tile["N"] * tile["Q"] * row + self.block_cycles)

    def _access(self, tensor: str, layer: Layer, tile: Extents) -> tuple[int, int, int]:
        """Requests, rows (pixels, or filters' taps of a channel) and runs of consecutive bytes of a tile."""
        if tensor == "W":
            rows = tile["C"] * tile["R"] * tile["S"]
            inner, whole = tile["K"], layer.K
            runs = tile["R"] * tile["S"] if inner == whole else rows
        else:
            height = (tile["P"] - 1) * layer.stride[0] + tile["R"]
            width = (tile["Q"] - 1) * layer.stride[1] + tile["S"]
            rows = tile["N"] * height * width
            inner, whole = tile["C"], layer.C
            runs = tile["N"] * height if inner == whole else rows
        return rows * -(-inner // self.request_bytes), rows, runs

    def _lines(self, tensor: str, layer: Layer, extents: Extents) -> int:
        """Cache lines that a part of a tensor touches; channels lie side by side in memory."""
        if tensor == "O":
            rows, inner, whole = extents["N"] * extents["P"] * extents["Q"], extents["K"], layer.K
        else:
            rows = self._access(tensor, layer, extents)[1]
            inner, whole = (extents["K"], layer.K) if tensor == "W" else (extents["C"], layer.C)
        if whole < self.line_bytes:
            return -(-rows * whole // self.line_bytes)
        return rows * -(-inner // self.line_bytes)

    def _missing_lines(self, tensor: str, nest: Nest, tile: Extents, trips: Extents) -> float:
        """Lines of a tensor that come from DRAM over the whole layer.

        From the innermost loop over tiles outwards: as long as all that one trip touches fits in the L2, the next
        trip finds what both share; once it does not, every trip brings its tiles anew.
        """
        extents = dict(tile)
        lines = float(self._lines(tensor, nest.layer, extents))
        for index in reversed(nest.orders[0]):
            dim = DIMS[index]
            if trips[dim] == 1:
                continue
            before = {x: self._lines(x, nest.layer, extents) for x in DEPENDS}
            extents[dim] = min(extents[dim] * trips[dim], nest.layer.bounds[dim])
            if sum(before.values()) * self.line_bytes > self.l2_bytes:
                lines *= trips[dim]
            elif dim in DEPENDS[tensor]:
                lines *= self._lines(tensor, nest.layer, extents) / before[tensor]
        return lines


@dataclass(frozen=True)
class Load:
    """DMA loads of one tensor's part of an average tile.

    Attributes:
        requests: to the DMA engine.
        missing_lines, missing_runs: that the L2 lacks.
        short: whether a request brings less than a beat.
    """

    requests: int
    missing_lines: float
    missing_runs: float
    short: bool


@dataclass(frozen=True)
class TileWork:
    """What an average tile of a layer asks of array and memory.

    Attributes:
        tiles: of the layer.
        compute_cycles: of the array.
        inputs, weights: loads.
        stores: DMA stores; a tile that only adds to outputs on the chip has none.
        short_stores: whether a store takes less than a beat.
    """

    tiles: int
    compute_cycles: float
    inputs: Load
    weights: Load
    stores: float
    short_stores: bool


GEMMINI = Gemmini()
