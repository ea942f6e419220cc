"""Accuracy by federated averaging: no client shows its images to another, or to who averages (McMahan 2017)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from codesign.accuracy.base import NOT_FEDERATED, TRAIN_OPTIONS, AccuracyContext
from codesign.accuracy.clients import averaged, clients_of
from codesign.accuracy.data import check_fits
from codesign.accuracy.evaluator import TrainingEvaluator
from codesign.accuracy.training import train
from codesign.quantization.qat import QatNetwork
from codesign.seeds import derive_seed
from mappings.workload import Workload


class FederatedEvaluator(TrainingEvaluator):
    """In each round every client trains the network of the round before on its own images; their mean is the next.

    Options: those of training that need no images of others; ``clients``, ``concentration`` (:func:`clients_of`);
    ``rounds``, over which a client's steps are spread. Statistics of batch normalisation are averaged like weights.
    """

    def __init__(self, context: AccuracyContext) -> None:
        options = {name: TRAIN_OPTIONS[name].default for name in NOT_FEDERATED} | dict(context.options)
        super().__init__(replace(context, options=options))
        self._clients = clients_of(self._data, int(options["clients"]), float(options["concentration"]), context.seed)
        self._rounds = int(options["rounds"])

    def _trained(self, workload: Workload, purpose: str, checkpoint: Path | None = None) -> QatNetwork:
        check_fits(self._data, workload)
        torch.set_num_threads(1)
        seed = derive_seed(self._context.seed, purpose, workload.digest)
        torch.manual_seed(seed)
        network, how = QatNetwork(workload), self._how(purpose, workload)
        rounds = min(self._rounds, how.steps)
        ends = [how.steps * number // rounds for number in range(rounds + 1)]
        sizes = [len(client.labels["train"]) for client in self._clients]
        for number in range(rounds):
            # The rate falls from round to round, as it does in one training.
            rate = how.learning_rate * (1.0 - number / rounds)
            local = replace(how, steps=ends[number + 1] - ends[number], learning_rate=rate)
            states = []
            for place, client in enumerate(self._clients):
                own = QatNetwork(workload)
                own.load_state_dict(network.state_dict())
                train(own, client, local, derive_seed(seed, "round", number, place))
                states.append(own.state_dict())
            network.load_state_dict(averaged(states, sizes))
        return network.eval()
