"""Which accelerators and which modules the resource model is fitted to and judged on."""

from __future__ import annotations

import random
from dataclasses import replace

from accel_models.template.spec import ArrayKind, Template
from mappings.errors import SpecError

KIB = 1024
BITS = ((8, 8, 32), (8, 8, 32), (4, 4, 32), (4, 8, 32), (8, 4, 32), (16, 16, 48), (16, 8, 32))


def draw(count: int, seed: int) -> tuple[Template, ...]:
    """Accelerators at random: every array, 4x4 to 32x32, widths, buses, buffers and options.

    The first of a seed do not depend on how many are drawn.
    """
    rng = random.Random(seed)
    found: list[Template] = []
    while len(found) < count:
        act, weight, acc = rng.choice(BITS)
        axi = rng.choice((32, 64, 64, 128, 128, 256))
        values = {
            "array": rng.choice(list(ArrayKind)),
            "rows": rng.choice((4, 8, 16, 32)),
            "cols": rng.choice((4, 8, 16, 32)),
            "act_bits": act,
            "weight_bits": weight,
            "acc_bits": acc,
            "input_buffer_bytes": rng.choice((1, 2, 4, 8, 16, 32)) * KIB,
            "weight_buffer_bytes": rng.choice((1, 2, 4, 8, 16, 32)) * KIB,
            "acc_buffer_bytes": rng.choice((2, 4, 8, 16, 32)) * KIB,
            "output_buffer_bytes": rng.choice((1, 2, 4, 8)) * KIB,
            "ppu_lanes": rng.choice((1, 2, 4, 4, 4, 8)),
            "vector_taps": rng.choice((1, 1, 1, 3)),
            "nonlinear_lanes": rng.choice((0, 0, 0, 0, 2)) if act == weight else 0,
            "activation_tables": rng.choice((0, 0, 0, 1)) if act <= 8 else 0,
            "acc_stages": rng.choice((0, 0, 0, 1)),
            "ppu_stages": rng.choice((0, 0, 0, 1)),
            "axi_bits": axi,
            "dram_bytes_per_cycle": axi // 8,
            "unaligned": rng.choice((True, True, False)),
        }
        try:
            found.append(Template(**values))  # type: ignore[arg-type]
        except SpecError:  # a post-processing unit wider than a word, a buffer of less than two words
            continue
    return tuple(found)


def draw_narrow(count: int, seed: int) -> tuple[Template, ...]:
    """The accelerators of :func:`draw`, each with what narrow and pruned weights need, and longer bursts, at random.

    Every array packs weights (those of 4 bits by two at most); arrays of adder trees also make pairs of products, and
    skip taps.
    """
    rng = random.Random(f"{seed} narrow")
    found = []
    for template in draw(count, seed):
        trees = template.array in (ArrayKind.CHANNEL_PARALLEL, ArrayKind.LOOP_TILE)
        knobs = {
            "weight_packing": rng.choice((2, 4) if template.weight_bits > 4 else (2,)),
            "tap_skipping": rng.choice((False, True)) and trees,
            "axi_burst_beats": rng.choice((16, 32, 64)),
        }
        paired = rng.choice((False, True)) and trees
        try:
            found.append(replace(template, dual_rate=paired, **knobs))  # type: ignore[arg-type]
        except SpecError:  # no pairs of other widths or more columns, or buffers too small for their words
            found.append(replace(template, **knobs))  # type: ignore[arg-type]
    return tuple(found)


def _array_cases() -> list[tuple[str, Template]]:
    cases = []
    sizes = ((8, 8), (4, 4), (16, 8), (8, 16), (4, 16), (16, 4), (16, 16), (32, 8), (8, 32))
    for rows, cols in sizes:
        cases += [("PE array", Template(array=kind, rows=rows, cols=cols)) for kind in ArrayKind]
    for act, weight, acc in ((4, 4, 32), (16, 16, 48), (4, 8, 32), (8, 4, 32), (16, 8, 32)):
        for rows, cols in ((8, 8), (4, 8)):
            cases += [
                ("PE array", Template(array=k, rows=rows, cols=cols, act_bits=act, weight_bits=weight, acc_bits=acc))
                for k in ArrayKind
            ]
    return cases


