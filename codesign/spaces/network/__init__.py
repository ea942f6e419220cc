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
    ``quantized`` (weights of a network that is not trained here), ``cells`` (for gradients: parts, as prefixes of
    layers' names, with the decisions that change them and no other layer), ``task`` (of the data that it is for,
    :mod:`codesign.accuracy.task`; classification where a space has none).
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


#: What a space for images takes from its data set.
_OF_IMAGES = {
    "channels": options.integer(1, 1, 64),
    "extent": options.integer(28, 8, 512),
    "classes": options.integer(10, 2, 10_000),
    "dataset": options.text(IMAGES, what="the name of a data set"),
}

#: What a space for segmentation takes from its data set.
_OF_SCENES = {
    **_OF_IMAGES,
    "extent": options.integer(32, 8, 512),
    "classes": options.integer(11, 2, 10_000),
    "dataset": options.text("digit_scenes", what="the name of a data set"),
}
#: Operators of "trellis".
_SEPARABLE = ("sep3", "sep5", "atrous3", "atrous5")
#: Blocks of "squeeze".
_INVERTED = ("e1k3", "e1k3g2", "e3k3", "e3k5", "e6k3", "e6k5")
#: Blocks of "layerwise".
_BLOCKS = ("inverted", "fused")
#: Operators of a stage of "uninet".
_MIXED = ("conv", "attention", "mixer")

#: All options of the space, by name, to the space.
NetworkFactory: TypeAlias = Callable[..., NetworkSpace]


