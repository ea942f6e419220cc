"""Gradient search over the cells of NAS-Bench-201, judged by the accuracies that others measured.

The edges of the one cell that the whole skeleton repeats are relaxed (`MixedCells`) and searched as the driver
`gradient` searches any network; the likeliest operations are the cell that is found. Random search has the same passes:
it trains cells drawn evenly, each for a share of them in the same skeleton, and takes the best on held-out images.
What either is worth the table says.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.common import Figure
from codesign.accuracy.data import load_dataset
from codesign.accuracy.splits import Dataset
from codesign.accuracy.training import batches, tensors
from codesign.gradient.mixing import Arm, mixed, one_of, two_of
from codesign.gradient.search import GradientOptions, GradientSearch
from codesign.providers.accuracy.table import read_table
from codesign.seeds import derive_seed
from codesign.spaces.network.nasbench201 import EDGES, KERNELS, OPERATIONS, architecture
from codesign.supernet.cells import CellSuperNetwork, CellTraining, scored
from mappings.errors import Fault, SpecError

#: Passes of a cell that random search trains alone.
ALONE = 60
#: Skeleton of searches and of cells alone: small enough for seconds.
SIZE = CellTraining(channels=8, cells=1, extent=16)


class MixedCells(CellSuperNetwork):
    """All cells at once: each edge mixes its operations, alike in every place where the cell stands.

    Has what :class:`codesign.gradient.search.GradientSearch` asks of a relaxed network.

    Args:
        data: its channels and classes.
        relaxation: of every edge.
    """

    def __init__(self, data: Dataset, relaxation: str) -> None:
        super().__init__(SIZE, data.channels, data.classes)
        self.relaxation = relaxation
        self.logits = nn.ParameterList(1e-3 * torch.randn(len(OPERATIONS)) for _ in EDGES)
        self.log_chance = torch.zeros(())
        self.pairs: list[Tensor] = []
        self.arms = nn.ModuleDict()  # none that could be left out or grouped

    def weights(self) -> list[nn.Parameter]:
        """Parameters that are no logits."""
        return [parameter for name, parameter in self.named_parameters() if not name.startswith("logits")]

    def choosing(self) -> list[nn.Parameter]:
        """What decides among operations."""
        return list(self.logits)

    def shares(self) -> list[Tensor]:
        """How much each operation of each edge is chosen."""
        return [functional.softmax(logits, dim=0) for logits in self.logits]

    def leave_out(self, share: float) -> None:
        """Identities stay whole."""

    def operations(self) -> tuple[str, ...]:
        """The likeliest of each edge."""
        return tuple(OPERATIONS[int(logits.argmax())] for logits in self.logits)

    def forward(  # type: ignore[override]
        self, images: Tensor, temperature: float, generator: torch.Generator, *, logits_learn: bool = False
    ) -> Tensor:
        """Images [N, C, H, W] to logits [N, classes]."""
        two_path = self.relaxation == "two_path"
        self.pairs = [two_of(logits, generator) for logits in self.logits] if two_path else []
        draws = torch.randint(0, 2**31, (len(EDGES),), generator=generator).tolist()
        chosen: dict[int, int] = {}
        if self.relaxation == "reinforced":
            picked = [one_of(logits, generator) for logits in self.logits]
            self.log_chance, chosen = (
                torch.stack([log for _, log in picked]).sum(),
                dict(enumerate(p for p, _ in picked)),
            )

        def edge(place: int, arms: list[Arm], value: Tensor) -> Tensor:
            if place in chosen:
                return arms[chosen[place]](value)
            own = torch.Generator().manual_seed(int(draws[place]))  # the same draw wherever the cell stands
            return mixed(
                self.relaxation, arms, self.logits[place], value, temperature, own,
                logits_learn=logits_learn, pair=self.pairs[place] if two_path else None,
            )  # fmt: skip

        value = self.stem(functional.interpolate(images, (self.extent, self.extent), mode="bilinear", antialias=True))
        for stage, cells in enumerate(self.stages):
            if stage:
                value = self.reductions[stage - 1](value)
            assert isinstance(cells, nn.ModuleList)
            for cell in cells:
                nodes = {0: value}
                for place, (a, b) in enumerate(EDGES):
                    part = edge(place, _operations(cell.convolutions, (a, b)), nodes[a])
                    nodes[b] = nodes[b] + part if b in nodes else part
                value = nodes[3]
        result: Tensor = self.classifier(functional.relu(self.norm(value)).mean(dim=(2, 3)))
        return result


def _operations(convolutions: nn.Module, edge: tuple[int, int]) -> list[Arm]:
    """What an edge may compute, in the order of :data:`OPERATIONS`."""
    assert isinstance(convolutions, nn.ModuleDict)
    known: Mapping[str, Arm] = {
        "none": torch.zeros_like,
        "skip_connect": lambda x: x,
        "avg_pool_3x3": lambda x: functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False),
        **{name: convolutions[f"{edge[0]}{edge[1]}_{name}"] for name in KERNELS},
    }
    return [known[name] for name in OPERATIONS]


def alone(cell: tuple[str, ...], data: Dataset, passes: int, seed: int) -> float:
    """Held-out accuracy of one cell after so many batches."""
    torch.manual_seed(derive_seed(seed, "alone", architecture(cell)))
    network = CellSuperNetwork(SIZE, data.channels, data.classes)
    optimizer = torch.optim.AdamW(network.parameters(), 0.01)
    images, labels = tensors(data, "train")
    for step, index in enumerate(batches(data, passes, seed)):
        for group in optimizer.param_groups:
            group["lr"] = 0.01 * 0.5 * (1.0 + float(np.cos(np.pi * step / passes)))
        optimizer.zero_grad()
        functional.cross_entropy(network(images[index], cell), labels[index]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return scored(network, cell, data)


def passes_of(relaxation: str, steps: int) -> int:
    """Batches that a search takes through operations of every edge, forward and back: each counts as a network's."""
    learning = steps - steps // 3
    a_pass = {"gumbel_soft": (len(OPERATIONS),) * 2, "gumbel_hard": (1, 1), "two_path": (1, 2)}[relaxation]
    return steps * a_pass[0] + learning * a_pass[1]


