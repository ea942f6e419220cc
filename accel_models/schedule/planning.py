"""The plans of a network: what runs as one, its tiles, and the places of its weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from accel_models.design import Design
from accel_models.report import Infeasible
from accel_models.schedule.fusing import absorbed, chains
from accel_models.schedule.memory import Memory
from accel_models.schedule.phases import Phase, phases
from accel_models.schedule.placing import Copy, Placement, place_tensors
from accel_models.schedule.plan import LayerPlan, second_operand, weight_tiles
from accel_models.schedule.tensors import TensorLayout
from accel_models.schedule.tiling import Tiling, choose_tiling, shape_of, tiling_of
from accel_models.template.spec import Template
from mappings.directives import TemporalMap
from mappings.layer import Layer, Op
from mappings.mapping import Mapping


@dataclass(frozen=True)
class Planned:
    """All plans in the order in which they run, and where tensors lie."""

    plans: tuple[LayerPlan, ...]
    tensors: dict[str, TensorLayout]


def plan_network(design: Design, template: Template, memory: Memory, fuse: bool) -> Planned | Infeasible:
    """Choose what runs as one, place all tensors, weights, parameters and tables, and cut tiles.

    Raises:
        SpecError: tensors that can not lie as the hardware needs them.
    """
    workload = design.workload
    found = chains(workload, template, fuse)
    placement = place_tensors(workload, template, memory, absorbed(found))
    mappings = dict(design.mappings)
    plans: list[LayerPlan] = []
    for layer in workload.layers:
        if layer.name in found:
            some = _compute_plans(found[layer.name], mappings.get(layer.name), template, memory, placement)
        else:
            some = (_copy_plan(layer, i, copy, template) for i, copy in enumerate(placement.copies.get(layer.name, [])))
        for plan in some:
            if isinstance(plan, Infeasible):
                return plan
            plans.append(replace(plan, index=len(plans)))
    return Planned(tuple(plans), placement.tensors)


def _compute_plans(
    chain: tuple[Layer, ...], mapping: Mapping | None, template: Template, memory: Memory, placement: Placement
) -> Iterator[LayerPlan | Infeasible]:
    """One plan; of a transposed convolution, one for each phase."""
    layer, tensors = chain[0], placement.tensors
    second, output = second_operand(chain), tensors[chain[-1].name]
    joining = None if second is None else tensors[second]
    inputs = tuple(tensors[name] for name in layer.inputs)
    whole = LayerPlan(
        layer, 0, shape_of(layer, template), Tiling(0, 0, 0, 0, ""), inputs, output, chain, joining,
        origin=(-layer.padding[0], -layer.padding[1]),
    )  # fmt: skip
    if whole.shape.params or layer.op is Op.TRCONV:
        size = 16 * output.blocks * template.word_lanes
        whole = replace(whole, param_addr=memory.take(size, template.granule_bytes(16)))
    word = template.weight_word_bytes
    for plan in (
        [whole] if layer.op is not Op.TRCONV else [_phase_plan(whole, phase, template) for phase in phases(layer)]
    ):
        given = mapping
        if layer.op is Op.TRCONV and mapping is not None:  # its filter is not the phase's
            kept = (item for item in mapping.directives if not (isinstance(item, TemporalMap) and item.dim in "RS"))
            given = Mapping(tuple(kept), mapping.bypass)
        tiling = choose_tiling(plan.layer, template) if given is None else tiling_of(plan.layer, given, template)
        if isinstance(tiling, Infeasible):
            yield tiling
            return
        plan = replace(plan, tiling=tiling)
        tiles = tuple(
            tile._replace(addr=memory.take(tile.words * word, template.granule_bytes(word)))
            for tile in weight_tiles(plan, template)
        )
        plan = replace(plan, weights=tiles)
        if plan.shape.masked:
            size = layer.P * layer.Q * plan.shape.row_k // template.word_lanes * word
            plan = replace(plan, mask_addr=memory.take(size, template.granule_bytes(word)))
        if plan.table is not None:
            plan = replace(plan, table_addr=memory.take(16 * template.table_words, template.granule_bytes(16)))
        yield plan


def _phase_plan(whole: LayerPlan, phase: Phase, template: Template) -> LayerPlan:
    """The convolution that makes one phase of a transposed one's outputs."""
    rows, cols, stride = phase.rows, phase.cols, whole.layer.stride

    def part(tensor: TensorLayout) -> TensorLayout:
        return tensor.part((rows.first, rows.outputs), (cols.first, cols.outputs), *stride)

    second = whole.second
    return replace(
        whole,
        layer=phase.layer,
        shape=shape_of(phase.layer, template),
        output=part(whole.output),
        second=None if second is None else second if whole.broadcast else part(second),
        origin=(rows.origin, cols.origin),
        taps=(rows.taps, cols.taps),
        label=f"[{rows.first}, {cols.first}]",
    )


def _copy_plan(layer: Layer, number: int, copy: Copy, template: Template) -> LayerPlan | Infeasible:
    """Words from one place to another: the vector unit adds nothing to them."""
    target = copy.target
    moved = Layer(
        layer.name,
        Op.RESHAPE,
        N=target.images,
        groups=target.blocks * target.lanes,
        P=target.rows,
        Q=target.cols,
        bits=layer.bits,
        inputs=layer.inputs,
    )
    tiling = choose_tiling(moved, template)
    if isinstance(tiling, Infeasible):
        return tiling
    shape = shape_of(moved, template)
    return LayerPlan(moved, 0, shape, tiling, (copy.source,), target, (layer,), label=f"[{number}]")
