"""What the directive model says that a mapping moves to and from DRAM, and what the program moves: byte for byte.

The program moves more than the loop nest for reasons that are few and have names (:data:`WHY`). Each is counted here
from the layer and its tiles, none from the program's commands, so that the sum is a check of both.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from accel_models.hardware.accelerator import Accelerator
from accel_models.report import Infeasible
from accel_models.reuse.counts import count
from accel_models.reuse.lower import lower
from accel_models.schedule.plan import LayerPlan, Window, channel_tiles, cuts, window
from accel_models.schedule.tensors import Span
from accel_models.template.array_timing import ceil_div, product_outputs
from accel_models.template.spec import Template
from mappings.errors import Fault, SpecError
from mappings.layer import TENSORS
from mappings.mapping import Mapping

#: Why a program moves what the loop nest does not; in the order in which they are counted.
WHY = {
    "element width": "values of fewer bits lie in elements of the template's width, or of its half or quarter (packed)",
    "channel words": "channels are moved in words, the last one of a tensor, head or group filled up",
    "windows whole": "rows and columns that stride or dilation skip are moved with those around them, a pixel where a"
    " tile has nothing but padding",
    "taps kept": "filter taps that a layer does not keep are not moved",
    "array passes": "weights lie in whole passes of the array, of a grouped layer as blocks with zeros beside them,"
    " where taps are skipped behind a header",
    "windows kept": "filter rows come in parts, and the next part or tile needs the very rows that are on the chip",
    "mask": "a softmax's mask, which is no tensor of the loop nest",
    "one value a channel": "a second operand of one value a channel is read once a tile, not once a pixel",
}


@dataclass(frozen=True)
class Moved:
    """One tensor of a layer at DRAM.

    Attributes:
        tensor: I or W (read), O (written).
        mapped_bytes: by the directive model.
        more_bytes: (reason of :data:`WHY`, bytes), each not 0; negative where the program moves less.
    """

    tensor: str
    mapped_bytes: Fraction
    more_bytes: tuple[tuple[str, Fraction], ...]

    @property
    def program_bytes(self) -> int:
        """What the program moves."""
        total = self.mapped_bytes + sum(size for _, size in self.more_bytes)
        assert total.denominator == 1, "words are whole bytes"
        return int(total)


def unaccounted(plan: LayerPlan, template: Template) -> str:
    """Why tiles of a mapping are not tiles of the program, so that what they move differs by more; "": they are."""
    layer, lanes = plan.layer, template.word_lanes
    if plan.label:
        return "a phase of a transposed convolution, or a copy"
    if layer.groups > 1 and layer.op.spec.convolves and not layer.is_depthwise:
        fills = layer.K % lanes == 0 or lanes % layer.K == 0
        words = [tile[2:] for tile in channel_tiles(plan, lanes)]
        shared = plan.tiling.k >= layer.K and len(set(words)) < len(words)
        if not fills or shared or not plan.inputs[0].is_dense:
            return "groups that fill no channel words"
    if any(not tensor.is_dense for tensor in plan.inputs) and not layer.op.spec.is_product:
        return "channels that lie with holes between them"
    if not _windows(plan, 0)[0] or not _windows(plan, 1)[0]:
        return "taps that meet nothing but padding"
    return ""


def moved_bytes(plan: LayerPlan, mapping: Mapping, accelerator: Accelerator) -> tuple[Moved, ...]:
    """The layer of a plan: I, W and O, each with what the program adds to it.

    Args:
        plan: one that :func:`unaccounted` has nothing against; what rides along behind it moves its own bytes.
        mapping: as the program runs it (:func:`accel_models.schedule.mapped.as_run`).
        accelerator: with the template.

    Raises:
        SpecError: no template, or a mapping of another hierarchy.
    """
    template = accelerator.template
    if template is None:
        raise SpecError(Fault(f"accelerator {accelerator.name}", "has no template", "one that rtl_templates can build"))
    nest = lower(plan.layer, mapping, accelerator)
    if isinstance(nest, Infeasible):
        raise SpecError(Fault(f"layer {plan.layer.name}", str(nest), "a mapping that the program runs"))
    counts = count(nest)
    elements = (counts.reads[0][0], counts.reads[0][1], counts.writes[0][2])
    steps = (_input_steps, _weight_steps, _output_steps)
    return tuple(
        _moved(tensor, plan, template, number, step(plan, template, number))
        for tensor, number, step in zip(TENSORS, elements, steps, strict=True)
    )


#: Elements after each reason, cumulative; the last are those that the program moves.
_Steps = list[tuple[str, Fraction]]


def _moved(tensor: str, plan: LayerPlan, template: Template, elements: int, steps: _Steps) -> Moved:
    operand = plan.layer.op.spec.is_product or plan.layer.op.spec.joins  # the second operand is an activation
    width = Fraction(template.act_bits)
    if tensor == "W" and not operand:  # narrow weights lie several in the place of one
        width = Fraction(template.weight_bits, plan.shape.form.narrowing)
    bits = getattr(plan.layer.bits, tensor)
    more = [("element width", elements * (width - bits) / 8)]
    before = Fraction(elements)
    for reason, after in steps:
        more.append((reason, (after - before) * width / 8))
        before = after
    return Moved(tensor, Fraction(elements * bits, 8), tuple(item for item in more if item[1]))


def _input_steps(plan: LayerPlan, template: Template, elements: int) -> _Steps:
    """Channels in words, then windows with all that lies in them."""
    lanes = template.word_lanes
    # Tiles of equal words follow each other or are fetched anew in both: a head's or a group's parts share its input.
    channels = sum(last - first for first, last in {tile[2:] for tile in channel_tiles(plan, lanes)}) * lanes
    touched, whole = _windows(plan, 0), _windows(plan, 1)
    seen = touched[0] * whole[0], touched[1] * whole[1]
    again = Fraction(elements, plan.layer.channels_in * seen[0])  # how often each is fetched, images included
    steps = [("channel words", again * channels * seen[0]), ("windows whole", again * channels * seen[1])]
    if plan.tiling.r:
        steps.append(("windows kept", steps[-1][1] - _kept(plan, template)))
    return steps


def _kept(plan: LayerPlan, template: Template) -> int:
    """Input elements that a walk of the tiles finds on the chip: other filter rows, or outputs, with equal windows."""
    layer, tiling, lanes = plan.layer, plan.tiling, template.word_lanes
    rows, cols = cuts(layer.P, tiling.p), cuts(layer.Q, tiling.q)
    by_output: dict[int, list[Span]] = {}
    for k0, _, first, last in channel_tiles(plan, lanes):
        by_output.setdefault(k0, []).append((first, last))
    outputs = list(by_output.values())
    trips = {"K": len(outputs), "P": len(rows), "Q": len(cols)}
    found = 0
    before: tuple[object, ...] = ()
    for image, *at in product(range(layer.N), *(range(trips[dim]) for dim in tiling.order)):
        place = dict(zip(tiling.order, at, strict=True))
        wide = _window(plan, 1, cols[place["Q"]], (0, layer.S))
        for words, part in product(outputs[place["K"]], plan.filter_cuts):
            high = _window(plan, 0, rows[place["P"]], part)
            tile = (image, words, rows[place["P"]], cols[place["Q"]], part)
            same = (image, words, high, wide)
            if before and before[1] == same and before[0] != tile:
                found += (words[1] - words[0]) * lanes * high.extent * wide.extent
            before = (tile, same)
    return found


def _window(plan: LayerPlan, axis: int, outputs: Span, taps: Span) -> Window:
    stride, dilation, origin = plan.layer.stride[axis], plan.layer.dilation[axis], plan.origin[axis]
    stored = (plan.inputs[0].rows, plan.inputs[0].cols)[axis]
    return window(outputs[1], outputs[0], taps[1], stride, dilation, -origin - taps[0] * dilation, stored)


def _windows(plan: LayerPlan, axis: int) -> tuple[int, int]:
    """Input rows (or columns) that the taps touch, and all that lie between: sums over all tiles."""
    layer, tiling = plan.layer, plan.tiling
    outputs = cuts((layer.P, layer.Q)[axis], (tiling.p, tiling.q)[axis])
    taps = plan.filter_cuts if axis == 0 else [(0, layer.S)]
    stride, dilation, origin = layer.stride[axis], layer.dilation[axis], plan.origin[axis]
    stored = (plan.inputs[0].rows, plan.inputs[0].cols)[axis]
    touched = whole = 0
    for (first, extent), (tap, taps_) in product(outputs, taps):
        at = {
            out * stride + one * dilation + origin
            for out in range(first, first + extent)
            for one in range(tap, tap + taps_)
        }
        touched += sum(0 <= place < stored for place in at)
        whole += _window(plan, axis, (first, extent), (tap, taps_)).extent
    return touched, whole


def _weight_steps(plan: LayerPlan, template: Template, elements: int) -> _Steps:
    layer, shape, lanes = plan.layer, plan.shape, template.word_lanes
    if layer.op.spec.joins:
        words = Fraction(elements, layer.channels_out) * plan.output.blocks * lanes
        steps = [("channel words", words)]
        if plan.broadcast:
            pixels = layer.P * layer.Q
            tiles = len(cuts(layer.P, plan.tiling.p)) * len(cuts(layer.Q, plan.tiling.q))
            steps.append(("one value a channel", words / pixels * tiles))
        return steps
    if layer.op.spec.is_product:
        depth = ceil_div(layer.C, lanes) * lanes
        counts = (product_outputs(k1 - k0, lanes, template.cols) for k0, k1, _, _ in channel_tiles(plan, lanes))
        whole = sum(ceil_div(count, template.cols) * template.cols for count in counts)
        again = Fraction(elements, layer.groups * layer.K * layer.C)
        return [("channel words", again * layer.groups * layer.K * depth), ("array passes", again * whole * depth)]
    if shape.masked:
        return [("mask", Fraction(_mask_places(plan) * shape.row_k // lanes * template.cols))]
    if not shape.weights:
        return []
    again = Fraction(elements, layer.groups * layer.K * layer.C * layer.R * layer.S)
    stored = sum(tile.words for tile in plan.weights) * template.cols
    passes = ("array passes", again * stored * shape.form.narrowing)
    if not shape.kept:
        return [passes]
    return [("taps kept", Fraction(elements * shape.kept, layer.R * layer.S)), passes]


def _mask_places(plan: LayerPlan) -> int:
    """Places whose mask is loaded, all in all: heads and images share it while a tile of places stays."""
    layer, tiling = plan.layer, plan.tiling
    trips = {"P": len(cuts(layer.P, tiling.p)), "Q": len(cuts(layer.Q, tiling.q))}
    if trips["P"] * trips["Q"] == 1:
        return layer.P * layer.Q
    within = tiling.order[tiling.order.index("K") + 1 :]
    again = layer.groups if any(trips[dim] > 1 for dim in within) else 1
    return layer.N * again * layer.P * layer.Q


def _output_steps(plan: LayerPlan, template: Template, elements: int) -> _Steps:
    blocks = plan.output.blocks * template.word_lanes
    return [("channel words", Fraction(elements, plan.layer.channels_out) * blocks)]
