"""Readers: records one by one from JSONL, CSV, Parquet, plain lines or standard input.

A record that cannot be read is reported in its place and stops nothing. Only Parquet batches and
one line at a time are held in memory.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, cast

from labelmass.data.parquet import import_pyarrow
from labelmass.errors import LabelMassError, RecordError
from labelmass.task.record import Record

PARQUET_BATCH = 1024
"""Rows of a Parquet file held in memory at once."""

_LONGEST_CELL = 2**31 - 1  # characters; the csv module's own limit is 131,072
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that could not be read: `error` names the field and what was expected."""

    id: str | int
    error: str


Item = tuple[int, Record | BadRecord]
"""The number of a record's line (Parquet: row), from 1, and the record."""


def read_records(source: str | Path, stdin: BinaryIO | None = None) -> Iterator[Item]:
    """The records of a file, or of standard input for "-", in their order, as they are read.

    JSONL: an object a line. CSV (and TSV) and Parquet: a column `text`, or `prompt` and
    `response`; `id` if there is one. Anything that ends in .txt: a text a line. Standard input is
    JSONL if its first line that is not blank begins with `{`, else a text a line. Blank lines are
    left out, and counted in the line numbers. CSV records are numbered by the line they begin on.

    Raises LabelMassError for a file that is not there or ends in none of these, and, as the first
    record is read, for a table without such columns.
    """
    if str(source) == "-":
        return _read_stream(stdin or sys.stdin.buffer)
    path = Path(source)
    return _reader(path)(path)


def count_records(source: str | Path) -> int | None:
    """How many records a file holds, for a forecast; None for standard input."""
    if str(source) == "-":
        return None
    path = Path(source)
    _reader(path)
    kind = path.suffix.lower()
    if kind == ".parquet":
        _, parquet = import_pyarrow()
        return int(parquet.read_metadata(path).num_rows)
    if kind in (".csv", ".tsv"):
        with _open_csv(path) as file:
            return max(sum(1 for _ in _csv_rows(file, _delimiter(path))) - 1, 0)
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip())


def _reader(path: Path) -> Callable[[Path], Iterator[Item]]:
    kind = path.suffix.lower()
    if kind not in _READERS:
        raise LabelMassError(
            f"cannot tell what {str(path)!r} holds: its name must end in {', '.join(_READERS)}"
        )
    if not path.is_file():
        raise LabelMassError(f"no file {str(path)!r}")
    return _READERS[kind]


# -- lines --------------------------------------------------------------------------------------


def _read_jsonl(path: Path) -> Iterator[Item]:
    with path.open("rb") as file:
        yield from _lines(enumerate(file, start=1), _from_json)


def _read_text(path: Path) -> Iterator[Item]:
    with path.open("rb") as file:
        yield from _lines(enumerate(file, start=1), _from_text)


def _read_stream(stream: BinaryIO) -> Iterator[Item]:
    lines = enumerate(stream, start=1)
    for number, line in lines:
        text = line.removeprefix(_BOM).strip()
        if text:
            make = _from_json if text.startswith(b"{") else _from_text
            yield from _lines(chain([(number, line)], lines), make)


def _lines(
    lines: Iterable[tuple[int, bytes]], make: Callable[[str, int], Record]
) -> Iterator[Item]:
    for number, line in lines:
        if number == 1:
            line = line.removeprefix(_BOM)
        line = line.rstrip(b"\r\n")
        if not line.strip():
            continue
        try:
            yield number, make(line.decode(), number)
        except UnicodeDecodeError as error:
            yield number, BadRecord(number, _not_utf8(error.object[error.start], error.start))
        except _NamedError as error:
            yield number, BadRecord(error.id, str(error))
        except RecordError as error:
            yield number, BadRecord(number, str(error))


def _from_text(line: str, number: int) -> Record:
    return Record(id=number, text=line)


