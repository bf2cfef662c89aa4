"""Writers: result records as JSONL, CSV or Parquet, and JSONL read back.

A file appears whole or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, cast

from labelmass.errors import LabelMassError, RecordError
from labelmass.files import import_pyarrow, open_file, read_json_lines
from labelmass.files.delimited import write_row
from labelmass.files.writing import replacing
from labelmass.scores.table import FlatTable
from labelmass.task.values import kind, read_id

ROW_GROUP = 4096
"""Rows of a Parquet file written at once."""

Records = Callable[[], Iterable[dict[str, Any]]]
"""Gives the result records anew each time it is called."""

Writer = Callable[[Path, Records, Mapping[str, Any]], None]
"""Writes records, and what they are of, to a file."""


def write_scores(path: str | Path, records: Records, about: Mapping[str, Any]) -> None:
    """Write result records to a file, as the ending of its name says.

    about: what they are of: the signature of their run, and their `labels`, which a table has
        columns for though every record failed.
    JSONL holds the records as they are. CSV and Parquet are flat: `id`, `error`, the fields of the
    input (`input:NAME`), for each label its probability and its bounds (`joy`, `joy.low`,
    `joy.high`), with several methods the same again as `method:joy`, and what a result says of the
    record, a policy's `action` among it. `columns` says what each is called, so that it is read
    back whatever the names. Parquet keeps `about` in the file's metadata, under `labelmass`.
    """
    path = Path(path)
    write = output_writer(path)
    with replacing(path) as partial:
        write(partial, records, about)


def flat_table(
    records: Sequence[Mapping[str, Any]], labels: Sequence[str] = ()
) -> dict[str, list[Any]]:
    """The columns of a flat table of result records, by title; these labels have one anyway."""
    table = FlatTable(records, labels)
    rows = [table.cells(record) for record in records]
    return {title: [cells.get(title) for cells in rows] for title in table.columns}


def output_writer(out: str | Path) -> Writer:
    """Writer for the ending of `out`; raises LabelMassError if there is none.

    Ask before a run, so that a wrong ending, a missing folder or package is known before the work.
    """
    kind = Path(out).suffix.lower()
    if kind not in _WRITERS:
        raise LabelMassError(
            f"cannot write {str(out)!r}: its name must end in {', '.join(_WRITERS)}"
        )
    if not (folder := Path(out).parent).is_dir():
        raise LabelMassError(f"cannot write {str(out)!r}: there is no folder {str(folder)!r}")
    if kind == ".parquet":
        import_pyarrow()
    return _WRITERS[kind]


def load_results(path: str | Path) -> list[dict[str, Any]]:
    """The result records of a JSONL file; raises LabelMassError naming the line."""
    with open_file(path) as file:
        return [_result(line, f"{path}, line {number}") for number, line in read_json_lines(file)]


def _result(record: Any, where: str) -> dict[str, Any]:
    if isinstance(record, RecordError):
        raise LabelMassError(f"{where}: {record}")
    if not isinstance(record, dict) or "id" not in record:
        raise LabelMassError(f"{where}: not a result record, which has an 'id'")
    row = cast("dict[str, Any]", record)
    try:
        if (name := read_id(row["id"])) is None:
            raise RecordError("no id, by which scores are joined to records")
        objects = {key: row[key] for key in _OBJECTS if row.get(key) is not None}
        for key in ("methods", "missed"):
            objects |= _mapping(objects.get(key), key)
        for key, value in objects.items():
            _mapping(value, key)
        names = _mapping(objects.get("signature"), "signature").get("methods", [])
        if not isinstance(names, list) or not all(isinstance(method, str) for method in names):
            raise RecordError("signature.methods must be a list of names")
    except RecordError as error:
        raise LabelMassError(f"{where}: {error}") from None
    return row | {"id": name}


_OBJECTS = ("labels", "methods", "cost", "verdict", "signature", "missed")
"""Keys of a result record that hold objects."""


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if value is not None and not isinstance(value, Mapping):
        raise RecordError(f"{name} is {kind(value)}, not an object")
    return cast("Mapping[str, Any]", value or {})


def _write_jsonl(path: Path, records: Records, about: Mapping[str, Any]) -> None:
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        for record in records():
            file.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")


def _write_csv(path: Path, records: Records, about: Mapping[str, Any]) -> None:
    table = FlatTable(records(), about.get("labels", ()))
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(write_row(table.columns))
        for cells in map(table.cells, records()):
            results = (cells.get(title) for title in table.columns)
            file.write(write_row("" if cell is None else str(cell) for cell in results))


def _write_parquet(path: Path, records: Records, about: Mapping[str, Any]) -> None:
    pyarrow, parquet = import_pyarrow()
    table = FlatTable(records(), about.get("labels", ()))
    types = {float: pyarrow.float64(), str: pyarrow.string(), int: pyarrow.int64()}
    types[bool] = pyarrow.bool_()
    schema = pyarrow.schema(
        [(name, types[kind]) for name, kind in table.columns.items()],
        metadata={"labelmass": json.dumps(about)},
    )
    rows = map(table.cells, records())
    with parquet.ParquetWriter(path, schema) as writer:
        while chunk := list(islice(rows, ROW_GROUP)):
            writer.write_table(pyarrow.Table.from_pylist(chunk, schema=schema))


_WRITERS = {".jsonl": _write_jsonl, ".csv": _write_csv, ".parquet": _write_parquet}
