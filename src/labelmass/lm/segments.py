"""Segments of tokens that go through a model together, and what each of them attends to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelmass.lm.base import Usage

NONE = np.empty(0, np.int64)
"""No slots."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive tokens of one text in a pass through the model.

    account: usage they are charged to; one for all segments of a text.
    tokens, slots: (n,) each; every token looks at itself and at those of the segment before it.
    first_position: where the first stands in its text.
    before: (m,) int64, slots of the text that every token of the segment looks at besides.
    shared: (p,) int64, slots that segments of other texts look at too; the same array for each.
    """

    account: Usage
    tokens: Sequence[int]
    slots: NDArray[np.int64]
    first_position: int
    before: NDArray[np.int64]
    shared: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.tokens)

    def part(self, start: int, stop: int) -> Segment:
        return Segment(
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


def cut(segments: list[Segment], size: int) -> list[list[Segment]]:
    """Segments in groups of at most `size` tokens, the longer ones cut."""
    groups: list[list[Segment]] = [[]]
    room = size
    for segment in segments:
        start = 0
        while start < len(segment):
            stop = min(len(segment), start + room)
            groups[-1].append(
                segment.part(start, stop) if (start, stop) != (0, len(segment)) else segment
            )
            room -= stop - start
            start = stop
            if not room:
                groups.append([])
                room = size
    return [group for group in groups if group]
