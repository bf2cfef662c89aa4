"""Labels, annotators and messages in the cells of a CSV."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelmass.errors import RecordError
from labelmass.records import read_records
from labelmass.records.cells import read_cells
from labelmass.targets import Targets
from labelmass.task import Record

NAME = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="|;,"), min_size=1)
NAMES = NAME.map(str.strip).filter(lambda name: name and name[0] not in "[{")


@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_lists_as_json_and_as_python_writes_them(names: list[str]) -> None:
    for written in (json.dumps(names), repr(names)):
        assert read_cells({"labels": written}) == {"labels": names}
        assert read_cells({"annotators": f"[{written}, []]"}) == {"annotators": [names, []]}


@settings(deadline=None)
@given(st.lists(NAMES, min_size=2), st.sampled_from(["|", ";", ", "]))
def test_names_with_a_separator(names: list[str], separator: str) -> None:
    assert read_cells({"labels": separator.join(names)}) == {"labels": names}


@pytest.mark.parametrize(
    ("column", "cell", "value"),
    [
        ("labels", "joy", ["joy"]),
        ("labels", "joy, of a kind;fear", ["joy, of a kind", "fear"]),
        ("labels", "[]", []),
        ("labels", "joy;", ["joy"]),
        ("unknown", "a|b", ["a", "b"]),
        ("annotators", "joy;fear||joy", [["joy", "fear"], [], ["joy"]]),
        ("annotators", "joy", [["joy"]]),
        ("annotators", '[["joy"], []]', [["joy"], []]),
        ("annotator_ids", "7,8", ["7", "8"]),
        ("distribution", '{"joy": 0.5}', {"joy": 0.5}),
        ("distribution", "{'joy': 0.5}", {"joy": 0.5}),
        ("distribution", "normal", "normal"),
        ("note", "[1, 2]", "[1, 2]"),
        # No list after all: left as it is, and refused by whoever needs a list.
        ("labels", "['joy' 'ful']", "['joy' 'ful']"),
        ("labels", "[joy", "[joy"),
        ("labels", "[open('x')]", "[open('x')]"),
    ],
)
def test_cells(column: str, cell: str, value: Any) -> None:
    assert read_cells({column: cell, "empty": ""}) == {column: value}


def test_targets_from_a_csv(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text(
        "id,text,labels,annotators\n"
        "a,so,joy,joy;fear|joy|\n"
        'b,on,"[]","[[], [""fear""]]"\n'
        'c,and,"[""joy"", ""fear""]",joy\n'
    )
    records = [record.to_dict() for _, record in read_records(file) if isinstance(record, Record)]
    targets = Targets.from_records(records, ["joy", "fear"])
    assert targets.gold.tolist() == [[1, 0], [0, 0], [1, 1]]
    assert targets.shares.tolist() == [[2 / 3, 1 / 3], [0, 0.5], [1, 0]]
    assert targets.raters.tolist() == [3, 2, 1]
    file.write_text("id,text,labels\na,so,\n")
    with pytest.raises(RecordError, match=r"no labels, annotators.*\[\] in a CSV"):
        Targets.from_records([r.to_dict() for _, r in read_records(file)], ["joy"])
    file.write_text("id,text,labels\na,so,[joy\n")
    with pytest.raises(RecordError, match=r"labels is '\[joy', not a list"):
        Targets.from_records([r.to_dict() for _, r in read_records(file)], ["joy"])


def test_messages_in_a_csv(tmp_path: Path) -> None:
    talk = [{"role": "user", "content": 'She said "no", twice'}]
    file = tmp_path / "x.csv"
    cell = json.dumps(talk).replace('"', '""')
    file.write_text(f'messages\n"{cell}"\n"[{{"\n')
    (_, good), (_, bad) = read_records(file)
    assert isinstance(good, Record) and good.to_dict()["messages"] == talk
    assert not isinstance(bad, Record) and "messages is a text, not a list" in bad.error


def test_targets_of_numpy_and_pandas() -> None:
    annotators = np.array([["joy"], ["joy", "fear"], []], dtype=object)
    rows = [
        {"id": np.int64(1), "annotators": annotators},
        {"id": 2.0, "annotators": (("joy",), ())},
        {"id": 3, "labels": np.array(["fear"]), "annotators": float("nan")},
        {"id": 4, "distribution": {"joy": np.float32(0.5), "fear": None, "calm": None}},
    ]
    targets = Targets.from_records(rows, ["joy", "fear"])
    assert targets.ids == (1, 2, 3, 4)
    assert targets.shares.tolist() == [[2 / 3, 1 / 3], [0.5, 0], [0, 1], [0.5, 0]]


def test_nulls_in_structs_of_parquet_are_not_there(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    talk = [
        {"role": "user", "content": "hm", "tool_calls": None},
        {"role": "assistant", "content": None, "tool_calls": [{"name": "f", "arguments": "{}"}]},
    ]
    rows = {
        "id": ["a", "b"],
        "text": ["so", None],
        "messages": [None, talk],
        "distribution": [{"joy": 0.5, "fear": None}, {"joy": None, "fear": 1.0}],
        "labels": [["joy"], None],
    }
    parquet.write_table(pyarrow.table(rows), tmp_path / "x.parquet")
    found = [r for _, r in read_records(tmp_path / "x.parquet") if isinstance(r, Record)]
    assert [r.plain for r in found] == ["so", "hm\nf({})"]
    targets = Targets.from_records([r.to_dict() for r in found], ["joy", "fear"])
    assert targets.shares.tolist() == [[0.5, 0], [0, 1]]
