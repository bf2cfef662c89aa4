"""`compare` and `evaluate`: one exploration, every method, judged against human labels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from conftest import mood_model
from helpers.commands import TEXTS, run
from labelmass.errors import LabelMassError

pytestmark = pytest.mark.usefixtures("folder")

PEOPLE = [[["joy"], ["joy", "joyful"], []], [["fear"], []]]


def judged(extra: list[dict] | None = None) -> None:
    rows = [text | {"annotators": PEOPLE[i % 2]} for i, text in enumerate(TEXTS[:12])]
    Path("dev.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows + (extra or [])))


def found(name: str = "run/comparison.json") -> dict:
    return json.loads(Path(name).read_text())


def row(evaluation: dict, name: str) -> dict:
    return next(method for method in evaluation["methods"] if method["name"] == name)


def test_every_method_of_the_tree_is_judged_with_the_baselines() -> None:
    judged([{"id": "bad", "txt": ""}])
    table = run(
        "compare", "dev.jsonl", "-t", "mood.toml", "--gold", "majority", "--out", "run"
    ).output
    names = [method["name"] for method in found()["methods"]]
    assert names[0] == "any-place"
    assert {"hard", "max-over-generations", "constant", "base-rate"} <= set(names)
    assert "unary" not in names
    assert "any-place" in table
    for ending in ("csv", "md", "tex"):
        assert "any-place" in Path(f"run/comparison.{ending}").read_text()
    # the mean over records of the summed |P - H|, from scores written by `score`
    run("score", "dev.jsonl", "-t", "mood.toml", "--out", "scores.jsonl")
    rows = [json.loads(line) for line in Path("scores.jsonl").read_text().splitlines()]
    shares = {"joy": [2 / 3, 0.0], "joyful": [1 / 3, 0.0], "fear": [0.0, 1 / 2]}
    expected = np.mean(
        [
            sum(abs(r["labels"][name]["p"] - share[i % 2]) for name, share in shares.items())
            for i, r in enumerate(rows[:12])
        ]
    )
    assert row(found(), "any-place")["scores"]["l1"]["value"] == pytest.approx(expected)


def test_a_run_is_gone_on_with_and_judged_again_without_a_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judged()
    asked = ("compare", "dev.jsonl", "-t", "mood.toml", "--gold", "majority", "--out", "run")
    run(*asked)
    first = found()
    model = mood_model()
    monkeypatch.setattr(model, "rows", lambda asks: pytest.fail("explored again"))
    monkeypatch.setattr("helpers.commands.loader", lambda *a, **k: model)
    run(*asked)
    assert found() == first
    monkeypatch.setattr("helpers.commands.loader", lambda *a, **k: pytest.fail("no model"))
    run("compare", "run", "--method", "any-place,hard", "--baseline", "hard", "--out", "again")
    again = found("again/comparison.json")
    assert row(again, "any-place")["scores"]["l1"] == row(first, "any-place")["scores"]["l1"]
    assert row(again, "any-place")["differences"]["l1"]["value"] is not None


def test_saved_trees_are_not_asked_another_task() -> None:
    judged()
    run("compare", "dev.jsonl", "-t", "mood.toml", "--gold", "majority", "--out", "run")
    trees = str(next(Path("run").glob("*/")))
    for command, folder in (("compare", "run"), ("score", trees)):
        asked = (command, folder, "-t", "mood.toml", "-k", "0", "--no-chat", "--out", "x.jsonl")
        told = " ".join(run(*asked, code=2).output.split())
        assert "were asked their task already: leave out --task, --demonstrations, --chat" in told


def test_each_method_stands_beside_itself_calibrated_by_folds_without_the_record() -> None:
    judged()
    asked = ("compare", "dev.jsonl", "-t", "mood.toml", "--method", "any-place,hard")
    run(*asked, "--calibration-method", "platt", "--out", "run")
    names = [method["name"] for method in found()["methods"]]
    assert names[:4] == ["any-place", "calibrated:any-place", "hard", "calibrated:hard"]
    # the mean a fold predicts is that of the other folds, whatever `hard` says of its records
    assert (
        row(found(), "calibrated:hard")["scores"]["nll"]["value"]
        < (row(found(), "hard")["scores"]["nll"]["value"])
    )
    assert "fit on 4 of 5 folds" in row(found(), "calibrated:any-place")["note"]
    raw = row(found(), "any-place")["scores"]
    run("compare", "run", "--method", "any-place,hard", "--out", "again")
    assert row(found("again/comparison.json"), "any-place")["scores"] == raw


def test_several_models_stand_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    judged()

    def load(name: str, **options: object):
        model = mood_model()
        model.name = model.fingerprint = name
        return model

    monkeypatch.setattr("helpers.commands.loader", load)
    run(
        "compare", "dev.jsonl", "-t", "mood.toml", "-m", "org/one", "-m", "two",
        "--method", "any-place", "--gold", "majority", "--out", "run",
    )  # fmt: skip
    names = [method["name"] for method in found()["methods"]]
    assert names == ["org-one/any-place", "two/any-place", "constant", "base-rate"]


def test_score_files_are_judged_as_the_run_is() -> None:
    judged()
    methods = "any-place,max-over-generations"
    run(
        "compare",
        "dev.jsonl",
        "-t",
        "mood.toml",
        "--method",
        methods,
        "--gold",
        "majority",
        "--out",
        "run",
    )
    asked = [part for name in methods.split(",") for part in ("--method", name)]
    run("score", "dev.jsonl", "-t", "mood.toml", *asked, "--out", "ours.csv")
    theirs = [
        {"id": text["id"], "labels": {"joy": 0.5, "joyful": 0.25, "fear": 0.125}}
        for text in TEXTS[:11]
    ]
    Path("theirs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in theirs))
    run(
        "evaluate", "ours.csv", "theirs.jsonl", "--targets", "dev.jsonl", "-t", "mood.toml",
        "--gold", "majority", "--baseline", "theirs", "--out", "judged",
    )  # fmt: skip
    evaluation = found("judged/evaluation.json")
    for name in methods.split(","):
        one, other = row(evaluation, name)["scores"], row(found(), name)["scores"]
        assert one["nll"]["value"] == pytest.approx(other["nll"]["value"])
    assert row(evaluation, "theirs")["failed"] == 1
    assert row(evaluation, "any-place")["differences"]["l1"]["items"] == 11


def test_what_cannot_be_judged_is_named() -> None:
    def message(*args: str) -> str:
        result = run(*args, code=1)
        assert isinstance(result.exception, LabelMassError)
        return str(result.exception)

    asked = ("compare", "dev.jsonl", "-t", "mood.toml", "--method", "any-place", "--out", "run")
    judged([{"id": "z", "text": "rain", "labels": ["glee"]}])
    assert "record 'z': label 'glee' is not in the task" in message(*asked)
    judged([{"id": "z", "text": "rain"}])
    asked = (*asked[:-1], "run2")
    assert "record 'z' has no labels, annotators or distribution" in message(*asked)
