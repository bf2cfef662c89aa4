"""Limits of single records, for callers that wait for one each, or explore some again."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from enum import Enum

from labelmass.answers.search import Budget


class End(Enum):
    """What `next` gives where an iterator that may give None has ended."""

    END = 0


@dataclass(slots=True)
class Limits:
    """Limits of one record, beside those of all.

    Attributes:
        budget: In place of the explorer's; None for that one.
        deadline: Time, by `time.monotonic`, at which its search stops with what it has found.
        once: True for a record that is explored once, however open its decision is.
        cancelled: True once nobody waits for it: it fails before the next pass.
    """

    budget: Budget | None = None
    deadline: float | None = None
    once: bool = False
    cancelled: bool = False

    @property
    def done(self) -> bool:
        """True if it is not to be explored again."""
        return self.once or self.passed

    @property
    def passed(self) -> bool:
        """True if its time is up, or nobody waits for it."""
        late = self.deadline is not None and time.monotonic() >= self.deadline
        return late or self.cancelled

    def of(self, budget: Budget) -> Budget:
        """What is left of a budget."""
        budget = self.budget or budget
        if self.deadline is None:
            return budget
        left = max(self.deadline - time.monotonic(), 1e-3)
        most = left if budget.max_seconds is None else min(left, budget.max_seconds)
        return replace(budget, max_seconds=most)
