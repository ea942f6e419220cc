"""The one table of operators: what each computes, on which operands, and where it runs.

Everything that differs between operators is a column of :class:`OpSpec`, and an operator is one row of :class:`Op`.
Other files ask the row (``layer.op.spec.weighted``) and name no operator, but for those that make layers (tracing, the
network builders) and those that hold an operator's own arithmetic, by operator: the integer definitions, their torch
and hardware counterparts. ``tests/unit/test_op_table.py`` holds both.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, auto


class Unit(StrEnum):
    """Where an operator runs on our accelerators."""

    ARRAY = auto()  #: the MAC array; a convolution of one channel a group in the vector unit
    VECTOR = auto()  #: windows and elementwise operators, post-processing behind them
    NONLINEAR = auto()  #: rows of channels: exponentials, square roots, quotients
    MEMORY = auto()  #: in none: data lies as it should, or is copied
    OUTSIDE = auto()  #: not on our accelerators


class SecondOperand(StrEnum):
    """What an operator's second operand is."""

    NONE = auto()
    WEIGHTS = auto()  #: stored with the network, with a bias; fills the weight buffer
    ACTIVATIONS = auto()  #: another layer's output in the place of weights
    ADDED = auto()  #: another layer's output, added in post-processing
    MULTIPLIED = auto()  #: another layer's output, multiplied in post-processing; may be one value a channel
    TABLE = auto()  #: stored with the network; rows are looked up


class Macs(StrEnum):
    """How multiply-accumulates are counted; taps in the padding are included."""

    NONE = auto()
    OUTPUTS = auto()  #: each output meets each tap
    INPUTS = auto()  #: each input meets each tap, those included whose output is cut off


class Rescale(StrEnum):
    """How an operator's integers come to the scale of its output."""

    NONE = auto()  #: not at all: the output has the scale of the operands
    CHANNEL = auto()  #: a bias, a multiplier and a shift for each output channel
    ONE = auto()  #: one multiplier and one shift
    OPERANDS = auto()  #: a multiplier for each operand, one shift
    OWN = auto()  #: the operator's own definition tells
    UNDEFINED = auto()  #: it has no integer definition


class Layout(StrEnum):
    """What an operator without arithmetic does."""

    NONE = auto()  #: it has arithmetic
    JOINED = auto()  #: operands side by side
    RESHAPED = auto()  #: the operand's elements, in another order or a part of them
    STORED = auto()  #: no operand: stored with the network


@dataclass(frozen=True, kw_only=True)
class OpSpec:
    """A row of the table.

    Attributes:
        unit: where it runs.
        indexes: loop dims that index its tensors I, W (the second operand; "" where there is none) and O. Rows and
            columns of the input follow from P, R and Q, S through the sliding window.
        windowed: a window slides over rows and columns: R and S may be over 1.
        second: what the second operand is.
        macs: how multiply-accumulates are counted.
        scans: how often it goes through the channels of a place: a softmax for the largest, the sum of exponentials
            and the quotients, a layer norm for mean and variance together and the results.
        heads: its groups are heads, each of which begins a channel word.
        channel_values: post-processing, or the unit, takes values by output channel: bias and multiplier, gain.
        function: its arithmetic is the function that a layer's ``activation`` names; of others that is a last step.
        clamps: a clamp (ReLU, ReLU6) can be its last step.
        rescale: how its integers are rescaled.
        layout: what it does where it has no arithmetic.
        needs: fields of a template that must be above 0 for it to run.
    """

    unit: Unit
    indexes: tuple[str, str, str] = ("GNCPQRS", "", "GNKPQ")
    windowed: bool = False
    second: SecondOperand = SecondOperand.NONE
    macs: Macs = Macs.NONE
    scans: int = 1
    heads: bool = False
    channel_values: bool = False
    function: bool = False
    clamps: bool = False
    rescale: Rescale = Rescale.OWN
    layout: Layout = Layout.NONE
    needs: tuple[str, ...] = ()

    @property
    def has_loops(self) -> bool:
        """It is a loop nest that can be mapped; others only change the layout or the addresses."""
        return self.layout is Layout.NONE

    @property
    def multiplies(self) -> bool:
        """It has multiply-accumulates."""
        return self.macs is not Macs.NONE

    @property
    def weighted(self) -> bool:
        """It has weights of its own, and a bias."""
        return self.second is SecondOperand.WEIGHTS

    @property
    def transposed(self) -> bool:
        """Inputs are spread over outputs: it runs as one convolution for each phase (:mod:`mappings.phases`)."""
        return self.macs is Macs.INPUTS

    @property
    def convolves(self) -> bool:
        """It has weights and runs as one loop nest: a convolution, or a linear layer."""
        return self.weighted and not self.transposed

    @property
    def is_product(self) -> bool:
        """Both factors are activations."""
        return self.second is SecondOperand.ACTIVATIONS

    @property
    def joins(self) -> bool:
        """A second operand joins in post-processing."""
        return self.second in (SecondOperand.ADDED, SecondOperand.MULTIPLIED)

    @property
    def keeps_places(self) -> bool:
        """A channel of the output lies where that of the first operand does."""
        return self.unit in (Unit.VECTOR, Unit.NONLINEAR)

    @property
    def over_rows(self) -> bool:
        """The channels of a place are a row: K and C of the layer are the same channels, looped over as C."""
        return "C" in self.indexes[2]


