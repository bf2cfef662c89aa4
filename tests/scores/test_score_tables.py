"""Score tables are read back as they were written, whatever their labels and methods are called."""

from __future__ import annotations

import json
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import labelmass
from conftest import mood_model
from labelmass._text import canonical
from labelmass.errors import LabelMassError, LabelMassWarning
from labelmass.lm.scripted import ScriptedLanguageModel
from labelmass.scores import Scores
from labelmass.scores.columns import BOUNDS, VALUES, Column
from labelmass.scores.read import read_scores
from labelmass.scoring.journal import Journal, export
from labelmass.task import Task

WORDS = st.sampled_from(
    [
        *(
            "joy",
            ".low",
            ".high",
            "joy.low",
            "label:",
            "input:",
            "empty",
            "empty_answer",
            "verdict_prefix",
            "id",
        ),
        *("error", ":", "calibrated:", "off_format", "action", "[", '["label", "", "joy", "p"]'),
        *(",", ";", '"', "\r", "\n", "\t", "é", "e\u0301", " "),
    ]
)
NAME = st.lists(WORDS | st.text(st.characters(exclude_categories=["Cs"]), max_size=3), max_size=3)
NAME = NAME.map("".join).filter(bool)
NAMES = st.lists(NAME, min_size=2, max_size=3, unique_by=canonical)
METHODS = st.lists(NAME, max_size=3, unique_by=canonical)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["label", "field", "input"]), NAME, NAME | st.just(""))
def test_every_column_has_a_title_of_its_own(kind: Any, name: str, method: str) -> None:
    sides = ["p", "low", "high"] if kind != "input" else [""]
    for side in sides:
        column = Column(kind, name, method if kind != "input" else "", side)
        assert Column.read(column.title) == column


@pytest.mark.parametrize(
    ("column", "titles"),
    [
        (Column("label", "joy"), ["joy", "joy.low", "joy.high"]),
        (Column("label", "joy", "token"), ["token:joy", "token:joy.low", "token:joy.high"]),
        (
            Column("label", "joy", "calibrated:token"),
            [f"calibrated:token:joy{side}" for side in ("", ".low", ".high")],
        ),
        (Column("label", "id"), ["label:id", "label:id.low", "label:id.high"]),
        (
            Column("label", "target:Women"),
            [f"label:target:Women{s}" for s in ("", ".low", ".high")],
        ),
        (
            Column("field", "verdict_prefix"),
            ["verdict_prefix", "verdict_prefix.low", "verdict_prefix.high"],
        ),
        (Column("field", "empty", "token"), [f"token:empty{s}" for s in ("", ".low", ".high")]),
        (
            Column("label", "empty", "token"),
            [f"token:label:empty{s}" for s in ("", ".low", ".high")],
        ),
        (
            Column("label", "joy.low"),
            [json.dumps(["label", "", "joy.low", side]) for side in ("p", "low", "high")],
        ),
    ],
)
def test_titles(column: Column, titles: list[str]) -> None:
    sides = ("p", "low", "high")
    found = [Column(column.kind, column.name, column.method, side).title for side in sides]
    assert found == titles


def written(ending: str, rows: list[dict[str, Any]], labels: list[str]) -> Scores:
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / f"x{ending}"
        with Journal(Path(name) / "j", {}) as journal:
            journal.append(enumerate(rows, start=1))
            export(journal, out)
        return read_scores(out, labels, [row["id"] for row in rows])