def _from_json(line: str, number: int) -> Record:
    try:
        obj = json.loads(line)
    except json.JSONDecodeError as error:
        raise RecordError(f"malformed JSON: {error.msg} at column {error.colno}") from None
    except (ValueError, RecursionError) as error:
        raise RecordError(f"malformed JSON: {error}") from None
    return _from_object(obj, number)


class _NamedError(RecordError):
    """A RecordError of a record whose id could be read."""

    def __init__(self, name: str | int, message: str) -> None:
        super().__init__(message)
        self.id = name


def _from_object(obj: object, number: int) -> Record:
    try:
        return Record.from_dict(obj, number)
    except RecordError as error:
        name = cast("Mapping[str, Any]", obj).get("id") if isinstance(obj, Mapping) else None
        if not isinstance(name, str | int) or isinstance(name, bool) or name == "":
            name = number
        raise _NamedError(name, str(error)) from None


def _not_utf8(byte: int, at: int) -> str:
    return f"invalid UTF-8: byte 0x{byte:02x} at byte {at} of the line"


# -- tables -------------------------------------------------------------------------------------


def _read_csv(path: Path) -> Iterator[Item]:
    with _open_csv(path) as file:
        rows = _csv_rows(file, _delimiter(path))
        header = next((row for _, row in rows), None)
        if not isinstance(header, list):
            raise LabelMassError(f"{path}: no header ({header or 'the file is empty'})")
        _check_columns(header, path)
        for number, row in rows:
            if isinstance(row, csv.Error):
                yield number, BadRecord(number, f"malformed CSV: {row}")
            elif len(row) != len(header):
                message = f"{len(row)} cells where the header has {len(header)} columns"
                yield number, BadRecord(number, message)
            else:
                # An empty cell is a field that is not there; texts that are needed are then missed.
                yield _table_item(number, {k: v for k, v in zip(header, row, strict=True) if v})


def _open_csv(path: Path) -> Any:
    # Bytes that are not UTF-8 come through as lone surrogates and are found cell by cell.
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


def _delimiter(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


def _csv_rows(file: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str] | csv.Error]]:
    """Rows that are not blank, each with the line it begins on; errors in their place."""
    csv.field_size_limit(_LONGEST_CELL)
    rows = csv.reader(file, delimiter=delimiter)
    while True:
        number = rows.line_num + 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, error
            continue
        if row:
            yield number, row


def _read_parquet(path: Path) -> Iterator[Item]:
    pyarrow, parquet = import_pyarrow()
    try:
        file = parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise LabelMassError(f"{path}: not a Parquet file ({error})") from None
    with file:
        _check_columns(file.schema_arrow.names, path)
        number = 0
        for batch in file.iter_batches(batch_size=PARQUET_BATCH):
            for index in range(batch.num_rows):
                number += 1
                row: dict[str, Any] = {}
                name = ""
                try:
                    for name, column in zip(batch.schema.names, batch.columns, strict=True):
                        row[name] = column[index].as_py()
                except UnicodeDecodeError as error:
                    yield number, BadRecord(number, f"{name}: {error.reason}, not UTF-8")
                else:
                    yield _table_item(number, row)


def _table_item(number: int, row: dict[str, Any]) -> Item:
    for name, value in row.items():
        if isinstance(value, str) and (found := next(filter(_is_escaped, value), None)):
            byte = ord(found) - 0xDC00
            return number, BadRecord(number, f"{name}: invalid UTF-8: byte 0x{byte:02x}")
    try:
        return number, _from_object(row, number)
    except _NamedError as error:
        return number, BadRecord(error.id, str(error))


def _is_escaped(character: str) -> bool:
    return "\udc80" <= character <= "\udcff"


def _check_columns(columns: Iterable[str], path: Path) -> None:
    columns = list(columns)
    if "text" in columns or {"prompt", "response"} <= set(columns) or "messages" in columns:
        return
    raise LabelMassError(
        f"{path}: no column 'text', nor 'prompt' and 'response' (columns: {', '.join(columns)})"
    )


_READERS: dict[str, Callable[[Path], Iterator[Item]]] = {
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".parquet": _read_parquet,
    ".txt": _read_text,
}
