"""A netlist without ports but its clock, for a router that places only designs whose ports are pads of a package."""

from __future__ import annotations

from typing import Any

CLOCK = "clk_i"


def keep_clock_pad(netlist: dict[str, Any]) -> None:
    """Change a flattened netlist of Yosys (``write_json``) in place.

    An accelerator has far more ports than a package has pads; on a board they are wires to the rest of the chip. Inputs
    are left without a driver and outputs without a load: their wires are no part of what is timed.
    """
    (top,) = (module for module in netlist["modules"].values() if int(module["attributes"].get("top", "0"), 2))
    inside = top["ports"][CLOCK]["bits"]
    pad = 1 + max(bit for net in top["netnames"].values() for bit in net["bits"] if isinstance(bit, int))
    top["ports"] = {CLOCK: {"direction": "input", "bits": [pad]}}
    top["netnames"] = {
        **{name: net for name, net in top["netnames"].items() if name != CLOCK},
        CLOCK: {"hide_name": 0, "bits": [pad], "attributes": {}},
    }
    top["cells"]["clock_pad"] = {
        "hide_name": 0,
        "type": "IBUF",
        "parameters": {},
        "attributes": {},
        "port_directions": {"I": "input", "O": "output"},
        "connections": {"I": [pad], "O": inside},
    }
