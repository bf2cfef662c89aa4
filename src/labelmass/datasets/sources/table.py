"""Tables: rows of CSV and TSV files that know their line and say what is wrong with a cell."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from labelmass import files
from labelmass.datasets.sources.base import SourceFile
from labelmass.errors import LabelMassError, RecordError

VOTES = {"0": False, "0.0": False, "false": False, "1": True, "1.0": True, "true": True}
"""Cells that mean no and yes, in lower case."""

_INDEX = re.compile(r"(Unnamed: \d+(_level_\d+)?|__index_level_\d+__)?")


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its cells by position, and by column where the table has a header."""

    file: SourceFile
    line: int
    cells: list[str]
    columns: dict[str, int]

    def __getitem__(self, column: str) -> str:
        return self.cells[self.columns[column]]

    def get(self, column: str) -> str | None:
        """The cell; None if it is empty or the table has no such column."""
        return self[column] or None if column in self.columns else None

    def error(self, message: str) -> LabelMassError:
        """Error for this row, with its file and the line it begins on."""
        return self.file.error(self.line, message)

    def number(self, column: str) -> float | None:
        """The number in a cell; None if the cell is empty."""
        cell = self[column].strip()
        try:
            return float(cell) if cell else None
        except ValueError:
            raise self.error(f"{column} is {cell!r}, not a number") from None

    def vote(self, column: str, none: Sequence[str] = ()) -> bool | None:
        """True if the cell holds 1 (not 0), 1.0 or True; None if it is empty or one of `none`."""
        cell = self[column].strip()
        if not cell or cell in none:
            return None
        if (vote := VOTES.get(cell.lower())) is None:
            expected = ", ".join(("0", "1", *none))
            raise self.error(f"{column} is {cell!r}: expected {expected} or nothing")
        return vote


@dataclass(frozen=True, slots=True)
class Table:
    """A header and its rows, read as they are asked for."""

    file: SourceFile
    columns: tuple[str, ...]
    rows: Iterator[Row]

    def __iter__(self) -> Iterator[Row]:
        return self.rows

    def others(self, *columns: str) -> list[str]:
        """The columns but these, in their order."""
        return [column for column in self.columns if column not in columns]


def read_table(
    file: SourceFile,
    needs: Iterable[str],
    separator: str | None = None,
    *,
    wanted: Iterable[str] = (),
    quoted: bool = True,
    by_position: bool = False,
) -> Table:
    """A table with a header that holds the columns `needs`; raises LabelMassError naming them.

    separator: None for what the header tells, by the columns needed or `wanted`. quoted: whether
        quotation marks enclose cells, or are text like any other. by_position: two columns may have
        one name; the first counts.
    """
    needs = tuple(needs)
    stream = io.BytesIO(file.unpacked)
    table = files.read_table(
        stream, file.name, (*needs, *wanted), separator=separator, quoted=quoted, strip=True
    )
    if not by_position:
        table.check_unique()
    missing = [column for column in needs if column not in table.columns]
    if missing:
        raise table.error(f"no column {missing[0]!r}")
    columns: dict[str, int] = {}
    for index, name in enumerate(table.columns):
        columns.setdefault(name, index)
    return Table(file, table.columns, _rows(file, table.rows, columns))


def read_rows(file: SourceFile, width: int, separator: str) -> Iterator[Row]:
    """The rows of a table without a header, all of `width` cells."""
    return _rows(file, files.read_rows(io.BytesIO(file.unpacked), separator, width=width), {})


def is_index(column: str) -> bool:
    """True if a column is one that pandas writes for its rows, and nobody named."""
    return _INDEX.fullmatch(column) is not None


def _rows(file: SourceFile, rows: Iterable[files.Row], columns: dict[str, int]) -> Iterator[Row]:
    for row in rows:
        if isinstance(row.cells, RecordError):
            raise file.error(row.line, str(row.cells))
        bad = next((byte for cell in row.cells if (byte := files.bad_byte(cell))), None)
        if bad is not None:
            raise file.error(row.line, f"byte 0x{bad:02x} is not UTF-8")
        yield Row(file, row.line, row.cells, columns)
