"""What FPGA families differ in: multiplier blocks, block memories, what lies outside a block, tables for a table.

The estimate of :mod:`accel_models.template.fabric` is of 7 series; another family takes what stands here beside or in
place of it. Products are split as Yosys' ``mul2dsp`` does it (with the widths that ``synth_xilinx``, ``synth_ecp5``,
``synth_ice40 -dsp`` and ``synth_gowin`` give it). ``docs/resources.md`` says what was measured and what is assumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from accel_models.hardware.devices import Device


class Product(NamedTuple):
    """A multiplication: bits of its operands, of its result (0: all of them), whether its operands are signed."""

    a: int
    b: int
    y: int = 0
    signed: bool = True


class Rule(NamedTuple):
    """A multiplier block: most bits of its operands, of a part of the first; fewest bits of either and of a result."""

    a: int
    b: int
    part: int
    least_a: int = 2
    least_b: int = 2
    least_y: int = 0


@dataclass(frozen=True, eq=False)
class Family:
    """An FPGA family, as its open synthesis maps for it.

    Attributes:
        name: target of synthesis.
        rules: its multiplier blocks, in the order in which they are tried.
        signed_only: blocks multiply signed operands alone.
        shapes: of a block memory: (bits of a word, words).
        blocks36: block memories that are counted as one of 36 Kb.
        shallow: words of the deepest memory that is not made of blocks; 0: all are.
        ram: bits and words of a distributed memory of four tables.
        tables: its look-up tables for one of 7 series.
        outside: registers and adders that 7 series has in multiplier blocks, and shift registers, are logic.
    """

    name: str
    rules: tuple[Rule, ...]
    signed_only: bool = False
    shapes: tuple[tuple[int, int], ...] = ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384))
    blocks36: int = 2
    shallow: int = 64
    ram: tuple[int, int] = (6, 32)
    tables: float = 1.0
    outside: bool = False


XC7 = Family("xc7", (Rule(25, 18, 18, least_y=9),), signed_only=True)
XCUP = Family("xcup", (Rule(27, 18, 18, least_y=9),), signed_only=True)
#: Tables: two whole accelerators (weight stationary 4x4 and 8x8); a memory of 64 words is a block there.
ECP5 = Family("ecp5", (Rule(18, 18, 18),), shallow=32, ram=(4, 16), tables=1.48, outside=True)
#: Tables: our assumption, as that registers lie outside: synthesis of whole accelerators stops in Yosys.
ICE40 = Family(
    "ice40",
    (Rule(16, 16, 16, least_y=11),),
    shapes=((16, 256), (8, 512), (4, 1024), (2, 2048)),
    blocks36=9,
    shallow=0,
    tables=1.6,
    outside=True,
)
#: Tables: one whole accelerator (weight stationary 4x4).
GOWIN = Family(
    "gowin",
    (Rule(36, 36, 36, 22, 22), Rule(18, 18, 18, 10, 4), Rule(18, 18, 18, 4, 10), Rule(9, 9, 9, 4, 4)),
    shallow=32,
    ram=(4, 16),
    tables=1.53,
    outside=True,
)
FAMILIES = {family.name: family for family in (XC7, XCUP, ECP5, ICE40, GOWIN)}
#: Family of a device (``clocks.yaml``) -> its synthesis. Speed grades are one family here.
TARGETS = {"xc7": "xc7", "xc7_2": "xc7", "xcup": "xcup", "ecp5": "ecp5", "ice40up": "ice40"}
TARGETS |= dict.fromkeys(("gw2a", "gw1n"), "gowin")


def family_of(part: Device | None) -> Family:
    """The family whose estimate is a device's. One that names none: 7 series with tables of six inputs, Gowin with
    four; no device, or silicon: 7 series.
    """
    return FAMILIES[TARGETS.get("" if part is None else part.taken_for, "xc7")]


@lru_cache(maxsize=1 << 12)
def blocks(product: Product, family: Family) -> int:
    """Multiplier blocks of a product; 0 where it is made of look-up tables."""
    more = int(family.signed_only and not product.signed)
    a, b = product.a + more, product.b + more
    left, count = [(a, b, product.y or product.a + product.b)], 0
    for rule in family.rules:
        over: list[tuple[int, int, int]] = []
        for a, b, y in left:
            some, soft = _split(max(a, b), min(a, b), y, rule, int(family.signed_only))
            count += some
            over += soft
        left = over
    return count


def _split(a: int, b: int, y: int, rule: Rule, sign: int) -> tuple[int, list[tuple[int, int, int]]]:
    """Blocks of one kind, and the products that it is not used for."""
    if a < rule.least_a or b < rule.least_b or y < rule.least_y:
        return 0, [(a, b, y)]
    if a <= rule.a and b <= rule.b:
        return 1, []
    long, most, part = (a, rule.a, rule.part) if a > rule.a else (b, rule.b, rule.b)
    other = b if a > rule.a else a
    count = (long - most + part - sign - 1) // (part - sign)
    last = long - count * (part - sign)
    pieces = [(part, min(y, other + part))] * count + [(last, other + last)]
    total, soft = 0, list[tuple[int, int, int]]()
    for bits, out in pieces:
        one, rest = _split(*((bits, other) if a > rule.a else (other, bits)), out, rule, sign)
        total += one
        soft += rest
    return total, soft
