"""The batch model against the scalar path, which the oracle holds: same figures, same bounds, any layer and machine."""

import json
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from accel_models.columns.batch import BatchCost, evaluate_batch, stream_batch
from accel_models.columns.codes import CAPACITY, FANOUT, IRREGULAR, MALFORMED, OK, OVERFLOW, UNCOUNTED
from accel_models.columns.kernel import Columns, evaluate_run, new_work
from accel_models.columns.run import evaluate_one_by_one
from accel_models.columns.tables import layer_table, machine_table
from accel_models.hardware.accelerator import Accelerator, Buffering
from accel_models.hardware.accelerators import accelerator
from accel_models.report import Infeasible, LayerCost
from accel_models.reuse.evaluate import evaluate, evaluate_nest
from accel_models.reuse.translate import column_to_mapping, column_to_nest
from benchmarks import batch_speed as benchmark
from benchmarks.oracle_cases import random_case
from mappings.dataflow import DATAFLOWS
from mappings.errors import SpecError
from mappings.layer import Bits, Layer, Op
from mappings.loops import bounds_of
from mappings.mapspace import DIM_COUNT, MappingColumns, divisors, order_code, order_of

LAYERS = [
    Layer("conv", Op.CONV, N=2, K=8, C=12, P=12, Q=8, R=3, S=3, padding=(1, 1, 1, 1)),
    Layer("strided", Op.CONV, K=8, C=4, P=6, Q=4, R=3, S=3, stride=(2, 2), bits=Bits(8, 4, 8, 8)),
    Layer("depthwise", Op.CONV, groups=8, P=6, Q=8, R=3, S=3, stride=(2, 1), dilation=(1, 2)),
    Layer("matmul", Op.MATMUL, N=2, K=4, C=6, P=8, groups=3),
    Layer("pool", Op.MAXPOOL, groups=4, P=6, Q=6, R=2, S=2, stride=(2, 2)),
    Layer("softmax", Op.SOFTMAX, N=2, K=12, C=12, P=5, bits=Bits(8, 8, 8, 32)),
    Layer("norm", Op.LAYERNORM, K=18, C=18, P=7),
    Layer("transposed", Op.TRCONV, K=4, C=2, P=7, Q=9, R=3, S=3, stride=(2, 2)),
]


def machine(buffering: Buffering, networks: bool, capacities: bool, wait_cycles: int = 0) -> Accelerator:
    """CA1 with another way to fill its memories, and without multicast, reduction or bounds where told so."""
    dram, buffer, register = accelerator("ca1").levels
    buffer = replace(
        buffer, buffering=buffering, multicast=networks, spatial_reduction=networks, network_pj_per_byte=0.2
    )
    register = replace(register, buffering=buffering)
    if capacities:
        buffer, register = replace(buffer, capacity_bytes=300), replace(register, capacity_bytes=20)
    else:
        buffer, register = replace(buffer, capacity_bytes=None), replace(register, capacity_bytes=None)
    return replace(accelerator("ca1"), levels=(replace(dram, latency_cycles=wait_cycles), buffer, register))


MACHINES = [
    accelerator("ca1"),
    accelerator("eyeriss_like"),
    machine(Buffering.STREAM, networks=False, capacities=False),
    machine(Buffering.SINGLE, networks=True, capacities=True, wait_cycles=20),
    machine(Buffering.DOUBLE, networks=False, capacities=True, wait_cycles=7),
    accelerator("gemmini_like"),
]


