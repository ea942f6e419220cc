"""MAESTRO's figures for MAESTRO's files."""

from __future__ import annotations

from pathlib import Path

from accel_models.published.maestro import MaestroReport, maestro_cost, write_csv
from accel_models.report import Infeasible
from mappings.errors import Fault, SpecError


def cost_maestro(
    mapping: str | Path, hw: str | Path | None, simd_lanes: int | None = None, csv: str | Path | None = None
) -> MaestroReport | Infeasible:
    """MAESTRO's figures for a MAESTRO mapping file.

    Args:
        mapping, hw: paths of ``.m`` and ``.hw`` files.
        simd_lanes: multiply-accumulates of a PE and cycle (1).
        csv: where to write MAESTRO's 52 columns, or None.

    Raises:
        SpecError: malformed input, or a mapping on which MAESTRO itself fails.
    """
    if hw is None:
        raise SpecError(Fault("--hw", "is missing", "a MAESTRO hardware file"))
    report = maestro_cost(Path(mapping), Path(hw), 1 if simd_lanes is None else simd_lanes)
    if csv is not None and not isinstance(report, Infeasible):
        write_csv(report.rows, Path(csv))
    return report
