"""A layer as MAESTRO sees it: a table of dim sizes, and the dims to which each tensor is coupled (MODEL section 2)."""

from __future__ import annotations

from dataclasses import dataclass

from accel_models.published.maestro.mapping_file import MaestroLayer
from mappings.errors import Fault, SpecError

TENSORS = ("I", "W", "O")
OUTPUT_NAME = {"X": "X'", "Y": "Y'"}
"""Output dim of each sliding ("reference") dim."""
WINDOW = {"X": "S", "Y": "R"}
"""Filter dim that slides along each reference dim."""

_COUPLED: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "CONV": (("C", "Y", "X"), ("K", "C", "R", "S"), ("K", "Y", "X")),
    "DSCONV": (("C", "Y", "X"), ("C", "R", "S"), ("C", "Y", "X")),
    "NGCONV": (("G", "C", "Y", "X"), ("G", "K", "C", "R", "S"), ("G", "K", "C", "Y", "X")),  # Q16: C is coupled to O
    "GEMM": (("M", "K"), ("K", "N"), ("M", "N")),
}
_COUPLED["TRCONV"] = _COUPLED["CONV"]  # Q14: the inner stride is dropped


@dataclass(frozen=True)
class Problem:
    """The sizes and couplings of one layer.

    Attributes:
        sizes: of all dims, derived output or input dims included.
        coupled: dims of I, W and O, in MAESTRO's order (outputs by *input* dims Y, X).
        reference_dims: the sliding dims, () for GEMM.
        strides: of each reference dim.
    """

    sizes: dict[str, int]
    coupled: dict[str, tuple[str, ...]]
    reference_dims: tuple[str, ...]
    strides: dict[str, int]

    @property
    def operand_dims(self) -> tuple[str, ...]:
        """Dims of the input or the weight, sorted by name."""
        return tuple(sorted({*self.coupled["I"], *self.coupled["W"]}))


def is_batched(kind: str, layers: tuple[MaestroLayer, ...]) -> bool:
    """Whether MAESTRO counts a batch for this kind: as the *first* layer of the kind in the file says (Q9).

    GEMM has no batch: its N is a dim of the weight and the output.
    """
    if kind == "GEMM":
        return False
    first = next(layer for layer in layers if layer.kind == kind)
    return any(dim == "N" for dim, _ in first.dims)


def read_problem(layer: MaestroLayer, batched: bool) -> Problem:
    """Completes a layer's dims and couples its tensors.

    Args:
        layer: as written.
        batched: whether N is coupled to input and output, see :func:`is_batched`.

    Raises:
        SpecError: dims that the kind needs are missing.
    """
    sizes = dict(layer.dims)
    inputs, weights, outputs = _COUPLED[layer.kind]
    reference_dims = () if layer.kind == "GEMM" else ("X", "Y")
    for dim in reference_dims:
        out, window = OUTPUT_NAME[dim], sizes.get(WINDOW[dim])
        if window is None:
            continue
        if dim in sizes:
            sizes.setdefault(out, sizes[dim] - window + 1)
        elif out in sizes:
            sizes[dim] = sizes[out] + window - 1
    if batched:
        inputs, outputs = ("N", *inputs), ("N", *outputs)
    missing = [dim for dim in dict.fromkeys((*inputs, *weights, *outputs)) if dim not in sizes]
    if missing:
        hint = "; the first layer of a type decides whether the type has a batch" if "N" in missing else ""
        raise SpecError(
            Fault(layer.place, f"dimension {', '.join(missing)} of {layer.kind} layer {layer.name} not found{hint}")
        )
    return Problem(
        sizes,
        {"I": inputs, "W": weights, "O": outputs},
        reference_dims,
        {"X": layer.stride_x, "Y": layer.stride_y},
    )
