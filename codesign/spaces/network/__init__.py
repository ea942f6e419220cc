"""Network spaces: decisions, and the network that a point stands for. Loads no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from codesign import options
from codesign.decisions import Variable
from codesign.plugin import Plugin
from mappings.registry import Registry
from mappings.workload import Workload

IMAGES = "mnist5k"


@dataclass(frozen=True)
class Network:
    """One network of a space.

    Attributes:
        key: equal keys, equal networks; "" where the workload's digest is to be taken.
        workload: its layers, where the space has them.
        table_row: its row in the space's table, where it has one.
    """

    key: str = ""
    workload: Workload | None = None
    table_row: int | None = None


class NetworkSpace(Protocol):
    """Networks by their decisions.

    What a space offers beyond it stands in attributes that others look up by name: ``hooks`` (for controllers),
    ``quantized`` (weights of a network that is not trained here).
    """

    @property
    def decisions(self) -> tuple[Variable, ...]:
        """Of the group "network", in order."""
        ...

    @property
    def dataset(self) -> str:
        """Name of the data set on which accuracy is measured, or ""."""
        ...

    def network_at(self, point: Mapping[str, Any]) -> Network:
        """The network at a point (decisions of other groups are ignored)."""
        ...


#: All options of the space, by name, to the space.
NetworkFactory: TypeAlias = Callable[..., NetworkSpace]


def _register_builtins(registry: Registry[Plugin[NetworkFactory]]) -> None:
    here = "codesign.spaces.network"
    registry.register(
        "elastic_mnist",
        Plugin(
            "stem, three stages of plain or inverted-bottleneck blocks, classifier; 28 x 28 grey, 10 classes",
            f"{here}.elastic:ElasticSpace",
            {
                "extent": options.integer(28, 8, 512),
                "classes": options.integer(10, 2, 10_000),
                "dataset": options.text(IMAGES, what="the name of a data set"),
            },
            offers=("workload", "trainable"),
        ),
    )
    registry.register(
        "fixed",
        Plugin(
            "one network: by name, my_module.py:MyNet, or the YAML of a workload or a design",
            f"{here}.fixed:FixedNetwork",
            {
                "network": options.text(what="a name, my_module.py:MyNet, workload.yaml", required=True),
                "input": options.list_of(options.integer(1, 1)),
            },
            offers=("workload",),
        ),
    )
    registry.register(
        "user",
        Plugin(
            "a class of the user's own with decisions, build(point), input_shape, dataset",
            f"{here}.user:UserSpace",
            {
                "space": options.text(what="my_space.py:MySpace", required=True),
                "dataset": options.text(what="the name of a data set, or my_data.py:load"),
            },
            offers=("workload", "trainable"),
        ),
    )
    registry.register(
        "several",
        Plugin(
            "several networks that run at once",
            f"{here}.several:SeveralNetworks",
            {"networks": options.list_of(options.text(what="a name, my_module.py:MyNet, workload.yaml"), least=1)},
            offers=("workload",),
        ),
    )


NETWORK_SPACES: Registry[Plugin[NetworkFactory]] = Registry("network space", _register_builtins)
