"""A design: one network, one accelerator, one mapping for each layer. One YAML, one digest."""

from __future__ import annotations

from dataclasses import dataclass

from accel_models.accelerator import Accelerator
from mappings.mapping import Mapping
from mappings.workload import Workload


@dataclass(frozen=True)
class Design:
    """What search, RTL, HLS and report all read.

    Attributes:
        mappings: (layer name, mapping) pairs, for each layer that the array runs.
    """

    workload: Workload
    accelerator: Accelerator
    mappings: tuple[tuple[str, Mapping], ...]
