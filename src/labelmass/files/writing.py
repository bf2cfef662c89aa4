"""Files that appear whole or not at all: each is written beside its place and then moved there."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from labelmass.errors import LabelMassError


@contextmanager
def replacing(path: str | Path) -> Generator[Path]:
    """A file to write, put in the place of `path` where the block ends without an error.

    It is on the disk by then, so that a kill or a power cut leaves the old file or the new one.
    LabelMassError where no file can be written: a folder that is not there, or one called so.
    """
    path = Path(path)
    if path.is_dir():
        raise LabelMassError(f"cannot write {str(path)!r}: it is a folder")
    if not path.parent.is_dir():
        raise LabelMassError(f"cannot write {str(path)!r}: there is no folder {str(path.parent)!r}")
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """A text in UTF-8; lone surrogates, which UTF-8 cannot hold, as backslash escapes."""
    with replacing(path) as partial:
        partial.write_bytes(text.encode("utf-8", "backslashreplace"))


def write_records(path: str | Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Records as JSONL."""
    with replacing(path) as partial, partial.open("wb") as file:
        for record in records:
            line = json.dumps(record, ensure_ascii=False)
            file.write(line.encode("utf-8", "backslashreplace") + b"\n")


def write_json(path: str | Path, content: Mapping[str, Any], *, infinite: bool = False) -> None:
    """An object, indented for a person to read.

    Raises ValueError for Infinity and NaN, which JSON does not have, unless `infinite`.
    """
    text = json.dumps(content, ensure_ascii=False, indent=1, allow_nan=infinite)
    write_text(path, text + "\n")


def file_hash(path: str | Path) -> str:
    """The sha256 of a file, in hexadecimal; of a folder, that of its files' names and hashes."""
    path = Path(path)
    if path.is_dir():
        files = sorted(file.relative_to(path) for file in path.rglob("*") if file.is_file())
        hashes = "".join(f"{file_hash(path / file)}  {file.as_posix()}\n" for file in files)
        return hashlib.sha256(hashes.encode("utf-8", "surrogateescape")).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
