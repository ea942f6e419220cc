"""Several FPGAs in a pipeline (Jiang 2020, hardware/software co-exploration): each runs some layers, one input each.

Every board has a loop-tile accelerator of its own and holds one input at a time; maps cross the link between boards. A
new input enters each time the slowest board (its layers, then the map it hands on) is through. Where the layers are cut
is solved exactly: no other cut has a shorter interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from accel_models.published.loop_tile import Board, LoopTile, convolutions, fill
from accel_models.report import Infeasible
from mappings.layer import Layer


@dataclass(frozen=True)
class Stage:
    """One board's part.

    Attributes:
        board: its place in the row.
        layers: that it runs.
        cycles: of them.
        link_cycles: of the map that it hands on; 0 on the last board.
    """

    board: int
    layers: tuple[Layer, ...]
    cycles: int
    link_cycles: int


@dataclass(frozen=True)
class LoopPipeline:
    """Boards in a row.

    Attributes:
        machines: one a board; all of one clock.
        link_bits: a cycle between two boards.
    """

    machines: tuple[LoopTile, ...]
    link_bits: int = 64

    def stages(self, layers: Sequence[Layer]) -> tuple[Stage, ...]:
        """The cut with the shortest interval; boards beyond the layers have nothing to do and are left out.

        Raises:
            SpecError: a depthwise layer without an engine for it.
        """
        chain = convolutions(layers)
        cycles = [[machine.layer_cycles(layer) for layer in chain] for machine in self.machines]
        hand = [-(-layer.elements["O"] * self.machines[0].bits // self.link_bits) for layer in chain]
        count = len(chain)
        # best[b][n]: the shortest interval of the first n layers on boards 0 to b, and where board b begins
        best: list[list[tuple[int, int]]] = []
        for board, own in enumerate(cycles):
            sums = [0]
            for value in own:
                sums.append(sums[-1] + value)
            row = [(0, 0)]
            for n in range(1, count + 1):
                link = hand[n - 1] if n < count else 0
                options = [(max(best[-1][m][0], sums[n] - sums[m] + link), m) for m in range(n)] if board else []
                if board:
                    options.append((best[-1][n][0], n))  # this board has nothing to do
                row.append(min(options) if options else (sums[n] + link, 0))
            best.append(row)
        stages: list[Stage] = []
        end = count
        for board in reversed(range(len(self.machines))):
            begin = best[board][end][1]
            if begin < end:
                link = hand[end - 1] if end < count else 0
                stages.append(Stage(board, tuple(chain[begin:end]), sum(cycles[board][begin:end]), link))
            end = begin
        return tuple(reversed(stages))

    def interval_cycles(self, layers: Sequence[Layer]) -> int:
        """From one input to the next."""
        return max(stage.cycles + stage.link_cycles for stage in self.stages(layers))

    def latency_cycles(self, layers: Sequence[Layer]) -> int:
        """Of one input through all boards."""
        return sum(stage.cycles + stage.link_cycles for stage in self.stages(layers))

    def broken(self, layers: Sequence[Layer], board: Board) -> tuple[Infeasible, ...]:
        """Every limit that some board exceeds."""
        out: list[Infeasible] = []
        for machine in self.machines:
            out += [item for item in machine.broken(layers, board) if item not in out]
        return tuple(out)

    def fill(self, layers: Sequence[Layer], board: Board) -> float:
        """Largest share of a board's resource that is taken, of all boards."""
        return max(fill(machine, layers, board) for machine in self.machines)
