"""What every space must do, as test classes that a plug-in's tests inherit.

class TestMine(NetworkSpaceConformance):
    name, options = "mine", {"size": 3}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from accel_models.design import Design
from accel_models.report import Infeasible
from accel_models.template.spec import Template
from codesign.decisions import DecisionSpace, Point
from codesign.plugin import Plugin
from codesign.spaces.compression import COMPRESSION_SPACES
from codesign.spaces.hardware import HARDWARE_SPACES
from codesign.spaces.mapping import MAPPING_SPACES
from codesign.spaces.network import NETWORK_SPACES
from mappings.layer import Layer, Op
from mappings.workload import TensorShape, Workload

#: A network for spaces that need one.
WORKLOAD = Workload(
    "probe",
    (TensorShape("image", C=1, H=12, W=12),),
    (
        Layer("conv", Op.CONV, K=4, C=1, P=12, Q=12, R=3, S=3, padding=(1, 1, 1, 1), inputs=("image",)),
        Layer("fc", Op.CONV, K=5, C=4, R=12, S=12, inputs=("conv",)),
    ),
)
DEVICE = "zynq7020"


class _SpaceConformance:
    """What the four kinds share.

    Attributes:
        name: registered name.
        options: those that are required, and any other.
        points: how many are drawn.
    """

    name: str
    options: Mapping[str, Any] = {}
    points = 20
    registry: Any
    group: str

    def space(self) -> Any:
        """The space, made as a recipe makes it."""
        entry: Plugin[Any] = self.registry.get(self.name)
        return entry.load()(**entry.checked(self.options, self.name))

    def drawn(self) -> list[Point]:
        """Points, equal in every run."""
        decisions, rng = DecisionSpace(tuple(self.space().decisions)), np.random.default_rng(0)
        return [decisions.draw(rng) for _ in range(self.points)]

    def test_decisions_are_of_its_group(self) -> None:
        """And named once; making the space again makes equal ones."""
        decisions = self.space().decisions
        assert all(decision.group == self.group for decision in decisions)
        assert DecisionSpace(tuple(decisions)).decisions == tuple(self.space().decisions)
        assert self.registry.get(self.name).summary


class NetworkSpaceConformance(_SpaceConformance):
    """Inherit, and name the network space."""

    registry, group = NETWORK_SPACES, "network"

    def test_a_point_is_one_network(self) -> None:
        """Equal points give equal networks, whatever was made in between."""
        first, again = self.space(), self.space()
        for point in self.drawn():
            one, other = first.network_at(point), again.network_at(point)
            assert one == other and (one.workload is not None or one.table_row is not None)
            if "workload" in self.registry.get(self.name).offers:
                assert one.workload is not None and one.workload.macs > 0


class CompressionSpaceConformance(_SpaceConformance):
    """Inherit, and name the compression space."""

    registry, group = COMPRESSION_SPACES, "compression"

    def test_the_network_stays_a_network(self) -> None:
        """Its inputs and outputs keep their names and extents."""
        for point in self.drawn():
            made = self.space().compressed(WORKLOAD, point)
            assert made.outputs == WORKLOAD.outputs and [i.name for i in made.inputs] == ["image"]
            assert made == self.space().compressed(WORKLOAD, point)


class HardwareSpaceConformance(_SpaceConformance):
    """Inherit, and name the hardware space."""

    registry, group = HARDWARE_SPACES, "hardware"

    def test_a_point_is_one_accelerator(self) -> None:
        """Equal points give equal accelerators; templates take the network's widths."""
        for point in self.drawn():
            made = self.space().hardware_at(point, WORKLOAD)
            assert made == self.space().hardware_at(point, WORKLOAD)
            if "template" in self.registry.get(self.name).offers:
                assert isinstance(made, Template) and (made.act_bits, made.weight_bits) == (8, 8)


class MappingSpaceConformance(_SpaceConformance):
    """Inherit, and name the mapping space."""

    registry, group = MAPPING_SPACES, "mapping"
    hardware = Template(rows=8, cols=8, axi_bits=64, dram_bytes_per_cycle=8)

    def test_a_point_is_a_design_or_breaks_a_bound(self) -> None:
        """Never neither; a device that is too small is told beside the design."""
        for point in self.drawn():
            design, broken = self.space().design_at(point, WORKLOAD, self.hardware, DEVICE)
            assert isinstance(design, Design) and design.workload == WORKLOAD and broken == ()
            large = Template(rows=32, cols=32)
            design, broken = self.space().design_at(point, WORKLOAD, large, DEVICE)
            assert broken and all(isinstance(item, Infeasible) for item in broken)
