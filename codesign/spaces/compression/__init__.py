"""Compression spaces: decisions that make a network smaller without making it another one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

from codesign import options
from codesign.decisions import Variable
from codesign.plugin import Plugin
from mappings.registry import Registry
from mappings.workload import Workload


class CompressionSpace(Protocol):
    """Ways to compress a network.

    One that decides layer by layer (``offers=("subjects",)``) also has ``subjects(workload)``: the layers that each of
    its decisions is about, by name, in the order of the layers.
    """

    @property
    def decisions(self) -> tuple[Variable, ...]:
        """Of the group "compression", in order."""
        ...

    def compressed(self, workload: Workload, point: Mapping[str, Any]) -> Workload:
        """The network, compressed as a point says."""
        ...


CompressionFactory: TypeAlias = Callable[..., CompressionSpace]


def _register_builtins(registry: Registry[Plugin[CompressionFactory]]) -> None:
    here = "codesign.spaces.compression"
    registry.register("none", Plugin("the network as it is", f"{here}.bits:AsItIs"))
    widths = options.list_of(options.integer(8, 2, 16), (4, 8), least=1)
    registry.register(
        "uniform_bits",
        Plugin(
            "one width for all weights and one for all activations",
            f"{here}.bits:UniformBits",
            {"weight_bits": widths, "act_bits": widths},
        ),
    )
    registry.register(
        "layer_bits",
        Plugin(
            "a width for the weights of each layer, and for its output where there is a choice",
            f"{here}.layer_bits:LayerBits",
            {
                "weight_bits": options.list_of(options.integer(8, 2, 16), (2, 4, 8), least=1),
                "act_bits": options.list_of(options.integer(8, 4, 16), (8,), least=1),
                "slots": options.integer(12, 1, 256),
            },
            source="Wang 2019",
            offers=("subjects",),
        ),
    )
    registry.register(
        "hyper_parameters",
        Plugin(
            "the network as it is, and how it is trained",
            f"{here}.hyper_parameters:HyperParameters",
            {
                "learning_rate": options.list_of(
                    options.number(0.01, 0.0, 10.0), (0.001, 0.003, 0.01, 0.03, 0.1), least=1
                ),
                "weight_decay": options.list_of(options.number(0.0, 0.0, 1.0), (0.0, 0.0001, 0.01), least=1),
            },
            source="Dong 2020",
        ),
    )
    registry.register(
        "update_rules",
        Plugin(
            "the network as it is, and the rule by which its weights are updated",
            f"{here}.update_rules:UpdateRules",
            {
                "learning_rate": options.list_of(
                    options.number(0.01, 0.0, 10.0), (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1), least=1
                )
            },
            source="Bello 2017",
        ),
    )
    registry.register(
        "layer_channels",
        Plugin(
            "the share of its channels that each layer keeps; the others are gone from the network",
            f"{here}.layer_channels:LayerChannels",
            {
                "kept": options.list_of(
                    options.number(1.0, 0.01, 1.0), (0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0), least=1
                ),
                "slots": options.integer(12, 1, 256),
            },
            source="He 2018",
            offers=("subjects",),
        ),
    )
    registry.register(
        "kept_taps",
        Plugin(
            "how many taps of its 3 x 3 filters each layer keeps, the same ones for a block of channels",
            f"{here}.kept_taps:KeptTaps",
            {
                "kept": options.list_of(options.integer(4, 0, 8), (0, 6, 4, 2), least=1),
                "block": options.integer(32, 4, 4096),
                "bits": options.integer(8, 2, 16),
                "slots": options.integer(12, 1, 256),
            },
            source="Jiang 2020",
        ),
    )


COMPRESSION_SPACES: Registry[Plugin[CompressionFactory]] = Registry("compression space", _register_builtins)
