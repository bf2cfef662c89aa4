"""Charts as SVG, by hand: small, without scripts, in the colours of the page's theme."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from labelmass.reporting import chart
from labelmass.reporting.chart import Bars, Dots, Figure, Heat, Line, Mark, Notes, Panel, Spans
from labelmass.reporting.html import Markup, join, tag

DASHES = {"solid": None, "dashed": "6 4", "dotted": "1.5 3"}
LEFT, RIGHT, TOP, BOTTOM = 34, 10, 22, 34
CELL, LABEL = 34, 110
"""Of a heat map: a cell, and the room for names."""

THEME = (
    "svg{{color:{text};--soft:{soft};--line:{line};--page:{page};--heat:{heat};{colours}}}"
    "text{{fill:currentColor;font:11px system-ui,sans-serif}}"
)


def panel_svg(panel: Panel | Heat, name: str) -> Markup:
    """An image with its title and description; name: of its ids."""
    width, height = size(panel)
    return tag(
        "svg",
        tag("title", panel.title, id=f"{name}-title"),
        tag("desc", panel.about, id=f"{name}-desc"),
        _heat(panel) if isinstance(panel, Heat) else _panel(panel),
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
    )


def size(panel: Panel | Heat) -> tuple[int, int]:
    """Width and height in pixels."""
    if isinstance(panel, Panel):
        return Panel.width, Panel.height
    side = LABEL + CELL * len(panel.names)
    return side + 4, side + 20


def legend(figure: Figure) -> list[tuple[str, Markup]]:
    """What each name looks like."""
    return [(name, _swatch(mark)) for name, mark in figure.marks.items()]


def standalone(figure: Figure) -> str:
    """The whole figure as a file: panels in rows, the legend below, light and dark."""
    sizes = [size(panel) for panel in figure.panels]
    cell, row = max(w for w, _ in sizes), max(h for _, h in sizes)
    across = min(len(sizes), max(1, 840 // cell))
    down = -(-len(sizes) // across)
    parts: list[Markup] = []
    for at, panel in enumerate(figure.panels):
        x, y = at % across * cell, 24 + at // across * row
        drawn = _heat(panel) if isinstance(panel, Heat) else _panel(panel)
        parts.append(tag("g", tag("title", panel.title), drawn, transform=f"translate({x} {y})"))
    y = 24 + down * row + 8
    for name, swatch in legend(figure):
        parts.append(tag("g", swatch, transform=f"translate(10 {y - 3})"))
        parts.append(_text(40, y + 8, name))
        y += 18
    widest = max([len(figure.title), *(len(name) + 6 for name, _ in legend(figure))]) * 7 + 20
    width = max(across * cell, widest)
    return str(
        tag(
            "svg",
            tag("title", figure.title),
            tag("desc", figure.about),
            tag("style", _style()),
            tag("rect", width=width, height=y + 6, fill="var(--page)"),
            _text(10, 15, figure.title, weight="bold"),
            *parts,
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"0 0 {width} {y + 6}",
            width=width,
            height=y + 6,
            role="img",
        )
    )


def _style() -> Markup:
    def theme(text: str, soft: str, line: str, page: str, heat: str, hues: Sequence[str]) -> str:
        colours = ";".join(f"--c{at}:{hue}" for at, hue in enumerate(hues))
        return THEME.format(text=text, soft=soft, line=line, page=page, heat=heat, colours=colours)

    light = theme(
        chart.TEXT_LIGHT,
        chart.SOFT_LIGHT,
        chart.LINE_LIGHT,
        chart.PAGE_LIGHT,
        chart.HEAT_LIGHT,
        chart.LIGHT,
    )
    dark = theme(
        chart.TEXT_DARK,
        chart.SOFT_DARK,
        chart.LINE_DARK,
        chart.PAGE_DARK,
        chart.HEAT_DARK,
        chart.DARK,
    )
    return Markup(f"{light}@media (prefers-color-scheme:dark){{{dark}}}")


class _Scale:
    """From values to pixels."""

    def __init__(self, panel: Panel) -> None:
        self._x, self._y = panel.x, panel.y

    def x(self, value: float) -> float:
        share = (value - self._x.low) / (self._x.high - self._x.low)
        return LEFT + share * (Panel.width - LEFT - RIGHT)

    def y(self, value: float) -> float:
        share = (value - self._y.low) / (self._y.high - self._y.low)
        return Panel.height - BOTTOM - share * (Panel.height - TOP - BOTTOM)


def _panel(panel: Panel) -> Markup:
    to = _Scale(panel)
    floor, left = Panel.height - BOTTOM, LEFT
    middle = (LEFT + Panel.width - RIGHT) / 2
    parts = [_text(middle, 13, _short(panel.title, 30), anchor="middle", weight="600")]
    for value, text in panel.y.ticks:
        at = to.y(value)
        ends = {"x1": left, "x2": Panel.width - RIGHT, "y1": at, "y2": at}
        parts += [tag("line", stroke="var(--line)", **ends), _text(left - 4, at + 4, text, "end")]
    for value, text in panel.x.ticks:
        parts.append(_text(to.x(value), floor + 13, text, "middle"))
    parts.append(_text(middle, Panel.height - 6, panel.x.label, "middle", soft=True))
    height = (TOP + floor) / 2
    parts.append(
        _text(9, height, panel.y.label, "middle", soft=True, turn=f"rotate(-90 9 {height:g})")
    )
    parts += [_mark(mark, to) for mark in panel.marks]
    return join(parts)


def _mark(mark: Mark, to: _Scale) -> Markup:
    if isinstance(mark, Line):
        return _line(mark, [(to.x(x), to.y(y)) for x, y in mark.points])
    if isinstance(mark, Dots):
        hollow = mark.hollow or [False] * len(mark.points)
        pairs = zip(mark.points, hollow, strict=True)
        return join(_dot(mark, to.x(x), to.y(y), empty) for (x, y), empty in pairs)
    if isinstance(mark, Bars):
        return join(_bar(to.x(a), to.x(b), to.y(h), to.y(0)) for a, b, h in mark.bars)
    if isinstance(mark, Spans):
        return join(_span(mark, to.x(x), to.y(a), to.y(b)) for x, a, b in mark.spans)
    return join(_note(mark, to.x(x), to.y(y), text) for x, y, text in mark.notes)


def _line(mark: Line, points: Iterable[tuple[float, float]]) -> Markup:
    return tag(
        "polyline",
        points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points),
        fill="none",
        stroke=_colour(mark.colour),
        stroke_width=1.2 if mark.colour == chart.SOFT else 2,
        stroke_dasharray=DASHES[mark.dash],
    )


def _dot(mark: Dots, x: float, y: float, empty: bool) -> Markup:
    colour = _colour(mark.colour)
    look = {"fill": "var(--page)" if empty else colour, "stroke": colour, "stroke_width": 1.5}
    if mark.marker == "o":
        return tag("circle", cx=x, cy=y, r=3.5, **look)
    turn = None if mark.marker == "s" else f"rotate(45 {x:.1f} {y:.1f})"
    return tag("rect", x=x - 3.2, y=y - 3.2, width=6.4, height=6.4, transform=turn, **look)


def _bar(left: float, right: float, top: float, floor: float) -> Markup:
    return tag(
        "rect",
        x=left + 0.5,
        y=top,
        width=max(right - left - 1, 0.5),
        height=max(floor - top, 0.0),
        fill="var(--soft)",
        fill_opacity=0.35,
    )


def _span(mark: Spans, x: float, low: float, high: float) -> Markup:
    ends = {"x1": x, "x2": x, "y1": low, "y2": high}
    return tag("line", stroke=_colour(mark.colour), stroke_width=5, stroke_opacity=0.4, **ends)


def _note(mark: Notes, x: float, y: float, text: str) -> Markup:
    return _text(x, y, text, "middle", fill=_colour(mark.colour))


def _swatch(mark: Mark) -> Markup:
    """24 x 12 pixels."""
    if isinstance(mark, Line):
        return _line(mark, [(1, 6), (23, 6)])
    if isinstance(mark, Dots):
        return _dot(mark, 12, 6, False)
    if isinstance(mark, Bars):
        return _bar(6, 18, 1, 11)
    assert isinstance(mark, Spans)
    return _span(mark, 12, 0, 12)


def _heat(heat: Heat) -> Markup:
    top = LABEL + 16
    parts = [_text(4, 13, _short(heat.title, 60), weight="600")]
    for row, name in enumerate(heat.names):
        y = top + row * CELL
        x = LABEL + row * CELL + CELL / 2
        parts.append(_text(LABEL - 6, y + CELL / 2 + 4, _short(name, 17), "end"))
        turn = f"rotate(-90 {x + 4:g} {top - 6})"
        parts.append(_text(x + 4, top - 6, _short(name, 17), turn=turn))
        for column, value in enumerate(heat.values[row]):
            parts += _cell(heat, LABEL + column * CELL, y, value, row == column)
    return join(parts)


def _cell(heat: Heat, x: float, y: float, value: float | None, alone: bool) -> list[Markup]:
    full = 0.0 if alone else chart.shade(value, heat.most)
    rect = tag(
        "rect",
        x=x + 1,
        y=y + 1,
        width=CELL - 2,
        height=CELL - 2,
        fill="none" if alone else "var(--heat)",
        fill_opacity=None if alone else full,
        stroke="var(--line)",
        stroke_dasharray="3 2" if alone else None,
    )
    text = "" if value is None else chart.share(value)
    return [rect, _text(x + CELL / 2, y + CELL / 2 + 4, text, "middle", soft=alone)]


def _text(
    x: float,
    y: float,
    text: str,
    anchor: str | None = None,
    *,
    soft: bool = False,
    weight: str | None = None,
    turn: str | None = None,
    fill: str | None = None,
) -> Markup:
    return tag(
        "text",
        text,
        x=float(x),
        y=float(y),
        text_anchor=anchor,
        font_weight=weight,
        transform=turn,
        style=f"fill:{fill or 'var(--soft)'}" if soft or fill else None,
    )


def _colour(number: int) -> str:
    return "var(--soft)" if number == chart.SOFT else f"var(--c{number % len(chart.LIGHT)})"


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
