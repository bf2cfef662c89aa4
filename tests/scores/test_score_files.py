"""Score files of ours and of others, read back as predictions."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import labelmass
from conftest import mood_model
from labelmass.errors import LabelMassError
from labelmass.scores.read import read_scores
from labelmass.scoring.journal import Journal, export
from labelmass.task import Task

LABELS = ("joy", "joyful", "fear")
TEXTS = ["so happy", {"id": "b"}, "rain", {"id": "d", "text": "a dark road"}]


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize("methods", [["any-place"], ["max-over-generations", "sampling", "hard"]])
def test_our_own_files_are_read_as_they_were_scored(
    mood: Task, tmp_path: Path, ending: str, methods: list[str]
) -> None:
    scores = labelmass.score(TEXTS, mood, mood_model(), methods=methods)
    mark = {"run": scores.signature.to_dict()}
    out = tmp_path / f"out.{ending}"
    with Journal(tmp_path / "j", mark) as journal:
        journal.append(enumerate(scores.to_dicts(), start=1))
        export(journal, out)
    found = read_scores(out, mood.label_names, (1, "b", 3, "d"))
    named = methods if ending != "csv" or len(methods) > 1 else ["out"]  # one is not named in a CSV
    assert list(found.each) == named
    for method, name in zip(methods, named, strict=True):
        predictions = found.each[name]
        assert predictions.ids == (1, "b", 3, "d")
        assert np.array_equal(predictions.p, scores.to_numpy(method), equal_nan=True)
        assert predictions.estimates.low is not None
        assert (predictions.estimates.interval == "sampled") == (method == "sampling")
    if ending == "jsonl":
        cost = found.each[named[0]].cost
        assert cost["prompt_tokens"] == pytest.approx(
            np.mean([r.cost.prompt_tokens for r in scores if hasattr(r, "cost")])
        )
    assert (found.signature is None) == (ending == "csv")


def test_files_of_another_system(tmp_path: Path) -> None:
    lines = [{"id": "x", "labels": {"joy": 0.5, "joyful": 1, "fear": None, "calm": 0.1}}]
    file = tmp_path / "theirs.jsonl"
    file.write_text(json.dumps(lines[0]))
    (predictions,) = read_scores(file, LABELS).each.values()
    assert predictions.p.tolist()[0][:2] == [0.5, 1.0]
    assert np.isnan(predictions.p[0, 2])
    assert predictions.estimates.interval == "none"
    table = tmp_path / "theirs.csv"
    with table.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerows([["id", "fear", "joy", "joyful", "text"], [7, 0.1, 0.2, 0.3, "hm, hm"]])
    (predictions,) = read_scores(table, LABELS, [7]).each.values()
    assert predictions.ids == (7,)
    assert predictions.p.tolist() == [[0.2, 0.3, 0.1]]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"id": 1, "labels": {"joy": 0.1, "fear": 0.2}}, "record 1: no score for label 'joyful'"),
        ({"id": 1, "labels": {"joy": "x", "joyful": 1, "fear": 0}}, "'joy': 'x' is not a number"),
        ({"id": 1, "labels": {"joy": 7, "joyful": 1, "fear": 0}}, r"P\(joy\) is 7, not in"),
        ({"labels": {}}, "line 1: not a result record"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, line: dict, message: str) -> None:
    file = tmp_path / "s.jsonl"
    file.write_text(json.dumps(line))
    with pytest.raises(LabelMassError, match=message):
        read_scores(file, LABELS)


def test_endings_and_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(LabelMassError, match="must end in"):
        read_scores(tmp_path / "s.txt", LABELS)
    (tmp_path / "s.csv").write_text("id,joy\n1,0.5\n")
    with pytest.raises(LabelMassError, match="no column 'joyful'"):
        read_scores(tmp_path / "s.csv", LABELS)
