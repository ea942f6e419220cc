"""An LSTM that writes the decisions one after another, trained with REINFORCE or PPO (Zoph 2017, Schulman 2017).

All proposals of a batch are drawn at once. The policy sees the preference of each proposal (weights of the objectives),
drawn evenly, so that one policy covers the front; with a reward of the goal's own there is one preference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from codesign.controllers.controller import Controller, ControllerContext, Told
from codesign.controllers.proposals import Key, Seen, key_of
from codesign.controllers.scalar import Archive
from codesign.controllers.threads import one_thread
from codesign.decisions import DecisionSpace, Point

#: Of a proposal that was drawn evener than the policy has it.
_MOST_WEIGHT = 2.0
#: How often is drawn for what is new, and how much evener each time.
_ATTEMPTS, _HOTTER = 8, 1.4


@dataclass(frozen=True)
class _Drawn:
    """What a proposal was drawn for.

    Attributes:
        preference: weights of the objectives.
        log: logarithm of the probability with which it was drawn; None: it was not.
    """

    preference: NDArray[np.float64]
    log: float | None = None


class Policy(nn.Module):
    """Decisions in order, each from the one before through one LSTM cell.

    Args:
        space: of choices.
        hidden: width of the cell.
        preferences: numbers of a preference, 0 for none.
    """

    def __init__(self, space: DecisionSpace, hidden: int, preferences: int) -> None:
        super().__init__()
        self.space, self.hidden = space, hidden
        sizes = space.cardinalities
        self.widest = max(sizes)
        self.start = nn.Linear(max(preferences, 1), hidden)
        self.cell = nn.LSTMCell(hidden, hidden)
        self.heads = nn.ModuleList(nn.Linear(hidden, size) for size in sizes)
        self.embeddings = nn.ModuleList(nn.Embedding(size + 1, hidden) for size in sizes)
        place = {name: index for index, name in enumerate(space.names)}
        #: Of each decision: (place of the parent, indices of its choices under which this one is active).
        self.conditions = [
            [
                (place[when.name], torch.tensor([parent.choices.index(value) for value in when.values]))
                for when in decision.when
                for parent in [space.choices[place[when.name]]]
            ]
            for decision in space.decisions
        ]
        for parameter in self.heads.parameters():  # starts even
            nn.init.zeros_(parameter)

    def forward(
        self,
        preference: Tensor,
        chosen: Tensor | None = None,
        generator: torch.Generator | None = None,
        temperature: float = 1.0,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Draw, or follow given choices.

        Args:
            preference: [n, preferences].
            chosen: indices of choices [n, decisions] to follow, -1 where inactive.
            temperature: of the draws; above 1 they are evener.

        Returns:
            indices [n, decisions], log-probability of each step [n, decisions] (0 where inactive), mean entropy [n].
        """
        count = len(preference)
        state = (torch.zeros(count, self.hidden), torch.zeros(count, self.hidden))
        step = self.start(preference)
        picks: list[Tensor] = []
        logs: list[Tensor] = []
        entropies: list[Tensor] = []
        for place, (head, embedding) in enumerate(zip(self.heads, self.embeddings, strict=True)):
            state = self.cell(step, state)
            logits = torch.log_softmax(head(state[0]) / temperature, dim=1)
            active = torch.ones(count, dtype=torch.bool)
            for parent, allowed in self.conditions[place]:
                active &= torch.isin(picks[parent], allowed)
            if chosen is None:
                pick = torch.multinomial(logits.detach().exp(), 1, generator=generator).squeeze(1)
            else:
                pick = chosen[:, place].clamp(min=0)
            log = logits.gather(1, pick.unsqueeze(1)).squeeze(1)
            zero = torch.zeros(())
            logs.append(torch.where(active, log, zero))
            entropies.append(torch.where(active, -(logits.exp() * logits).sum(dim=1), zero))
            pick = torch.where(active, pick, torch.full_like(pick, -1))
            picks.append(pick)
            step = embedding(pick + 1)
        return torch.stack(picks, 1), torch.stack(logs, 1), torch.stack(entropies, 1).mean(dim=1)


