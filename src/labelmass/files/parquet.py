"""Parquet files, a batch of rows at a time; the library for it is optional."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from labelmass.errors import LabelMassError, RecordError
from labelmass.files.opening import open_file

BATCH = 1024
"""Rows held in memory at once."""


def import_pyarrow() -> tuple[Any, Any]:
    """The modules `pyarrow` and `pyarrow.parquet`; raises LabelMassError naming the command."""
    try:
        pyarrow = import_module("pyarrow")
        parquet = import_module("pyarrow.parquet")
    except ImportError:
        raise LabelMassError(
            "Parquet needs the package pyarrow: pip install 'labelmass[parquet]'"
        ) from None
    return pyarrow, parquet


@dataclass(frozen=True, slots=True)
class ParquetTable:
    """An open Parquet file.

    columns: their names. metadata: what was written beside the schema. count: of its rows.
    """

    name: str
    columns: tuple[str, ...]
    metadata: Mapping[bytes, bytes]
    count: int
    _file: Any

    def rows(self, columns: Collection[str] | None = None) -> Iterator[tuple[int, Any]]:
        """Number of the row, from 1, and its values by column, or the RecordError in its place.

        columns: those that are read; None for all.
        """
        number = 0
        kept = None if columns is None else [name for name in self.columns if name in columns]
        for batch in self._file.iter_batches(batch_size=BATCH, columns=kept):
            for index in range(batch.num_rows):
                number += 1
                yield number, _row(batch, index)


@contextmanager
def open_parquet(path: str | Path) -> Generator[ParquetTable]:
    """A Parquet file, open for reading.

    Raises LabelMassError, also later while it is read, for what is none or is broken, and for a
    table in which two columns have one name.
    """
    pyarrow, parquet = import_pyarrow()
    with open_file(path) as stream:
        try:
            with parquet.ParquetFile(stream) as file:
                names = file.schema_arrow.names
                if twice := [name for name, count in Counter(names).items() if count > 1]:
                    raise LabelMassError(
                        f"{path}: two columns are called {twice[0]!r}: give each its own name"
                    )
                metadata = file.schema_arrow.metadata or {}
                yield ParquetTable(str(path), tuple(names), metadata, file.metadata.num_rows, file)
        except (pyarrow.ArrowException, OSError) as error:
            raise LabelMassError(f"{path}: not a Parquet file ({error})") from None


def _row(batch: Any, index: int) -> dict[str, Any] | RecordError:
    row: dict[str, Any] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            row[name] = _value(column[index])
        except UnicodeDecodeError as error:
            return RecordError(f"{name}: {error.reason}, not UTF-8")
    return row


def _value(cell: Any) -> Any:
    """The Python value of a cell; a map is a dict, a time that Python cannot hold is its text."""
    try:
        value = cell.as_py()
    except UnicodeDecodeError:
        raise
    except ValueError:
        return str(cell.cast("string"))
    return dict(value) if value is not None and str(cell.type).startswith("map<") else value
