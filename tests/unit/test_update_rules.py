"""Update rules that are decided with a network, and a teacher whose view of images a network is compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from codesign.accuracy.base import TAUGHT_OPTIONS, TRAIN_OPTIONS, AccuracyContext
from codesign.accuracy.data import digits
from codesign.accuracy.evaluator import TrainingEvaluator
from codesign.accuracy.likeness import features, likeness, similarities
from codesign.accuracy.rule_optimizer import RuleOptimizer
from codesign.accuracy.training import Training, train
from codesign.accuracy.update_rule import FUNCTIONS, JOINTS, OPERANDS, Rule
from codesign.providers.base import Candidate, ProviderContext
from codesign.providers.registry import make_provider
from codesign.quantization.qat import QatNetwork
from codesign.recipe import load_recipe
from codesign.spaces.compression.update_rules import UpdateRules, decided_rule
from codesign.spaces.conformance import WORKLOAD, CompressionSpaceConformance
from codesign.spaces.network.chain import ChainSpace

CHAIN = ChainSpace(layers=2, kernels=(3,), filters=(4, 8, 16), halved=(2,), extent=8, dataset="digits")
SMALL = CHAIN.workload({decision.name: decision.choices[0] for decision in CHAIN.decisions})
ADAM = {"rule_left": "scaled_mean", "rule_left_function": "identity", "rule_joint": "left"}
ADAM |= {"rule_right": "one", "rule_right_function": "identity"}


class TestUpdateRules(CompressionSpaceConformance):
    name = "update_rules"


def test_a_rule_is_read_as_it_was_written(tmp_path: Path) -> None:
    told = UpdateRules().compressed(WORKLOAD, {**ADAM, "rule_joint": "divide", "learning_rate": 0.003})
    assert decided_rule(told) == Rule(joint="divide") and decided_rule(WORKLOAD) is None
    assert told.layers == WORKLOAD.layers and told.digest != WORKLOAD.digest
    given = {name: option.default for name, option in TRAIN_OPTIONS.items()}
    how = TrainingEvaluator(AccuracyContext(0, "digits", tmp_path, given))._how("search", told)
    assert how.rule == Rule(joint="divide") and how.learning_rate == 0.003


def test_rules_of_the_field_are_among_them() -> None:
    """Two steps by hand: Adam's without the bias of its start, a momentum's, and PowerSign's."""
    start, grads = torch.tensor([1.0, -2.0]), [torch.tensor([0.5, -0.1]), torch.tensor([-0.2, -0.3])]
    mean = (0.9 * 0.1 * grads[0] + 0.1 * grads[1]) / (1 - 0.9**2)
    squares = (0.99 * 0.01 * grads[0] ** 2 + 0.01 * grads[1] ** 2) / (1 - 0.99**2)
    second = {
        Rule(): mean / squares.sqrt(),
        Rule(left="mean"): mean,
        Rule("agreement", "exp", "gradient", "identity", "multiply"): (grads[1].sign() * mean.sign()).exp() * grads[1],
    }
    first = {rule: grads[0] / grads[0].abs() if rule == Rule() else grads[0] for rule in second}
    first[Rule("agreement", "exp", "gradient", "identity", "multiply")] = grads[0] * float(np.e)
    for rule, update in second.items():
        part = torch.nn.Parameter(start.clone())
        optimizer = RuleOptimizer([part], rule, 0.1, 0.0)
        for grad in grads:
            part.grad = grad.clone()
            optimizer.step()
        assert torch.allclose(part.detach(), start - 0.1 * (first[rule] + update), atol=1e-5), rule


@pytest.mark.parametrize("joint", JOINTS)
def test_no_rule_ends_a_training(joint: str) -> None:
    rng = np.random.default_rng(0)
    for _ in range(6):
        drawn = [str(rng.choice(list(names))) for names in (OPERANDS, FUNCTIONS, OPERANDS, FUNCTIONS)]
        torch.manual_seed(0)
        network = QatNetwork(SMALL)
        train(network, digits(), Training(12, 0.1, rule=Rule(*drawn, joint)), 0)
        assert all(bool(torch.isfinite(part).all()) for part in network.parameters())


def test_a_training_by_a_rule_goes_on_after_a_kill(tmp_path: Path) -> None:
    def network() -> QatNetwork:
        torch.manual_seed(0)
        return QatNetwork(SMALL)

    how = Training(8, 0.01, rule=Rule())
    whole, part = network(), network()
    train(whole, digits(), how, 0)
    stopped: dict[str, Any] = {}

    def stop() -> None:
        stopped["steps"] = stopped.get("steps", 0) + 1
        if stopped["steps"] == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(part, digits(), how, 0, tmp_path / "a.npz", "mine", stop)
    again = network()
    train(again, digits(), how, 0, tmp_path / "a.npz", "mine")
    for one, other in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


def test_likeness_is_of_what_images_have_in_common() -> None:
    torch.manual_seed(0)
    rows = torch.rand(12, 6)
    one = similarities(rows - rows.mean(dim=1, keepdim=True))
    assert one.shape == (66,) and likeness(one, one) == pytest.approx(1.0)
    assert likeness(one, similarities(rows * 3.0 + 1.0)) == pytest.approx(1.0)
    assert abs(likeness(one, similarities(torch.rand(12, 6)))) < 0.5
    assert likeness(one, torch.zeros(66)) == 0.0


def test_training_makes_networks_alike_and_the_teacher_is_itself(tmp_path: Path) -> None:
    recipe = load_recipe("teacher_guided:reduced").check("recipe")
    options = {name: option.default for name, option in TAUGHT_OPTIONS.items()}
    options |= {"steps": 100, "base_steps": 200, "images": 100, "shift_pixels": 0}
    provider: Any = make_provider("taught", ProviderContext(0, "zynq7020", recipe.space, tmp_path, options=options))
    provider.prepare()
    space, rng = recipe.space, np.random.default_rng(0)
    point = space.decisions.draw(rng)
    candidate = space.decode([point], designs=False)[0]
    ((_, little),) = provider.stream([Candidate(point, "a", candidate.workload)], 0.02)
    (much,) = provider.measure([candidate])
    assert much.metrics["teacher_likeness"] > little.metrics["teacher_likeness"]
    assert 0.0 < little.metrics["accuracy"] < much.metrics["accuracy"]
    assert features(QatNetwork(SMALL), torch.rand(3, 1, 8, 8)).shape[0] == 3
