"""Figures drawn with matplotlib (`pip install "labelmass[figures]"`).

A page gets one SVG a panel, in the colours of the page's theme; a file gets the whole figure. The
same figure gives the same bytes.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from unicodedata import east_asian_width

from labelmass._text import printable
from labelmass.errors import LabelMassError
from labelmass.files.writing import write_text
from labelmass.present import svg
from labelmass.present.figures import (
    SOFT,
    Bars,
    Dots,
    Figure,
    Heat,
    Line,
    Mark,
    Notes,
    Panel,
    Spans,
)
from labelmass.present.theme import COLOURS, HEAT, LINE, MUTED, PAGE, TEXT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "labelmass",
    "font.family": "DejaVu Sans",
    "font.size": svg.FONT_SIZE,
    "text.parse_math": False,
    "text.color": TEXT,
    "axes.labelcolor": MUTED,
    "axes.labelpad": 4,
    "axes.titlesize": svg.FONT_SIZE,
    "axes.titleweight": "bold",
    "axes.titlepad": 5,
    "axes.facecolor": "none",
    "axes.axisbelow": True,
    "axes.grid.axis": "y",
    "axes.grid": True,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.spines.bottom": False,
    "grid.color": LINE,
    "xtick.labelcolor": TEXT,
    "ytick.labelcolor": TEXT,
    "xtick.bottom": False,
    "ytick.left": False,
    "figure.titlesize": svg.FONT_SIZE + 1,
    "figure.titleweight": "bold",
    "legend.frameon": False,
}
DASHES = {"solid": "-", "dashed": "--", "dotted": ":"}
PER_INCH = 72
"""Pixels: one is a point."""
TOP, RIGHT, BOTTOM = 22, 14, 40
CELL, LONGEST_NAME = 34, 17
"""Side of a heat map's cell in pixels, and most characters of a name."""
BOLD = 8.4
"""Pixels of a small letter in a title."""
ROW = 840
"""Pixels of a row of panels in a file."""


def panel_svg(panel: Panel | Heat, name: str) -> str:
    """An inline image in the colours of the page, with its title and description.

    name: Prefix of its ids, unique on the page.
    """
    width, height = size(panel)
    if isinstance(panel, Heat):
        left, top, bottom = _room(panel), 20 + _room(panel), 4
        right = width - left - CELL * len(panel.names)
    else:
        left = 27 + 7 * max(len(text) for _, text in panel.y.ticks)
        top, right, bottom = TOP, RIGHT, BOTTOM
    across, up = width - left - right, height - top - bottom
    with _canvas(width, height) as canvas:
        axes = canvas.add_axes((left / width, bottom / height, across / width, up / height))
        _draw(axes, panel)
        if isinstance(panel, Heat):  # above the names, too
            axes.set_title(axes.get_title(), loc="left", x=-left / across)
            axes.set_title("")
        else:
            axes.set_title(axes.get_title(), x=(width / 2 - left) / across)
        source = _saved(canvas)
    return svg.inline(source, name, panel.title or "figure", panel.about)


def swatch_svg(mark: Mark, name: str) -> str:
    """A sample of a mark for a legend, 24 x 12 pixels; name: as of `panel_svg`."""
    width, height = 24, 12
    with _canvas(width, height) as canvas:
        axes = canvas.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, width), ylim=(0, height))
        axes.set_axis_off()
        _mark(axes, _sample(mark))
        source = _saved(canvas)
    return svg.inline(source, name)


def save_figure(
    figure: Figure, folder: Path, endings: Sequence[str] = ("svg", "png")
) -> list[Path]:
    """NAME.svg and NAME.png of the whole figure: panels in rows, the legend below."""
    paths = [folder / f"{figure.name}.{ending}" for ending in endings]
    with _whole(figure) as canvas:
        for path in paths:
            if path.suffix == ".svg":
                source = _saved(canvas)
                write_text(path, svg.document(source, figure.name, figure.title, figure.about))
            else:
                canvas.savefig(path, dpi=160, facecolor=PAGE, metadata={"Software": None})
    return paths


def size(panel: Panel | Heat) -> tuple[int, int]:
    """Width and height in pixels."""
    if isinstance(panel, Panel):
        return panel.width, panel.height
    side = _room(panel) + CELL * len(panel.names)
    return max(side + 4, round(BOLD * _width(panel.title))), side + 24


