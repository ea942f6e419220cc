"""How a layer's weights lie in the weight buffer, and how the array takes them, by their bits."""

from __future__ import annotations

from typing import NamedTuple

from accel_models.template.spec import Template
from mappings.layer import Layer

HEADER_TAPS = 3  #: filter rows and columns that the header of a pass can name (`cd_next_tap`)


class WeightForm(NamedTuple):
    """The form of one layer's weights.

    Attributes:
        pack: words of weights in a stored word; the compute unit widens them as it reads (`cd_weight_unpack`).
        dual: weights of half the template's width, two in the place of one: the array takes twice its columns a pass.
    """

    pack: int = 1
    dual: bool = False

    @property
    def narrow(self) -> int:
        """log2 of :attr:`pack`, as the descriptor has it."""
        return self.pack.bit_length() - 1

    @property
    def narrowing(self) -> int:
        """Weights in the place of one."""
        return self.pack << self.dual

    def stored_words(self, words: int) -> int:
        """Stored words of a tile of ``words`` words of weights."""
        return -(-words // self.pack)


WHOLE = WeightForm()


def weight_form(template: Template, weight_bits: int, on_array: bool) -> WeightForm:
    """The narrowest form that a template has for a layer's weights.

    Args:
        template: with its packing.
        weight_bits: of the layer.
        on_array: the PE array runs it; else the vector unit, which has no pairs.
    """
    most = narrowing(template, weight_bits)
    dual = on_array and template.dual_rate and most > 1
    return WeightForm(most >> dual, dual)


def narrowing(template: Template, weight_bits: int) -> int:
    """Most weights of that many bits that a template puts in the place of one."""
    most = 1
    while 2 * most <= template.weight_packing and template.weight_bits // (2 * most) >= weight_bits:
        most *= 2
    return most


def skipped_to(layer: Layer, template: Template, form: WeightForm) -> int:
    """Filter taps of each block of channels that the array passes over, all others being skipped; 0: none is skipped.

    The channels of a pass must lie in one block, and its header must be able to name the tap. Where they do not, a
    pruned layer runs as any other: its zeros are multiplied.
    """
    if not (template.tap_skipping and layer.kept_taps and max(layer.R, layer.S) <= HEADER_TAPS):
        return 0
    sizes = (template.cols << form.dual, template.rows)
    blocks = zip(sizes, layer.tap_block, (layer.K, layer.C), strict=True)
    return layer.kept_taps if all(block % size == 0 or total <= block for size, block, total in blocks) else 0
