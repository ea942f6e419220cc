"""Controllers: conformance, and that they learn."""

from __future__ import annotations

import optuna
import pytest

from codesign.controllers import CONTROLLERS, ControllerContext, Reward, make_sampler
from codesign.controllers.conformance import ControllerConformance
from codesign.controllers.samplers import distributions
from codesign.decisions import Decision
from mappings.errors import SpecError

optuna.logging.set_verbosity(optuna.logging.ERROR)


class TestNsga2(ControllerConformance):
    controller = "nsga2"


class TestRandom(ControllerConformance):
    controller = "random"


class TestTpe(ControllerConformance):
    controller = "tpe"


class TestReinforce(ControllerConformance):
    controller = "reinforce"


def test_reward_is_mnasnets_by_hand() -> None:
    reward = Reward(target_latency_ms=2.0, exponent=-0.07)
    assert reward(0.9, 2.0) == pytest.approx(0.9)
    assert reward(0.9, 4.0) == pytest.approx(0.9 * 2**-0.07)


def test_reinforce_learns_what_is_rewarded() -> None:
    decisions = tuple(Decision(f"d{index}", "network", (0, 1, 2, 3)) for index in range(6))
    context = ControllerContext(0, decisions, 16, Reward(1.0, 0.0), {"learning_rate": 0.03})
    study = optuna.create_study(
        sampler=make_sampler("reinforce", context), directions=["maximize", "minimize", "minimize"]
    )
    means = []
    for _ in range(25):
        trials = [study.ask(distributions(decisions)) for _ in range(16)]
        rewards = [sum(value == 2 for value in trial.params.values()) / 6 for trial in trials]
        for trial, value in zip(trials, rewards, strict=True):
            study.tell(trial, (value, 1.0, 1.0))
        means.append(sum(rewards) / 16)
    assert sum(means[:3]) / 3 < 0.45  # a quarter is chance
    assert sum(means[-3:]) / 3 > 0.75


def test_infeasible_designs_earn_the_floor() -> None:
    from codesign.controllers.reinforce import trial_reward

    trial = optuna.trial.create_trial(values=[0.9, 1.0, 1.0])
    assert trial_reward(trial, Reward()) == pytest.approx(0.9)
    trial.set_constraint("budget", 0.5)
    assert trial_reward(trial, Reward(infeasible=-1.0)) == -1.0


def test_unknown_names_and_options_are_told() -> None:
    context = ControllerContext(0, (Decision("a", "network", (1, 2)),), 4)
    with pytest.raises(SpecError, match='did you mean "nsga2"'):
        make_sampler("nsga", context)
    wrong = ControllerContext(0, context.decisions, 4, options={"learning_rat": 1.0})
    with pytest.raises(SpecError, match='did you mean "learning_rate"'):
        make_sampler("reinforce", wrong)


def test_a_plugin_registers_as_the_built_ins_do() -> None:
    from mappings.registry import Registry

    registry: Registry[object] = Registry("controller", lambda r: r.register("mine", object()))
    assert registry.group == "codesign.controllers"
    assert "mine" in registry.names()
    assert "nsga2" in CONTROLLERS.names()
