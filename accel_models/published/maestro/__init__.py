"""MAESTRO's cost model, quirk by quirk: for those who want the figures that MAESTRO prints."""

from accel_models.published.maestro.cost import MaestroReport, maestro_cost
from accel_models.published.maestro.csv_file import write_csv
from accel_models.published.maestro.figures import MaestroRow
from accel_models.published.maestro.hardware_file import MaestroHardware, hardware_without_file, read_hardware
from accel_models.published.maestro.mapping_file import MaestroLayer, MaestroNetwork, read_mapping

__all__ = [
    "MaestroHardware",
    "MaestroLayer",
    "MaestroNetwork",
    "MaestroReport",
    "MaestroRow",
    "hardware_without_file",
    "maestro_cost",
    "read_hardware",
    "read_mapping",
    "write_csv",
]