class Op(StrEnum):
    """The operators. Loop-bound meaning differs only where a comment says so.

    A tensor is always ``[N, channels, rows, columns]``; tokens are rows (one column), features are channels, and the
    heads of attention are groups: splitting or merging heads moves nothing.
    """

    spec: OpSpec

    def __new__(cls, name: str, spec: OpSpec) -> Op:
        """A member is its name; the row is ``spec``."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.spec = spec
        return member

    #: grouped, depthwise, dilated, strided, padded; also a linear over an image: R x S = H x W
    CONV = (
        "conv",
        OpSpec(
            unit=Unit.ARRAY,
            indexes=("GNCPQRS", "GKCRS", "GNKPQ"),
            windowed=True,
            second=SecondOperand.WEIGHTS,
            macs=Macs.OUTPUTS,
            channel_values=True,
            clamps=True,
            rescale=Rescale.CHANNEL,
        ),
    )
    #: transposed: out[p] += in[h] * w[r] where p = h * stride + r * dilation - padding
    TRCONV = (
        "trconv",
        OpSpec(
            unit=Unit.ARRAY,
            indexes=("GNCPQRS", "GKCRS", "GNKPQ"),
            windowed=True,
            second=SecondOperand.WEIGHTS,
            macs=Macs.INPUTS,
            channel_values=True,
            clamps=True,
            rescale=Rescale.CHANNEL,
        ),
    )
    #: rows N x P, C -> K; R = S = Q = 1
    LINEAR = (
        "linear",
        OpSpec(
            unit=Unit.ARRAY,
            indexes=("GNCPQRS", "GKCRS", "GNKPQ"),
            second=SecondOperand.WEIGHTS,
            macs=Macs.OUTPUTS,
            channel_values=True,
            clamps=True,
            rescale=Rescale.CHANNEL,
        ),
    )
    #: batched: G x (P x C) @ (C x K), Q = 1; both operands are activations (see ``transpose_b``)
    MATMUL = (
        "matmul",
        OpSpec(
            unit=Unit.ARRAY,
            indexes=("GNCPQRS", "GNKC", "GNKPQ"),  # one matrix for each of the batch
            second=SecondOperand.ACTIVATIONS,
            macs=Macs.OUTPUTS,
            heads=True,
            clamps=True,
            rescale=Rescale.ONE,
            needs=("nonlinear_lanes",),  # a template has all that attention takes, or nothing of it
        ),
    )
    #: depthwise window: G = channels, K = C = 1
    MAXPOOL = "maxpool", OpSpec(unit=Unit.VECTOR, windowed=True, clamps=True, rescale=Rescale.NONE)
    AVGPOOL = "avgpool", OpSpec(unit=Unit.VECTOR, windowed=True, clamps=True, rescale=Rescale.ONE)
    #: elementwise of two tensors: G = channels, K = C = 1
    ADD = (
        "add",
        OpSpec(
            unit=Unit.VECTOR,
            indexes=("GNCPQRS", "GNCPQ", "GNKPQ"),
            second=SecondOperand.ADDED,
            clamps=True,
            rescale=Rescale.OPERANDS,
        ),
    )
    #: elementwise; the second operand may be one value a channel (1 x 1)
    MUL = (
        "mul",
        OpSpec(
            unit=Unit.VECTOR,
            indexes=("GNCPQRS", "GNCPQ", "GNKPQ"),
            second=SecondOperand.MULTIPLIED,
            clamps=True,
            rescale=Rescale.ONE,
        ),
    )
    #: along ``axis`` (channels unless told); G = output channels; no arithmetic
    CONCAT = "concat", OpSpec(unit=Unit.MEMORY, rescale=Rescale.NONE, layout=Layout.JOINED)
    #: a non-linearity that stands alone (``activation`` says which); G = channels
    ACT = "act", OpSpec(unit=Unit.VECTOR, function=True)
    #: over the K = C channels of each of G groups, at each of N x P x Q places
    SOFTMAX = (
        "softmax",
        OpSpec(
            unit=Unit.NONLINEAR,
            indexes=("GNCPQRS", "", "GNCPQ"),
            scans=3,
            heads=True,
            needs=("nonlinear_lanes",),
        ),
    )
    #: over the K = C channels, G = 1, at each of N x P x Q places
    LAYERNORM = (
        "layernorm",
        OpSpec(
            unit=Unit.NONLINEAR,
            indexes=("GNCPQRS", "", "GNCPQ"),
            scans=2,
            channel_values=True,
            needs=("nonlinear_lanes",),
        ),
    )
    #: a stored tensor (position embedding, class token): no input; G = channels
    CONSTANT = "constant", OpSpec(unit=Unit.MEMORY, layout=Layout.STORED)
    #: row of a table by number: N x P numbers, K features a row, C rows in the table
    EMBEDDING = (
        "embedding",
        OpSpec(
            unit=Unit.OUTSIDE,
            indexes=("GNCPQRS", "GNKPQ", "GNKPQ"),  # a row of the table for each place
            second=SecondOperand.TABLE,
            rescale=Rescale.UNDEFINED,
        ),
    )
    #: layout only (transpose, slice, repeat); G = output channels; no arithmetic
    RESHAPE = "reshape", OpSpec(unit=Unit.MEMORY, rescale=Rescale.NONE, layout=Layout.RESHAPED)
