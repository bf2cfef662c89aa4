"""Tables and terminal drawings as HTML for a notebook.

Every text is escaped. Styles are inline, as a notebook may drop a style sheet, and plain text keeps
the page's own colour, which may be light or dark.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from html import escape

from rich.console import Console, RenderableType
from rich.terminal_theme import TerminalTheme

from labelmass._text import printable
from labelmass.present.tables import Cell, Head, Table
from labelmass.present.theme import ON_ANY_PAGE

WIDTH = 100
"""Characters of a line of a drawing."""

SCROLL = "overflow-x:auto;max-width:100%"
CELL = "padding:.2em .7em;vertical-align:top"
SHAPES = {"bold": "font-weight:bold", "italic": "font-style:italic"}


def table_html(table: Table) -> str:
    """The table with the details of each cell below its text, and the notes below the table."""
    heads = table.heads
    names = (_text(f"{head.text} {head.arrow}".strip()) for head in heads)
    head = _row("th", heads, names)
    rows = "".join(_row("td", heads, map(_cell, row)) for row in table.cells)
    caption = (
        f'<caption style="text-align:left">{_text(table.title)}</caption>' if table.title else ""
    )
    notes = "".join(f'<div style="{_look("dim")}">{_text(note)}</div>' for note in table.notes)
    return (
        f'<div style="{SCROLL}"><table style="color:inherit">{caption}<thead>{head}</thead>'
        f"<tbody>{rows}</tbody></table>{notes}</div>"
    )


def drawing_html(drawing: RenderableType) -> str:
    """What a terminal of `WIDTH` characters shows, in the colours that read on any page."""
    console = Console(
        file=io.StringIO(),
        record=True,
        width=WIDTH,
        color_system="standard",
        force_terminal=True,
        force_jupyter=False,
    )
    console.print(drawing)
    style = f"{SCROLL};line-height:1.3;font-family:ui-monospace,Menlo,Consolas,monospace"
    shape = f'<pre style="{style}">{{code}}</pre>'
    return console.export_html(theme=_theme(), code_format=shape, inline_styles=True)


def _row(tag: str, heads: Sequence[Head], contents: Iterable[str]) -> str:
    cells = (
        f'<{tag} style="text-align:{"left" if head.prose else "right"};{CELL}">{content}</{tag}>'
        for head, content in zip(heads, contents, strict=True)
    )
    return f"<tr>{''.join(cells)}</tr>"


def _cell(cell: Cell) -> str:
    style = _look(cell.style or ("bold" if cell.best else ""))
    text = _text(cell.text)
    parts = [f'<span style="{style}">{text}</span>' if style else text]
    if cell.verdict:
        parts.append(f' <span style="{_look("yellow")}">{_text(cell.verdict)}</span>')
    parts += [
        f'<br><small style="{_look("dim")};white-space:nowrap">{_text(detail)}</small>'
        for detail in cell.details
        if detail.strip()
    ]
    return "".join(parts)


def _look(style: str) -> str:
    """The CSS of a style as terminals have it: `bold green`, `dim`."""
    looks = [SHAPES.get(word) or f"color:{ON_ANY_PAGE[word]}" for word in style.split()]
    return ";".join(looks)


def _text(text: str) -> str:
    return escape(printable(text))


def _theme() -> TerminalTheme:
    """The colours by a terminal's names; dim text is half of black and white."""
    names = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
    colours = [_rgb(ON_ANY_PAGE.get(name, ON_ANY_PAGE["dim"])) for name in names]
    return TerminalTheme((255, 255, 255), (0, 0, 0), colours)


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return red, green, blue
