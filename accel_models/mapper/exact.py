"""The best mapping onto DRAM, one buffer, an array of PEs with one memory each: branch and bound over tile shapes.

The space: every chain of divisors of every dim, every loop order, every choice of what each memory stores, every way
of spreading dims over the array. Four facts make it small, none of which can lose the optimum.

1. *Loop orders fall into classes.* What a memory receives depends on the order only through the run of innermost loops
   that a tensor does not depend on. Each dim is missing from at most one tensor (K from I; N, P, Q from W; C, R, S from
   O), so the innermost loop that moves ends the run of all tensors but one, and that tensor's run is longest when all
   its missing dims stand innermost. Three orders of each level cover all 8!; the order inside the PE has no effect.
2. *The nest splits.* With ``t`` the tile of the buffer and ``s`` the share of the whole array, DRAM's traffic with the
   buffer depends on ``t`` and DRAM's order alone; all traffic of the PEs on ``s``, on how ``s`` splits over units, and
   on ``t`` only through that one run. Candidates of the two sides are listed apart, each with a lower bound.
3. *Bounds.* The inner side is charged its cheapest run: all missing dims of one tensor reused, the best of three; sums
   at the narrower of their two widths where both are possible, multicast and reduction as if always there, networks
   free, cycles the largest of compute and the ports of DRAM and buffer. Each is at most what the model charges. A pair
   whose bound is no better than the best mapping found cannot be better, nor can any later one in a sorted list.
4. *Capacities only shrink the lists.* Tiles grow with each dim, so a dim's larger divisors are skipped as soon as one
   does not fit.

What is left is evaluated by the batch model itself; no cost of a returned mapping comes from this file.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from accel_models.jit import compiled, entry
from accel_models.mapper.candidates import Known
from accel_models.mapper.objective import CUT, INNER, PAIRS, beats, worth
from accel_models.reuse.charges import DOUBLE
from accel_models.reuse.formulas import DIM_COUNT, I, O, P, Q, R, S

#: Where the figures of partial sums stand, after those of I, W, O.
PARTIAL = 3
_SLACK = 1.0 - 4e-9  # bounds are sums in another order than the model's, which rounds up by as much


@compiled
def elements(x: int, tile: Any, layer: Any) -> float:
    """Elements of the largest tile of tensor ``x``."""
    total = 1.0
    for d in range(DIM_COUNT):
        if layer.relevant[x, d] == 1 and not (x == I and d >= P):
            total *= tile[d]
    if x == I:
        total *= layer.row_peak[tile[P], tile[R]] * layer.col_peak[tile[Q], tile[S]]
    return total


@compiled
def moved(x: int, tile: Any, slides: int, layer: Any) -> float:
    """Elements of tensor ``x`` in all tiles of this shape, each tile brought once.

    In a memory that ``slides``, no less than every row of the input once: it is charged that.
    """
    total = 1.0
    for d in range(DIM_COUNT):
        if layer.relevant[x, d] == 1 and not (x == I and d >= P):
            total *= layer.bounds[d]
    if x == I:
        at = layer.bounds if slides == 1 else tile
        total *= layer.row_total[at[P], at[R]] * layer.col_total[at[Q], at[S]]
    return total


@compiled
def fits(level: int, mask: int, tile: Any, layer: Any, machine: Any, narrow: Any, halves: int) -> bool:
    """Whether the tiles of the tensors in ``mask`` go into a memory; in the buffer, sums at their narrower width."""
    total = 0.0
    for x in range(3):
        if mask >> x & 1:
            one = elements(x, tile, layer) * narrow[PARTIAL if x == O and level == 2 else x] * halves
            if one > machine.capacity_bits[level, 1 + x]:
                return False
            total += one
    return bool(total <= machine.capacity_bits[level, 0])


@entry
def known_of(tiles: Any, layer: Any, machine: Any) -> Any:
    """What all candidates share, see :class:`Known`."""
    whole = np.array([moved(x, layer.bounds, 0, layer) for x in range(3)])
    final = min(layer.width[2], layer.width[3])
    partial = (
        layer.width[3] if layer.operations > whole[O] * layer.scans else final
    )  # nothing is partial without a reduction
    narrow = np.array([layer.width[0], layer.width[1], final, partial])
    read_pj, write_pj = np.zeros((3, 4)), np.zeros((3, 4))
    for m in range(3):
        for x in range(4):
            if not np.isnan(machine.read_pj[m] + machine.write_pj[m]):
                read_pj[m, x] = machine.read_pj[m] * narrow[x]
                write_pj[m, x] = machine.write_pj[m] * narrow[x]
    return Known(tiles, narrow, read_pj, write_pj, whole)


@entry
def list_outer(mask: int, space: Any, known: Any, outer: Any) -> int:
    """Every tile and DRAM order for a buffer storing ``mask``: fills ``outer``, three times as long as the tiles.

    Returns:
        How many.
    """
    layer, machine, kind = space.layer, space.machine, space.kind
    tiles, narrow, read_pj, write_pj, whole = known
    energy, cycles, tile_of, order_of, fill, drain, _ = outer
    count = 0
    halves = 2 if machine.buffering[1] == DOUBLE else 1
    trips = np.empty(4)
    for t in range(tiles.shape[0]):
        tile = tiles[t]
        if not fits(1, mask, tile, layer, machine, narrow, halves):
            continue
        trips[:] = 1.0
        for d in range(DIM_COUNT):
            trips[kind[d]] *= layer.bounds[d] // tile[d]
        first = trips[0] * trips[1] * trips[2] == 1.0 or machine.slides.max() == 1  # windows may slide in any order
        for o in range(3):
            if trips[o] == 1.0 and not (first and o == 0):
                continue  # nothing to reuse: another order covers it
            e, down, up, fill[count], drain[count] = 0.0, 0.0, 0.0, 0.0, 0.0
            for x in range(3):
                if layer.exists[x] == 0:
                    continue
                if mask >> x & 1:
                    times = 1.0 if x == o else trips[x]
                    n = moved(x, tile, machine.slides[1], layer) * times
                    if x == O:
                        again = n - whole[x]
                        e += n * read_pj[1, x] + whole[x] * write_pj[0, x]
                        e += again * (write_pj[0, PARTIAL] + read_pj[0, PARTIAL] + write_pj[1, PARTIAL])
                        down += again * narrow[PARTIAL]
                        up += whole[x] * narrow[x] + again * narrow[PARTIAL]
                        fill[count] += again * narrow[PARTIAL]
                        drain[count] += n * narrow[x]
                    else:
                        e += n * (read_pj[0, x] + write_pj[1, x])
                        down += n * narrow[x]
                        fill[count] += n * narrow[x]
                elif x == O:
                    up += whole[x] * narrow[x]
                else:
                    down += whole[x] * narrow[x]
            busy = 0.0
            if machine.read_rate[0] > 0:
                busy = max(busy, down / machine.read_rate[0])
            if machine.write_rate[0] > 0:
                busy = max(busy, up / machine.write_rate[0])
            energy[count] = e
            cycles[count] = np.ceil(busy * _SLACK)
            tile_of[count] = t
            order_of[count] = o
            count += 1
    return count


@compiled
def array_energy(
    mask1: int, mask2: int, units: Any, space: Any, known: Any, steps: float, operations: float
) -> tuple[float, float, float, float]:
    """Least energy of what feeds the MACs, cycles of the ports that do, bits from and to the buffer; see fact 3."""
    layer, machine = space.layer, space.machine
    _tiles, narrow, read_pj, write_pj, whole = known
    e = 0.0
    down, up = np.zeros(2), np.zeros(2)
    real = layer.row_total[1, 1] * layer.col_total[1, 1]  # taps on the input; those on its padding read nothing
    real /= layer.bounds[P] * layer.bounds[Q] * layer.bounds[R] * layer.bounds[S]
    for x in range(3):
        if layer.exists[x] == 0:
            continue
        p = 1 if mask1 >> x & 1 else 0
        if mask2 >> x & 1:
            if x == O:
                e += operations / layer.scans * (read_pj[2, PARTIAL] + write_pj[2, PARTIAL])
            else:
                e += operations * read_pj[2, x] * (real if x == I else 1.0)
            continue
        if x == I:  # in a step, a row serves at most as many units as outputs or taps are spread
            n = operations * real / min(units[P], units[R]) / min(units[Q], units[S])
            for d in range(DIM_COUNT):
                if layer.relevant[x, d] == 0:
                    n /= units[d]
        else:
            n = steps / layer.scans if x == O else steps
            for d in range(DIM_COUNT):
                if layer.relevant[x, d] == 1:
                    n *= units[d]
        if x == O:
            again = max(0.0, n - whole[x])
            final = 0.0 if p == 1 and again > 0.5 else whole[x]  # on chip, all are at one width
            e += final * write_pj[p, x] + (n - final) * write_pj[p, PARTIAL] + again * read_pj[p, PARTIAL]
            up[p] += final * narrow[x] + (n - final) * narrow[PARTIAL]
            down[p] += again * narrow[PARTIAL]
        else:
            e += n * read_pj[p, x]
            down[p] += n * narrow[x]
    busy = 0.0
    for p in range(2):
        if machine.read_rate[p] > 0:
            busy = max(busy, down[p] / machine.read_rate[p])
        if machine.write_rate[p] > 0:
            busy = max(busy, up[p] / machine.write_rate[p])
    return e, np.ceil(busy * _SLACK), down[1], up[1]


@compiled
def fill_energy(node: Any, share: Any, tile: Any, space: Any, known: Any, trips: Any, charge: Any) -> float:
    """Energy that does not depend on reuse, and ``charge[x]``: what tensor ``x`` costs between PEs and above, unreused.

    Args:
        share, tile: (8,) of the whole array, of one PE.
        trips: (4,) trips of all loops above the PEs, by ``kind``; result.
    """
    mask1, mask2, units = node.mask1, node.mask2, node.units
    layer, machine, kind = space.layer, space.machine, space.kind
    _tiles, _narrow, read_pj, write_pj, whole = known
    trips[:] = 1.0
    for d in range(DIM_COUNT):
        trips[kind[d]] *= layer.bounds[d] // share[d]
    fixed = 0.0
    for x in range(3):
        charge[x] = 0.0
        if layer.exists[x] == 0 or not mask2 >> x & 1:
            continue
        p = 1 if mask1 >> x & 1 else 0
        n = moved(x, share, machine.slides[2], layer) * trips[x]
        if x == O:
            round_trip = read_pj[2, PARTIAL] + read_pj[p, PARTIAL] + write_pj[2, PARTIAL]
            charge[x] = n * (write_pj[p, x] + round_trip)
            fixed -= whole[x] * round_trip
        else:
            copies = moved(x, tile, machine.slides[2], layer) * trips[x]
            for d in range(DIM_COUNT):
                if layer.relevant[x, d] == 0:
                    copies *= units[d]
            charge[x] = n * read_pj[p, x] + copies * write_pj[2, x]
    return fixed


@entry
def list_spreads(
    mask1: int, spreads: Any, masks2: Any, space: Any, known: Any, least_outer: Any, objective: Any, found: Any
) -> None:
    """Fills ``found`` for every (spread, tensors that the PEs store), at (i * len(masks2) + k)."""
    layer, machine = space.layer, space.machine
    _tiles, _narrow, read_pj, write_pj, whole = known
    energy, steps, value, tie, carried = found
    operations = float(layer.operations)
    operation_pj = 0.0 if np.isnan(machine.operation_pj) else machine.operation_pj
    for i in range(spreads.shape[0]):
        pace = operations
        for d in range(DIM_COUNT):
            pace /= spreads[i, d]
        for k in range(masks2.size):
            node = i * masks2.size + k
            e, busy, carried[0, node], carried[1, node] = array_energy(
                mask1, masks2[k], spreads[i], space, known, pace, operations
            )
            energy[node] = e + operations * operation_pj
            steps[node] = max(pace, busy)
            filled = 0.0  # each kept operand is brought at least once
            for x in range(3):
                if masks2[k] >> x & 1 and layer.exists[x] == 1:
                    p = 1 if mask1 >> x & 1 else 0
                    filled += whole[x] * (write_pj[p, x] if x == O else read_pj[p, x] + write_pj[2, x])
            least = max(steps[node], least_outer.cycles)
            all_energy = (energy[node] + filled + least_outer.energy) * _SLACK + machine.leakage_pj * least
            value[node], tie[node] = worth(all_energy, least, objective)


@entry
def list_shares(node: Any, space: Any, known: Any, least_outer: Any, aim: Any, leaves: Any, energy: Any) -> int:
    """Every share of the array whose tiles fit the PEs and whose bound beats the best; how many (full: some missed)."""
    layer, machine, sizes, counts = space.layer, space.machine, space.sizes, space.counts
    mask2, units, narrow, tally = node.mask2, node.units, known.narrow, aim.tally
    halves = 2 if machine.buffering[2] == DOUBLE else 1
    share, tile = units.copy(), np.ones(DIM_COUNT, np.int64)
    index = np.full(DIM_COUNT, -1, np.int64)
    trips, charge = np.empty(4), np.empty(3)
    count, d = 0, 0
    while d >= 0:
        index[d] += 1
        if index[d] >= counts[d]:
            index[d] = -1
            tile[d] = 1
            share[d] = units[d]
            d -= 1
            continue
        if sizes[d, index[d]] % units[d]:
            continue
        share[d] = sizes[d, index[d]]
        tile[d] = share[d] // units[d]
        if not fits(2, mask2, tile, layer, machine, narrow, halves):
            index[d] = counts[d]  # larger ones do not fit either
            continue
        if d < DIM_COUNT - 1:
            d += 1
            continue
        tally[INNER] += 1
        e = node.array_pj + fill_energy(node, share, tile, space, known, trips, charge)
        saved = 0.0
        for x in range(3):
            e += charge[x]
            saved = max(saved, charge[x] - charge[x] / trips[x])
        least = max(node.steps, least_outer.cycles)
        figure = (e - saved + least_outer.energy) * _SLACK + machine.leakage_pj * least
        if not beats(figure, least, aim.objective, aim.best):
            tally[CUT] += 1
            continue
        if count == energy.size:
            return count
        leaves[count] = share
        energy[count] = e - saved
        count += 1
    return count


@entry
def pair(
    start: Any, leaves: Any, node: Any, outer: Any, space: Any, known: Any, aim: Any, found: Any, limit: int
) -> int:
    """Join shares with outer candidates, from ``start`` = [leaf, outer] on, until ``limit`` mappings beat the best.

    Returns:
        How many are in ``found``; ``start`` is where to go on, ``[number of leaves, 0]`` at the end.
    """
    layer, machine, kind = space.layer, space.machine, space.kind
    codes, code_start = space.codes, space.code_start
    mask1, mask2, units, along, array_pj, steps, direct_down, direct_up = node
    tiles, narrow, _read_pj, _write_pj, whole = known
    outer_energy, outer_cycles, outer_tile, outer_order, outer_fill, outer_drain, by_energy = outer
    objective, best, tally = aim
    columns, bound_energy, bound_cycles = found
    leaf_shares, leaf_energy, order = leaves
    share, tile = np.empty(DIM_COUNT, np.int64), np.empty(DIM_COUNT, np.int64)
    trips, charge, inner, above_trips = np.empty(4), np.empty(3), np.empty(4), np.empty(4)
    carried = np.empty(3)
    leak = machine.leakage_pj
    slides = machine.slides.max() == 1
    most = 0  # mappings that one pair may give
    for o0 in range(3):
        one = 0
        for o1 in range(3):
            one += (code_start[o0 + 1] - code_start[o0]) * (code_start[o1 + 1] - code_start[o1])
        most = max(most, one)
    fastest = objective[0] == 0 and objective[2] == 0  # then the outer side is sorted by cycles
    pending = 0
    while start[0] < order.size:
        leaf = order[start[0]]
        e = leaf_energy[leaf]
        least = max(steps, outer_cycles[by_energy[0]])
        for d in range(DIM_COUNT):
            share[d] = leaf_shares[leaf, d]
            tile[d] = share[d] // units[d]
        fixed = array_pj + fill_energy(node, share, tile, space, known, trips, charge)
        for x in range(3):  # bits that the buffer hands to the PEs, without reuse
            carried[x] = (
                moved(x, share, machine.slides[2], layer) * trips[x] * narrow[x] if mask1 & mask2 & (1 << x) else 0.0
            )
        while start[1] < by_energy.size:
            j = by_energy[start[1]]
            floor = max(steps, outer_cycles[j]) if fastest else steps
            if not beats((e + outer_energy[j]) * _SLACK + leak * floor, floor, objective, best):
                break
            if pending + most > max(limit, most):
                return pending
            start[1] += 1
            tally[PAIRS] += 1
            least = max(steps, outer_cycles[j])
            if not beats((e + outer_energy[j]) * _SLACK + leak * least, least, objective, best):
                continue
            above, o0 = tiles[outer_tile[j]], outer_order[j]
            nested = True
            for d in range(DIM_COUNT):
                nested &= above[d] % share[d] == 0
            if not nested:
                continue
            inner[:] = 1.0
            above_trips[:] = 1.0
            for d in range(DIM_COUNT):
                inner[kind[d]] *= above[d] // share[d]
                above_trips[kind[d]] *= layer.bounds[d] // above[d]
            every = inner[0] * inner[1] * inner[2] * inner[3]
            for o1 in range(3):
                if inner[o1] == 1.0 and not ((every == 1.0 or slides) and o1 == 0):
                    continue
                bound = fixed + outer_energy[j]
                down, up = direct_down + outer_drain[j], direct_up + outer_fill[j]
                for x in range(3):
                    run = 1.0
                    if every == 1.0:
                        run = above_trips[x] if x == o0 else 1.0
                    elif x == o1:
                        run = inner[x]
                        if every == inner[x] and x == o0:
                            run *= above_trips[x]
                    bound += charge[x] / run
                    if x == O:
                        up += carried[x] / run
                        down += carried[x] / run - (whole[x] * narrow[x] if carried[x] > 0 else 0.0)
                    else:
                        down += carried[x] / run
                busy = least
                if machine.read_rate[1] > 0:
                    busy = max(busy, np.ceil(down / machine.read_rate[1] * _SLACK))
                if machine.write_rate[1] > 0:
                    busy = max(busy, np.ceil(up / machine.write_rate[1] * _SLACK))
                figure = bound * _SLACK + leak * busy
                if not beats(figure, busy, objective, best):
                    continue
                for code0 in range(code_start[o0], code_start[o0 + 1]):
                    for code1 in range(code_start[o1], code_start[o1 + 1]):
                        for d in range(DIM_COUNT):
                            columns.chains[d, 0:3, pending] = above[d]
                            columns.chains[d, 3, pending] = share[d]
                            columns.chains[d, 4, pending] = share[d] // along[d]
                            columns.chains[d, 5, pending] = tile[d]
                            columns.chains[d, 6:9, pending] = 1
                        columns.orders[0, pending] = codes[code0]
                        columns.orders[1, pending] = codes[code1]
                        columns.orders[2, pending] = codes[0]
                        columns.keeps[0, pending] = 7
                        columns.keeps[1, pending] = mask1
                        columns.keeps[2, pending] = mask2
                        bound_energy[pending], bound_cycles[pending] = figure, busy
                        pending += 1
        start[0] += 1
        start[1] = 0
    return pending
