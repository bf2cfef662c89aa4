"""Rows of every kind of file that holds records, by the ending of its name.

Only batches of Arrow and one row at a time are held in memory, except for JSON arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from labelmass.errors import LabelMassError, RecordError
from labelmass.files import (
    PACKED,
    ArrowTable,
    Table,
    bad_byte,
    contents_ending,
    ending,
    is_saved_dataset,
    open_file,
    open_parquet,
    open_saved_dataset,
    open_sheet,
    parse_json,
    read_json_lines,
    read_lines,
    read_table,
    read_text,
)
from labelmass.records.cells import read_cells
from labelmass.records.columns import FORMS, USUAL_NAMES, Header
from labelmass.task.record import Fields
from labelmass.task.values import kind

KNOWN = ("id", *FORMS, "labels", "annotators", "distribution", "unknown", "split", "group")
"""Columns that tell what separates the cells of a table."""

Rows = Iterator[tuple[int, Any]]
"""Line (of a table without lines: row) and the value that stands there, or a RecordError."""


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of file.

    Attributes:
        rows: The rows of a file; the last argument says that nothing but the ids is wanted.
        count: Number of its records.
        header: Its columns; None where rows name their own fields.
    """

    rows: Callable[[Path, Fields, bool], Rows]
    count: Callable[[Path, Fields], int]
    header: Callable[[Path, Fields], Header | None] = lambda path, fields: None


def format_of(path: Path, fields: Fields) -> Format:
    """The kind of a file; LabelMassError where it is not there, or of no known kind."""
    if path.is_dir():
        if not is_saved_dataset(path):
            raise LabelMassError(
                f"{str(path)!r} is a folder, not a file of records, nor one that `save_to_disk` of "
                "the library datasets wrote"
            )
        result = SAVED_DATASET
    else:
        result = FORMATS[_ending(path)]
    if fields.sheet is not None and result is not FORMATS[".xlsx"]:
        raise LabelMassError(
            f"{str(path)!r} is no Excel workbook, so it has no sheet {fields.sheet!r}: leave out "
            "--sheet"
        )
    return result


@contextmanager
def open_table(path: str | Path, fields: Fields | None = None) -> Generator[Table]:
    """A CSV or TSV of records, blanks around its columns' names left out."""
    fields = fields or Fields()
    named = [name for name in (fields.id, fields.text, fields.labels) if name]
    wanted = (*KNOWN, *USUAL_NAMES, *named)
    separator = "\t" if contents_ending(path) == ".tsv" else None
    with open_file(path) as stream:
        yield read_table(stream, str(path), wanted, separator=separator, strip=True)


def as_text(line: tuple[int, str | RecordError]) -> tuple[int, Any]:
    """The row that a line of plain text is."""
    number, text = line
    return number, {"text": text} if isinstance(text, str) else text


def _ending(path: Path) -> str:
    """The ending that tells what a file holds."""
    is_file = path.is_file()
    result = contents_ending(path) if is_file else ending(path)
    if result not in FORMATS and (is_file or path.suffix.lower() != ".zip"):
        raise LabelMassError(
            f"cannot tell what {str(path)!r} holds: its name must end in {', '.join(FORMATS)}, "
            f"or in one of these and {', '.join(PACKED[:-1])} or {PACKED[-1]}"
        )
    if not is_file:
        raise LabelMassError(f"no file {str(path)!r}")
    return result


# -- lines and values ---------------------------------------------------------------------------


def _json_lines(path: Path, fields: Fields, only_ids: bool) -> Rows:
    with open_file(path) as file:
        yield from read_json_lines(file)


def _plain_lines(path: Path, fields: Fields, only_ids: bool) -> Rows:
    if only_ids:
        return
    with open_file(path) as file:
        yield from map(as_text, read_lines(file))


def _count_lines(path: Path, fields: Fields) -> int:
    with open_file(path) as file:
        return sum(1 for _ in read_lines(file))


def _json_array(path: Path, fields: Fields, only_ids: bool) -> Rows:
    for number, value in enumerate(_array(path), start=1):
        yield as_text((number, value)) if isinstance(value, str) else (number, value)


def _array(path: Path) -> list[Any]:
    text = read_text(path)
    try:
        value = parse_json(text)
    except RecordError as error:
        hint = "; with a record per line its name must end in .jsonl" if _is_lines(text) else ""
        raise LabelMassError(f"{path}: {error}{hint}") from None
    if isinstance(value, list):
        return cast("list[Any]", value)
    cure = "enclose the records in [ and ]"
    if isinstance(value, Mapping):
        under = [name for name, one in cast("dict[str, Any]", value).items() if type(one) is list]
        if under:
            cure = f"write the array under {under[0]!r} to a file of its own"
    raise LabelMassError(f"{path} holds {kind(value)}, not an array of records: {cure}")


