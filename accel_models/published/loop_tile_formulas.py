"""Cycles and memory blocks of a loop-tile accelerator on an FPGA, on plain integers: numba compiles the file as it is.

After Zhang 2015, with a port each for weights, inputs and outputs as in the released code of HotNAS (Jiang 2020).
``Tm`` output channels by ``Tn`` input channels are multiplied side by side, a tile of ``Tr x Tc`` pixels at a time.
Filling the buffers, computing and emptying them overlap, so that the slowest of them sets the pace::

    weights = Tm Tn R S / ports            inputs = min(Tn, C) rows cols / ports
    compute = R S ceil(rows / stride) ceil(cols / stride)
    outputs = min(Tm, K) ceil(rows / stride) ceil(cols / stride) / ports
    cycles  = N ceil(H / Tr) ceil(W / Tc) ceil(K / Tm) max(ceil(C / Tn) max(weights, inputs, compute), outputs)
"""

from __future__ import annotations

BLOCK_BITS = 18_000  #: of a BRAM18 as the published formulas count it


def ceil_div(value: int, by: int) -> int:
    """``value / by`` rounded up; both positive."""
    return -(-value // by)


def layer_cycles(
    tm: int,
    tn: int,
    tr: int,
    tc: int,
    weight_ports: int,
    input_ports: int,
    output_ports: int,
    batch: int,
    filters: int,
    channels: int,
    height: int,
    width: int,
    rows: int,
    cols: int,
    stride_rows: int,
    stride_cols: int,
) -> int:
    """Cycles of one convolution; the last tile along each axis is charged in full, as published."""
    tile_rows, tile_cols = min(tr, height), min(tc, width)
    pixels = ceil_div(tile_rows, stride_rows) * ceil_div(tile_cols, stride_cols)
    fill = max(
        ceil_div(tm * tn * rows * cols, weight_ports),
        ceil_div(min(tn, channels) * tile_rows * tile_cols, input_ports),
        rows * cols * pixels,
    )
    drain = ceil_div(min(tm, filters) * pixels, output_ports)
    tiles = batch * ceil_div(height, tr) * ceil_div(width, tc) * ceil_div(filters, tm)
    return tiles * max(ceil_div(channels, tn) * fill, drain)


def bram18(tm: int, tn: int, tr: int, tc: int, taps: int, bits: int) -> int:
    """Blocks of 18 Kb: inputs and outputs twice, a bank a channel; weights a bank a multiplier.

    Args:
        taps: of the largest filter, rows times columns.
    """
    pixels = ceil_div(tr * tc * bits, BLOCK_BITS)
    return 2 * tn * pixels + 2 * tm * pixels + tm * tn * ceil_div(4 * taps * bits, BLOCK_BITS)
