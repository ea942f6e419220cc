"""Hardware spaces: decisions, and the accelerator template that a point stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from accel_models.template.spec import ArrayKind, Template
from codesign.decisions import Choice, Decision
from mappings.registry import Registry

_KIB = 1024


@dataclass(frozen=True)
class TemplateSpace:
    """Every accelerator of `rtl_templates` within some ranges; data widths come from the compression decisions.

    Attributes:
        name: in the registry.
        summary: one line.
        decisions: in order.
    """

    name: str
    summary: str
    decisions: tuple[Decision, ...]

    def template(self, point: Mapping[str, Choice]) -> Template:
        """The accelerator at a point (decisions of the network are ignored)."""
        axi_bits = int(point["axi_bits"])
        return Template(
            array=ArrayKind(str(point["array"])),
            rows=int(point["rows"]),
            cols=int(point["cols"]),
            act_bits=int(point["act_bits"]),
            weight_bits=int(point["weight_bits"]),
            input_buffer_bytes=int(point["input_buffer_kib"]) * _KIB,
            weight_buffer_bytes=int(point["weight_buffer_kib"]) * _KIB,
            acc_buffer_bytes=int(point["acc_buffer_kib"]) * _KIB,
            output_buffer_bytes=int(point["output_buffer_kib"]) * _KIB,
            axi_bits=axi_bits,
            dram_bytes_per_cycle=axi_bits // 8,
            clock_hz=int(point["clock_mhz"]) * 1_000_000,
        )


def _hardware(name: str, choices: tuple[Choice, ...]) -> Decision:
    return Decision(name, "hardware", choices)


def _register_builtins(registry: Registry[TemplateSpace]) -> None:
    registry.register(
        "templates",
        TemplateSpace(
            "templates",
            "the five array templates, 4x4 to 32x32, four buffers, tile sizes, bus and clock",
            (
                _hardware("array", tuple(str(kind) for kind in ArrayKind)),
                _hardware("rows", (4, 8, 16, 32)),
                _hardware("cols", (4, 8, 16, 32)),
                _hardware("input_buffer_kib", (1, 2, 4, 8, 16, 32)),
                _hardware("weight_buffer_kib", (1, 2, 4, 8, 16, 32)),
                _hardware("acc_buffer_kib", (2, 4, 8, 16, 32)),
                _hardware("output_buffer_kib", (1, 2, 4, 8)),
                _hardware("tile_rows", (1, 2, 4, 7, 14)),
                _hardware("tile_channels", (8, 16, 32, 128)),
                _hardware("axi_bits", (32, 64, 128)),
                _hardware("clock_mhz", (50, 100, 150, 200)),
            ),
        ),
    )


HARDWARE_SPACES: Registry[TemplateSpace] = Registry("hardware space", _register_builtins)
