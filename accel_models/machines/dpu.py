"""A deep-learning processor on an FPGA: Xilinx' DPUCZDX8G (product guide PG338, 4.1), one core, one image.

Two engines work on feature maps that stay on chip. The convolution engine multiplies ``PP`` pixels of a row by ``ICP``
input and ``OCP`` output channels a cycle; the ALU does depthwise convolution, pooling and elementwise operators on
``PP / 2`` pixels of ``ICP`` channels, one filter tap a cycle. Both are ``Accelerator``s: their cycles and what a layer
reads from DRAM are the general engine's, for one fixed dataflow each. The machine adds what a layer costs besides::

    cycles = steps + (I + O) / image port + W / weight stream + layer overhead   (+ excitation, + spill: see Dpu)

The parts follow one another: an instruction stream of loads, work and saves, too short in a mobile network to overlap.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from accel_models.accelerator import Accelerator, MemoryKind, MemoryLevel
from accel_models.evaluate import evaluate
from accel_models.report import Infeasible
from mappings.directives import Cluster, Directive, SpatialMap, TemporalMap
from mappings.errors import Fault, SpecError
from mappings.layer import Layer, Op
from mappings.mapping import Mapping
from mappings.workload import Workload

ALU_OPS = frozenset({Op.MAXPOOL, Op.AVGPOOL, Op.ADD, Op.MUL})
ARRAY_OPS = frozenset({Op.CONV, Op.LINEAR})


@dataclass(frozen=True)
class DpuWork:
    """What one layer asks of the processor, before any of it is priced.

    Attributes:
        step_cycles: stall-free cycles of its engine.
        map_bytes: feature map elements read and written on chip.
        weight_bytes: weights read from DRAM.
        excited_channels: channels of a sigmoid.
        spilled: elements times columns of a map averaged as a whole that does not fit on chip.
    """

    step_cycles: int
    map_bytes: int
    weight_bytes: int
    excited_channels: int
    spilled: int


@dataclass(frozen=True)
class Dpu:
    """A configuration of the processor and the board around it.

    The first group is published, the second was fitted to half of 5,136 networks measured on a ZCU102 and checked on
    the other half (``benchmarks/dpu_rank.py``): five figures for all networks and layers, none for any one of them.

    Attributes:
        name: display name.
        clock_hz: of the core.
        pixels: ``PP``, output pixels of a row side by side in the convolution engine.
        channels: ``ICP`` = ``OCP``, input and output channels side by side; also the channels of a word.
        alu_pixels: pixels side by side in the ALU.
        image_bytes: on-chip feature map memory that one operand may take: 8 banks of 2,048 words of ``ICP`` bytes.
        weight_bytes_per_cycle: what the two 128-bit DRAM ports (32 bytes a cycle) deliver of weights.
        layer_cycles: to fetch and start a layer's instructions.
        run_cycles: to start the core, hand over the image and take the result.
        excitation_cycles: for each channel of a sigmoid, which the engines do not have.
        spill_cycles: for each element and each column of a map that is averaged as a whole but exceeds
            ``image_bytes``. That such maps cost two to four times as much is measured; why it grows with the row is not
            published.
    """

    name: str
    clock_hz: int
    pixels: int
    channels: int
    alu_pixels: int
    image_bytes: int
    weight_bytes_per_cycle: float
    layer_cycles: float
    run_cycles: float
    excitation_cycles: float
    spill_cycles: float

    @cached_property
    def array(self) -> Accelerator:
        """The convolution engine: pixels, and below each of them input x output channels."""
        return self._engine("array", self.pixels, (self.channels, self.channels))

    @cached_property
    def alu(self) -> Accelerator:
        """The engine of everything without a sum over channels."""
        return self._engine("alu", self.alu_pixels, (self.channels,))

    def _engine(self, name: str, pixels: int, lanes: tuple[int, ...]) -> Accelerator:
        return Accelerator(
            f"{self.name} {name}",
            (
                MemoryLevel("DRAM", None, MemoryKind.DRAM),
                MemoryLevel("IMG", None, fanout=(pixels,)),  # its bound is `image_bytes`, a matter of time, not of fit
                MemoryLevel("LANES", None, MemoryKind.REGISTER, fanout=lanes),
            ),
            self.clock_hz,
            source="PG338 4.1",
        )

    def engine_for(self, layer: Layer) -> Accelerator:
        """The engine that runs a layer.

        Raises:
            SpecError: neither does.
        """
        if layer.op in ALU_OPS or layer.is_depthwise:
            return self.alu
        if layer.op in ARRAY_OPS:
            return self.array
        allowed = ", ".join(sorted(ALU_OPS | ARRAY_OPS))
        raise SpecError(Fault(f"{self.name}: layer {layer.name}", f'operator "{layer.op}" is not supported', allowed))

    def mapping(self, layer: Layer) -> Mapping:
        """The fixed dataflow: pixels of a row, and channels, side by side; rows, words and taps one after another."""
        engine = self.engine_for(layer)
        lanes = engine.levels[-1].units
        words = {"G": self.channels} if engine is self.alu else {"K": self.channels, "C": self.channels}
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
        work = self.work_of(layer)
        return (
            work.step_cycles
            + work.map_bytes / (self.pixels * self.channels)
            + work.weight_bytes / self.weight_bytes_per_cycle
            + work.excited_channels * self.excitation_cycles
            + work.spilled * self.spill_cycles
            + self.layer_cycles
        )

    def latency_cycles(self, workload: Workload) -> float:
        """Cycles of one run, layer after layer.

        Raises:
            SpecError: an operator that the processor does not have.
        """
        return self.run_cycles + sum(self.layer_latency_cycles(layer) for layer in workload.layers)


@lru_cache(maxsize=65536)
def _work(machine: Dpu, layer: Layer) -> DpuWork:
    cost = evaluate(layer, machine.mapping(layer), machine.engine_for(layer))
    if isinstance(cost, Infeasible):
        raise SpecError(Fault(f"{machine.name}: layer {layer.name}", str(cost)))
    inputs, outputs = layer.elements["I"], layer.elements["O"]
    whole_map = layer.op is Op.AVGPOOL and layer.P == layer.Q == 1
    return DpuWork(
        step_cycles=cost.compute_cycles,
        map_bytes=inputs + outputs + (outputs if layer.op is Op.ADD else 0),  # an addition reads two maps
        weight_bytes=cost.bytes_of("DRAM", "W", "read") if layer.op in ARRAY_OPS else 0,
        excited_channels=layer.channels_out if layer.activation == "sigmoid" else 0,
        spilled=inputs * layer.W_in if whole_map and inputs > machine.image_bytes else 0,
    )


#: B4096 on a ZCU102. 281 MHz and 128-bit ports: Vitis AI's reference design for that board.
ZCU102_B4096 = Dpu(
    name="DPUCZDX8G B4096, ZCU102",
    clock_hz=281_000_000,
    pixels=8,
    channels=16,
    alu_pixels=4,
    image_bytes=8 * 2048 * 16,
    weight_bytes_per_cycle=20.0,
    layer_cycles=360.0,
    run_cycles=90_000.0,
    excitation_cycles=35.0,
    spill_cycles=0.0057,
)
