"""Every way of scoring says how many records missed the tolerance; --strict counts them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from helpers.commands import TEXTS, records, run, write_lines

ASKED = ("score", "texts.jsonl", "-t", "mood.toml", "--max-nodes", "4")
SAID = "30 records missed the tolerance of 0.01, the widest interval is"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "shown", [("--json",), ("--table",), ("--out", "out.jsonl"), ("--out", "out.csv")]
)
def test_a_run_says_how_many_records_missed_the_tolerance(shown: tuple[str, ...]) -> None:
    found = run(*ASKED, *shown)
    assert SAID in found.stderr and "nodes (30)" in found.stderr and "--max-nodes" in found.stderr
    run(*ASKED, *shown, "--strict", code=2)
    fine = run("score", "texts.jsonl", "-t", "mood.toml", *shown, "--strict", "--overwrite")
    assert "missed" not in fine.stderr


@pytest.mark.usefixtures("folder")
def test_each_record_and_each_row_says_it_too() -> None:
    run(*ASKED, "--out", "out.jsonl")
    for record in records("out.jsonl"):
        (found,) = record["missed"].values()
        score = record["labels"].values()
        assert found["reason"] == "nodes"
        assert found["width"] >= max(one["high"] - one["low"] for one in score)
    run(*ASKED, "--method", "any-place", "--method", "first-step", "--out", "out.csv")
    with Path("out.csv").open() as file:
        cells = [row["missed"] for row in csv.DictReader(file)]
    assert set(cells) == {"any-place: nodes; first-step: nodes"}
    shown = run(*ASKED, "--table").stdout
    assert " !" in shown and "! wider than the tolerance of 0.01" in shown
    assert "!" not in run("score", "texts.jsonl", "-t", "mood.toml", "--table").stdout


@pytest.mark.usefixtures("folder")
def test_saved_trees_and_comparisons_say_it() -> None:
    write_lines("dev.jsonl", [text | {"labels": ["joy"]} for text in TEXTS])
    run("score", "dev.jsonl", "-t", "mood.toml", "--max-nodes", "4", "--keep-trees", "trees")
    for shown in (("--json",), ("--out", "read.jsonl")):
        assert SAID in run("score", "trees", *shown).stderr
        run("score", "trees", *shown, "--strict", code=2)
    asked = ("compare", "dev.jsonl", "-t", "mood.toml", "--method", "any-place,hard", "--draws")
    asked = (*asked, "50", "--out", "run")
    found = run(*asked, "--max-nodes", "4")
    assert SAID in found.stderr
    assert "missed" in found.stdout
    rule = "any-place: 30 of 30 records missed the tolerance of their run"
    assert rule in Path("run/comparison.md").read_text()
    assert SAID in run("compare", "run", "--draws", "50", "--out", "run", "--strict", code=2).stderr
    fine = run(*asked[:-1], "fine", "--strict")
    assert "missed" not in fine.output
