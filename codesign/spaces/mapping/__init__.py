"""Mapping spaces: decisions, and the design that a network on an accelerator is at a point. Loads no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

from accel_models.design import Design
from accel_models.report import Infeasible
from codesign import options
from codesign.decisions import Variable
from codesign.plugin import Plugin
from mappings.registry import Registry
from mappings.workload import Workload


class MappingSpace(Protocol):
    """Ways to run a network on an accelerator.

    One whose mappings are a template's own under two caps says so with ``caps(point)``, most output rows and channels
    of a tile: designs are then priced many at a time.
    """

    @property
    def decisions(self) -> tuple[Variable, ...]:
        """Of the group "mapping", in order."""
        ...

    def design_at(
        self, point: Mapping[str, Any], workload: Workload, hardware: Any, device: str
    ) -> tuple[Design | None, tuple[Infeasible, ...]]:
        """The design, where there is one, and every bound that is broken, the device's among them.

        Hardware that maps by itself has no design.
        """
        ...


MappingFactory: TypeAlias = Callable[..., MappingSpace]


def _register_builtins(registry: Registry[Plugin[MappingFactory]]) -> None:
    here = "codesign.spaces.mapping"
    registry.register(
        "tile_caps",
        Plugin(
            "the templates' default tiles, with caps on rows and channels",
            f"{here}.caps:TileCaps",
            needs=("template", "workload"),
            offers=("design",),
        ),
    )
    registry.register(
        "default",
        Plugin(
            "the templates' default tiles: as large as the buffers allow",
            f"{here}.caps:DefaultTiles",
            needs=("template", "workload"),
            offers=("design",),
        ),
    )
    registry.register(
        "searched_tiles",
        Plugin(
            "the templates' tiles, the best of each layer's legal ones by the exact program",
            f"{here}.tiles:SearchedTiles",
            {
                "objective": options.name("latency", ("latency", "energy", "edp")),
                "tilings": options.integer(200, 1, 1_000_000),
            },
            needs=("template", "workload"),
            offers=("design",),
        ),
    )
    registry.register(
        "own",
        Plugin(
            "hardware that is not ours: its model says how a network runs on it",
            f"{here}.own:OwnMapping",
            needs=("self_mapped", "workload"),
        ),
    )
    for name, summary, target, given, source in (
        (
            "searched",
            "the best that a short evolution finds for each layer",
            "SearchedMapping",
            {
                "objective": options.name("edp", ("edp", "latency", "energy")),
                "generations": options.integer(6, 1, 1000),
            },
            "",
        ),
        ("encoded", "one genome of loop orders and tiles for all layers", "EncodedMapping", {}, "Lin 2021, Kao 2020"),
        ("dataflow", "a named dataflow", "DataflowMapping", {"dataflow": options.text(what="a dataflow")}, "Kwon 2019"),
    ):
        registry.register(
            name,
            Plugin(
                f"free connectivity: {summary}",
                f"{here}.connected:{target}",
                given,
                source=source,
                needs=("connectivity", "workload"),
                offers=("layer_cost",),
            ),
        )


MAPPING_SPACES: Registry[Plugin[MappingFactory]] = Registry("mapping space", _register_builtins)