def _is_lines(text: str) -> bool:
    """True if the first line that is not blank is an object by itself."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    try:
        return isinstance(parse_json(first), Mapping)
    except RecordError:
        return False


def _array_header(path: Path, fields: Fields) -> Header | None:
    return header_of([one for one in _array(path) if isinstance(one, Mapping)], str(path))


def header_of(rows: list[Mapping[str, Any]], name: str) -> Header | None:
    """Fields of rows that are in memory; None if there are no rows."""
    columns = dict.fromkeys(column for row in rows for column in row)
    texts = {column for row in rows for column, value in row.items() if isinstance(value, str)}

    def error(message: str) -> LabelMassError:
        return LabelMassError(f"{name}: {message} (columns: {', '.join(map(str, columns))})")

    return Header([str(column) for column in columns], texts, error) if rows else None


# -- tables -------------------------------------------------------------------------------------


def _delimited(path: Path, fields: Fields, only_ids: bool) -> Rows:
    with open_table(path, fields) as table:
        if only_ids and (fields.id or "id") not in table.columns:
            return
        for row in table.check_unique().rows:
            if isinstance(row.cells, RecordError):
                yield row.line, row.cells
                continue
            cells = dict(zip(table.columns, row.cells, strict=True))
            cells.pop("", None)  # as pandas calls its index
            bad = next(((name, b) for name, c in cells.items() if (b := bad_byte(c))), None)
            if bad is not None:
                error = f"{bad[0]}: invalid UTF-8: byte 0x{bad[1]:02x}; save the file as UTF-8"
                yield row.line, RecordError(error)
            else:
                yield row.line, read_cells(cells, fields.labels or "labels")


def _count_delimited(path: Path, fields: Fields) -> int:
    with open_table(path, fields) as table:
        return sum(1 for _ in table.rows)


def _delimited_header(path: Path, fields: Fields) -> Header:
    with open_table(path, fields) as table:
        return Header(table.check_unique().columns, table.columns, table.error)


def _parquet(path: Path, fields: Fields, only_ids: bool) -> Rows:
    with open_parquet(path) as table:
        yield from _without_nulls(table.rows([fields.id or "id"] if only_ids else None))


def _count_parquet(path: Path, fields: Fields) -> int:
    with open_parquet(path) as table:
        return table.count


def _parquet_header(path: Path, fields: Fields) -> Header:
    with open_parquet(path) as table:
        return _arrow_header(table)


def _dataset(path: Path, fields: Fields, only_ids: bool) -> Rows:
    with open_saved_dataset(path) as dataset:
        columns = [name for name in dataset.table.columns if name == (fields.id or "id")]
        yield from _without_nulls(dataset.rows(columns if only_ids else None))


def _count_dataset(path: Path, fields: Fields) -> int:
    with open_saved_dataset(path) as dataset:
        return dataset.table.count


def _dataset_header(path: Path, fields: Fields) -> Header:
    with open_saved_dataset(path) as dataset:
        return _arrow_header(dataset.table)


def _arrow_header(table: ArrowTable) -> Header:
    return Header(table.columns, table.texts, table.error)


def _without_nulls(rows: Iterable[tuple[int, Any]]) -> Rows:
    for number, row in rows:
        if isinstance(row, RecordError):
            yield number, row
        else:
            yield number, {name: value for name, value in row.items() if value is not None}


def _workbook(path: Path, fields: Fields, only_ids: bool) -> Rows:
    with open_sheet(path, fields.sheet) as sheet:
        if only_ids and (fields.id or "id") not in sheet.columns:
            return
        for number, row in sheet.rows:
            if not isinstance(row, RecordError):
                row = read_cells(row, fields.labels or "labels")
            yield number, row


def _count_workbook(path: Path, fields: Fields) -> int:
    with open_sheet(path, fields.sheet) as sheet:
        return sum(1 for _ in sheet.rows)


def _workbook_header(path: Path, fields: Fields) -> Header:
    with open_sheet(path, fields.sheet) as sheet:
        return Header(sheet.columns, sheet.columns, sheet.error)


_LINES = Format(_json_lines, _count_lines)
_DELIMITED = Format(_delimited, _count_delimited, _delimited_header)

FORMATS = {
    ".jsonl": _LINES,
    ".ndjson": _LINES,
    ".json": Format(_json_array, lambda path, fields: len(_array(path)), _array_header),
    ".csv": _DELIMITED,
    ".tsv": _DELIMITED,
    ".parquet": Format(_parquet, _count_parquet, _parquet_header),
    ".xlsx": Format(_workbook, _count_workbook, _workbook_header),
    ".txt": Format(_plain_lines, _count_lines),
}
"""Kinds of files, by the endings of their names."""

SAVED_DATASET = Format(_dataset, _count_dataset, _dataset_header)
