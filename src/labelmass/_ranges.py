"""Ranges that numbers given by people must lie in; NaN and infinity lie in none."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass

from labelmass.errors import LabelMassError


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from `low` to `high`, None for no end.

    low_open, high_open: that end itself is left out. whole: only whole numbers.
    """

    low: float | None = None
    high: float | None = None
    low_open: bool = False
    high_open: bool = False
    whole: bool = False

    def __contains__(self, value: object) -> bool:
        kind = numbers.Integral if self.whole else numbers.Real
        if isinstance(value, bool) or not isinstance(value, kind):
            return False
        try:
            number = float(value)
        except OverflowError:  # a whole number that no float can hold
            return False
        if not math.isfinite(number):
            return False
        if self.low is not None and (number < self.low or (self.low_open and number == self.low)):
            return False
        if self.high is None:
            return True
        return number < self.high or (number == self.high and not self.high_open)

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        ends: list[str] = []
        if self.low is not None:
            ends.append(f"{'above' if self.low_open else 'of at least'} {self.low:g}")
        if self.high is not None:
            ends.append(f"{'below' if self.high_open else 'at most'} {self.high:g}")
        return f"{kind} {' and '.join(ends)}".rstrip()

    def check(self, name: str, value: object, error: type[LabelMassError] = LabelMassError) -> None:
        """Raise `error`, which names what was given and what is allowed, unless it lies within."""
        if value not in self:
            raise error(f"{name} is {value!r}: {self}")


POSITIVE = Range(0, low_open=True)
NOT_NEGATIVE = Range(0)
SHARE = Range(0, 1)
"""Ends included."""
BETWEEN = Range(0, 1, low_open=True, high_open=True)
"""A share that is neither nothing nor all."""
PART = Range(0, 1, high_open=True)
"""A share that is not all."""
COUNT = Range(1, whole=True)
"""At least one."""
WHOLE = Range(0, whole=True)
DRAWS = Range(0, 1_000_000, whole=True)
"""Number of resamples of a bootstrap."""
SAMPLES = Range(1, 1_000_000, whole=True)
"""Answers that are drawn."""
LABEL_PERMUTATIONS = Range(1, 1_000, whole=True)
"""Label orders, each of which is explored for every record."""
SEED = Range(0, 2**32 - 1, whole=True)
