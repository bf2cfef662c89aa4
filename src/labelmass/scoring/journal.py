"""The journal of a run: every finished record, appended as it is finished.

A JSONL file beside the output. Its first line holds the run's signature, every other line the
number of a record in the input, what the record is (`Stamp`), the result, and a checksum. A run
killed at any moment leaves at most one unfinished last line, which is dropped when the journal is
opened again. `resume` then fits the journal to the input as it is now.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from labelmass._canary import Canary
from labelmass.errors import LabelMassError
from labelmass.files import shaped
from labelmass.provenance import canary_words
from labelmass.records.readers import BadRecord, Item
from labelmass.scores.writers import write_scores
from labelmass.scoring.journal_lines import (
    VERSION,
    as_json,
    lines_of,
    parse_record,
    read_head,
    record_of,
    write_line,
)
from labelmass.scoring.resuming import Changes, Stamp, match
from labelmass.task.record import Record

if sys.platform != "win32":
    import fcntl

T = TypeVar("T", bound=Record | BadRecord)

SYNC_SECONDS = 2.0
"""At most this much work is lost when the machine itself fails; a killed run loses none."""

Renew = Callable[[dict[str, Any], Record], dict[str, Any]]
"""Function that updates a kept record whose id or other fields have changed."""

_MARK = b'{"labelmass_journal":'
_UNKNOWN = Stamp("", "")


def journal_path(out: str | Path) -> Path:
    """Path of the journal of a run that writes `out`: beside it, with `.journal` added."""
    return Path(f"{out}.journal")


class Journal:
    """An append-only file of finished records, keyed by their numbers in the input.

    path: made if it is not there; otherwise the run it belongs to is resumed.
    signature: what must be the same for results to belong together, as JSON data.
    source: the name of the input.
    overwrite: begin anew, whatever is there.

    Raises LabelMassError if the file belongs to another run (naming what differs), is no journal,
    or is being written by another process.
    """

    def __init__(
        self,
        path: str | Path,
        signature: Mapping[str, Any],
        *,
        source: str = "",
        overwrite: bool = False,
    ) -> None:
        self.path, self.source = Path(path), source
        self.signature: dict[str, Any] = json.loads(json.dumps(signature, allow_nan=False))
        self._places: dict[int, int] = {}  # key -> offset of its line
        self._stamps: dict[int, Stamp] = {}  # of the lines that were there
        self._expected: dict[int, Stamp] = {}  # of records that are being scored
        self._begun_for = source
        self.damaged = 0
        self._file = self._open()
        try:
            self._partial.unlink(missing_ok=True)  # of a rewrite that was killed
            if overwrite:
                self._file.truncate(0)
            self._end = self._load()
        except BaseException:
            self._file.close()
            raise
        self._synced = time.monotonic()

    @property
    def _partial(self) -> Path:
        return self.path.with_name(f".{self.path.name}.partial")

    @property
    def finished(self) -> frozenset[int]:
        """Keys of the records that are in the journal."""
        return frozenset(self._places)

    def __contains__(self, key: int) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    def resume(self, read: Callable[[], Iterable[Item]], renew: Renew) -> Changes | None:
        """Keep what is of the records of an input, by content, under their numbers there.

        All other lines are dropped, failures among them, so that their records are scored again.
        read: gives the records anew each time. None if the journal is empty. Raises LabelMassError
        where another input has no record in common with this one, so that the journal of one run is
        not spent on another.
        """
        if not self._places and not self.damaged:
            return None
        matching = match(self._stamps, read())
        changes = replace(matching.changes, damaged=self.damaged)
        renamed = self._begun_for != self.source
        if renamed and self._places and not changes.kept + changes.failed:
            raise LabelMassError(
                f"{self.path} keeps {len(self._places)} records of {self._begun_for}, and none of "
                f"them is in {self.source}: choose another --out, or give --overwrite to begin anew"
            )
        fewer = changes.kept < len(self._places)
        if renamed or fewer or matching.moved or self.damaged:
            self._rewrite(matching.key_of, read(), renew)
        self._stamps.clear()
        return changes

    def check_resumed(self) -> None:
        """RuntimeError if there are lines of which it is not known that the input holds them."""
        if self._stamps:
            raise RuntimeError(f"resume() {self.path} first: the input may have changed")

    def left(self, items: Iterable[tuple[int, T]]) -> Iterator[tuple[int, T]]:
        """The items that are not in the journal; what is appended for them has their stamps."""
        self.check_resumed()
        for key, item in items:
            if key not in self:
                self.expect(key, item)
                yield key, item

    def expect(self, key: int, item: Record | BadRecord) -> None:
        """Declare that the line to be appended under this key belongs to this item."""
        self.check_resumed()
        self._expected[key] = Stamp.of(item)

    def append(self, records: Iterable[tuple[int, Mapping[str, Any]]]) -> None:
        """Write the results of a batch, (key, record) each; on return no kill can lose them.

        Raises ValueError for a key that is finished already.
        """
        lines = bytearray()
        places: dict[int, int] = {}
        for key, record in records:
            if key in self._places or key in places:
                raise ValueError(f"record {key} is in the journal already")
            places[key] = self._end + len(lines)
            stamp = self._expected.pop(key, _UNKNOWN)
            lines += write_line(key, replace(stamp, failed="error" in record), as_json(record))
        self._write(lines)
        self._places |= places
        if time.monotonic() - self._synced >= SYNC_SECONDS:
            self.sync()

    def sync(self) -> None:
        """Have the operating system put everything on the disk."""
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()

    def read(self, key: int) -> dict[str, Any]:
        """The result under a key."""
        (record,) = self.records([key])
        return record

    def records(self, order: Iterable[int] | None = None) -> Iterator[dict[str, Any]]:
        """The results, read one by one: in the order of these keys, or of all keys, rising."""
        with self.path.open("rb") as file:
            for key in sorted(self._places) if order is None else order:
                file.seek(self._places[key])
                yield parse_record(file.readline(), self.path)

    def close(self) -> None:
        """Put everything on the disk and let go of the file."""
        if not self._file.closed:
            self.sync()
            self._file.close()

    def remove(self) -> None:
        """Close and delete the journal, once its records are exported."""
        self.close()
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self) -> Any:
        file = self.path.open("a+b", buffering=0)
        try:
            _lock(file.fileno(), self.path)
        except BaseException:
            file.close()
            raise
        return file

    def _write(self, lines: bytes | bytearray) -> None:
        rest = memoryview(lines)
        try:
            while rest:
                rest = rest[self._file.write(rest) or 0 :]
        except BaseException:  # a full disk or Ctrl-C: leave no half line to append to
            self._file.truncate(self._end)
            raise
        self._end += len(lines)

    def _load(self) -> int:
        """Read what is there, cut an unfinished end off, and return where the next line begins."""
        self._file.seek(0)
        self._end = 0
        with self.path.open("rb") as file:
            head = file.readline()
            if not _MARK.startswith(head[: len(_MARK)]) and not head.startswith(_MARK):
                raise LabelMassError(
                    f"{self.path} is not a journal of labelmass: move it away, or give --overwrite"
                )
            if next(lines_of(file), None) is None:  # new, or nothing was finished: it is nobody's
                self._file.truncate(0)
                self._write(self._head())
                return self._end
            self._check_head(head)
            file.seek(len(head))
            end = file.tell()
            damaged = 0
            for place, line in lines_of(file):
                if (result := read_head(line)) is None:
                    damaged += 1
                    continue
                key, stamp = result
                self._places.setdefault(key, place)
                self._stamps.setdefault(key, stamp)
                self.damaged, end = damaged, place + len(line)
        self._file.truncate(end)  # what follows the last whole line was never finished
        return end

    def _rewrite(self, key_of: Mapping[int, int], items: Iterable[Item], renew: Renew) -> None:
        """Put a journal of these lines alone in the place of this one, whole or not at all."""
        partial, places = self._partial, dict[int, int]()
        try:
            with partial.open("wb") as file, self.path.open("rb") as former:
                file.write(self._head())
                for number, item in items:
                    if number not in key_of:
                        continue
                    former.seek(self._places[key_of[number]])
                    record = record_of(former.readline())
                    stamp = Stamp.of(item)
                    if isinstance(item, Record) and stamp != self._stamps[key_of[number]]:
                        kept = parse_record(b'{"record":' + record + b"}", self.path)
                        record = as_json(renew(kept, item))
                    places[number] = file.tell()
                    file.write(write_line(number, stamp, record))
                end = file.tell()
                file.flush()
                os.fsync(file.fileno())
            self._replace(partial)
        finally:
            partial.unlink(missing_ok=True)
        self._places, self._end, self.damaged = places, end, 0
        self._begun_for = self.source

    def _replace(self, partial: Path) -> None:
        former = self._file
        if sys.platform == "win32":
            former.close()  # an open file cannot be replaced there
        os.replace(partial, self.path)
        try:
            self._file = self._open()
        finally:
            former.close()

    def _head(self) -> bytes:
        head = {"labelmass_journal": VERSION, "input": self.source, "signature": self.signature}
        return as_json(head) + b"\n"

    def _check_head(self, head: bytes) -> None:
        try:
            result = shaped(_Head, json.loads(head), infinite=True)
        except (ValueError, RecursionError, LabelMassError):
            raise LabelMassError(
                f"the first line of {self.path} is damaged, so that it cannot be told what run it "
                "belongs to: move it away, or give --overwrite to begin anew"
            ) from None
        if (version := result.labelmass_journal) != VERSION:
            older = ", which does not say what its records said" if version == 1 else ""
            raise LabelMassError(
                f"{self.path} is of journal version {version}{older}; this labelmass writes "
                f"version {VERSION}: finish it with the labelmass that began it, choose another "
                "--out, or give --overwrite to begin anew"
            )
        changes = list(differences(result.signature, self.signature))
        if changes:
            raise LabelMassError(
                f"{self.path} was begun by another run ({'; '.join(changes)}): go on with the same "
                f"options, choose another --out, or give --overwrite to begin anew"
            )
        self._begun_for = result.input


@dataclass(frozen=True, slots=True)
class _Head:
    """The first line of a journal; those of version 1 had no more than these."""

    labelmass_journal: int
    input: str = ""
    signature: Mapping[str, Any] = field(default_factory=dict[str, Any])


def differences(old: Mapping[str, Any], new: Mapping[str, Any], under: str = "") -> Iterator[str]:
    """Every key whose value changed, in words."""
    for key in [*old, *(key for key in new if key not in old)]:
        before, now = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(now, dict):
            yield from differences(
                cast("dict[str, Any]", before), cast("dict[str, Any]", now), f"{under}{key}."
            )
        elif key == "canary":
            yield from _other_model(before, now)
        elif before != now:
            yield f"{under}{key} was {before!r}, now {now!r}"


def _other_model(before: Any, now: Any) -> Iterator[str]:
    """A change of canary, in words, if it is one of the model."""
    if before and now:
        kept, read = Canary.parse(before), Canary.parse(now)
        if not kept.agrees(read):
            yield "the model is another: {}, {}".format(*canary_words(kept, read))


def _lock(descriptor: int, path: Path) -> None:
    """Keep other processes out until the file is closed, where the system can."""
    busy = LabelMassError(f"{path} is being written by another run")
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise busy from None
    except OSError:
        return  # a file system without locks
    try:
        same = os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        same = False
    if not same:  # it was put in another's place, or removed, between opening and locking
        raise busy


def export(
    journal: Journal,
    out: str | Path,
    order: Iterable[int] | None = None,
    *,
    keep_input: bool = True,
) -> None:
    """Write the journal's records to `out`, see `write_scores`.

    order: keys in the order wanted; None for that of the input. keep_input: with the fields of the
        input.
    """
    keys = None if order is None else list(order)

    def records() -> Iterator[dict[str, Any]]:
        for record in journal.records(keys):
            if not keep_input:
                record.pop("input", None)
            yield record

    write_scores(out, records, journal.signature)
