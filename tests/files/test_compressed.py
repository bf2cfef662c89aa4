"""Packed files are unpacked, and files that are something else are told for what they are."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pytest

from labelmass.errors import LabelMassError, RecordError
from labelmass.files import ending, open_file, open_parquet

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12345\n"


def read(path: Path, content: bytes) -> bytes:
    path.write_bytes(content)
    with open_file(path) as file:
        return file.read()


def test_packed_files_are_unpacked_whatever_they_are_called(tmp_path: Path) -> None:
    for name in ("x.jsonl.gz", "x.jsonl"):
        assert read(tmp_path / name, gzip.compress(b"one\ntwo\n")) == b"one\ntwo\n"
    assert read(tmp_path / "x.csv.xz", lzma.compress(b"one")) == b"one"
    assert read(tmp_path / "empty.txt", b"") == b""
    assert read(tmp_path / "empty.gz", gzip.compress(b"")) == b""
    assert [ending(name) for name in ("a/b.JSONL.GZ", "b.csv", "b.gz", "b")] == [
        *(".jsonl", ".csv", "", "")
    ]


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_a_packed_file_that_is_cut_off_is_named(tmp_path: Path, pack) -> None:
    whole = pack(b"".join(b"%d\n" % n for n in range(5000)))
    with pytest.raises(LabelMassError, match="cannot be unpacked"):
        read(tmp_path / "x.gz", whole[: len(whole) // 2])
    with pytest.raises(LabelMassError, match="not gzip, as its name says"):
        read(tmp_path / "x.gz", b"plain")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (POINTER, "a Git LFS pointer, not the file itself: fetch it with `git lfs pull`"),
        (gzip.compress(POINTER, mtime=0), "a Git LFS pointer"),
        (b"\xd0\xcf\x11\xe0", "an old Excel workbook, or one with a password"),
        ("id,text\n".encode("utf-16"), "text in UTF-16: save it as UTF-8"),
        (b"\n<!DOCTYPE html><p>", "an HTML page"),
        (b"PAR1\x15\x04", "a Parquet file: its name must end in .parquet"),
    ],
)
def test_what_a_file_really_is(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(LabelMassError, match=f"x.csv is .*{said}"):
        read(tmp_path / "x.csv", content)


def test_a_text_may_be_a_page(tmp_path: Path) -> None:
    assert read(tmp_path / "x.txt", b"<html> is a tag") == b"<html> is a tag"


def test_files_that_cannot_be_opened_are_named(tmp_path: Path) -> None:
    for name, said in (("none.csv", "no file"), (".", "is a folder")):
        with pytest.raises(LabelMassError, match=said), open_file(tmp_path / name):
            pass


def test_parquet(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    file = tmp_path / "x.parquet"
    for content, said in ((POINTER, "Git LFS pointer"), (b"nonsense", "not a Parquet file")):
        file.write_bytes(content)
        with pytest.raises(LabelMassError, match=said), open_parquet(file):
            pass
    twice = pyarrow.table([["a"], ["b"]], names=["text", "text"])
    parquet.write_table(twice, file)
    with pytest.raises(LabelMassError, match="two columns are called 'text'"), open_parquet(file):
        pass
    shares = pyarrow.array([[("joy", 0.5)], None], pyarrow.map_("string", "double"))
    fine = pyarrow.array([1, 1_000_000_000], pyarrow.timestamp("ns"))
    parquet.write_table(pyarrow.table({"shares": shares, "at": fine, "n": [1, 2]}), file)
    with open_parquet(file) as table:
        assert (table.columns, table.count) == (("shares", "at", "n"), 2)
        (_, first), (_, second) = table.rows()
        assert (first["shares"], second["shares"], second["n"]) == ({"joy": 0.5}, None, 2)
        assert [row for _, row in table.rows(["n"])] == [{"n": 1}, {"n": 2}]


def test_a_broken_parquet_file_is_named(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    file = tmp_path / "x.parquet"
    parquet.write_table(pyarrow.table({"text": [str(n) for n in range(5000)]}), file)
    content = bytearray(file.read_bytes())
    content[100:2000] = bytes(1900)
    file.write_bytes(content)
    with pytest.raises(LabelMassError, match="not a Parquet file"), open_parquet(file) as table:
        list(table.rows())


def test_columns_that_are_not_utf8_are_named(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    file = tmp_path / "x.parquet"
    parquet.write_table(pyarrow.table({"text": ["a"]}), file)
    file.write_bytes(file.read_bytes().replace(b"text", b"te\xd4t"))
    with pytest.raises(LabelMassError, match="or a damaged one"), open_parquet(file) as table:
        list(table.rows())


def test_values_that_python_cannot_hold_are_texts_or_errors_in_their_place(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    file, long = tmp_path / "x.parquet", pa.duration("s")
    columns = {
        "length": pa.array([2**62, 60], long),
        "lengths": pa.array([[60], [2**62]], pa.list_(long)),
    }
    parquet.write_table(pa.table(columns), file)
    with open_parquet(file) as table:
        (_, first), (_, second) = table.rows()
    assert first["length"] == str(2**62) and isinstance(second, RecordError)
    assert "lengths: a list<element: duration[s]> that cannot be read" in str(second)