def _register_builtins(registry: Registry[Plugin[NetworkFactory]]) -> None:
    here = "codesign.spaces.network"
    sizes = options.integer(1, 1, 4096)
    registry.register(
        "elastic_mnist",
        Plugin(
            "stem, three stages of plain or inverted-bottleneck blocks, classifier; for the data's own images",
            f"{here}.elastic:ElasticSpace",
            {
                **_OF_IMAGES,
                "stem": options.list_of(options.integer(8, 1, 4096), (4, 8, 12, 16), least=1),
                "widths": options.list_of(
                    options.list_of(options.integer(8, 1, 4096), least=1),
                    ((4, 8, 12, 16), (8, 12, 16, 24), (12, 16, 24, 32)),
                ),
            },
            offers=("workload", "trainable", "cells"),
        ),
    )
    registry.register(
        "layerwise",
        Plugin(
            "inverted bottlenecks, each with its kernel, expansion and gate, or left out; widths, depths, resolution",
            f"{here}.layerwise:LayerwiseSpace",
            {
                **_OF_IMAGES,
                "blocks": options.integer(3, 1, 8),
                "widths": options.list_of(
                    options.list_of(options.integer(8, 1, 4096), least=1), ((8, 12, 16), (12, 16, 24), (16, 24, 32))
                ),
                "kernels": options.list_of(options.integer(3, 1, 31), (3, 5, 7), least=1),
                "expansions": options.list_of(options.integer(2, 1, 16), (2, 4, 6), least=1),
                "resolutions": options.list_of(options.integer(100, 10, 400), (60, 80, 100), least=1),
                "kinds": options.list_of(options.name("inverted", _BLOCKS), _BLOCKS[:1], least=1),
                "shortcuts": options.flag(True),
            },
            source="Tan 2019, Wu 2019, Cai 2019, Cai 2020, Tan 2021",
            offers=("workload", "trainable", "cells"),
        ),
    )
    widths = options.list_of(options.integer(8, 1, 4096), least=1)
    registry.register(
        "residual",
        Plugin(
            "a stem, stages of a strided 3x3 convolution and residual blocks: colour images learned in few epochs",
            f"{here}.residual:ResidualSpace",
            {
                **_OF_IMAGES,
                "channels": options.integer(3, 1, 64),
                "extent": options.integer(32, 8, 512),
                "stem": options.list_of(options.integer(16, 1, 4096), (16, 24, 32), least=1),
                "widths": options.list_of(widths, ((32, 48, 64), (64, 96, 128), (96, 128, 192)), least=1),
                "depths": options.list_of(options.integer(0, 0, 16), (0, 1), least=1),
                "first_stride": options.integer(2, 1, 4),
            },
            source="Page 2018",
            offers=("workload", "trainable", "cells"),
        ),
    )
    registry.register(
        "transformer",
        Plugin(
            "a transformer over an image's patches: width, layers, and of each its heads and its perceptron's width",
            f"{here}.transformer:TransformerSpace",
            {
                **_OF_IMAGES,
                "patch": options.integer(7, 1, 64),
                "widths": options.list_of(sizes, (16, 24, 32), least=1),
                "depths": options.list_of(options.integer(1, 1, 64), (1, 2, 3), least=1),
                "heads": options.list_of(options.integer(1, 1, 64), (1, 2, 4), least=1),
                "ffn_widths": options.list_of(sizes, (16, 32, 64), least=1),
                "attention": options.integer(32, 1, 4096),
            },
            source="Wang 2020",
            offers=("workload", "trainable"),
        ),
    )
    registry.register(
        "encoder_decoder",
        Plugin(
            "sequences: a transformer reads an image's patches, another writes; which layers the writer attends to",
            f"{here}.encoder_decoder:EncoderDecoderSpace",
            {
                **_OF_IMAGES,
                "dataset": options.text("digit_orders", what="the name of a data set"),
                "length": options.integer(4, 2, 256),
                "patch": options.integer(7, 1, 64),
                "encoder_widths": options.list_of(sizes, (16, 24, 32), least=1),
                "decoder_widths": options.list_of(sizes, (16, 24, 32), least=1),
                "encoder_depths": options.list_of(options.integer(1, 1, 64), (1, 2, 3), least=1),
                "decoder_depths": options.list_of(options.integer(1, 1, 64), (1, 2), least=1),
                "heads": options.list_of(options.integer(1, 1, 64), (1, 2, 4), least=1),
                "ffn_widths": options.list_of(sizes, (16, 32, 64), least=1),
                "spans": options.list_of(options.integer(1, 1, 64), (1, 2, 3), least=1),
                "attention": options.integer(32, 1, 4096),
            },
            source="Wang 2020",
            offers=("workload", "trainable"),
            tasks=("sequence",),
        ),
    )
    registry.register(
        "perceptrons",
        Plugin(
            "a multilayer perceptron: the image's pixels, hidden layers of any width, a class",
            f"{here}.perceptrons:PerceptronSpace",
            {
                **_OF_IMAGES,
                "depths": options.list_of(options.integer(1, 1, 64), (1, 2, 3), least=1),
                "widths": options.list_of(sizes, (16, 32, 64, 128), least=1),
                "resolutions": options.list_of(options.integer(100, 10, 400), (50, 100), least=1),
            },
            offers=("workload", "trainable"),
        ),
    )
    registry.register(
        "uninet",
        Plugin(
            "stages of convolution, attention or perceptrons over tokens, each with a depth, a width and a way down",
            f"{here}.uninet:UniSpace",
            {
                **_OF_IMAGES,
                "patch": options.integer(4, 1, 64),
                "widths": options.list_of(widths, ((16, 24), (24, 32)), least=1),
                "depths": options.list_of(options.integer(1, 1, 16), (1, 2), least=1),
                "expansions": options.list_of(options.integer(2, 1, 16), (2, 4), least=1),
                "operators": options.list_of(options.name("conv", _MIXED), _MIXED, least=1),
                "heads": options.integer(2, 1, 64),
            },
            source="Liu 2021",
            offers=("workload", "trainable"),
        ),
    )
    registry.register(
        "capsules",
        Plugin(
            "primary capsules of some types, which vote for output capsules; rounds of routing by agreement",
            f"{here}.capsules:CapsuleSpace",
            {
                **_OF_IMAGES,
                "widths": options.list_of(sizes, (8, 16, 24), least=1),
                "kernels": options.list_of(options.integer(3, 1, 31), (3, 5), least=1),
                "types": options.list_of(options.integer(1, 1, 16), (1, 2), least=1),
                "dimensions": options.list_of(sizes, (4, 8), least=1),
                "capsules": options.list_of(sizes, (6, 10), least=1),
                "poses": options.list_of(sizes, (8, 16), least=1),
                "rounds": options.list_of(options.integer(1, 1, 8), (1, 2, 3), least=1),
            },
            source="Marchisio 2020, Sabour 2017, Tsai 2020",
            offers=("workload", "trainable"),
        ),
    )
    registry.register(
        "chain",
        Plugin(
            "a chain of convolutions, each with a kernel, a number of filters and perhaps a skip connection",
            f"{here}.chain:ChainSpace",
            {
                "layers": options.integer(4, 1, 64),
                "kernels": options.list_of(options.integer(3, 1, 31), (3, 5, 7), least=1),
                "filters": options.list_of(sizes, (9, 18, 36), least=1),
                "skips": options.flag(False),
                "halved": options.list_of(options.integer(1, 1, 64), (1, 3)),
                **_OF_IMAGES,
            },
            source="Zoph 2017, Jiang 2019",
            offers=("workload", "trainable"),
        ),
    )
    operators = ("identity", "conv1", "conv3", "conv5", "separable3", "separable5")
    registry.register(
        "cells",
        Plugin(
            "one cell of a few blocks, stacked in stages; each block adds two operators on tensors before it",
            f"{here}.cells:CellSpace",
            {
                "blocks": options.integer(4, 1, 16),
                "operators": options.list_of(options.name("conv3", operators), operators, least=1),
                "cells": options.integer(1, 1, 64),
                "stages": options.integer(2, 1, 5),
                "width": options.integer(8, 1, 4096),
                **_OF_IMAGES,
            },
            source="Zoph 2018, Zhong 2018",
            offers=("workload", "trainable", "distance"),
        ),
    )
    registry.register(
        "dense_routes",
        Plugin(
            "routes through blocks of several widths, each with ways to all later ones of its stage and of the next",
            f"{here}.dense_routes:DenseSpace",
            {
                **_OF_IMAGES,
                "widths": options.list_of(widths, ((8, 12, 16), (12, 16, 24), (16, 24, 32)), least=1),
                "layers": options.integer(2, 1, 16),
                "kernels": options.list_of(options.integer(3, 1, 31), (3, 5), least=1),
                "expansion": options.integer(2, 1, 16),
                "stem": options.integer(8, 1, 4096),
                "stem_stride": options.integer(2, 1, 4),
            },
            source="Fang 2020",
            offers=("workload", "trainable", "routes"),
        ),
    )
    registry.register(
        "trellis",
        Plugin(
            "segmentation: routes through layers at several resolutions, each layer with a cell of operators",
            f"{here}.trellis:TrellisSpace",
            {
                **_OF_SCENES,
                "depth": options.integer(4, 1, 16),
                "widths": options.list_of(sizes, (8, 16, 24), least=1),
                "cell": options.integer(2, 1, 8),
                "kinds": options.list_of(options.name("sep3", _SEPARABLE), _SEPARABLE, least=1),
            },
            source="Liu 2019",
            offers=("workload", "trainable", "routes"),
            tasks=("segmentation",),
        ),
    )
    registry.register(
        "squeeze",
        Plugin(
            "segmentation: inverted residual blocks, each with a choice, the last with holes; a light head",
            f"{here}.squeeze:SqueezeSpace",
            {
                **_OF_SCENES,
                "widths": options.list_of(sizes, (8, 16, 24), least=1),
                "blocks": options.list_of(options.integer(1, 1, 16), (1, 2, 2), least=1),
                "kinds": options.list_of(options.name("e3k3", _INVERTED), _INVERTED, least=1),
            },
            source="Shaw 2019",
            offers=("workload", "trainable", "cells"),
            tasks=("segmentation",),
        ),
    )
    registry.register(
        "branches",
        Plugin(
            "segmentation: a cell of branches, with holes or means over a grid, each from the backbone or another",
            f"{here}.branches:BranchSpace",
            {
                **_OF_SCENES,
                "branches": options.integer(4, 2, 16),
                "rates": options.list_of(options.integer(1, 1, 64), (1, 2, 3), least=1),
                "grids": options.list_of(options.integer(1, 1, 64), (1, 2, 4), least=1),
                "widths": options.list_of(sizes, (8, 16), least=1),
                "width": options.integer(16, 1, 4096),
            },
            source="Chen 2018",
            offers=("workload", "trainable"),
            tasks=("segmentation",),
        ),
    )
    registry.register(
        "decoder",
        Plugin(
            "segmentation: a decoder's cell, and which two maps each of its blocks applies it to",
            f"{here}.decoder:DecoderSpace",
            {
                **_OF_SCENES,
                "blocks": options.integer(3, 1, 16),
                "steps": options.integer(2, 1, 8),
                "widths": options.list_of(sizes, (8, 16, 24), least=1),
                "width": options.integer(16, 1, 4096),
            },
            source="Nekrasov 2019",
            offers=("workload", "trainable"),
            tasks=("segmentation",),
        ),
    )
    registry.register(
        "pyramid",
        Plugin(
            "detection: merging cells, each over two maps of a backbone or of earlier cells; a head without anchors",
            f"{here}.pyramid:PyramidSpace",
            {
                **_OF_SCENES,
                "classes": options.integer(10, 1, 10_000),
                "dataset": options.text("digit_boxes", what="the name of a data set"),
                "merges": options.integer(3, 1, 16),
                "widths": options.list_of(sizes, (8, 16, 24), least=1),
                "width": options.integer(16, 1, 4096),
            },
            source="Ghiasi 2019",
            offers=("workload", "trainable"),
            tasks=("detection",),
        ),
    )
    registry.register(
        "masked_cells",
        Plugin(
            "a cell a stage, of which every edge may keep any of its operations, each with any part of its channels",
            f"{here}.masked_cells:MaskedSpace",
            {
                **_OF_IMAGES,
                "widths": options.list_of(options.integer(8, 1, 4096), (8, 16), least=1),
                "nodes": options.integer(2, 1, 6),
                "kernels": options.list_of(options.integer(3, 1, 31), (3, 5), least=1),
                "hidden": options.list_of(options.integer(8, 1, 4096), (2, 4, 6, 8), least=1),
                "stem_stride": options.integer(2, 1, 4),
            },
            source="Yan 2019",
            offers=("workload", "trainable", "masks"),
        ),
    )
    registry.register(
        "edge_cells",
        Plugin(
            "a cell a stage, every edge of which carries one operator",
            f"{here}.edge_cells:EdgeSpace",
            {
                **_OF_IMAGES,
                "widths": options.list_of(options.integer(8, 1, 4096), (8, 16), least=1),
                "nodes": options.integer(3, 1, 6),
                "operators": options.list_of(
                    options.name("k3", ("same", "k1", "k3", "k5", "d3", "d5")),
                    ("same", "k1", "k3", "d3", "d5"),
                    least=1,
                ),
                "stem_stride": options.integer(2, 1, 4),
            },
            source="Liu 2019",
            offers=("workload", "trainable", "cells"),
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
        "nasbench201",
        Plugin(
            "15,625 cells of NAS-Bench-201 in its skeleton: 3 stages, 32 x 32 or 16 x 16 colour images, or your own",
            f"{here}.nasbench201:NasBench201",
            {
                "dataset": options.text("cifar10", what="cifar10, cifar100, imagenet16, or a data set"),
                "channels": options.integer(16, 1, 1024),
                "cells": options.integer(5, 1, 64),
            },
            source="Dong 2020",
            offers=("workload", "trainable", "table", "operations", "distance"),
        ),
    )
    registry.register(
        "nasbench101",
        Plugin(
            "423,624 cells of NAS-Bench-101 in its skeleton: 3 stages, 32 x 32 colour images, or your own",
            f"{here}.nasbench101:NasBench101",
            {
                **_OF_IMAGES,
                "channels": options.integer(3, 1, 64),
                "extent": options.integer(32, 8, 512),
                "dataset": options.text("cifar10", what="the name of a data set"),
                "width": options.integer(128, 1, 1024),
                "cells": options.integer(3, 1, 64),
            },
            source="Ying 2019",
            offers=("workload", "trainable", "table", "distance"),
        ),
    )
    registry.register(
        "nasbench_macro",
        Plugin(
            "6,561 chains of eight identities or inverted bottlenecks of NAS-Bench-Macro, 32 x 32 images, or your own",
            f"{here}.nasbench_macro:NasBenchMacro",
            {
                **_OF_IMAGES,
                "channels": options.integer(3, 1, 64),
                "extent": options.integer(32, 8, 512),
                "dataset": options.text("cifar10", what="the name of a data set"),
                "stem": options.integer(32, 1, 1024),
                "head": options.integer(1280, 1, 4096),
            },
            source="Su 2021",
            offers=("workload", "trainable", "table"),
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
