"""From a design to the commands that its hardware runs: the one lowering behind prediction, counts and programs."""

from accel_models.schedule.commands import Buffer, Command, Compute, ComputeOp, Dma, Drain, Second, Unit
from accel_models.schedule.network import LayerPlan, Schedule, schedule_network
from accel_models.schedule.regions import Region, RegionKind, Regions
from accel_models.schedule.tensors import TensorLayout
from accel_models.schedule.tiling import Tiling, default_mapping

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
    "TensorLayout",
    "Tiling",
    "Unit",
    "default_mapping",
    "schedule_network",
]
