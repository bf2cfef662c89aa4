"""Classifiers of texts behind one object, as `Scorer` stands for a language model."""

from __future__ import annotations

from pathlib import Path

import pytest

import labelmass
from conftest import mood_model
from helpers.commands import write_lines
from labelmass import ClassifierScorer, Failure, Task
from labelmass.errors import FitError, LabelMassError
from labelmass.scoring import classifier_scorer
from labelmass.supervised import Classifier

ROWS = [
    {"id": f"r{n}", "text": f"{word} {n}", "labels": ["joy"] if word == "sunny" else []}
    for n, word in enumerate(["sunny", "dark"] * 20)
]


@pytest.fixture
def fitted(mood: Task, tmp_path: Path) -> Classifier:
    write_lines(str(tmp_path / "train.jsonl"), ROWS)
    return labelmass.fit_encoder(tmp_path / "train.jsonl", mood).classifier


def test_scores_are_those_of_the_classifier(mood: Task, fitted: Classifier) -> None:
    scores = ClassifierScorer(mood, [fitted]).score(["a sunny day", "a dark night"])
    expected = fitted.heads(fitted.source(["a sunny day", "a dark night"]))
    assert scores.p == pytest.approx(expected, abs=1e-12)
    assert scores.method == fitted.method
    assert scores.to_dicts()[0]["labels"]["joy"]["low"] is None  # nothing was explored


def test_a_stream_reads_its_input_as_it_needs_it(
    mood: Task, fitted: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifier_scorer, "BATCH", 2)
    taken: list[int] = []
    texts = (taken.append(n) or f"sunny {n}!" for n in range(100))
    stream = ClassifierScorer(mood, [fitted]).stream(texts)
    assert next(stream)["joy"].p > 0.5
    assert len(taken) < 10


def test_what_it_was_fitted_on_fails_and_a_shared_id_is_refused(
    mood: Task, fitted: Classifier
) -> None:
    scorer = ClassifierScorer(mood, [fitted])
    seen, new = scorer.score([ROWS[0], {"id": "new", "text": "sunny"}])
    assert isinstance(seen, Failure)
    assert "fitted on" in seen.error
    assert not isinstance(new, Failure)
    with pytest.raises(LabelMassError, match="2 records have the id 'x'"):
        scorer.score([{"id": "x", "text": "a"}, {"id": "x", "text": "b"}])


def test_a_file_is_scored_as_the_same_texts_are(
    mood: Task, fitted: Classifier, tmp_path: Path
) -> None:
    rows = [{"id": n, "text": f"a sunny day, {n}"} for n in range(5)]
    write_lines(str(tmp_path / "in.jsonl"), rows)
    scorer = ClassifierScorer(mood, [fitted])
    summary = scorer.score_file(tmp_path / "in.jsonl", tmp_path / "out.csv")
    assert summary.records == 5
    read = labelmass.Scores.load(tmp_path / "out.csv", mood.label_names)
    assert read.p == pytest.approx(scorer.score(rows).p, abs=1e-12)
    with pytest.raises(LabelMassError, match="holds the records"):
        scorer.score_file(tmp_path / "in.jsonl", tmp_path / "in.jsonl")


def test_what_is_no_classifier_of_these_texts_is_refused(mood: Task, fitted: Classifier) -> None:
    other = Task(name="other", labels=["a", "b"], instruction="?", format={"kind": "comma"})
    for task, classifiers in (
        (mood, []),
        (mood, ["tfidf"]),
        (mood, [fitted] * 2),
        (other, [fitted]),
    ):
        with pytest.raises(FitError):
            ClassifierScorer(task, classifiers)


def test_saved_trees_are_scored_by_other_methods(mood: Task, tmp_path: Path) -> None:
    write_lines(str(tmp_path / "in.jsonl"), [{"id": "a", "text": "x"}, {"id": "b"}])
    scorer = labelmass.Scorer(mood, mood_model(), every_method=True)
    scorer.score_file(tmp_path / "in.jsonl", tmp_path / "out.jsonl", trees=tmp_path / "trees")
    scores = labelmass.score_trees(tmp_path / "trees", ["hard", "any-place"])
    straight = labelmass.score("x", mood, mood_model(), methods=["hard", "any-place"])
    assert scores.ids == ("a", "b")
    assert isinstance(scores[1], Failure)
    for method in ("hard", "any-place"):
        found, wanted = scores.select(method).p[0], straight.select(method).p[0]
        assert found == pytest.approx(wanted, abs=1e-12)
    assert set(scores.methods) == {"hard", "any-place"}
