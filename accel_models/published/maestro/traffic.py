"""Elements moved and multiplied in one iteration case of one cluster level (MODEL 6 and 7)."""

from __future__ import annotations

from dataclasses import dataclass

from accel_models.published.maestro.cases import Case, Position, State
from accel_models.published.maestro.levels import Level, TileSizes
from accel_models.published.maestro.problem import OUTPUT_NAME, TENSORS, WINDOW, Problem
from mappings.directives import SpatialMap
from mappings.errors import Fault, SpecError

_INIT, _STEADY, _EDGE = Position.INIT, Position.STEADY, Position.EDGE


@dataclass(frozen=True, slots=True)
class _Axis:
    """One directive as the formulas use it: ``extent`` counts elements, ``source`` is the input-side extent."""

    index: int
    spatial: bool
    extent: TileSizes
    source: TileSizes


class Traffic:
    """The formulas of one level, with all that does not depend on the case looked up once."""

    def __init__(self, level: Level, problem: Problem) -> None:
        self.level = level
        self.units = level.units
        self.edge_units = level.edge_units
        self.reference_dims = problem.reference_dims
        axes = tuple(
            _Axis(index, isinstance(item, SpatialMap), level.tiles[item.dim], level.tiles[item.dim])
            for index, item in enumerate(level.maps)
        )
        first: dict[str, _Axis] = {}
        for axis, item in zip(axes, level.maps, strict=True):
            first.setdefault(item.dim, axis)
        self.axes = axes
        self.coupled = {
            tensor: tuple(axes[i] for i, item in enumerate(level.maps) if item.dim in problem.coupled[tensor])
            for tensor in TENSORS
        }
        self.coupled_indices = {tensor: {axis.index for axis in axes} for tensor, axes in self.coupled.items()}
        self.spatial_indices = {
            tensor: tuple(first[dim].index for dim in problem.coupled[tensor] if first[dim].spatial)
            for tensor in TENSORS
        }
        self.all_spatial = tuple(axis.index for axis in axes if axis.spatial)
        self.uncoupled_to_output = tuple(axis for axis in axes if axis.index not in self.coupled_indices["O"])
        self.output_axes = tuple(
            _Axis(
                first[dim].index,
                first[dim].spatial,
                level.tiles[OUTPUT_NAME[dim] if dim in problem.reference_dims else dim],
                level.tiles[dim],
            )
            for dim in problem.coupled["O"]
        )

    # -- input and weight ----------------------------------------------------------------------------------------

    def ingress(self, tensor: str, case: Case) -> int:
        """Elements of the input or the weight that the level's sub-units together receive."""
        spatial = self.spatial_indices[tensor]
        if not spatial:
            return self._received(tensor, case, True, False)  # read once, multicast for free
        last = case.states[spatial[-1]]
        if not any(case.states[index].at_edge for index in spatial):
            others = self._received(tensor, case, False, False) if self.units > 1 else 0
            return self._received(tensor, case, True, False) + (self.units - 1) * others
        ragged = last.ragged_unit
        total = self._received(tensor, case, True, self.edge_units == 1 and ragged)
        if self.edge_units > 1:
            total += max(self.edge_units - ragged - 1, 0) * self._received(tensor, case, False, False)
            if ragged:
                total += self._received(tensor, case, False, True)
        return total

    def _mapped(self, tensor: str, case: Case, first: bool, ragged: bool) -> int:
        """Elements of a tensor that one sub-unit works on (PEmap)."""
        product = 1
        for axis in self.coupled[tensor]:
            state = case.states[axis.index]
            if not state.at_edge:
                product *= axis.extent.mapped
            elif not axis.spatial:
                product *= axis.extent.edge_mapped
            elif self.edge_units == 1:
                product *= axis.extent.edge_mapped if first or ragged else 1
            else:
                product *= axis.extent.edge_mapped if ragged else axis.extent.mapped
        return product

    def _received(self, tensor: str, case: Case, first: bool, ragged: bool) -> int:
        """Elements of a tensor that are new to one sub-unit (PEin)."""
        changed = case.changed
        if changed < 0:
            return self._mapped(tensor, case, first, ragged)
        if changed not in self.coupled_indices[tensor]:
            return 0  # Q2: a tile that is fetched again later counts as kept
        restarted = any(
            axis.index > changed and case.states[axis.index].position is _INIT and not case.states[axis.index].unrolled
            for axis in self.coupled[tensor]
        )
        product = 1
        for axis in self.coupled[tensor]:
            state = case.states[axis.index]
            advances = axis.index == changed and not restarted
            product *= self._axis_received(axis, state, advances, axis.index <= changed, first, ragged)
        return product

    def _axis_received(self, axis: _Axis, state: State, advances: bool, outer: bool, first: bool, ragged: bool) -> int:
        """Extent along one directive; ``advances``: only this directive moved; ``outer``: it moved or is outside."""
        tile = axis.extent
        if not axis.spatial:
            if state.position is _INIT:
                return tile.edge_mapped if state.at_edge else tile.mapped
            if not advances:
                return tile.mapped  # Q4: ragged tiles are charged as full ones
            if tile.unique == 0:
                what = "a step brings nothing new: the level above hands down more than its steady tile"
                raise SpecError(
                    Fault(self.level.place, what, "maps above whose strided tiles end where their dim ends")
                )
            return tile.unique
        whole = tile.edge_mapped if ragged else tile.mapped
        if first:
            return whole
        shifted = tile.edge_unique if ragged else tile.unique
        if state.position is _INIT:
            return whole if outer else shifted
        return shifted if advances else whole

    # -- output --------------------------------------------------------------------------------------------------

    def egress(self, case: Case) -> int:
        """Output elements that the level sends up: all of the tile, in every case (Q3)."""
        spatial = self.spatial_indices["O"]
        if not spatial:
            return self._outputs(case, True, False)
        if not any(case.states[index].at_edge for index in spatial):
            return self._outputs(case, True, False) + (self.units - 1) * self._outputs(case, False, False)
        ragged = case.states[spatial[-1]].ragged_unit
        total = self._outputs(case, True, self.edge_units == 1 and ragged)
        if self.edge_units > 1:
            total += max(self.edge_units - ragged - 1, 0) * self._outputs(case, False, False)
            if ragged:
                total += self._outputs(case, False, True)
        return total

    def critical_macs(self, case: Case) -> int:
        """Multiply-accumulates of one sub-unit."""
        spatial = self.spatial_indices["O"]
        at_edge = any(case.states[index].at_edge for index in spatial)
        alone = at_edge and self.edge_units == 1 and case.states[spatial[-1]].ragged_unit
        return self._macs_per_output(case, True, alone) * self._outputs(case, True, alone)

    def macs(self, case: Case) -> int:
        """Multiply-accumulates of all sub-units."""
        ragged = case.states[self.all_spatial[-1]].ragged_unit
        if not any(case.states[index].at_edge for index in self.all_spatial):
            return self.units * self._macs_per_output(case, True, False) * self._outputs(case, True, False)
        alone = self.edge_units == 1 and ragged
        total = self._macs_per_output(case, True, alone) * self._outputs(case, True, alone)
        if self.edge_units > 1:
            full = max(self.edge_units - ragged - 1, 0)
            total += full * self._macs_per_output(case, True, False) * self._outputs(case, True, False)
            if ragged:
                total += self._macs_per_output(case, False, True) * self._outputs(case, False, True, shared=False)
        return total

    def _macs_per_output(self, case: Case, first: bool, ragged: bool) -> int:
        """Extent of the reduction: product over the directives that do not move the output (PEout, partial sums)."""
        product = 1
        for axis in self.uncoupled_to_output:
            state, tile = case.states[axis.index], axis.extent
            if not axis.spatial:
                product *= tile.edge_mapped if state.at_edge else tile.mapped
                continue
            full = tile.mapped if first else tile.unique or 1
            if state.position is _INIT:
                product *= tile.edge_mapped if state.at_edge and ragged else full
            elif state.position is _STEADY:
                product *= full
            elif self.edge_units == 1:
                product *= tile.edge_mapped if first or ragged else 1
            else:
                product *= tile.edge_unique if ragged else full
        return product

    def _outputs(self, case: Case, first: bool, ragged: bool, shared: bool = True) -> int:
        """Output elements of one sub-unit; ``shared``: those that its neighbour has too count once (PEout)."""
        product = 1
        for axis in self.output_axes:
            state, tile = case.states[axis.index], axis.extent
            if not axis.spatial:
                product *= tile.edge_mapped if state.at_edge else tile.mapped
                continue
            full = tile.mapped if first else tile.unique or 1
            if state.position is _STEADY or not state.at_edge:
                product *= full
            elif state.position is _INIT:
                if not ragged:
                    product *= full
                else:
                    product *= tile.edge_unique if self.edge_units > 1 and shared else tile.edge_mapped
            elif self.edge_units == 1:
                product *= axis.source.edge_mapped if first or ragged else 1  # the *input* extent: MAESTRO's rule
            else:
                product *= tile.edge_unique if ragged else full
        return product

    # -- the level below -----------------------------------------------------------------------------------------

    def sub_dims(self, case: Case, ragged: bool) -> dict[str, int]:
        """Sizes of the tile that a sub-unit receives; ``ragged``: the unit at the ragged end."""
        dims: dict[str, int] = {}
        shrinks = self.edge_units == 1 or ragged
        for axis, item, state in zip(self.axes, self.level.maps, case.states, strict=True):
            small = state.at_edge and (shrinks or not axis.spatial)
            dims.setdefault(item.dim, axis.extent.edge_mapped if small else axis.extent.mapped)
        for dim in self.reference_dims:
            if dim in dims:
                dims[OUTPUT_NAME[dim]] = dims[dim] - dims[WINDOW[dim]] + 1
        return dims
