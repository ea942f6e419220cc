"""A whole network on one accelerator: where everything lies in memory, and the program."""

from __future__ import annotations

from dataclasses import dataclass

from accel_models.design import Design
from accel_models.report import Infeasible
from accel_models.schedule.builder import CHUNK, DESCRIPTOR_BYTES, Builder, with_fetches
from accel_models.schedule.commands import Command
from accel_models.schedule.emit import Rings, emit_layer
from accel_models.schedule.fusing import CLAMPS, is_table
from accel_models.schedule.memory import Memory
from accel_models.schedule.plan import LayerPlan, WeightTile
from accel_models.schedule.planning import plan_network
from accel_models.schedule.tensors import TensorLayout, align
from accel_models.template.array_timing import ceil_div
from accel_models.template.spec import Template
from mappings.errors import Fault, SpecError
from mappings.layer import Layer, Op
from mappings.operators import Unit
from mappings.workload import Workload

__all__ = ["LayerPlan", "Schedule", "WeightTile", "schedule_network"]

#: What a template has where a field of it is above 0.
_NEEDED = {"nonlinear_lanes": "the non-linear unit"}


@dataclass(frozen=True, eq=False)
class Schedule:
    """A network's program before its numbers.

    Attributes:
        template: the accelerator.
        workload: the network.
        plans: the layers that move data, in order; ``Command.tag`` is an index into this.
        commands: the whole program, chunk fetches and end included.
        tensors: place of every tensor that reaches memory, by name.
        program_addr: byte address of the program.
        memory_bytes: all that the run touches.
    """

    template: Template
    workload: Workload
    plans: tuple[LayerPlan, ...]
    commands: tuple[Command, ...]
    tensors: dict[str, TensorLayout]
    program_addr: int
    memory_bytes: int


def schedule_network(design: Design, scatter: int | None = None, fuse: bool = True) -> Schedule | Infeasible:
    """Lower a design: every layer's tiles, their commands, and the places of all tensors.

    Layers without a mapping get the default tiling.

    Args:
        design: with an accelerator that has a template.
        scatter: seed of random places in memory; None: one region after another.
        fuse: additions and activation functions ride along with the layer before them where they can.

    Raises:
        SpecError: an operator that this hardware does not run, by layer; or an accelerator without a template.
    """
    template = design.accelerator.template
    if template is None:
        fault = Fault(f"accelerator {design.accelerator.name}", "has no template", "one that rtl_templates can build")
        raise SpecError(fault)
    workload = design.workload
    faults = [fault for layer in workload.layers for fault in layer_faults(layer, template)]
    if faults:
        raise SpecError(faults)

    memory = Memory(scatter)
    planned = plan_network(design, template, memory, fuse)
    if isinstance(planned, Infeasible):
        return planned
    plans = planned.plans

    builder, rings = Builder(), Rings.of(template)
    stores: dict[str, int] = {}
    synced = -1
    for plan in plans:
        builder.tag = plan.index
        # Stores reach memory in order: waiting for the latest one that this layer reads covers all before it.
        needed = max((stores.get(source, -1) for source in producers(plan, workload)), default=-1)
        before = synced
        if needed > synced:
            synced = needed
            builder.signal_memory(needed)
        waits = needed > before
        stores[plan.chain[-1].name] = emit_layer(builder, rings, plan, template, waits)
    program_addr = memory.take(0, template.granule_bytes(DESCRIPTOR_BYTES))
    commands = with_fetches(builder.commands, program_addr)
    end = program_addr + ceil_div(len(commands), CHUNK) * CHUNK * DESCRIPTOR_BYTES
    return Schedule(template, workload, plans, tuple(commands), planned.tensors, program_addr, align(end, 4096))


def producers(plan: LayerPlan, workload: Workload) -> set[str]:
    """Layers whose commands write what a plan reads, through operators that move nothing or copy."""
    found: set[str] = set()
    queue = [name for layer in plan.chain for name in layer.inputs]
    while queue:
        name = queue.pop()
        source = workload.by_name.get(name)
        if source is None:
            continue
        found.add(name)
        if not source.op.spec.has_loops:
            queue.extend(source.inputs)
    return found


def layer_faults(layer: Layer, template: Template) -> list[Fault]:
    """Why this hardware can not run a layer."""
    where = f"layer {layer.name}"
    faults = []
    spec = layer.op.spec
    unit_gelu = layer.activation == "gelu" and not template.activation_tables
    needs = (*spec.needs, "nonlinear_lanes") if unit_gelu else spec.needs
    lacking = next((need for need in needs if not getattr(template, need)), None)
    if spec.unit is Unit.OUTSIDE:
        known = sorted(op for op in Op if op.spec.unit is not Unit.OUTSIDE)
        faults.append(Fault(where, f"{layer.op} has no lowering to this hardware", ", ".join(known)))
    elif lacking is not None:
        faults.append(Fault(where, f"needs {_NEEDED[lacking]}", f"a template with {lacking} over 0"))
    elif layer.masked and template.weight_word_bytes * 8 < template.word_lanes:
        bits = template.weight_word_bytes * 8
        what = f"has masks of {template.word_lanes} lanes, more than the {bits} bits of a weight word"
        faults.append(Fault(where, what, "more columns, or wider weights"))
    elif layer.activation not in CLAMPS and not spec.function:
        faults.append(Fault(where, f'activation "{layer.activation}" has no lowering', "relu, relu6; others alone"))
    elif is_table(layer, template) and not template.activation_tables:
        what = f'activation "{layer.activation}" needs a table'
        faults.append(Fault(where, what, "a template with activation_tables = 1"))
    widths = {"I": template.act_bits, "O": template.act_bits}
    if spec.weighted or spec.is_product:  # what else has a second operand takes it where activations go
        widths["W"] = template.weight_bits
    for tensor, width in widths.items():
        bits = getattr(layer.bits, tensor)
        if bits > width:
            faults.append(Fault(f"{where}.bits.{tensor}", f"is {bits}", f"at most the template's {width}"))
    for name, value, limit in (
        ("stride", max(layer.stride), 255),
        ("dilation", max(layer.dilation), 255),
        ("padding", max(layer.padding), 255),
        ("R, S", max(layer.R, layer.S), 255),
        ("P, Q", max(layer.P, layer.Q), 65535),
        ("channels", max(layer.channels_out, layer.channels_in), 65535),
    ):
        if value > limit:
            faults.append(Fault(f"{where}.{name}", f"is {value}", f"at most {limit}"))
    return faults
