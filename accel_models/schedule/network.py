"""A whole network on one accelerator: where everything lies in memory, and the program."""

from __future__ import annotations

from dataclasses import dataclass, replace

from accel_models.array_timing import ceil_div
from accel_models.design import Design
from accel_models.report import Infeasible
from accel_models.schedule.builder import CHUNK, DESCRIPTOR_BYTES, Builder, with_fetches
from accel_models.schedule.commands import Command
from accel_models.schedule.layer import LayerPlan, Rings, WeightTile, emit_layer, weight_tiles
from accel_models.schedule.placing import LAYOUT_OPS, VECTOR_OPS, Memory, place_tensors
from accel_models.schedule.tensors import TensorLayout, align
from accel_models.schedule.tiling import choose_tiling, shape_of, tiling_of
from accel_models.template import Template
from mappings.errors import Fault, SpecError
from mappings.layer import Layer, Op
from mappings.workload import Workload

__all__ = ["LayerPlan", "Schedule", "WeightTile", "schedule_network"]

ARRAY_OPS = frozenset({Op.CONV, Op.LINEAR, Op.MATMUL})
ATTENTION_OPS = frozenset({Op.MATMUL, Op.SOFTMAX, Op.LAYERNORM})
CLAMPS = frozenset({"", "relu", "relu6"})


@dataclass(frozen=True, eq=False)
class Schedule:
    """A network's program before its numbers.

    Attributes:
        template: the accelerator.
        workload: the network.
        plans: the layers that move data, in order; ``Command.tag`` is an index into this.
        commands: the whole program, chunk fetches and end included.
        tensors: place of every tensor, by name.
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


def schedule_network(design: Design, scatter: int | None = None) -> Schedule | Infeasible:
    """Lower a design: every layer's tiles, their commands, and the places of all tensors.

    Layers without a mapping get the default tiling.

    Args:
        design: with an accelerator that has a template.
        scatter: seed of random places in memory; None: one region after another.

    Raises:
        SpecError: an operator that this hardware does not run, by layer; or an accelerator without a template.
    """
    template = design.accelerator.template
    if template is None:
        fault = Fault(f"accelerator {design.accelerator.name}", "has no template", "one that rtl_templates can build")
        raise SpecError(fault)
    workload = design.workload
    faults = [fault for layer in workload.layers for fault in _faults(layer, template)]
    if faults:
        raise SpecError(faults)

    memory = Memory(scatter)
    tensors = place_tensors(workload, template, memory)
    mappings = dict(design.mappings)
    plans: list[LayerPlan] = []
    for layer in workload.layers:
        if layer.op in LAYOUT_OPS:
            continue
        mapping = mappings.get(layer.name)
        tiling = choose_tiling(layer, template) if mapping is None else tiling_of(layer, mapping, template)
        if isinstance(tiling, Infeasible):
            return tiling
        shape = shape_of(layer, template.word_lanes)
        inputs = tuple(tensors[name] for name in layer.inputs)
        plan = LayerPlan(layer, len(plans), shape, tiling, inputs, tensors[layer.name], 0, ())
        if shape.params:
            addr = memory.take(16 * tensors[layer.name].blocks * template.word_lanes, template.granule_bytes(16))
            word = template.weight_word_bytes
            tiles = tuple(
                tile._replace(addr=memory.take(tile.words * word, template.granule_bytes(word)))
                for tile in weight_tiles(plan, template)
            )
            plan = replace(plan, param_addr=addr, weights=tiles)
        plans.append(plan)

    builder, rings = Builder(), Rings.of(template)
    stores: dict[str, int] = {}
    synced = -1
    for plan in plans:
        builder.tag = plan.index
        # Stores reach memory in order: waiting for the latest one that this layer reads covers all before it.
        needed = max((stores.get(source, -1) for source in _producers(plan.layer, workload)), default=-1)
        if needed > synced:
            synced = needed
            builder.signal_memory(needed)
            stores[plan.layer.name] = emit_layer(builder, rings, plan, template, wait_memory=True)
        else:
            stores[plan.layer.name] = emit_layer(builder, rings, plan, template, wait_memory=False)
    program_addr = memory.take(0, template.granule_bytes(DESCRIPTOR_BYTES))
    commands = with_fetches(builder.commands, program_addr)
    end = program_addr + ceil_div(len(commands), CHUNK) * CHUNK * DESCRIPTOR_BYTES
    return Schedule(template, workload, tuple(plans), tuple(commands), tensors, program_addr, align(end, 4096))


def _producers(layer: Layer, workload: Workload) -> set[str]:
    """Layers whose commands write what this layer reads, through operators that move nothing."""
    found: set[str] = set()
    queue = list(layer.inputs)
    while queue:
        name = queue.pop()
        source = workload.by_name.get(name)
        if source is None:
            continue
        if source.op in (Op.CONCAT, Op.RESHAPE):
            queue.extend(source.inputs)
        else:
            found.add(name)
    return found


def _faults(layer: Layer, template: Template) -> list[Fault]:
    """Why this hardware can not run a layer."""
    where = f"layer {layer.name}"
    faults = []
    known = ARRAY_OPS | VECTOR_OPS | LAYOUT_OPS
    if layer.op not in known:
        faults.append(Fault(where, f"{layer.op} has no lowering to this hardware", ", ".join(sorted(known))))
    elif (layer.op in ATTENTION_OPS or layer.activation == "gelu") and not template.nonlinear_lanes:
        faults.append(Fault(where, "needs the non-linear unit", "a template with nonlinear_lanes over 0"))
    elif layer.activation not in CLAMPS and not (layer.op is Op.ACT and layer.activation == "gelu"):
        faults.append(Fault(where, f'activation "{layer.activation}" has no lowering', "relu, relu6; gelu alone"))
    elif layer.op is Op.CONCAT and layer.axis not in ("", "K"):
        faults.append(Fault(where, f"concatenation along {layer.axis} has no lowering", "K"))
    for tensor, width in (("I", template.act_bits), ("W", template.weight_bits), ("O", template.act_bits)):
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
