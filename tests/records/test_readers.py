from __future__ import annotations

import gzip
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelmass.errors import LabelMassError
from labelmass.records import BadRecord, count_records, read_records
from labelmass.records.readers import about_file, each_record
from labelmass.task import Record
from labelmass.task.record import Fields


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def short(items: Iterator[tuple[int, Record | BadRecord]]) -> list[tuple[int, Any, str]]:
    return [
        (line, item.id, item.text or "" if isinstance(item, Record) else f"! {item.error}")
        for line, item in items
    ]


def test_jsonl_reports_bad_lines_beside_the_good_ones(tmp_path: Path) -> None:
    file = write(
        tmp_path / "x.jsonl",
        b'\xef\xbb\xbf{"text": "a"}\r\n'
        b"\n"
        b'{"text": "b", "id": "B"}\n'
        b'{"text": \n'
        b'{"text": "\xff"}\n'
        b'{"id": "C"}\n'
        b'{"id": "D", "text": 3}\n'
        b"[1]\n"
        b'{"id": true, "text": "e"}\n'
        b'{"text": "last"}',
    )
    assert short(read_records(file)) == [
        (1, 1, "a"),
        (3, "B", "b"),
        (4, 4, "! malformed JSON: Expecting value at column 10"),
        (5, 5, "! invalid UTF-8: byte 0xff at byte 10 of the line; save the file as UTF-8"),
        (
            6,
            "C",
            "! missing 'text' (a record holds 'text', 'messages', or 'prompt' and 'response')",
        ),
        (7, "D", "! text is a number, not a text"),
        (
            8,
            8,
            "! the record is a list, not an object with 'text', 'messages', or 'prompt' and "
            "'response'",
        ),
        (9, 9, "! id is true or false, not a text or a whole number"),
        (10, 10, "last"),
    ]
    assert count_records(file) == 9


def test_hostile_json_stops_nothing(tmp_path: Path) -> None:
    lines = [b"[" * 100_000, b'{"text": ' + b"1" * 5000 + b"}", b'{"text": "ok"}']
    items = list(read_records(write(tmp_path / "x.jsonl", b"\n".join(lines))))
    assert [isinstance(item, Record) for _, item in items] == [False, False, True]


def test_plain_lines(tmp_path: Path) -> None:
    file = write(tmp_path / "x.txt", "one\n\n  \nzwei ü\u2028x\r\n".encode() + b"\xfe\n{no json\n")
    assert short(read_records(file)) == [
        (1, 1, "one"),
        (4, 4, "zwei ü\u2028x"),
        (5, 5, "! invalid UTF-8: byte 0xfe at byte 0 of the line; save the file as UTF-8"),
        (6, 6, "{no json"),
    ]
    assert count_records(file) == 4


def test_csv(tmp_path: Path) -> None:
    file = write(
        tmp_path / "x.csv",
        b'\xef\xbb\xbfid,text,more\r\na,"one, two",m\r\n,"three\nlines",\r\nc,\xff,\r\n'
        b"d,,m\r\nonly,two\r\n\r\ne," + b"x" * 200_000 + b",m\r\n",
    )
    items = list(read_records(file))
    first = items[0][1]
    assert isinstance(first, Record)
    assert first.extra == {"more": "m"}
    assert short(iter(items[:-1])) == [
        (2, "a", "one, two"),
        (3, 3, "three\nlines"),
        (5, 5, "! text: invalid UTF-8: byte 0xff; save the file as UTF-8"),
        (
            6,
            "d",
            "! missing 'text' (a record holds 'text', 'messages', or 'prompt' and 'response')",
        ),
        (7, 7, "! 2 cells where there are 3 columns"),
    ]
    last = items[-1][1]
    assert isinstance(last, Record)
    assert len(last.text or "") == 200_000
    assert count_records(file) == 6


def test_csv_pairs_and_tabs(tmp_path: Path) -> None:
    pairs = write(tmp_path / "x.csv", b"prompt,response\np,r\n")
    assert list(read_records(pairs)) == [(2, Record(2, prompt="p", response="r"))]
    tabs = write(tmp_path / "x.tsv", b"id\ttext\n1\ta,b\n")
    assert list(read_records(tabs)) == [(2, Record("1", text="a,b"))]


def test_a_table_without_a_text_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "x.csv", b"id,txt\n1,a\n")
    with pytest.raises(LabelMassError, match=r"no column 'text'.*--text-column \(columns: id, txt"):
        list(read_records(file))
    with pytest.raises(LabelMassError, match="the file is empty"):
        list(read_records(write(tmp_path / "y.csv", b"")))


