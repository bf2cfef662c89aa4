"""Zip archives that hold exactly one file, which is read where it is: nothing is extracted."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import PurePosixPath, PureWindowsPath
from typing import BinaryIO, cast

from labelmass.errors import LabelMassError

ZIP = (b"PK\x03\x04", b"PK\x05\x06")
"""First bytes of an archive; the second are those of an empty one."""

MAX_EXPANSION = 300
"""Unpacked size over packed size that no file of records has, once it is over `UNCHECKED_SIZE`."""

UNCHECKED_SIZE = 64 * 2**20

_WORKBOOK = "xl/workbook.xml"
_LISTED = 10


@contextmanager
def open_member(file: BinaryIO, name: str) -> Generator[tuple[str, BinaryIO]]:
    """Name and content of the one file in an archive.

    Args:
        file: The archive.
        name: What errors call it.

    Raises:
        LabelMassError: For any other number of files, and for one that is encrypted, is a link,
            names a path outside the archive, or is packed in a way that cannot be trusted or read.
    """
    with _opened(file, name) as archive:
        member = _only_member(archive, name)
        try:
            stream = archive.open(member)
        except (zipfile.BadZipFile, NotImplementedError) as error:
            raise LabelMassError(
                f"{name}: {member.filename} cannot be unpacked ({error}): unpack it yourself"
            ) from None
        with stream:
            yield member.filename, cast("BinaryIO", stream)


def member_name(file: BinaryIO, name: str) -> str:
    """Name of the one file in an archive; raises as `open_member` does."""
    with _opened(file, name) as archive:
        return _only_member(archive, name).filename


def reject_bomb(archive: zipfile.ZipFile, name: str) -> None:
    """Raise LabelMassError if a file in an archive would grow as only a zip bomb does."""
    for member in archive.infolist():
        expansion = member.file_size / max(member.compress_size, 1)
        if member.file_size > UNCHECKED_SIZE and expansion > MAX_EXPANSION:
            raise LabelMassError(
                f"{name}: {member.filename} grows {expansion:,.0f}-fold to "
                f"{member.file_size / 2**20:,.0f} MiB when it is unpacked, as a zip bomb does: "
                "unpack it yourself if you trust it"
            )


@contextmanager
def _opened(file: BinaryIO, name: str) -> Generator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise LabelMassError(f"{name}: cannot be unpacked ({error})") from None
    with archive:
        yield archive


def _only_member(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    if _WORKBOOK in archive.namelist():
        raise LabelMassError(f"{name} is an Excel workbook: save the sheet as CSV in UTF-8")
    members = [member for member in archive.infolist() if not _is_clutter(member)]
    if not members:
        raise LabelMassError(f"{name} holds no file: zip one file of records")
    if len(members) > 1:
        listed = ", ".join(member.filename for member in members[:_LISTED])
        more = f" and {len(members) - _LISTED} more" if len(members) > _LISTED else ""
        raise LabelMassError(
            f"{name} holds {len(members)} files ({listed}{more}), and a zip archive of records "
            "holds one: unpack it, and give the file that is meant"
        )
    (member,) = members
    shown = f"{name}: {member.filename!r}"
    if _is_outside(member.filename):
        raise LabelMassError(f"{shown} is a path outside the archive: zip the file by its name")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise LabelMassError(f"{shown} is a link: zip the file itself")
    if member.flag_bits & 1:
        raise LabelMassError(f"{shown} is encrypted: unpack it with its password")
    reject_bomb(archive, name)
    return member


def _is_clutter(member: zipfile.ZipInfo) -> bool:
    """True for folders, and for what macOS adds to an archive."""
    path = PurePosixPath(member.filename)
    return member.is_dir() or "__MACOSX" in path.parts or path.name == ".DS_Store"


def _is_outside(filename: str) -> bool:
    path = PureWindowsPath(filename)
    return bool(path.anchor) or ".." in path.parts
