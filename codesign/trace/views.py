"""Where the elements of a torch tensor lie in a stored tensor ``[N, channels, rows, columns]``.

A module's ``view``, ``permute``, ``chunk`` and friends move nothing in hardware as long as the next operator can
find its elements. So a traced value is a :class:`View`: each torch dim is a list of :class:`Atom`, digits of the
stored axes, most significant first. Splitting and merging heads, tokens or flattened images is then arithmetic on
atoms; only what no operator can read in place becomes a ``reshape`` layer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

AXES = "NCHW"
Shape = tuple[int, int, int, int]


@dataclass(frozen=True)
class Atom:
    """One digit of a stored axis: the coordinate on ``axis`` grows by ``stride`` for each of ``size`` steps."""

    axis: str
    size: int
    stride: int = 1


Dim = tuple[Atom, ...]


def _merged(atoms: Sequence[Atom]) -> Dim:
    """Neighbours that are digits of one number become one; those of size 1 vanish."""
    out: list[Atom] = []
    for atom in atoms:
        if atom.size == 1:
            continue
        if out and out[-1].axis == atom.axis and out[-1].stride == atom.stride * atom.size:
            atom = Atom(atom.axis, out.pop().size * atom.size, atom.stride)
        out.append(atom)
    return tuple(out)


@dataclass(frozen=True)
class View:
    """A torch tensor as a rearrangement of (a part of) a stored one.

    Attributes:
        tensor: name of the layer or workload input that stores it.
        dims: atoms of each torch dim, merged.
        sizes: torch shape.
        start: first coordinate on each of N, C, H, W.
        factor: value = factor * stored value (scalars are multiplied for free where scales are).
        pad: (top, left, bottom, right) zeros around rows and columns that no operator has absorbed yet.
    """

    tensor: str
    dims: tuple[Dim, ...]
    sizes: tuple[int, ...]
    start: Shape = (0, 0, 0, 0)
    factor: float = 1.0
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)

    @classmethod
    def whole(cls, tensor: str, shape: Shape, axes: str) -> View:
        """All of a stored tensor; torch dim ``i`` is the axis ``axes[i]`` (the axes left out have extent 1)."""
        extent = dict(zip(AXES, shape, strict=True))
        return cls(tensor, tuple(_merged([Atom(a, extent[a])]) for a in axes), tuple(extent[a] for a in axes))

    def permuted(self, order: Sequence[int]) -> View:
        """Torch dims in another order."""
        return replace(self, dims=tuple(self.dims[i] for i in order), sizes=tuple(self.sizes[i] for i in order))

    def reshaped(self, sizes: Sequence[int]) -> View | None:
        """Another torch shape with the same elements in the same order; None where atoms would not divide."""
        rest = list(_merged([atom for dim in self.dims for atom in dim]))
        dims: list[Dim] = []
        for size in sizes:
            need, taken = size, []
            while need > 1:
                if not rest:
                    return None
                atom = rest.pop(0)
                if need % atom.size == 0:
                    taken.append(atom)
                    need //= atom.size
                elif atom.size % need == 0:
                    inner = atom.size // need
                    taken.append(Atom(atom.axis, need, atom.stride * inner))
                    rest.insert(0, Atom(atom.axis, inner, atom.stride))
                    need = 1
                else:
                    return None
            dims.append(_merged(taken))
        return replace(self, dims=tuple(dims), sizes=tuple(sizes))

    def narrowed(self, dim: int, start: int, length: int, step: int = 1) -> View | None:
        """``length`` entries of one dim, from ``start``, ``step`` apart; None where they are no digit of an axis."""
        if start == 0 and step == 1 and length == self.sizes[dim]:
            return self
        atoms = self.dims[dim]
        first = list(self.start)
        inner = math.prod(atom.size for atom in atoms[1:])
        if len(atoms) == 1 and length > 1:
            atom = atoms[0]
            first[AXES.index(atom.axis)] += start * atom.stride
            new: Dim = (Atom(atom.axis, length, atom.stride * step),)
        elif length == 1:
            rest = start
            for position, atom in enumerate(atoms):
                below = math.prod(other.size for other in atoms[position + 1 :])
                first[AXES.index(atom.axis)] += rest // below * atom.stride
                rest %= below
            new = ()
        elif step == 1 and start % inner == 0 and length % inner == 0:
            first[AXES.index(atoms[0].axis)] += start // inner * atoms[0].stride
            new = _merged([Atom(atoms[0].axis, length // inner, atoms[0].stride), *atoms[1:]])
        else:
            return None
        dims = tuple(new if i == dim else d for i, d in enumerate(self.dims))
        sizes = tuple(length if i == dim else n for i, n in enumerate(self.sizes))
        return replace(self, dims=dims, sizes=sizes, start=(first[0], first[1], first[2], first[3]))

    def index(self, shape: Shape) -> NDArray[np.int64]:
        """Flat position in the stored tensor of ``shape`` of every element, in the torch shape (pad left out)."""
        pitch = {a: math.prod(shape[i + 1 :]) for i, a in enumerate(AXES)}
        flat = np.full((), sum(c * pitch[a] for a, c in zip(AXES, self.start, strict=True)), dtype=np.int64)
        for dim in self.dims:
            steps = np.zeros((1,), dtype=np.int64)
            for atom in dim:
                own = np.arange(atom.size, dtype=np.int64) * (atom.stride * pitch[atom.axis])
                steps = (steps[:, None] + own).reshape(-1)
            flat = flat[..., None] + steps
        return flat.reshape(self.sizes)

    def channels(self, shape: Shape) -> tuple[int, int] | None:
        """``(first, count)`` of the channels it spans, if it is a rearrangement of all places of some channels.

        None where it leaves out rows, columns or samples, or takes channels with gaps.
        """
        if any(self.start[i] for i in (0, 2, 3)):
            return None
        spans = {}
        for axis in AXES:
            atoms = sorted((a for d in self.dims for a in d if a.axis == axis), key=lambda a: a.stride)
            size = 1
            for atom in atoms:
                if atom.stride != size:
                    return None
                size *= atom.size
            spans[axis] = size
        if any(spans[axis] != extent for axis, extent in zip(AXES, shape, strict=True) if axis != "C"):
            return None
        return self.start[1], spans["C"]

    def is_axes(self, axes: str, shape: Shape) -> bool:
        """Whether torch dim ``i`` is all of axis ``axes[i]`` (of channels: a gapless part), the others of extent 1."""
        extent = dict(zip(AXES, shape, strict=True))
        if len(axes) != len(self.dims) or any(extent[a] != 1 for a in AXES if a not in axes):
            return False
        for axis, dim, size in zip(axes, self.dims, self.sizes, strict=True):
            if axis != "C" and size != extent[axis]:
                return False
            if size > 1 and dim != (Atom(axis, size, 1),):
                return False
        return not any(self.start[i] for i in (0, 2, 3))
