"""Classifiers of texts against scikit-learn's own pipeline, and what a folder of one holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union

from labelmass.errors import FitError, ModelError, RecordError
from labelmass.provenance import Signature, folds
from labelmass.records import BadRecord
from labelmass.scores import Failure
from labelmass.scores.signature import of_method, signature_of_texts
from labelmass.scoring.classifier_scorer import ClassifierScorer
from labelmass.scoring.classifiers import texts_through
from labelmass.supervised import Classifier, TfidfFeatures
from labelmass.targets import Targets
from labelmass.task import Record, Task
from labelmass.workflows.training_set import groups_of, text_training_set

TASK = Task(
    name="mood", labels=["joy", "fear"], instruction="?", format={"kind": "comma"}, chat=False
)
WORDS = ["sun", "picnic", "forest", "dark", "cake", "storm", "naïve café", "雨", "I'm"]


def labelled(n: int = 60, seed: int = 0) -> tuple[list[Record], Targets]:
    draw = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for i in range(n):
        words = draw.choice(WORDS, 4).tolist()
        votes = [
            [label for label, word in (("joy", "sun"), ("fear", "dark")) if word in words] * keen
            for keen in (1, int(draw.random() < 0.7))
        ]
        rows.append({"id": f"{seed}-{i}", "text": " ".join(words) + f" {i}", "annotators": votes})
    records = [Record.from_dict(row, i) for i, row in enumerate(rows)]
    return records, Targets.from_records(rows, TASK.label_names)


@pytest.fixture(scope="module")
def fitted() -> Classifier:
    return text_training_set("tfidf", TASK, *labelled()).classifier({"input": "train.jsonl"})


def test_tfidf_is_the_pipeline_of_scikit_learn(fitted: Classifier) -> None:
    records, targets = labelled()
    texts = [record.plain for record in records]
    new = [record.plain for record in labelled(seed=1)[0]]
    for at, label in enumerate(fitted.labels):
        h = targets.shares[:, at]
        pipeline = make_pipeline(
            make_union(
                TfidfVectorizer(min_df=2, ngram_range=(1, 2), sublinear_tf=True),
                TfidfVectorizer(
                    min_df=2, analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True
                ),
            ),
            LogisticRegression(C=fitted.heads.heads[at].strength, tol=1e-6, max_iter=2000),
        )
        # the vectorizer sees every text twice here: its terms are found on the texts alone first
        pipeline[0].fit(texts)
        both = pipeline[0].transform(texts + texts)
        weight = np.concatenate([h, 1 - h])
        pipeline[1].fit(both, np.repeat([1, 0], len(h)), sample_weight=weight)
        expected = pipeline.predict_proba(new)[:, 1]
        found = fitted.heads(fitted.source(new))[:, at]  # type: ignore[operator]
        assert found == pytest.approx(expected, abs=1e-6), label


def test_folds_are_judged_by_terms_found_without_them(fitted: Classifier) -> None:
    """A label that depends on a word of one fold alone cannot be told there."""
    records, targets = labelled()
    seen: list[int] = []
    fit = TfidfFeatures.fit

    def counted(texts: list[str]) -> TfidfFeatures:
        seen.append(len(texts))
        return fit(texts)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TfidfFeatures, "fit", staticmethod(counted))
        again = text_training_set("tfidf", TASK, records, targets).classifier(
            {"input": "train.jsonl"}
        )
    assert seen == [60] + [48] * 5
    assert again.digest == fitted.digest


def test_cross_fitted_scores_are_those_of_fits_on_the_other_folds() -> None:
    records, targets = labelled()
    found = text_training_set("tfidf", TASK, records, targets).cross_fitted()
    fold = folds([record.digest for record in records], 5)
    for index in range(5):
        inside, out = np.flatnonzero(fold != index), np.flatnonzero(fold == index)
        some = targets.at([targets.ids[i] for i in inside])
        apart = text_training_set("tfidf", TASK, [records[i] for i in inside], some).classifier()
        texts = [records[i].plain for i in out]
        expected = apart.heads(apart.source(texts))  # type: ignore[operator]
        assert found[out] == pytest.approx(expected, abs=1e-9)


def test_a_folder_holds_json_and_arrays_alone(fitted: Classifier, tmp_path: Path) -> None:
    fitted.save(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {
        "classifier.json",
        "features.json",
        "heads.safetensors",
    }
    again = Classifier.load(tmp_path)
    assert again.digest == fitted.digest
    assert again.fitted_on == fitted.fitted_on
    texts = ["a sun in the forest", "nothing known", "雨"]
    assert np.array_equal(
        again.heads(again.source(texts)),  # type: ignore[operator]
        fitted.heads(fitted.source(texts)),  # type: ignore[operator]
    )
    told = json.loads((tmp_path / "classifier.json").read_text())
    assert told["provenance"]["records"] == 60
    assert told["provenance"]["input"] == "train.jsonl"
    assert told["heads"]["joy"]["converged"] is True


def test_what_is_no_classifier_is_named(fitted: Classifier, tmp_path: Path) -> None:
    with pytest.raises(FitError, match="holds no classifier"):
        Classifier.load(tmp_path)
    fitted.save(tmp_path)
    (tmp_path / "heads.safetensors").write_bytes(b"\x80\x04pickle")
    with pytest.raises(FitError, match="holds no classifier"):
        Classifier.load(tmp_path)
    fitted.save(tmp_path)
    file = tmp_path / "classifier.json"
    file.write_text(file.read_text().replace("classifier 1", "classifier 2"))
    with pytest.raises(FitError, match="this version reads"):
        Classifier.load(tmp_path)


def test_it_refuses_its_records_by_what_they_say_and_other_labels(fitted: Classifier) -> None:
    record = labelled()[0][0]
    with pytest.raises(RecordError, match="fitted on this record"):
        fitted.check_unseen(Record("another id", text=record.text))
    fitted.check_unseen(Record(record.id, text="another text"))
    other = Task(**TASK.to_dict() | {"labels": ["fear", "joy"]})
    with pytest.raises(FitError, match="for the labels joy, fear, not fear, joy"):
        fitted.check(other)


def test_too_little_text_is_said() -> None:
    records, targets = labelled(2)
    with pytest.raises(FitError, match="TF-IDF of 2 texts: no words stand in two"):
        text_training_set("tfidf", TASK, records, targets)
    with pytest.raises(FitError, match="too few"):
        text_training_set("tfidf", TASK, records[:1], targets.at(targets.ids[:1]))


def test_a_group_takes_in_what_says_the_same() -> None:
    said = ["a", "b", "b", "c", "c", "d", "e"]
    names = ["x", "x", "y", "y", None, "z", None]
    rows = [
        {"id": i, "text": text, "labels": [], "group": name}
        for i, (text, name) in enumerate(zip(said, names, strict=True))
    ]
    records = [Record.from_dict(row, i) for i, row in enumerate(rows)]
    groups = groups_of(records, Targets.from_records(rows, TASK.label_names))
    assert len(set(groups[:5])) == 1
    assert groups[0] == "group:x"
    assert groups[5:] == ("group:z", "record:6")
    alone = groups_of(records, Targets.from_records(rows, TASK.label_names, group=None))
    assert alone == tuple(record.digest for record in records)
    with pytest.raises(FitError, match="3 labelled records that belong together are too few"):
        groups_of(records[:3], Targets.from_records(rows[:3], TASK.label_names))


def test_its_signature_is_its_own_whatever_stands_beside_it(fitted: Classifier) -> None:
    alone = signature_of_texts(TASK, [fitted.mark])
    beside = Signature(
        "model", "abc", "def", "engine", "float32", TASK.name, TASK.hash, "comma",
        ("any-place", "tfidf"), alone.normalisation, 0.01, None, 9, 9, None,
        contextual_calibration="batch", target_rate=0.5,
        version=alone.version, fitted=(fitted.mark, "probe@1"),
    )  # fmt: skip
    assert of_method(alone.to_dict(), "tfidf") == of_method(beside.to_dict(), "tfidf")
    assert of_method(beside.to_dict(), "probe")["fingerprint"] == "abc"
    assert "fitted" not in of_method(beside.to_dict(), "any-place")
    assert Signature.from_dict(json.loads(json.dumps(beside.to_dict()))) == beside


@pytest.mark.parametrize("spoil", ["raises", "gives NaN"])
def test_a_text_it_cannot_read_is_that_records_failure(
    fitted: Classifier, monkeypatch: pytest.MonkeyPatch, spoil: str
) -> None:
    texts = ["a sun", "odd", "dark storm", "odd too"]
    expected = texts_through(fitted, [Record(0, text=text) for text in texts])
    usual = TfidfFeatures.__call__

    def fragile(self: TfidfFeatures, some: list[str]) -> Any:
        odd = ["odd" in text for text in some]
        if spoil == "raises" and any(odd):
            raise IndexError("index out of range in self")
        found = usual(self, some).toarray()
        found[odd] = np.nan
        return found

    monkeypatch.setattr(TfidfFeatures, "__call__", fragile)
    items: list[Any] = [(n, Record(f"r{n}", text=text)) for n, text in enumerate(texts)]
    items.insert(1, (9, BadRecord("b", "no text")))
    found: dict[int, Any] = dict(ClassifierScorer(TASK, [fitted]).run(items))
    assert list(found) == [0, 9, 1, 2, 3]
    for n in (0, 2):
        assert found[n].labels.p == pytest.approx(expected[n], abs=1e-12)
    for n in (1, 3):
        assert isinstance(found[n], Failure)
        assert found[n].id == f"r{n}"
        assert ("IndexError" if spoil == "raises" else "not numbers") in found[n].error
    monkeypatch.setattr(TfidfFeatures, "__call__", lambda self, some: 1 / 0)
    with pytest.raises(ModelError, match="every text fails"):
        list(ClassifierScorer(TASK, [fitted]).run(items))
