"""The commands of the accelerator's four units: one for each descriptor of `cd_types_pkg`, without its numbers.

Bodies are named tuples, cheap to make in the tens of thousands. Addresses are bytes of memory; bases are words of the
on-chip buffer named.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from accel_models.template.tile import Tile
from accel_models.template.weight_form import WHOLE, WeightForm


class Unit(IntEnum):
    """Who runs a command; each runs its own in program order."""

    LOAD = 0
    COMPUTE = 1
    DRAIN = 2
    STORE = 3
    END = 4  # the sequencer: waits until everything has come to rest
    SETTING = 5  # the sequencer: keeps what the commands behind it share


class Buffer(IntEnum):
    """On-chip memories; numbers of `cd_types_pkg::buffer_e`."""

    INPUT = 1
    WEIGHT = 2
    PARAM = 3
    RESIDUAL = 4
    OUTPUT = 5
    PROGRAM = 6
    TURNED = 7  # the weight buffer, through the transposer
    TABLE = 8  # the table of an activation function, 16 entries a word


class ComputeOp(IntEnum):
    """Numbers of `cd_types_pkg::compute_e`."""

    ARRAY = 1
    DEPTHWISE = 2
    SUM = 3
    MAX = 4
    SOFTMAX = 5
    NORM = 6
    GELU = 7

    @property
    def nonlinear(self) -> bool:
        """The non-linear unit runs it."""
        return self >= ComputeOp.SOFTMAX


class Token(IntEnum):
    """Semaphores: bit numbers of the wait and signal masks. "Full" goes with the data, "free" against it."""

    INPUT_FULL = 0
    INPUT_FREE = 1
    WEIGHT_FULL = 2
    WEIGHT_FREE = 3
    PARAM_FULL = 4
    PARAM_FREE = 5
    RESIDUAL_FULL = 6
    RESIDUAL_FREE = 7
    ACC_FULL = 8
    ACC_FREE = 9
    OUTPUT_FULL = 10
    OUTPUT_FREE = 11
    MEMORY = 12  # a layer's results are in memory
    TABLE_FULL = 13
    TABLE_FREE = 14


class Setting(IntEnum):
    """What the sequencer keeps for the commands of a layer, so that none of them repeats it; numbers of opcodes."""

    LAYER = 6  # the layer's number, its operation and how its results are rescaled; begins every layer
    CONSTANTS = 7  # of a second operand's rescaling and of the non-linear unit; until the next layer begins


class Dma(NamedTuple):
    """``count2 x count1`` runs of ``count0`` words; the on-chip side is contiguous from ``base``."""

    buffer: Buffer
    addr: int
    base: int
    count0: int
    count1: int = 1
    count2: int = 1
    stride1: int = 0
    stride2: int = 0

    @property
    def words(self) -> int:
        """Words of the whole transfer."""
        return self.count0 * self.count1 * self.count2


class Compute(NamedTuple):
    """One tile for the array, the vector or the non-linear unit.

    Attributes:
        wb_base: stored word of the weight buffer.
        accumulate: add to what the accumulators hold.
        form: of the weights.
    """

    op: ComputeOp
    tile: Tile
    ib_base: int
    wb_base: int
    ab_base: int
    accumulate: bool = False
    form: WeightForm = WHOLE


class Second(IntEnum):
    """What post-processing does with a second operand."""

    NONE = 0
    ADD = 1  # after the first has been rescaled to activations
    MULTIPLY = 2  # the first being an activation


class Drain(NamedTuple):
    """``blocks`` channel words of ``words`` pixels through post-processing.

    Attributes:
        per_channel: bias, multiplier and shift come from the parameter buffer, channel ``param_base`` on.
        second: what becomes of a second operand, from ``rb_base``.
        broadcast: the second operand is one pixel.
        lookup: results go through the table that lies from ``table_base`` on.
    """

    blocks: int
    words: int
    ab_base: int
    ob_base: int
    rb_base: int = 0
    param_base: int = 0
    per_channel: bool = False
    second: Second = Second.NONE
    broadcast: bool = False
    lookup: bool = False
    table_base: int = 0


class Command(NamedTuple):
    """What a unit does, and what it waits for.

    Attributes:
        wait, signal: masks of :class:`Token`.
        tag: number of the layer.
        mark: the layer's last command.
    """

    unit: Unit
    wait: int
    signal: int
    tag: int
    mark: bool
    body: Dma | Compute | Drain | Setting | None
