"""What an accelerator takes of its device or envelope, and which bound it breaks.

One of our templates is counted part by part (``accel_models.template.resources``). Any other hierarchy is counted by
what it surely has, its memories and MACs: wires, control and registers beside them are not modelled, so the figures are
lower bounds.
"""

from __future__ import annotations

from accel_models.hardware.accelerator import Accelerator, MemoryKind, MemoryLevel
from accel_models.hardware.devices import Device, DeviceKind, unchecked
from accel_models.hardware.technology import Technology
from accel_models.report import Bound, Infeasible, broken_bounds
from accel_models.template.families import family_of
from accel_models.template.resources import area_um2, estimate, fits
from mappings.layer import Bits

BRAM36_BYTES = 4608
_BYTES = Bits()


def silicon_um2(accelerator: Accelerator, bits: Bits = _BYTES) -> float | None:
    """Area of memories and MACs (a template: of all its parts), None where a part of it is not modelled."""
    technology = accelerator.tech
    if technology is None:
        return None
    if accelerator.template is not None:
        return area_um2(accelerator.template, technology)
    mac = technology.mac_um2(bits.I, bits.W, bits.acc)
    if mac is None:
        return None
    total = mac * accelerator.pes
    for index, level in enumerate(accelerator.levels):
        if level.kind is not MemoryKind.DRAM:
            one = _memory_um2(level, technology)
            if one is None:
                return None
            total += one * accelerator.instances(index)
    return total


def _memory_um2(level: MemoryLevel, technology: Technology) -> float | None:
    if level.total_bytes is None:
        return None
    if level.kind is MemoryKind.REGISTER:
        return technology.register_um2(8 * level.total_bytes)
    return technology.sram_um2(level.total_bytes, level.width_bits)


def resources(accelerator: Accelerator) -> tuple[tuple[str, int], ...] | None:
    """FPGA resources by name; of a hierarchy that is no template, the two that it surely takes."""
    if accelerator.template is not None:
        return estimate(accelerator.template, family_of(accelerator.part)).as_pairs()
    if accelerator.part is None or accelerator.part.kind is not DeviceKind.FPGA:
        return None
    blocks = sum(
        accelerator.instances(index) * -(-level.total_bytes // BRAM36_BYTES)
        for index, level in enumerate(accelerator.levels)
        if level.kind is MemoryKind.SRAM and level.total_bytes is not None
    )
    return (("DSP", accelerator.pes), ("BRAM36", blocks))


def broken_budget(accelerator: Accelerator, bits: Bits = _BYTES) -> Infeasible | None:
    """The first bound of the accelerator's device that it breaks, before anything runs on it.

    Args:
        accelerator: a hierarchy or one of our templates.
        bits: widths that the MACs of a hierarchy are built for.

    Raises:
        SpecError: no such device, or one whose limit on the area cannot be checked.
    """
    part = accelerator.part
    if part is None:
        return None
    if accelerator.template is not None:
        return next(iter(fits(accelerator.template, part)), None)
    return next(iter(broken_bounds(_bounds(accelerator, part, bits))), None)


def _bounds(accelerator: Accelerator, where: Device, bits: Bits) -> list[Bound]:
    taken = dict(resources(accelerator) or ())
    area = silicon_um2(accelerator, bits) if where.kind is DeviceKind.ASIC else None
    if where.kind is DeviceKind.ASIC and area is None and where.area_mm2 is not None:
        why = f"the area of accelerator {accelerator.name} is not modelled"
        raise unchecked(where, "area_mm2", why, "areas", accelerator.technology)
    outer = accelerator.levels[0]
    rates = [rate for rate in (outer.read_bytes_per_cycle, outer.write_bytes_per_cycle) if rate is not None]
    return [
        Bound("DSP", taken.get("DSP"), where.dsp, "blocks", "a smaller array"),
        Bound("BRAM36", taken.get("BRAM36"), where.bram36, "blocks", "smaller memories"),
        Bound("clock", accelerator.clock_hz, where.fmax_hz, "Hz", "a slower clock"),
        Bound(
            "area", None if area is None else area / 1e6, where.area_mm2, "mm2", "a smaller array or smaller memories"
        ),
        Bound(
            "memory bandwidth",
            sum(rates) * accelerator.clock_hz,
            where.dram_bytes_per_s,
            "bytes/s",
            f"lower rates of {outer.name}",
        ),
    ]
