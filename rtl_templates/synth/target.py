"""Which synthesis is for which device."""

from __future__ import annotations

from accel_models.hardware.devices import Device, DeviceKind
from mappings.errors import Fault, SpecError

#: Family of a device (``clocks.yaml``) -> target of synthesis. Speed grades are one family here.
_TARGETS = {"xc7": "xc7", "xc7_2": "xc7", "xcup": "xcup", "ecp5": "ecp5", "ice40up": "ice40"}
_TARGETS |= dict.fromkeys(("gw2a", "gw1n"), "gowin")


def target_of(part: Device, where: str) -> str:
    """The target of a device's family; 7 series for a part of six-input tables that names none.

    Args:
        where: for the message.

    Raises:
        SpecError: silicon (its cells need a liberty), or four-input tables without a family.
    """
    if part.kind is not DeviceKind.FPGA:
        how = "codesign synth DESIGN --target asic --liberty FILE"
        raise SpecError(Fault(where, f"device {part.name} is no FPGA", how))
    found = _TARGETS.get(part.family, "xc7" if part.lut_inputs == 6 else "")
    if not found:
        raise SpecError(Fault(where, f"device {part.name} names no family with an open synthesis", ", ".join(_TARGETS)))
    return found
