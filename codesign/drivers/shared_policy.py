"""A controller and the weights that its networks share learn in turn (Pham 2018, ENAS)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from codesign.accuracy.data import check_fits, load_dataset
from codesign.accuracy.training import batches, tensors
from codesign.controllers.controller import Controller, Told
from codesign.controllers.proposals import key_of
from codesign.decisions import Point
from codesign.drivers.base import DriverContext
from codesign.drivers.ledger import Ledger
from codesign.drivers.parts import joined, part_space
from codesign.objectives import Goal, Outcome
from codesign.objectives.front import ranked
from codesign.providers.accuracy.supernet import corners_of
from codesign.seeds import derive_seed
from codesign.spaces.compression.hyper_parameters import decided
from codesign.spaces.search_space import HARDWARE_GROUPS, SearchSpace
from codesign.supernet.training import TrainingOptions, new_network
from mappings.workload import Workload

#: Of the shared weights, where nothing else is decided.
WEIGHT_DECAY = 1e-4


class SharedPolicy:
    """Weights are trained on training images through networks that the controller draws; then the controller is told
    how its draws do with these weights on held-out images, and so on. What it draws at the end is sampled, and the best
    by the shared weights are measured by the recipe's own providers: those are the trials.

    Where the space decides how networks are trained (``hyper_parameters``), an update of the weights is by what was
    drawn with the network; and a draw is judged after ``trial_steps`` updates by its own, which are then undone: the
    controller learns both at once (Dong 2020, AutoHAS). Rates rise and fall as that of the options does; those of
    a trial are the highest.

    Options: ``rounds`` of both; ``steps`` of the weights in a round, one network and one batch each; ``told`` networks
    that the controller hears of in a round; ``images`` of held-out ones that tell it; ``samples`` at the end;
    ``learning_rate`` of the weights, ``kernel`` (how kernel sizes share), ``objectives`` of the controller (with
    several, what is sampled at the end is ranked by fronts: a population that evolves while its weights are trained,
    Yang 2020), ``held`` (hardware; what is left out is drawn). Designs over a limit that is known before training are
    told as such, and no weight learns from them.
    """

    def __init__(self) -> None:
        #: Mean accuracy with shared weights that the controller was told, by round; of what broke no bound.
        self.heard: list[float] = []
        #: Accuracies with shared weights of the samples at the end.
        self.sampled: list[float] = []

    def run(self, context: DriverContext) -> None:
        """Until the journal holds the budget's trials; weights and controller are not kept, a kill begins anew.

        Raises:
            SpecError: the space decides nothing of the network, or cannot share weights.
        """
        ledger = Ledger(context)
        if len(context.journal) >= context.budget:
            ledger.held("derived")
            return
        points = self.derived(context)
        while ledger.left > 0 and points:
            ledger.measure(points[: context.batch], "derived")
            points = points[context.batch :]

    def derived(self, context: DriverContext) -> list[Point]:
        """The networks to measure, the best by the shared weights first."""
        options, search = context.options, _Shared(context)
        goal = Goal(tuple(options["objectives"]))
        controller = context.make_controller("", part_space(context, "network"), goal)
        for number in range(int(options["rounds"])):
            search.train(controller, number)
            told = search.judged(controller.ask(int(options["told"])), number)
            controller.tell(told)
            known = [item.outcome.metrics["accuracy"] for item in told if item.outcome.feasible]
            self.heard.append(float(np.mean(known)) if known else float("nan"))
        last = search.judged(controller.ask(int(options["samples"])), int(options["rounds"]), every=True)
        fine = [item for item in last if item.outcome.feasible]
        self.sampled = [item.outcome.metrics["accuracy"] for item in fine]
        order = ranked(goal, [item.outcome for item in fine]) if fine else range(len(last))
        chosen = [(fine or last)[place] for place in order]
        distinct = {key_of(item.point): joined(context, item.point, search.hardware) for item in chosen}
        return list(distinct.values())


class _Shared:
    """Weights, data, and what a network costs."""

    def __init__(self, context: DriverContext) -> None:
        torch.set_num_threads(1)  # equal results whatever the machine
        self._context, options = context, context.options
        space = context.search_space
        assert isinstance(space, SearchSpace), "a driver that needs workloads is given the space that has them"
        self._space = space
        rng = np.random.default_rng(derive_seed(context.seed, "shared policy", "hardware"))
        self.hardware = context.problem.space.of_groups(*HARDWARE_GROUPS).completed(dict(options["held"]), rng)
        steps = int(options["rounds"]) * int(options["steps"])
        self._how = TrainingOptions(
            kernel=str(options["kernel"]), steps=steps, learning_rate=float(options["learning_rate"]), seed=context.seed
        )
        corners = corners_of(space)
        data = load_dataset(space.network.dataset)
        check_fits(data, corners.workload_at(corners.largest))
        self._network = new_network(corners, self._how)
        self._optimizer = torch.optim.AdamW(
            self._network.parameters(), lr=1e-3, betas=(0.8, 0.95), weight_decay=WEIGHT_DECAY
        )
        self._images, self._labels = tensors(data, "train")
        self._held_out = tensors(data, "held_out")
        self._order = batches(data, steps, derive_seed(context.seed, "shared policy"))
        self._trials = batches(data, int(options["trial_steps"]), derive_seed(context.seed, "shared policy", "trials"))

    def _workload(self, point: Point) -> Workload:
        found = self._space.network_at(point).workload
        assert found is not None, "a trainable space has workloads"
        return found

    def _priced(self, points: Sequence[Point]) -> list[Outcome]:
        return [self._context.problem.price(point, [self.hardware])[0] for point in points]

    def train(self, controller: Controller, number: int) -> None:
        """One round of the weights."""
        count = int(self._context.options["steps"])
        drawn = controller.ask(count)
        for place, (point, outcome) in enumerate(zip(drawn, self._priced(drawn), strict=True), number * count):
            if outcome.feasible:
                self._update(self._workload(point), self._order[place], place)

    def _update(self, workload: Workload, index: Tensor, place: int) -> None:
        """One step of the weights of a network.

        Args:
            index: of the batch's images.
            place: of the whole training, which its rate depends on.
        """
        told = decided(workload)
        rate = self._how.rate(place) * told.get("learning_rate", self._how.learning_rate) / self._how.learning_rate
        for group in self._optimizer.param_groups:
            group["lr"] = rate
            group["weight_decay"] = told.get("weight_decay", WEIGHT_DECAY)
        loss = functional.cross_entropy(self._network(self._images[index], workload), self._labels[index])
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()

    @contextmanager
    def _tried(self, workload: Workload) -> Iterator[None]:
        """The weights as some updates by the network's own hyper-parameters make them, then as they were."""
        if not decided(workload):
            yield
            return
        weights, state = deepcopy(self._network.state_dict()), deepcopy(self._optimizer.state_dict())
        highest = self._how.steps // 10  # where the warm-up ends
        for index in self._trials:
            self._update(workload, index, highest)
        yield
        self._network.load_state_dict(weights)
        self._optimizer.load_state_dict(state)

    def judged(self, points: Sequence[Point], number: int, *, every: bool = False) -> list[Told]:
        """What became of networks with the shared weights, on one draw of held-out images or on every one.

        Statistics of batch normalisation are those of the images that are judged.
        """
        images, labels = self._held_out
        if not every:
            generator = torch.Generator().manual_seed(derive_seed(self._context.seed, "shared policy", number))
            chosen = torch.randperm(len(labels), generator=generator)[: int(self._context.options["images"])]
            images, labels = images[chosen], labels[chosen]
        out = []
        for point, outcome in zip(points, self._priced(points), strict=True):
            metrics = dict(outcome.metrics)
            if outcome.feasible:
                workload = self._workload(point)
                with self._tried(workload), torch.no_grad():
                    right = self._network(images, workload).argmax(dim=1) == labels
                metrics["accuracy"] = float(right.float().mean())
            out.append(Told(point, Outcome(metrics, outcome.broken)))
        return out
