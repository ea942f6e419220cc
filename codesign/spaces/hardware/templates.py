"""Every accelerator of `rtl_templates` within some ranges; widths of data are those of the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accel_models.hardware.devices import Device
from accel_models.template.spec import ArrayKind, Template
from codesign.decisions import Choice, Decision, Variable
from codesign.spaces.hardware.possible import possible
from mappings.errors import Fault, SpecError
from mappings.workload import Workload

_KIB = 1024
#: Least widths of activations and weights.
NARROWEST = (4, 4)


def _hardware(name: str, choices: tuple[Choice, ...], *, ordered: bool = True) -> Decision:
    return Decision(name, "hardware", choices, ordered)


#: What both spaces decide alike.
_ARRAY = (
    _hardware("array", tuple(str(kind) for kind in ArrayKind), ordered=False),
    _hardware("rows", (4, 8, 16, 32)),
    _hardware("cols", (4, 8, 16, 32)),
)


def data_bits(workload: Workload) -> tuple[int, int]:
    """Widths of activations and weights that hardware for a network needs: the widest of each."""
    bits = [layer.bits for layer in workload.layers]
    return max(max(item.I, item.O) for item in bits), max(item.W for item in bits)


@dataclass(frozen=True)
class TemplateSpace:
    """The knobs that matter for small convolutional networks.

    Attributes:
        decisions: in order.
    """

    decisions: tuple[Decision, ...] = (
        *_ARRAY,
        _hardware("input_buffer_kib", (1, 2, 4, 8, 16, 32)),
        _hardware("weight_buffer_kib", (1, 2, 4, 8, 16, 32)),
        _hardware("acc_buffer_kib", (2, 4, 8, 16, 32)),
        _hardware("output_buffer_kib", (1, 2, 4, 8)),
        _hardware("axi_bits", (32, 64, 128)),
        _hardware("clock_mhz", (25, 50, 75, 100, 150, 200)),
    )

    def hardware_at(self, point: Mapping[str, Any], workload: Workload | None) -> Template:
        """The accelerator at a point.

        Raises:
            SpecError: there is no network whose widths it could take.
        """
        if workload is None:
            raise SpecError(Fault("templates", "take their widths of data from a workload", "a space with workloads"))
        return self._template(point, *data_bits(workload))

    def possible(self, decisions: tuple[Variable, ...], part: Device) -> tuple[Variable, ...]:
        """Decisions without the choices that a device rules out whatever else is chosen."""
        return possible(decisions, part, lambda point: self._template(point, *NARROWEST))

    def _template(self, point: Mapping[str, Any], act_bits: int, weight_bits: int) -> Template:
        axi_bits = int(point["axi_bits"])
        return Template(
            array=ArrayKind(str(point["array"])),
            rows=int(point["rows"]),
            cols=int(point["cols"]),
            act_bits=act_bits,
            weight_bits=weight_bits,
            input_buffer_bytes=int(point["input_buffer_kib"]) * _KIB,
            weight_buffer_bytes=int(point["weight_buffer_kib"]) * _KIB,
            acc_buffer_bytes=int(point["acc_buffer_kib"]) * _KIB,
            output_buffer_bytes=int(point["output_buffer_kib"]) * _KIB,
            axi_bits=axi_bits,
            dram_bytes_per_cycle=axi_bits // 8,
            clock_hz=int(point["clock_mhz"]) * 1_000_000,
            **self._more(point, act_bits, weight_bits),
        )

    def _more(self, point: Mapping[str, Any], act_bits: int, weight_bits: int) -> dict[str, Any]:
        """Knobs that a larger space decides."""
        return {}


@dataclass(frozen=True)
class NarrowTemplateSpace(TemplateSpace):
    """As above, and how narrow weights are stored and multiplied.

    Fewer weights share a place where 8 bits or less leave no more; pairs are there where the array, its columns and the
    widths allow them (`Template.dual_rate`).
    """

    decisions: tuple[Decision, ...] = (
        *TemplateSpace.decisions,
        _hardware("weight_packing", (1, 2, 4)),
        _hardware("dual_rate", (0, 1)),
    )

    def _more(self, point: Mapping[str, Any], act_bits: int, weight_bits: int) -> dict[str, Any]:
        packing = min(int(point["weight_packing"]), weight_bits // 2)
        trees = str(point["array"]) in (ArrayKind.CHANNEL_PARALLEL, ArrayKind.LOOP_TILE) and int(point["cols"]) <= 16
        able = packing > 1 and trees and weight_bits == 8 and act_bits <= 8
        return {"weight_packing": packing, "dual_rate": able and bool(point["dual_rate"])}


@dataclass(frozen=True)
class SparseTemplateSpace(NarrowTemplateSpace):
    """As above, and whether filter taps that a block of channels does not use take cycles (`Template.tap_skipping`)."""

    decisions: tuple[Decision, ...] = (*NarrowTemplateSpace.decisions, _hardware("tap_skipping", (0, 1)))

    def _more(self, point: Mapping[str, Any], act_bits: int, weight_bits: int) -> dict[str, Any]:
        trees = str(point["array"]) in (ArrayKind.CHANNEL_PARALLEL, ArrayKind.LOOP_TILE)
        more = super()._more(point, act_bits, weight_bits)
        return {**more, "tap_skipping": trees and bool(point["tap_skipping"])}


_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


@dataclass(frozen=True)
class FullTemplateSpace(TemplateSpace):
    """Every knob.

    Lanes beyond the channels of a memory word mean all of them. Non-linear lanes are there where activations and
    weights have one width, tables where activations have 8 bits or less; elsewhere the hardware has none.
    """

    decisions: tuple[Decision, ...] = (
        *_ARRAY,
        _hardware("input_buffer_kib", _SIZES),
        _hardware("weight_buffer_kib", _SIZES),
        _hardware("acc_buffer_kib", _SIZES[1:]),
        _hardware("output_buffer_kib", _SIZES),
        _hardware("param_buffer_kib", (1, 2, 4, 8, 16, 32)),
        _hardware("ppu_lanes", (1, 2, 4, 8, 16, 32)),
        _hardware("vector_taps", (1, 3, 5, 7)),
        _hardware("nonlinear_lanes", (0, 1, 2, 4, 8, 16, 32)),
        _hardware("activation_tables", (0, 1)),
        _hardware("axi_bits", (32, 64, 128, 256, 512)),
        _hardware("clock_mhz", (25, 50, 75, 100, 125, 150, 200, 250, 300)),
    )

    def _more(self, point: Mapping[str, Any], act_bits: int, weight_bits: int) -> dict[str, Any]:
        lanes = max(int(point["rows"]), int(point["cols"]))
        nonlinear = min(int(point["nonlinear_lanes"]), lanes) if act_bits == weight_bits else 0
        return {
            "param_buffer_bytes": int(point["param_buffer_kib"]) * _KIB,
            "ppu_lanes": min(int(point["ppu_lanes"]), lanes),
            "vector_taps": int(point["vector_taps"]),
            "nonlinear_lanes": nonlinear,
            "activation_tables": int(point["activation_tables"]) if act_bits <= 8 else 0,
        }
