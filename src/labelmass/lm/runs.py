"""Stretches of tokens that go through a model together, and what each of them looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelmass.lm.base import Usage

NONE = np.empty(0, np.int64)
"""No slots."""


@dataclass(frozen=True, slots=True)
class Run:
    """Tokens of one text that go through the model one after another.

    account: whom they are charged to; one for all runs of a text.
    tokens, slots: (n,) each; every token looks at itself and at those of the run before it.
    first_position: where the first stands in its text.
    before: (m,) int64, slots of the text that every token of the run looks at besides.
    shared: (p,) int64, slots that runs of other texts look at too; the very same array for each.
    """

    account: Usage
    tokens: Sequence[int]
    slots: NDArray[np.int64]
    first_position: int
    before: NDArray[np.int64]
    shared: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.tokens)

    def part(self, start: int, stop: int) -> Run:
        return Run(
            self.account,
            self.tokens[start:stop],
            self.slots[start:stop],
            self.first_position + start,
            np.concatenate([self.before, self.slots[:start]]),
            self.shared,
        )

    def see(self, visible: NDArray[np.bool_], column: NDArray[np.int64]) -> None:
        """Mark in `visible` (n, k) what each token looks at, `shared` apart.

        column: by slot, its column of `visible`.
        """
        visible[:, column[self.before]] = True
        visible[:, column[self.slots]] = np.tri(len(self), dtype=np.bool_)


def cut(runs: list[Run], size: int) -> list[list[Run]]:
    """Runs in groups of at most `size` tokens, the longer ones cut."""
    groups: list[list[Run]] = [[]]
    room = size
    for run in runs:
        start = 0
        while start < len(run):
            stop = min(len(run), start + room)
            groups[-1].append(run.part(start, stop) if (start, stop) != (0, len(run)) else run)
            room -= stop - start
            start = stop
            if not room:
                groups.append([])
                room = size
    return [group for group in groups if group]
