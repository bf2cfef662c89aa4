"""Tables as values, and how each is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

ARROWS = {"higher": "↑", "lower": "↓"}


@dataclass(frozen=True, slots=True)
class Head:
    """The name of a column. better: Which values of it are better, if either."""

    text: str
    better: Literal["higher", "lower"] | None = None

    @property
    def arrow(self) -> str:
        """An arrow to the better values."""
        return "" if self.better is None else ARROWS[self.better]


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell that is more than a text.

    Args:
        text: What it says.
        best: Whether it is the best of its column.
        verdict: What a test says of it, after the text.
        details: Intervals and counts, in a softer type.
        bar: A share from 0 to 1 to draw beside the text.
        whose: What the bar is of; it names its colour.
    """

    text: str
    best: bool = False
    verdict: str = ""
    details: Sequence[str] = ()
    bar: float | None = None
    whose: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under their column names; the first cell of a row names it."""

    title: str
    head: Sequence[str | Head]
    rows: Sequence[Sequence[str | Cell]]


def number(value: float | None, digits: int = 3) -> str:
    """A number for a cell: so many decimals, one fewer from 10 on, n/a where there is none."""
    if value is None or value != value:
        return "n/a"
    return f"{value:.{digits}f}" if abs(value) < 10 else f"{value:.{max(digits - 1, 0)}f}"
