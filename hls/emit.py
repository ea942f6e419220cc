"""The compute engine of a design as HLS C++: headers, the design's configuration, the RTL's program and memory."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from accel_models.design import Design
from accel_models.program.descriptors import program_number
from accel_models.program.image import Bytes, memory_image
from accel_models.program.parameters import parameters
from accel_models.report import Infeasible
from accel_models.schedule import RegionKind, Regions, Schedule, schedule_network
from accel_models.schedule.builder import DESCRIPTOR_BYTES
from accel_models.schedule.tensors import Span
from accel_models.template.accelerator import template_accelerator
from accel_models.template.spec import ArrayKind, Template
from mappings.errors import Fault, SpecError
from mappings.quantized import IntArray, QuantizedNetwork

INCLUDE_DIR = Path(__file__).parent / "include"
SOURCE_DIR = Path(__file__).parent / "templates"
IMAGE, PROGRAM, STATUS = "memory.bin", "program.h", "cd_status.h"
#: Header and class of each array.
ARRAYS = {
    ArrayKind.WEIGHT_STATIONARY: ("weight_stationary.h", "WeightStationary"),
    ArrayKind.OUTPUT_STATIONARY: ("output_stationary.h", "OutputStationary"),
    ArrayKind.ROW_STATIONARY: ("row_stationary.h", "RowStationary"),
    ArrayKind.CHANNEL_PARALLEL: ("channel_parallel.h", "ChannelParallel"),
    ArrayKind.LOOP_TILE: ("loop_tile.h", "LoopTile"),
}
#: Arrays of adder trees, which can make two narrow products at a time.
_TREES = (ArrayKind.CHANNEL_PARALLEL, ArrayKind.LOOP_TILE)
COMMON_HEADERS = (
    "cd_int.h",
    STATUS,
    "cd_descriptor.h",
    "cd_tile.h",
    "cd_memory.h",
    "cd_check.h",
    "cd_vector.h",
    "cd_nonlinear.h",
    "cd_drain.h",
    "cd_engine.h",
)
#: Name in ``program.h`` of what each base register holds.
_BASES = {
    RegionKind.PROGRAM: "kProgramBase",
    RegionKind.WEIGHTS: "kWeightsBase",
    RegionKind.ACTIVATIONS: "kActivationsBase",
    RegionKind.INPUT: "kInputBase",
    RegionKind.OUTPUT: "kOutputBase",
}


@dataclass(frozen=True, eq=False)
class EmittedHls:
    """What :func:`emit` wrote.

    Attributes:
        out_dir: ``*.h``, ``engine.cpp`` (for synthesis), ``main.cpp`` (C simulation), ``memory.bin`` (inputs, weights,
            parameters, program).
        network: what it was made from.
        schedule: commands and places, those of the RTL.
        image: the memory before a run.
    """

    out_dir: Path
    network: QuantizedNetwork
    schedule: Schedule
    image: Bytes

    @property
    def sources(self) -> tuple[Path, ...]:
        """The files that a compiler takes."""
        return self.out_dir / "engine.cpp", self.out_dir / "main.cpp"

    @property
    def input_span(self) -> Span:
        """First byte of the image that an input takes, and bytes to the end of the last."""
        places = [self.schedule.tensors[tensor.name] for tensor in self.schedule.workload.inputs]
        first = min(place.addr for place in places)
        ends = [place.addr + (place.images - 1) * place.image_stride + place.image_bytes for place in places]
        return first, max(ends) - first

    @property
    def tensor_bytes(self) -> int:
        """Bytes of the image that a run may change; program and constants follow."""
        by_kind = Regions(self.schedule).by_kind
        return by_kind[RegionKind.WEIGHTS].first


def comment(name: str) -> str:
    """A name from a file, fit to stand in a C++ comment: nothing in it can end the comment or the line."""
    return re.sub(r"[^A-Za-z0-9_.\-]", "_", name)[:80]


def config_header(template: Template) -> str:
    """``config.h``: the design's array and buffers."""
    header, name = ARRAYS[template.array]
    sizes = [template.rows, template.cols, template.act_bits, template.weight_bits, template.acc_bits]
    sizes.append(template.weight_packing)
    if template.array in _TREES:
        sizes.append(int(template.dual_rate))
    acc_half = 1 << (template.acc_words - 1).bit_length()
    return f"""// Generated: one design.
#ifndef CONFIG_H
#define CONFIG_H

#include "{header}"

namespace cd {{

struct Design {{
  // Rows, columns, bits of activations, weights and partial sums, most words of weights in a stored one; of arrays of
  // adder trees, two narrow products at a time.
  using Array = {name}<{", ".join(map(str, sizes))}>;
  static constexpr std::uint32_t Hardware = {parameters(template)["DesignHash"]};  // what a program must name
  // Words of one half of each buffer; the accumulators' halves lie AccHalf words apart.
  static constexpr int InputWords = {template.input_words};
  static constexpr int WeightWords = {template.weight_words};
  static constexpr int AccWords = {template.acc_words};
  static constexpr int AccHalf = {acc_half};
  static constexpr int OutputWords = {template.output_words};
  static constexpr int ParamChannels = {template.param_channels};
  static constexpr bool Tables = {_bool(template.activation_tables)};
  static constexpr int TableWords = {template.table_words if template.activation_tables else 1};
  static constexpr bool Nonlinear = {_bool(template.nonlinear_lanes)};
  static constexpr bool TapSkipping = {_bool(template.tap_skipping)};
  static constexpr int VectorTaps = {template.vector_taps};
  static constexpr int PpuLanes = {template.ppu_lanes};  // counts parameters
  static constexpr int DramBytesPerCycle = {template.dram_bytes_per_cycle};
  static constexpr int DramLatencyCycles = {template.dram_latency_cycles};
}};

}}  // namespace cd

#endif  // CONFIG_H
"""