def random_columns(rng: random.Random, layer: Layer, target: Accelerator, count: int) -> MappingColumns:
    """Random chains of divisors that fit the array, with random orders and bypasses."""
    levels = len(target.levels)
    columns = MappingColumns.empty(levels, count)
    for row in range(count):
        left = {(m, a): size for m, level in enumerate(target.levels) for a, size in enumerate(level.fanout)}
        for d in rng.sample(range(DIM_COUNT), DIM_COUNT):
            size = bounds_of(layer)[d]
            for cut in range(3 * levels):
                room = left.get((cut // 3, cut % 3 - 1), 1)
                if cut % 3 == 0:
                    factor = (
                        size if cut == 3 * levels - 3 and not target.levels[-1].fanout else rng.choice(divisors(size))
                    )
                else:
                    factor = rng.choice([1, *(f for f in divisors(size) if f <= room)])
                    left[cut // 3, cut % 3 - 1] = room // factor
                size //= factor
                columns.chains[d, cut, row] = size
        for m in range(levels):
            columns.orders[m, row] = order_code(tuple(rng.sample(range(DIM_COUNT), DIM_COUNT)))
            columns.keeps[m, row] = 7 if m == 0 else rng.randrange(8)
    return columns


def check(cost: BatchCost, columns: MappingColumns, layers: list[Layer], machines: list[Accelerator]) -> set[int]:
    """Compare every row with the scalar path; the codes seen."""
    for row in range(len(columns)):
        layer, target = layers[columns.layer[row]], machines[columns.accelerator[row]]
        if cost.code[row] in (FANOUT, MALFORMED):
            continue
        scalar = evaluate_nest(column_to_nest(columns, row, layer, target), target)
        if isinstance(scalar, Infeasible):
            name = target.levels[cost.code[row] - CAPACITY].name
            assert scalar.resource.startswith(f"{name} capacity") or cost.code[row] > CAPACITY, (row, scalar)
            assert cost.cycles[row] == 0
            assert np.isnan(cost.energy_pj[row])
            continue
        assert cost.code[row] == OK, (row, cost.code[row])
        figures = (cost.cycles[row], cost.compute_cycles[row])
        assert figures == (scalar.cycles, scalar.compute_cycles), (row, layer, target)
        if scalar.total_energy_pj is not None:
            assert cost.energy_pj[row] == pytest.approx(scalar.total_energy_pj, rel=1e-12)
    return set(cost.code.tolist())


def test_mixed_layers_and_accelerators_equal_the_scalar_path() -> None:
    rng = random.Random(7)
    seen: set[int] = set()
    for machines in (MACHINES[:-1], MACHINES[-1:]):
        parts = []
        for number, target in enumerate(machines):
            for index, layer in enumerate(LAYERS):
                part = random_columns(rng, layer, target, 12)
                part.layer[:], part.accelerator[:] = index, number
                parts.append(part)
        columns = MappingColumns.join(parts)
        columns = columns.rows(np.array(rng.sample(range(len(columns)), len(columns))))
        seen |= check(evaluate_batch(LAYERS, columns, machines), columns, LAYERS, machines)
    assert {OK, CAPACITY + 1, CAPACITY + 2} <= seen


@pytest.mark.parametrize("target", MACHINES, ids=lambda target: target.name)
def test_closed_forms_equal_the_compiled_formulas(target: Accelerator) -> None:
    """Two ways to the same figures; the second is also taken where the first has no closed form, which is rare."""
    rng, count, open_rows = random.Random(target.name), 150, 0
    levels = [replace(one, capacity_bytes=None, keeps_overlap=m % 2 == 0) for m, one in enumerate(target.levels)]
    free = replace(target, levels=tuple(levels))
    for layer in (*LAYERS, Layer("wide", Op.CONV, N=2, P=24, Q=16, R=4, S=6, stride=(2, 3), padding=(3, 2, 1, 4))):
        columns, table, hardware = (
            random_columns(rng, layer, free, count),
            layer_table(layer),
            machine_table(layer, free),
        )
        arrays, first, second = (
            Columns(columns.chains, columns.orders, columns.keeps),
            *((np.empty(count), *np.empty((2, count), np.int64), np.empty(count, np.uint8)) for _ in range(2)),
        )
        evaluate_run(0, count, arrays, table, hardware, new_work(columns.levels), first)
        evaluate_one_by_one(np.arange(count), arrays, table, hardware, second)
        closed = first[3] != IRREGULAR
        open_rows += int((~closed).sum())
        np.testing.assert_array_equal(first[3][closed], second[3][closed])
        np.testing.assert_allclose(first[0][closed], second[0][closed], rtol=1e-12)
        np.testing.assert_array_equal(first[1][closed], second[1][closed])
        np.testing.assert_array_equal(first[2][closed], second[2][closed])
    assert open_rows < 0.05 * count * (len(LAYERS) + 1)


def test_ragged_columns_equal_the_scalar_path() -> None:
    rng = random.Random(3)
    layer, target = LAYERS[0], MACHINES[0]
    columns = random_columns(rng, layer, target, 40)
    for row in range(40):
        for d in range(DIM_COUNT):
            sizes = sorted(rng.choices(range(1, bounds_of(layer)[d] + 1), k=2), reverse=True)
            columns.chains[d, :, row] = [sizes[0]] * 3 + [sizes[1]] * 3 + [1] * 3
    assert OK in check(evaluate_batch([layer], columns, [target]), columns, [layer], [target])


def test_any_legal_mapping_equals_the_scalar_path() -> None:
    """Every operator, ragged at every depth, two to four levels, memories that slide: many of each in one call."""
    cases = [random_case(f"batch-{number}") for number in range(500)]
    rng = random.Random(2)
    machines = [
        replace(
            case.accelerator,
            mac_pj=1.0,
            mac_leakage_mw=0.1,
            levels=tuple(
                replace(
                    level,
                    read_pj_per_byte=rng.uniform(1, 9),
                    write_pj_per_byte=rng.uniform(1, 9),
                    leakage_mw=0.01,
                    network_pj_per_byte=rng.choice([None, 0.3]),
                    read_bytes_per_cycle=rng.choice([None, 0.5, 4.0]),
                    write_bytes_per_cycle=rng.choice([None, 0.5, 4.0]),
                    latency_cycles=rng.choice([0, 0, 11]),
                )
                for level in case.accelerator.levels
            ),
        )
        for case in cases
    ]
    cost = evaluate_batch([case.layer for case in cases], [case.mapping for case in cases], machines)
    feasible = 0
    for row, (case, target) in enumerate(zip(cases, machines, strict=True)):
        scalar = evaluate(case.layer, case.mapping, target)
        assert isinstance(scalar, Infeasible) == (cost.code[row] != OK), (row, scalar)
        if isinstance(scalar, Infeasible):
            continue
        feasible += 1
        assert (cost.cycles[row], cost.compute_cycles[row]) == (scalar.cycles, scalar.compute_cycles), row
        assert cost.energy_pj[row] == pytest.approx(scalar.total_energy_pj, rel=1e-12), row
    assert feasible > 400


def test_what_cannot_be_counted_is_a_code() -> None:
    huge = Layer("huge", Op.LINEAR, N=2**20, P=2**10, K=2**15, C=2**16, bits=Bits(8, 8, 8, 32))  # 2^61 MACs
    wide = Layer("wide", Op.CONV, P=2**23, R=3, padding=(2**22 + 1, 0, 0, 0))
    layers = [huge, LAYERS[0], wide, huge]
    columns = MappingColumns.empty(3, 4)
    columns.layer[:] = range(4)
    columns.chains[:, :3, 3] = np.array(bounds_of(huge))[:, None]
    columns.chains[3, 3:, 3] = 2  # two elements for one MAC
    cost = evaluate_batch(layers, columns, [MACHINES[0]])
    assert cost.code.tolist() == [OVERFLOW, OK, UNCOUNTED, MALFORMED]
    assert cost.reason(OVERFLOW, MACHINES[0]) == "more bits moved than 62-bit counts hold"
    with pytest.raises(SpecError, match="overflow 64-bit counts"):
        evaluate_nest(column_to_nest(columns, 0, huge, MACHINES[0]), MACHINES[0])
    with pytest.raises(SpecError, match="iterations"):
        evaluate_nest(column_to_nest(columns, 2, wide, MACHINES[0]), MACHINES[0])
    long = Layer("long", Op.CONV, K=2, P=4096, R=3)  # no table of overlaps: the compiled formulas
    sliding = replace(MACHINES[0], levels=tuple(replace(one, keeps_overlap=True) for one in MACHINES[0].levels))
    stretch = MappingColumns.empty(3, 1)
    stretch.chains[4, :3], stretch.chains[6, :6] = 16, 3
    apart = evaluate_nest(column_to_nest(stretch, 0, long, sliding), sliding)
    assert isinstance(apart, LayerCost)
    assert evaluate_batch([long], stretch, [sliding]).energy_pj[0] == pytest.approx(apart.total_energy_pj, rel=1e-12)
    large = replace(huge, N=2)  # too large for the bound on counts, small enough for the counts themselves
    one = MappingColumns.empty(3, 1)
    scalar = evaluate_nest(column_to_nest(one, 0, large, MACHINES[0]), MACHINES[0])
    assert isinstance(scalar, LayerCost)
    assert evaluate_batch([large], one, [MACHINES[0]]).cycles[0] == scalar.cycles


def test_what_cannot_be_built_is_a_code() -> None:
    layer, target = LAYERS[0], MACHINES[0]
    columns = MappingColumns.empty(3, 5)
    for d, bound in enumerate(bounds_of(layer)):
        columns.chains[d, :3] = bound
    columns.chains[:, :3, 0] = 1  # fits: one element at a time
    columns.chains[2, 3, 1] = 99  # grows
    columns.chains[2, 8, 2] = 2  # two elements for one MAC
    columns.chains[4, 3, 3], columns.chains[3, 3, 3], columns.chains[5, 3, 3] = 12, 12, 8  # 12 x 12 x 8 units
    columns.chains[:, 0, 4] = 0
    cost = evaluate_batch([layer], columns, [target])
    assert cost.code.tolist() == [OK, MALFORMED, MALFORMED, FANOUT, MALFORMED]
    assert cost.feasible.tolist() == [True, False, False, False, False]
    assert cost.cycles[1:].tolist() == [0] * 4
    columns.chains[:, :, 4] = columns.chains[:, :, 0]
    columns.orders[1, 4] = 0x76543211  # C comes twice
    ragged = replace(columns, chains=columns.chains.copy())
    ragged.chains[2, :3, 0] = ragged.chains[2, :3, 4] = 5  # of 8
    for given in (columns, ragged):
        assert evaluate_batch([layer], given, [target]).code.tolist() == [OK, MALFORMED, MALFORMED, FANOUT, MALFORMED]
    assert cost.reason(FANOUT, target) == "wider than the array"
    assert cost.reason(CAPACITY + 2, target) == "RF capacity"
    columns.layer[0] = 1
    with pytest.raises(SpecError, match=r"columns\.layer"):
        evaluate_batch([layer], columns, [target])
    with pytest.raises(SpecError, match="4, as gemmini_like"):
        evaluate_batch(LAYERS, columns, [accelerator("gemmini_like")])
    with pytest.raises(SpecError, match=r"columns\.keeps"):
        replace(columns, keeps=columns.keeps[:, :1])


def test_mappings_in_directives_and_back() -> None:
    rng = random.Random(5)
    layer = LAYERS[0]
    for target in (MACHINES[0], MACHINES[-1]):
        columns = random_columns(rng, layer, target, 30)
        mappings = [column_to_mapping(columns, row, layer, target) for row in range(30)]
        direct = evaluate_batch([layer], columns, [target])
        again = evaluate_batch([layer], mappings, [target])
        np.testing.assert_array_equal(direct.code, again.code)
        np.testing.assert_array_equal(direct.cycles, again.cycles)
        np.testing.assert_array_equal(direct.energy_pj, again.energy_pj)
    mixed = [accelerator("ca1"), accelerator("gemmini_like")]
    flows = [DATAFLOWS.get("weight_stationary").instantiate(layer, target) for target in mixed]
    cost = evaluate_batch([layer], flows, mixed)
    for row, target in enumerate(mixed):
        scalar = evaluate(layer, flows[row], target)
        assert isinstance(scalar, LayerCost)
        assert cost.cycles[row] == scalar.cycles


def test_threads_have_scratch_of_their_own() -> None:
    rng = random.Random(8)
    target = MACHINES[0]
    jobs = [(layer, random_columns(rng, layer, target, 1500)) for layer in LAYERS[:4]]
    alone = [evaluate_batch([layer], columns, [target]) for layer, columns in jobs]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            together = list(pool.map(lambda job: evaluate_batch([job[0]], job[1], [target]), jobs))
            for one, other in zip(alone, together, strict=True):
                np.testing.assert_array_equal(one.energy_pj, other.energy_pj)
                np.testing.assert_array_equal(one.cycles, other.cycles)


def test_the_benchmark_streams_distinct_mappings_that_equal_the_scalar_path(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = []
    for columns in islice(benchmark.Stream().chunks(), 0, 42, 7):
        part = columns.rows(slice(0, None, 11))
        rows.append(np.concatenate([part.chains.reshape(-1, len(part)), part.orders, part.keeps]))
    every = np.concatenate(rows, axis=1)
    assert len(np.unique(every, axis=1).T) == every.shape[1]
    monkeypatch.setattr("sys.argv", ["batch_speed", "--quick", "--seed", "9", "--json"])
    assert benchmark.main() == 0
    figures = {figure["name"]: figure["value"] for figure in json.loads(capsys.readouterr().out)["figures"]}
    assert figures["differing from the scalar path"] == 0
    assert figures["ragged tiles, differing from the scalar path"] == 0


def test_streams_keep_nothing_and_orders_round_trip() -> None:
    rng = random.Random(1)
    layer, target = LAYERS[1], MACHINES[0]
    chunks = [random_columns(rng, layer, target, 5) for _ in range(3)]
    streamed = [cost.cycles.tolist() for _, cost in stream_batch([layer], iter(chunks), [target])]
    assert streamed == [evaluate_batch([layer], chunk, [target]).cycles.tolist() for chunk in chunks]
    order = tuple(rng.sample(range(DIM_COUNT), DIM_COUNT))
    assert order_of(order_code(order)) == order
    assert len(evaluate_batch([layer], MappingColumns.empty(3, 0), [target])) == 0
