"""The cluster levels of a layer: which directives each one really runs, and its static tile figures (MODEL 3 and 4).

MAESTRO completes what the mapping writes: output-centric maps become input-centric, maps of the level above are
inherited as temporal ones, unmapped dims are taken whole, and strides stretch tiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from accel_models.published.maestro.mapping_file import MaestroLayer
from accel_models.published.maestro.problem import OUTPUT_NAME, TENSORS, WINDOW, Problem
from accel_models.report import Infeasible
from mappings.directives import Cluster, Map, SpatialMap, TemporalMap, split_levels
from mappings.errors import Fault, SpecError

MAX_CLUSTERS: Final = 3
MAX_SPATIAL_MAPS: Final = 2


def quotient(dividend: int, divisor: int) -> int:
    """Integer division as C++ does it: truncated toward zero."""
    result = abs(dividend) // abs(divisor)
    return result if (dividend < 0) == (divisor < 0) else -result


@dataclass(frozen=True)
class TileSizes:
    """Extents of one dim's tiles at one level.

    Attributes:
        mapped, unique: elements of a steady tile, and those of them that the step before did not have.
        edge_mapped, edge_unique: the same of the last, ragged tile.
    """

    mapped: int
    unique: int
    edge_mapped: int
    edge_unique: int


@dataclass(frozen=True)
class Level:
    """One cluster level, ready to be run.

    Attributes:
        place: where the level's first directive is written.
        maps: all directives that the level runs, outermost first; inherited and implied ones included.
        units: sub-units of the level.
        edge_units: those that have work at the ragged end of the first SpatialMap.
        dims: sizes of the steady tile that the level receives.
        tiles: by dim; output dims Y', X' as derived from the input ones.
    """

    place: str
    maps: tuple[Map, ...]
    units: int
    edge_units: int
    dims: dict[str, int]
    tiles: dict[str, TileSizes]


def build_levels(layer: MaestroLayer, problem: Problem, num_pes: int) -> tuple[Level, ...] | Infeasible:
    """The levels of a layer, outermost first.

    Returns:
        The levels, or ``Infeasible`` where the clusters need more PEs than there are.

    Raises:
        SpecError: too many Clusters, no or too many SpatialMaps in a level, or a dim that a level does not have.
    """
    clusters = [directive.size for directive in layer.directives if isinstance(directive, Cluster)]
    if len(clusters) > MAX_CLUSTERS:
        raise SpecError(
            Fault(layer.place, f"layer {layer.name} has {len(clusters)} Clusters", f"at most {MAX_CLUSTERS}")
        )
    group = 1
    for size in clusters:
        group *= size
    if group > num_pes:
        return Infeasible(  # Q8: MAESTRO divides by zero
            "Clusters", group, num_pes, "PEs", "use smaller Clusters or more PEs", f"{layer.place} layer {layer.name}"
        )
    units = [num_pes // group, *clusters]
    places = _level_places(layer)
    dims = problem.sizes
    levels: list[Level] = []
    for index, written in enumerate(split_levels(layer.directives)):
        where = f"{places[index]}: layer {layer.name}, cluster level {index}"
        maps = _input_centric(written, problem, where)
        if levels:
            maps = _inherit(maps, levels[-1].maps)
        maps = _unroll(maps, problem, dims)
        maps = tuple(_stretch(item, problem, outermost=index == 0) for item in maps)
        level = _level(maps, units[index], dims, problem, where)
        levels.append(level)
        if index < len(clusters):
            first = _first_by_dim(level.maps)
            dims = {dim: min(first[dim].size, dims[dim]) for dim in problem.operand_dims}
    return tuple(levels)


def _level_places(layer: MaestroLayer) -> list[str]:
    """Where the first directive of each level is written."""
    places = [layer.directive_places[0] if layer.directive_places else layer.place]
    for index, directive in enumerate(layer.directives):
        if isinstance(directive, Cluster):
            places.append(layer.directive_places[min(index + 1, len(layer.directives) - 1)])
    return places


def _input_centric(maps: tuple[Map, ...], problem: Problem, where: str) -> tuple[Map, ...]:
    """Maps of an output dim alone, as maps of the input dim."""
    sizes: dict[str, int] = {}
    for item in maps:
        sizes.setdefault(item.dim, item.size)
    changed = list(maps)
    for dim in problem.reference_dims:
        out, window = OUTPUT_NAME[dim], WINDOW[dim]
        if out not in sizes or dim in sizes:
            continue
        if window not in sizes:
            raise SpecError(
                Fault(
                    where,
                    f"{out} is mapped without {window}: MAESTRO would read memory that it never set",
                    f"a map of {window}, or one of {dim} in place of {out}",
                )
            )
        for index, item in enumerate(changed):
            if item.dim == out:
                changed[index] = type(item)(dim, item.size + sizes[window] - 1, item.offset)
    return tuple(changed)


def _inherit(maps: tuple[Map, ...], above: tuple[Map, ...]) -> tuple[Map, ...]:
    """Adds the upper level's other maps, each in front, so that they end up in reverse order."""
    result = list(maps)
    here = {item.dim for item in maps}
    for item in above:
        if item.dim not in here:
            here.add(item.dim)
            result.insert(0, TemporalMap(item.dim, item.size, item.offset))
    return tuple(result)


