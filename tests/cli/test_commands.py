"""The commands, end to end on a scripted model."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import labelmass
from conftest import mood_model
from helpers.commands import TEXTS, records, run
from labelmass.cli import COMMANDS, cli, walk
from labelmass.task import Task


@pytest.mark.usefixtures("folder")
def test_score_writes_each_record_once_and_in_order() -> None:
    run("score", "texts.jsonl", "-t", "mood.toml", "--out", "out.jsonl")
    found = records("out.jsonl")
    assert [record["id"] for record in found] == [text["id"] for text in TEXTS]
    expected = {
        "id", "labels", "empty_answer", "verdict_prefix", "off_format", "unexplored", "sets",
        "counts", "greedy", "stopped", "interval", "cost", "signature",
    }  # fmt: skip
    assert expected <= set(found[0])
    assert set(found[0]["labels"]["joy"]) == {"p", "low", "high"}
    assert found[1]["labels"]["joy"]["p"] > 0.4 > found[0]["labels"]["joy"]["p"]
    assert not Path("out.jsonl.journal").exists()


@pytest.mark.usefixtures("folder")
def test_csv_and_parquet_and_stdin() -> None:
    run("score", "texts.jsonl", "-t", "mood.toml", "--out", "out.csv")
    with Path("out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 30
    assert float(rows[1]["joy.low"]) <= float(rows[1]["joy"]) <= float(rows[1]["joy.high"])
    from pyarrow import parquet

    run("score", "out.csv", "-t", "mood.toml", "--out", "no.parquet", code=1)
    run("score", "texts.jsonl", "-t", "mood.toml", "--out", "out.parquet")
    assert parquet.read_table("out.parquet").num_rows == 30
    printed = run("score", "-", "-t", "mood.toml", stdin="so happy\n\nrain\n").stdout
    assert [json.loads(line)["id"] for line in printed.splitlines()] == [1, 3]


@pytest.mark.usefixtures("folder")
def test_bad_records_are_reported_and_strict_fails() -> None:
    Path("bad.jsonl").write_bytes(
        b'{"text": "happy"}\n{"id": "b", "txt": 1}\nnot json\n{"text": "\xff"}\n{"text": "rain"}\n'
    )
    run("score", "bad.jsonl", "-t", "mood.toml", "--out", "out.jsonl")
    found = records("out.jsonl")
    assert ["error" in r for r in found] == [False, True, True, True, False]
    assert [r.get("input") for r in found[1:4]] == [{"txt": 1}, None, None]
    assert found[1]["id"] == "b"
    run("score", "bad.jsonl", "-t", "mood.toml", "--out", "two.jsonl", "--strict", code=2)


@pytest.mark.usefixtures("folder")
def test_saved_trees_are_read_without_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    run("score", "texts.jsonl", "-t", "mood.toml", "--out", "out.jsonl", "--keep-trees", "trees")
    monkeypatch.setattr("helpers.commands.loader", lambda *a, **k: pytest.fail("no model"))
    run("score", "trees", "--out", "again.jsonl")
    first, again = records("out.jsonl"), records("again.jsonl")
    assert [(r["id"], r["labels"]) for r in again] == [(r["id"], r["labels"]) for r in first]
    every = run("score", "trees", "--method", "hard", "--method", "max-over-generations")
    assert set(json.loads(every.stdout.splitlines()[0])["methods"]) == {
        "hard",
        "max-over-generations",
    }
    drawn = run("explain", "trees", "--id", "r1", "--svg", "tree.svg").stdout
    assert drawn.startswith("r1: happy number 1")
    assert "step 1" in drawn
    assert "greedy path" in drawn
    picture = Path("tree.svg").read_text()
    assert picture.startswith("<svg") and "url(http" not in picture  # it loads nothing


@pytest.mark.usefixtures("folder")
def test_a_prior_of_the_batch_waits_for_all_records() -> None:
    asked = (
        "score",
        "texts.jsonl",
        "-t",
        "mood.toml",
        "--contextual-calibration",
        "batch",
        "--out",
        "out.jsonl",
    )
    assert "--keep-trees" in run(*asked, code=2).output
    run(*asked, "--keep-trees", "trees")
    found = records("out.jsonl")
    assert len(found) == len(TEXTS)
    p = [record["labels"]["joy"]["p"] for record in found]
    assert min(p) < 0.5 < max(p)
    assert found[0]["signature"]["contextual_calibration"] == "batch"
    before = Path("out.jsonl").read_bytes()
    run(*asked, "--keep-trees", "trees")
    assert Path("out.jsonl").read_bytes() == before


@pytest.mark.usefixtures("folder")
def test_a_rule_is_fitted_on_some_records_and_refuses_them() -> None:
    labelled = [text | {"labels": ["joy"]} for text in TEXTS]
    Path("train.jsonl").write_text("".join(json.dumps(t) + "\n" for t in labelled[:10]))
    run("score", "train.jsonl", "-t", "mood.toml", "--keep-trees", "train", "--out", "t.jsonl")
    run("fit", "rule", "train", "--uncertainty", "entropy", "--out", "rule.json")
    run("score", "texts.jsonl", "-t", "mood.toml", "--rule", "rule.json", "--out", "out.jsonl")
    found = records("out.jsonl")
    assert ["fitted on this record" in r.get("error", "") for r in found] == [True] * 10 + [
        False
    ] * 20
    taken = found[-1]["methods"]["entropy"]
    assert sum(scores["p"] > 0.5 for scores in taken.values()) in (1, 2)
    assert "any-place" in found[-1]["signature"]["methods"]
    assert found[-1]["signature"]["methods"][1].startswith("entropy@")
    run("score", "texts.jsonl", "-t", "mood.toml", "--keep-trees", "trees", "--out", "t.jsonl")
    run("score", "trees", "--rule", "rule.json", "--out", "again.jsonl")
    assert records("again.jsonl")[-1]["methods"]["entropy"] == taken
    assert "entropy" in run("list", "methods").stdout


@pytest.mark.usefixtures("folder")
def test_saved_trees_keep_bad_records_in_their_places() -> None:
    Path("bad.jsonl").write_text('{"text": "happy"}\n{"id": "b"}\n{"text": "rain"}\n')
    run("score", "bad.jsonl", "-t", "mood.toml", "--out", "out.jsonl", "--keep-trees", "trees")
    run("score", "trees", "--out", "again.jsonl", "--strict", code=2)
    assert [record["id"] for record in records("again.jsonl")] == [1, "b", 3]
    assert records("again.jsonl")[1] == records("out.jsonl")[1]
    result = CliRunner().invoke(cli, ["explain", "trees", "--id", "b"])
    assert "missing 'text'" in str(result.exception)


@pytest.mark.usefixtures("folder")
def test_a_table_has_room_for_many_methods() -> None:
    Path("one.jsonl").write_text('{"text": "happy"}\n')
    methods = ["any-place", "hard", "unary", "binary"]
    asked = [part for name in methods for part in ("--method", name)]
    result = run("score", "one.jsonl", "-t", "mood.toml", *asked, "--json")
    assert "this asks 16 prompts a record" in result.stderr  # 1 + 3 labels + 12 ordered pairs
    out = result.stdout
    table = run("score", "one.jsonl", "-t", "mood.toml", *asked, "--table").stdout
    best, scores = max(json.loads(out)["labels"].items(), key=lambda item: item[1]["p"])
    (line,) = [line for line in table.splitlines() if f" {best} " in line]
    found = [json.loads(out)["methods"][name][best]["p"] for name in methods]
    assert scores["p"] == found[0]
    assert line.split()[2:6] == ["null" if p is None else f"{p:.3f}" for p in found]


@pytest.mark.usefixtures("folder")
def test_explain_prints_what_the_function_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    returned = labelmass.explain("so happy", Task.load("mood.toml"), mood_model())
    printed = run("explain", "so happy", "-t", "mood.toml").stdout
    assert [line.rstrip() for line in printed.splitlines()] == str(returned).splitlines()


@pytest.mark.usefixtures("folder")
def test_explain_prompt_and_tables() -> None:
    assert "joyful" in run("explain", "so happy", "-t", "mood.toml").stdout
    result = run("show", "prompt", "texts.jsonl", "-t", "mood.toml", "--json")
    shown = result.stdout
    lines = [json.loads(line) for line in shown.splitlines()]
    first = lines[0]
    assert set(first) == {"id", "text", "token_ids"}
    model = mood_model()
    assert model.tokenizer.decode(first["token_ids"]) == first["text"]
    together = zip(*(line["token_ids"] for line in lines), strict=False)
    alike = next(i for i, ids in enumerate(together) if len(set(ids)) > 1)
    assert f"30 prompts begin with the same {alike} tokens" in result.stderr
    table = run("score", "texts.jsonl", "-t", "mood.toml", "--table").stdout
    for word in ("raw", "on-format", "off-format"):
        assert word in table


@pytest.mark.usefixtures("folder")
def test_errors_say_what_to_do() -> None:
    from labelmass.errors import LabelMassError

    def message(*args: str) -> str:
        result = CliRunner().invoke(cli, list(args))
        assert isinstance(result.exception, LabelMassError | SystemExit)
        return str(result.exception) + result.output

    assert "presets" in message("score", "texts.jsonl", "-t", "emotion")
    assert "--task" in message("score", "texts.jsonl")
    assert "must end in" in message("score", "texts.jsonl", "-t", "mood.toml", "--out", "x.txt")
    assert "one of any-place" in message("score", "texts.jsonl", "-t", "mood.toml", "--method", "x")


def test_every_command_has_help_with_an_example() -> None:
    for words, _ in walk(cli):
        text = run(*words, "--help").stdout
        assert "Example" in text
        assert " ".join(("labelmass", *words)) in text
    listed = run("--help").stdout
    assert all(name in listed for name in COMMANDS)


def test_lists() -> None:
    assert "llama-guard-3" in run("list", "tasks").stdout
    assert "S14" in run("show", "task", "llama-guard-3").stdout
    assert "any-place" in run("list", "methods", "--task", "emotions").stdout
    assert "smollm2" in run("list", "models").stdout
