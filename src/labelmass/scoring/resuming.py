"""A run that goes on: which of its kept lines are of the records that the input holds now.

A kept line is of a record if their content digests are equal. Neither the record's place in the
input nor its id takes part in that, for no result depends on them.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, BinaryIO, Self

from labelmass._ranges import COUNT
from labelmass.records.readers import (
    BadRecord,
    Item,
    count_records,
    read_records,
    resolve_fields,
)
from labelmass.task.record import Fields, Record


@dataclass(frozen=True, slots=True)
class Stamp:
    """Identity of the item that a stored line belongs to.

    id: the record's. digest: of its content, which its result depends on; "" where that is not
    known. fields: a digest of its id and its other fields. failed: whether the line is a failure.
    """

    id: str | int
    digest: str
    fields: str = ""
    failed: bool = False

    @classmethod
    def of(cls, item: Record | BadRecord) -> Stamp:
        """The stamp of a record, or of a line that could not be read."""
        if isinstance(item, BadRecord):
            return cls(item.id, _digest([item.id, item.error]))
        return cls(item.id, item.digest, _digest(item.to_dict()))


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Changes:
    """Numbers of records in which an input differs from the one of the stored lines.

    kept: with the content of a line. changed: with the id of a line, and another content. gone:
    lines of none of them. new: all the others. failed: with the content of a line that is a
    failure; they are tried again. damaged: lines that could not be read.
    """

    kept: int
    changed: int
    gone: int
    new: int
    failed: int = 0
    damaged: int = 0

    def __str__(self) -> str:
        counts = f"{self.kept} kept, {self.changed} changed, {self.gone} gone, {self.new} new"
        if self.failed:
            counts += f", {self.failed} failed before and tried again"
        return counts + (f", {self.damaged} damaged" if self.damaged else "")


@dataclass(frozen=True, slots=True)
class Matching:
    """key_of: by the number of a record in the input, the key of its line, unless that failed.

    moved: whether some line has another number, or other fields beside its content, than it had.
    """

    key_of: Mapping[int, int]
    moved: bool
    changes: Changes


def match(stamps: Mapping[int, Stamp], items: Iterable[Item]) -> Matching:
    """Pair the records of an input with kept lines, each line with one record at most.

    stamps: by the key of a line. Records of equal content share out their lines; a line keeps its
    number where that is possible.
    """
    free: dict[str, dict[int, None]] = {}
    for key, stamp in stamps.items():
        free.setdefault(stamp.digest, {})[key] = None
    free.pop("", None)
    left = dict(stamps)
    key_of: dict[int, int] = {}
    unmatched: Counter[str | int] = Counter()
    failed, moved = 0, False
    for number, item in items:
        stamp = Stamp.of(item)
        keys = free.get(stamp.digest)
        if not keys:
            unmatched[item.id] += 1
            continue
        key = number if number in keys else next(iter(keys))
        del keys[key]
        line = left.pop(key)
        if line.failed:
            failed += 1
        else:
            key_of[number] = key
            moved |= key != number or line != stamp
    changed = (unmatched & Counter(line.id for line in left.values())).total()
    new, gone = unmatched.total() - changed, len(left) - changed
    return Matching(key_of, moved, Changes(len(key_of), changed, gone, new, failed))


class Input:
    """The records of a source, which may be read again; standard input is copied to a file first.

    Use it as a context, at the end of which the copy is gone.

    Args:
        source: A file, or "-" for standard input.
        fields: What text and id are called. A column that is guessed is a LabelMassWarning.
        limit_records: Number of records to take, the first ones; None for all.

    Attributes:
        exceeded: Whether more records than that were there, as far as it is known.
    """

    def __init__(
        self,
        source: str | Path,
        fields: Fields | None = None,
        limit_records: int | None = None,
    ) -> None:
        if limit_records is not None:
            COUNT.check("limit_records", limit_records)
        self.source, self.limit_records = str(source), limit_records
        self.fields = resolve_fields(source, fields)
        self.exceeded = False
        self._copy: BinaryIO | None = None

    def count(self) -> int | None:
        """Number of records to take; None where it is not known."""
        total = count_records(self.source, self.fields)
        if total is None or self.limit_records is None:
            return total
        return min(total, self.limit_records)

    def read(self) -> Iterator[Item]:
        """The records to take, perhaps for the last time."""
        items = self._read()
        if self.limit_records is None:
            yield from items
            return
        yield from islice(items, self.limit_records)
        self.exceeded = next(items, None) is not None

    def reread(self) -> Iterator[Item]:
        """The records to take, which can be read once more after this."""
        self._copy_stdin()
        return self.read()

    def reread_all(self) -> Iterator[Item]:
        """All records, whatever the limit, which can be read once more after this."""
        self._copy_stdin()
        return self._read()

    def _read(self) -> Iterator[Item]:
        if self._copy is not None:
            self._copy.seek(0)
        return read_records(self.source, self._copy, fields=self.fields)

    def _copy_stdin(self) -> None:
        if self.source == "-" and self._copy is None:
            self._copy = TemporaryFile()  # noqa: SIM115  (closed at the end of the context)
            shutil.copyfileobj(sys.stdin.buffer, self._copy)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._copy is not None:
            self._copy.close()
