"""The accelerator for tools that read plain Verilog: a wrapper with the port names from which block designs infer
interfaces (as AMD's UG1118 has them), and a flattened Verilog-2005 of both that Yosys writes.

    python -m rtl_templates.wrapper FOLDER/rtl     # FOLDER of `codesign emit`: writes FOLDER/rtl/plain.v
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from accel_models.hardware.devices import Device
from accel_models.template.spec import Template
from mappings.errors import Fault, SpecError
from rtl_templates.render import RTL
from rtl_templates.synth.yosys import run_passes

NAME = "codesign_accelerator"
_PORT = re.compile(r"^  (input|output) +logic +(\[\S.*\])? *(\w+),?$", re.MULTILINE)
#: Ports of `cd_top` that are no AXI, under the names that block designs know.
_NAMES = {"clk_i": "aclk", "rst_ni": "aresetn", "irq_o": "interrupt"}
_CLOCK = 'X_INTERFACE_PARAMETER = "ASSOCIATED_BUSIF s_axi:m_axi, ASSOCIATED_RESET aresetn"'
#: Figures of a device that set parameters of `cd_top`, and what these are without.
_SIGNALS = {"axi_id_bits": 1, "axi_id": 0, "axi_cache": 0b0011, "axi_prot": 0b000}
_ATTRIBUTES = {
    "aclk": f'(* X_INTERFACE_INFO = "xilinx.com:signal:clock:1.0 aclk CLK", {_CLOCK} *)',
    "aresetn": '(* X_INTERFACE_INFO = "xilinx.com:signal:reset:1.0 aresetn RST", '
    'X_INTERFACE_PARAMETER = "POLARITY ACTIVE_LOW" *)',
    "interrupt": '(* X_INTERFACE_INFO = "xilinx.com:signal:interrupt:1.0 interrupt INTERRUPT", '
    'X_INTERFACE_PARAMETER = "SENSITIVITY LEVEL_HIGH" *)',
}


def ports() -> list[tuple[str, str, str]]:
    """Direction, range and name of each port of `cd_top`."""
    text = (RTL / "cd_top.sv").read_text(encoding="utf-8")
    head = text[text.index(") (") : text.index(");\n")]
    return [(way, width or "", name) for way, width, name in _PORT.findall(head)]


def outer_name(name: str) -> str | None:
    """The wrapper's name of a port of `cd_top`; None: it stays inside (counters for simulation)."""
    if name in _NAMES:
        return _NAMES[name]
    if name.startswith("event_"):
        return None
    return name.rsplit("_", 1)[0].replace("s_axil_", "s_axi_")


def verilog_wrapper(template: Template, part: Device | None = None) -> str:
    """Text of the wrapper module, :data:`NAME`.

    Args:
        part: whose port it is for: what that states of AxID, AxCACHE and AxPROT is the default of the parameters.
    """
    signals = {**_SIGNALS, **({} if part is None else part.axi_signals)}
    widths = {"AxiIdW": "AXI_ID_WIDTH", "cd_config_pkg::AxiW": f"{template.axi_bits}"}
    lines, bound = [], []
    for way, width, name in ports():
        outer = outer_name(name)
        bound.append(f"    .{name}({outer or ''})")
        if outer is None:
            continue
        for inside, outside in widths.items():
            width = width.replace(inside, outside)
        if outer in _ATTRIBUTES:
            lines.append(f"  {_ATTRIBUTES[outer]}")
        lines.append(f"  {way:<6} wire {width + ' ' if width else ''}{outer},")
    return "\n".join(
        [
            "// Generated: the accelerator under port names from which block designs infer its interfaces.",
            f"module {NAME} #(",
            f"  parameter AXI_ID_WIDTH = {signals['axi_id_bits']},",
            f"  parameter [AXI_ID_WIDTH-1:0] AXI_ID = {signals['axi_id']},",
            f"  parameter [3:0] AXI_CACHE = 4'b{signals['axi_cache']:04b},",
            f"  parameter [2:0] AXI_PROT = 3'b{signals['axi_prot']:03b}",
            ") (",
            *lines[:-1],
            lines[-1].removesuffix(","),
            ");",
            "  cd_top #(",
            "    .AxiIdW(AXI_ID_WIDTH), .AxiId(AXI_ID), .AxiCache(AXI_CACHE), .AxiProt(AXI_PROT)",
            "  ) u_top (",
            ",\n".join(bound),
            "  );",
            "endmodule",
            "",
        ]
    )


def write_wrapped(template: Template, folder: Path, part: Device | None = None) -> Path:
    """Writes the wrapper beside a design's SystemVerilog, for a device's port."""
    out = folder / f"{NAME}.v"
    out.write_text(verilog_wrapper(template, part), encoding="utf-8")
    return out


def write_plain(sources: Sequence[Path], out: Path) -> None:
    """One Verilog-2005 file of a design and its wrapper, for tools that do not read SystemVerilog.

    Args:
        sources: SystemVerilog in compile order, and the wrapper.
        out: the file.

    Raises:
        SpecError: Yosys is missing or stopped.
    """
    if any(" " in str(path.resolve()) for path in (*sources, out)):
        raise SpecError(Fault(str(out), "has spaces, which Yosys' commands do not take", "another folder"))
    files = " ".join(str(path.resolve()) for path in sources)
    passes = [
        f"read_slang --threads 1 --top {NAME} {files}",
        f"hierarchy -check -top {NAME}",
        "proc",
        "bwmuxmap",
        "flatten",
        "opt_clean -purge",
        f"write_verilog -noattr {out.resolve()}",
    ]
    with tempfile.TemporaryDirectory() as scratch:
        run_passes(passes, Path(scratch))


def main() -> int:
    """The plain Verilog of a folder that `codesign emit` wrote."""
    parser = argparse.ArgumentParser(description="One Verilog-2005 file of an emitted accelerator: FOLDER/plain.v.")
    parser.add_argument("folder", type=Path, help="the rtl folder that codesign emit wrote")
    folder = parser.parse_args().folder
    try:
        listed = folder / "files.f"
        if not listed.is_file():
            raise SpecError(Fault(str(folder), "has no files.f", "the rtl folder that codesign emit wrote"))
        names = listed.read_text(encoding="utf-8").split()
        write_plain([folder / name for name in (*names, f"{NAME}.v")], folder / "plain.v")
    except SpecError as error:
        print(f"wrapper: {error}", file=sys.stderr)
        return 2
    print(folder / "plain.v")
    return 0


if __name__ == "__main__":
    sys.exit(main())
