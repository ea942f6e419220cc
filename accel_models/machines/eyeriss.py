"""Eyeriss (Chen 2017, JSSC 52-1), a row-stationary chip: its resources, its mapspace, and what a mapping costs.

A PE multiplies a row of a filter with a row of an input; ``R`` PEs one below the other make a row of outputs, ``e``
columns of them ``e`` rows: a *set*. A set holds ``p`` filters and ``q`` channels at a time; of the sets side by side,
``t`` hold other filters and ``r`` other channels, whose sums are added on the way up. One *pass* makes ``e`` rows of
partial sums of ``p t`` filters and ``n`` images from ``q r`` channels; sums of ``m`` filters wait in the global buffer
for the next pass over channels (Chen 2017, table III). In words::

    buffer    = n (m e F + q r rows W)       <= global buffer
    sums      = outputs * passes over C      each read and written once a pass
    inputs    = every pass's rows, padding included
    compute   = passes * (n p F (q S + 1) + p q S R r t / 4)
    cycles    = max(compute, (sums + inputs) / 4)

Each product takes a cycle of a PE, each sum from the PE below one more (an inference: it explains why no layer reaches
its PEs' peak), and the filters of a pass come in through the 64-bit bus before it. The buffer has a 64-bit port each
way, so its reads bound a layer, never its writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from accel_models.report import Infeasible
from mappings.errors import Fault, SpecError
from mappings.layer import Layer, Op
from mappings.mapspace import divisors


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
        buffer_words: accesses of inputs and partial sums.
        dram_inputs, dram_weights, dram_outputs: words, uncompressed.
        energy: relative to a MAC (Chen 2016: DRAM 200, buffer 6, array 2, register 1).
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

    def dram_words(self, zeros_in: float = 0.0, zeros_out: float = 0.0) -> float:
        """Words moved when inputs and outputs are run-length coded: three (run, value) pairs in 64 bits.

        Args:
            zeros_in, zeros_out: fraction of the inputs, of the outputs that is zero.
        """
        inputs, outputs = (min(1.0, (1 - zeros) * 64 / 48) for zeros in (zeros_in, zeros_out))
        return self.dram_inputs * inputs + self.dram_weights + self.dram_outputs * outputs


@dataclass(frozen=True)
class Eyeriss:
    """The chip's resources.

    Attributes:
        rows, columns: of PEs.
        clock_hz: of the core.
        input_words, filter_words, sum_words: scratchpads of a PE.
        buffer_words: of the global buffer that inputs and partial sums share. The chip has 108 KB, 100 KB of them said
            to be for these; the buffer accesses measured on VGG-16 need 104.8 to 105.1 KB. One figure for all layers.
        port_words: of the buffer's 64-bit ports, and of the bus that brings filters.
        filters: that work at a time, ``p t``, before anything else is asked: two sets of 16.
    """

    rows: int = 12
    columns: int = 14
    clock_hz: int = 200_000_000
    input_words: int = 12
    filter_words: int = 224
    sum_words: int = 24
    buffer_words: int = 105 * 512
    port_words: int = 4
    filters: int = 32

    def sets(self, layer: Layer, e: int) -> int:
        """Sets of ``e`` output rows that the array holds; a wide one is folded, segments one below the other."""
        high = self.rows // layer.R
        if e <= self.columns:
            return high * (self.columns // e)
        return high // -(-e // self.columns)

    def mapspace(self, layer: Layer) -> Iterator[RowStationary]:
        """All mappings that divide filters, channels and images evenly and fit the scratchpads and the array.

        Raises:
            SpecError: the layer is no convolution that the chip runs.
        """
        too_large = max(layer.R / self.rows, layer.S / self.input_words) > 1
        if layer.op is not Op.CONV or too_large or layer.dilation != (1, 1):
            raise SpecError(
                Fault(f"eyeriss: layer {layer.name}", "is not supported", f"convolution of at most {self.rows} rows")
            )
        widest = self.columns * (self.rows // layer.R)
        for e in range(1, min(layer.P, widest) + 1):
            sets = self.sets(layer, e)
            for q in divisors(layer.C, self.input_words // layer.S):
                for p in divisors(layer.K, min(self.sum_words, self.filter_words // (q * layer.S))):
                    for r in divisors(layer.C // q, sets):
                        for t in divisors(layer.K // p, sets // r):
                            for n in divisors(layer.N):
                                for groups in divisors(layer.K // (p * t)):
                                    yield RowStationary(n, p * t * groups, e, p, q, r, t)

    def fits(self, layer: Layer, mapping: RowStationary) -> bool:
        """Whether partial sums and inputs fit the global buffer."""
        return self.held_words(layer, mapping) <= self.buffer_words

    def held_words(self, layer: Layer, mapping: RowStationary) -> int:
        """Words of the global buffer that a mapping takes."""
        sums = mapping.m * mapping.e * layer.Q
        inputs = mapping.q * mapping.r * self._rows_in(layer, mapping.e) * self._columns_in(layer)
        return mapping.n * (sums + inputs)

    @staticmethod
    def _rows_in(layer: Layer, e: int) -> int:
        return (e - 1) * layer.stride[0] + layer.R

    @staticmethod
    def _columns_in(layer: Layer) -> int:
        return (layer.Q - 1) * layer.stride[1] + layer.S

    def cost(self, layer: Layer, mapping: RowStationary) -> EyerissCost | Infeasible:
        """Cost of a mapped layer, or the bound that it breaks."""
        held = self.held_words(layer, mapping)
        if held > self.buffer_words:
            return Infeasible(
                "global buffer", 2 * held, 2 * self.buffer_words, "bytes", "fewer filters, rows or channels", layer.name
            )
        strips = -(-layer.P // mapping.e)
        channels = -(-layer.C // (mapping.q * mapping.r))
        blocks = -(-layer.K // mapping.m)  # of filters, for each of which the inputs come from DRAM
        groups = -(-layer.K // (mapping.p * mapping.t))  # of filters, for each of which they come from the buffer
        batches = layer.groups * -(-layer.N // mapping.n)
        rows_in = (layer.P - strips) * layer.stride[0] + strips * layer.R  # of all strips, the last one may be narrow
        passes = batches * strips * groups * channels
        outputs = layer.elements["O"]
        sums = outputs * channels
        inputs = layer.groups * layer.N * layer.C * rows_in * self._columns_in(layer) * groups
        steps = passes * mapping.n * mapping.p * layer.Q * mapping.q * layer.S
        filters = mapping.p * mapping.q * layer.S * layer.R * mapping.r * mapping.t
        adds = passes * mapping.n * mapping.p * layer.Q
        compute = steps + adds + passes * filters / self.port_words
        fetched = layer.H + (strips - 1) * max(0, layer.R - layer.stride[0])
        turns = batches // layer.groups * strips  # of images and rows, for each of which the filters come anew
        if channels == 1 and mapping.m == mapping.p * mapping.t:
            turns = 1  # ... unless all of a block's are in the scratchpads
        if channels == strips == batches // layer.groups == 1:
            blocks = 1  # the buffer holds all inputs of a group
        dram_inputs = layer.groups * layer.N * layer.C * fetched * layer.W_in * blocks
        dram_weights = layer.elements["W"] * turns
        energy = (
            200 * (dram_inputs + dram_weights + outputs)
            + 6 * (2 * sums + inputs + dram_inputs)
            + 2 * (2 * sums + inputs + passes * filters)
        )
        return EyerissCost(
            cycles=max(compute, (sums + inputs) / self.port_words),
            compute_cycles=compute,
            steps=steps,
            active_pes=layer.R * mapping.e * mapping.r * mapping.t,
            buffer_words=2 * sums + inputs,
            dram_inputs=dram_inputs,
            dram_weights=dram_weights,
            dram_outputs=outputs,
            energy=float(energy),
        )

    def best(self, layer: Layer) -> tuple[RowStationary, EyerissCost] | Infeasible:
        """The mapping that the chip's configuration rule chooses, by exhaustive search; one rule for all layers.

        First the filters at work (up to ``filters``), then the fewest strips of output rows, then the most PEs, then
        the least energy. This reproduces what is published of the chip's own configurations (PEs at work, buffer
        accesses); the paper does not state the rule.

        Raises:
            SpecError: the layer is no convolution that the chip runs.
        """
        best: tuple[tuple[float, ...], RowStationary, EyerissCost] | None = None
        for mapping in self.mapspace(layer):
            busy = layer.R * mapping.e * mapping.r * mapping.t
            head = (-min(self.filters, mapping.p * mapping.t), -(-layer.P // mapping.e), -busy)
            if (best is not None and head > best[0][:3]) or not self.fits(layer, mapping):
                continue
            cost = self.cost(layer, mapping)
            if isinstance(cost, Infeasible):
                continue
            key = (*head, cost.energy)
            if best is None or key < best[0]:
                best = (key, mapping, cost)
        if best is None:
            least = RowStationary(1, 1, 1, 1, 1, 1, 1)
            return Infeasible(
                "global buffer",
                2 * self.held_words(layer, least),
                2 * self.buffer_words,
                "bytes",
                "a narrower layer",
                layer.name,
            )
        return best[1], best[2]


EYERISS = Eyeriss()
