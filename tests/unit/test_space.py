"""Search spaces: sizes, decoding, digests, restrictions."""

from __future__ import annotations

import random

import pytest

from accel_models.cost import cost
from accel_models.design import Design
from accel_models.report import CostReport, Infeasible
from accel_models.schedule import default_mapping
from accel_models.template.cost import template_cost
from accel_models.template.spec import ArrayKind, Template
from codesign.decisions import Decision, Point, count_points
from codesign.space import SearchSpace
from mappings.errors import SpecError
from mappings.layer import Layer, Op


def draw(space: SearchSpace, seed: int) -> Point:
    rng = random.Random(seed)
    return {decision.name: rng.choice(decision.choices) for decision in space.decisions}


def test_sizes_are_the_products_of_the_choices() -> None:
    space = SearchSpace.of()
    network = count_points(d for d in space.decisions if d.group == "network")
    # stem 4 x 2, seven sets of halving stages, and (3 depths x 4 widths x 2 kernels x 3 blocks) a stage.
    assert network == 4 * 2 * 7 * (3 * 4 * 2 * 3) ** 3 == 20_901_888
    assert space.networks == network * 4  # bits of weights and of activations
    assert space.accelerators == 5 * 4 * 4 * 6 * 6 * 5 * 4 * 5 * 4 * 3 * 4
    assert space.accelerators >= 10**5 and network >= 10**6
    assert space.designs == space.networks * space.accelerators


def test_points_are_distinct_networks() -> None:
    space = SearchSpace.of()
    names = [decision.name for decision in space.decisions if decision.group != "hardware"]
    points = [draw(space, seed) for seed in range(300)]
    keys = {tuple(point[name] for name in names) for point in points}
    assert len({space.network.workload(point).digest for point in points}) == len(keys)


def test_a_point_decodes_to_what_it_says() -> None:
    space = SearchSpace.of()
    point = draw(space, 1) | {"rows": 8, "array": "row_stationary", "act_bits": 4, "clock_mhz": 150, "axi_bits": 64}
    workload, template = space.decode(point)
    assert template.rows == 8 and template.array is ArrayKind.ROW_STATIONARY
    assert template.clock_hz == 150_000_000 and template.dram_bytes_per_cycle == 8
    assert workload.inputs[0].bits == 4 and all(layer.bits.O == 4 for layer in workload.layers)
    assert workload.layers[-1].K == 10


def test_every_extreme_of_the_hardware_is_a_legal_template() -> None:
    space = SearchSpace.of()
    base = draw(space, 0)
    for decision in space.decisions:
        if decision.group == "hardware":
            for choice in decision.choices:
                for corner in (0, -1):
                    ends = {d.name: d.choices[corner] for d in space.decisions if d.group != "network"}
                    assert isinstance(space.decode(base | ends | {decision.name: choice})[1], Template)


def test_wrong_points_are_refused_with_all_faults() -> None:
    space = SearchSpace.of()
    point = draw(space, 2)
    del point["rows"]
    point["cols"] = 5
    point["colour"] = "blue"
    with pytest.raises(SpecError) as caught:
        space.decode(point)
    text = str(caught.value)
    assert "point.rows: is missing" in text and "point.cols: is 5" in text and 'unknown decision "colour"' in text


def test_restrictions_cut_choices_and_change_the_digest() -> None:
    whole, cut = SearchSpace.of(), SearchSpace.of(restrictions={"rows": (4, 8)})
    assert cut.accelerators * 2 == whole.accelerators
    assert cut.digest != whole.digest == SearchSpace.of().digest
    with pytest.raises(SpecError, match="some of 4, 8, 16, 32"):
        SearchSpace.of(restrictions={"rows": (4, 5)})
    with pytest.raises(SpecError, match='did you mean "rows"'):
        SearchSpace.of(restrictions={"row": (4,)})
    with pytest.raises(SpecError, match='unknown network space "elastic_mnits"'):
        SearchSpace.of(network="elastic_mnits")


def test_a_decision_needs_distinct_choices() -> None:
    with pytest.raises(SpecError, match="distinct"):
        Decision("a", "network", (1, 1))


def test_designs_fit_or_say_what_they_break() -> None:
    space = SearchSpace.of()
    fit = broken = 0
    for seed in range(40):
        design = space.design(draw(space, seed), "zynq7020")
        found = template_cost(design) if isinstance(design, Design) else design
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
    space = SearchSpace.of()
    # A small array and large buffers: without caps, tiles are whole.
    point = draw(space, 3) | {"rows": 8, "cols": 8, "array": "weight_stationary", "tile_rows": 2, "tile_channels": 8}
    point |= {f"{part}_buffer_kib": 8 for part in ("input", "weight", "acc", "output")}
    point |= {"axi_bits": 32, "clock_mhz": 50}
    small = space.design(point, "zynq7020")
    large = space.design(point | {"tile_rows": 14, "tile_channels": 128}, "zynq7020")
    assert isinstance(small, Design) and isinstance(large, Design)
    rows = [item.size for _, mapping in small.mappings for item in mapping.levels[0] if item.dim == "P"]
    assert rows and max(rows) <= 2
    one, other = template_cost(small), template_cost(large)
    assert isinstance(one, CostReport) and isinstance(other, CostReport)
    assert cost(small) == one  # a template's design is costed by its program
    assert one.latency_cycles != other.latency_cycles


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
