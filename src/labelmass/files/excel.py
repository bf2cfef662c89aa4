"""Excel workbooks, a row at a time; the library for them is optional.

A workbook is read twice side by side: once with the results that its formulas had when it was
saved, and once with the formulas, so that a formula without a result is not taken for an empty
cell.
"""

from __future__ import annotations

import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, time
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from labelmass.errors import LabelMassError, RecordError
from labelmass.files.archives import reject_bomb
from labelmass.files.opening import open_file

MAX_ROWS = 1_048_576
"""Rows of a sheet, as the format has it."""

_EXACT = 2**53
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


@dataclass(frozen=True, slots=True)
class Sheet:
    """The sheet of an open workbook that holds a table.

    Attributes:
        columns: Their names; "" for a column without one.
        rows: Number of the row in the sheet, and its values by column, or the RecordError in its
            place. Empty cells, empty rows and columns without a name are left out.
    """

    name: str
    columns: tuple[str, ...]
    rows: Iterator[tuple[int, Any]]

    def error(self, message: str) -> LabelMassError:
        """The error of a sheet whose header is wrong, with its columns."""
        return LabelMassError(f"{self.name}: {message} (columns: {', '.join(self.columns)})")


@contextmanager
def open_sheet(path: str | Path, sheet: str | None = None) -> Generator[Sheet]:
    """The table in a workbook: its first row that is not empty is the header.

    Args:
        path: An .xlsx file.
        sheet: Name of the sheet; None for the only one that is not empty.

    Raises:
        LabelMassError: For a file that is no workbook or is damaged, a sheet that is not there or
            has no contents, several sheets to choose from, and two columns of one name.
    """
    openpyxl = _import_openpyxl()
    name = str(path)
    with ExitStack() as stack:

        def opened(*, data_only: bool) -> Any:
            stream = stack.enter_context(open_file(path, workbook=True))
            with _refusing(name):
                _check_archive(stream, name)
                book = openpyxl.load_workbook(stream, read_only=True, data_only=data_only)
            stack.callback(book.close)
            return book

        results, formulas = opened(data_only=True), opened(data_only=False)
        title = _title(formulas, name, sheet)
        shown = f"{name}, sheet {title!r}" if len(formulas.worksheets) > 1 else name
        lines = _lines(results[title], formulas[title], shown)
        _, (header, _) = next(lines)  # the sheet is not empty
        columns = tuple("" if cell.value is None else _name(cell.value) for cell in header)
        for column, count in Counter(columns).items():
            if count > 1 and column:
                raise LabelMassError(
                    f"{shown}: the column {column!r} stands {count} times: give each its own name"
                )
        yield Sheet(shown, columns, _rows(lines, columns))


def _import_openpyxl() -> Any:
    """The module `openpyxl`; raises LabelMassError naming the command."""
    try:
        return import_module("openpyxl")
    except ImportError:
        raise LabelMassError(
            "an Excel workbook needs the package openpyxl: pip install 'labelmass[excel]', or save "
            "the sheet as CSV in UTF-8"
        ) from None


@contextmanager
def _refusing(name: str) -> Generator[None]:
    """Whatever openpyxl raises for damaged files, in words; its warnings are of looks, not values.

    It raises what the damage leads to, so that no list of classes would be complete.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except LabelMassError:
        raise
    except Exception as error:
        raise LabelMassError(
            f"{name}: not an Excel workbook, or a damaged one ({type(error).__name__}: {error})"
        ) from None


def _check_archive(stream: BinaryIO, name: str) -> None:
    with zipfile.ZipFile(stream) as archive:
        reject_bomb(archive, name)
    stream.seek(0)


def _title(book: Any, name: str, sheet: str | None) -> str:
    """Title of the sheet that is meant."""
    titles = [one.title for one in book.worksheets]
    if sheet is not None and sheet not in titles:
        raise LabelMassError(f"{name}: no sheet {sheet!r} (sheets: {', '.join(titles)})")
    filled = [title for title in titles if not _is_empty(book[title], name)]
    if sheet is not None:
        filled = [title for title in filled if title == sheet]
    if not filled:
        raise LabelMassError(
            f"{name}: no header ({'the workbook' if sheet is None else f'sheet {sheet!r}'} is "
            "empty)"
        )
    if len(filled) > 1:
        raise LabelMassError(
            f"{name}: {len(filled)} sheets are not empty ({', '.join(filled)}): name the one that "
            "holds the records with --sheet"
        )
    return filled[0]


def _is_empty(sheet: Any, name: str) -> bool:
    with _refusing(name):
        sheet.reset_dimensions()  # what a file says of its own size may be wrong
        return all(cell.value is None for row in sheet.iter_rows() for cell in row)


def _lines(
    results: Any, formulas: Any, name: str
) -> Iterator[tuple[int, tuple[Sequence[Any], Sequence[Any]]]]:
    """Number of each row that is not empty, and its cells with results and with formulas."""
    for sheet in (results, formulas):
        sheet.reset_dimensions()
    pairs = enumerate(zip(results.iter_rows(), formulas.iter_rows(), strict=True), start=1)
    while True:
        with _refusing(name):
            number, pair = next(pairs, (0, ((), ())))
        if not number:
            return
        if number > MAX_ROWS:
            raise LabelMassError(f"{name}: a damaged workbook (it has more than {MAX_ROWS:,} rows)")
        if any(cell.value is not None for cell in pair[1]):
            yield number, pair


def _rows(
    lines: Iterator[tuple[int, tuple[Sequence[Any], Sequence[Any]]]], columns: tuple[str, ...]
) -> Iterator[tuple[int, Any]]:
    for number, (results, formulas) in lines:
        row: dict[str, Any] = {}
        try:
            for column, cell, formula in zip(columns, results, formulas, strict=False):
                if column and formula.value is not None:
                    row[column] = _value(cell, formula, f"{column}: cell {formula.coordinate}")
        except RecordError as error:
            yield number, error
            continue
        if row:
            yield number, {column: value for column, value in row.items() if value is not None}


def _value(cell: Any, formula: Any, place: str) -> Any:
    """The value of a cell that is not empty; a whole number has no decimals in Excel.

    Raises:
        RecordError: For a formula without a result, and for an error value.
    """
    value = cell.value
    if cell.data_type == "e":
        raise RecordError(f"{place} holds the error {value}: correct it in the workbook")
    if value is None:
        # a result that is the empty text has this type, and no value
        if formula.data_type == "f" and cell.data_type != "str":
            raise RecordError(
                f"{place} holds a formula without a result: open the workbook in a spreadsheet "
                "program and save it, or put the values in place of the formulas"
            )
        return None
    if isinstance(value, str):
        return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), value)
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT:
        return int(value)
    if isinstance(value, datetime) and value.time() == time():
        shows_time = any(letter in cell.number_format.lower() for letter in "hs")
        return value if shows_time else value.date()
    return value


def _name(value: Any) -> str:
    return str(int(value) if isinstance(value, float) and value.is_integer() else value).strip()
