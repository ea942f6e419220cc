"""From a design to the commands that its hardware runs: the one lowering behind prediction, counts and programs."""

from accel_models.schedule.commands import Buffer, Command, Compute, ComputeOp, Dma, Drain, Second, Setting, Unit
from accel_models.schedule.mapped import as_run, default_mapping, mapping_of
from accel_models.schedule.network import LayerPlan, Schedule, schedule_network
from accel_models.schedule.regions import Region, RegionKind, Regions
from accel_models.schedule.tensors import TensorLayout
from accel_models.schedule.tiling import Tiling, tiling_of

__all__ = [
    "Buffer",
    "Command",
    "Compute",
    "ComputeOp",
    "Dma",
    "Drain",
    "LayerPlan",
    "Region",
    "RegionKind",
    "Regions",
    "Schedule",
    "Second",
    "Setting",
    "TensorLayout",
    "Tiling",
    "Unit",
    "as_run",
    "default_mapping",
    "mapping_of",
    "schedule_network",
    "tiling_of",
]
