"""What the batch model says of a column: feasible, or why not."""

from __future__ import annotations

#: Feasible.
OK = 0
#: Not final: no closed form, to be counted by ``accel_models.columns.general``.
IRREGULAR = 1
#: More units than the array has along an axis.
FANOUT = 2
#: Sizes that grow, that are below 1, or that do not end at 1; a loop order that is not one of all eight dims.
MALFORMED = 3
#: Bits moved that 62-bit counts do not hold.
OVERFLOW = 4
#: Windows or ragged tiles beyond ``formulas.MAX_WALK`` iterations.
UNCOUNTED = 5
#: ``CAPACITY + m``: memory level ``m`` is too small.
CAPACITY = 8
