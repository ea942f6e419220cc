"""Eyeriss (Chen 2017, JSSC 52-1), a row-stationary chip: its resources, its mappings as directives, what they cost.

A PE multiplies a row of a filter with a row of an input; ``R`` PEs one below the other make a row of outputs, ``e``
columns of them ``e`` rows: a *set*. A set holds ``p`` filters and ``q`` channels at a time; of the sets side by side,
``t`` hold other filters and ``r`` other channels, whose sums are added on the way up. One *pass* makes ``e`` rows of
partial sums of ``p t`` filters and ``n`` images from ``q r`` channels; sums of ``m`` filters wait in the global buffer
for the next pass over channels (Chen 2017, table III). A mapping is written as directives on a hierarchy of DRAM,
global buffer and scratchpads: accesses, steps, space and energy are the general engine's. The chip adds::

    compute = steps + a cycle for every sum that a PE takes from the one below + filter words / 4
    cycles  = max(compute, the buffer's port cycles by the engine)

since the adder of a PE takes either a product or the sum from below, the filters of a pass come in through a 64-bit bus
before it. The buffer is read and written through a 64-bit port each. Padding is stored in it and read from it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from accel_models.hardware.accelerator import Accelerator, Buffering, MemoryKind, MemoryLevel
from accel_models.report import Infeasible, LayerCost
from accel_models.reuse.evaluate import evaluate
from mappings.directives import Cluster, SpatialMap, TemporalMap
from mappings.errors import Fault, SpecError
from mappings.layer import Bits, Layer
from mappings.mapping import Mapping

WORD_BYTES = 2
WORD_BITS = Bits(16, 16, 16, 16)


@dataclass(frozen=True)
class RowStationary:
    """Chen's mapping parameters.

    Attributes:
        n: images of a pass.
        m: filters whose partial sums wait in the global buffer.
        e: output rows of a set.
        p, q: filters and channels of a set.
        r, t: sets with other channels, with other filters.
    """

    n: int
    m: int
    e: int
    p: int
    q: int
    r: int
    t: int


@dataclass(frozen=True)
class EyerissCost:
    """What a layer costs; words are 16 bits.

    Attributes:
        cycles: of processing, DRAM apart.
        compute_cycles: of the PEs: products, additions of sums from below, loading of filters.
        steps: products of one PE.
        active_pes: at work in a full pass.
        buffer_words: reads of inputs and accesses of partial sums.
        dram_inputs, dram_weights, dram_outputs: words, uncompressed.
        energy: relative to a MAC (Chen 2016, table IV).
    """

    cycles: float
    compute_cycles: float
    steps: int
    active_pes: int
    buffer_words: int
    dram_inputs: int
    dram_weights: int
    dram_outputs: int
    energy: float

    @property
    def energy_delay(self) -> float:
        """The objective."""
        return self.energy * self.cycles

    def dram_words(self, zeros_in: float = 0.0, zeros_out: float = 0.0) -> float:
        """Words moved when inputs and outputs are run-length coded: three (run, value) pairs in 64 bits.

        Args:
            zeros_in, zeros_out: fraction of the inputs, of the outputs that is zero.
        """
        inputs, outputs = (min(1.0, (1 - zeros) * 64 / 48) for zeros in (zeros_in, zeros_out))
        return self.dram_inputs * inputs + self.dram_weights + self.dram_outputs * outputs


@dataclass(frozen=True)
class Eyeriss:
    """The chip's resources; all but the last from Chen 2017.

    Attributes:
        rows, columns: of PEs.
        clock_hz: of the core.
        input_words, filter_words, sum_words: scratchpads of a PE.
        banks, bank_words: of the 100 KB of the global buffer for inputs and partial sums: 25 memories of 512 x 64 bits;
            a bank holds one of the two. (The other 8 KB bring the filters of the next pass.)
        port_words: of the buffer's 64-bit ports, and of the bus that brings filters.
        row_words: outputs of a row times channels of a pass. No such bound is published. It is inferred from VGG-16,
            whose buffer accesses tell the channels of its passes: 1, 2, 4 and 8 at 112, 56, 28 and 14 outputs a row,
            where scratchpads and banks have room for more; any figure from 112 to 167 gives the same. Wider rows are
            cut. AlexNet stays below it.
    """

    rows: int = 12
    columns: int = 14
    clock_hz: int = 200_000_000
    input_words: int = 12
    filter_words: int = 224
    sum_words: int = 24
    banks: int = 25
    bank_words: int = 2048
    port_words: int = 4
    row_words: int = 128

    def check(self, layer: Layer) -> None:
        """Whether the chip runs a layer.

        Raises:
            SpecError: it does not.
        """
        too_large = max(layer.R / self.rows, layer.S / self.input_words) > 1
        if not (layer.op.spec.convolves and layer.op.spec.windowed) or too_large or layer.dilation != (1, 1):
            raise SpecError(
                Fault(f"eyeriss: layer {layer.name}", "is not supported", f"convolution of at most {self.rows} rows")
            )

    def sets(self, layer: Layer, e: int) -> int:
        """Sets of ``e`` output rows that the array holds; a wide one is folded, segments one below the other."""
        high = self.rows // layer.R
        if e <= self.columns:
            return high * (self.columns // e)
        return high // -(-e // self.columns)

    def row_outputs(self, layer: Layer) -> int:
        """Outputs of a row that are made together: of the fewest equal parts that keep to ``row_words``."""
        parts = -(-layer.Q // self.row_words)
        return -(-layer.Q // parts)

    def held_words(self, layer: Layer, mapping: RowStationary) -> tuple[int, int]:
        """Words of inputs (padding included) and of partial sums in the global buffer."""
        columns = self.row_outputs(layer)
        rows_in = (mapping.e - 1) * layer.stride[0] + layer.R
        inputs = mapping.q * mapping.r * rows_in * ((columns - 1) * layer.stride[1] + layer.S)
        return mapping.n * inputs, mapping.n * mapping.m * mapping.e * columns

    def banks_needed(self, layer: Layer, mapping: RowStationary) -> int:
        """Banks of the global buffer that a mapping takes."""
        return sum(-(-words // self.bank_words) for words in self.held_words(layer, mapping))

    def hierarchy(self, layer: Layer, mapping: RowStationary) -> Accelerator:
        """DRAM, global buffer (inputs and sums; filters pass it by) and scratchpads, for one grouping of the PEs.

        A scratchpad keeps the inputs that its window still covers when it slides. Energies are relative to a MAC: DRAM
        200, buffer 6, a word sent over the array 2, scratchpad 1 a word.
        """
        capacities = (("I", self.input_words), ("W", self.filter_words), ("O", self.sum_words))
        energies = {"DRAM": 200 / WORD_BYTES, "GLB": 6 / WORD_BYTES, "RF": 1 / WORD_BYTES}
        port = float(WORD_BYTES * self.port_words)
        levels = (
            MemoryLevel("DRAM", None, MemoryKind.DRAM),
            MemoryLevel(
                "GLB",
                WORD_BYTES * self.banks * self.bank_words,
                tensors=("I", "O"),
                buffering=Buffering.STREAM,
                read_bytes_per_cycle=port,
                write_bytes_per_cycle=port,
                network_pj_per_byte=2 / WORD_BYTES,
                fanout=(mapping.r * mapping.t, layer.R * mapping.e),
            ),
            MemoryLevel(
                "RF",
                tuple((tensor, WORD_BYTES * words) for tensor, words in capacities),
                MemoryKind.REGISTER,
                buffering=Buffering.STREAM,
                keeps_overlap=True,
            ),
        )
        priced = tuple(
            replace(level, read_pj_per_byte=energies[level.name], write_pj_per_byte=energies[level.name])
            for level in levels
        )
        return Accelerator("eyeriss", priced, self.clock_hz, mac_pj=1.0, source="Chen 2017 (JSSC 52-1)")

    def directives(self, layer: Layer, mapping: RowStationary) -> Mapping:
        """Blocks of filters, images, strips of rows, then channels, over the buffer; sets over the array."""
        return Mapping(
            (
                TemporalMap("G", 1),
                TemporalMap("K", mapping.m),
                TemporalMap("N", mapping.n),
                TemporalMap("P", mapping.e),
                TemporalMap("Q", self.row_outputs(layer)),
                TemporalMap("C", min(layer.C, mapping.q * mapping.r)),
                Cluster(mapping.r * mapping.t * layer.R * mapping.e),
                TemporalMap("K", min(mapping.m, mapping.p * mapping.t)),
                TemporalMap("N", 1),
                TemporalMap("Q", 1),
                SpatialMap("K", mapping.p),
                SpatialMap("C", mapping.q),
                SpatialMap("P", 1),
                SpatialMap("R", 1),
                Cluster(1),
                *(TemporalMap(dim, 1) for dim in ("K", "C", "S")),
            )
        )

    def cost(self, layer: Layer, mapping: RowStationary) -> EyerissCost | Infeasible:
        """Cost of a mapped layer, or the bound that it breaks.

        Raises:
            SpecError: the chip does not run the layer, or the parameters do not map it.
        """
        self.check(layer)
        needed = self.banks_needed(layer, mapping)
        if needed > self.banks:
            return Infeasible("global buffer", needed, self.banks, "banks", "fewer filters, rows or images", layer.name)
        words = replace(layer, bits=WORD_BITS)
        machine, directives = self.hierarchy(layer, mapping), self.directives(layer, mapping)
        found = evaluate(words, directives, machine)
        padded = evaluate(replace(words, padding=(0, 0, 0, 0)), directives, machine)  # zeros are inputs like others
        if isinstance(found, Infeasible):
            return found
        assert isinstance(padded, LayerCost), padded
        inputs = padded.bytes_of("GLB", "I", "read") // WORD_BYTES
        sums = padded.bytes_of("GLB", "O") // WORD_BYTES
        weights = found.bytes_of("DRAM", "W", "read") // WORD_BYTES
        compute = found.compute_cycles + self.additions(layer, mapping) + weights / self.port_words
        energy = found.total_energy_pj
        assert energy is not None  # the hierarchy has them all
        return EyerissCost(
            cycles=max(compute, padded.cycles),
            compute_cycles=compute,
            steps=found.compute_cycles,
            active_pes=layer.R * mapping.e * mapping.r * mapping.t,
            buffer_words=inputs + sums,
            dram_inputs=found.bytes_of("DRAM", "I", "read") // WORD_BYTES,
            dram_weights=weights,
            dram_outputs=found.bytes_of("DRAM", "O", "write") // WORD_BYTES,
            energy=energy,
        )

    @staticmethod
    def additions(layer: Layer, mapping: RowStationary) -> int:
        """Sums that a PE takes from the one below it: one for each output of each filter of each of its passes."""
        whole, left = divmod(layer.K, mapping.p * mapping.t)
        filters = whole * mapping.p + min(mapping.p, left)
        strips, channels = -(-layer.P // mapping.e), -(-layer.C // (mapping.q * mapping.r))
        return layer.groups * layer.N * strips * layer.Q * channels * filters


EYERISS = Eyeriss()