def _bool(value: int) -> str:
    return "true" if value else "false"


def program_header(emitted: EmittedHls) -> str:
    """``program.h``: where the image has what. Names stand in comments only."""
    schedule, (first, size) = emitted.schedule, emitted.input_span
    bases = dict(zip(sorted(_BASES), Regions(schedule).bases(), strict=True))
    number = program_number(emitted.image[schedule.program_addr :][:DESCRIPTOR_BYTES].tobytes())
    values = {
        "kImageBytes": len(emitted.image),
        "kTensorBytes": emitted.tensor_bytes,
        "kInputFirst": first,
        "kInputBytes": size,
        **{name: bases[kind] for kind, name in _BASES.items()},
    }
    constants = "\n".join(f"constexpr std::uint64_t {name} = {value};" for name, value in values.items())
    layers = "\n".join(f"// {plan.index}: {comment(plan.name)}" for plan in schedule.plans)
    return f"""// Generated: one network's memory image. A run changes kTensorBytes of it; program and constants follow.
#ifndef PROGRAM_H
#define PROGRAM_H

#include <cstdint>

namespace cd {{

{constants}
constexpr std::uint32_t kProgramNumber = {number};

constexpr int kLayers = {len(schedule.plans)};
{layers}

}}  // namespace cd

#endif  // PROGRAM_H
"""


def _schedule(design: Design | Template | Schedule, network: QuantizedNetwork) -> Schedule:
    if isinstance(design, Schedule):
        return design
    if isinstance(design, Template):
        design = Design(network.workload, template_accelerator(design), ())
    found = schedule_network(design)
    if isinstance(found, Infeasible):
        raise SpecError(Fault(f"accelerator {design.accelerator.name}", str(found)))
    return found


def emit(
    design: Design | Template | Schedule,
    network: QuantizedNetwork,
    out_dir: str | Path,
    inputs: dict[str, IntArray] | None = None,
) -> EmittedHls:
    """Write the engine of a design, and the program and memory of a network: those of the design's RTL.

    Args:
        design: a design with a template (its mappings give the tiles), a template (default tiles), or a schedule.
        network: integers of the design's network.
        out_dir: made if missing; files of the same names are replaced.
        inputs: by name, for the memory image; None: zeros.

    Raises:
        SpecError: no template, an operator that the hardware does not run, integers missing or out of range, a buffer
            too small, folder not writable.
    """
    schedule = _schedule(design, network)
    if inputs is None:
        inputs = {t.name: np.zeros((t.N, t.C, t.H, t.W), dtype=np.int64) for t in schedule.workload.inputs}
    out = Path(out_dir)
    emitted = EmittedHls(out, network, schedule, memory_image(schedule, network, inputs))
    template = schedule.template
    try:
        out.mkdir(parents=True, exist_ok=True)
        for header in (*COMMON_HEADERS, ARRAYS[template.array][0]):
            shutil.copyfile(INCLUDE_DIR / header, out / header)
        for source in ("engine.cpp", "main.cpp"):
            shutil.copyfile(SOURCE_DIR / source, out / source)
        (out / "config.h").write_text(config_header(template), encoding="utf-8")
        (out / PROGRAM).write_text(program_header(emitted), encoding="utf-8")
        (out / IMAGE).write_bytes(emitted.image.tobytes())
    except OSError as error:
        raise SpecError(Fault(str(out), f"cannot be written: {error.strerror}", "a folder of your own")) from None
    return emitted