def _room(heat: Heat) -> int:
    """Pixels that the names beside a heat map take."""
    return 12 + round(7.4 * min(max(map(_width, heat.names), default=0), LONGEST_NAME))


@contextmanager
def _canvas(width: float, height: float, layout: Any = None) -> Generator[Canvas]:
    """An empty figure of a size in pixels; LabelMassError without matplotlib."""
    try:
        import matplotlib
        from matplotlib.figure import Figure as Canvas
    except ImportError:
        raise LabelMassError('figures need matplotlib: pip install "labelmass[figures]"') from None
    with matplotlib.rc_context(cast("Any", STYLE)), warnings.catch_warnings():
        # A page's own fonts have the glyphs that matplotlib's font lacks.
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        yield Canvas((width / PER_INCH, height / PER_INCH), dpi=PER_INCH, layout=layout)


@contextmanager
def _whole(figure: Figure) -> Generator[Canvas]:
    sizes = [size(panel) for panel in figure.panels]
    wide, high = max(w for w, _ in sizes), max(h for _, h in sizes)
    across = min(len(sizes), max(1, ROW // wide))
    down = -(-len(sizes) // across)
    names = list(figure.legend)
    longest = max(len(figure.title) + 2, *(len(name) + 6 for name in names), 0)
    width = max(across * wide, 7 * longest)
    height = down * high + 24 + 17 * len(names)
    with _canvas(width, height, "constrained") as canvas:
        grid = canvas.subplots(down, across, squeeze=False)
        every: list[Axes] = list(grid.flat)
        for axes, panel in zip(every, figure.panels, strict=False):
            _draw(axes, panel)
        for axes in every[len(sizes) :]:
            axes.set_axis_off()
        handles: dict[str, Any] = {}
        for axes in every[: len(sizes)]:
            entries, texts = axes.get_legend_handles_labels()
            handles = dict(zip(texts, entries, strict=True)) | handles
        if names:
            shown = {label: handles[label] for label in map(_label, names)}
            canvas.legend(list(shown.values()), list(shown), loc="outside lower left")
        canvas.suptitle(_one_line(figure.title))
        yield canvas


def _saved(canvas: Canvas) -> str:
    text = io.StringIO()
    nothing: Any = {"Date": None, "Creator": None, "Format": None, "Type": None}
    canvas.savefig(text, format="svg", transparent=True, metadata=nothing)
    return text.getvalue()


def _draw(axes: Axes, panel: Panel | Heat) -> None:
    if isinstance(panel, Heat):
        _heat(axes, panel)
        return
    for mark in panel.marks:
        _mark(axes, mark)
    x, y = panel.x, panel.y
    axes.set_title(_short(panel.title, int((panel.width - 4) / BOLD)))
    axes.set(xlabel=_one_line(x.label), xlim=(x.low, x.high))
    axes.set(ylabel=_one_line(y.label), ylim=(y.low, y.high))
    axes.set_xticks([value for value, _ in x.ticks], [_one_line(text) for _, text in x.ticks])
    axes.set_yticks([value for value, _ in y.ticks], [_one_line(text) for _, text in y.ticks])


def _mark(axes: Axes, mark: Mark) -> None:
    colour = _colour(mark.colour)
    if isinstance(mark, Notes):
        place: dict[str, Any] = {"ha": "left", "va": "bottom", "xytext": (4, 2)}
        if not mark.to_the_right:
            place = {"ha": "center", "va": "bottom", "xytext": (0, 0)}
        for x, y, text in mark.notes:
            axes.annotate(
                _one_line(text),
                (x, y),
                textcoords="offset points",
                color=colour,
                fontsize=svg.FONT_SIZE - 1,
                annotation_clip=False,
                **place,
            )
        return
    look: dict[str, Any] = {"label": _label(mark.name), "clip_on": False}
    if isinstance(mark, Line):
        width = min(mark.width, 1.2) if mark.colour == SOFT else mark.width
        x, y = _columns(mark.points, 2)
        axes.plot(x, y, color=colour, ls=DASHES[mark.dash], lw=width, **look)
    elif isinstance(mark, Dots):
        hollow = mark.hollow or [False] * len(mark.points)
        face = [PAGE if empty else colour for empty in hollow]
        x, y = _columns(mark.points, 2)
        axes.scatter(
            x, y, 34, c=face or colour, edgecolors=colour, marker=mark.marker, zorder=3, **look
        )
    elif isinstance(mark, Spans):
        x, low, high = _columns(mark.spans, 3)
        axes.vlines(x, low, high, colour, lw=5, alpha=0.4, **look)
    else:
        left, right, height = _columns(mark.bars, 3)
        gaps = [0.06 * (b - a) for a, b in zip(left, right, strict=True)]
        axes.bar(
            [a + gap for a, gap in zip(left, gaps, strict=True)],
            height,
            [b - a - 2 * gap for a, b, gap in zip(left, right, gaps, strict=True)],
            align="edge",
            color=colour,
            alpha=0.35 if mark.colour == SOFT else 0.8,
            **look,
        )


def _sample(mark: Mark) -> Mark:
    """The same kind of mark on 24 x 12 pixels."""
    if isinstance(mark, Line):
        return Line("", [(1, 6), (23, 6)], mark.colour, mark.dash, mark.width)
    if isinstance(mark, Dots):
        return Dots("", [(12, 6)], mark.colour, mark.marker)
    if isinstance(mark, Bars):
        return Bars("", [(6, 18, 11)], mark.colour)
    assert isinstance(mark, Spans)
    return Spans("", [(12, 0, 12)], mark.colour)


def _heat(axes: Axes, heat: Heat) -> None:
    from matplotlib.patches import Rectangle

    count = len(heat.names)
    names = [_short(name, LONGEST_NAME) for name in heat.names]
    axes.set(xlim=(0, count), ylim=(count, 0), aspect="equal")
    axes.grid(visible=False)
    middles = [at + 0.5 for at in range(count)]
    axes.set_xticks(middles, names, rotation=90)
    axes.set_yticks(middles, names)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set_title(_short(heat.title, 60))
    for at in range(count + 1):
        axes.plot([0, count], [at, at], [at, at], [0, count], color=LINE, lw=1, clip_on=False)
    for row, values in enumerate(heat.values):
        for column, value in enumerate(values):
            alone, full = row == column, _shade(value, heat.most)
            square: dict[str, Any] = {
                "xy": (column + 0.03, row + 0.03),
                "width": 0.94,
                "height": 0.94,
            }
            if alone:
                axes.add_patch(Rectangle(**square, fill=False, ec=MUTED, ls=(0, (3, 2)), lw=1))
            elif full >= 0.005:
                axes.add_patch(Rectangle(**square, fc=HEAT, alpha=round(full, 2), lw=0))
            if value is not None:
                colour = MUTED if alone else TEXT
                axes.text(
                    column + 0.5, row + 0.5, _share(value), ha="center", va="center", color=colour
                )


def _shade(value: float | None, most: float) -> float:
    """Saturation of a cell's colour, from 0 to 1."""
    return 0.0 if value is None or most <= 0 else min(value / most, 1.0)


def _share(value: float) -> str:
    """A share in a small cell: .07, and "·" below half a hundredth."""
    if value < 0.005:
        return "·"
    return f"{value:.2f}".removeprefix("0") if value < 0.995 else "1"


def _colour(number: int) -> str:
    return MUTED if number == SOFT else COLOURS[number % len(COLOURS)]


def _columns(rows: Sequence[tuple[float, ...]], count: int) -> list[list[float]]:
    return [[row[at] for row in rows] for at in range(count)]


def _label(name: str) -> str:
    """The name for a legend, from which matplotlib leaves out those that begin with "_"."""
    line = _one_line(name)
    return f"\u2060{line}" if line.startswith("_") else line or "_unnamed"


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))


def _short(text: str, most: float) -> str:
    """The text in one line, no wider than `most` small letters."""
    line = _one_line(text)
    if _width(line) <= most:
        return line
    while _width(line) > most - 1.6:
        line = line[:-1]
    return f"{line.rstrip()}…"


def _width(text: str) -> float:
    """About how many small letters the text is as wide as."""
    return sum(map(_letters, text))


def _letters(one: str) -> float:
    if east_asian_width(one) in "WF":
        return 2.1
    return 1.6 if one in "MWmw@%…" else 1.25 if one.isupper() else 1.0
