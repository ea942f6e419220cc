"""Area and access energy of an on-chip memory by its words, width and ports.

The shape is that of the real macros of IHP's SG13G2 (130 nm, typical, 1.2 V, 25 C; IHP-Open-PDK, Apache-2.0): a
constant (control), a term with the root of the words (decoder, word lines), one with the width (sense amplifiers,
drivers) and one with the bits (cells, bit lines). ``python -m benchmarks.sram`` fits the coefficients on every second
macro and judges them on the others. A memory wider or deeper than the macros is made of several side by side. Plain
functions of numbers.
"""

from __future__ import annotations

from math import ceil, sqrt

#: Words and bits of the largest macro.
MAX_WORDS, MAX_BITS = 8192, 64
#: Of the smallest.
MIN_WORDS, MIN_BITS = 64, 8
#: um2 of a one-port and of a two-port macro: constant, by root of words, by width, by bits.
AREA_1P = (-6385.3, 718.18, 581.69, 3.2038)
AREA_2P = (2282.2, 1017.5, 903.11, 6.1369)
#: pJ of a read and of a write of one word, either kind.
READ = (-2.1194, 0.27283, 0.61488, 0.00058838)
WRITE = (-0.86993, 0.27131, 0.75389, 0.00074296)


def shape(coefficients: tuple[float, float, float, float], words: float, bits: float) -> float:
    """One macro: a constant, and terms with the root of the words, the width and the bits."""
    return coefficients[0] + coefficients[1] * sqrt(words) + coefficients[2] * bits + coefficients[3] * words * bits


def tiles(words: float, bits: float) -> tuple[int, int]:
    """Macros that a memory is made of: (deep, wide)."""
    return ceil(words / MAX_WORDS), ceil(bits / MAX_BITS)


def area_130nm_um2(words: float, bits: float, ports: int) -> float:
    """Area at 130 nm; a memory is no smaller than the smallest macro."""
    deep, wide = tiles(words, bits)
    one = shape(AREA_1P if ports == 1 else AREA_2P, max(words / deep, MIN_WORDS), max(bits / wide, MIN_BITS))
    return deep * wide * one


def access_130nm_pj(words: float, bits: float, write: bool) -> float:
    """Energy of one word: of macros side by side all are read, of macros one above the other one."""
    deep, wide = tiles(words, bits)
    return wide * shape(WRITE if write else READ, max(words / deep, MIN_WORDS), max(bits / wide, MIN_BITS))
