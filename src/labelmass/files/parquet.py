"""Parquet files and other tables of Arrow, a batch of rows at a time; the library is optional."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
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


Batches = Callable[[list[str] | None], Iterator[Any]]
"""Function that gives the batches of a table anew, with these columns or with all."""


@dataclass(frozen=True, slots=True)
class ArrowTable:
    """An open Parquet file, or another table of Arrow.

    Attributes:
        columns: Their names.
        texts: Those of the columns that hold texts.
        metadata: What was written beside the schema.
        count: Number of rows.
    """

    name: str
    columns: tuple[str, ...]
    texts: frozenset[str]
    metadata: Mapping[bytes, bytes]
    count: int
    _batches: Batches

    @classmethod
    def of(cls, name: str, schema: Any, count: int, batches: Batches) -> ArrowTable:
        """The table with this schema; LabelMassError if two columns have one name."""
        if twice := [one for one, often in Counter(schema.names).items() if often > 1]:
            raise LabelMassError(
                f"{name}: two columns are called {twice[0]!r}: give each its own name"
            )
        texts = frozenset(field.name for field in schema if _holds_text(field.type))
        return cls(name, tuple(schema.names), texts, schema.metadata or {}, count, batches)

    def error(self, message: str) -> LabelMassError:
        """The error of a table that lacks a column, with those it has."""
        return LabelMassError(f"{self.name}: {message} (columns: {', '.join(self.columns)})")

    def rows(self, columns: Collection[str] | None = None) -> Iterator[tuple[int, Any]]:
        """Number of the row, from 1, and its values by column, or the RecordError in its place.

        columns: those that are read; None for all.
        """
        number = 0
        kept = None if columns is None else [name for name in self.columns if name in columns]
        batches = self._batches(kept)
        while True:
            with refusing(self.name):
                batch = next(batches, None)
            if batch is None:
                return
            for index in range(batch.num_rows):
                number += 1
                yield number, _row(batch, index)


@contextmanager
def open_parquet(path: str | Path) -> Generator[ArrowTable]:
    """A Parquet file, open for reading.

    Raises LabelMassError, also later while it is read, for what is none or is broken, and for a
    table in which two columns have one name.
    """
    _, parquet = import_pyarrow()
    with open_file(path) as stream, ExitStack() as stack:
        with refusing(str(path)):
            file = stack.enter_context(parquet.ParquetFile(stream))
            schema, count = file.schema_arrow, file.metadata.num_rows

        def batches(columns: list[str] | None) -> Iterator[Any]:
            return file.iter_batches(batch_size=BATCH, columns=columns)

        with refusing(str(path)):
            table = ArrowTable.of(str(path), schema, count, batches)
        yield table


@contextmanager
def refusing(name: str, what: str = "a Parquet file") -> Generator[None]:
    """Whatever pyarrow makes of damaged bytes, in words: its own errors, and some of Python's."""
    try:
        yield
    except (import_pyarrow()[0].ArrowException, OSError, ValueError, OverflowError) as error:
        raise LabelMassError(f"{name}: not {what}, or a damaged one ({error})") from None


def _holds_text(kind: Any) -> bool:
    shown = str(getattr(kind, "value_type", kind)) if "dictionary" in str(kind) else str(kind)
    return shown in ("string", "large_string", "string_view")


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
