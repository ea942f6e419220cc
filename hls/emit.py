"""The compute engine of a design as HLS C++: static headers, with configuration, program and weights generated."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from accel_models.design import Design
from accel_models.report import Infeasible
from accel_models.schedule.tiling import tiling_of
from accel_models.template.spec import ArrayKind, Template
from hls.program import Program, Step, lower, row_max
from hls.tiling import BufferWords, Tiling, fits
from mappings.errors import Fault, SpecError
from mappings.quantized import QuantizedNetwork

INCLUDE_DIR = Path(__file__).parent / "include"
SOURCE_DIR = Path(__file__).parent / "templates"
#: Header and class of each array.
ARRAYS = {
    ArrayKind.WEIGHT_STATIONARY: ("weight_stationary.h", "WeightStationary"),
    ArrayKind.OUTPUT_STATIONARY: ("output_stationary.h", "OutputStationary"),
    ArrayKind.ROW_STATIONARY: ("row_stationary.h", "RowStationary"),
    ArrayKind.CHANNEL_PARALLEL: ("channel_parallel.h", "ChannelParallel"),
    ArrayKind.LOOP_TILE: ("loop_tile.h", "LoopTile"),
}
COMMON_HEADERS = (
    "cd_int.h",
    "cd_tile.h",
    "cd_memory.h",
    "cd_layer.h",
    "cd_mac.h",
    "cd_vector.h",
    "cd_nonlinear.h",
    "cd_engine.h",
)


@dataclass(frozen=True, eq=False)
class EmittedHls:
    """What :func:`emit` wrote.

    Attributes:
        out_dir: ``*.h``, ``engine.cpp`` (for synthesis), ``main.cpp`` (C simulation), ``image.bin`` (constants).
        network, template: what it was made from.
        program: steps, tensors and their places.
    """

    out_dir: Path
    network: QuantizedNetwork
    template: Template
    program: Program

    @property
    def sources(self) -> tuple[Path, ...]:
        """The files that a compiler takes."""
        return self.out_dir / "engine.cpp", self.out_dir / "main.cpp"


def comment(name: str) -> str:
    """A name from a file, fit to stand in a C++ comment: nothing in it can end the comment or the line."""
    return re.sub(r"[^A-Za-z0-9_.\-]", "_", name)[:80]


def config_header(template: Template, program: Program) -> str:
    """``config.h``: the design's array and buffers."""
    header, name = ARRAYS[template.array]
    words = program.words
    sizes = [template.rows, template.cols, template.act_bits, template.weight_bits, template.acc_bits]
    if template.array is ArrayKind.LOOP_TILE:
        sizes.append(int(template.dual_rate))
    return f"""// Generated: one design.
#ifndef CONFIG_H
#define CONFIG_H

#include "{header}"

namespace cd {{

struct Design {{
  // Rows, columns, bits of activations, weights and partial sums; of a loop tile, two narrow products at a time.
  using Array = {name}<{", ".join(map(str, sizes))}>;
  // Words of one half of each buffer.
  static constexpr int InputWords = {words.input_words};
  static constexpr int WeightWords = {words.weight_words};
  static constexpr int AccWords = {words.acc_words};
  static constexpr int OutputWords = {words.output_words};
  static constexpr int RowMax = {row_max(words)};
  static constexpr int DramBytesPerCycle = {template.dram_bytes_per_cycle};
  static constexpr int DramLatencyCycles = {template.dram_latency_cycles};
}};

}}  // namespace cd

#endif  // CONFIG_H
"""


def program_header(program: Program, names: tuple[str, ...]) -> str:
    """``program.h``: tensors and steps. Names stand in comments only."""
    tensors = "\n".join(
        f"    {{{t.offset}, {t.bits}, {t.channels}, {t.rows}, {t.cols}}},  // {i}: {comment(name)}"
        for i, (name, t) in enumerate(program.tensors.items())
    )
    steps = "\n".join(f"    {_step(step)},  // {comment(names[step.id])}" for step in program.steps)
    columns = " ".join(item.name for item in fields(Step))
    return f"""// Generated: one network.
#ifndef PROGRAM_H
#define PROGRAM_H

#include "cd_layer.h"

namespace cd {{

constexpr std::size_t kInputBytes = {program.input_bytes};
constexpr std::size_t kTensorBytes = {program.tensor_bytes};
constexpr std::size_t kImageBytes = {program.tensor_bytes + len(program.image)};

// offset bits channels rows cols
constexpr Tensor kTensors[] = {{
{tensors}
}};

constexpr int kSteps = {len(program.steps)};
// {columns}
constexpr Layer kProgram[] = {{
{steps}
}};

}}  // namespace cd

#endif  // PROGRAM_H
"""


def _step(step: Step) -> str:
    values = [getattr(step, item.name) for item in fields(Step)]
    return "{" + ", ".join([f"Op::{values[0]}", *(str(int(value)) for value in values[1:])]) + "}"


def _template(design: Design | Template) -> Template:
    if isinstance(design, Template):
        return design
    if design.accelerator.template is None:
        known = "an accelerator with a template of ours"
        raise SpecError(Fault(f"accelerator {design.accelerator.name}", "has no template", known))
    return design.accelerator.template


def design_tiles(design: Design, template: Template) -> dict[str, Tiling]:
    """The tiles that a design's mappings ask for, where the engine's buffers hold them too.

    The engine cuts each group of a grouped layer alone, and its weight buffer is in another order than the RTL's: what
    does not carry over is left to :func:`hls.tiling.choose`.
    """
    words = BufferWords.of(template)
    tiles = {}
    for layer in design.workload.layers:
        mapping = design.mapping_of(layer.name)
        if mapping is None or not (layer.op.spec.convolves or layer.op.spec.is_product) or layer.groups > 1:
            continue
        asked = tiling_of(layer, mapping, template)
        if not isinstance(asked, Infeasible):
            tile = Tiling(asked.k, min(asked.c, layer.C), asked.p, asked.q, layer.R)
            if fits(layer, tile, words):
                tiles[layer.name] = tile
    return tiles


def emit(
    design: Design | Template,
    network: QuantizedNetwork,
    out_dir: str | Path,
    tiles: Mapping[str, Tiling] | None = None,
) -> EmittedHls:
    """Write the engine of a design and the program of a network.

    Args:
        design: a design with a template (its mappings give the tiles), or the template itself.
        network: integers of the design's network.
        out_dir: made if missing; files of the same names are replaced.
        tiles: tile sizes by layer name, where they are to differ from the design's or the emitter's choice.

    Raises:
        SpecError: no template, parameters missing or out of range, no tile fits, folder not writable.
    """
    template = _template(design)
    from_design = design_tiles(design, template) if isinstance(design, Design) else {}
    program = lower(network, template, {**from_design, **(tiles or {})})
    out = Path(out_dir)
    names = tuple(layer.name for layer in network.workload.layers)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for header in (*COMMON_HEADERS, ARRAYS[template.array][0]):
            shutil.copyfile(INCLUDE_DIR / header, out / header)
        for source in ("engine.cpp", "main.cpp"):
            shutil.copyfile(SOURCE_DIR / source, out / source)
        (out / "config.h").write_text(config_header(template, program), encoding="utf-8")
        (out / "program.h").write_text(program_header(program, names), encoding="utf-8")
        (out / "image.bin").write_bytes(bytes(program.tensor_bytes) + program.image)
    except OSError as error:
        raise SpecError(Fault(str(out), f"cannot be written: {error.strerror}")) from None
    return EmittedHls(out, network, template, program)
