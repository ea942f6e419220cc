"""Collects commands, and sees to it that each finds its data ready and its buffer free.

Every buffer has two halves, filled in turn. A *generation* is one filling: whoever fills it waits until the generation
before the last is no longer read, whoever reads it first waits until it is full. The waits and signals are tokens
between units; since each unit runs in program order, a token needs no name beyond the buffer's.
"""

from __future__ import annotations

from collections.abc import Sequence

from accel_models.schedule.commands import Buffer, Command, Compute, Dma, Drain, Setting, Token, Unit

CHUNK = 16  #: descriptors that are fetched at a time
DESCRIPTOR_BYTES = 32
FETCH_AT = 1  #: place in a chunk of the load that fetches the next: behind the descriptor that names the program
UNITS = {Dma: Unit.LOAD, Compute: Unit.COMPUTE, Drain: Unit.DRAIN, Setting: Unit.SETTING}
Body = Dma | Compute | Drain | Setting


class Ring:
    """Generations of one double-buffered memory."""

    def __init__(self, full: Token, free: Token, half_words: int) -> None:
        self.full, self.free = 1 << full, 1 << free
        self.half_words = half_words
        self.count = 0
        self.reader: int | None = None  # last command that reads the current generation

    @property
    def base(self) -> int:
        """First word of the half that the current generation occupies."""
        return (self.count - 1) % 2 * self.half_words


class Builder:
    """An append-only list of commands with the tokens between them."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.tag = 0

    def open(self, ring: Ring) -> int:
        """Begin a generation; returns the tokens that its first writer waits for."""
        if ring.reader is not None:
            self._signal(ring.reader, ring.free)
        ring.reader = None
        ring.count += 1
        return ring.free if ring.count > 2 else 0

    def read(self, ring: Ring) -> int:
        """The next command appended reads the current generation; returns the tokens that it waits for."""
        first = ring.reader is None
        ring.reader = len(self.commands)
        return ring.full if first else 0

    def add(self, body: Body, wait: int = 0, signal: int = 0, unit: Unit | None = None) -> int:
        """Append a command; returns its index."""
        self.commands.append(Command(UNITS[type(body)] if unit is None else unit, wait, signal, self.tag, False, body))
        return len(self.commands) - 1

    def _signal(self, index: int, mask: int) -> None:
        command = self.commands[index]
        self.commands[index] = command._replace(signal=command.signal | mask)

    def signal_memory(self, index: int) -> None:
        """A store, once in memory, releases a load that waits for :attr:`Token.MEMORY`."""
        self._signal(index, 1 << Token.MEMORY)

    def mark(self, index: int) -> None:
        """The command ends its layer."""
        self.commands[index] = self.commands[index]._replace(mark=True)


def with_fetches(commands: Sequence[Command], program_addr: int) -> list[Command]:
    """The program: commands, the end, and in each chunk but the last, at :data:`FETCH_AT`, the load of the next one."""
    end = Command(Unit.END, 0, 0, commands[-1].tag if commands else 0, False, None)
    rest = [*commands, end]
    program: list[Command] = []
    start = 0
    while len(rest) - start > CHUNK:
        addr = program_addr + (len(program) // CHUNK + 1) * CHUNK * DESCRIPTOR_BYTES
        base = (len(program) // CHUNK + 1) % 2 * CHUNK
        body = Dma(Buffer.PROGRAM, addr, base, CHUNK)
        fetch = Command(Unit.LOAD, 0, 0, rest[start].tag, False, body)
        program += [*rest[start : start + FETCH_AT], fetch, *rest[start + FETCH_AT : start + CHUNK - 1]]
        start += CHUNK - 1
    program.extend(rest[start:])
    return program
