"""Records one by one from every kind of file, from standard input or from Python.

A record that cannot be read is reported in its place and stops nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, cast

from labelmass._settings import expect
from labelmass.errors import LabelMassError, RecordError, warn_caller
from labelmass.files import contents_ending, parse_json, read_lines
from labelmass.files.delimited import SEPARATORS
from labelmass.records.columns import Header, guesses
from labelmass.records.formats import Rows, as_text, format_of, header_of, open_table
from labelmass.records.names import Names, RowNames, StreamNames
from labelmass.task.record import Fields, Record
from labelmass.task.values import for_json, plain_row


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that could not be read: `error` names the field and what was expected.

    input: its fields except for the id, where it has some.
    """

    id: str | int
    error: str
    input: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False, compare=False)


Item = tuple[int, Record | BadRecord]
"""The number of a record's line (of a table without lines: row), from 1, and the record."""


def read_records(
    source: str | Path, stdin: BinaryIO | None = None, *, fields: Fields | None = None
) -> Iterator[Item]:
    """The records of a file, or of standard input for "-", in their order, as they are read.

    JSONL: an object a line. JSON: an array of objects or of texts. CSV, TSV, Parquet, Excel
    workbooks and folders of the library `datasets`: a column `text`, or `messages`, or `prompt` and
    `response`; `id` if there is one; lists in cells as `read_cells` has them. Anything that ends in
    .txt: a text a line. All files may be packed, .jsonl.gz and the like. Standard input is JSONL if
    its first line that is not blank begins with `{`, else a text a line. Blank lines are left out,
    and counted in the line numbers. Rows of a CSV are numbered by the line they begin on.

    A record without an id is called by its number, see `names`.
    fields: what text and id are called there. Where a table has one column that can be meant, that
        is taken, and a LabelMassWarning names it; see `settle_fields`.
    Raises LabelMassError for a file that is not there or ends in none of these, and for a table
    without such columns; and, as the first record is read, for a file that is something else.
    """
    fields = fields or Fields()
    if str(source) == "-":
        if fields.sheet is not None:
            raise LabelMassError("standard input is no Excel workbook: leave out --sheet")
        return _items(_read_stream(stdin or sys.stdin.buffer, fields), StreamNames(), fields)
    path = Path(source)
    read = format_of(path, fields).rows
    settled = resolve_fields(source, fields)
    names = RowNames(lambda: (row for _, row in read(path, settled, True)), settled.id or "id")
    return _items(read(path, settled, False), names, settled)


def settle_fields(source: str | Path, fields: Fields | None = None) -> Fields:
    """The fields of a table with the columns of text and id, where these are guessed.

    A table without a column `text` may have one column of texts with a usual name (`body`,
    `Review`), and without `id` one called `ID`. Other sources name their fields in each record.

    Raises:
        LabelMassError: If several columns, or none, can hold the text.
    """
    fields = fields or Fields()
    if str(source) == "-":
        return fields
    path = Path(source)
    header = format_of(path, fields).header(path, fields)
    return fields if header is None else header.settle(fields)


def resolve_fields(source: str | Path, fields: Fields | None = None) -> Fields:
    """As `settle_fields`, with a LabelMassWarning for each column that is guessed."""
    settled = settle_fields(source, fields)
    for guess in guesses(fields or Fields(), settled):
        warn_caller(f"{source}: {guess}")
    return settled


def each_record(texts: Any, *, lazy: bool = False) -> Iterator[Item]:
    """Records given in Python, numbered from 1.

    texts: a text, a record, a mapping as a line of JSONL holds one, or any number of these; or a
        table of pandas, polars or Arrow, a row a record; or the path of a file, as a `Path`. One
        text, or one mapping, is one record.
    lazy: read an iterator as it is needed. What a record without an id is called cannot heed later
        ones then: one whose id was given away is refused.
    """
    if isinstance(texts, Path):
        return read_records(texts)
    streamed = lazy and isinstance(texts, Iterator)
    rows: Iterable[Any] = cast("Iterator[Any]", texts) if streamed else rows_of(texts)
    fields = _frame_fields(cast("list[Any]", rows)) if _is_frame(texts) else Fields()
    names = StreamNames() if streamed else RowNames(lambda: rows, fields.id or "id")
    return _each(rows, names, fields)


def _each(rows: Iterable[Any], names: Names, fields: Fields) -> Iterator[Item]:
    for number, row in enumerate(rows, start=1):
        if isinstance(row, Record):
            yield number, row
        else:
            row = {"text": row} if isinstance(row, str) else row
            yield number, _item(number, row, names, fields)


def _frame_fields(rows: list[Any]) -> Fields:
    """The columns of text and id in a table's rows; a guess is a warning."""
    mappings = [cast("Mapping[str, Any]", row) for row in rows if isinstance(row, Mapping)]
    header = header_of(mappings, "the table")
    if header is None:
        return Fields()

    def error(message: str) -> LabelMassError:
        renamed = message.replace("name the column that holds the text with --text-column", _RENAME)
        return header.error(renamed)

    settled = Header(header.columns, header.texts, error).settle(Fields())
    for guess in guesses(Fields(), settled):
        warn_caller(f"{guess}; rename it to say so yourself")
    return settled


_RENAME = "rename the column that holds the text to 'text'"


def _is_frame(texts: Any) -> bool:
    """True for a table of rows with named columns; a Series, or a list, is none."""
    return hasattr(texts, "collect_schema") or hasattr(texts, "columns")


def count_records(source: str | Path, fields: Fields | None = None) -> int | None:
    """Number of records in a file, for a forecast; None for standard input."""
    if str(source) == "-":
        return None
    path, fields = Path(source), fields or Fields()
    return format_of(path, fields).count(path, fields)


def about_file(source: str | Path, fields: Fields | None = None) -> str | None:
    """Note on how a file is read where its name does not tell: the separator of a CSV."""
    path = Path(source)
    if str(source) == "-" or not path.is_file() or contents_ending(path) != ".csv":
        return None
    with open_table(path, fields) as table:
        if table.separator == ",":
            return None
        return f"{source} is read as cells separated by {SEPARATORS[table.separator]}"


# -- standard input -----------------------------------------------------------------------------


def _read_stream(stream: BinaryIO, fields: Fields) -> Rows:
    lines = read_lines(stream)
    for number, line in lines:
        rest = chain([(number, line)], lines)
        _check_no_table(line, fields)
        if isinstance(line, str) and line.lstrip().startswith("{"):
            yield from ((at, _parsed(one)) for at, one in rest)
        else:
            yield from map(as_text, rest)


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


def _parsed(line: str | RecordError) -> Any:
    if isinstance(line, RecordError):
        return line
    try:
        return parse_json(line)
    except RecordError as error:
        return error


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
    if hasattr(texts, "iterrows"):  # pandas
        return cast("list[Any]", texts.to_dict("records"))
    for name in ("to_dicts", "to_pylist"):  # polars, Arrow
        if callable(listed := getattr(texts, name, None)):
            return list(cast("Iterable[Any]", listed()))
    if callable(collect := getattr(texts, "collect", None)):  # a lazy frame of polars
        return rows_of(collect())
    wanted = "a text, records, a table, or the path of a file as a `Path`"
    expect("texts", texts, Iterable, wanted)
    return list(cast("Iterable[Any]", texts))
