"""A program's cycles burst by burst: `accel_models.template.timing_core`, whose beats of a burst have a closed form.

Where memory gives a beat each cycle (``rate`` is a beat's bytes), its credit never runs out. The beats of a read then
follow each other, one for each piece that ends in them: only its first can wait for memory. A write's registers are a
max-plus linear system: once a full beat moves all of them by the same number of cycles, every further one does. Slower
memories are walked beat by beat.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from accel_models.jit import uncounted
from accel_models.pricing.machine import Ints, Machine
from accel_models.schedule.builder import CHUNK, DESCRIPTOR_BYTES, FETCH_AT
from accel_models.template.timing_core import (
    ADDR,
    COMPUTE_SETTLE_CYCLES,
    COUNT0,
    COUNT1,
    COUNT2,
    CYCLES,
    DISPATCH_CYCLES,
    DRAIN_LATENCY_CYCLES,
    IDLE_CYCLES,
    LOOKUP_CYCLES,
    OUTSTANDING_BURSTS,
    PIECE_CYCLES,
    QUEUE_DEPTH,
    SIGNAL,
    STRIDE1,
    STRIDE2,
    TOKEN_CYCLES,
    TOKENS,
    TURN,
    UNIT,
    WAIT,
    WORD_BYTES,
    WORD_CYCLES,
    credit_at,
    payable_at,
)

#: Lowest bit of a set of tokens.
LOWEST = np.array([(n & -n).bit_length() - 1 if n else 0 for n in range(1 << TOKENS)], dtype=np.int8)


class Room(NamedTuple):
    """State of the units: tokens and their numbers given and taken; starts of the latest commands of each queue and
    their number; when units are free and at rest; when slots of outstanding bursts were freed.
    """

    tokens: Ints
    given: Ints
    taken: Ints
    pops: Ints
    popped: Ints
    free: Ints
    rest: Ints
    read_pops: Ints
    info_pops: Ints
    reply_pops: Ints


def new_room() -> Room:
    """Zeros."""
    bursts = (OUTSTANDING_BURSTS,)
    shapes = ((TOKENS, 8), (TOKENS,), (TOKENS,), (4, QUEUE_DEPTH), (4,), (4,), (4,), bursts, bursts, bursts)
    return Room(*(np.zeros(shape, dtype=np.int64) for shape in shapes))


@uncounted
def log2(power: int) -> int:
    """Of a power of two; shifts by it stand for divisions, which would take most of the time."""
    bits = 0
    while power > 1 << bits:
        bits += 1
    return bits


@uncounted
def fetches(commands: int) -> int:
    """Loads of the program's further chunks among ``commands`` and the end."""
    left, count = commands + 1, 0
    if left > CHUNK:
        count = -(-(left - CHUNK) // (CHUNK - 1))
    return count


@uncounted
def read_full_bursts(
    count: int, taken: int, latency: int, issue: int, last_beat: int, bursts: int, pops: Ints
) -> tuple[int, int]:
    """Whole bursts of a read at full rate; returns when the latest was issued and when its last beat left.

    Once as many as may be outstanding have followed each other without a gap, and memory answers sooner than the bus
    needs for the others, every further one does: they are counted.

    Args:
        count: bursts.
        taken: cycles of the bus for each.
        latency: cycles from issue to the first beat.
        issue, last_beat: of the burst before.
        bursts: before these.
        pops: last beats of the latest bursts, by slot.
    """
    followed, most = 0, (OUTSTANDING_BURSTS - 1) * taken
    while count:
        if followed >= OUTSTANDING_BURSTS and count >= 2 * OUTSTANDING_BURSTS and latency < most:
            skipped = count & ~(OUTSTANDING_BURSTS - 1)
            last_beat += skipped * taken
            issue = max(issue + skipped, last_beat - OUTSTANDING_BURSTS * taken + 1)
            for slot in range(OUTSTANDING_BURSTS):
                pops[slot] += skipped * taken
            count -= skipped
            continue
        slot = bursts & (OUTSTANDING_BURSTS - 1)
        issue = max(issue, pops[slot]) + 1
        ready = issue + latency
        followed = followed + 1 if ready <= last_beat else 0
        last_beat = max(ready, last_beat) + taken
        pops[slot] = last_beat
        bursts += 1
        count -= 1
    return issue, last_beat


@uncounted
def run_program(table: Ints, count: int, program: int, m: Machine, room: Room) -> tuple[int, int]:
    """Cycles of a run, and the one in which its last result is in memory.

    Args:
        table: the first ``count`` rows are the program without its fetches and its end.
        program: byte address of it.
        m: machine; its memory's rate has to be a beat a cycle or less.
        room: scratch.
    """
    beat_bytes, latency, rate = m.beat_bytes, m.latency, m.rate
    full_rate = rate >= beat_bytes
    # Bytes of words, beats and bursts are powers of two.
    beat_bits, burst_mask = log2(beat_bytes), m.burst_beats - 1
    beat_mask, burst, burst_bits = beat_bytes - 1, m.burst_beats * beat_bytes, log2(m.burst_beats * beat_bytes)
    cap = beat_bytes + rate
    drain = DRAIN_LATENCY_CYCLES + m.ppu_stages + (LOOKUP_CYCLES if m.tables else 0)
    tokens, given, taken, pops, popped, free, rest, read_pops, info_pops, reply_pops = room
    given[:], taken[:], pops[:], popped[:], free[:], rest[:] = 0, 0, -1, 0, 0, 0
    read_pops[:], info_pops[:], reply_pops[:] = -1, -1, -1
    ready0 = ready1 = 0  # chunks of even and odd number
    read_bursts, read_credit, read_since = 0, cap, 0
    # When the latest beat was taken from the bus, and when it and the one before left the load unit's registers.
    last_taken, last_beat, second_last = -1, -1, -1
    turn_free, turn_count, turn_part = 0, 0, 0
    word0 = word1 = word2 = word3 = -1  # uses of the store unit's latest words, oldest first
    write_bursts, last_write, write_credit, write_since = 0, -1, cap, 0
    last_step, last_reply, last_read, word_left = -1, -1, -1, 0

    push = 1
    at, n = 0, -1  # next row of the table; number of the command in the program, -1 the first fetch
    while True:
        # ---- The sequencer ----
        fetch = n < 0 or (n % CHUNK == FETCH_AT and count + 1 - at > CHUNK - FETCH_AT)
        if fetch:
            unit, wait, signal, turn = 0, 0, 0, 0
            addr0 = program + (n // CHUNK + 1) * CHUNK * DESCRIPTOR_BYTES if n >= 0 else program
            count0, count1, count2, stride1, stride2, word = CHUNK, 1, 1, 0, 0, DESCRIPTOR_BYTES
        elif at < count:
            row = table[at]
            unit, wait, signal, turn = row[UNIT], row[WAIT], row[SIGNAL], row[TURN]
            addr0, count0, count1, count2 = row[ADDR], row[COUNT0], row[COUNT1], row[COUNT2]
            stride1, stride2, word = row[STRIDE1], row[STRIDE2], row[WORD_BYTES]
        else:
            unit, wait, signal, turn = 4, 0, 0, 0
            addr0 = count0 = count1 = count2 = stride1 = stride2 = word = 0
        if n >= 0:
            fetched = push + 1
            if n % CHUNK == 0:
                fetched = max(fetched, ready1 if n // CHUNK % 2 else ready0)
            push = fetched + DISPATCH_CYCLES - 1
            if unit < 4 and popped[unit] >= QUEUE_DEPTH:
                push = max(push, pops[unit, popped[unit] & (QUEUE_DEPTH - 1)] + 1)
        if unit == 4:
            finish = push + 1
            for u in range(4):
                finish = max(finish, rest[u] + IDLE_CYCLES)
            return finish, last_reply
        if not fetch:
            at += 1
        if unit == 5:  # the sequencer keeps it
            n += 1
            continue

        # ---- Start: at the head of the queue, unit free, tokens there ----
        start = max(push + 1 + TOKEN_CYCLES, free[unit])
        bits = wait
        while bits:
            s = LOWEST[bits]
            start = max(start, tokens[s, taken[s] & 7] + TOKEN_CYCLES)
            taken[s] += 1
            bits &= bits - 1
        pops[unit, popped[unit] & (QUEUE_DEPTH - 1)] = start
        popped[unit] += 1

        done = 0
        if unit == 1:
            free[1] = start + table[at - 1, CYCLES] - 1 + COMPUTE_SETTLE_CYCLES
            rest[1] = free[1]
            done = free[1] + 1
        elif unit == 2:
            free[2] = start + table[at - 1, CYCLES] + drain
            rest[2] = free[2]
            done = free[2] + 1
        elif unit == 0:
            issue = start + 1
            piece = min(word, beat_bytes)
            piece_bits = log2(piece)
            whole = beat_bytes >> piece_bits  # pieces of a full beat
            smooth = full_rate and turn == 0
            for j in range(count2):
                for i in range(count1):
                    addr = addr0 + j * stride2 + i * stride1
                    left = count0 * word
                    position = 0
                    while left > 0:
                        if smooth and left >> burst_bits and addr & (burst - 1) == 0 and position & (piece - 1) == 0:
                            full = left >> burst_bits
                            issue, last_beat = read_full_bursts(
                                full, m.burst_beats * whole, latency, issue, last_beat, read_bursts, read_pops
                            )
                            done = last_beat + PIECE_CYCLES
                            read_bursts += full
                            addr += full << burst_bits
                            left -= full << burst_bits
                            position += full << burst_bits
                            continue
                        offset = addr & beat_mask
                        beats = min(
                            (left + offset + beat_mask) >> beat_bits,
                            m.burst_beats - (addr >> beat_bits & burst_mask),
                        )
                        size = min(left, beats * beat_bytes - offset)
                        issue += 1
                        slot = read_bursts & (OUTSTANDING_BURSTS - 1)
                        issue = max(issue, read_pops[slot] + 1)
                        read_bursts += 1
                        ready = issue + latency
                        if smooth:
                            last_beat = max(ready, last_beat)
                            if whole == 1:
                                last_beat += beats
                                position += size
                            elif offset == 0 and size == beats * beat_bytes and position & (piece - 1) == 0:
                                last_beat += beats * whole
                                position += size
                            else:
                                head = min(beat_bytes - offset, size)
                                ending = ((position + head) >> piece_bits) - (position >> piece_bits)
                                last_beat += max(ending, 1)
                                position += head
                                if beats > 1:
                                    last_beat += (beats - 2) * whole
                                    position += (beats - 2) * beat_bytes
                                    tail = size - head - (beats - 2) * beat_bytes
                                    ending = ((position + tail) >> piece_bits) - (position >> piece_bits)
                                    last_beat += max(ending, 1)
                                    position += tail
                        else:
                            for b in range(beats):
                                valid = max(ready, last_taken + 1)
                                valid = payable_at(read_credit, read_since, valid, rate, beat_bytes)
                                last_taken = max(valid, second_last + 1)
                                second_last = last_beat
                                begin = max(last_taken + 1, last_beat + 1, turn_free)
                                part = min(beat_bytes if b else beat_bytes - offset, count0 * word - position)
                                ending = ((position + part) >> piece_bits) - (position >> piece_bits)
                                position += part
                                last_beat = begin + max(ending, 1) - 1
                                if turn:
                                    last_beat = begin - 1
                                    for e in range(max(ending, 1)):
                                        last_beat = max(last_beat + 1, turn_free)
                                        turn_part += 1 if e < ending else 0
                                        if turn_part * beat_bytes < word:
                                            continue
                                        turn_part = 0
                                        turn_count += 1
                                        if turn_count == m.cols:
                                            turn_count = 0
                                            turn_free = last_beat + PIECE_CYCLES + 1 + m.lanes
                                level = credit_at(read_credit, read_since, last_taken, rate, cap)
                                read_credit = min(level - beat_bytes + rate, cap)
                                read_since = last_taken + 1
                        read_pops[slot] = last_beat
                        done = turn_free - 1 if turn else last_beat + PIECE_CYCLES
                        addr += size
                        left -= size
            free[0] = issue + 1
            rest[0] = done + 2
            if fetch:
                if n >= 0 and (n + CHUNK) // CHUNK % 2:
                    ready1 = done + 2
                else:
                    ready0 = done + 2
            done += 2
        else:
            issue, read = start + 1, last_read
            piece = min(word, beat_bytes)
            piece_bits = log2(piece)
            period = max(word >> beat_bits, 1)  # beats of a word
            period_bits = log2(period)
            first_word = True
            for j in range(count2):
                for i in range(count1):
                    addr = addr0 + j * stride2 + i * stride1
                    left = count0 * word
                    position = 0
                    while left > 0:
                        offset = addr & beat_mask
                        beats = min(
                            (left + offset + beat_mask) >> beat_bits,
                            m.burst_beats - (addr >> beat_bits & burst_mask),
                        )
                        size = min(left, beats * beat_bytes - offset)
                        issue += 1
                        slot = write_bursts & (OUTSTANDING_BURSTS - 1)
                        issue = max(issue, max(info_pops[slot], reply_pops[slot]) + 1)
                        write_bursts += 1
                        # State at the latest beat between words, relative to its step.
                        seen, was_step = False, 0
                        was_write = was_read = was0 = was1 = was2 = was3 = 0
                        b = 0
                        while b < beats:
                            part = min(beat_bytes if b else beat_bytes - offset, count0 * word - position)
                            if full_rate and part == beat_bytes and word_left == 0 and not first_word:
                                full_beats = min(beats - b, (count0 * word - position) >> beat_bits)
                                rounds = full_beats >> period_bits
                                same = (
                                    seen and rounds > 0 and issue + 1 <= was_step
                                    and last_write - last_step == was_write and read - last_step == was_read
                                    and word0 - last_step == was0 and word1 - last_step == was1
                                    and word2 - last_step == was2 and word3 - last_step == was3
                                )  # fmt: skip
                                if same:
                                    moved = rounds * (last_step - was_step)
                                    last_step, last_write, read = last_step + moved, last_write + moved, read + moved
                                    word0, word1, word2, word3 = (
                                        word0 + moved,
                                        word1 + moved,
                                        word2 + moved,
                                        word3 + moved,
                                    )
                                    b += rounds * period
                                    position += rounds * period * beat_bytes
                                    seen = False
                                    continue
                                seen, was_step = True, last_step
                                was_write, was_read = last_write - last_step, read - last_step
                                was0, was1, was2, was3 = (
                                    word0 - last_step, word1 - last_step, word2 - last_step, word3 - last_step
                                )  # fmt: skip
                            begins = ((position + part + piece - 1) >> piece_bits) - (
                                (position + piece - 1) >> piece_bits
                            )
                            position += part
                            last_piece = max(begins, 1) - 1
                            for e in range(last_piece + 1):
                                if begins and word_left == 0:
                                    early = max(read + 1, word0 + 1)
                                    read = max(early, start + 1) if first_word else early
                                    first_word = False
                                    word_left = period
                                step = max(last_step + 1, issue + 1)
                                if begins:
                                    step = max(step, read + WORD_CYCLES)
                                if e == last_piece:
                                    step = max(step, last_write)
                                last_step = step
                                if begins == 0:
                                    continue
                                word_left -= 1
                                if word_left == 0:
                                    word0, word1, word2, word3 = word1, word2, word3, step
                            sent = max(last_step + 1, last_write + 1)
                            if full_rate:
                                last_write = sent
                            else:
                                last_write = payable_at(write_credit, write_since, sent, rate, beat_bytes)
                                level = credit_at(write_credit, write_since, last_write, rate, cap)
                                write_credit = min(level - beat_bytes + rate, cap)
                                write_since = last_write + 1
                            b += 1
                        info_pops[slot] = last_step
                        last_reply = max(last_reply + 1, last_write + latency)
                        reply_pops[slot] = last_reply
                        done = last_reply
                        addr += size
                        left -= size
            last_read = read
            free[3] = max(issue, read) + 1
            rest[3] = done + 1
            done += 2
        bits = signal
        while bits:
            s = LOWEST[bits]
            tokens[s, given[s] & 7] = done
            given[s] += 1
            bits &= bits - 1
        n += 1
