"""Lines of a journal: each with a checksum, what it is of, and the record; and how they are read.

    {"crc":"...","key":7,"id":"r7","digest":"...","fields":"...","record":{...}}

The checksum is of all that follows it, so that damage anywhere in a line is noticed.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from zlib import crc32

from labelmass.errors import LabelMassError
from labelmass.files import shaped
from labelmass.scoring.resuming import Stamp

VERSION = 2
"""Version of the journal format; version 1 had neither checksums nor stamps."""

_CHECK = b'{"crc":"%08x",'
_RECORD = b',"record":'
"""No text within a line holds this, for its quotation marks would be escaped."""


def read_journal(
    path: str | Path, keys: Container[int] | None = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """(key, record) of every finished line, keys rising; the journal may be in another's hands.

    keys: those that are wanted; None for all. Journals of version 1 are read too.
    LabelMassError for a damaged line that others follow.
    """
    with Path(path).open("rb") as file:
        for key, place in sorted(_places(file, path)):
            if keys is not None and key not in keys:
                continue
            file.seek(place)
            yield key, parse_record(file.readline(), path)


def read_stamps(path: str | Path) -> dict[int, Stamp]:
    """Stamps of a journal's finished lines, by key; none for a journal of version 1."""
    with Path(path).open("rb") as file:
        file.readline()
        heads = (read_head(line) for _, line in lines_of(file))
        return dict(head for head in heads if head is not None)


def read_version(path: str | Path) -> int:
    """Version of a journal; LabelMassError for a file that is none."""
    with Path(path).open("rb") as file:
        head = file.readline()
    if not head.endswith(b"\n"):
        return VERSION
    try:
        return shaped(_Head, _parsed(head)).labelmass_journal
    except LabelMassError:
        raise LabelMassError(f"{path} is no journal of labelmass, or is damaged") from None


def _places(file: BinaryIO, path: str | Path) -> Iterator[tuple[int, int]]:
    """The key of every finished line, and where it begins."""
    old = read_version(path) == 1
    file.readline()
    seen: set[int] = set()
    damaged: int | None = None
    for number, (place, line) in enumerate(lines_of(file), start=2):
        result = _read_old_key(line) if old else (read_head(line) or (None,))[0]
        if result is None:
            damaged = damaged or number
            continue
        if damaged is not None:
            raise LabelMassError(
                f"line {damaged} of {path} is damaged: run the command that wrote it once more, "
                "which mends it"
            )
        if result not in seen:
            seen.add(result)
            yield result, place


def lines_of(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The lines from here on, each with the place where it begins."""
    place = file.tell()
    for line in file:
        yield place, line
        place += len(line)


def write_line(key: int, stamp: Stamp, record: bytes) -> bytes:
    """A whole line. record: as JSON."""
    head: dict[str, Any] = {"key": key, "id": stamp.id}
    head |= {"digest": stamp.digest, "fields": stamp.fields}
    if stamp.failed:
        head["failed"] = True
    body = as_json(head)[1:-1] + _RECORD + record + b"}"
    return _CHECK % crc32(body) + body + b"\n"


def record_of(line: bytes) -> bytes:
    """The record of a whole line, as JSON."""
    return line[line.index(_RECORD) + len(_RECORD) : -len(b"}\n")]


def read_head(line: bytes) -> tuple[int, Stamp] | None:
    """Key and stamp of a whole line; None if it is damaged or was never finished."""
    length = len(_CHECK % 0)
    body = line[length:-1]
    if not line.endswith(b"\n") or line[:length] != _CHECK % crc32(body):
        return None
    head, found, _ = body.partition(_RECORD)
    try:
        fields = _parsed(b"{" + head + b"}") if found else None
        return shaped(_Key, fields).key, shaped(Stamp, fields)
    except LabelMassError:
        return None


def _read_old_key(line: bytes) -> int | None:
    """The key of a line of version 1, {"key": ..., "record": ...}."""
    try:
        return shaped(_OldLine, _parsed(line)).key if line.endswith(b"\n") else None
    except LabelMassError:
        return None


def parse_record(line: bytes, path: str | Path) -> dict[str, Any]:
    """The record of a whole line; LabelMassError if there is none."""
    try:
        return shaped(_Record, _parsed(line), infinite=True).record
    except LabelMassError as error:
        raise LabelMassError(f"{path} holds a line without a record ({error})") from None


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise LabelMassError(f"malformed JSON: {error}") from None


@dataclass(frozen=True, slots=True)
class _Head:
    labelmass_journal: int


@dataclass(frozen=True, slots=True)
class _Key:
    key: int


@dataclass(frozen=True, slots=True)
class _Record:
    record: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _OldLine:
    """A line of version 1."""

    key: int
    record: dict[str, Any]


def as_json(value: object) -> bytes:
    """JSON in UTF-8, in as few bytes as can be."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # A lone surrogate becomes its own JSON escape.
    return text.encode("utf-8", "backslashreplace")