def scores(draw: st.DrawFn, labels: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for label in labels:
        low, p, high = sorted(draw(st.lists(st.floats(0, 1), min_size=3, max_size=3)))
        found[label] = {"p": p, "low": low, "high": high}
    return found


@st.composite
def runs(draw: st.DrawFn) -> tuple[list[str], list[str], list[dict[str, Any]]]:
    """Labels, methods and result records."""
    labels, methods = draw(NAMES), draw(METHODS)
    fields = draw(st.lists(NAME | st.sampled_from(labels), max_size=2, unique=True))
    rows: list[dict[str, Any]] = []
    for name in draw(st.sampled_from([[1, 2], ["a", 'b"\r\n'], [7, "x"]])):
        row: dict[str, Any] = {"id": name, "labels": scores(draw, labels), "off_format": 0.25}
        if methods:
            row["methods"] = {method: scores(draw, labels) for method in methods}
            row["empty_by_method"] = {methods[0]: {"p": 0.5, "low": 0.25, "high": 0.75}}
        row["empty_answer"] = row["verdict"] = {"p": 0.5, "low": 0.25, "high": 0.75}
        row["input"] = {field: draw(st.none() | st.text() | st.booleans()) for field in fields}
        rows.append(row)
    return labels, methods, rows


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".jsonl"])
def test_any_names_are_read_back(ending: str) -> None:

    @settings(max_examples=40, deadline=None)
    @given(runs())
    def check(run: tuple[list[str], list[str], list[dict[str, Any]]]) -> None:
        labels, methods, rows = run
        found = written(ending, rows, labels)
        assert set(found.each) == set(methods or ["x"])
        for method in methods or ["x"]:
            one = found.each[method]
            assert one.ids == tuple(row["id"] for row in rows)
            for side, values in (("p", one.p), ("low", one.low), ("high", one.high)):
                given = [row["methods"][method] if methods else row["labels"] for row in rows]
                expected = [[scores[label][side] for label in labels] for scores in given]
                assert values is not None and np.array_equal(values, expected), (method, side)
        assert found.off_format.tolist() == [0.25] * len(rows)

    check()


def test_labels_that_look_like_columns() -> None:
    """Each has a value of its own, so one that is read for another is seen."""
    labels = ["joy", "joy.low", "joy.high", "label:joy", "input:text", *BOUNDS, *VALUES]
    row = {
        "id": 1,
        "labels": {
            label: {"p": at / 100, "low": at / 200, "high": at / 50}
            for at, label in enumerate(labels)
        },
        "off_format": 0.5,
        "verdict_prefix": {"p": 0.9, "low": 0.8, "high": 1.0},
        "input": {"joy": 1, "text": "a", "off_format": 7, "label:joy": "b"},
    }
    for ending in (".csv", ".parquet"):
        found = written(ending, [row], labels)
        (one,) = found.each.values()
        assert one.p.tolist() == [[at / 100 for at in range(len(labels))]]
        assert one.low is not None and one.low.tolist() == [[at / 200 for at in range(len(labels))]]
        assert found.off_format.tolist() == [0.5]


