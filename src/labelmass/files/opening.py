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
from zipfile import BadZipFile

from labelmass.errors import LabelMassError
from labelmass.files.archives import ZIP, member_name, open_member

PACKED = (".gz", ".xz", ".zip")
"""Endings that stand behind a file's own where it is packed."""

_GZIP, _XZ = b"\x1f\x8b", b"\xfd7zXZ\x00"
_HEAD = 64  # bytes that tell what a file is

_FOREIGN = (
    (
        b"version https://git-lfs.github.com/spec/",
        "a Git LFS pointer, not the file itself: fetch it with `git lfs pull`",
    ),
    (
        b"\xd0\xcf\x11\xe0",
        "an old Excel workbook, or one with a password: save it as .xlsx without a password",
    ),
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
def open_file(path: str | Path, *, workbook: bool = False) -> Generator[BinaryIO]:
    """The bytes of a file, unpacked if it is gzip or xz, or a zip archive that holds one file.

    workbook: whether an Excel workbook is wanted, which is a zip archive itself.
    Raises LabelMassError for a file that is not there, cannot be read or unpacked, also later while
    it is read, or is plainly of another kind (see `reject_foreign`).
    """
    path = Path(path)
    if path.is_dir():
        raise LabelMassError(f"{str(path)!r} is a folder, not a file")
    try:
        with path.open("rb") as file, unpacked(file, str(path), workbook) as stream:
            yield stream
    except FileNotFoundError:
        raise LabelMassError(f"no file {str(path)!r}") from None
    except OSError as error:
        raise LabelMassError(f"cannot read {path}: {error.strerror or error}") from None


@contextmanager
def unpacked(file: BinaryIO, name: str, workbook: bool = False) -> Generator[BinaryIO]:
    """The stream, unpacked if it is gzip, xz or zip. It must be one that can be wound back.

    name: what errors call it; one that ends in .gz, .xz or .zip must be packed.
    workbook: as for `open_file`.
    Raises LabelMassError as `open_file` does.
    """
    head = _head(file)
    try:
        if head.startswith((_GZIP, _XZ)):
            with gzip.open(file) if head.startswith(_GZIP) else lzma.open(file) as stream:
                reject_foreign(_head(cast(BinaryIO, stream)), name, workbook)
                yield cast(BinaryIO, stream)
            return
        if head.startswith(ZIP) and not (workbook and _is_workbook(name)):
            with open_member(file, name) as (inner, stream):
                _reject_packed_twice(_head(stream), f"{name}/{inner}", workbook)
                yield stream
            return
    except (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error, BadZipFile) as error:
        raise LabelMassError(f"{name}: cannot be unpacked ({error})") from None
    reject_foreign(head, name, workbook)
    if name.lower().endswith(PACKED):
        kind = {".gz": "gzip", ".xz": "xz", ".zip": "zip"}[Path(name).suffix.lower()]
        raise LabelMassError(f"{name}: cannot be unpacked (it is not {kind}, as its name says)")
    yield file


def reject_foreign(head: bytes, name: str, workbook: bool = False) -> None:
    """LabelMassError where the first bytes of a file are those of a kind that is not read."""
    for mark, kind in _FOREIGN:
        if head.startswith(mark):
            raise LabelMassError(f"{name} is {kind}")
    if head.lstrip().lower().startswith(_HTML) and ending(name) != ".txt":
        raise LabelMassError(f"{name} is an HTML page: download the file itself")
    if head.startswith(_UTF_16):
        raise LabelMassError(f"{name} is text in UTF-16: save it as UTF-8")
    if head.startswith(ZIP) and not (workbook and _is_workbook(name)):
        raise LabelMassError(f"{name} is a zip archive or an Excel workbook inside a packed file")
    if head.startswith(_PARQUET) and ending(name) != ".parquet":
        raise LabelMassError(f"{name} is a Parquet file: its name must end in .parquet")


def ending(path: str | Path) -> str:
    """The ending of a file's name in small letters, that of the packing left out: ".jsonl"."""
    name = Path(path)
    if name.suffix.lower() in PACKED:
        name = name.with_suffix("")
    return name.suffix.lower()


def contents_ending(path: str | Path) -> str:
    """As `ending`, of the file inside where a zip archive, which must be there, holds one."""
    path = Path(path)
    if path.suffix.lower() != ".zip":
        return ending(path)
    with path.open("rb") as file:
        if not _head(file).startswith(ZIP):
            return ending(path)
        return ending(member_name(file, str(path))) or ending(path)


def _is_workbook(name: str) -> bool:
    return ending(name) == ".xlsx" and not name.lower().endswith(".zip")


def _reject_packed_twice(head: bytes, name: str, workbook: bool) -> None:
    """LabelMassError where the file in an archive is packed itself, or of a kind not read."""
    if head.startswith((_GZIP, _XZ)):
        raise LabelMassError(f"{name} is packed itself: zip the file as it is, or give this one")
    reject_foreign(head, name, workbook)


def _head(file: BinaryIO) -> bytes:
    head = file.read(_HEAD)
    file.seek(0)
    return head
