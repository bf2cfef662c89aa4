"""Tables as values, whichever way they are written: see `writing`, `terminal` and `notebook`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

ARROWS = {"higher": "↑", "lower": "↓"}


@dataclass(frozen=True, slots=True)
class Head:
    """The name of a column.

    Args:
        text: The name.
        better: Direction of better values, if there is one.
        prose: True if it holds words, which may wrap, and no numbers.
    """

    text: str
    better: Literal["higher", "lower"] | None = None
    prose: bool = False

    @property
    def arrow(self) -> str:
        """An arrow to the better values."""
        return "" if self.better is None else ARROWS[self.better]


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell that is more than a text.

    Args:
        text: Text of the cell.
        best: True if it is the best of its column.
        verdict: Result of a test, after the text.
        details: Intervals and counts, in a softer type.
        bar: A share from 0 to 1 to draw beside the text.
        whose: Subject of the bar; it names its colour.
        style: Style of the text in a terminal.
    """

    text: str
    best: bool = False
    verdict: str = ""
    details: Sequence[str] = ()
    bar: float | None = None
    whose: str = ""
    style: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under their column names; the first cell of a row names it.

    Args:
        title: A caption, where it has one.
        head: A name for each column, or nothing.
        rows: A row may be shorter than the others.
        notes: Sentences below the table.
        pinned: Columns that are repeated where the table is wider than the terminal.
    """

    title: str
    head: Sequence[str | Head]
    rows: Sequence[Sequence[str | Cell]]
    notes: Sequence[str] = ()
    pinned: int = 1

    @property
    def heads(self) -> list[Head]:
        """The columns; the first holds words."""
        width = max([len(self.head), *map(len, self.rows)])
        heads = [head if isinstance(head, Head) else Head(head) for head in self.head]
        heads += [Head("")] * (width - len(heads))
        return [Head(heads[0].text, heads[0].better, prose=True), *heads[1:]] if heads else []

    @property
    def cells(self) -> list[list[Cell]]:
        """The rows, all of the same length."""
        width = len(self.heads)
        rows = [
            [cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in self.rows
        ]
        return [[*row, *[Cell("")] * (width - len(row))] for row in rows]

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        from labelmass.present.terminal import blocks

        return blocks(self, options.max_width)


def number(value: float | None, digits: int = 3) -> str:
    """A number for a cell: `digits` decimals, one fewer from 10 on, n/a where there is none."""
    if value is None or value != value:
        return "n/a"
    return f"{value:.{digits}f}" if abs(value) < 10 else f"{value:.{max(digits - 1, 0)}f}"


def probability(value: float | None, low: float | None = None, high: float | None = None) -> Cell:
    """A probability and its interval, rounded so that neither looks surer than it is.

    An interval is rounded outwards; a probability reads 0 or 1 only where it is exactly that; and
    where there is no number to quote, it is null and the interval stands alone.
    """
    details: tuple[str, ...] = ()
    if low is not None and high is not None and low == low and high == high:
        details = (f"[{_rounded(low, ROUND_FLOOR)}, {_rounded(high, ROUND_CEILING)}]",)
    if value is None or value != value:
        return Cell("null", details=details, style="dim")
    return Cell(_short_of_certain(value), details=details)


def _short_of_certain(value: float) -> str:
    """Three decimals; <0.001 and >0.999 for what would round to a certainty and is none."""
    if value in (0, 1):
        return f"{value:.0f}"
    rounded = f"{value:.3f}"
    return {"0.000": "<0.001", "1.000": ">0.999"}.get(rounded, rounded)


def rounded_down(value: float) -> str:
    """Three decimals that are no more than the value, for what is at least so much."""
    return _rounded(value, ROUND_FLOOR)


def _rounded(value: float, rounding: str) -> str:
    """Three decimals of what the number prints as, so that 0.3 stays 0.300 in either direction."""
    return str(Decimal(repr(float(value))).quantize(Decimal("0.001"), rounding))
