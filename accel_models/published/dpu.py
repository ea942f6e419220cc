"""Deep-learning processors on FPGAs: Xilinx' DPUCZDX8G (guide PG338) and DPUCVDX8G (guide PG389), one image a core.

Two engines work on feature maps that stay on chip. The convolution array multiplies ``PP`` pixels of a row by ``ICP``
input and ``OCP`` output channels a cycle; the ALU does depthwise convolution, pooling and elementwise operators on
``PP`` (half of it in the smaller processor) pixels of ``ICP`` channels, one filter tap a cycle. In the DPUCVDX8G the
array is a group of AI engines with a clock of their own, and six images run side by side on engines of their own with
the same weights, so that the latency of a batch is that of an image. Both engines are ``Accelerator``s: their cycles
and what a layer reads from DRAM are the general engine's, for one fixed dataflow each. The machine adds what a layer
costs besides::

    array    = max(steps, I / PP ICP, O / PP ICP)    inputs come from one group of banks, outputs go to the other
    ALU      = steps + (I + O) / (its pixels * ICP)
    cycles   = array or ALU + W / DRAM + layer overhead   (+ excitation, + spilled maps: see Dpu)

Engines and DRAM follow one another: an instruction stream of loads, work and saves, too short in a mobile network to
overlap.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from accel_models.hardware.accelerator import Accelerator, MemoryKind, MemoryLevel
from accel_models.report import Infeasible
from accel_models.reuse.evaluate import evaluate
from mappings.directives import Cluster, Directive, SpatialMap, TemporalMap
from mappings.errors import Fault, SpecError
from mappings.layer import Layer, Op
from mappings.mapping import Mapping
from mappings.operators import SecondOperand
from mappings.workload import Workload

ALU_OPS = frozenset({Op.MAXPOOL, Op.AVGPOOL, Op.ADD, Op.MUL})


@dataclass(frozen=True)
class DpuWork:
    """What one layer asks of the processor, before any of it is priced.

    Attributes:
        array_steps, alu_steps: stall-free cycles of either engine; the other's is 0.
        input_bytes, output_bytes: feature map elements read and written on chip.
        weight_bytes: weights read from DRAM.
        excited_channels: channels of a sigmoid.
        spilled_bytes: of a map that is averaged as a whole but does not fit on chip, so that it comes from DRAM.
        spilled_runs: consecutive pieces of it: a pixel's channels, as many as fit at a time.
    """

    array_steps: int
    alu_steps: int
    input_bytes: int
    output_bytes: int
    weight_bytes: int
    excited_channels: int
    spilled_bytes: int
    spilled_runs: int


@dataclass(frozen=True)
class Dpu:
    """A configuration of the processor and the board around it; cycles are those of ``clock_hz``.

    Attributes:
        name: display name.
        clock_hz: of everything but the array.
        array_clock_hz: of the array.
        array_efficiency: of the array at best: products a cycle over multipliers.
        pixels: ``PP``, output pixels of a row side by side in the array, and banks that hold the rows of a map in turn.
        channels_in, channels_out: ``ICP``, ``OCP``, side by side in the array; ``ICP`` is also the channels of a word.
        alu_pixels: pixels side by side in the ALU.
        bank_words: words of one bank of the feature map memory.
        dram_bytes_per_cycle: of weights, and of maps that do not stay on chip.
        run_cycles: to begin another run of consecutive addresses in DRAM.
        layer_cycles: to fetch and start a layer's instructions.
        start_cycles: to start the core, hand over the image and take the result.
        excitation_cycles: for each channel of a sigmoid. That it costs so much is measured, not published.
    """

    name: str
    clock_hz: int
    array_clock_hz: int
    array_efficiency: float
    pixels: int
    channels_in: int
    channels_out: int
    alu_pixels: int
    bank_words: int
    dram_bytes_per_cycle: float
    run_cycles: float
    layer_cycles: float
    start_cycles: float
    excitation_cycles: float

    @cached_property
    def array(self) -> Accelerator:
        """The convolution engine: pixels, and below each of them input x output channels."""
        return self._engine("array", self.pixels, (self.channels_out, self.channels_in))

    @cached_property
    def alu(self) -> Accelerator:
        """The engine of everything without a sum over channels."""
        return self._engine("alu", self.alu_pixels, (self.channels_in,))

    def _engine(self, name: str, pixels: int, lanes: tuple[int, ...]) -> Accelerator:
        return Accelerator(
            f"{self.name} {name}",
            (
                MemoryLevel("DRAM", None, MemoryKind.DRAM),
                MemoryLevel("IMG", None, fanout=(pixels,)),  # its bound is `bank_words`, a matter of time, not of fit
                MemoryLevel("LANES", None, MemoryKind.REGISTER, fanout=lanes),
            ),
            self.clock_hz,
            source="PG338 4.1, PG389 1.3",
        )

    def engine_for(self, layer: Layer) -> Accelerator:
        """The engine that runs a layer.

        Raises:
            SpecError: neither does.
        """
        if layer.op in ALU_OPS or layer.is_depthwise:
            return self.alu
        if layer.op.spec.convolves:
            return self.array
        allowed = ", ".join(sorted(ALU_OPS | {op for op in Op if op.spec.convolves}))
        raise SpecError(Fault(f"{self.name}: layer {layer.name}", f'operator "{layer.op}" is not supported', allowed))

    def mapping(self, layer: Layer) -> Mapping:
        """The fixed dataflow: pixels of a row, and channels, side by side; rows, words and taps one after another."""
        engine = self.engine_for(layer)
        lanes = engine.levels[-1].units
        words = {"G": self.channels_in} if engine is self.alu else {"K": self.channels_out, "C": self.channels_in}
        words = {dim: min(size, layer.bounds[dim]) for dim, size in words.items()}
        outer: list[Directive] = [TemporalMap(dim, size) for dim, size in words.items()]
        outer += [TemporalMap(dim, 1) for dim in "GNKCPRS" if dim not in words]
        return Mapping(
            (
                Cluster(engine.pes),
                *outer,
                SpatialMap("Q", 1),
                Cluster(lanes),
                *(SpatialMap(dim, 1) for dim in words),
            )
        )

    def work_of(self, layer: Layer) -> DpuWork:
        """What one layer asks of the processor; equal layers of many networks are evaluated once.

        Raises:
            SpecError: an operator that the processor does not have.
        """
        return _work(self, replace(layer, name="", inputs=()))

    def layer_latency_cycles(self, layer: Layer) -> float:
        """Cycles of one layer.

        Raises:
            SpecError: an operator that the processor does not have.
        """
        return self.work_cycles(self.work_of(layer))

    def work_cycles(self, work: DpuWork) -> float:
        """Cycles of what one layer asks."""
        return (
            self.published_cycles(work)
            + (work.weight_bytes + work.spilled_bytes) / self.dram_bytes_per_cycle
            + work.spilled_runs * self.run_cycles
            + work.excited_channels * self.excitation_cycles
            + self.layer_cycles
        )

    def published_cycles(self, work: DpuWork) -> float:
        """The part of the cycles that needs no figure but those of the product guide: engines and image ports."""
        if work.alu_steps:
            return work.alu_steps + (work.input_bytes + work.output_bytes) / (self.alu_pixels * self.channels_in)
        steps = work.array_steps * self.clock_hz / self.array_clock_hz / self.array_efficiency
        return max(steps, max(work.input_bytes, work.output_bytes) / (self.pixels * self.channels_in))

    def latency_ms(self, workload: Workload) -> float:
        """Milliseconds of one run.

        Raises:
            SpecError: an operator that the processor does not have.
        """
        return self.latency_cycles(workload) / self.clock_hz * 1e3

    def latency_cycles(self, workload: Workload) -> float:
        """Cycles of one run, layer after layer.

        Raises:
            SpecError: an operator that the processor does not have.
        """
        return self.start_cycles + sum(self.layer_latency_cycles(layer) for layer in workload.layers)


@lru_cache(maxsize=65536)
def _work(machine: Dpu, layer: Layer) -> DpuWork:
    cost = evaluate(layer, machine.mapping(layer), machine.engine_for(layer))
    if isinstance(cost, Infeasible):
        raise SpecError(Fault(f"{machine.name}: layer {layer.name}", str(cost)))
    inputs, outputs = layer.elements["I"], layer.elements["O"]
    on_array = layer.op.spec.convolves and not layer.is_depthwise
    runs = _spilled_runs(machine, layer)
    return DpuWork(
        array_steps=cost.compute_cycles if on_array else 0,
        alu_steps=0 if on_array else cost.compute_cycles,
        input_bytes=inputs
        + (outputs if layer.op.spec.second is SecondOperand.ADDED else 0),  # an addition reads two maps
        output_bytes=outputs,
        weight_bytes=cost.bytes_of("DRAM", "W", "read") if layer.op.spec.convolves else 0,
        excited_channels=layer.channels_out if layer.activation == "sigmoid" else 0,
        spilled_bytes=inputs if runs else 0,
        spilled_runs=runs,
    )


def _spilled_runs(machine: Dpu, layer: Layer) -> int:
    """Runs of DRAM addresses of a map that is averaged as a whole; 0 where it fits on chip.

    An average needs all pixels of a channel at once. Channels lie side by side in DRAM, so that a part of the channels
    is one short run a pixel.
    """
    if layer.op is not Op.AVGPOOL or layer.P * layer.Q > 1:
        return 0
    words = -(-layer.channels_out // machine.channels_in)
    words_at_once = max(1, machine.bank_words // (-(-layer.H // machine.pixels) * layer.W_in))
    return 0 if words <= words_at_once else layer.N * layer.H * layer.W_in * -(-words // words_at_once)


#: B4096 on a ZCU102. Published: 281 MHz (Vitis AI's reference design), 8 x 16 x 16 products a cycle, 8 banks of 2,048
#: words a map, an ALU of half the pixels (PG338). The last five figures were fitted to 5,136 measured networks, the
#: same for all of them; ``benchmarks/dpu_rank.py`` refits them on halves.
ZCU102_B4096 = Dpu(
    name="DPUCZDX8G B4096, ZCU102",
    clock_hz=281_000_000,
    array_clock_hz=281_000_000,
    array_efficiency=1.0,
    pixels=8,
    channels_in=16,
    channels_out=16,
    alu_pixels=4,
    bank_words=2048,
    dram_bytes_per_cycle=20.5,
    run_cycles=9.2,
    layer_cycles=300.0,
    start_cycles=96_000.0,
    excitation_cycles=34.0,
)

#: C32B6 on a VCK190, from what is published; nothing was fitted to this board. 32 AI engines an image at 1.25 GHz, 128
#: products each (PG389 1.3: 10.24 TOPS), three quarters of that after the losses of the AI engines' compiler (UG1354
#: 2.5, of the same engines on a VCK5000), 333 MHz for the rest, 16 banks of 128 KB (PG389) in two groups, one a map,
#: and the ALU's pixels from the configuration's fingerprint (0x603000b56011861, as Vitis AI's target factory reads it);
#: 25.6 GB/s of a 64-bit DDR4-3200. Not published, and taken from the ZCU102: the time to begin a run in DRAM, and the
#: cycles to start a layer, a network and a sigmoid's channel. Of the vendor's throughputs (Vitis AI 2.5 model zoo, six
#: images at a time) it meets EfficientNet-B0 within 6 % and MobileNetV2 1.4 within 10 %; it is 50 % high on ResNets,
#: whose weights are loaded during work, not before it.
VCK190_C32B6 = Dpu(
    name="DPUCVDX8G C32B6, VCK190",
    clock_hz=333_000_000,
    array_clock_hz=1_250_000_000,
    array_efficiency=0.75,
    pixels=8,
    channels_in=16,
    channels_out=32,
    alu_pixels=8,
    bank_words=8192,
    dram_bytes_per_cycle=76.9,
    run_cycles=10.9,
    layer_cycles=300.0,
    start_cycles=96_000.0,
    excitation_cycles=34.0,
)

#: Descriptions by the name of their board.
BOARDS = {"zcu102": ZCU102_B4096, "vck190": VCK190_C32B6}
