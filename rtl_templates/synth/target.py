"""Which synthesis is for which device."""

from __future__ import annotations

from accel_models.hardware.devices import Device, DeviceKind
from accel_models.template.families import TARGETS
from mappings.errors import Fault, SpecError


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
    found = TARGETS.get(part.family, "xc7" if part.lut_inputs == 6 else "")
    if not found:
        raise SpecError(Fault(where, f"device {part.name} names no family with an open synthesis", ", ".join(TARGETS)))
    return found
