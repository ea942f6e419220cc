"""A layer's tiles as a mapping of the hierarchy of :mod:`accel_models.template.accelerator`, and back.

The DRAM level has the tiles that the chip receives, in the order in which the program takes them; the buffer level has
the array's own loops, after the table of arrays in ``docs/hardware.md``. :func:`accel_models.reuse.evaluate.evaluate`
takes it as it is; :func:`accel_models.schedule.tiling.tiling_of` reads it back.
"""

from __future__ import annotations

from accel_models.report import Infeasible
from accel_models.schedule.tiling import Tiling, choose_tiling, shape_of, tiling_of
from accel_models.template.spec import ArrayKind, Template
from mappings.directives import Cluster, Directive, SpatialMap, TemporalMap
from mappings.layer import Layer
from mappings.mapping import Mapping
from mappings.phases import phases


def largest_phase(layer: Layer) -> Layer:
    """The layer that tiles are chosen for: of a transposed convolution its largest phase, whose tiles serve all."""
    if not layer.op.spec.transposed:
        return layer
    return max((phase.layer for phase in phases(layer)), key=lambda part: part.R * part.S)


def default_mapping(layer: Layer, template: Template) -> Mapping | Infeasible:
    """A mapping that fits the buffers and keeps the units busy: DRAM tiles, then the array's own loops."""
    layer = largest_phase(layer)
    tiling = choose_tiling(layer, template)
    return tiling if isinstance(tiling, Infeasible) else mapping_of(layer, tiling, template)


def as_run(layer: Layer, mapping: Mapping, template: Template) -> Mapping | Infeasible:
    """A mapping as the program runs it: in whole channel words, the array's loops within; a fixed point."""
    layer = largest_phase(layer)
    tiling = tiling_of(layer, mapping, template)
    return tiling if isinstance(tiling, Infeasible) else mapping_of(layer, tiling, template)


def mapping_of(layer: Layer, tiling: Tiling, template: Template) -> Mapping:
    """The tiling as directives, from which :func:`tiling_of` reads it back.

    Tiles of a grouped convolution are whole groups, as many as fill the channel words, or a part of one. Where groups
    fill no whole words the tiles of the two differ (``docs/mapper.md``).
    """
    shape = shape_of(layer, template)
    tile = _tile_of(layer, tiling)
    maps: list[Directive] = [TemporalMap("N", 1)] if layer.N > 1 else []
    for dim in tiling.order:
        dims = _channel_dims(layer, tile) if dim == "K" else (dim,)
        maps += [TemporalMap(name, tile[name]) for name in dims]
    if not shape.vector and not layer.op.spec.is_product:
        maps.append(TemporalMap("C", tile["C"]))
    maps += [TemporalMap("R", tile["R"]), TemporalMap("S", layer.S), Cluster(template.rows * template.cols)]
    maps += _unit_loops(tile, template) if shape.vector else _array_loops(tile, template)
    return Mapping(tuple(maps))


def _tile_of(layer: Layer, tiling: Tiling) -> dict[str, int]:
    """Sizes of one tile; G or K are left out where the layer is never cut along them."""
    bounds = layer.bounds
    tile = {"P": min(tiling.p, bounds["P"]), "Q": min(tiling.q, bounds["Q"]), "R": tiling.r or layer.R, "S": layer.S}
    tile["C"] = min(tiling.c, layer.C) if layer.groups == 1 else layer.C
    if layer.op.spec.over_rows:
        return {"G": 1, **tile, "C": layer.C}
    if layer.op.spec.is_product:
        return {"G": 1, "K": min(tiling.k, layer.K), **tile, "C": layer.C}
    if layer.groups == 1:
        return {"K": min(tiling.k, layer.K), **tile}
    if tiling.k >= layer.K:
        return {"G": min(tiling.k // layer.K, layer.groups), "K": layer.K, **tile}
    return {"G": 1, "K": tiling.k, **tile}


def _channel_dims(layer: Layer, tile: dict[str, int]) -> tuple[str, ...]:
    """Loops over the output's channels; K within G is none where groups stay whole."""
    within = layer.op.spec.is_product or layer.groups == 1 or tile.get("K", 0) < layer.K
    return tuple(dim for dim in "GK" if dim in tile and (dim == "G" or within))


def _array_loops(tile: dict[str, int], template: Template) -> list[Directive]:
    """The array's loops within a tile, outermost first, and what it does side by side: rows, then columns."""
    rows, cols = template.rows, template.cols
    whole = {"G": 1, "K": 1, **tile}
    sizes = dict.fromkeys(whole, 1)
    if template.array is ArrayKind.OUTPUT_STATIONARY:
        order, along = "GKPQCRS", "QPK"
        sizes["Q"] = min(rows, whole["Q"])
        sizes["P"] = min(rows // sizes["Q"], whole["P"])
        sizes["K"] = min(cols, whole["K"])
    elif template.array is ArrayKind.ROW_STATIONARY:
        order, along = "GPKSCRQ", "CRP"
        sizes["R"] = min(rows, whole["R"])
        sizes["C"] = min(rows // sizes["R"], whole["C"])
        sizes["P"] = min(cols, whole["P"])
    else:
        order = "GKPCRSQ" if template.array is ArrayKind.CHANNEL_PARALLEL else "GKCRSPQ"
        along = "CK"
        sizes["C"], sizes["K"] = min(rows, whole["C"]), min(cols, whole["K"])
    return _loops(order, along, sizes, tile)


def _unit_loops(tile: dict[str, int], template: Template) -> list[Directive]:
    """The vector and the non-linear unit: channels side by side, filter taps and pixels in time."""
    lanes = max(template.rows, template.cols)  # of a wider word, in two goes
    along = "C" if "G" in tile and tile["C"] > 1 else "G"
    sizes = {**dict.fromkeys("GKCPQRS", 1), along: min(lanes, tile.get(along, 1))}
    return _loops("GCRSPQ", along, sizes, tile)


def _loops(order: str, along: str, sizes: dict[str, int], tile: dict[str, int]) -> list[Directive]:
    maps: list[Directive] = [TemporalMap(dim, sizes[dim]) for dim in order if dim in tile]
    return maps + [SpatialMap(dim, 1) for dim in along if sizes[dim] > 1]
