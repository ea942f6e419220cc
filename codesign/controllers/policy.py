"""An LSTM that writes the decisions one after another, trained with REINFORCE or PPO (Zoph 2017, Schulman 2017).

All proposals of a batch are drawn at once. The policy sees the preference of each proposal (weights of the objectives),
drawn evenly, so that one policy covers the front; with a reward of the goal's own there is one preference.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from codesign.controllers.controller import Controller, ControllerContext, Told
from codesign.controllers.proposals import Key, key_of
from codesign.controllers.scalar import Archive
from codesign.controllers.threads import one_thread
from codesign.decisions import DecisionSpace, Point


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
        self, preference: Tensor, chosen: Tensor | None = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Draw, or follow given choices.

        Args:
            preference: [n, preferences].
            chosen: indices of choices [n, decisions] to follow, -1 where inactive.

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
            logits = torch.log_softmax(head(state[0]), dim=1)
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
        self._open: dict[Key, list[NDArray[np.float64]]] = {}
        self._seen: set[Key] = set()
        self._batch: list[tuple[int, NDArray[np.float64]]] = []

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
        """Draws of the policy; a few more are drawn so that repeats can be left out."""
        out: list[Point] = []
        for attempt in range(8):
            wanted = count - len(out)
            if not wanted:
                break
            preferences = self._preferences(wanted + (wanted + 1) // 2)
            with torch.no_grad():
                picks, _, _ = self._policy(torch.tensor(preferences, dtype=torch.float32), None, self._generator)
            for point, preference in zip(self._context.space.points(picks.numpy()), preferences, strict=True):
                key = key_of(point)
                if len(out) < count and (key not in self._seen or attempt == 7):
                    self._seen.add(key)
                    self._open.setdefault(key, []).append(preference)
                    out.append(point)
        while len(out) < count:  # the policy has settled: explore
            point = self._context.space.draw(self._rng)
            self._open.setdefault(key_of(point), []).append(self._preferences(1)[0])
            out.append(point)
        return out

    @one_thread
    def tell(self, told: Sequence[Told]) -> None:
        """One update a generation."""
        first = len(self._archive)
        self._archive.extend(told)
        for row, item in enumerate(told, first):
            key = key_of(item.point)
            self._seen.add(key)
            waiting = self._open.get(key)
            preference = waiting.pop(0) if waiting else self._preferences(1)[0]
            self._batch.append((row, preference))
        if len(self._batch) >= int(self._context.options["update_every"]):
            self._update()
            self._batch = []

    def _advantages(self) -> NDArray[np.float64]:
        """Rank of each of the batch among all told, under its own preference, 0 to 1, less a half."""
        out = np.zeros(len(self._batch))
        window = np.arange(max(0, len(self._archive) - int(self._context.options["window"])), len(self._archive))
        for place, (row, preference) in enumerate(self._batch):
            weights = preference if self._wide else None
            scores = self._archive.scores(weights, np.append(window, row))
            out[place] = (scores[:-1] < scores[-1]).mean() + 0.5 * (scores[:-1] == scores[-1]).mean() - 0.5
        return out

    def _update(self) -> None:
        options, space = self._context.options, self._context.space
        rows = space.matrix([self._archive.told[row].point for row, _ in self._batch])
        chosen = torch.tensor(rows)
        preference = torch.tensor(np.array([item for _, item in self._batch]), dtype=torch.float32)
        advantage = torch.tensor(self._advantages(), dtype=torch.float32)
        advantage = advantage / (advantage.std() + 1e-6) if len(advantage) > 1 else advantage
        with torch.no_grad():
            before = self._policy(preference, chosen)[1].sum(dim=1)
        for _ in range(int(options["epochs"])):
            _, logs, entropy = self._policy(preference, chosen)
            total = logs.sum(dim=1)
            if options["clip"]:
                ratio = torch.exp(total - before)
                clip = float(options["clip"])
                gain = torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage).mean()
            else:
                gain = (total * advantage).mean()
            loss = -gain - float(options["entropy_weight"]) * entropy.mean()
            self._optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self._policy.parameters(), 1.0)
            self._optimizer.step()
