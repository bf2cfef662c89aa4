"""Parquet files, a batch of rows at a time; the library for it is optional."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
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
        batches = self._file.iter_batches(batch_size=BATCH, columns=kept)
        while True:
            with _refusing(self.name):
                batch = next(batches, None)
            if batch is None:
                return
            for index in range(batch.num_rows):
                number += 1
                yield number, _row(batch, index)


@contextmanager
def open_parquet(path: str | Path) -> Generator[ParquetTable]:
    """A Parquet file, open for reading.

    Raises LabelMassError, also later while it is read, for what is none or is broken, and for a
    table in which two columns have one name.
    """
    _, parquet = import_pyarrow()
    with open_file(path) as stream, ExitStack() as stack:
        with _refusing(str(path)):
            file = stack.enter_context(parquet.ParquetFile(stream))
            names = tuple(file.schema_arrow.names)
            metadata = file.schema_arrow.metadata or {}
            count = file.metadata.num_rows
        if twice := [name for name, often in Counter(names).items() if often > 1]:
            raise LabelMassError(
                f"{path}: two columns are called {twice[0]!r}: give each its own name"
            )
        yield ParquetTable(str(path), names, metadata, count, file)


@contextmanager
def _refusing(name: str) -> Generator[None]:
    """Whatever pyarrow makes of damaged bytes, in words: its own errors, and some of Python's."""
    try:
        yield
    except (import_pyarrow()[0].ArrowException, OSError, ValueError, OverflowError) as error:
        raise LabelMassError(f"{name}: not a Parquet file, or a damaged one ({error})") from None


def _row(batch: Any, index: int) -> dict[str, Any] | RecordError:
    row: dict[str, Any] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            row[name] = _value(column[index])
        except UnicodeDecodeError as error:
            return RecordError(f"{name}: {error.reason}, not UTF-8")
        except RecordError as error:
            return RecordError(f"{name}: {error}")
    return row


def _value(cell: Any) -> Any:
    """The Python value of a cell; a map is a dict, a time that Python cannot hold is its text.

    Raises RecordError for what has no text either.
    """
    try:
        value = cell.as_py()
    except UnicodeDecodeError:
        raise
    except (ValueError, OverflowError) as error:
        try:
            return str(cell.cast("string"))
        except import_pyarrow()[0].ArrowException:
            raise RecordError(f"a {cell.type} that cannot be read ({error})") from None
    return dict(value) if value is not None and str(cell.type).startswith("map<") else value
