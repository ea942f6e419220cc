"""Search spaces: sizes, decoding, digests, restrictions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from accel_models.cost import cost
from accel_models.design import Design
from accel_models.report import CostReport, Infeasible
from accel_models.schedule import default_mapping
from accel_models.template.cost import template_cost
from accel_models.template.spec import ArrayKind, Template
from codesign.decisions import Decision, Point, count_points
from codesign.explorer.problem import SearchProblem, Step
from codesign.objectives import Goal, Limit, Outcome
from codesign.providers.base import Candidate, Measurement, ProviderContext
from codesign.providers.cost.schedule import ScheduleProvider
from codesign.providers.registry import PROVIDERS, make_provider
from codesign.recipe import Recipe, load_recipe
from codesign.spaces.conformance import (
    CompressionSpaceConformance,
    HardwareSpaceConformance,
    MappingSpaceConformance,
    NetworkSpaceConformance,
)
from codesign.spaces.search_space import SearchSpace
from mappings.errors import SpecError
from mappings.layer import Layer, Op


def spaces(**changes: object) -> SearchSpace:
    return load_recipe("joint", changes).space


def draw(space: SearchSpace, seed: int) -> Point:
    return space.decisions.draw(np.random.default_rng(seed))


class TestElastic(NetworkSpaceConformance):
    name = "elastic_mnist"


class TestFixedNetwork(NetworkSpaceConformance):
    name, options, points = "fixed", {"network": "resnet20"}, 1


class TestUniformBits(CompressionSpaceConformance):
    name = "uniform_bits"


class TestLayerBits(CompressionSpaceConformance):
    name = "layer_bits"


class TestAsItIs(CompressionSpaceConformance):
    name = "none"


class TestTemplates(HardwareSpaceConformance):
    name = "templates"


class TestAllKnobs(HardwareSpaceConformance):
    name, points = "templates_full", 200


class TestNarrowWeights(HardwareSpaceConformance):
    name, points = "templates_narrow", 200


class TestTileCaps(MappingSpaceConformance):
    name = "tile_caps"


class TestDefaultTiles(MappingSpaceConformance):
    name = "default"


class TestSearchedTiles(MappingSpaceConformance):
    name, options = "searched_tiles", {"tilings": 20}
    points = 2


def test_sizes_are_the_products_of_the_choices() -> None:
    space = spaces()
    network = count_points(d for d in space.decisions.decisions if d.group == "network")
    # stem 4 x 2, seven sets of halving stages, and (3 depths x 4 widths x 2 kernels x 3 blocks) a stage.
    assert network == 4 * 2 * 7 * (3 * 4 * 2 * 3) ** 3 == 20_901_888
    assert space.networks == network * 4  # bits of weights and of activations
    assert space.accelerators == 5 * 4 * 4 * 6 * 6 * 5 * 4 * 5 * 4 * 2 * 4  # a bus of 128 bits is beyond the port
    assert space.accelerators >= 10**5 and network >= 10**6
    assert space.decisions.size == space.networks * space.accelerators


def test_points_are_distinct_networks() -> None:
    space = spaces()
    names = space.decisions.of_groups("network", "compression").names
    points = [draw(space, seed) for seed in range(300)]
    keys = {tuple(point[name] for name in names) for point in points}
    assert len({space.network_at(point).key for point in points}) == len(keys)


def test_a_point_decodes_to_what_it_says() -> None:
    space = spaces()
    point = draw(space, 1) | {"rows": 8, "array": "row_stationary", "act_bits": 4, "clock_mhz": 75, "axi_bits": 64}
    (candidate,) = space.decode([point])
    workload, template = candidate.workload, candidate.hardware
    assert workload is not None and candidate.network == workload.digest
    assert template.rows == 8 and template.array is ArrayKind.ROW_STATIONARY
    assert template.clock_hz == 75_000_000 and template.dram_bytes_per_cycle == 8
    assert workload.inputs[0].bits == 4 and all(layer.bits.O == 4 for layer in workload.layers)
    assert workload.layers[-1].K == 10


@pytest.mark.parametrize("hardware", ["templates", "templates_full"])
def test_every_extreme_of_the_hardware_is_a_legal_template(hardware: str) -> None:
    space = spaces(hardware=hardware)
    base = draw(space, 0)
    decisions = space.decisions.decisions
    for decision in decisions:
        if decision.group == "hardware" and isinstance(decision, Decision):
            for choice in decision.choices:
                for corner in (0, -1):
                    ends = {d.name: d.choices[corner] for d in decisions if d.group != "network"}  # type: ignore[union-attr]
                    point = base | ends | {decision.name: choice}
                    workload = space.network_at(point).workload
                    assert isinstance(space.hardware.hardware_at(point, workload), Template)


def test_wrong_points_are_refused_with_all_faults() -> None:
    space = spaces()
    point = draw(space, 2)
    del point["rows"]
    point["cols"] = 5
    point["colour"] = "blue"
    with pytest.raises(SpecError) as caught:
        space.decode([point])
    text = str(caught.value)
    assert "point.rows: is missing" in text and "point.cols: is 5" in text and 'unknown decision "colour"' in text


def test_restrictions_cut_choices_and_change_the_digest() -> None:
    whole, cut = spaces(), spaces(choices={"rows": [4, 8]})
    assert cut.accelerators * 2 == whole.accelerators
    assert cut.digest != whole.digest == spaces().digest
    with pytest.raises(SpecError, match="some of 4, 8, 16, 32"):
        spaces(choices={"rows": [4, 5]})
    with pytest.raises(SpecError, match='did you mean "rows"'):
        spaces(choices={"row": [4]})
    with pytest.raises(SpecError, match='unknown network "elastic_mnits", did you mean "elastic_mnist"'):
        spaces(network="elastic_mnits")


def test_a_decision_needs_distinct_choices() -> None:
    with pytest.raises(SpecError, match="distinct"):
        Decision("a", "network", (1, 1))


def test_designs_fit_or_say_what_they_break() -> None:
    space = spaces()
    fit = broken = 0
    for candidate in space.decode([draw(space, seed) for seed in range(40)]):
        found = candidate.broken or template_cost(candidate.design)  # type: ignore[arg-type]
        if isinstance(found, CostReport):
            fit += 1
            assert found.energy_pj is not None and found.energy_pj > 0
            assert found.latency_cycles >= sum(layer.cycles for layer in found.layers)
            assert dict(found.resources or ())["DSP"] <= 220
        else:
            broken += 1
            assert found and all(isinstance(item, Infeasible) and item.demand > item.bound for item in found)
    assert fit > 3 and broken > 3


def test_tile_caps_reach_the_mappings() -> None:
    space = spaces()
    # A small array and large buffers: without caps, tiles are whole.
    point = draw(space, 3) | {"rows": 8, "cols": 8, "array": "weight_stationary", "tile_rows": 2, "tile_channels": 8}
    point |= {f"{part}_buffer_kib": 8 for part in ("input", "weight", "acc", "output")}
    point |= {"axi_bits": 32, "clock_mhz": 50}
    small, large = (
        candidate.design for candidate in space.decode([point, point | {"tile_rows": 14, "tile_channels": 128}])
    )
    assert isinstance(small, Design) and isinstance(large, Design)
    rows = [item.size for _, mapping in small.mappings for item in mapping.levels[0] if item.dim == "P"]
    assert rows and max(rows) <= 2
    one, other = template_cost(small), template_cost(large)
    assert isinstance(one, CostReport) and isinstance(other, CostReport)
    assert cost(small) == one  # a template's design is costed by its program
    assert one.latency_cycles != other.latency_cycles


class Counting:
    """A dear provider that counts what it is shown."""

    metrics, needs, key = ("accuracy",), ("workload",), "network"

    def __init__(self) -> None:
        self.seen: list[str] = []

    def prepare(self) -> None:
        """Nothing."""

    def measure(self, candidates: Sequence[Candidate]) -> list[Measurement]:
        """Half of everything is right."""
        self.seen += [candidate.network for candidate in candidates]
        return [Measurement({"accuracy": 0.5}) for _ in candidates]


def ladder(recipe: Recipe, folder: Path) -> tuple[SearchProblem, Counting]:
    context = ProviderContext(0, recipe.device, recipe.space, folder)
    counting = Counting()
    steps = [Step("schedule", PROVIDERS.get("schedule"), make_provider("schedule", context))]
    steps.append(Step("train", PROVIDERS.get("train"), counting))
    return SearchProblem(recipe.space, recipe.goal, steps), counting


def test_gates_spare_the_dear_and_refused_designs_keep_what_they_would_cost(tmp_path: Path) -> None:
    recipe = load_recipe("default", {"limits": {"latency_ms": 0.5}})
    problem, dear = ladder(recipe, tmp_path)
    points = [draw(recipe.space, seed) for seed in range(40)]
    outcomes = problem.measure([*points, *points[:5]])
    assert outcomes[40:] == outcomes[:5] and len(dear.seen) == len(set(dear.seen))
    refused = [outcome for outcome in outcomes if not outcome.feasible]
    assert refused and all(set(outcome.measured_by) <= {"schedule"} for outcome in refused)
    assert all("accuracy" in outcome.metrics for outcome in outcomes if outcome.feasible)
    device_broken = [o for o in refused if any(item.resource == "DSP" for item in o.broken) and o.metrics]
    assert device_broken and all(o.metrics["latency_ms"] > 0 and o.metrics["dsp"] > 220 for o in device_broken)
    slow = [o for o in refused if any(item.resource == "latency_ms" for item in o.broken)]
    assert slow and all(o.metrics["latency_ms"] > 0.5 for o in slow)
    ungated = problem.measure(points, gated=False)
    assert all("accuracy" in outcome.metrics for outcome in ungated)


def test_figures_agree_with_each_other() -> None:
    recipe = load_recipe("default", {"providers": ["schedule", "size", "train"]})
    space = recipe.space
    provider = ScheduleProvider(ProviderContext(0, "zynq7020", space, Path()))
    for candidate in space.decode([draw(space, seed) for seed in range(12)]):
        (found,) = provider.measure([candidate]) if candidate.design is not None else (Measurement(),)
        if not found.metrics:
            continue
        assert set(found.metrics) == set(provider.metrics)
        m = found.metrics
        assert m["edp_uj_ms"] == pytest.approx(m["energy_uj"] * m["latency_ms"])
        assert m["power_mw"] == pytest.approx(m["energy_uj"] / m["latency_ms"])
        assert m["throughput_per_s"] == pytest.approx(1e3 / m["latency_ms"])
        assert m["fill"] >= m["dsp"] / 220 and (m["fill"] <= 1 or candidate.broken)


def test_operators_that_the_hardware_lacks_are_a_bound() -> None:
    recipe = load_recipe("joint", {"network": "transformer_encoder"})
    space = recipe.space
    with_lanes, without = ({"nonlinear_lanes": n, "ppu_lanes": 4, "rows": 16, "cols": 16} for n in (4, 0))
    base = draw(space, 1) | {f"{part}_buffer_kib": 64 for part in ("input", "weight", "acc", "output")}
    base |= {"param_buffer_kib": 32, "axi_bits": 64, "clock_mhz": 100, "tile_rows": 14, "tile_channels": 128}
    good, bad = space.decode([base | with_lanes, base | without])
    assert good.design is not None and good.hardware.nonlinear_lanes == 4
    problem = Step(
        "schedule", PROVIDERS.get("schedule"), make_provider("schedule", ProviderContext(0, "zcu102", space, Path()))
    )
    states = SearchProblem(space, Goal(("latency_ms",), (Limit("dsp", 1e6),)), [problem]).measure(
        [good.point, bad.point]
    )
    assert "latency_ms" in states[0].metrics and states[1].broken
    assert isinstance(states[1], Outcome) and not states[1].metrics


def test_a_buffer_that_holds_single_columns_still_has_a_tiling() -> None:
    image = Layer("stem", Op.CONV, K=4, P=14, Q=14, R=5, S=5, stride=(2, 2), padding=(2, 2, 1, 1), inputs=("image",))
    template = Template(
        array=ArrayKind.OUTPUT_STATIONARY,
        rows=32,
        cols=4,
        weight_bits=4,
        input_buffer_bytes=1024,
        weight_buffer_bytes=16384,
        acc_buffer_bytes=2048,
        output_buffer_bytes=2048,
        axi_bits=32,
        dram_bytes_per_cycle=4,
    )
    mapping = default_mapping(image, template)
    assert not isinstance(mapping, Infeasible)
    sizes = {item.dim: item.size for item in mapping.levels[0]}
    assert (sizes["P"], sizes["R"]) == (1, 3)  # some rows of the filter at a time: three columns fit then
    assert sizes["Q"] == 3
