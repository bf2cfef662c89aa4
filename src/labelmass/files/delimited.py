"""Tables of delimited text, CSV and TSV, read strictly after RFC 4180.

A cell in quotation marks may hold separators, line ends and, doubled, quotation marks. Any other
quotation mark is an error, which costs the lines up to the one where its cell begins and no more:
reading goes on with the next line. The csv module would read such a cell on to the next mark, over
any number of rows, or change it without a word.
"""

from __future__ import annotations

import io
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from labelmass.errors import LabelMassError, RecordError

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
"""Separators between cells, with their names; the first that fits is taken."""

_QUOTE = '"'
_CURE = 'enclose such a cell in quotation marks, and write those inside it twice ("")'
_SPECIAL = frozenset({_QUOTE, "\r", "\n", *SEPARATORS})


class Row(NamedTuple):
    """One row, or what is wrong with it.

    line, last: the lines that it begins and ends on, from 1.
    """

    line: int
    last: int
    cells: list[str] | RecordError


@dataclass(frozen=True, slots=True)
class Table:
    """A header, and the rows under it as they are read.

    rows: cells that are as many as the columns, or the error in their place.
    """

    name: str
    separator: str
    line: int
    columns: tuple[str, ...]
    rows: Iterator[Row]

    def error(self, message: str) -> LabelMassError:
        """Error in the header, with the columns and the separator as they were read."""
        text = ", ".join(self.columns)
        read = f"(columns: {text}; separated by {SEPARATORS.get(self.separator, self.separator)})"
        return LabelMassError(f"{self.name}: {message} {read}")

    def check_unique(self) -> Table:
        """The table itself; LabelMassError if two columns share a name that is not empty."""
        for name, count in Counter(self.columns).items():
            if count > 1 and name:
                places = [str(at) for at, each in enumerate(self.columns, 1) if each == name]
                raise LabelMassError(
                    f"{self.name}: the column {name!r} stands {count} times (columns "
                    f"{', '.join(places)}): give each its own name"
                )
        return self


def read_table(
    stream: BinaryIO,
    name: str,
    wanted: Collection[str] = (),
    *,
    separator: str | None = None,
    quoted: bool = True,
    strip: bool = False,
) -> Table:
    """The table in a stream of UTF-8; bytes that are not come as lone surrogates in their cells.

    name: what errors call it. separator: None for the one of `SEPARATORS` whose header holds most
        of the columns `wanted`; of equals, the first that divides the header at all.
    quoted: whether quotation marks enclose cells, or are text like any other.
    strip: leave out blanks around the columns' names.
    Raises LabelMassError for a file without a header.
    """
    lines = _Lines(_text(stream))
    header, chosen = _header(lines, name, wanted, separator, quoted)
    assert not isinstance(header.cells, RecordError)
    columns = tuple(cell.strip() if strip else cell for cell in header.cells)
    return Table(name, chosen, header.line, columns, _whole(lines, chosen, quoted, len(columns)))


def read_rows(
    stream: BinaryIO, separator: str, *, quoted: bool = True, width: int | None = None
) -> Iterator[Row]:
    """The rows of a table without a header; blank lines are only counted.

    width: how many cells each must have, if that is known.
    """
    lines = _Lines(_text(stream))
    return (
        _rows(lines, separator, quoted)
        if width is None
        else _whole(lines, separator, quoted, width)
    )


def write_row(cells: Iterable[str]) -> str:
    """The line of a CSV that `read_next_tokens` reads as these cells.

    A cell is enclosed in quotation marks where any reader, or one who guesses the separator, could
    take it for something else. The csv module leaves carriage returns bare, which end a row.
    """
    line = ",".join(
        f'"{cell.replace(_QUOTE, _QUOTE * 2)}"' if _SPECIAL.intersection(cell) else cell
        for cell in cells
    )
    return (line or _QUOTE * 2) + "\n"


def bad_byte(cell: str) -> int | None:
    """The first byte of a cell that is not UTF-8; None if all of it is."""
    return next((ord(c) - 0xDC00 for c in cell if "\udc80" <= c <= "\udcff"), None)


def _text(stream: BinaryIO) -> Iterator[str]:
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        yield from text
    finally:
        with suppress(ValueError):  # the stream is closed already
            text.detach()  # whoever opened it closes it


