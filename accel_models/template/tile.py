"""One tile of work for a PE array: the command of `cd_types_pkg::tile_cmd_t`, without its addresses."""

from __future__ import annotations

from typing import NamedTuple


class Tile(NamedTuple):
    """A convolution of what the on-chip buffers hold (a named tuple: cheap to make, and numba takes it).

    Attributes:
        k, c: output and input channels.
        p, q: output rows and columns.
        r, s: filter rows and columns.
        stride_h, stride_w, dilation_h, dilation_w: in input pixels.
        pad_top, pad_left: zeros before the first stored row and column.
        in_h, in_w: stored input rows and columns; a pixel outside them is 0.
        kept: filter taps of each block of channels that take part, each named by a header in front of its weights; 0:
            all, without headers.
    """

    k: int
    c: int
    p: int
    q: int
    r: int = 1
    s: int = 1
    stride_h: int = 1
    stride_w: int = 1
    dilation_h: int = 1
    dilation_w: int = 1
    pad_top: int = 0
    pad_left: int = 0
    in_h: int = 1
    in_w: int = 1
    kept: int = 0

    @property
    def macs(self) -> int:
        """Multiply-accumulates, padding taps included."""
        return self.k * self.c * self.p * self.q * self.r * self.s
