"""The journal of a run: every finished record, appended as it is finished.

A JSONL file beside the output. Its first line holds the run's signature, every other line the key
(the record's line number in the input) and the result. A run killed at any moment leaves at most
one unfinished last line, which is dropped when the journal is opened again.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, cast

from labelmass.errors import LabelMassError

if sys.platform != "win32":
    import fcntl

SYNC_SECONDS = 2.0
"""At most this much work is lost when the machine itself fails; a killed run loses none."""

_VERSION = 1
_MARK = b'{"labelmass_journal":'


def journal_path(out: str | Path) -> Path:
    """Where the journal of a run that writes `out` lies: beside it, `.journal` added."""
    return Path(f"{out}.journal")


class Journal:
    """An append-only file of finished records, keyed by their line numbers.

    path: made if it is not there; otherwise the run it belongs to is resumed.
    signature: what must be the same for results to belong together, as JSON data; put the input's
        name in it, for the keys are its line numbers.
    overwrite: begin anew, whatever is there.

    Raises LabelMassError if the file belongs to another run (naming what differs), is no journal,
    or is being written by another process.
    """

    def __init__(
        self, path: str | Path, signature: Mapping[str, Any], *, overwrite: bool = False
    ) -> None:
        self.path = Path(path)
        self.signature: dict[str, Any] = json.loads(json.dumps(signature, allow_nan=False))
        self._places: dict[int, int] = {}  # key -> offset of its line
        self._file = self.path.open("a+b", buffering=0)
        try:
            _lock(self._file.fileno(), self.path)
            if overwrite:
                self._file.truncate(0)
            self._end = self._resume()
        except BaseException:
            self._file.close()
            raise
        self._synced = time.monotonic()

    @property
    def finished(self) -> frozenset[int]:
        """Keys of the records that are in the journal."""
        return frozenset(self._places)

    def __contains__(self, key: int) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

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
            lines += _line({"key": key, "record": record})
        self._write(lines)
        self._places |= places
        if time.monotonic() - self._synced >= SYNC_SECONDS:
            self.sync()

    def sync(self) -> None:
        """Have the operating system put everything on the disk."""
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()

    def records(self, order: Iterable[int] | None = None) -> Iterator[dict[str, Any]]:
        """The results, read one by one: in the order of these keys, or of all keys, rising."""
        with self.path.open("rb") as file:
            for key in sorted(self._places) if order is None else order:
                file.seek(self._places[key])
                yield json.loads(file.readline())["record"]

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

    def _write(self, lines: bytes | bytearray) -> None:
        rest = memoryview(lines)
        try:
            while rest:
                rest = rest[self._file.write(rest) or 0 :]
        except BaseException:  # a full disk or Ctrl-C: leave no half line to append to
            self._file.truncate(self._end)
            raise
        self._end += len(lines)

    def _resume(self) -> int:
        """Read what is there, cut an unfinished end off, and return where the next line begins."""
        self._file.seek(0)
        self._end = 0
        with self.path.open("rb") as file:
            head = file.readline()
            if not _MARK.startswith(head[: len(_MARK)]) and not head.startswith(_MARK):
                raise LabelMassError(
                    f"{self.path} is not a journal of labelmass: move it away, or give --overwrite"
                )
            if not head.endswith(b"\n"):  # new, or killed while the first line was written
                self._file.truncate(0)
                self._write(_line({"labelmass_journal": _VERSION, "signature": self.signature}))
                return self._end
            self._check_head(head)
            self._places, end = _finished(file)
        self._file.truncate(end)
        return end

    def _check_head(self, head: bytes) -> None:
        found = json.loads(head)
        if found["labelmass_journal"] != _VERSION:
            raise LabelMassError(
                f"{self.path} is of journal version {found['labelmass_journal']}, not {_VERSION}: "
                f"finish it with the labelmass that began it, or give --overwrite"
            )
        changes = list(differences(found["signature"], self.signature))
        if changes:
            raise LabelMassError(
                f"{self.path} was begun by another run ({'; '.join(changes)}): go on with the same "
                f"options, choose another --out, or give --overwrite to begin anew"
            )


def read_journal(path: str | Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(key, record) of every finished line, keys rising; the journal may be in another's hands."""
    with Path(path).open("rb") as file:
        file.readline()
        for key, place in sorted(_finished(file)[0].items()):
            file.seek(place)
            yield key, json.loads(file.readline())["record"]


def _finished(file: BinaryIO) -> tuple[dict[int, int], int]:
    """Where each finished line from here on begins, by its key, and where the last one ends."""
    places: dict[int, int] = {}
    end = file.tell()
    for line in file:
        key = _key(line)
        if key is None:
            break
        places.setdefault(key, end)
        end += len(line)
    return places, end


def _line(obj: object) -> bytes:
    text = json.dumps(obj, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # A lone surrogate becomes its own JSON escape.
    return text.encode("utf-8", "backslashreplace") + b"\n"


_START, _END = re.compile(rb'\{"key":(\d+),"record":'), b"}\n"
"""Of a line as it is written."""


def _key(line: bytes) -> int | None:
    """The key of a whole line; None if the line was never finished."""
    if not line.endswith(b"\n"):
        return None
    if (start := _START.match(line)) and line.endswith(_END):
        return int(start[1])
    try:
        obj = json.loads(line)
    except ValueError:
        return None
    if not isinstance(obj, dict) or "record" not in obj:
        return None
    key = cast("dict[str, Any]", obj).get("key")
    return key if isinstance(key, int) else None


def differences(old: Mapping[str, Any], new: Mapping[str, Any], under: str = "") -> Iterator[str]:
    """Every key whose value changed, in words."""
    for key in [*old, *(key for key in new if key not in old)]:
        before, now = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(now, dict):
            yield from differences(
                cast("dict[str, Any]", before), cast("dict[str, Any]", now), f"{under}{key}."
            )
        elif before != now:
            yield f"{under}{key} was {before!r}, now {now!r}"


def _lock(descriptor: int, path: Path) -> None:
    """Keep other processes out until the file is closed, where the system can."""
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LabelMassError(f"{path} is being written by another run") from None
    except OSError:
        return  # a file system without locks
