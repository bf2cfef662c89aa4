"""Zip archives of one file are read as that file; all others are refused in words."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import pytest

from labelmass.errors import LabelMassError
from labelmass.files import contents_ending, open_file


def archive(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


def content_of(path: Path) -> bytes:
    with open_file(path) as file:
        return file.read()


def test_the_one_file_is_read(tmp_path: Path) -> None:
    assert content_of(archive(tmp_path / "x.zip", ("data/x.csv", b"text\na\n"))) == b"text\na\n"


def test_what_macos_adds_is_no_file(tmp_path: Path) -> None:
    clutter = ("__MACOSX/._x.csv", b"?"), (".DS_Store", b"?"), ("data/", b"")
    path = archive(tmp_path / "x.zip", *clutter, ("data/x.csv", b"text\n"))
    assert content_of(path) == b"text\n"


@pytest.mark.parametrize(
    ("name", "member", "ending"),
    [
        ("x.zip", "x.csv", ".csv"),
        ("x.csv.zip", "y.jsonl", ".jsonl"),
        ("x.csv.ZIP", "data", ".csv"),
        ("x.zip", "data", ""),
    ],
)
def test_the_file_inside_says_what_it_holds(
    tmp_path: Path, name: str, member: str, ending: str
) -> None:
    assert contents_ending(archive(tmp_path / name, (member, b"text\n"))) == ending


def test_several_files_are_listed(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.zip", *((f"{n}.csv", b"") for n in range(12)))
    with pytest.raises(LabelMassError, match=r"holds 12 files \(0.csv, 1.csv.*9.csv and 2 more\)"):
        content_of(path)


def test_an_archive_without_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelMassError, match=r"x\.zip holds no file"):
        content_of(archive(tmp_path / "x.zip"))


@pytest.mark.parametrize("name", ["../x.csv", "/etc/x.csv", "data/../../x.csv", "C:\\x.csv"])
def test_a_path_outside_the_archive_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(LabelMassError, match="a path outside the archive"):
        content_of(archive(tmp_path / "x.zip", (name, b"text\n")))


def test_a_link_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("x.csv")
    link.external_attr = 0o120777 << 16
    with pytest.raises(LabelMassError, match=r"'x\.csv' is a link"):
        content_of(archive(tmp_path / "x.zip", (link, b"/etc/passwd")))


def test_an_encrypted_file_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.zip", ("x.csv", b"text\n"))
    content = bytearray(path.read_bytes())
    content[6] |= 1  # the flag in front of the file
    content[content.index(b"PK\x01\x02") + 8] |= 1  # and in the directory
    path.write_bytes(content)
    with pytest.raises(LabelMassError, match="is encrypted: unpack it with its password"):
        content_of(path)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.zip", ("x.txt", bytes(65 * 2**20)))
    assert path.stat().st_size < 100_000
    with pytest.raises(LabelMassError, match=r"grows .*-fold to 65 MiB"):
        content_of(path)


def test_a_wrong_checksum_is_named(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.zip", ("x.csv", b"text\n"))
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 16] ^= 1  # the checksum in the directory
    path.write_bytes(content)
    with pytest.raises(LabelMassError, match=r"x\.zip: cannot be unpacked"):
        content_of(path)


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    for content in (b"PK\x03\x04rest", b"text\n"):
        (tmp_path / "x.zip").write_bytes(content)
        with pytest.raises(LabelMassError, match=r"x\.zip: cannot be unpacked"):
            content_of(tmp_path / "x.zip")


def test_a_file_that_is_packed_twice_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.zip", ("x.csv.gz", gzip.compress(b"text\n")))
    with pytest.raises(LabelMassError, match=r"x\.zip/x\.csv\.gz is packed itself"):
        content_of(path)


def test_an_archive_in_an_archive_is_refused(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as file:
        file.writestr("x.csv", b"text\n")
    with pytest.raises(LabelMassError, match=r"x\.zip/y\.zip is a zip archive"):
        content_of(archive(tmp_path / "x.zip", ("y.zip", inner.getvalue())))


def test_a_workbook_is_no_archive_of_records(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.csv", ("xl/workbook.xml", b"<workbook/>"))
    with pytest.raises(LabelMassError, match="an Excel workbook: save the sheet as CSV"):
        content_of(path)
