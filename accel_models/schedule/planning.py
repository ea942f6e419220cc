"""The plans of a network: what runs as one, its tiles, and the places of its weights."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, replace
from typing import NamedTuple

from accel_models.design import Design
from accel_models.report import Infeasible
from accel_models.schedule.fusing import absorbed, chains
from accel_models.schedule.memory import Memory
from accel_models.schedule.placing import Copy, Placement, place_tensors
from accel_models.schedule.plan import LayerPlan, second_operand, weight_tiles
from accel_models.schedule.tensors import TensorLayout
from accel_models.schedule.tiling import Tiling, choose_tiling, shape_of, tiling_of
from accel_models.template.spec import Template
from mappings.directives import TemporalMap
from mappings.errors import Fault, SpecError
from mappings.layer import Layer, Op
from mappings.mapping import Mapping
from mappings.phases import Phase, phases
from mappings.workload import Workload

UNTILED = Tiling(0, 0, 0, 0, "")


@dataclass(frozen=True)
class Planned:
    """All plans in the order in which they run, and where tensors lie."""

    plans: tuple[LayerPlan, ...]
    tensors: dict[str, TensorLayout]


class Outline(NamedTuple):
    """A plan without its tiles.

    Attributes:
        plan: its tiling is :data:`UNTILED`.
        mapped: the design may have a mapping for it; a copy has none.
        phase: it is a phase of a transposed convolution.
        param_bytes: parameters to be placed; -1: it shares those of the plan before; 0: it has none.
        tiled_as: how many plans further on the one lies whose default tiles serve this one, too.
    """

    plan: LayerPlan
    mapped: bool = False
    phase: bool = False
    param_bytes: int = 0
    tiled_as: int = 0


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
    param_addr = 0
    for outline in outlines(workload, template, found, placement):
        plan = outline.plan
        if outline.param_bytes > 0:
            param_addr = memory.take(outline.param_bytes, template.granule_bytes(16))
        if outline.param_bytes:
            plan = replace(plan, param_addr=param_addr)
        tiling = tiling_for(outline, mappings, template)
        if isinstance(tiling, Infeasible):
            return tiling
        plans.append(_placed(replace(plan, index=len(plans), tiling=tiling), template, memory))
    return Planned(tuple(plans), placement.tensors)


def tiling_for(outline: Outline, mappings: MappingType[str, Mapping], template: Template) -> Tiling | Infeasible:
    """The tiles of a plan: those of its layer's mapping, or, where it has none, the default ones."""
    layer = outline.plan.layer
    given = mappings.get(outline.plan.chain[0].name) if outline.mapped else None
    if given is None:
        return choose_tiling(layer, template)
    if outline.phase:  # its filter is not the phase's
        kept = (item for item in given.directives if not (isinstance(item, TemporalMap) and item.dim in "RS"))
        given = Mapping(tuple(kept), given.bypass)
    return tiling_of(layer, given, template)


def outlines(
    workload: Workload, template: Template, found: dict[str, tuple[Layer, ...]], placement: Placement
) -> list[Outline]:
    """Every plan but for its tiles and what follows from them, in the order in which they run."""
    drawn: list[Outline] = []
    for layer in workload.layers:
        if layer.name in found:
            drawn += _compute_outlines(found[layer.name], template, placement)
        else:
            copies = placement.copies.get(layer.name, [])
            drawn += (Outline(_copy_plan(layer, i, copy, template)) for i, copy in enumerate(copies))
    return drawn


def _compute_outlines(chain: tuple[Layer, ...], template: Template, placement: Placement) -> Iterator[Outline]:
    """One plan; of a transposed convolution, one for each phase.

    Raises:
        SpecError: blocks of channels whose taps are skipped do not lie side by side.
    """
    layer, tensors = chain[0], placement.tensors
    second, output = second_operand(chain), tensors[chain[-1].name]
    joining = None if second is None else tensors[second]
    inputs = tuple(tensors[name] for name in layer.inputs)
    shape = shape_of(layer, template)
    if shape.kept and not (inputs[0].is_dense and output.is_dense):
        what = "skips taps by blocks of channels, and channels lie with holes between them"
        remedy = "a concatenation of whole channel words, all taps (kept_taps = 0), or no tap_skipping"
        raise SpecError(Fault(f"layer {layer.name}", what, remedy))
    whole = LayerPlan(
        layer, 0, shape, UNTILED, inputs, output, chain, joining,
        origin=(-layer.padding[0], -layer.padding[1]),
    )  # fmt: skip
    size = 16 * output.blocks * template.word_lanes
    if not layer.op.spec.transposed:
        yield Outline(whole, mapped=True, param_bytes=size if whole.shape.params else 0)
        return
    parts = phases(layer)
    largest = parts.index(max(parts, key=lambda phase: phase.layer.R * phase.layer.S))
    for number, phase in enumerate(parts):
        params = -1 if number else size
        yield Outline(_phase_plan(whole, phase, template), True, True, params, largest - number)


def _placed(plan: LayerPlan, template: Template, memory: Memory) -> LayerPlan:
    """The plan with its weights, mask and table in memory."""
    word = template.weight_word_bytes
    tiles = tuple(
        tile._replace(addr=memory.take(tile.words * word, template.granule_bytes(word)))
        for tile in weight_tiles(plan, template)
    )
    plan = replace(plan, weights=tiles)
    if plan.shape.masked:
        size = plan.layer.P * plan.layer.Q * plan.shape.row_k // template.word_lanes * word
        plan = replace(plan, mask_addr=memory.take(size, template.granule_bytes(word)))
    if plan.table is not None:
        plan = replace(plan, table_addr=memory.take(16 * template.table_words, template.granule_bytes(16)))
    return plan


def _phase_plan(whole: LayerPlan, phase: Phase, template: Template) -> LayerPlan:
    """The convolution that makes one phase of a transposed one's outputs."""
    rows, cols = phase.rows, phase.cols

    def part(tensor: TensorLayout) -> TensorLayout:
        return tensor.part((rows.first, rows.outputs), (cols.first, cols.outputs), rows.step, cols.step)

    second, source = whole.second, whole.inputs[0]
    if phase.layer.C < whole.layer.C:  # without taps: any channel serves
        source = replace(source, places=source.places[:1], blocks=int(source.places[0]) // source.lanes + 1)
    return replace(
        whole,
        layer=phase.layer,
        inputs=(source,),
        macs=phase.macs,
        shape=shape_of(phase.layer, template),
        output=part(whole.output),
        second=None if second is None else second if whole.broadcast else part(second),
        origin=(rows.origin, cols.origin),
        taps=(rows.taps, cols.taps),
        label=f"[{rows.first}, {cols.first}]",
    )


def _copy_plan(layer: Layer, number: int, copy: Copy, template: Template) -> LayerPlan:
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
    shape = shape_of(moved, template)
    return LayerPlan(moved, 0, shape, UNTILED, (copy.source,), target, (layer,), label=f"[{number}]")