def test_parquet(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    file = tmp_path / "x.parquet"
    bad = pyarrow.StringArray.from_buffers(
        3, pyarrow.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0"), pyarrow.py_buffer(b"a\xffc")
    )
    talk = [{"role": "user", "content": "hi"}]
    parquet.write_table(pyarrow.table({"id": [7, 8, 9], "text": bad}), file)
    assert short(read_records(file)) == [
        (1, 7, "a"),
        (2, 2, "! text: invalid start byte, not UTF-8"),
        (3, 9, "c"),
    ]
    assert count_records(file) == 3
    parquet.write_table(pyarrow.table({"text": ["a", None], "messages": [None, talk]}), file)
    assert [item.messages for _, item in read_records(file) if isinstance(item, Record)] == [
        None,
        Record.from_dict({"messages": talk}, 1).messages,
    ]
    with pytest.raises(LabelMassError, match="not a Parquet file"):
        list(read_records(write(file, b"nonsense")))


def test_parquet_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    file = write(tmp_path / "x.parquet", b"")
    with pytest.raises(LabelMassError, match=r"pip install 'labelmass\[parquet\]'"):
        list(read_records(file))


def test_packed_files_are_read(tmp_path: Path) -> None:
    for name, content in (
        ("x.jsonl.gz", b'{"text": "a"}\n'),
        ("x.csv.gz", b"text\na\n"),
        ("x.tsv.gz", b"text\tmore\na\tb\n"),
        ("x.txt.gz", b"a\n"),
    ):
        file = write(tmp_path / name, gzip.compress(content))
        assert [item.text for _, item in read_records(file) if isinstance(item, Record)] == ["a"]
        assert count_records(file) == 1
    cut = gzip.compress(b'{"text": "a"}\n' * 1000)[:-12]
    items = read_records(write(tmp_path / "x.jsonl.gz", cut))
    with pytest.raises(LabelMassError, match="cannot be unpacked"):
        list(items)


def test_an_unclosed_quotation_mark_costs_one_record(tmp_path: Path) -> None:
    file = write(tmp_path / "x.csv", b'id,text\n1,"so happy\n2,"a, b"\n3,rain\n4,6\'2" tall\n5,x\n')
    found = short(read_records(file))
    assert [(line, name) for line, name, _ in found] == [
        (2, "line 2"),
        (3, "2"),
        (4, "3"),
        (5, "line 5"),
        (6, "5"),
    ]
    assert [text[:16] for _, _, text in found] == [
        "! malformed tabl",
        "a, b",
        "rain",
        "! malformed tabl",
        "x",
    ]
    assert "line 2 begins a cell" in found[0][2] and "line 5 has a quotation" in found[3][2]
    assert count_records(file) == 5


def test_a_table_may_be_separated_by_semicolons(tmp_path: Path) -> None:
    file = write(tmp_path / "x.csv", b"id;text\n1;a, b\n")
    assert short(read_records(file)) == [(2, "1", "a, b")]
    assert about_file(file) == f"{file} is read as cells separated by semicolons"
    assert about_file(write(tmp_path / "y.csv", b"id,text\n")) is None
    with pytest.raises(LabelMassError, match=r"no column 'text'.*separated by semicolons"):
        list(read_records(write(tmp_path / "z.csv", b"id;txt\n1;a\n")))


def test_duplicate_columns_are_refused_and_nameless_ones_left_out(tmp_path: Path) -> None:
    file = write(tmp_path / "x.csv", b"text,id,text\na,1,b\n")
    with pytest.raises(LabelMassError, match="'text' stands 2 times"):
        list(read_records(file))
    ((_, record),) = read_records(write(tmp_path / "y.csv", b",text,\n0,a,\n"))
    assert isinstance(record, Record) and record.to_dict() == {"id": 2, "text": "a"}


def test_text_and_id_may_have_other_names(tmp_path: Path) -> None:
    fields = Fields(text="body", id="doc")
    table = write(tmp_path / "x.csv", b"doc;id;body;text\nd1;7;so;raw\n")
    ((_, record),) = read_records(table, fields=fields)
    assert isinstance(record, Record)
    assert record.to_dict() == {"id": "d1", "text": "so", "input.id": "7", "input.text": "raw"}
    lines = b'{"doc": 3.0, "body": "so", "prompt": "p"}\n{"doc": 4}\n{"body": "on"}\n'
    items = read_records(write(tmp_path / "x.jsonl", lines), fields=fields)
    assert [item.to_dict() if isinstance(item, Record) else item for _, item in items] == [
        {"id": 3, "text": "so", "input.prompt": "p"},
        BadRecord(2, "missing 'body', which is to be the text"),
        {"id": "line 3", "text": "on"},
    ]
    for wrong in (Fields(text="bodi"), Fields(text="body", id="nr")):
        with pytest.raises(LabelMassError, match=r"no column '(bodi|nr)', which is to be the"):
            list(read_records(table, fields=wrong))


def test_one_text_and_one_mapping_are_one_record() -> None:
    row = {"id": "a", "text": "so happy"}
    for texts in (row, [row], Record.from_dict(row, 1), (one for one in [row])):
        assert list(each_record(texts)) == [(1, Record("a", text="so happy"))]
    assert list(each_record("so")) == [(1, Record(1, text="so"))]
    assert [item.text for _, item in each_record(np.array(["a", "b"])) if isinstance(item, Record)]
    (wrong,) = (item for _, item in each_record({"id": ["a"], "text": ["so"]}))
    assert isinstance(wrong, BadRecord) and "id is a list" in wrong.error
    with pytest.raises(LabelMassError, match="bytes"):
        each_record(b"so")


def test_tables_in_python_are_rows() -> None:
    import pandas

    frame = pandas.DataFrame({"id": [5, 6], "text": ["a", None], "n": [0.5, float("nan")]})
    (_, first), (_, second) = each_record(frame)
    assert isinstance(first, Record) and first.to_dict() == {"id": 5, "text": "a", "n": 0.5}
    assert (
        isinstance(second, BadRecord)
        and second.id == 6
        and second.input
        == {
            "text": None,
            "n": None,
        }
    )
    import pyarrow

    assert list(each_record(pyarrow.table({"text": ["a"]}))) == [(1, Record(1, text="a"))]
    texts = [item.text for _, item in each_record(frame["text"][:1]) if isinstance(item, Record)]
    assert texts == ["a"]


def test_standard_input_is_json_or_lines() -> None:
    json_input = io.BytesIO(b'\n {"text": "a", "id": "x"}\nplain\n')
    assert [(line, item.id) for line, item in read_records("-", json_input)] == [(2, "x"), (3, 3)]
    lines = io.BytesIO(b'a\n{"text": "b"}\n')
    assert short(read_records("-", lines)) == [(1, 1, "a"), (2, 2, '{"text": "b"}')]
    assert list(read_records("-", io.BytesIO(b""))) == []
    assert count_records("-") is None


def test_files_that_cannot_be_read_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(LabelMassError, match="no file"):
        read_records(tmp_path / "x.jsonl")
    with pytest.raises(LabelMassError, match=r"must end in \.jsonl"):
        read_records(tmp_path / "x.docx")


def test_lines_are_read_as_they_come() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b'{"text": "a"}\n'

    class Stream(io.RawIOBase):
        lines = endless()

        def __next__(self) -> bytes:
            return next(self.lines)

    items = read_records("-", Stream())  # pyright: ignore[reportArgumentType]
    assert [next(items)[0] for _ in range(3)] == [1, 2, 3]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])).filter(str.strip)))
