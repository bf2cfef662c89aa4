"""What the commands make of the records that people bring, and what they give back of them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from helpers.commands import records, run, write_lines
from labelmass.cli import cli, walk
from labelmass.errors import LabelMassError
from labelmass.files import read_table
from labelmass.records import read_records
from labelmass.scores.read import read_scores
from labelmass.task import Record

pytestmark = pytest.mark.usefixtures("folder")

TABLE = 'doc;body;joy;score\nd1;so happy;1;0.5\nd2;"rain; again";0;\nd2;rain;0;2\n'


def test_columns_of_any_name_are_read_and_given_back() -> None:
    Path("mine.csv").write_text(TABLE)
    said = run(
        *("score", "mine.csv", "-t", "mood.toml", "--text-column", "body", "--id-column", "doc"),
        *("--out", "out.jsonl"),
    ).stderr
    assert "note: mine.csv is read as cells separated by semicolons" in said
    assert "1 records have the id of another, first 'd2'" in said
    found = records("out.jsonl")
    assert [row["id"] for row in found] == ["d1", "d2", "d2"]
    assert [row["input"] for row in found] == [
        {"text": "so happy", "joy": "1", "score": "0.5"},
        {"text": "rain; again", "joy": "0"},
        {"text": "rain", "joy": "0", "score": "2"},
    ]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_tables_hold_the_input_beside_the_scores(ending: str) -> None:
    rows = [
        {"id": 1, "text": "so happy", "joy": 7, "labels": ["joy"], "n": 3},
        {"id": 2, "text": " ", "n": 4},
    ]
    write_lines("in.jsonl", rows)
    run("score", "in.jsonl", "-t", "mood.toml", "--out", f"out.{ending}")
    run("score", "in.jsonl", "-t", "mood.toml", "--out", "out.jsonl")
    labels = ["joy", "fear", "joyful"]
    (ours,) = read_scores(f"out.{ending}", labels, [1, 2]).each.values()
    (theirs,) = read_scores("out.jsonl", labels).each.values()
    assert ours.ids == (1, 2) and ours.p.tolist()[0] == theirs.p.tolist()[0]
    if ending == "csv":
        with Path("out.csv").open("rb") as file:
            table = read_table(file, "out.csv")
            cells = [dict(zip(table.columns, row.cells, strict=True)) for row in table.rows]
        assert [row["input:joy"] for row in cells] == ["7", ""]
        assert (cells[0]["input:labels"], cells[1]["input:n"]) == ('["joy"]', "4")
        assert cells[1]["error"] == "text is empty" and float(cells[0]["joy"]) == ours.p[0, 0]
    run("score", "in.jsonl", "-t", "mood.toml", "--drop-input", "--out", f"bare.{ending}")
    assert b"input:" not in Path(f"bare.{ending}").read_bytes()
    printed = run("score", "in.jsonl", "-t", "mood.toml", "--drop-input", "--json").stdout
    assert all("input" not in json.loads(line) for line in printed.splitlines())


def test_a_resumed_run_gives_the_fields_of_today() -> None:
    write_lines("in.jsonl", [{"id": "a", "text": "so happy", "n": 1}, {"id": "b", "text": "rain"}])
    run("score", "in.jsonl", "-t", "mood.toml", "--keep-trees", "trees", "--out", "out.jsonl")
    write_lines("in.jsonl", [{"id": "a", "text": "so happy", "n": 2}, {"id": "b", "text": "rain"}])
    run("score", "in.jsonl", "-t", "mood.toml", "--keep-trees", "trees", "--out", "out.jsonl")
    assert [row["input"].get("n") for row in records("out.jsonl")] == [2, None]
    run("score", "trees", "--out", "read.jsonl")
    assert [row["input"].get("n") for row in records("read.jsonl")] == [2, None]


def test_long_texts_are_cut_and_counted() -> None:
    write_lines("in.jsonl", [{"text": "so happy " * 9}, {"text": "rain"}])
    said = run(
        *("score", "in.jsonl", "-t", "mood.toml", "--max-text-tokens", "8", "--out", "out.jsonl")
    ).stderr
    assert "1 records have a text that was cut" in said
    long, short = records("out.jsonl")
    assert "text cut from 81 to 8 tokens" in long["warnings"]
    assert long["cut"][0]["whole"] == 81 and "cut" not in short
    shown = run(
        "show", "prompt", "in.jsonl", "-t", "mood.toml", "--max-text-tokens", "8", "--json"
    ).stdout
    assert json.loads(shown.splitlines()[0])["text"].endswith("so happy\nAnswer:\n")
    run(
        *("score", "in.jsonl", "-t", "mood.toml", "--max-text-tokens", "8"),
        *("--keep-trees", "trees", "--json"),
    )
    error = run("score", "trees", "--max-text-tokens", "9", code=2).output
    assert "leave out --max-text-tokens" in error


def test_packed_and_broken_files_are_told() -> None:
    Path("in.jsonl.gz").write_bytes(gzip.compress(b'{"text": "so happy"}\n'))
    printed = run("score", "in.jsonl.gz", "-t", "mood.toml", "--json").stdout
    assert json.loads(printed)["labels"]["joy"]["p"] > 0.4
    Path("in.csv").write_text('id,text\n1,"so happy\n2,rain\n3,"sad, sad"\n')
    run("score", "in.csv", "-t", "mood.toml", "--out", "out.jsonl")
    bad, *good = records("out.jsonl")
    assert [bad["id"], *(row["id"] for row in good)] == ["line 2", "2", "3"]
    assert "line 2 begins a cell" in bad["error"]
    for name in ("x.parquet", "x.csv", "x.jsonl"):
        Path(name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
        error = run("score", name, "-t", "mood.toml", "--json", code=1).exception
        assert isinstance(error, LabelMassError) and "is a Git LFS pointer" in str(error)


def test_targets_have_columns_too() -> None:
    write_lines("in.jsonl", [{"id": f"r{i}", "text": "so happy"} for i in range(4)])
    run("score", "in.jsonl", "-t", "mood.toml", "--out", "scores.csv")
    lines = [f"r{i};so happy;{'joy|fear' if i % 2 else '[]'}" for i in range(4)]
    Path("gold.csv").write_text("\n".join(["name;body;labels", *lines]))
    run(
        *("evaluate", "scores.csv", "--targets", "gold.csv", "-t", "mood.toml"),
        *("--text-column", "body", "--id-column", "name", "--draws", "10", "--out", "judged"),
    )
    judged = json.loads(Path("judged/evaluation.json").read_text())
    (row,) = (one for one in judged["methods"] if one["name"] == "scores")
    assert (row["items"], row["failed"]) == (4, 0)
    Path("gold.csv").write_text("\n".join(["name;phrase;labels", *lines]))
    error = run(
        *("evaluate", "scores.csv", "--targets", "gold.csv", "-t", "mood.toml"), code=1
    ).exception
    assert "no column 'text'" in str(error) and "--text-column" in str(error)


def test_labels_stand_in_a_column_of_any_name() -> None:
    names = {"joy": 0.5, "fear": 0.5, "joyful": 0.5}
    write_lines("scores.jsonl", [{"id": f"r{i}", "labels": names} for i in range(4)])
    lines = [f"r{i};so happy;{'joy, fear' if i % 2 else '[]'};x" for i in range(4)]
    Path("gold.csv").write_text("\n".join(["id;text;Mood;labels", *lines]))
    command = "evaluate", "scores.jsonl", "--targets", "gold.csv", "-t", "mood.toml"
    run(*command, "--labels-column", "Mood", "--draws", "10", "--out", "judged")
    judged = json.loads(Path("judged/evaluation.json").read_text())
    assert {row["items"] for row in judged["methods"] if row["name"] == "scores"} == {4}


def test_a_file_without_human_labels_names_the_option_for_their_column() -> None:
    write_lines("scores.jsonl", [{"id": "r1", "labels": {"joy": 0.5}}])
    Path("gold.csv").write_text("id,text,Mood\nr1,so happy,joy\n")
    lacking = run("evaluate", "scores.jsonl", "--targets", "gold.csv", "-t", "mood.toml", code=2)
    lacking = lacking.output
    assert "no record of gold.csv has `labels` or `annotators`" in lacking
    assert "--labels-column" in lacking


def test_a_comparison_refuses_ids_that_repeat_before_it_explores() -> None:
    write_lines("in.jsonl", [{"id": "a", "text": t, "labels": ["joy"]} for t in ("so", "on")])
    error = run("compare", "in.jsonl", "-t", "mood.toml", "--out", "run", code=1).exception
    assert "record 'a' comes twice" in str(error)
    assert not list(Path().glob("run/*/trees.journal"))


def test_split_keeps_what_the_records_hold() -> None:
    call = [{"function": {"name": "f", "arguments": "{}"}}]
    rows = [
        {"doc": f"d{i}", "messages": [{"role": "assistant", "content": None, "tool_calls": call}]}
        for i in range(4)
    ]
    write_lines("in.jsonl", rows)
    run(
        "data",
        "split",
        "in.jsonl",
        "--parts",
        "a=0.5 b=0.5",
        "--id-column",
        "doc",
        "--out",
        "parts",
    )
    found = [
        record.to_dict()
        for name in "ab"
        for _, record in read_records(f"parts/{name}.jsonl")
        if isinstance(record, Record)
    ]
    assert sorted(row["id"] for row in found) == ["d0", "d1", "d2", "d3"]
    assert all(row["messages"] == rows[0]["messages"] for row in found)


def test_every_command_that_reads_records_takes_their_columns() -> None:
    readers = ["score", "compare", "evaluate", "calibrate", "tune", "train"]
    readers += ["show prompt", "fit probe", "fit encoder", "data split"]
    commands = {" ".join(words): command for words, command in walk(cli)}
    for name in readers:
        options = {option for one in commands[name].params for option in one.opts}
        assert {"--text-column", "--id-column", "--labels-column"} <= options, name
