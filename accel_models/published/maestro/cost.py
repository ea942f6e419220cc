"""Costs of a mapping file with MAESTRO's semantics, figure by figure as MAESTRO prints them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from accel_models.published.maestro.csv_file import csv_text
from accel_models.published.maestro.figures import MaestroRow, l1_accesses, layer_row
from accel_models.published.maestro.hardware_file import MaestroHardware, read_hardware
from accel_models.published.maestro.levels import build_levels
from accel_models.published.maestro.mapping_file import MaestroLayer, read_mapping
from accel_models.published.maestro.problem import Problem, is_batched, read_problem
from accel_models.published.maestro.recursion import LayerRun, LevelCost
from accel_models.published.maestro.text import INT32_MAX
from accel_models.report import Infeasible
from mappings.errors import Fault, SpecError, printable


@dataclass(frozen=True)
class MaestroReport:
    """Figures of all layers of a mapping file.

    Attributes:
        network: its name.
        rows: one a layer, in the file's order.
        input_warnings: what the files say that MAESTRO reads otherwise than a person would.
    """

    network: str
    rows: tuple[MaestroRow, ...]
    input_warnings: tuple[str, ...] = ()

    @property
    def csv(self) -> str:
        """MAESTRO's CSV file."""
        return csv_text(self.rows)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is odd in the files, and what is wrong with figures that MAESTRO prints nonetheless."""
        return (
            *self.input_warnings,
            *(f"layer {printable(row.layer)}: {warning}" for row in self.rows for warning in row.warnings),
        )


def maestro_cost(
    mapping: Path | str, hardware: Path | str | MaestroHardware, simd_lanes: int = 1
) -> MaestroReport | Infeasible:
    """Runs MAESTRO's model over a mapping file.

    Args:
        mapping: a ``.m`` file (``Path``) or its text (``str``).
        hardware: a ``.hw`` file (``Path``), its text (``str``), or the values.
        simd_lanes: multiply-accumulates per PE and cycle.

    Returns:
        The figures of all layers, or ``Infeasible`` where a layer's clusters need more PEs than there are.

    Raises:
        SpecError: malformed input, or a mapping that MAESTRO itself fails on.
    """
    if not 1 <= simd_lanes <= INT32_MAX:
        raise SpecError(Fault("simd_lanes", f"is {simd_lanes}", f"an integer from 1 to {INT32_MAX}"))
    network = read_mapping(mapping)
    values = hardware if isinstance(hardware, MaestroHardware) else read_hardware(hardware)
    batched = {layer.kind: is_batched(layer.kind, network.layers) for layer in network.layers}
    known: dict[MaestroLayer, tuple[Problem, LevelCost]] = {}
    rows: list[MaestroRow] = []
    previous_l1_accesses = 0
    for layer in network.layers:
        # Equal layers cost the same, whatever their name and place.
        anonymous = replace(layer, name="", place="", directive_places=())
        if anonymous not in known:
            problem = read_problem(layer, batched[layer.kind])
            levels = build_levels(layer, problem, values.num_pes)
            if isinstance(levels, Infeasible):
                return levels
            known[anonymous] = (problem, LayerRun(levels, problem, values, simd_lanes).total())
        problem, cost = known[anonymous]
        rows.append(layer_row(network.name, layer, problem, values, simd_lanes, cost, previous_l1_accesses))
        previous_l1_accesses = l1_accesses(cost)
    return MaestroReport(network.name, tuple(rows), (*network.warnings, *values.warnings))
