"""Pool of the slots of a key/value buffer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labelmass.errors import ModelError


class SlotPool:
    """Numbers from 0 up that are taken, given back and taken again, lowest first.

    limit: most slots that may be taken at once; None for no limit.
    """

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        self._taken = np.zeros(1024, np.bool_)

    @property
    def top(self) -> int:
        """One more than the highest slot taken."""
        return len(self._taken) - int(np.argmax(self._taken[::-1])) if self._taken.any() else 0

    def take(self, count: int) -> NDArray[np.int64]:
        """`count` free slots, rising. Raises ModelError where the limit would be passed."""
        used = int(self._taken.sum())
        if self._limit is not None and used + count > self._limit:
            raise ModelError(
                f"the records in hand need {used + count} tokens of attention memory, more than "
                f"max_slots = {self._limit}; score fewer records at once or raise max_slots"
            )
        while used + count > len(self._taken):
            self._taken = np.concatenate([self._taken, np.zeros_like(self._taken)])
        slots = np.flatnonzero(~self._taken)[:count]
        self._taken[slots] = True
        return slots

    def give_back(self, slots: NDArray[np.int64]) -> None:
        self._taken[slots] = False
