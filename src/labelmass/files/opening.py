"""Files opened for reading: unpacked where they are packed, refused where they are something else.

What a file is, is told by its first bytes, whatever its name says.
"""

from __future__ import annotations

import gzip
import lzma
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from labelmass.errors import LabelMassError

PACKED = (".gz", ".xz")
"""Endings that stand behind a file's own where it is packed."""

_GZIP, _XZ = b"\x1f\x8b", b"\xfd7zXZ\x00"
_HEAD = 64  # bytes that tell what a file is

_FOREIGN = (
    (
        b"version https://git-lfs.github.com/spec/",
        "a Git LFS pointer, not the file itself: fetch it with `git lfs pull`",
    ),
    (b"PK\x03\x04", "a zip archive or an Excel workbook: save the sheet as CSV in UTF-8"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook: save the sheet as CSV in UTF-8"),
    (b"%PDF-", "a PDF: give its text"),
    (b"SQLite format 3\0", "an SQLite database: export the table as CSV"),
    (b"ARROW1\0\0", "an Arrow file: save it as Parquet"),
    (b"(\xb5/\xfd", "packed with Zstandard: unpack it, or pack it with gzip"),
    (b"BZh91AY&SY", "packed with bzip2: unpack it, or pack it with gzip"),
)
_HTML = (b"<!doctype html", b"<html")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_PARQUET = b"PAR1\x15"


@contextmanager
def open_file(path: str | Path) -> Generator[BinaryIO]:
    """The bytes of a file, unpacked if it is gzip or xz.

    Raises LabelMassError for a file that is not there, cannot be read or unpacked, also later while
    it is read, or is plainly of another kind (see `reject_foreign`).
    """
    path = Path(path)
    if path.is_dir():
        raise LabelMassError(f"{str(path)!r} is a folder, not a file")
    try:
        with path.open("rb") as file, unpacked(file, str(path)) as stream:
            yield stream
    except FileNotFoundError:
        raise LabelMassError(f"no file {str(path)!r}") from None
    except OSError as error:
        raise LabelMassError(f"cannot read {path}: {error.strerror or error}") from None


@contextmanager
def unpacked(file: BinaryIO, name: str) -> Generator[BinaryIO]:
    """The stream, unpacked if it is gzip or xz. It must be one that can be wound back.

    name: what errors call it; one that ends in .gz or .xz must be packed.
    Raises LabelMassError as `open_file` does.
    """
    head = _head(file)
    try:
        if head.startswith((_GZIP, _XZ)):
            with gzip.open(file) if head.startswith(_GZIP) else lzma.open(file) as stream:
                reject_foreign(_head(cast(BinaryIO, stream)), name)
                yield cast(BinaryIO, stream)
            return
    except (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
        raise LabelMassError(f"{name}: cannot be unpacked ({error})") from None
    reject_foreign(head, name)
    if name.lower().endswith(PACKED):
        kind = "gzip" if name.lower().endswith(".gz") else "xz"
        raise LabelMassError(f"{name}: cannot be unpacked (it is not {kind}, as its name says)")
    yield file


def reject_foreign(head: bytes, name: str) -> None:
    """LabelMassError where the first bytes of a file are those of a kind that is not read."""
    for mark, kind in _FOREIGN:
        if head.startswith(mark):
            raise LabelMassError(f"{name} is {kind}")
    if head.lstrip().lower().startswith(_HTML) and ending(name) != ".txt":
        raise LabelMassError(f"{name} is an HTML page: download the file itself")
    if head.startswith(_UTF_16):
        raise LabelMassError(f"{name} is text in UTF-16: save it as UTF-8")
    if head.startswith(_PARQUET) and not name.lower().endswith(".parquet"):
        raise LabelMassError(f"{name} is a Parquet file: its name must end in .parquet")


def ending(path: str | Path) -> str:
    """The ending of a file's name in small letters, that of the packing left out: ".jsonl"."""
    name = Path(path)
    if name.suffix.lower() in PACKED:
        name = name.with_suffix("")
    return name.suffix.lower()


def _head(file: BinaryIO) -> bytes:
    head = file.read(_HEAD)
    file.seek(0)
    return head