def _unroll(maps: tuple[Map, ...], problem: Problem, dims: dict[str, int]) -> tuple[Map, ...]:
    """Takes operand dims that nobody maps whole."""
    here = {item.dim for item in maps}
    whole = [TemporalMap(dim, dims[dim], dims[dim]) for dim in problem.operand_dims if dim in dims and dim not in here]
    return (*maps, *whole)


def _stretch(item: Map, problem: Problem, outermost: bool) -> Map:
    """Stretches a map of a sliding dim by the layer's stride."""
    if item.dim not in problem.reference_dims:
        return item
    stride, window = problem.strides[item.dim], problem.sizes[WINDOW[item.dim]]
    if stride == 1 or item.size < window:
        return item
    steps = (item.size + stride - window) // stride
    size = steps * min(stride, window) + max(window - stride, 0)
    offset = steps * (window if not outermost and window < stride else stride)
    return type(item)(item.dim, size, offset)


def _first_by_dim(maps: tuple[Map, ...]) -> dict[str, Map]:
    return {item.dim: item for item in reversed(maps)}


def _level(maps: tuple[Map, ...], units: int, dims: dict[str, int], problem: Problem, where: str) -> Level:
    spatial = [item for item in maps if isinstance(item, SpatialMap)]
    if not 1 <= len(spatial) <= MAX_SPATIAL_MAPS:
        raise SpecError(Fault(where, f"{len(spatial)} SpatialMaps in a level", f"1 to {MAX_SPATIAL_MAPS}"))
    for item in maps:
        if item.dim not in dims:
            raise SpecError(Fault(where, f"{item}: dimension {item.dim} not found in this level", " ".join(dims)))
    # Where two directives name one dim, a tile's figures are those of the last, a directive looked up is the first.
    tiles = {item.dim: _tile_sizes(item, dims[item.dim]) for item in maps}
    first = _first_by_dim(maps)
    for dim in problem.reference_dims:
        window = WINDOW[dim]
        if dim in tiles:
            tiles[OUTPUT_NAME[dim]] = _output_tile_sizes(tiles[dim], tiles[window], first[dim])
    for tensor in TENSORS:
        for dim in problem.coupled[tensor]:
            if dim not in tiles:
                raise SpecError(
                    Fault(where, f"dimension {dim} of tensor {tensor} not found in this level", " ".join(dims))
                )
    return Level(where, maps, units, _edge_units(spatial[0], units, dims[spatial[0].dim]), dims, tiles)


def _edge_units(item: SpatialMap, units: int, size: int) -> int:
    """Sub-units that have work at the ragged end of a SpatialMap (MODEL 3, "active sub-units")."""
    if size <= item.size:
        return 1
    if size > item.offset * (units - 1) + item.size:
        folds = quotient((size - item.size) // item.offset + 1, units) - 1
        left = size - (folds + 1) * item.offset * units
        return 1 if left < item.size else (left - item.size) // item.offset + 1
    active = (size - item.size) // item.offset + 1
    return active + 1 if item.offset * (active - 1) + item.size < size else active


def _tile_sizes(item: Map, size: int) -> TileSizes:
    """Static figures of one directive on a dim of ``size`` (MODEL 4)."""
    mapped, offset = item.size, item.offset
    steps = max(quotient(size - mapped, offset), 0)
    ragged = steps * offset + mapped < size or mapped > size
    unique = 0 if isinstance(item, TemporalMap) and size <= mapped else min(mapped, offset)
    edge = size - (steps + 1) * offset
    if edge < 0:
        edge = size
    # The unique part uses the edge even where there is none: MAESTRO's rule.
    return TileSizes(mapped, unique, edge if ragged else mapped, max(offset - (mapped - edge), 0))


def _output_tile_sizes(image: TileSizes, window: TileSizes, directive: Map) -> TileSizes:
    """Tiles of an output dim from those of its input and filter dims; offsets stay *input* offsets (Q5)."""
    mapped = image.mapped - window.mapped + 1
    edge_mapped = image.edge_mapped - window.edge_mapped + 1
    unique = min(directive.offset, directive.size)
    return TileSizes(mapped, unique, edge_mapped, min(directive.offset, edge_mapped))
