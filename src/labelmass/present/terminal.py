"""Tables for a terminal, where no number is ever cut; what is drawn for one, as text and as SVG."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from labelmass._text import printable
from labelmass.files.writing import write_text
from labelmass.present.tables import Cell, Head, Table

LINE, WORD = 9, 16
"""A column's name is broken into lines no shorter than the first of these; a word longer than
the second may break at its hyphens."""
NAME, PROSE = 24, 12
"""Characters that a column of names, and one of words, keep if the terminal is narrow."""


def blocks(table: Table, width: int) -> Iterator[RenderableType]:
    """The table in `width` characters, split into blocks of columns if it is wider."""
    names = range(table.pinned)
    columns = [
        _Column(head, [row[at] for row in table.cells], NAME if at in names else PROSE)
        for at, head in enumerate(table.heads)
    ]
    gap = 2 if sum(column.widest + 2 for column in columns) - 2 <= width else 1
    for number, block in enumerate(_fitting(columns, table.pinned, width, gap)):
        if number:
            yield ""
        yield _grid(
            [columns[at] for at in block], gap, show_header=any(head.text for head in table.heads)
        )
    for note in table.notes:
        yield Text(printable(note), "dim")


def plain_text(drawing: RenderableType) -> str:
    """What a terminal of this width shows, without its colours."""
    console = Console(
        file=io.StringIO(), force_terminal=False, force_jupyter=False, color_system=None
    )
    with console.capture() as captured:
        console.print(drawing)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def save_svg(drawing: RenderableType, path: str | Path, title: str) -> None:
    """Write what a terminal of this width shows; the picture loads no fonts from the network."""
    console = Console(file=io.StringIO(), force_jupyter=False, record=True)
    console.print(drawing)
    picture = console.export_svg(title=printable(title))
    write_text(path, re.sub(r"\s*@font-face \{.*?\}", "", picture, flags=re.DOTALL))


class _Column:
    """A column, the room it needs, and the room it would like.

    least: Least width it needs if it holds words.
    """

    def __init__(self, head: Head, cells: Sequence[Cell], least: int) -> None:
        self.prose, self.cells = head.prose, [_text(cell) for cell in cells]
        lengths = [cell_len(line) for cell in self.cells for line in cell.plain.splitlines()]
        room = max(lengths, default=0)
        words = [part for word in head.text.split() for part in _parts(word)]
        room = max(room, len(head.text)) if head.prose else room
        lines = textwrap.wrap(head.text, max([room, *map(len, words), LINE]))
        self.head = Text("\n".join(lines), "bold")
        self.widest = max([room, *map(cell_len, lines)])
        self.narrowest = min(self.widest, least) if head.prose else self.widest


def _parts(word: str) -> list[str]:
    """Parts of a column's name that must each stay on one line."""
    return [word] if len(word) <= WORD else word.replace("-", "- ").split()


def _fitting(columns: Sequence[_Column], pinned: int, width: int, gap: int) -> Iterator[list[int]]:
    """The columns of each block, the pinned ones in every one."""
    first = list(range(min(pinned, len(columns))))
    used = sum(columns[at].narrowest + gap for at in first) - gap
    block, room = list(first), width - used
    for at in range(len(first), len(columns)):
        needed = columns[at].narrowest + gap
        if needed > room and len(block) > len(first):
            yield block
            block, room = list(first), width - used
        block.append(at)
        room -= needed
    yield block


def _grid(columns: Sequence[_Column], gap: int, *, show_header: bool) -> Grid:
    grid = Grid(box=None, pad_edge=False, padding=(0, gap, 0, 0), show_header=show_header)
    for column in columns:
        grid.add_column(
            column.head,
            justify="left" if column.prose else "right",
            overflow="fold",
            no_wrap=not column.prose,
            min_width=column.narrowest,
        )
    for row in zip(*(column.cells for column in columns), strict=True):
        grid.add_row(*row)
    return grid


def _text(cell: Cell) -> Text:
    text = Text(printable(cell.text), cell.style or ("bold" if cell.best else ""))
    for detail in cell.details:
        text.append(f" {printable(detail)}", "dim")
    if cell.verdict:
        text.append(f" {cell.verdict}", "yellow")
    return text
