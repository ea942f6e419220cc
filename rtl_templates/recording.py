"""What goes into and out of an accelerator in each cycle of a simulation, for simulations of its netlist."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mappings.errors import Fault, SpecError

Bits: TypeAlias = NDArray[np.uint8]
#: Of a port whose width is the bus': its bits by the bus' bits.
_BUS = {"m_axi_rdata_i": 1.0, "m_axi_wdata_o": 1.0, "m_axi_wstrb_o": 0.125}
#: Ports of `cd_accelerator` but the clock, most significant first, with their bits.
INPUTS = {
    "rst_ni": 1, "s_axil_awvalid_i": 1, "s_axil_awaddr_i": 8, "s_axil_wvalid_i": 1, "s_axil_wdata_i": 32,
    "s_axil_wstrb_i": 4, "s_axil_bready_i": 1, "s_axil_arvalid_i": 1, "s_axil_araddr_i": 8, "s_axil_rready_i": 1,
    "m_axi_awready_i": 1, "m_axi_wready_i": 1, "m_axi_bvalid_i": 1, "m_axi_bresp_i": 2, "m_axi_arready_i": 1,
    "m_axi_rvalid_i": 1, "m_axi_rdata_i": 0, "m_axi_rresp_i": 2, "m_axi_rlast_i": 1,
}  # fmt: skip
OUTPUTS = {
    "irq_o": 1, "s_axil_awready_o": 1, "s_axil_wready_o": 1, "s_axil_bvalid_o": 1, "s_axil_bresp_o": 2,
    "s_axil_arready_o": 1, "s_axil_rvalid_o": 1, "s_axil_rdata_o": 32, "s_axil_rresp_o": 2,
    "m_axi_awvalid_o": 1, "m_axi_awaddr_o": 40, "m_axi_awlen_o": 8, "m_axi_awsize_o": 3, "m_axi_awburst_o": 2,
    "m_axi_awuser_o": 16, "m_axi_wvalid_o": 1, "m_axi_wdata_o": 0, "m_axi_wstrb_o": 0, "m_axi_wlast_o": 1,
    "m_axi_bready_o": 1, "m_axi_arvalid_o": 1, "m_axi_araddr_o": 40, "m_axi_arlen_o": 8, "m_axi_arsize_o": 3,
    "m_axi_arburst_o": 2, "m_axi_aruser_o": 16, "m_axi_rready_o": 1,
    "event_valid_o": 1, "event_tag_o": 16, "event_cycles_o": 64, "event_counters_o": 160,
}  # fmt: skip
#: Outputs that mean something only while another is 1.
MEANT_BY = {
    "m_axi_wdata_o": "m_axi_wvalid_o", "m_axi_wstrb_o": "m_axi_wvalid_o", "m_axi_wlast_o": "m_axi_wvalid_o",
    "s_axil_rdata_o": "s_axil_rvalid_o",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Recording:
    """Levels before each rising edge of the clock.

    Attributes:
        inputs, outputs: by port ``[cycles, bits]``, bit 0 first.
    """

    inputs: dict[str, Bits]
    outputs: dict[str, Bits]

    @property
    def cycles(self) -> int:
        """Cycles of the recording, those of the reset among them."""
        return len(self.inputs["rst_ni"])


def widths(ports: dict[str, int], axi_bits: int) -> dict[str, int]:
    """Bits of each port for a bus."""
    return {name: round(_BUS[name] * axi_bits) if name in _BUS else bits for name, bits in ports.items()}


def recorder(axi_bits: int) -> str:
    """SystemVerilog that records the ports of every accelerator of a simulation."""
    parts = (widths(INPUTS, axi_bits), widths(OUTPUTS, axi_bits))
    given = ", ".join(f".{name}({sum(part.values())})" for name, part in zip(("InW", "OutW"), parts, strict=True))
    joined = ["{" + ", ".join(part) + "}" for part in parts]
    wires = f".clk_i, .in_i({joined[0]}), .out_i({joined[1]})"
    return f"bind cd_accelerator cd_record #({given}) u_record ({wires});\n"


def read_recording(path: Path, axi_bits: int) -> Recording:
    """What a simulation wrote.

    Raises:
        SpecError: it has written nothing.
    """
    lines = path.read_text(encoding="ascii").split("\n") if path.exists() else []
    rows = [line.split() for line in lines if line]
    if not rows:
        raise SpecError(Fault(str(path), "has no cycles", "the record of a simulation"))
    found = []
    for side, ports in enumerate((widths(INPUTS, axi_bits), widths(OUTPUTS, axi_bits))):
        whole, bits = sum(ports.values()), {}
        digits = -(-whole // 8)
        data = b"".join(int(row[side], 16).to_bytes(digits, "little") for row in rows)
        levels = np.unpackbits(np.frombuffer(data, np.uint8).reshape(len(rows), digits), axis=1, bitorder="little")
        end = whole
        for name, width in ports.items():
            bits[name] = levels[:, end - width : end]
            end -= width
        found.append(bits)
    return Recording(*found)
