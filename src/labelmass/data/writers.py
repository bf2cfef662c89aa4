"""Writers: a finished run as JSONL, CSV or Parquet, and results read back.

A file appears whole or not at all: it is written beside its place and then moved there.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, cast

from labelmass.data.journal import Journal
from labelmass.errors import LabelMassError
from labelmass.files import import_pyarrow

Cells = dict[str, Any]
"""One record as the cells of a flat table, by column."""

ROW_GROUP = 4096
"""Rows of a Parquet file written at once."""

_BEFORE = ("id", "error")
_MASSES = ("none", "gate", "verdict")
_AFTER = {"off_format": float, "unexplored": float, "greedy": str, "stopped": str, "missed": str}
_WITH_VERDICT = {"unreadable": float}
_ENDS, _KEYS = ("", ".low", ".high"), ("p", "low", "high")  # the columns of a probability


def export(journal: Journal, out: str | Path, order: Iterable[int] | None = None) -> None:
    """Write the journal's records to `out`, as the ending of its name says.

    order: keys in the order wanted; None for that of the input.
    JSONL holds the records as they are. CSV and Parquet are flat: `id`, `error`, for each label
    its probability and its bounds (`joy`, `joy.low`, `joy.high`), with several methods the same
    again as `method:joy`, then `none`, `gate` and `verdict` likewise, `off_format`, `unexplored`,
    `greedy`, `stopped`, `missed` (the methods that missed the tolerance, and why), `unreadable`
    where there is a verdict, and a policy's `action`. A label named like one of those columns is
    called `label:NAME`. Parquet keeps the signature in the file's metadata, under `labelmass`.
    """
    path = Path(out)
    write = output_writer(path)
    keys = None if order is None else list(order)
    partial = path.with_name(f".{path.name}.partial")
    try:
        write(partial, journal, keys)
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def output_writer(out: str | Path) -> Callable[[Path, Journal, list[int] | None], None]:
    """What writes files that end like `out`; raises LabelMassError if nothing does.

    Ask before a run, so that a wrong ending or a missing package is known before the work is done.
    """
    kind = Path(out).suffix.lower()
    if kind not in _WRITERS:
        raise LabelMassError(
            f"cannot write {str(out)!r}: its name must end in {', '.join(_WRITERS)}"
        )
    if kind == ".parquet":
        import_pyarrow()
    return _WRITERS[kind]


def load_results(path: str | Path) -> list[dict[str, Any]]:
    """The result records of a JSONL file; raises LabelMassError naming the line."""
    records: list[dict[str, Any]] = []
    try:
        with Path(path).open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    records.append(_load_line(line, f"{path}, line {number}"))
    except OSError as error:
        raise LabelMassError(f"cannot read {path}: {error.strerror}") from None
    return records


def _load_line(line: bytes, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise LabelMassError(f"{where}: malformed JSON ({error})") from None
    if not isinstance(record, dict) or "id" not in record:
        raise LabelMassError(f"{where}: not a result record, which has an 'id'")
    return cast("dict[str, Any]", record)


def _write_jsonl(path: Path, journal: Journal, keys: list[int] | None) -> None:
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        for record in journal.records(keys):
            file.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")


def _write_csv(path: Path, journal: Journal, keys: list[int] | None) -> None:
    table = _Table(journal.records(keys))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(table.columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(table.cells, journal.records(keys)))


def _write_parquet(path: Path, journal: Journal, keys: list[int] | None) -> None:
    pyarrow, parquet = import_pyarrow()
    table = _Table(journal.records(keys))
    types = {float: pyarrow.float64(), str: pyarrow.string(), int: pyarrow.int64()}
    schema = pyarrow.schema(
        [(name, types[kind]) for name, kind in table.columns.items()],
        metadata={"labelmass": json.dumps(journal.signature)},
    )
    rows = map(table.cells, journal.records(keys))
    with parquet.ParquetWriter(path, schema) as writer:
        while chunk := list(islice(rows, ROW_GROUP)):
            writer.write_table(pyarrow.Table.from_pylist(chunk, schema=schema))


_WRITERS = {".jsonl": _write_jsonl, ".csv": _write_csv, ".parquet": _write_parquet}


class _Table:
    """The columns that records need, found in one pass over them, and each record's cells.

    columns: name -> float, str or int, in their order.
    """

    def __init__(self, records: Iterable[Mapping[str, Any]]) -> None:
        labels: dict[str, None] = {}
        methods: dict[str, None] = {}
        masses: dict[str, None] = {}
        whole_ids, decided = True, False
        for record in records:
            decided |= "decisions" in record
            whole_ids &= isinstance(record["id"], int) and abs(record["id"]) < 2**63
            labels.update(dict.fromkeys(_table(record.get("labels"))))
            for method, scores in _table(record.get("methods")).items():
                methods.update((f"{method}:{label}", None) for label in _table(scores))
            masses.update((name, None) for name in _MASSES if record.get(name) is not None)
        last: dict[str, type] = {**_AFTER, **(_WITH_VERDICT if "verdict" in masses else {})}
        last |= {"action": str} if decided else {}
        taken = {*_BEFORE, *last} | {name + end for name in _MASSES for end in _ENDS}
        self._whole_ids = whole_ids
        self._labels = _name_columns(labels, taken)
        self._methods = _name_columns(methods, taken)
        self._masses = {name: name for name in _MASSES if name in masses}
        self.columns: dict[str, type] = {"id": int if whole_ids else str, "error": str}
        for names in (self._labels, self._methods, self._masses):
            self.columns |= {name + end: float for name in names.values() for end in _ENDS}
        self.columns |= last

    def cells(self, record: Mapping[str, Any]) -> Cells:
        """The record's cells; what it lacks is left out."""
        cells: Cells = {"id": record["id"] if self._whole_ids else _plain(str(record["id"]))}
        for key in ("error", *_AFTER, *(_WITH_VERDICT if "verdict" in self._masses else ())):
            value = _missed(record) if key == "missed" else record.get(key)
            if value is not None:
                cells[key] = _plain(value) if isinstance(value, str) else value
        if "decisions" in record:
            cells["action"] = record["decisions"]["action"]
        for label, score in _table(record.get("labels")).items():
            cells |= _score(self._labels[label], score)
        for method, scores in _table(record.get("methods")).items():
            for label, score in _table(scores).items():
                cells |= _score(self._methods[f"{method}:{label}"], score)
        for name in self._masses:
            cells |= _score(name, record.get(name))
        return cells


def _missed(record: Mapping[str, Any]) -> str | None:
    """`any-place: nodes; first-step: depth`, or None where all is within the tolerance."""
    found = _table(record.get("missed")).items()
    return "; ".join(f"{method}: {one['reason']}" for method, one in found) or None


def _plain(text: str) -> str:
    """The text as UTF-8 can hold it: a lone surrogate becomes its escape."""
    return text.encode("utf-8", "backslashreplace").decode()


def _name_columns(names: Iterable[str], taken: set[str]) -> dict[str, str]:
    """A column for each name: the name itself unless that is taken; `taken` grows."""
    columns: dict[str, str] = {}
    for name in names:
        column = name
        while any(column + end in taken for end in _ENDS):
            column = f"label:{column}"
        columns[name] = column
        taken |= {column + end for end in _ENDS}
    return columns


def _score(column: str, score: object) -> Cells:
    """The cells of {p, low, high}."""
    found = _table(score)
    return {column + end: found.get(key) for end, key in zip(_ENDS, _KEYS, strict=True)}


def _table(value: object) -> Mapping[str, Any]:
    """A JSON object as it is; empty where there is none."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
