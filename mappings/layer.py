"""One operator with its loop bounds: the unit that is mapped, costed and run.

Loop dims, per group: ``G`` groups, ``N`` batch, ``K`` output channels, ``C`` input channels, ``P Q`` output
rows and columns, ``R S`` filter rows and columns. Input rows and columns follow:
``H = (P - 1) * stride + (R - 1) * dilation + 1 - padding``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from mappings.errors import Fault, SpecError
from mappings.operators import Macs, Op, Rescale, SecondOperand
from mappings.reader import Reader, whole
from mappings.yamlio import digest

__all__ = ["DIMS", "MAX_BITS", "MAX_EXTENT", "TENSORS", "Bits", "Layer", "Op"]

DIMS = ("G", "N", "K", "C", "P", "Q", "R", "S")
TENSORS = ("I", "W", "O")
MAX_EXTENT = 2**31 - 1
MAX_BITS = 64


@dataclass(frozen=True)
class Bits:
    """Bits per element of each tensor; ``acc`` is the width of a partial sum."""

    I: int = 8  # noqa: E741 - the field's name for the input tensor
    W: int = 8
    O: int = 8  # noqa: E741
    acc: int = 32


@dataclass(frozen=True)
class Layer:
    """One operator of a network, with loop bounds per group.

    Attributes:
        name: unique in its workload.
        op: operator.
        N, K, C, P, Q, R, S: loop bounds; K and C are *per group*.
        groups: G; a depthwise convolution has ``groups`` channels and ``K = C = 1``.
        stride, dilation: (rows, columns).
        padding: (top, left, bottom, right), in input elements.
        activation: fused non-linearity: "" | "relu" | "relu6" | "gelu" | ... .
        axis: dim that a concatenation grows: "" or "K" (channels), "P" (rows), "Q" (columns).
        transpose_b: how the second operand of a MATMUL is stored. False: C rows of G*K channels (attention's values);
            True: K rows of G*C channels (attention's keys).
        masked: a SOFTMAX leaves out places that its ``constants["mask"]`` names.
        moves: where the elements of a RESHAPE come from. "": the input in its own order; "box": ``y[c, p, q]`` is
            ``x[origin[0] + c, origin[1] + p * stride[0] // dilation[0], origin[2] + q * stride[1] // dilation[1]]``;
            "list": ``constants["index"]`` alone tells.
        origin: (channel, row, column) of a box.
        kept_taps: a pattern-pruned CONV has weights under no more filter taps than that in each block of channels;
            which ones is up to the block; 0: under all.
        tap_block: (output, input) channels of such a block, counted from the first channels.
        bits: bits per element of each tensor.
        inputs: names of the layers (or workload inputs) that feed it, in operand order.
    """

    name: str
    op: Op
    N: int = 1
    K: int = 1
    C: int = 1
    P: int = 1
    Q: int = 1
    R: int = 1
    S: int = 1
    groups: int = 1
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    activation: str = ""
    axis: str = ""
    transpose_b: bool = False
    masked: bool = False
    moves: str = ""
    origin: tuple[int, int, int] = (0, 0, 0)
    kept_taps: int = 0
    tap_block: tuple[int, int] = (0, 0)
    bits: Bits = field(default_factory=Bits)
    inputs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        faults = [
            Fault(f"layer {self.name}.{dim}", f"is {value}", f"an integer from 1 to {MAX_EXTENT}")
            for dim, value in self.bounds.items()
            if type(value) is not int or not 1 <= value <= MAX_EXTENT
        ]
        for what, low, length in (("stride", 1, 2), ("dilation", 1, 2), ("padding", 0, 4), ("origin", 0, 3)):
            values = getattr(self, what)
            if len(values) != length or any(type(v) is not int or not low <= v <= MAX_EXTENT for v in values):
                faults.append(Fault(f"layer {self.name}.{what}", f"is {values}", f"{length} integers >= {low}"))
        faults += self._tap_faults()
        faults += [
            Fault(f"layer {self.name}.bits.{which}", f"is {width!r}", f"an integer from 1 to {MAX_BITS}")
            for which, width in asdict(self.bits).items()
            if type(width) is not int or not 1 <= width <= MAX_BITS
        ]
        if self.axis not in ("", "K", "P", "Q"):
            faults.append(Fault(f"layer {self.name}.axis", f'is "{self.axis}"', "K, P, Q"))
        if self.moves not in ("", "box", "list"):
            faults.append(Fault(f"layer {self.name}.moves", f'is "{self.moves}"', "box, list"))
        if not faults and self.macs > 2**62:
            faults.append(Fault(f"layer {self.name}", f"{self.macs} MACs overflow 64-bit counts"))
        if not faults and max(*self.elements.values(), self.N * self.channels_out * self.P * self.Q) > 2**62:
            faults.append(Fault(f"layer {self.name}", "elements of a tensor overflow 64-bit counts"))
        if not faults and (self.H < 1 or self.W_in < 1):
            faults.append(Fault(f"layer {self.name}.padding", f"leaves an input of {self.H} x {self.W_in}"))
        if faults:
            raise SpecError(faults)

    def _tap_faults(self) -> list[Fault]:
        where, taps, block = f"layer {self.name}.kept_taps", self.kept_taps, self.tap_block
        if taps == 0 and block == (0, 0):
            return []
        if type(taps) is not int or not 0 < taps < (self.R * self.S if type(self.R) is type(self.S) is int else 1):
            return [
                Fault(where, f"is {taps!r}", f"1 to {self.R} * {self.S} - 1 taps of a filter, or 0 without a block")
            ]
        if len(block) != 2 or any(type(size) is not int or size < 1 for size in block):
            return [Fault(f"layer {self.name}.tap_block", f"is {block}", "output and input channels, 1 or more")]
        if self.op is not Op.CONV or self.groups > 1:
            return [Fault(where, f"is of a {self.op} in {self.groups} groups", "a convolution in one group")]
        return []

    @property
    def bounds(self) -> dict[str, int]:
        """Loop bounds by dim, in the order of ``DIMS``."""
        return dict(zip(DIMS, (self.groups, self.N, self.K, self.C, self.P, self.Q, self.R, self.S), strict=True))

    @property
    def H(self) -> int:
        """Input rows, padding excluded. Trailing rows that no window touches are not counted."""
        if self.op.spec.transposed:
            span = self.P + self.padding[0] + self.padding[2] - ((self.R - 1) * self.dilation[0] + 1)
            return span // self.stride[0] + 1
        return (self.P - 1) * self.stride[0] + (self.R - 1) * self.dilation[0] + 1 - self.padding[0] - self.padding[2]

    @property
    def W_in(self) -> int:
        """Input columns, padding excluded."""
        if self.op.spec.transposed:
            span = self.Q + self.padding[1] + self.padding[3] - ((self.S - 1) * self.dilation[1] + 1)
            return span // self.stride[1] + 1
        return (self.Q - 1) * self.stride[1] + (self.S - 1) * self.dilation[1] + 1 - self.padding[1] - self.padding[3]

    @property
    def macs(self) -> int:
        """Multiply-accumulates, padding taps included (0 for operators without any).

        Of a transposed convolution each input meets each tap, those included whose output is cut off.
        """
        rule = self.op.spec.macs
        if rule is Macs.NONE:
            return 0
        places = self.H * self.W_in if rule is Macs.INPUTS else self.P * self.Q
        return self.groups * self.N * self.K * self.C * places * self.R * self.S

    @property
    def channels_in(self) -> int:
        """Input channels of all groups."""
        return 1 if self.op.spec.second is SecondOperand.TABLE else self.groups * self.C

    @property
    def channels_out(self) -> int:
        """Output channels of all groups."""
        return self.groups * self.K

    @property
    def elements(self) -> dict[str, int]:
        """Elements of each tensor; W is 0 where the operator has no weights."""
        second, weights = self.op.spec.second, 0
        if second is SecondOperand.WEIGHTS:
            weights = self.groups * self.K * self.C * self.R * self.S
        elif second is SecondOperand.ACTIVATIONS:
            weights = self.N * self.groups * self.K * self.C
        elif second is SecondOperand.TABLE:
            return {"I": self.N * self.P * self.Q, "W": self.K * self.C, "O": self.N * self.K * self.P * self.Q}
        return {
            "I": self.N * self.channels_in * self.H * self.W_in,
            "W": weights,
            "O": self.N * self.channels_out * self.P * self.Q,
        }

    @property
    def is_depthwise(self) -> bool:
        """One channel a group."""
        spec = self.op.spec
        return spec.convolves and spec.windowed and self.groups > 1 and self.K == 1 and self.C == 1

    @property
    def keeps_scale(self) -> bool:
        """Its integers have the scale of its operands: nothing rescales between."""
        spec = self.op.spec
        return spec.rescale is Rescale.NONE or (spec.function and self.activation in ("relu", "relu6"))

    def to_dict(self) -> dict[str, Any]:
        """Plain values; fields at their default are left out."""
        base = Layer("", self.op)
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        out: dict[str, Any] = {"name": self.name, "op": str(self.op)}
        for name, value in values.items():
            if name not in out and value != getattr(base, name):
                if isinstance(value, Bits):
                    out[name] = asdict(value)
                else:
                    out[name] = list(value) if isinstance(value, tuple) else value
        return out

    @classmethod
    def from_dict(cls, value: Any, where: str = "layer") -> Layer:
        """The reverse of :meth:`to_dict`.

        Raises:
            SpecError: unknown key, wrong type, or illegal bound; all of them at once.
        """
        reader = Reader(value, where, [f.name for f in fields(cls)])

        def texts(given: Any, _spot: str) -> str:
            if not isinstance(given, str):
                raise ValueError
            return given

        def integers(given: Any, _spot: str) -> int:
            return whole(given, 0, MAX_EXTENT)

        def bits(given: Any) -> Bits:
            part = Reader(given, f"{where}.bits", [f.name for f in fields(Bits)])
            widths = {f.name: part.integer(f.name, 1, MAX_BITS, f.default) for f in fields(Bits)}
            part.done()
            return Bits(**widths)

        by_name = {str(op): op for op in Op}
        data: dict[str, Any] = {"name": reader.text("name"), "op": reader.choice("op", by_name.__getitem__, by_name)}
        for item in fields(cls):
            if item.name in data:
                continue
            if item.name == "bits":
                data["bits"] = reader.take("bits", bits, "bits of I, W, O, acc", Bits())
            elif item.name == "inputs":
                data["inputs"] = reader.items("inputs", texts, "names", ())
            elif isinstance(item.default, tuple):
                data[item.name] = reader.items(item.name, integers, "integers", item.default)
            elif isinstance(item.default, bool):
                data[item.name] = reader.truth(item.name, item.default)
            elif isinstance(item.default, int):
                data[item.name] = reader.integer(item.name, min(1, item.default), MAX_EXTENT, item.default)
            else:
                data[item.name] = reader.text(item.name, item.default)
        reader.done()
        return cls(**data)

    @property
    def digest(self) -> str:
        """Digest of everything but the names: equal layers share a mapping."""
        plain = self.to_dict()
        plain.pop("name")
        plain.pop("inputs", None)
        return digest(plain)
