"""`encoder`, and its rows in `score` and `compare`; no language model where none is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.commands import records, run, write_lines
from labelmass.supervised import Classifier
from lm.test_encoder import save_bert

pytestmark = pytest.mark.usefixtures("folder")

WORDS = {"joy": "sunny picnic", "fear": "dark forest", "joyful": "dancing all night"}


def labelled(n: int = 90, seed: int = 0, name: str = "r") -> list[dict[str, Any]]:
    """Texts that say what they are about, half of the time with a second annotator who differs."""
    draw = np.random.default_rng(seed)
    found: list[dict[str, Any]] = []
    for i in range(n):
        labels = [label for label in WORDS if draw.random() < 0.4]
        said = " and ".join(WORDS[label] for label in labels) or "nothing much"
        text = f"{said}, note {name}{i}"
        found.append({"id": f"{name}{i}", "text": text, "annotators": [labels, labels[:1]]})
    return found


@pytest.fixture
def fitted() -> str:
    write_lines("train.jsonl", labelled())
    write_lines("dev.jsonl", labelled(30, 1, "d"))
    run("fit", "encoder", "train.jsonl", "-t", "mood.toml", "--out", "tfidf")
    return "tfidf"


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("helpers.commands.loader", lambda *a, **k: pytest.fail("a model"))


@pytest.mark.usefixtures("no_model")
def test_texts_are_scored_without_a_model(fitted: str) -> None:
    run("score", "dev.jsonl", "-t", "mood.toml", "--encoder", fitted, "--out", "scores.jsonl")
    rows = records("scores.jsonl")
    classifier = Classifier.load(fitted)
    expected = classifier.heads(classifier.source([r["text"] for r in labelled(30, 1, "d")]))
    found = [[row["labels"][label]["p"] for label in classifier.labels] for row in rows]
    assert np.allclose(found, expected, atol=1e-12)
    assert rows[0]["labels"]["joy"]["low"] is None
    assert rows[0]["signature"]["methods"] == ["tfidf"]
    assert rows[0]["signature"]["fitted"] == [classifier.mark]
    run("evaluate", "scores.jsonl", "--targets", "dev.jsonl", "-t", "mood.toml", "--out", "judged")
    methods = json.loads(Path("judged/evaluation.json").read_text())["methods"]
    tfidf, base = (
        next(m for m in methods if m["name"] == name)["scores"]["nll-cell"]["value"]
        for name in ("tfidf", "base-rate")
    )
    assert tfidf < base - 0.1
    shown = run("score", "dev.jsonl", "-t", "mood.toml", "--encoder", fitted, "--table").output
    assert "tfidf" in shown
    printed = run("score", "-", "-t", "mood.toml", "--encoder", fitted, stdin="a sunny picnic\n")
    assert json.loads(printed.stdout)["labels"]["joy"]["p"] > 0.5
    run("score", "dev.jsonl", "-t", "mood.toml", "--encoder", fitted, "--out", "scores.csv")
    head = Path("scores.csv").read_text().partition("\n")[0]
    assert head.startswith("id,error,input:text,input:annotators,joy,joy.low")


def test_it_stands_beside_the_methods_of_the_tree(fitted: str) -> None:
    asked = ("score", "dev.jsonl", "-t", "mood.toml", "--encoder", fitted)
    run(*asked, "--method", "hard", "--out", "both.jsonl")
    run(*asked, "--out", "alone.jsonl")
    both, alone = records("both.jsonl"), records("alone.jsonl")
    assert list(both[0]["methods"]) == ["hard", "tfidf"]
    for one, other in zip(both, alone, strict=True):
        for label, score in one["methods"]["tfidf"].items():
            assert score["p"] == pytest.approx(other["labels"][label]["p"], abs=1e-12)
    # calibrators of one take scores of the other: the same classifier made both
    fit = ("calibrate", "alone.jsonl", "--targets", "dev.jsonl", "-t", "mood.toml")
    run(*fit, "--out", "cal.json")
    calibrated = run(*asked, "--method", "hard", "--calibrator", "cal.json", "--out", "c.jsonl")
    assert "calibrated:tfidf" in records("c.jsonl")[0]["methods"], calibrated.output


def test_compare_judges_it_and_leaves_out_what_it_was_fitted_on(fitted: str) -> None:
    write_lines("mixed.jsonl", labelled(30, 1, "d") + labelled()[:4])
    asked = ("compare", "mixed.jsonl", "-t", "mood.toml", "--gold", "majority", "--method", "hard")
    run(*asked, "--encoder", fitted, "--out", "run")
    rows = json.loads(Path("run/comparison.json").read_text())["methods"]
    assert [row["name"] for row in rows] == ["hard", "tfidf", "constant", "base-rate"]
    assert (rows[1]["items"], rows[1]["failed"]) == (30, 4)
    assert "4 records it was fitted on" in rows[1]["note"]
    run("compare", "run", "--method", "hard", "--gold", "majority", "--encoder", fitted,
        "--out", "again")  # fmt: skip
    again = json.loads(Path("again/comparison.json").read_text())["methods"]
    assert again[1]["scores"] == rows[1]["scores"]


@pytest.mark.usefixtures("no_model")
def test_records_it_was_fitted_on_are_refused(fitted: str) -> None:
    rows = [row | {"id": f"other {row['id']}"} for row in labelled()[:2]]  # by what they say
    write_lines("seen.jsonl", [*rows, {"id": "new", "text": "dark forest"}, {"id": "bad"}])
    asked = ("score", "seen.jsonl", "-t", "mood.toml", "--encoder", fitted, "--out", "seen.json")
    run(*asked[:-1], "s.jsonl", "--strict", code=2)
    found = records("s.jsonl")
    assert "fitted on this record" in found[0]["error"]
    assert "fitted on this record" in found[1]["error"]
    assert found[2]["labels"]["fear"]["p"] > 0.5
    assert "missing 'text'" in found[3]["error"]


@pytest.mark.usefixtures("no_model")
def test_an_encoder_in_a_folder() -> None:
    save_bert(Path("bert"))
    write_lines("train.jsonl", labelled(40))
    run("fit", "encoder", "train.jsonl", "-t", "mood.toml", "--features", "bert", "--out", "enc")
    classifier = Classifier.load("enc")
    assert classifier.method == "encoder"
    run("score", "texts.jsonl", "-t", "mood.toml", "--encoder", "enc", "--out", "s.jsonl")
    assert records("s.jsonl")[0]["signature"]["methods"] == ["encoder"]
    save_bert(Path("bert"), seed=1)
    failed = run("score", "texts.jsonl", "-t", "mood.toml", "--encoder", "enc", code=1)
    assert "the heads were fitted on" in str(failed.exception)


def test_a_calibrator_is_fitted_on_cross_fitted_scores_of_the_same_records(fitted: str) -> None:
    run(
        "fit",
        "encoder",
        "train.jsonl",
        "-t",
        "mood.toml",
        "--cross-fit",
        "cross.jsonl",
        "--out",
        "again",
    )
    assert Classifier.load("again").digest == Classifier.load(fitted).digest
    fit = ("calibrate", "cross.jsonl", "--targets", "train.jsonl", "-t", "mood.toml")
    run(*fit, "--out", "cal.json")
    asked = ("score", "dev.jsonl", "-t", "mood.toml", "--encoder", fitted, "--method", "hard")
    run(*asked, "--calibrator", "cal.json", "--out", "c.jsonl")
    assert next(iter(records("c.jsonl")[0]["methods"])) == "calibrated:tfidf"


@pytest.mark.usefixtures("no_model")
def test_bad_records_are_left_out_and_listed() -> None:
    rows = labelled()
    del rows[1]["annotators"]
    rows[2]["text"] = ""
    write_lines("train.jsonl", rows)
    shown = run("fit", "encoder", "train.jsonl", "-t", "mood.toml", "--out", "tfidf").output
    assert "left out 'r1': record 'r1' has no labels, annotators or distribution" in shown
    assert "2 records left out, see tfidf/skipped.jsonl" in shown
    assert [row["id"] for row in records("tfidf/skipped.jsonl")] == ["r1", "r2"]
    assert Classifier.load("tfidf").provenance["records"] == 88


@pytest.mark.parametrize("command", ["encoder", "probe"])
def test_a_missing_folder_is_named_before_the_work(command: str) -> None:
    write_lines("train.jsonl", labelled(20))
    asked = ("fit", command, "train.jsonl", "-t", "mood.toml", "--cross-fit", "there/c.jsonl")
    assert "no folder there" in run(*asked, "--out", "out", code=2).output
    assert not Path("out").exists()
