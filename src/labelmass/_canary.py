"""What a model says to a few fixed texts, by which it is known where its weights cannot be read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

Likeliest = tuple[tuple[int, float], ...]
"""(id, log-probability) of the likeliest tokens after a text."""


@dataclass(frozen=True, slots=True)
class Canary:
    """Log-probabilities of the likeliest tokens after some fixed texts.

    `str()` is one line of text, and `parse` its inverse.

    Attributes:
        tolerance: Nats by which the engine's numbers may be off.
        rows: The likeliest tokens after each text.
    """

    tolerance: float
    rows: tuple[Likeliest, ...]

    @classmethod
    def of(cls, tolerance: float, rows: Sequence[Sequence[tuple[int, float]]]) -> Canary:
        """A canary as it is written, to five decimal places."""
        return cls(tolerance, tuple(tuple((i, round(p, 5)) for i, p in row) for row in rows))

    @classmethod
    def parse(cls, text: str) -> Canary:
        """The canary that a text stands for; ValueError if it stands for none."""
        tolerance, *rows = text.split(";")
        pairs = [[pair.split(":") for pair in row.split()] for row in rows]
        return cls(float(tolerance), tuple(tuple((int(i), float(p)) for i, p in r) for r in pairs))

    def __str__(self) -> str:
        rows = (" ".join(f"{i}:{p:g}" for i, p in row) for row in self.rows)
        return ";".join([f"{self.tolerance:g}", *rows])

    def difference(self, other: Canary) -> float:
        """The largest difference, in nats, of a log-probability; infinite for other texts.

        A token that one side does not have is at most as likely as the last one it has. A text
        after which one side could not be read says nothing; if that is so of all, it is infinite.
        """
        if len(self.rows) != len(other.rows):
            return math.inf
        pairs = zip(self.rows, other.rows, strict=True)
        apart = [_apart(dict(one), dict(two)) for one, two in pairs if one and two]
        return max(apart, default=math.inf)

    def allowed(self, other: Canary) -> float:
        """The difference that the tolerances of both engines explain."""
        return self.tolerance + other.tolerance

    def agrees(self, other: Canary) -> bool:
        """True if both may be the same model."""
        return self.difference(other) <= self.allowed(other)


def _apart(one: dict[int, float], other: dict[int, float]) -> float:
    least, least_other = min(one.values()), min(other.values())
    apart = [abs(one[i] - other[i]) for i in one.keys() & other.keys()]
    apart += [one[i] - least_other for i in one.keys() - other.keys()]
    apart += [other[i] - least for i in other.keys() - one.keys()]
    return max(0.0, *apart)
