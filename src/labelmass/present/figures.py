"""Figures as values: panels, the marks on them, and the numbers that they show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Point = tuple[float, float]
Dash = Literal["solid", "dashed", "dotted"]
Marker = Literal["o", "s", "D", "^", "v", "P"]
MARKERS: tuple[Marker, ...] = ("o", "s", "D", "^", "v", "P")
SOFT = -1
"""The colour of marks that are there for comparison."""


@dataclass(frozen=True, slots=True)
class Line:
    """points: (x, y), joined."""

    name: str
    points: Sequence[Point]
    colour: int = 0
    dash: Dash = "solid"
    width: float = 1.8


@dataclass(frozen=True, slots=True)
class Dots:
    """points: (x, y). hollow: which of them stand for few cases."""

    name: str
    points: Sequence[Point]
    colour: int = 0
    marker: Marker = "o"
    hollow: Sequence[bool] = ()


@dataclass(frozen=True, slots=True)
class Bars:
    """bars: (left, right, height)."""

    name: str
    bars: Sequence[tuple[float, float, float]]
    colour: int = SOFT


@dataclass(frozen=True, slots=True)
class Spans:
    """spans: (x, low, high), drawn wide."""

    name: str
    spans: Sequence[tuple[float, float, float]]
    colour: int = 0


@dataclass(frozen=True, slots=True)
class Notes:
    """notes: (x, y, text), in the colour of the marks they belong to.

    to_the_right: Right of the point, instead of above it and centred.
    """

    notes: Sequence[tuple[float, float, str]]
    colour: int = SOFT
    to_the_right: bool = False


Mark = Line | Dots | Bars | Spans | Notes


@dataclass(frozen=True, slots=True)
class Axis:
    """ticks: (value, text)."""

    label: str
    low: float = 0.0
    high: float = 1.0
    ticks: Sequence[tuple[float, str]] = ((0, "0"), (0.5, ".5"), (1, "1"))


@dataclass(frozen=True, slots=True)
class Panel:
    """Axes and the marks on them.

    about: Description in words. width, height: Pixels.
    """

    title: str
    about: str
    x: Axis
    y: Axis
    marks: Sequence[Mark]
    width: int = 200
    height: int = 200


@dataclass(frozen=True, slots=True)
class Heat:
    """A map of k x k shares; the diagonal holds the shares of one label and is not coloured.

    values: Rows of shares, None where nothing is known. most: The share of the fullest colour.
    """

    title: str
    about: str
    names: Sequence[str]
    values: Sequence[Sequence[float | None]]
    most: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One or several panels, with their numbers.

    Args:
        name: Name of its files and of its entry in the JSON.
        about: Explanation of how to read it.
        numbers: Strict JSON.
        head: Column names of `rows`.
        rows: The numbers as a table.
        notes: Omissions and caveats.
    """

    name: str
    title: str
    about: str
    panels: Sequence[Panel | Heat]
    numbers: Mapping[str, Any] = field(default_factory=dict[str, Any])
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    notes: Sequence[str] = ()

    @property
    def legend(self) -> dict[str, Mark]:
        """The first mark of each name."""
        marks: dict[str, Mark] = {}
        for panel in self.panels:
            for mark in panel.marks if isinstance(panel, Panel) else ():
                if not isinstance(mark, Notes) and mark.name:
                    marks.setdefault(mark.name, mark)
        return marks
