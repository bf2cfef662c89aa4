"""Commands read every kind of file, say what they guess, and resume on it."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import openpyxl
import pytest

from helpers.commands import records, run, write_lines
from labelmass.scoring.journal import journal_path

pytestmark = pytest.mark.usefixtures("folder")

DATASET = Path(__file__).parents[1] / "files" / "saved_dataset"
ROWS = [{"id": f"r{n}", "text": f"so happy {n}"} for n in range(6)]


def as_json(rows: list[dict[str, str]]) -> str:
    Path("in.json").write_text(json.dumps(rows))
    return "in.json"


def as_zip(rows: list[dict[str, str]]) -> str:
    write_lines("in.jsonl", rows)
    with zipfile.ZipFile("in.zip", "w") as file:
        file.write("in.jsonl")
    return "in.zip"


def as_xlsx(rows: list[dict[str, str]]) -> str:
    book = openpyxl.Workbook()
    for row in [["id", "text"], *(list(row.values()) for row in rows)]:
        book.active.append(row)
    book.save("in.xlsx")
    return "in.xlsx"


@pytest.mark.parametrize("write", [as_json, as_zip, as_xlsx])
def test_a_stopped_run_goes_on_with_any_kind_of_file(write) -> None:
    words = ("-t", "mood.toml", "--out", "out.jsonl")
    run("score", write(ROWS), *words, "--limit-records", "4")
    assert journal_path("out.jsonl").exists()
    rows = [*ROWS[1:], {"id": "new", "text": "rain"}]
    said = run("score", write(rows), *words).stderr
    assert "resumed: 3 kept, 0 changed, 1 gone, 3 new" in said
    assert [row["id"] for row in records("out.jsonl")] == [row["id"] for row in rows]


def test_a_stopped_run_goes_on_with_a_dataset() -> None:
    words = (str(DATASET / "train"), "-t", "mood.toml", "--out", "out.jsonl")
    run("score", *words, "--limit-records", "2")
    assert "resumed: 2 kept, 0 changed, 0 gone, 1 new" in run("score", *words).stderr
    assert [row["id"] for row in records("out.jsonl")] == ["a", "b", "c"]


def test_a_dataset_is_compared_and_is_no_run() -> None:
    shutil.copytree(DATASET / "train", "data")
    words = ("-t", "mood.toml", "--draws", "10")
    run("compare", "data", *words, "--out", "run")
    run("compare", "run", "--draws", "10", "--out", "again")
    judged = json.loads(Path("again/comparison.json").read_text())
    assert {row["items"] for row in judged["methods"]} == {3}
    shutil.rmtree("data/")  # a folder of trees does without it
    run("compare", "run", "--draws", "10", "--out", "again")


def test_a_dataset_is_split_with_its_hash() -> None:
    run("data", "split", str(DATASET / "train"), "--parts", "a=0.5 b=0.5", "--out", "parts")
    about = json.loads(Path("parts/split.json").read_text())["input"]
    assert about["name"] == "train" and len(about["sha256"]) == 64


def test_a_guessed_column_is_said_once() -> None:
    Path("in.csv").write_text("ID,Body,stars\n7,so happy,5\n8,rain,1\n")
    words = ("-t", "mood.toml", "--keep-trees", "trees", "--out", "out.jsonl")
    lines = run("score", "in.csv", *words).stderr.splitlines()
    assert [line for line in lines if "column" in line] == [
        "note: text column: Body",
        "note: id column: ID",
    ]
    assert [row["id"] for row in records("out.jsonl")] == ["7", "8"]
    assert "column" not in run("score", "trees", "--json").stderr


def test_a_choice_of_columns_is_left_to_the_person() -> None:
    Path("in.csv").write_text("id,title,body\n1,a,b\n")
    error = str(run("score", "in.csv", "-t", "mood.toml", code=1).exception)
    assert "'title' or 'body' could be it" in error and "--text-column" in error
    run("score", "in.csv", "-t", "mood.toml", "--text-column", "body", "--out", "out.jsonl")
    assert records("out.jsonl")[0]["input"] == {"text": "b", "title": "a"}


def test_targets_may_be_a_sheet() -> None:
    write_lines("in.jsonl", ROWS)
    run("score", "in.jsonl", "-t", "mood.toml", "--out", "scores.jsonl")
    book = openpyxl.Workbook()
    book.active.append(["notes"])
    gold = book.create_sheet("Gold")
    for row in [["id", "text", "labels"], *([*row.values(), "joy"] for row in ROWS)]:
        gold.append(row)
    book.save("gold.xlsx")
    words = ("evaluate", "scores.jsonl", "--targets", "gold.xlsx", "-t", "mood.toml")
    assert "(Sheet, Gold)" in str(run(*words, "--draws", "10", code=1).exception)
    run(*words, "--sheet", "Gold", "--draws", "10", "--out", "judged")
    assert json.loads(Path("judged/evaluation.json").read_text())["methods"][0]["items"] == 6


def test_training_and_validation_have_text_in_columns_of_one_name() -> None:
    Path("train.csv").write_text("body,labels\nso happy,joy\n")
    Path("dev.csv").write_text("text,labels\nrain,[]\n")
    words = ("train", "train.csv", "--dev", "dev.csv", "-t", "mood.toml", "--out", "tuned")
    assert "in columns of different names: rename them" in run(*words, code=2).stderr