class _Lines:
    """Lines with their ends, of which some can be put back."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._back: deque[str] = deque()
        self.number = 0

    def next(self) -> str | None:
        """The next line; None after the last."""
        line = self._back.popleft() if self._back else next(self._lines, None)
        if line is not None:
            self.number += 1
        return line

    def put_back(self, lines: list[str]) -> None:
        """Have these come again, first to last."""
        self._back.extendleft(reversed(lines))
        self.number -= len(lines)


class _BrokenCell(Exception):
    """A cell that RFC 4180 does not know. line: the one it begins on."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def _header(
    lines: _Lines, name: str, wanted: Collection[str], separator: str | None, quoted: bool
) -> tuple[Row, str]:
    """The first row, and what separates its cells."""
    best: tuple[tuple[int, bool], Row, str] | None = None
    wrong: RecordError | None = None
    for candidate in SEPARATORS if separator is None else (separator,):
        row, taken = _first(lines, candidate, quoted)
        if row is None:
            raise LabelMassError(f"{name}: no header (the file is empty)")
        if isinstance(row.cells, RecordError):
            wrong = wrong or row.cells
        else:
            fits = sum(cell.strip() in wanted for cell in row.cells), len(row.cells) > 1
            if best is None or fits > best[0]:
                best = fits, row, candidate
        lines.put_back(taken)
    if best is None:
        raise LabelMassError(f"{name}: no header ({wrong})")
    _first(lines, best[2], quoted)
    return best[1], best[2]


def _first(lines: _Lines, separator: str, quoted: bool) -> tuple[Row | None, list[str]]:
    """The next row that is not blank, and all lines that were taken for it."""
    before: list[str] = []
    while (line := lines.next()) is not None:
        if line.strip("\r\n"):
            row, taken = _row(lines, line, separator, quoted)
            return row, [*before, *taken]
        before.append(line)
    return None, before


def _whole(lines: _Lines, separator: str, quoted: bool, width: int) -> Iterator[Row]:
    """Rows with the number of their cells checked."""
    for row in _rows(lines, separator, quoted):
        if not isinstance(row.cells, RecordError) and len(row.cells) != width:
            message = f"{len(row.cells)} cells where there are {width} columns{_span(row)}"
            row = row._replace(cells=RecordError(message))
        yield row


def _span(row: Row) -> str:
    return "" if row.last == row.line else f" (lines {row.line} to {row.last})"


def _rows(lines: _Lines, separator: str, quoted: bool) -> Iterator[Row]:
    while (line := lines.next()) is not None:
        if line.strip("\r\n"):
            yield _row(lines, line, separator, quoted)[0]


def _row(lines: _Lines, line: str, separator: str, quoted: bool) -> tuple[Row, list[str]]:
    """The row that begins with this line, and the lines it was read from."""
    number = lines.number
    if not quoted or _QUOTE not in line:
        return Row(number, number, line.rstrip("\r\n").split(separator)), [line]
    taken = [line]
    try:
        cells = _cells(lines, taken, separator)
    except _BrokenCell as error:
        kept = error.line - number + 1
        lines.put_back(taken[kept:])
        row = Row(number, error.line, RecordError(f"malformed table: {error}"))
        return row, taken[:kept]
    return Row(number, lines.number, cells), taken


def _cells(lines: _Lines, taken: list[str], separator: str) -> list[str]:
    """The cells of a row; `taken` holds its first line and grows by those that are read for it."""
    cells: list[str] = []
    at = 0
    while True:
        line = taken[-1]
        if line.startswith(_QUOTE, at):
            cell, at = _enclosed(lines, taken, at + 1, separator)
            line = taken[-1]
        else:
            end = line.find(separator, at)
            cell = line[at:] if end < 0 else line[at:end]
            at = len(line) if end < 0 else end
            if end < 0:
                cell = cell.rstrip("\r\n")
            if _QUOTE in cell:
                raise _BrokenCell(
                    lines.number,
                    f"line {lines.number} has a quotation mark in a cell that does not begin with "
                    f"one: {_CURE}",
                )
        cells.append(cell)
        if not line.startswith(separator, at):
            return cells
        at += len(separator)


def _enclosed(lines: _Lines, taken: list[str], at: int, separator: str) -> tuple[str, int]:
    """A cell in quotation marks from its first character, and where it ends in the last line."""
    began = lines.number
    parts: list[str] = []
    start = at
    while True:
        line = taken[-1]
        close = line.find(_QUOTE, at)
        if close < 0:
            parts.append(line[start:])
            further = lines.next()
            if further is None:
                raise _BrokenCell(
                    began,
                    f"line {began} has a quotation mark that is never closed: {_CURE}",
                )
            taken.append(further)
            at = start = 0
            continue
        after = close + 1
        if line.startswith(_QUOTE, after):
            parts.append(line[start:after])
            at = start = after + 1
            continue
        if not line.startswith(separator, after) and line[after:].strip("\r\n"):
            where = "" if lines.number == began else f" on line {lines.number}"
            raise _BrokenCell(
                began,
                f"line {began} begins a cell that goes on behind its closing quotation mark"
                f"{where}: {_CURE}",
            )
        parts.append(line[start:close])
        return "".join(parts), after