def _shell_cases() -> list[tuple[str, Template]]:
    plain = Template(rows=8, cols=8)
    movers = [
        Template(rows=n, cols=c, act_bits=a, weight_bits=a, axi_bits=bus, dram_bytes_per_cycle=4, unaligned=odd)
        for n, c, a, bus, odd in (
            (8, 8, 8, 128, True),
            (16, 16, 8, 64, True),
            (4, 4, 4, 32, True),
            (16, 8, 8, 256, True),
            (32, 32, 8, 128, True),
            (32, 16, 16, 64, True),
            (4, 8, 8, 64, True),
            (8, 8, 4, 128, False),
            (16, 16, 8, 128, False),
            (32, 32, 16, 256, True),
            (4, 4, 8, 256, True),
            (16, 16, 16, 32, False),
            (16, 16, 8, 512, True),
        )
    ]
    drains = [
        Template(
            rows=n, cols=n, ppu_lanes=k, act_bits=a, weight_bits=a, acc_bits=acc, activation_tables=t, ppu_stages=s
        )
        for n, k, a, acc, t, s in (
            (8, 4, 8, 32, 0, 0),
            (8, 1, 8, 32, 0, 0),
            (16, 2, 8, 32, 0, 0),
            (16, 4, 16, 48, 0, 0),
            (4, 4, 4, 32, 0, 0),
            (32, 4, 8, 32, 0, 0),
            (32, 8, 8, 32, 0, 1),
            (8, 2, 8, 32, 1, 0),
            (16, 4, 4, 32, 1, 1),
            (32, 1, 16, 48, 0, 0),
            (8, 2, 16, 32, 0, 0),
        )
    ]
    vectors = [
        Template(rows=n, cols=n, act_bits=a, weight_bits=w, acc_bits=acc, vector_taps=taps)
        for n, a, w, acc, taps in (
            (8, 8, 8, 32, 1),
            (4, 8, 8, 32, 1),
            (16, 8, 8, 32, 1),
            (32, 8, 8, 32, 1),
            (8, 4, 4, 32, 1),
            (16, 16, 16, 48, 1),
            (8, 8, 4, 32, 1),
            (8, 4, 8, 32, 1),
            (8, 8, 8, 32, 3),
            (16, 8, 8, 32, 3),
            (8, 4, 4, 32, 3),
            (4, 16, 16, 48, 3),
            (8, 16, 8, 32, 1),
            (8, 16, 8, 32, 3),
            (8, 8, 4, 32, 3),
            (8, 4, 8, 32, 3),
            (8, 8, 8, 32, 5),
            (4, 8, 8, 32, 7),
            (8, 16, 16, 48, 7),
        )
    ]
    attention = [
        Template(rows=n, cols=n, act_bits=a, weight_bits=a, acc_bits=acc, nonlinear_lanes=k)
        for n, a, acc, k in ((8, 8, 32, 1), (8, 8, 32, 2), (16, 8, 32, 4), (4, 4, 32, 2), (16, 16, 48, 2))
    ]
    sums = [
        Template(rows=n, cols=n, acc_bits=acc, acc_buffer_bytes=size * KIB)
        for n, acc, size in ((8, 32, 32), (4, 32, 4), (16, 48, 32), (32, 32, 2))
    ]
    control = [
        plain,
        Template(rows=4, cols=4, act_bits=4, weight_bits=4, axi_bits=32, dram_bytes_per_cycle=4),
        Template(rows=32, cols=32, act_bits=16, weight_bits=16, acc_bits=48, axi_bits=256),
        replace(attention[1], activation_tables=1),
        Template(rows=16, cols=16, unaligned=False),
    ]
    cases = [(part, t) for t in movers for part in ("load", "store")]
    cases += [("drain", t) for t in drains]
    cases += [("vector unit", t) for t in vectors]
    cases += [("control", t) for t in control]
    cases += [("accumulators", t) for t in sums]
    cases += [("buffers", Template(array=k, rows=8, cols=8)) for k in (ArrayKind.LOOP_TILE, ArrayKind.ROW_STATIONARY)]
    cases += [("load", t) for t in attention[:3]]
    cases += [("non-linear unit", t) for t in attention]
    return cases


def _drawn_cases() -> list[tuple[str, Template]]:
    """Parts of a drawn accelerator, of the half that is not judged: with the memories that it has."""
    drawn = draw(60, 1)[52]
    return [(part, drawn) for part in ("PE array", "load", "store", "control", "drain", "accumulators")]


def module_cases() -> tuple[tuple[str, Template], ...]:
    """(part, accelerator that has it) pairs that the formulas of the parts are fitted to."""
    return (*_array_cases(), *_shell_cases(), *_drawn_cases())
