"""Our own accelerators as the cost model's hierarchy."""

from __future__ import annotations

from accel_models.hardware.accelerator import Accelerator, Buffering, MemoryKind, MemoryLevel
from accel_models.template.spec import Template


def template_accelerator(template: Template, technology: str = "", device: str = "", name: str = "") -> Accelerator:
    """The memories of a template: DRAM, then the double-buffered input, weight and accumulator buffers.

    Args:
        template: what `rtl_templates` builds.
        technology, device: names in their registries, or "".
        name: display name; "": from the array and its size.
    """
    bandwidth = float(template.dram_bytes_per_cycle)
    dram = MemoryLevel(
        "DRAM",
        None,
        kind=MemoryKind.DRAM,
        read_bytes_per_cycle=bandwidth,
        write_bytes_per_cycle=bandwidth,
        latency_cycles=template.dram_latency_cycles,
        width_bits=template.axi_bits,
    )
    capacities = (
        ("I", 2 * template.input_buffer_bytes),
        ("W", 2 * template.weight_buffer_bytes),
        ("O", 2 * template.acc_buffer_bytes),
    )
    buffers = MemoryLevel(
        "BUF",
        capacities,
        buffering=Buffering.DOUBLE,
        width_bits=8 * template.act_word_bytes,
        fanout=(template.rows, template.cols),
    )
    title = name or f"{template.array}_{template.rows}x{template.cols}"
    return Accelerator(title, (dram, buffers), template.clock_hz, technology, device, template=template)
