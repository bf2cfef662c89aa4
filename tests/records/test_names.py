"""Records without an id: no two records of an input have one name."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelmass.errors import RecordError
from labelmass.records import BadRecord, read_records
from labelmass.records.names import StreamNames
from labelmass.records.readers import each_record
from labelmass.task import Record

IDS = st.none() | st.integers(1, 6) | st.sampled_from(["1", "2", "line 1", "line 2", "line 1 (2)"])


def lines(ids: list[Any]) -> bytes:
    rows = [{"text": f"t{at}"} | ({} if name is None else {"id": name}) for at, name in ids]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def read(path: Path, content: bytes) -> list[tuple[str | int, str]]:
    path.write_bytes(content)
    return [(item.id, getattr(item, "text", "!") or "") for _, item in read_records(path)]


def test_a_record_without_an_id_takes_that_of_no_other(tmp_path: Path) -> None:
    for order in ([None, 1], [2, None]):  # the other one comes later, or earlier
        found = read(tmp_path / "x.jsonl", lines(list(enumerate(order, start=1))))
        names = [name for name, _ in found]
        assert names == [f"line {at}" if name is None else name for at, name in enumerate(order, 1)]
    table = b"id,text\n2,a\n,b\n3,c\n,d\n"
    assert [name for name, _ in read(tmp_path / "x.csv", table)] == ["2", "line 3", "3", 5]
    assert [name for name, _ in read(tmp_path / "y.csv", b"text\na\nb\n")] == [2, 3]
    assert [name for name, _ in read(tmp_path / "x.txt", b"a\nb\n")] == [1, 2]


def test_a_record_that_cannot_be_read_takes_no_other_name_either(tmp_path: Path) -> None:
    content = b'{"text": \n{"id": 1, "text": "a"}\n{"id": true, "text": "b"}\n'
    assert read(tmp_path / "x.jsonl", content) == [("line 1", "!"), (1, "a"), (3, "!")]


def test_parquet(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.table({"id": [2.0, None, None], "text": ["a", "b", "c"]})
    parquet.write_table(table, tmp_path / "x.parquet")
    names = [item.id for _, item in read_records(tmp_path / "x.parquet")]
    assert names == [2, "line 2", 3]


@settings(deadline=None)
@given(st.lists(IDS, max_size=6))
def test_names_differ_wherever_records_come_from(ids: list[Any]) -> None:
    given = [str(name) for name in ids if name is not None]
    if len(set(given)) < len(given):
        return  # whoever gives one id to two records gets them back so
    rows = [{"text": "a"} | ({} if name is None else {"id": name}) for name in ids]
    names = [item.id for _, item in each_record(rows)]
    assert len(set(map(str, names))) == len(ids)
    assert [name for name, own in zip(names, ids, strict=True) if own is not None] == [
        name for name in ids if name is not None
    ]
    stream = list(read_records("-", io.BytesIO(lines(list(enumerate(ids))))))
    assert len({str(item.id) for _, item in stream if isinstance(item, Record)}) == sum(
        isinstance(item, Record) for _, item in stream
    )


def test_standard_input_refuses_the_second_of_a_name() -> None:
    content = b'{"text": "a"}\n{"id": 1, "text": "b"}\n{"id": 4, "text": "c"}\n{"text": "d"}\n'
    items = [item for _, item in read_records("-", io.BytesIO(content))]
    assert [item.id for item in items] == [1, 2, 4, "line 4"]
    assert isinstance(items[1], BadRecord)
    assert "the record on line 1 has no id and is called 1 by its line" in items[1].error


@settings(deadline=None)
@given(st.lists(st.none() | st.integers(-2, 12) | st.sampled_from(["1", "01", "line 3", "x"])))
def test_a_stream_is_named_as_a_slow_reference_names_it(ids: list[Any]) -> None:
    names, taken, called = StreamNames(), set[str](), dict[str, int]()
    for line, own in enumerate(ids, start=1):
        if own is None:
            name = names.of(line)
            assert str(name) not in taken | set(called)
            assert name == line or str(line) in taken
            called[str(name)] = line
        elif str(own) in called:
            with pytest.raises(RecordError, match=rf"on line {called[str(own)]} "):
                names.given(own, line)
        else:
            assert names.given(own, line) == own
            taken.add(str(own))