def test_input_columns_have_the_types_of_their_values(tmp_path: Path) -> None:
    from pyarrow import parquet

    rows = [
        {"id": 1, "input": {"n": 1, "x": 1, "flag": True, "mix": 1, "list": ["a"], "big": 2**70}},
        {"id": 2, "input": {"n": 2, "x": 0.5, "flag": None, "mix": "a", "list": None}},
        {"id": 3, "error": "text is empty", "input": {"text": " \ud800"}},
    ]
    with Journal(tmp_path / "j", {}) as journal:
        journal.append(enumerate(rows, start=1))
        export(journal, tmp_path / "x.parquet")
        export(journal, tmp_path / "x.csv")
    table = parquet.read_table(tmp_path / "x.parquet").to_pylist()
    names = ("n", "x", "flag", "mix", "list", "big", "text")
    assert [[row[f"input:{name}"] for name in names] for row in table] == [
        [1, 1.0, True, "1", '["a"]', str(2**70), None],
        [2, 0.5, None, "a", None, None, None],
        [None, None, None, None, None, None, " \\ud800"],
    ]
    lines = (tmp_path / "x.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("id,error,input:n,input:x,input:flag,input:mix,input:list,input:big")
    assert lines[1].startswith('1,,1,1.0,True,1,"[""a""]",')


# -- other systems ------------------------------------------------------------------------------


def read(path: Path, text: str, *labels: str, ids: tuple[Any, ...] = ()) -> Any:
    path.write_text(text)
    (one,) = read_scores(path, labels, ids).each.values()
    return one


def test_tables_of_other_systems_are_read_by_the_labels_names(tmp_path: Path) -> None:
    file = tmp_path / "theirs.csv"
    one = read(file, "id;joy;joy.low;target:x\n7.0;0.5;0.1;0.2\n", "joy.low", "target:x", ids=(7,))
    assert (one.ids, one.p.tolist()) == ((7,), [[0.1, 0.2]])
    one = read(file, "id,joy,joy.low,joy.high\n1,0.5,0.1,0.9\n", "joy")
    assert (one.p.tolist(), one.low.tolist(), one.high.tolist()) == ([[0.5]], [[0.1]], [[0.9]])
    one = read(file, "id,joy,joy.low\n1,0.5,0.1\n", "joy", "joy.low")
    assert (
        one.p.tolist() == [[0.5, 0.1]]
        and one.estimates.low is not None
        and np.isnan(one.estimates.low).all()
    )
    one = read(file, "id,a:joy,a:fear,gold\n1,0.5,0.1,2\n", "joy", "fear")
    assert one.p.tolist() == [[0.5, 0.1]]
    one = read(tmp_path / "x.tsv", "id\tjoy\n1\t0.5\n", "joy")
    assert one.p.tolist() == [[0.5]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,joy\n1,0.5,0.1\n", "line 2: 3 cells where there are 2 columns"),
        ("id,joy\n1\n", "line 2: 1 cells where there are 2 columns"),
        ('id,joy\n1,"0.5\n2,0.1\n', "line 2: malformed table: line 2 has a quotation mark"),
        ("id,joy,joy\n1,0.5,0.1\n", "the column 'joy' stands 2 times"),
        ("id,joy,label:joy\n1,0.5,0.1\n", "the columns 'label:joy' and 'joy' hold the same"),
        ("id;joy\n1;0,5\n", "record '1', 'joy': '0,5' is not a number: write a decimal point"),
        ("joy\n0.5\n", "has no column 'id', by which scores are joined"),
        ("id,joy\n,0.5\n", "line 2: no id"),
        ("id,joy\n1,0.5\n1,0.6\n", "record '1' has several rows of scores"),
        ("id,joyful\n1,0.5\n", "has no column 'joy'"),
        ("id,joy\n", "holds no scores"),
        ("", "no header"),
        ("version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(LabelMassError, match=said):
        read(tmp_path / "s.csv", text, "joy")


def test_a_pointer_named_parquet_is_told_for_what_it_is(tmp_path: Path) -> None:
    file = tmp_path / "s.parquet"
    file.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(LabelMassError, match=r"s.parquet is a Git LFS pointer.*git lfs pull"):
        read_scores(file, ["joy"])


def test_ids_that_a_table_cannot_tell_apart_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelMassError, match="may be that of record"):
        read(tmp_path / "s.csv", "id,joy\n3,0.5\n", "joy", ids=(3, "3"))
    lines = [{"id": name, "labels": {"joy": p}} for name, p in ((3, 0.5), ("3", 0.25))]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    one = read(tmp_path / "s.jsonl", text, "joy", ids=("3", 3))
    assert (one.ids, one.p.tolist()) == ((3, "3"), [[0.5], [0.25]])


def test_tables_know_every_field_of_a_result(mood: Task) -> None:
    """A field that results gain has a column, or is named here as one that has none."""
    guard = Task.load("llama-guard-3")
    without = {"labels", "methods", "empty_by_method", "sets", "counts", "interval", "cost"}
    without |= {"signature", "moved", "decisions", "warnings", "input", "cut"}
    silent = ScriptedLanguageModel(lambda prompt, path: {"safe": 1.0}, ["safe", "\n"])
    for task, model in ((mood, mood_model()), (guard, silent)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LabelMassWarning)
            (result,) = labelmass.score(["so happy"], task, model, methods=("any-place", "hard"))
        assert set(result.to_dict()) - without <= {*VALUES, *BOUNDS}
