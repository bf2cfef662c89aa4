"""Records one by one from JSONL, CSV, Parquet, plain lines or standard input.

A record that cannot be read is reported in its place and stops nothing. Only Parquet batches and
one row at a time are held in memory.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, cast

from labelmass._settings import expect
from labelmass.errors import LabelMassError, RecordError
from labelmass.files import (
    PACKED,
    Table,
    bad_byte,
    ending,
    open_file,
    open_parquet,
    parse_json,
    read_json_lines,
    read_lines,
    read_table,
)
from labelmass.files.delimited import SEPARATORS
from labelmass.records.cells import read_cells
from labelmass.records.names import Names, RowNames, StreamNames
from labelmass.task.record import Fields, Record
from labelmass.task.values import for_json, plain_row

FORMS = ("text", "messages", "prompt", "response")
KNOWN = ("id", *FORMS, "labels", "annotators", "distribution", "unknown", "split", "group")
"""Columns that tell what separates the cells of a table."""

Rows = Iterator[tuple[int, Any]]
"""Line (Parquet: row) and the value that stands there, or a RecordError.

Readers of rows take `only_ids`: whether nothing but the ids is wanted of them.
"""


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that could not be read: `error` names the field and what was expected.

    input: its fields except for the id, where it has some.
    """

    id: str | int
    error: str
    input: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False, compare=False)


Item = tuple[int, Record | BadRecord]
"""The number of a record's line (Parquet: row), from 1, and the record."""


def read_records(
    source: str | Path, stdin: BinaryIO | None = None, *, fields: Fields | None = None
) -> Iterator[Item]:
    """The records of a file, or of standard input for "-", in their order, as they are read.

    JSONL: an object a line. CSV, TSV and Parquet: a column `text`, or `messages`, or `prompt` and
    `response`; `id` if there is one; lists in cells as `read_cells` has them. Anything that ends in
    .txt: a text a line. All of these may be packed, .jsonl.gz and the like. Standard input is JSONL
    if its first line that is not blank begins with `{`, else a text a line. Blank lines are left
    out, and counted in the line numbers. Rows of a CSV are numbered by the line they begin on.

    A record without an id is called by its number, see `names`.
    fields: what text and id are called there.
    Raises LabelMassError for a file that is not there or ends in none of these, and, as the first
    record is read, for a table without such columns, and for a file that is something else.
    """
    fields = fields or Fields()
    if str(source) == "-":
        return _items(_read_stream(stdin or sys.stdin.buffer, fields), StreamNames(), fields)
    path = Path(source)
    read = _reader(path)
    names = RowNames(lambda: (row for _, row in read(path, fields, True)), fields.id or "id")
    return _items(read(path, fields, False), names, fields)


def each_record(texts: Any, *, lazy: bool = False) -> Iterator[Item]:
    """Records given in Python, numbered from 1.

    texts: a text, a record, a mapping as a line of JSONL holds one, or any number of these; or a
        table of pandas, polars or Arrow, a row a record. One text, or one mapping, is one record.
    lazy: read an iterator as it is needed. What a record without an id is called cannot heed later
        ones then: one whose id was given away is refused.
    """
    streamed = lazy and isinstance(texts, Iterator)
    rows: Iterable[Any] = cast("Iterator[Any]", texts) if streamed else rows_of(texts)
    names = StreamNames() if streamed else RowNames(lambda: rows, "id")
    return _each(rows, names)


def _each(rows: Iterable[Any], names: Names) -> Iterator[Item]:
    for number, row in enumerate(rows, start=1):
        if isinstance(row, Record):
            yield number, row
        else:
            row = {"text": row} if isinstance(row, str) else row
            yield number, _item(number, row, names, Fields())


def count_records(source: str | Path) -> int | None:
    """Number of records in a file, for a forecast; None for standard input."""
    if str(source) == "-":
        return None
    path = Path(source)
    _reader(path)
    kind = ending(path)
    if kind == ".parquet":
        with open_parquet(path) as table:
            return table.count
    if kind in _TABLES:
        with open_table(path) as table:
            return sum(1 for _ in table.rows)
    with open_file(path) as file:
        return sum(1 for _ in read_lines(file))


def about_file(source: str | Path, fields: Fields | None = None) -> str | None:
    """Note on how a file is read where its name does not tell: the separator of a CSV."""
    path = Path(source)
    if str(source) == "-" or ending(path) != ".csv":
        return None
    with open_table(path, fields) as table:
        if table.separator == ",":
            return None
        return f"{source} is read as cells separated by {SEPARATORS[table.separator]}"


@contextmanager
def open_table(path: str | Path, fields: Fields | None = None) -> Generator[Table]:
    """A CSV or TSV of records, blanks around its columns' names left out."""
    fields = fields or Fields()
    named = [name for name in (fields.id, fields.text) if name]
    with open_file(path) as stream:
        separator = _TABLES[ending(path)]
        yield read_table(stream, str(path), (*KNOWN, *named), separator=separator, strip=True)


# -- rows of each kind of file ------------------------------------------------------------------


def _reader(path: Path) -> Callable[[Path, Fields, bool], Rows]:
    kind = ending(path)
    if path.is_dir():
        raise LabelMassError(f"{str(path)!r} is a folder, not a file of records")
    if kind not in _READERS:
        raise LabelMassError(
            f"cannot tell what {str(path)!r} holds: its name must end in {', '.join(_READERS)}, "
            f"or in one of these and {' or '.join(PACKED)}"
        )
    if not path.is_file():
        raise LabelMassError(f"no file {str(path)!r}")
    return _READERS[kind]


