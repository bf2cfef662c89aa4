"""Files that clients leave with the service: each is seen by its owner alone, for a while."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from labelmass.errors import LabelMassError
from labelmass.files import read_json, shaped
from labelmass.files.writing import write_json
from labelmass.service.problems import Kind, Problem

SECONDS_KEPT = 30 * 24 * 3600
"""How long a file is kept."""

MOST_FILES = 100
"""Files that one caller may have."""

MOST_BYTES = 200 << 20
"""Bytes that one caller's files may have together."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as it was given, or as a batch wrote it.

    Attributes:
        owner: Name of the key that it was left with.
        filename: Name that its owner gave it; it is never a path here.
    """

    id: str
    owner: str
    filename: str
    purpose: str
    created_at: int
    expires_at: int


class FileStore:
    """Files in a folder that nobody else may read: contents, and beside them what they are.

    Args:
        folder: Made if it is not there.

    Raises:
        LabelMassError: For a folder that holds something else.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._files = {
            one.id: one for one in (_read(path) for path in sorted(folder.glob("file-*.json")))
        }
        self.sweep()

    async def add(self, owner: str, filename: str, purpose: str, content: bytes) -> StoredFile:
        """Keep a file.

        Raises:
            Problem: If its owner has too many, or too large ones.
            OSError: If there is no room for it; nothing of it is kept then.
        """
        mine = self.owned_by(owner)
        if len(mine) >= MOST_FILES:
            raise Problem(Kind.TOO_LARGE, f"at most {MOST_FILES} files are kept: delete one first")
        if sum(map(self.size, mine)) + len(content) > MOST_BYTES:
            raise Problem(
                Kind.TOO_LARGE, f"at most {MOST_BYTES >> 20} MiB are kept: delete a file first"
            )
        stored = self.begin(owner, filename, purpose)
        try:
            await asyncio.to_thread(self.append, stored, content)
        except OSError:
            self.delete(stored)
            raise
        return stored

    def begin(self, owner: str, filename: str, purpose: str) -> StoredFile:
        """An empty file, to be appended to."""
        now = int(time.time())
        name = f"file-{secrets.token_hex(16)}"
        stored = StoredFile(name, owner, filename, purpose, now, now + SECONDS_KEPT)
        os.close(os.open(self.path(stored), os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600))
        write_json(self.folder / f"{name}.json", asdict(stored))
        self._files[name] = stored
        return stored

    def append(self, stored: StoredFile, content: bytes) -> None:
        """Write to the end of a file, and to the disk."""
        with self.path(stored).open("ab") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def get(self, owner: str, name: str) -> StoredFile:
        """A file of this owner; Problem for any other."""
        found = self._files.get(name)
        if found is None or found.owner != owner or found.expires_at < time.time():
            raise Problem(Kind.NOT_FOUND, "no such file")
        return found

    def read(self, stored: StoredFile) -> bytes:
        return self.path(stored).read_bytes()

    def lines(self, stored: StoredFile) -> Iterator[bytes]:
        """Its lines that are not blank."""
        with self.path(stored).open("rb") as file:
            yield from (line for line in file if line.strip())

    def cut(self, stored: StoredFile) -> None:
        """Take off a last line that was not written whole."""
        content = self.read(stored)
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            self.path(stored).write_bytes(whole)

    def size(self, stored: StoredFile) -> int:
        return self.path(stored).stat().st_size

    def owned_by(self, owner: str) -> list[StoredFile]:
        """An owner's files, newest first."""
        mine = [one for one in self._files.values() if one.owner == owner]
        return sorted(mine, key=lambda one: (one.created_at, one.id), reverse=True)

    def delete(self, stored: StoredFile) -> None:
        self.path(stored).unlink(missing_ok=True)
        (self.folder / f"{stored.id}.json").unlink(missing_ok=True)
        self._files.pop(stored.id, None)

    def sweep(self) -> None:
        """Delete what has been kept long enough."""
        for one in [*self._files.values()]:
            if one.expires_at < time.time():
                self.delete(one)

    def path(self, stored: StoredFile) -> Path:
        return self.folder / f"{stored.id}.data"

    def __contains__(self, name: str) -> bool:
        return name in self._files


def _read(path: Path) -> StoredFile:
    try:
        data: Mapping[str, Any] = read_json(path)
        return shaped(StoredFile, data)
    except (LabelMassError, json.JSONDecodeError) as error:
        raise LabelMassError(f"{path}: no file of this service: {error}") from None
