"""Drivers by name. Loads neither torch nor optuna."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from codesign import options
from codesign.accuracy.base import CLIENTS
from codesign.accuracy.task import EVERY, NAMES
from codesign.drivers.base import Driver
from codesign.gradient.names import DRAWS, LIMIT_TERMS, RELAXATIONS, RULES
from codesign.plugin import Plugin
from codesign.predictors.base import PREDICTORS
from codesign.supernet.names import SHARING
from mappings.registry import Registry

DriverFactory: TypeAlias = Callable[[], Driver]


@dataclass(frozen=True)
class DriverEntry(Plugin[DriverFactory]):
    """One driver.

    Attributes:
        parts: parts of the space for which it asks a controller of their own; a recipe names them in ``controllers``.
        unit: what its budget counts.
        asks: it asks controllers for points.
        plan: ``module:function`` of (recipe, options, place) to the faults of the recipe around it; "": none.
    """

    parts: tuple[str, ...] = ()
    unit: str = "designs"
    asks: bool = True
    plan: str = ""


_PARTS = ("network", "hardware")
_PLANS = "codesign.recipe_plans"


def _register_builtins(registry: Registry[DriverEntry]) -> None:
    here = "codesign.drivers"
    registry.register(
        "ask_tell", DriverEntry("one controller over all decisions, batch by batch", f"{here}.ask_tell:AskTell")
    )
    registry.register(
        "nested",
        DriverEntry(
            "each network is measured once and priced on the whole hardware space: a front of designs a training",
            f"{here}.nested:Nested",
            {
                "accelerators": options.name("all", ("all", "search")),
                "most_accelerators": options.integer(20_000, 1),
                "inner_trials": options.integer(64, 1),
                "designs_per_network": options.integer(0, 0),
            },
            parts=_PARTS,
            unit="networks",
            plan=f"{_PLANS}:nested",
        ),
    )
    registry.register(
        "alternate",
        DriverEntry(
            "two controllers in turn, the other part held at the best so far",
            f"{here}.alternate:Alternate",
            {
                "phase_trials": options.integer(48, 1),
                "first": options.name("network", _PARTS),
            },
            source="Abdelfattah 2020",
            parts=_PARTS,
            plan=f"{_PLANS}:alternate",
        ),
    )
    registry.register(
        "staged",
        DriverEntry(
            "networks first on one accelerator, then hardware for the best of them",
            f"{here}.staged:Staged",
            {
                "first_share": options.number(0.5, 0.0, 1.0),
                "first_objectives": options.list_of(options.text(), ("accuracy",), least=1),
                "keep": options.integer(1, 1, 1000),
                "hardware": options.choices_of(),
            },
            source="Abdelfattah 2020",
            parts=_PARTS,
        ),
    )
    registry.register(
        "carried",
        DriverEntry(
            "a search on a smaller task, then one on the task itself that begins with what the first has learned",
            f"{here}.carried:Carried",
            {
                "first_trials": options.integer(100, 1, 1_000_000),
                "fidelities": options.list_of(options.number(0.5, 0.001, 0.999), (0.5,), least=1),
                "carry": options.flag(True),
            },
            source="Fang 2019, Borsos 2019, Wistuba 2019, Wong 2018",
            parts=("source", "target"),
            needs=("fidelity", "carries"),
            plan=f"{_PLANS}:carried",
        ),
    )
    registry.register(
        "pooled",
        DriverEntry(
            "operators that are worth their time on the device, then late layers, then early ones",
            f"{here}.pooled:Pooled",
            {
                "operators": options.list_of(options.text(), ("_block", "_kernel"), least=1),
                "capacity": options.text("macs"),
                "cost": options.text("latency_ms"),
                "samples": options.integer(8, 1, 10_000),
                "keep": options.integer(2, 1, 1000),
                "late_share": options.number(0.5, 0.0, 1.0),
                "first_share": options.number(0.5, 0.0, 1.0),
            },
            source="Zhang 2020",
            parts=("late", "early"),
            plan=f"{_PLANS}:pooled",
        ),
    )
    registry.register(
        "sequential",
        DriverEntry(
            "the largest network cut down to its limit, step by step, each time by what costs least accuracy",
            f"{here}.sequential:Sequential",
            {
                "step_share": options.number(0.125, 0.001, 1.0),
                "keep": options.name("best", ("best", "ratio", "drawn")),
                "decisions": options.list_of(options.text(), ()),
                "hardware": options.choices_of(),
            },
            source="Yang 2018",
            asks=False,
            plan=f"{_PLANS}:sequential",
        ),
    )
    registry.register(
        "search_then_cut",
        DriverEntry(
            "a search that weighs the cost softly, then what it found is cut down to the limit step by step",
            f"{here}.search_then_cut:SearchThenCut",
            {
                "search_trials": options.integer(100, 1, 1_000_000),
                "step_share": options.number(0.125, 0.001, 1.0),
                "keep": options.name("ratio", ("ratio", "best", "drawn")),
                "decisions": options.list_of(options.text(), ()),
                "hardware": options.choices_of(),
            },
            source="Howard 2019",
            parts=("network",),
            plan=f"{_PLANS}:search_then_cut",
        ),
    )
    registry.register(
        "space_first",
        DriverEntry(
            "the smaller space in which networks that fit compute most, then a search of it alone",
            f"{here}.space_first:SpaceFirst",
            {
                "space": options.list_of(options.text(), least=1),
                "tied": options.list_of(options.text()),
                "samples": options.integer(40, 1, 100_000),
                "by": options.text("macs", what="a metric that is known before the dear providers"),
                "least_share": options.number(0.05, 0.0, 1.0),
            },
            source="Lin 2020",
            plan=f"{_PLANS}:space_first",
        ),
    )
    registry.register(
        "compound",
        DriverEntry(
            "depth, width and resolution grow together by constants that a small grid finds",
            f"{here}.compound:Compound",
            {
                "growth": options.number(2.0, 1.01, 100.0),
                "tolerance": options.number(0.15, 0.0, 0.9),
                "grid": options.integer(8, 1, 100),
                "by": options.text("macs", what="a metric that is known before the dear providers"),
                "step": options.number(0.5, 0.01, 10.0),
                "dimensions": options.list_of(
                    options.name("depth", ("depth", "width", "resolution")), ("depth", "width", "resolution"), least=1
                ),
                "held": options.choices_of(),
            },
            source="Tan 2019",
            needs=("workload",),
            asks=False,
            plan=f"{_PLANS}:compound",
        ),
    )
    registry.register(
        "layer_agent",
        DriverEntry(
            "a continuous agent goes through the layers and compresses each, within a limit",
            f"{here}.layer_agent:LayerAgent",
            {
                "limit": options.name("lowered", ("lowered", "bounded")),
                "hidden": options.integer(64, 1, 4096),
                "actor_rate": options.number(1e-3, 0.0, 1.0),
                "critic_rate": options.number(1e-3, 0.0, 1.0),
                "warmup": options.integer(20, 1, 1_000_000),
                "noise": options.number(0.5, 0.0, 10.0),
                "noise_decay": options.number(0.97, 0.0, 1.0),
                "replayed": options.integer(64, 1, 65_536),
                "updates": options.integer(1, 0, 1000),
                "follow": options.number(0.02, 0.0, 1.0),
                "held": options.choices_of(),
            },
            source="He 2018, Wang 2019",
            needs=("subjects",),
            asks=False,
        ),
    )
    registry.register(
        "shared_policy",
        DriverEntry(
            "shared weights and the controller that draws networks learn in turn; what it draws at the end is measured",
            f"{here}.shared_policy:SharedPolicy",
            {
                "rounds": options.integer(20, 1, 1_000_000),
                "steps": options.integer(40, 1, 1_000_000),
                "told": options.integer(40, 1, 100_000),
                "trial_steps": options.integer(1, 1, 1000),
                "images": options.integer(128, 2, 1_000_000),
                "samples": options.integer(200, 1, 1_000_000),
                "learning_rate": options.number(0.02, 0.0, 10.0),
                "objectives": options.list_of(options.text(), ("accuracy",), least=1),
                "kernel": options.name("crop", SHARING),
                "held": options.choices_of(),
            },
            source="Pham 2018",
            tasks=NAMES,
            needs=("workload", "trainable"),
            unit="networks",
        ),
    )
    registry.register(
        "per_image",
        DriverEntry(
            "shared weights, some networks of them, and a policy that picks one of these for each image",
            f"{here}.per_image:PerImage",
            {
                "steps": options.integer(1000, 1, 10_000_000),
                "learning_rate": options.number(0.02, 0.0, 10.0),
                "kernel": options.name("crop", SHARING),
                "drawn": options.integer(60, 1, 100_000),
                "policy_share": options.number(0.3, 0.01, 0.9),
                "prices": options.list_of(options.number(0.1, 0.0, 1000.0), (0.02, 0.05, 0.1, 0.2), least=1),
                "policy_steps": options.integer(400, 1, 10_000_000),
                "policy_rate": options.number(0.01, 0.0, 10.0),
                "policy_extent": options.integer(8, 4, 512),
                "held": options.choices_of(),
            },
            source="Cheng 2020",
            tasks=NAMES,
            needs=("workload", "trainable", "template"),
            unit="networks",
            asks=False,
        ),
    )
    registry.register(
        "shrinking",
        DriverEntry(
            "a network shrinks while it trains: channels pay for what they cost, until the limit holds",
            f"{here}.shrinking:Shrinking",
            {
                "steps": options.integer(300, 1, 10_000_000),
                "learning_rate": options.number(0.02, 0.0, 10.0),
                "interval": options.integer(4, 1, 1_000_000),
                "penalty": options.number(0.004, 0.0, 1e6),
                "growth": options.number(1.15, 1.0, 1e3),
                "weighed": options.flag(True),
                "held": options.choices_of(),
            },
            source="Mei 2020",
            tasks=NAMES,
            needs=("subjects", "trainable"),
            unit="searches",
            asks=False,
        ),
    )
    registry.register(
        "routes",
        DriverEntry(
            "chances of every way through a densely connected network, learned with its weights; the likeliest route",
            f"{here}.routes:Routes",
            {
                "steps": options.integer(200, 1, 10_000_000),
                "learning_rate": options.number(0.02, 0.0, 10.0),
                "arch_learning_rate": options.number(0.1, 0.0, 10.0),
                "multiplier_rate": options.number(0.2, 0.0, 1e6),
                "cost_weight": options.number(0.0, 0.0, 1e6),
                "learned": options.flag(True),
                "metric": options.text("macs", what="a metric of a cheap provider"),
                "priced": options.integer(400, 20, 1_000_000),
                "fill": options.number(0.9, 0.0, 1.0),
                "held": options.choices_of(),
            },
            source="Fang 2020",
            tasks=EVERY,
            needs=("routes",),
            unit="searches",
            asks=False,
            plan=f"{_PLANS}:whole_network",
        ),
    )
    registry.register(
        "masked",
        DriverEntry(
            "masks over edges, operations and weights are learned on shared weights; what they leave is the network",
            f"{here}.masked:Masked",
            {
                "steps": options.integer(300, 1, 10_000_000),
                "mask_steps": options.integer(200, 0, 10_000_000),
                "learning_rate": options.number(0.02, 0.0, 10.0),
                "mask_rate": options.number(0.05, 0.0, 10.0),
                "threshold": options.number(0.5, 0.0, 10.0),
                "multiplier_rate": options.number(0.02, 0.0, 1e6),
                "held": options.choices_of(),
            },
            source="Yan 2019",
            tasks=NAMES,
            needs=("masks",),
            unit="searches",
            asks=False,
            plan=f"{_PLANS}:whole_network",
        ),
    )
    registry.register(
        "forecast",
        DriverEntry(
            "a predictor fitted to the first networks says of which others full measurements are worth their price",
            f"{here}.forecast:Forecast",
            {
                "first": options.integer(60, 4, 1_000_000),
                "full": options.integer(60, 2, 1_000_000),
                "levels": options.list_of(options.number(0.06, 0.001, 0.999), (0.06,), least=1),
                "reads": options.name("curve", ("curve", "level", "difficulty")),
                "keep": options.number(0.25, 0.01, 1.0),
                "model": options.name("support_vectors", tuple(PREDICTORS)),
            },
            source="Baker 2018, Deng 2017, Istrate 2019",
            needs=("fidelity",),
            plan=f"{_PLANS}:forecast",
        ),
    )
    registry.register(
        "budgeted",
        DriverEntry(
            "the least measurement that still ranks networks is found first; the search pays no more",
            f"{here}.budgeted:Budgeted",
            {
                "fidelities": options.list_of(options.number(0.1, 0.001, 0.999), (0.05, 0.1, 0.2, 0.4), least=1),
                "samples": options.integer(20, 4, 100_000),
                "least_correlation": options.number(0.8, 0.0, 1.0),
                "keep": options.integer(20, 1, 100_000),
            },
            source="Zheng 2020",
            needs=("fidelity",),
            plan=f"{_PLANS}:budgeted",
        ),
    )
    registry.register(
        "stopped",
        DriverEntry(
            "after a short measurement only points above the mean so far are measured in full",
            f"{here}.stopped:Stopped",
            {"first": options.number(0.3, 0.001, 0.999)},
            source="Nekrasov 2019",
            needs=("fidelity",),
        ),
    )
    registry.register(
        "halving",
        DriverEntry(
            "successive halving: many points measured a little, the best of them more",
            f"{here}.halving:Halving",
            {"eta": options.integer(3, 2, 16), "rungs": options.integer(3, 2, 8)},
            source="Jamieson 2016, Li 2018",
            needs=("fidelity",),
        ),
    )
    # Of every search that learns choices and weights by descent.
    descent = {
        "steps": options.integer(200, 1, 10_000_000),
        "learning_rate": options.number(0.01, 0.0, 10.0),
        "arch_learning_rate": options.number(0.05, 0.0, 10.0),
        "temperature": options.number(5.0, 1e-3, 1000.0),
        "last_temperature": options.number(0.5, 1e-3, 1000.0),
        "bilevel": options.flag(True),
    }
    registry.register(
        "gradient",
        DriverEntry(
            "choices relaxed and learned with the weights; the derived network is under its limits by the exact model",
            f"{here}.gradient:Gradient",
            {
                "relaxation": options.name("gumbel_soft", RELAXATIONS),
                "partial": options.integer(1, 1, 64),
                **descent,
                "unrolled": options.flag(False),
                "cost_weight": options.number(0.0, 0.0, 1e6),
                "multiplier_rate": options.number(0.2, 0.0, 1e6),
                "rule": options.name("adam", RULES),
                "wipe": options.flag(True),
                "stages": options.integer(1, 1, 16),
                "patience": options.integer(0, 0, 10_000_000),
                "weight_decay": options.number(1e-4, 0.0, 10.0),
                "extremes": options.number(0.0, 0.0, 1e6),
                "identity_dropout": options.number(0.0, 0.0, 0.95),
                "most_identities": options.integer(-1, -1, 1000),
                "alike": options.number(0.0, 0.0, 1.0),
                "metric": options.text("latency_ms", what="a metric of a cheap provider"),
                "fill": options.number(0.95, 0.0, 1.0),
                "hardware_draws": options.integer(64, 1, 100_000),
                "held": options.choices_of(),
                "clients": options.integer(0, 0, 1000),
                "concentration": CLIENTS["concentration"],
                "local_steps": options.integer(20, 1, 1_000_000),
            },
            source="Liu 2019, Xie 2019, Dong 2019, Wu 2019, Cai 2019, Xu 2020, Stamoulis 2019, Nayman 2019, Chu 2020",
            tasks=EVERY,
            needs=("cells",),
            unit="searches",
            asks=False,
            plan=f"{_PLANS}:gradient",
        ),
    )
    registry.register(
        "transferred",
        DriverEntry(
            "a predictor of accuracy learned where nothing is compressed, then taught compression by few networks more",
            f"{here}.transferred:Transferred",
            {
                "whole": options.integer(80, 4, 1_000_000),
                "compressed": options.integer(40, 4, 1_000_000),
                "fit_steps": options.integer(600, 1, 1_000_000),
                "learning_rate": options.number(3e-3, 0.0, 1.0),
                "population": options.integer(64, 4, 100_000),
                "generations": options.integer(20, 1, 100_000),
                "mutation": options.number(0.1, 0.0, 1.0),
                "transfer": options.flag(True),
                "held": options.choices_of(),
            },
            source="Wang 2020",
            asks=False,
            plan=f"{_PLANS}:transferred",
        ),
    )
    registry.register(
        "relaxed",
        DriverEntry(
            "choices of network, bits and accelerator relaxed together; the cost is exact, or an evaluator network's",
            f"{here}.relaxed:Relaxed",
            {
                "cost": options.name("conditional", ("conditional", "sampled", "evaluator")),
                "refresh": options.integer(10, 1, 1_000_000),
                "changes": options.name("multiplied", ("multiplied", "added")),
                "widths": options.name("masked", ("masked", "interpolated")),
                "weights_draw": options.name("gumbel_soft", DRAWS),
                "choices_draw": options.name("gumbel_soft", DRAWS),
                "hardware_draw": options.name("", ("", *DRAWS)),
                **descent,
                "cost_weight": options.number(1.0, 0.0, 1e6),
                "loss": options.name("sum", ("sum", "product")),
                "certain": options.number(0.0, 0.0, 1e6),
                "over_weight": options.number(1.0, 0.0, 1e6),
                "limit": options.name("multiplier", LIMIT_TERMS),
                "limit_on": options.name("draw", ("draw", "shares")),
                "limit_weight": options.number(0.2, 0.0, 1e6),
                "limit_base": options.number(100.0, 1.0, 1e6),
                "tolerance": options.number(0.1, 0.0, 1.0),
                "templates": options.integer(0, 0, 100_000),
                "evaluator_networks": options.integer(200, 10, 100_000),
                "evaluator_machines": options.integer(200, 2, 20_000),
                "evaluator_steps": options.integer(1500, 1, 10_000_000),
                "held": options.choices_of(),
            },
            source="Li 2020, Zhang 2020, Choi 2021, Fu 2021, Yu 2020, Dong 2019, Wu 2018",
            tasks=NAMES,
            needs=("workload", "trainable"),
            unit="searches",
            asks=False,
            plan=f"{_PLANS}:relaxed",
        ),
    )


DRIVERS: Registry[DriverEntry] = Registry("driver", _register_builtins)
