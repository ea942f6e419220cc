"""Hardware spaces: decisions, and the accelerator that a point stands for. Loads no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

from codesign import options
from codesign.decisions import Variable
from codesign.plugin import Plugin
from mappings.registry import Registry
from mappings.workload import Workload


class HardwareSpace(Protocol):
    """Accelerators by their decisions."""

    @property
    def decisions(self) -> tuple[Variable, ...]:
        """Of the group "hardware", in order."""
        ...

    def hardware_at(self, point: Mapping[str, Any], workload: Workload | None) -> Any:
        """The accelerator at a point, for a network's widths of data (decisions of other groups are ignored)."""
        ...


HardwareFactory: TypeAlias = Callable[..., HardwareSpace]


def _register_builtins(registry: Registry[Plugin[HardwareFactory]]) -> None:
    here = "codesign.spaces.hardware"
    registry.register(
        "templates",
        Plugin(
            "the five array templates, 4x4 to 32x32, four buffers, bus and clock",
            f"{here}.templates:TemplateSpace",
            offers=("template", "accelerator"),
        ),
    )
    registry.register(
        "templates_full",
        Plugin(
            "every knob of the templates: as above with buffers to 512 KiB, wider buses, post-processing lanes, vector "
            "taps, non-linear lanes, activation tables, parameter buffer",
            f"{here}.templates:FullTemplateSpace",
            offers=("template", "accelerator"),
        ),
    )
    registry.register(
        "templates_narrow",
        Plugin(
            "the templates, with narrow weights packed and two narrow products a multiplier",
            f"{here}.templates:NarrowTemplateSpace",
            offers=("template", "accelerator"),
        ),
    )
    registry.register(
        "templates_sparse",
        Plugin(
            "the templates, with narrow weights as above and arrays that skip filter taps",
            f"{here}.templates:SparseTemplateSpace",
            offers=("template", "accelerator"),
        ),
    )
    registry.register(
        "fixed",
        Plugin(
            "one accelerator of ours: the YAML of a design or of a template",
            f"{here}.fixed:FixedHardware",
            {"hardware": options.text(what="design.yaml or template.yaml", required=True)},
            offers=("template", "accelerator"),
        ),
    )
    registry.register(
        "loop_tile",
        Plugin(
            "FPGA loop tiles Tm, Tn, Tr, Tc with a port each for weights, inputs and outputs; a depthwise engine",
            f"{here}.loop_tile:LoopTileSpace",
            {
                "bits": options.integer(16, 8, 32),
                "clock_mhz": options.integer(100, 1, 2000),
                "extent": options.name("input", ("input", "output")),
            },
            source="Jiang 2020",
            offers=("loop_tile", "self_mapped"),
        ),
    )
    envelope = options.text("edgetpu", what="edgetpu, nvdla_1024, nvdla_256, eyeriss, shidiannao")
    for name, summary, target, more, source in (
        ("free", "axes, the loop of each, memories", "FreeSpace", {"most_axes": options.integer(2, 1, 3)}, "Lin 2021"),
        ("sizing", "sizes of an envelope's own axes and memories", "SizingSpace", {}, "Lin 2021"),
        (
            "layer_sizing",
            "PEs and memory of each layer",
            "LayerSizingSpace",
            {
                "layers": options.integer(8, 1, 512),
                "parallel": options.name("K", ("K", "C", "P", "Q", "R", "S")),
            },
            "Kao 2020",
        ),
        ("envelope", "the envelope's own accelerator", "EnvelopeHardware", {}, "Kao 2020"),
    ):
        registry.register(
            name,
            Plugin(
                f"within a published accelerator's envelope: {summary}",
                f"{here}.free:{target}",
                {"envelope": envelope, **more},
                source=source,
                offers=("connectivity", "self_mapped"),
            ),
        )
    registry.register(
        "sub_accelerators",
        Plugin(
            "sub-accelerators that share an envelope's PEs, memory and bandwidth",
            f"{here}.sub_accelerators:SubAcceleratorSpace",
            {"envelope": envelope, "count": options.integer(2, 1, 4), "homogeneous": options.flag(False)},
            source="Yang 2020",
            offers=("sub_accelerators", "connectivity", "self_mapped"),
        ),
    )
    registry.register(
        "multi_fpga",
        Plugin(
            "FPGAs in a pipeline, each with a loop-tile accelerator of its own",
            f"{here}.multi_fpga:MultiFpgaSpace",
            {
                "boards": options.integer(2, 1, 8),
                "bits": options.integer(16, 8, 32),
                "clock_mhz": options.integer(100, 1, 2000),
                "link_bits": options.integer(64, 1, 4096),
            },
            source="Jiang 2020",
            offers=("loop_pipeline", "self_mapped"),
        ),
    )


HARDWARE_SPACES: Registry[Plugin[HardwareFactory]] = Registry("hardware space", _register_builtins)
