"""The recurrences behind :mod:`accel_models.template.timing`, compiled.

Each constant below is a register in the hardware (`rtl_templates/rtl`), each recurrence one of its handshakes. The
memory (`rtl_templates/bench/cd_dram.sv`) gives a read's first beat ``latency`` cycles after its address and a write's
response ``latency`` cycles after its last beat; in each direction a beat costs its bytes of a credit that grows by the
bandwidth each cycle, up to one beat and one cycle's worth.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from accel_models.jit import compiled, entry
from accel_models.schedule.builder import CHUNK, DESCRIPTOR_BYTES

OUTSTANDING_BURSTS = 16
QUEUE_DEPTH = 8
WORDS_AHEAD = 4  #: of the store unit
BEATS_AHEAD = 2  #: of the load unit, between the bus and the cutting into words
PIECE_CYCLES = 1  #: from a step of the load unit's cutting until its piece is put together
TOKENS = 16
DISPATCH_CYCLES = 7  #: fetch, decode, operands, multiply, scale, check, push
COMPUTE_SETTLE_CYCLES = 6  #: from the last accumulator write until the unit is free and signals
IDLE_CYCLES = 1  #: from the first cycle without work until the sequencer sees it
TOKEN_CYCLES = 1  #: between a head of a queue, or its last token, and its start: what it waits for is compared
WORD_CYCLES = 3  #: store unit, from a word's read until its first piece goes: memory, its register, queue
DRAIN_LATENCY_CYCLES = 24  #: from the last group issued until the unit is free and signals
LOOKUP_CYCLES = 2  #: more, where post-processing ends in a table
#: Columns of the command table.
UNIT, WAIT, SIGNAL, CYCLES, ADDR, COUNT0, COUNT1, COUNT2, STRIDE1, STRIDE2, WORD_BYTES, FETCH, TURN, COLUMNS = range(14)
#: Columns of the result.
START, DONE, BEATS, BUSY, CAUSE, RESULTS = range(6)
#: What a command waited for last, if not for a token (whose number it is then).
QUEUE, UNIT_FREE = 16, 17

Table: TypeAlias = NDArray[np.int64]


@compiled
def credit_at(level: int, since: int, now: int, rate: int, cap: int) -> int:
    """The credit at ``now``, from what it was at ``since``."""
    return min(level + rate * (now - since), cap)


@compiled
def payable_at(level: int, since: int, earliest: int, rate: int, cost: int) -> int:
    """First cycle from ``earliest`` on in which the credit covers ``cost``."""
    if level >= cost:
        return earliest
    return max(earliest, since + -(-(cost - level) // rate))


@entry
def simulate_commands(
    table: Table,
    program: int,
    beat_bytes: int,
    burst_beats: int,
    latency: int,
    rate: int,
    turn_rows: int,
    turn_cols: int,
    drain: int,
    out: Table,
) -> int:
    """Fill ``out`` (see the column names) and return the cycles of the run.

    The program begins at byte ``program``; a burst has ``burst_beats`` beats at most. ``turn_rows`` words make a block
    of the transposer, which then takes
    ``turn_cols`` cycles to write it. A drain takes ``drain`` cycles beyond its last group.
    """
    cap = beat_bytes + rate
    tokens = np.zeros((TOKENS, 8), dtype=np.int64)  # times of tokens not yet taken, a ring for each semaphore
    given = np.zeros(TOKENS, dtype=np.int64)
    taken = np.zeros(TOKENS, dtype=np.int64)
    pops = np.full((4, QUEUE_DEPTH), -1, dtype=np.int64)  # start times of a unit's latest commands
    popped = np.zeros(4, dtype=np.int64)
    chunk_ready = np.zeros(2, dtype=np.int64)
    free = np.zeros(4, dtype=np.int64)  # first cycle in which a unit can start its next command
    rest = np.zeros(4, dtype=np.int64)  # first cycle in which it is no longer busy

    # Load unit
    read_pops = np.full(OUTSTANDING_BURSTS, -1, dtype=np.int64)
    read_bursts, last_beat, read_credit, read_since = 0, -1, cap, 0  # last_beat: taken from the bus
    beat_ends = np.full(BEATS_AHEAD, -1, dtype=np.int64)  # when a beat left the registers behind the bus
    beats_taken, last_end = 0, -1
    turn_free, turn_count = 0, 0  # transposer: first cycle in which it takes a word, words of the block so far
    # Store unit
    info_pops = np.full(OUTSTANDING_BURSTS, -1, dtype=np.int64)
    reply_pops = np.full(OUTSTANDING_BURSTS, -1, dtype=np.int64)
    word_pops = np.full(WORDS_AHEAD, -1, dtype=np.int64)
    write_bursts, words_read, last_write, write_credit, write_since = 0, 0, -1, cap, 0
    last_step, last_reply, last_read = -1, -1, -1
    word_left = 0  # beats that the current wide word still gives

    push = 1  # the sequencer pushes the first fetch in cycle 1
    count = table.shape[0]
    for n in range(-1, count):
        # ---- The sequencer ----
        if n < 0:
            unit, wait, signal, fetch, turn = 0, 0, 0, 1, 0
        else:
            unit, wait, signal = table[n, UNIT], table[n, WAIT], table[n, SIGNAL]
            fetch, turn = table[n, FETCH], table[n, TURN]
            fetched = push + 1
            if n % CHUNK == 0:
                fetched = max(fetched, chunk_ready[n // CHUNK % 2])
            push = fetched + DISPATCH_CYCLES - 1
            if unit < 4 and popped[unit] >= QUEUE_DEPTH:
                push = max(push, pops[unit, popped[unit] % QUEUE_DEPTH] + 1)
        if unit == 4:
            finish = push + 1
            for u in range(4):
                finish = max(finish, rest[u] + IDLE_CYCLES)
            out[n, START], out[n, DONE] = push, finish
            return finish
        if unit == 5:  # the sequencer keeps it
            out[n, START], out[n, DONE], out[n, CAUSE] = push, push, QUEUE
            continue

        # ---- Start: at the head of the queue, unit free, tokens there ----
        start, cause = push + 1 + TOKEN_CYCLES, QUEUE
        if free[unit] > start:
            start, cause = free[unit], UNIT_FREE
        for s in range(TOKENS):
            if wait >> s & 1:
                if tokens[s, taken[s] % 8] + TOKEN_CYCLES > start:
                    start, cause = tokens[s, taken[s] % 8] + TOKEN_CYCLES, s
                taken[s] += 1
        pops[unit, popped[unit] % QUEUE_DEPTH] = start
        popped[unit] += 1
        beats_done, busy = 0, 0

        if unit == 1:
            last = start + table[n, CYCLES] - 1
            free[unit] = last + COMPUTE_SETTLE_CYCLES
            rest[unit] = free[unit]
            done = free[unit] + 1
            busy = free[unit] - start - 1
        elif unit == 2:
            free[unit] = start + table[n, CYCLES] + drain
            rest[unit] = free[unit]
            done = free[unit] + 1
        else:
            # ---- DMA: bursts of beats of words ----
            if n < 0:
                addr0, count0, count1, count2, stride1, stride2, word = program, CHUNK, 1, 1, 0, 0, DESCRIPTOR_BYTES
            else:
                addr0, count0, count1, count2 = table[n, ADDR], table[n, COUNT0], table[n, COUNT1], table[n, COUNT2]
                stride1, stride2, word = table[n, STRIDE1], table[n, STRIDE2], table[n, WORD_BYTES]
            issue = start + 1  # cycle of the latest address handshake: runs, then bursts, a register each
            read = last_read
            piece = min(word, beat_bytes)
            first_word = True
            done = 0
            part = 0  # beats of a wide word so far
            for j in range(count2):
                for i in range(count1):
                    addr = addr0 + j * stride2 + i * stride1
                    left = count0 * word
                    at = 0  # bytes of the run so far
                    while left > 0:
                        offset = addr % beat_bytes
                        beats = min(
                            (left + offset + beat_bytes - 1) // beat_bytes,
                            burst_beats - addr // beat_bytes % burst_beats,
                        )
                        size = min(left, beats * beat_bytes - offset)
                        issue += 1
                        if unit == 0:
                            slot = read_bursts % OUTSTANDING_BURSTS
                            issue = max(issue, read_pops[slot] + 1)
                            read_bursts += 1
                            ready = issue + latency
                            for b in range(beats):
                                valid = max(ready, last_beat + 1)
                                valid = payable_at(read_credit, read_since, valid, rate, beat_bytes)
                                last_beat = max(valid, beat_ends[beats_taken % BEATS_AHEAD] + 1)
                                begin = max(last_beat + 1, last_end + 1, turn_free)
                                taken_bytes = min(beat_bytes if b else beat_bytes - offset, count0 * word - at)
                                ends = (at + taken_bytes) // piece - at // piece  # pieces that end in this beat
                                at += taken_bytes
                                last_end = begin + max(ends, 1) - 1
                                if turn:
                                    last_end = begin - 1
                                    for e in range(max(ends, 1)):
                                        last_end = max(last_end + 1, turn_free)
                                        part += int(e < ends)
                                        if part * beat_bytes < word:
                                            continue
                                        part = 0
                                        turn_count += 1
                                        if turn_count == turn_rows:
                                            turn_count = 0
                                            turn_free = last_end + PIECE_CYCLES + 1 + turn_cols
                                beat_ends[beats_taken % BEATS_AHEAD] = last_end
                                beats_taken += 1
                                level = credit_at(read_credit, read_since, last_beat, rate, cap)
                                read_credit = min(level - beat_bytes + rate, cap)
                                read_since = last_beat + 1
                            read_pops[slot] = last_end
                            done = turn_free - 1 if turn else last_end + PIECE_CYCLES
                        else:
                            slot = write_bursts % OUTSTANDING_BURSTS
                            issue = max(issue, info_pops[slot] + 1, reply_pops[slot] + 1)
                            write_bursts += 1
                            for b in range(beats):
                                taken_bytes = min(beat_bytes if b else beat_bytes - offset, count0 * word - at)
                                # Pieces that begin in this beat; none where it only ends the one before.
                                begins = (at + taken_bytes + piece - 1) // piece - (at + piece - 1) // piece
                                at += taken_bytes
                                for e in range(max(begins, 1)):
                                    if begins and word_left == 0:
                                        # The word's read: one a cycle, and no more than a few ahead of their use.
                                        early = max(read + 1, word_pops[words_read % WORDS_AHEAD] + 1)
                                        read = max(early, start + 1) if first_word else early
                                        first_word = False
                                        word_left = max(1, word // beat_bytes)
                                    step = max(last_step + 1, issue + 1)
                                    if begins:
                                        step = max(step, read + WORD_CYCLES)
                                    if e == max(begins, 1) - 1:
                                        step = max(step, last_write)  # the output register is free
                                    last_step = step
                                    if begins == 0:
                                        continue
                                    word_left -= 1
                                    if word_left == 0:
                                        word_pops[words_read % WORDS_AHEAD] = step
                                        words_read += 1
                                sent = max(last_step + 1, last_write + 1)
                                last_write = payable_at(write_credit, write_since, sent, rate, beat_bytes)
                                level = credit_at(write_credit, write_since, last_write, rate, cap)
                                write_credit = min(level - beat_bytes + rate, cap)
                                write_since = last_write + 1
                            info_pops[slot] = last_step
                            last_reply = max(last_reply + 1, last_write + latency)
                            reply_pops[slot] = last_reply
                            done = last_reply
                        beats_done += beats
                        addr += size
                        left -= size
            free[unit] = issue + 1
            if unit == 0:
                rest[unit] = done + 2
                if fetch:
                    chunk_ready[(n + CHUNK) // CHUNK % 2 if n >= 0 else 0] = done + 2
            else:
                last_read = read
                free[unit] = max(issue + 1, read + 1)
                rest[unit] = done + 1
            done += 2
        for s in range(TOKENS):
            if signal >> s & 1:
                tokens[s, given[s] % 8] = done
                given[s] += 1
        if n >= 0:
            # A store is in memory when its response is seen; the counter stands one behind our count of cycles.
            out[n, START], out[n, DONE], out[n, BEATS], out[n, BUSY] = start, done - 2, beats_done, busy
            out[n, CAUSE] = cause
    return -1
