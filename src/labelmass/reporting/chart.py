"""Charts as values: what is drawn, said once, for the page (`svg`) and for files (`png`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Point = tuple[float, float]
Dash = Literal["solid", "dashed", "dotted"]
Marker = Literal["o", "s", "D"]
SOFT = -1
"""The colour of what is there to compare with."""


@dataclass(frozen=True, slots=True)
class Line:
    """points: (x, y), joined."""

    name: str
    points: Sequence[Point]
    colour: int = 0
    dash: Dash = "solid"


@dataclass(frozen=True, slots=True)
class Dots:
    """points: (x, y). hollow: those that stand for little."""

    name: str
    points: Sequence[Point]
    colour: int = 0
    marker: Marker = "o"
    hollow: Sequence[bool] = ()


@dataclass(frozen=True, slots=True)
class Bars:
    """bars: (from, to, height)."""

    name: str
    bars: Sequence[tuple[float, float, float]]


@dataclass(frozen=True, slots=True)
class Spans:
    """spans: (x, from, to), drawn wide."""

    name: str
    spans: Sequence[tuple[float, float, float]]
    colour: int = 0


@dataclass(frozen=True, slots=True)
class Notes:
    """notes: (x, y, text), in the colour of what they are about."""

    notes: Sequence[tuple[float, float, str]]
    colour: int = SOFT


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
    """Axes and what is drawn on them. about: what it shows, in words."""

    title: str
    about: str
    x: Axis
    y: Axis
    marks: Sequence[Mark]

    width, height = 200, 200
    """In pixels, unless scaled."""


@dataclass(frozen=True, slots=True)
class Heat:
    """A map of k x k shares; the diagonal holds the shares of one label and is not coloured.

    values: rows of shares, None where nothing is known. most: the share of the fullest colour.
    """

    title: str
    about: str
    names: Sequence[str]
    values: Sequence[Sequence[float | None]]
    most: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One or several panels, with their numbers.

    name: of its files and of its entry in the JSON. about: how to read it. numbers: strict JSON.
    head, rows: the same as a table. notes: what is left out, or must be known.
    """

    name: str
    title: str
    about: str
    panels: Sequence[Panel | Heat]
    numbers: Mapping[str, Any]
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    @property
    def marks(self) -> dict[str, Mark]:
        """One mark of every name, for a legend."""
        found: dict[str, Mark] = {}
        for panel in self.panels:
            for mark in panel.marks if isinstance(panel, Panel) else ():
                if not isinstance(mark, Notes) and mark.name:
                    found.setdefault(mark.name, mark)
        return found


LIGHT = ("#0060a8", "#a84300", "#00684a", "#8a3a78")
DARK = ("#6cb6ff", "#ff9b5e", "#4fd1a5", "#e39bd0")
"""Lines and dots, on white and on black; each with a dash or a marker of its own as well."""
SOFT_LIGHT, SOFT_DARK = "#57606a", "#a3adb8"
HEAT_LIGHT, HEAT_DARK = "#8ec5f0", "#1f5f96"
TEXT_LIGHT, TEXT_DARK = "#1b1f24", "#e6e9ec"
PAGE_LIGHT, PAGE_DARK = "#ffffff", "#14171a"
LINE_LIGHT, LINE_DARK = "#d0d7de", "#39424b"


def shade(value: float | None, most: float) -> float:
    """How full the colour of a cell is, from 0 to 1."""
    return 0.0 if value is None or most <= 0 else min(value / most, 1.0)


def share(value: float) -> str:
    """A share in a small cell: .07, and "·" below half a hundredth."""
    if value < 0.005:
        return "·"
    return f"{value:.2f}".removeprefix("0") if value < 0.995 else "1"