def _read_jsonl(path: Path, fields: Fields, only_ids: bool) -> Rows:
    with open_file(path) as file:
        yield from read_json_lines(file)


def _read_text(path: Path, fields: Fields, only_ids: bool) -> Rows:
    if only_ids:
        return
    with open_file(path) as file:
        yield from map(_as_text, read_lines(file))


def _read_csv(path: Path, fields: Fields, only_ids: bool) -> Rows:
    with open_table(path, fields) as table:
        _check_columns(table.check_unique().columns, fields, table.error)
        if only_ids and (fields.id or "id") not in table.columns:
            return
        for row in table.rows:
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
                yield row.line, read_cells(cells)


def _read_parquet(path: Path, fields: Fields, only_ids: bool) -> Rows:
    with open_parquet(path) as table:
        _check_columns(table.columns, fields, lambda message: _of_columns(table, message))
        for number, row in table.rows([fields.id or "id"] if only_ids else None):
            if isinstance(row, RecordError):
                yield number, row
            else:
                yield number, {name: value for name, value in row.items() if value is not None}


def _read_stream(stream: BinaryIO, fields: Fields) -> Rows:
    lines = read_lines(stream)
    for number, line in lines:
        rest = chain([(number, line)], lines)
        _check_no_table(line, fields)
        if isinstance(line, str) and line.lstrip().startswith("{"):
            yield from ((at, _parsed(one)) for at, one in rest)
        else:
            yield from map(_as_text, rest)


def _check_no_table(line: str | RecordError, fields: Fields) -> None:
    """LabelMassError for the header of a table, which would be scored as a text."""
    for separator in SEPARATORS:
        cells = {cell.strip().strip('"') for cell in str(line).split(separator)}
        if len(cells) > 1 and cells & {fields.text or "text", "messages", "response"}:
            if all(cell.replace("_", "").isalnum() for cell in cells):
                raise LabelMassError(
                    f"standard input begins with the header of a table ({str(line)[:80]!r}): JSONL "
                    "or lines of text are read from it; write the table to a file that ends in .csv"
                )


def _as_text(line: tuple[int, str | RecordError]) -> tuple[int, Any]:
    number, text = line
    return number, {"text": text} if isinstance(text, str) else text


def _parsed(line: str | RecordError) -> Any:
    if isinstance(line, RecordError):
        return line
    try:
        return parse_json(line)
    except RecordError as error:
        return error


def _check_columns(
    columns: Iterable[str], fields: Fields, error: Callable[[str], LabelMassError]
) -> None:
    columns = set(columns)
    for name, what in ((fields.text, "text"), (fields.id, "id")):
        if name is not None and name not in columns:
            raise error(f"no column {name!r}, which is to be the {what}")
    pair = {"prompt", "response"} <= columns
    if not (fields.text or pair or "text" in columns or "messages" in columns):
        raise error(
            "no column 'text', nor 'prompt' and 'response', nor 'messages': name the column that "
            "holds the text with --text-column"
        )


def _of_columns(table: Any, message: str) -> LabelMassError:
    return LabelMassError(f"{table.name}: {message} (columns: {', '.join(table.columns)})")


_TABLES = {".csv": None, ".tsv": "\t"}
"""Separator of cells; None to take it from the header."""

_READERS: dict[str, Callable[[Path, Fields, bool], Rows]] = {
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".parquet": _read_parquet,
    ".txt": _read_text,
}


# -- records ------------------------------------------------------------------------------------


def _items(rows: Rows, names: Names, fields: Fields) -> Iterator[Item]:
    for number, row in rows:
        yield number, _item(number, row, names, fields)


def _item(number: int, row: Any, names: Names, fields: Fields) -> Record | BadRecord:
    """The record that a row holds, under a name that no other record has by accident."""
    name: str | int | None = None
    try:
        if isinstance(row, RecordError):
            raise row
        if isinstance(row, Mapping):
            row = fields.rename(cast("Mapping[str, Any]", row))
            name = names.given(row.get("id"), number)
        if name is None:
            name = names.of(number)
        return Record.from_dict(row, name)
    except RecordError as error:
        known = for_json(plain_row(row)) if isinstance(row, Mapping) else {}
        known.pop("id", None)
        return BadRecord(names.of(number) if name is None else name, str(error), known)


def rows_of(texts: Any) -> list[Any]:
    """The records in what a person gives: rows of a table, or one after the other."""
    if isinstance(texts, str | Mapping | Record):
        return [texts]
    if isinstance(texts, bytes):
        raise LabelMassError("texts are bytes: decode them first")
    if hasattr(texts, "columns") and callable(getattr(texts, "to_dict", None)):
        if hasattr(texts, "iterrows"):  # pandas
            return cast("list[Any]", texts.to_dict("records"))
    for name in ("to_dicts", "to_pylist"):  # polars, Arrow
        if callable(listed := getattr(texts, name, None)):
            return list(cast("Iterable[Any]", listed()))
    if callable(collect := getattr(texts, "collect", None)):  # a lazy frame of polars
        return rows_of(collect())
    wanted = "a text, records, or a table; records of a file are scored by `score_file`"
    expect("texts", texts, Iterable, wanted)
    return list(cast("Iterable[Any]", texts))