class PolicySearch:
    """REINFORCE, or PPO with a clipped ratio over a few epochs.

    A proposal's score is its rank among all told so far under its own preference: the baseline and the scale are then
    the same for every problem (rank 1 is best; the baseline is a half).
    """

    def __init__(self, context: ControllerContext) -> None:
        options = context.options
        self._context = context
        self._archive = Archive(context.goal)
        self._rng = context.rng("policy")
        torch_seed = int(context.rng("policy", "torch").integers(2**31))
        self._generator = torch.Generator().manual_seed(torch_seed)
        self._wide = 0 if context.goal.reward is not None else len(context.goal.objectives)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(torch_seed)
            self._policy = Policy(context.space, int(options["hidden"]), self._wide)
        self._optimizer = torch.optim.Adam(self._policy.parameters(), lr=float(options["learning_rate"]))
        self._open: dict[Key, list[_Drawn]] = {}
        self._seen = Seen()
        self._batch: list[tuple[int, _Drawn]] = []

    @one_thread
    def certainty(self) -> float:
        """How far the policy is from even draws: 0 at the start, 1 where one choice is certain everywhere."""
        space = self._context.space
        with torch.no_grad():
            preferences = torch.full((64, max(self._wide, 1)), 1.0 / max(self._wide, 1))
            generator = torch.Generator().manual_seed(0)
            _, _, entropy = self._policy(preferences, None, generator)
        even = float(np.mean([np.log(size) for size in space.cardinalities]))
        return 1.0 - float(entropy.mean()) / even if even else 1.0

    def inherit(self, other: Controller) -> None:
        """The other's policy, as it is at the end of its search."""
        assert isinstance(other, PolicySearch), "of the same class"
        self._policy.load_state_dict(other._policy.state_dict())

    def _preferences(self, count: int) -> NDArray[np.float64]:
        return self._rng.dirichlet(np.ones(self._wide), count) if self._wide else np.ones((count, 1))

    @one_thread
    def ask(self, count: int) -> list[Point]:
        """Draws of the policy that are new, evener and evener where it has settled; a few more are drawn for that."""
        out: list[Point] = []
        for attempt in range(_ATTEMPTS):
            wanted = count - len(out)
            if not wanted:
                break
            preferences = self._preferences(wanted + (wanted + 1) // 2)
            with torch.no_grad():
                shown = torch.tensor(preferences, dtype=torch.float32)
                picks, logs, _ = self._policy(shown, None, self._generator, _HOTTER**attempt)
            drawn = zip(self._context.space.points(picks.numpy()), preferences, logs.sum(dim=1).tolist(), strict=True)
            for point, preference, log in drawn:
                if len(out) < count and point not in self._seen:
                    self._propose(out, point, _Drawn(preference, log))
        while len(out) < count:
            point = self._seen.fresh(lambda: self._context.space.draw(self._rng))
            self._propose(out, point, _Drawn(self._preferences(1)[0]))
        return out

    def _propose(self, out: list[Point], point: Point, drawn: _Drawn) -> None:
        self._seen.add(point)
        self._open.setdefault(key_of(point), []).append(drawn)
        out.append(point)

    @one_thread
    def tell(self, told: Sequence[Told]) -> None:
        """One update a generation."""
        first = len(self._archive)
        self._archive.extend(told)
        for row, item in enumerate(told, first):
            self._seen.add(item.point)
            waiting = self._open.get(key_of(item.point))
            self._batch.append((row, waiting.pop(0) if waiting else _Drawn(self._preferences(1)[0])))
        if len(self._batch) >= int(self._context.options["update_every"]):
            self._update()
            self._batch = []

    def _advantages(self, rows: NDArray[np.int64], preferences: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rank of each trial [n] among the last told, under its preference [n, objectives], 0 to 1, less a half."""
        last = np.arange(max(0, len(self._archive) - int(self._context.options["window"])), len(self._archive))
        scores = self._archive.scores(preferences if self._wide else None, np.concatenate([last, rows]))
        among = scores[..., : len(last)]
        own = np.diagonal(scores[:, len(last) :]) if self._wide else scores[len(last) :]
        own = own[:, None]
        rank: NDArray[np.float64] = (among < own).mean(axis=-1) + 0.5 * (among == own).mean(axis=-1) - 0.5
        return rank

    def _update(self) -> None:
        """One step, or a few, from the batch.

        A proposal that was drawn evener than the policy has it counts by how much likelier the policy would draw it
        (importance weights, at most ``_MOST_WEIGHT``).
        """
        options, space = self._context.options, self._context.space
        rows = np.array([row for row, _ in self._batch])
        preferences = np.array([drawn.preference for _, drawn in self._batch])
        chosen = torch.tensor(space.matrix([self._archive.told[row].point for row in rows]))
        preference = torch.tensor(preferences, dtype=torch.float32)
        advantage = torch.tensor(self._advantages(rows, preferences), dtype=torch.float32)
        advantage = advantage / (advantage.std() + 1e-6) if len(advantage) > 1 else advantage
        with torch.no_grad():
            before = self._policy(preference, chosen)[1].sum(dim=1)
            asked = zip(self._batch, before.tolist(), strict=True)  # what the policy was told and has not drawn: as now
            drawn = [log if item.log is None else item.log for (_, item), log in asked]
            weight = torch.exp(before - torch.tensor(drawn)).clamp(max=_MOST_WEIGHT)
        for _ in range(int(options["epochs"])):
            _, logs, entropy = self._policy(preference, chosen)
            total = logs.sum(dim=1)
            if options["clip"]:
                ratio = torch.exp(total - before)
                clip = float(options["clip"])
                gain = (weight * torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)).mean()
            else:
                gain = (weight * total * advantage).mean()
            loss = -gain - float(options["entropy_weight"]) * entropy.mean()
            self._optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self._policy.parameters(), 1.0)
            self._optimizer.step()