def judged(table: str, name: str, methods: Mapping[str, str], steps: int, seed: int) -> list[Figure]:
    """Each method beside random search with as many passes, by the published test accuracies.

    Args:
        table: file of NAS-Bench-201's accuracies.
        name: data set of colour images that searches see: CIFAR-10 where the answer is to mean something.
        methods: words of each relaxation.
        steps: of each search.

    Raises:
        SpecError: no such table or data, or images without colours.
    """
    data = load_dataset(name)
    if data.channels != 3:
        what = f"has images of {data.channels} channel(s)"
        raise SpecError(Fault(name, what, "colour images, as NAS-Bench-201's networks take them"))
    read = read_table(table)
    known = read.accuracy["cifar10", read.splits("cifar10")[-1]]
    best = max(known.values())
    figures = [
        Figure("NAS-Bench-201: the best cell's published accuracy", best),
        Figure("NAS-Bench-201: the mean of all cells", float(np.mean(list(known.values())))),
    ]
    for relaxation, words in methods.items():
        torch.manual_seed(derive_seed(seed, "mixed cells", relaxation))
        network = MixedCells(data, relaxation)
        GradientSearch(network, data, {}, {}, GradientOptions(steps=steps), seed).run()  # type: ignore[arg-type]
        found, passes = known[architecture(network.operations())], passes_of(relaxation, steps)
        rng = np.random.default_rng(derive_seed(seed, "random cells", relaxation))
        drawn = [tuple(str(rng.choice(OPERATIONS)) for _ in EDGES) for _ in range(max(1, round(passes / ALONE)))]
        winner = max(drawn, key=lambda cell: alone(cell, data, ALONE, seed))
        peer = f"{known[architecture(winner)]:.4f}: best of {len(drawn)} random cells, {passes} passes each way"
        figures.append(Figure(f"{words}: {architecture(network.operations())}", found, peer=peer))
    return figures