def test_any_text_comes_through_json(texts: list[str]) -> None:
    lines = "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts)
    read = list(read_records("-", io.BytesIO(lines.encode())))
    assert [item.text for _, item in read if isinstance(item, Record)] == texts


@given(st.binary(max_size=200))
def test_no_input_stops_the_reader(noise: bytes) -> None:
    lines = [line for line in noise.split(b"\n") if line.removeprefix(b"\xef\xbb\xbf").strip()]
    assert len(list(read_records("-", io.BytesIO(noise)))) <= len(lines)
    assert len(list(read_records("-", io.BytesIO(b'{"text":"a"}\n' + noise)))) >= 1


@pytest.mark.parametrize(
    ("header", "fields"),
    [
        ("id,text\n1,We won!\n", Fields()),
        ('\ufeff"id";"text";"labels"\n1;x;joy\n', Fields()),
        ("ticket\tbody\n1\tx\n", Fields("body", "ticket")),
    ],
)
def test_a_table_on_standard_input_is_no_text(header: str, fields: Fields) -> None:
    stream = io.BytesIO(header.encode())
    with pytest.raises(LabelMassError, match="begins with the header of a table"):
        list(read_records("-", stream, fields=fields))


def test_a_text_with_commas_on_standard_input_is_a_text() -> None:
    stream = io.BytesIO(b"The text, as I said, was long.\nid, text and more\n")
    found = [item for _, item in read_records("-", stream)]
    assert [one.text for one in found] == ["The text, as I said, was long.", "id, text and more"]
