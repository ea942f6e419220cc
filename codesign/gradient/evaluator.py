"""An evaluator network of the hardware (Choi 2021, DANCE): from a network's choices to the accelerator that suits it,
and to what the two cost; a gradient passes both parts.

The generator is taught which accelerator is the best of those that were priced for a network; the estimator what each
of them cost. Both are fitted once, to exact prices, and their error on networks that they never saw is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from codesign.decisions import Decision, Point
from codesign.gradient.choices import Choices, Draw
from codesign.gradient.mixing import gumbel
from codesign.gradient.priced import OVER, Exact
from codesign.seeds import derive_seed
from mappings.errors import Fault, SpecError

_HIDDEN = 128


@dataclass(frozen=True)
class EvaluatorError:
    """On networks that were held out.

    Attributes:
        networks: held out.
        mape: by metric, mean of |predicted / exact - 1|.
        chosen: share of networks for which the generator names the best accelerator that was priced.
        excess: mean of how much dearer its accelerator is than the best, of the weighed product of the metrics.
        usual: the same of an accelerator drawn evenly.
    """

    networks: int
    mape: Mapping[str, float]
    chosen: float
    excess: float
    usual: float


def _mlp(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, outputs)
    )


class Evaluator(nn.Module):
    """Both parts.

    Args:
        networks, hardware: decisions of each.
        metrics: that are estimated.
    """

    def __init__(self, networks: Sequence[Decision], hardware: Sequence[Decision], metrics: Sequence[str]) -> None:
        super().__init__()
        self.networks, self.hardware, self.metrics = tuple(networks), tuple(hardware), tuple(metrics)
        self.sizes = [len(d.choices) for d in hardware]
        seen, made = sum(len(d.choices) for d in networks), sum(self.sizes)
        self.generator = _mlp(seen, made)
        self.estimator = _mlp(seen + made, len(metrics))
        self.register_buffer("mean", torch.zeros(len(metrics)))
        self.register_buffer("spread", torch.ones(len(metrics)))

    def suited(self, network: Tensor) -> list[Tensor]:
        """Logits of each hardware decision [n, choices] for networks [n, features]."""
        logits: Tensor = self.generator(network)
        return list(torch.split(logits, self.sizes, dim=1))

    def logs(self, network: Tensor, hardware: Tensor) -> Tensor:
        """Logarithms of the metrics [n, metrics]."""
        assert isinstance(self.mean, Tensor) and isinstance(self.spread, Tensor)
        found: Tensor = self.estimator(torch.cat((network, hardware), dim=1))
        return found * self.spread + self.mean


class Evaluated:
    """A fitted evaluator as the cost of a draw: the accelerator is the generator's, by a Gumbel-softmax.

    Args:
        evaluator: fitted.
        temperature: of the accelerator's draw.
        generator: of draws.
    """

    def __init__(self, evaluator: Evaluator, temperature: float, generator: torch.Generator) -> None:
        self._evaluator, self._temperature, self._generator = evaluator, temperature, generator

    def __call__(self, draw: Draw) -> dict[str, Tensor]:
        """Logarithms of the metrics under the weights of a draw."""
        seen = torch.cat([draw[d.name] for d in self._evaluator.networks])
        soft = [gumbel(logits[0], self._temperature, self._generator) for logits in self._evaluator.suited(seen[None])]
        found = self._evaluator.logs(seen[None], torch.cat(soft)[None])[0]
        return dict(zip(self._evaluator.metrics, found, strict=True))


@dataclass(frozen=True)
class Priced:
    """What an evaluator is fitted to.

    Attributes:
        networks: [n, features].
        hardware: [m, features], the same accelerators for all.
        places: choice of each hardware decision of each accelerator [m, decisions].
        logs: [n, m, metrics]; not a number where nothing can be priced or a bound of the device is broken.
    """

    networks: Tensor
    hardware: Tensor
    places: Tensor
    logs: Tensor


def _rows(decisions: Sequence[Decision], points: Sequence[Point]) -> Tensor:
    choices = Choices(decisions)
    return torch.stack([torch.cat(list(choices.one_hot(point).values())) for point in points])


def priced(
    networks: Sequence[Decision],
    hardware: Sequence[Decision],
    points: tuple[Sequence[Point], Sequence[Point]],
    exact: Exact,
) -> Priced:
    """Exact prices of networks on accelerators.

    Args:
        points: networks, accelerators.

    Raises:
        SpecError: most of the designs cannot be priced.
    """
    rows, nan = [], float("nan")
    for network in points[0]:
        found = exact.logs([{**network, **machine} for machine in points[1]])
        rows.append([[nan if one is None or one[OVER] > 0 else one[n] for n in exact.metrics] for one in found])
    logs = torch.tensor(rows)
    if float(torch.isnan(logs).any(dim=2).float().mean()) > 0.5:
        what = "could price less than half of the designs within the device's bounds"
        raise SpecError(Fault("driver relaxed: evaluator", what, "choices of hardware that fit the device"))
    places = torch.tensor([[d.choices.index(machine[d.name]) for d in hardware] for machine in points[1]])
    return Priced(_rows(networks, points[0]), _rows(hardware, points[1]), places, logs)


def fitted_evaluator(
    networks: Sequence[Decision],
    hardware: Sequence[Decision],
    metrics: Mapping[str, float],
    known: Priced,
    seed: int,
    *,
    held_out: float = 0.2,
    steps: int = 1500,
) -> tuple[Evaluator, EvaluatorError]:
    """An evaluator fitted to all but some networks, and its error on those.

    Args:
        metrics: with the exponent by which each counts where accelerators are compared.
        held_out: share of the networks.
    """
    torch.manual_seed(derive_seed(seed, "evaluator") % 2**31)
    generator = torch.Generator().manual_seed(derive_seed(seed, "evaluator", "batches"))
    evaluator = Evaluator(networks, hardware, tuple(metrics))
    order = torch.randperm(len(known.networks), generator=generator)
    apart = max(1, round(held_out * len(order)))
    held, seen = order[:apart], order[apart:]
    fine = ~torch.isnan(known.logs[seen]).any(dim=2)
    flat = known.logs[seen][fine]
    evaluator.mean.copy_(flat.mean(dim=0))  # type: ignore[operator]
    evaluator.spread.copy_(flat.std(dim=0).clamp_min(1e-6))  # type: ignore[operator]
    weights = torch.tensor([metrics[name] for name in metrics])
    worth = torch.nan_to_num(known.logs @ weights, nan=float("inf"))
    best = known.places[worth.argmin(dim=1)]
    pairs = torch.nonzero(fine)
    optimizer = torch.optim.AdamW(evaluator.parameters(), lr=3e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=steps)
    for _ in range(steps):
        some = pairs[torch.randint(len(pairs), (256,), generator=generator)]
        rows = seen[some[:, 0]]
        found = evaluator.logs(known.networks[rows], known.hardware[some[:, 1]])
        loss = ((found - known.logs[rows, some[:, 1]]) / evaluator.spread).square().mean()  # type: ignore[operator]
        mine = seen[torch.randint(len(seen), (128,), generator=generator)]
        for place, logits in enumerate(evaluator.suited(known.networks[mine])):
            loss = loss + functional.cross_entropy(logits, best[mine, place])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return evaluator.eval().requires_grad_(False), _error(evaluator, known, held, worth, tuple(metrics))


@torch.no_grad()
def _error(
    evaluator: Evaluator, known: Priced, held: Tensor, worth: Tensor, metrics: tuple[str, ...]
) -> EvaluatorError:
    gaps, named, excess, usual = [], [], [], []
    places = {tuple(row): number for number, row in enumerate(known.places.tolist())}
    for row in held.tolist():
        count = len(known.hardware)
        guess = evaluator.logs(known.networks[row].expand(count, -1), known.hardware)
        gaps.append((guess - known.logs[row]).exp().sub(1).abs())
        made = tuple(int(part.argmax()) for part in evaluator.suited(known.networks[row][None]))
        least = float(worth[row].min())
        fine = worth[row][torch.isfinite(worth[row])]
        usual.append(float((fine - least).exp().sub(1).mean()))
        if made in places:
            own = float(worth[row, places[made]])
            named.append(own <= least + 1e-9)
            excess.append(float(np.exp(own - least) - 1))
        else:
            named.append(False)
    mape = torch.cat(gaps).nanmean(dim=0).tolist()
    told = float(np.mean(excess)) if excess else float("nan")
    return EvaluatorError(
        len(held), dict(zip(metrics, mape, strict=True)), float(np.mean(named)), told, float(np.mean(usual))
    )
