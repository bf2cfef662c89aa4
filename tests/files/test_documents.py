"""Files that hold one value, and plain data as the type that it was written from."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from labelmass.errors import LabelMassError
from labelmass.files import read_json, read_toml, shaped


@dataclass(frozen=True)
class Inner:
    rate: float


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Mapping[str, Inner]
    scores: Sequence[float] = ()
    note: str | None = None


def test_data_becomes_the_type_that_it_was_written_from() -> None:
    data = {"name": "x", "inner": {"a": {"rate": 1}}, "scores": [0, 0.5], "later": "left out"}
    assert shaped(Outer, data) == Outer("x", {"a": Inner(1.0)}, [0.0, 0.5])
    assert shaped(tuple[int, str], [3, "b"]) == (3, "b")
    assert shaped(list[float], [float("inf")], infinite=True) == [float("inf")]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "it must be a dictionary or an instance of Outer, not None"),
        ([], r"it must be a dictionary or an instance of Outer, not \[\]"),
        ({"inner": {}}, "^name is missing"),
        ({"name": 3, "inner": {}}, "^name must be a valid string, not 3"),
        ({"name": "x", "inner": {"a": {}}}, r"^inner\.a\.rate is missing"),
        ({"name": "x", "inner": {"a": {"rate": "nan"}}}, r"^inner\.a\.rate must be a finite"),
        ({"name": "x", "inner": {}, "scores": [1, {}]}, r"^scores\[1\] must be a valid number"),
        ({"name": "x", "inner": {}, "scores": [1, 1e999]}, r"^scores\[1\] must be a finite"),
        ({"name": "x" * 999, "inner": "y" * 999}, r"^inner must be .{,30}, not 'y{59}\.\.\.$"),
    ],
)
def test_the_first_defect_is_named_by_its_key(data: object, said: str) -> None:
    with pytest.raises(LabelMassError, match=said):
        shaped(Outer, data)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "malformed JSON"),
        (b'{"a": 1,\n"b": }', "malformed JSON: Expecting value at line 2, column 6"),
        (b'{"a": 1, "a": 2}', "the key 'a' stands twice"),
        (b"[" * 100_000, "nested too deep"),
        (b"9" * 5000, "malformed JSON"),
        (b'{"a": NaN}', "NaN is no number of JSON"),
        (b'{"a": Infinity}', "Infinity is no number of JSON"),
        (b'{\n"a": "\xff"}', "line 2: byte 0xff is not UTF-8; save the file as UTF-8"),
        ("{}".encode("utf-16"), "is text in UTF-16: save it as UTF-8"),
        (gzip.compress(b"{}", mtime=0)[:9], "cannot be unpacked"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
    ],
)
def test_a_file_of_json_that_is_none_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(LabelMassError, match=rf"a\.json.*{said}"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a = ", "malformed TOML: .*at end of document"),
        (b"a = nan", "nan is no finite number"),
        (b"a = 1e999", "1e999 is no finite number"),
        (b"a = " + b"[" * 100_000, "nested too deep"),
        (b"a = " + b"9" * 5000, "malformed TOML"),
        (b"\n\na = '\xff'", "line 3: byte 0xff is not UTF-8"),
    ],
)
def test_a_file_of_toml_that_is_none_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a.toml").write_bytes(content)
    with pytest.raises(LabelMassError, match=rf"a\.toml.*{said}"):
        read_toml(tmp_path / "a.toml")


def test_what_is_there_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(gzip.compress(b'\xef\xbb\xbf{"a": Infinity}'))
    assert read_json(tmp_path / "a.json", infinite=True) == {"a": float("inf")}
    (tmp_path / "a.toml").write_text("[b]\na = 0.5\n")
    assert read_toml(tmp_path / "a.toml") == {"b": {"a": 0.5}}
    with pytest.raises(LabelMassError, match="no file"):
        read_json(tmp_path / "b.json")
    with pytest.raises(LabelMassError, match="is a folder"):
        read_json(tmp_path)
