"""Columns of text and id: guessed where one alone can be meant, and never in silence."""

from __future__ import annotations

from pathlib import Path

import pandas
import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelmass.errors import LabelMassError, LabelMassWarning
from labelmass.records import read_records, settle_fields
from labelmass.records.columns import USUAL_NAMES, Header, guesses
from labelmass.records.readers import each_record
from labelmass.task import Record
from labelmass.task.record import Fields


def header(*columns: str) -> Header:
    return Header(columns, columns, LabelMassError)


@pytest.mark.parametrize(
    ("columns", "fields"),
    [
        (("id", "text", "body"), Fields()),
        (("id", "messages", "title"), Fields()),
        (("prompt", "response", "comment"), Fields()),
        (("id", "body"), Fields(text="body")),
        (("Nr", "Review", "stars"), Fields(text="Review")),
        (("ID", "TEXT"), Fields(text="TEXT", id="ID")),
        (("ID", "Id", "text"), Fields()),
    ],
)
def test_one_column_that_can_be_meant_is_taken(columns: tuple[str, ...], fields: Fields) -> None:
    assert header(*columns).settle(Fields()) == fields


def test_columns_that_are_named_are_not_guessed() -> None:
    named = Fields(text="title", id="nr")
    assert header("nr", "ID", "title", "body").settle(named) == named


def test_a_choice_is_refused_with_the_option_that_makes_it() -> None:
    with pytest.raises(LabelMassError, match=r"'title' or 'body' could be it.*--text-column"):
        header("id", "title", "body").settle(Fields())


def test_a_column_of_numbers_is_no_text() -> None:
    columns = ("id", "title", "review")
    assert Header(columns, ("title",), LabelMassError).settle(Fields()).text == "title"


@given(st.lists(st.sampled_from([*USUAL_NAMES, "Body", "id", "ID", "stars"]), unique=True))
def test_a_guess_is_always_said(columns: list[str]) -> None:
    try:
        settled = header(*columns).settle(Fields())
    except LabelMassError:
        return
    said = list(guesses(Fields(), settled))
    assert said == [
        f"{what} column: {name}"
        for what, name in (("text", settled.text), ("id", settled.id))
        if name is not None
    ]
    assert (settled.text or "text") in columns


def test_a_guess_from_python_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("nr,Body\n1,so happy\n")
    with pytest.warns(LabelMassWarning, match=r"x\.csv: text column: Body"):
        items = read_records(path)
    assert list(items) == [(2, Record(2, text="so happy", extra={"nr": "1"}))]


def test_a_settled_guess_is_no_warning(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("ID,body\n7,so happy\n")
    fields = settle_fields(path)
    assert list(read_records(path, fields=fields)) == [(2, Record("7", text="so happy"))]


def test_the_only_column_of_texts_of_a_frame_is_taken_with_a_warning() -> None:
    frame = pandas.DataFrame({"Id": [7], "review": ["so happy"], "title": [3]})
    with pytest.warns(LabelMassWarning) as warned:
        items = list(each_record(frame))
    assert items == [(1, Record(7, text="so happy", extra={"title": 3}))]
    assert [str(one.message).split(";")[0] for one in warned] == [
        "text column: review",
        "id column: Id",
    ]


def test_a_frame_without_a_text_is_refused_with_its_columns() -> None:
    frame = polars.DataFrame({"id": [7], "txt": ["so happy"]})
    with pytest.raises(LabelMassError, match=r"the table: .*rename.*\(columns: id, txt\)"):
        each_record(frame)


def test_labels_are_read_under_the_name_that_is_given(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("id,text,labels,topics\na,x,old,joy|fear\nb,y,old,\n")
    first, second = (record for _, record in read_records(path, fields=Fields(labels="topics")))
    assert isinstance(first, Record) and isinstance(second, Record)
    assert first.extra == {"labels": ["joy", "fear"], "input.labels": "old"}
    assert second.extra == {"input.labels": "old"}
