"""The classifier with scikit-learn's own tools, on a scripted model."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

import labelmass
from helpers.annotated_records import LABELS, annotated, level_model
from labelmass import LabelMassClassifier
from labelmass.calibration import fit as fit_calibrator
from labelmass.decisions import Goal, thresholds
from labelmass.errors import FitError, LabelMassError, LabelMassWarning, RecordError
from labelmass.lm.scripted import ScriptedLanguageModel
from labelmass.targets import Targets
from labelmass.task import Task

PEOPLE = annotated(60)
X = [row["text"] for row in PEOPLE]
TARGETS = Targets.from_records(PEOPLE, LABELS)
Y = TARGETS.gold.astype(int)


@pytest.fixture
def model() -> Any:
    return level_model()


@pytest.fixture
def raw(mood: Task) -> np.ndarray:
    return labelmass.score(X, mood, level_model()).to_numpy()


def test_probabilities_are_those_of_score_and_the_labels_are_the_classes(
    mood: Task, model: Any, raw: np.ndarray
) -> None:
    made = LabelMassClassifier(mood, model).fit(X, Y)
    assert is_classifier(made)
    assert made.classes_.tolist() == list(LABELS)
    assert made.predict_proba(X).shape == (60, 3)
    assert np.array_equal(made.predict_proba(X), raw)
    assert np.array_equal(made.predict(X), raw >= 0.5)
    assert made.decision_thresholds_.tolist() == [0.5] * 3
    assert made.score(X, made.predict(X)) == 1.0
    shuffled = np.random.default_rng(0).permutation(60)
    assert np.array_equal(made.predict_proba([X[i] for i in shuffled]), raw[shuffled])
    as_records = [{"text": text} for text in X[:3]]
    assert np.array_equal(made.predict_proba(as_records), raw[:3])
    assert np.array_equal(made.predict_proba(np.array(X)), raw)
    assert made.predict_proba([]).shape == (0, 3)


def test_what_is_fitted_is_the_calibrator_then_the_thresholds(
    mood: Task, model: Any, raw: np.ndarray
) -> None:
    goal = "recall>=0.8"
    made = LabelMassClassifier(mood, model, calibrator="beta", threshold=goal).fit(
        X, TARGETS.shares
    )
    ids = [str(i) for i in range(60)]
    alone = fit_calibrator(LABELS, ids, raw, TARGETS.shares, method="beta")
    assert made.calibrator_ is not None and made.calibrator_.curves == alone.curves
    (p,) = alone.apply(LABELS, raw)
    assert np.array_equal(made.predict_proba(X), p)
    found = thresholds(LABELS, p, TARGETS.shares, Goal.parse(goal))
    assert made.decision_thresholds_.tolist() == [one.value for one in found]
    assert np.array_equal(made.predict(X), p >= made.decision_thresholds_)


@pytest.mark.parametrize(
    ("goal", "done"), [("precision>=0.999", "never given"), ("recall>=0.8", "given to every text")]
)
def test_a_goal_that_is_not_reached_is_said_and_kept(
    mood: Task, model: Any, goal: str, done: str
) -> None:
    made = LabelMassClassifier(mood, model, threshold=goal)
    with pytest.warns(
        LabelMassWarning, match=f"{goal} on these texts for joy, fear, joyful: {done}"
    ):
        made.fit(X, 0 * Y)
    assert (made.predict(X) == (goal == "recall>=0.8")).all()


def test_a_probability_that_is_not_known_is_no_zero(mood: Task) -> None:
    """A model that never writes an answer: on-format probabilities are null."""
    lost = ScriptedLanguageModel(lambda prompt, path: {"!": 1.0}, ["joy", "!"])
    made = LabelMassClassifier(mood, lost, normalise="on-format").fit(X[:2])
    assert np.isnan(made.predict_proba(X[:2])).all()
    with pytest.raises(RecordError, match=r"text 0 of X: P\(joy\) is not known"):
        made.predict(X[:2])


def test_y_may_be_names_indicators_or_shares(mood: Task, model: Any) -> None:
    from scipy.sparse import csr_array

    names = [[x for x, one in zip(LABELS, row, strict=True) if one] for row in Y]
    made = LabelMassClassifier(mood, model, threshold="f1")
    wanted = clone(made).fit(X, Y).decision_thresholds_.tolist()
    for same in (names, Y.tolist(), csr_array(Y), np.array(names, dtype=object), Y.astype(float)):
        assert clone(made).fit(X, same).decision_thresholds_.tolist() == wanted
    two = np.array([["joy", "fear"]] * 60)
    with pytest.warns(LabelMassWarning, match="f1 on these texts for joyful: never given"):
        found = clone(made).fit(X, two).decision_thresholds_
    assert np.isfinite(found).tolist() == [True, True, False]
    soft = clone(made).fit(X, TARGETS.shares).decision_thresholds_.tolist()
    assert soft != wanted
    one = ["joy" if level[0] else "fear" for level in Y]
    expected = np.array([[x == label for x in LABELS] for label in one])
    with pytest.warns(LabelMassWarning, match="for joyful: never given"):
        pair = [clone(made).fit(X, y).decision_thresholds_ for y in (one, expected)]
    assert np.array_equal(*pair)


def test_clone(mood: Task, model: Any) -> None:
    made = LabelMassClassifier(mood, model, calibrator="platt", threshold="f1").fit(X, Y)
    twin = clone(made)
    assert twin.model is model
    assert not hasattr(twin, "classes_")
    assert {k: v for k, v in twin.get_params().items() if k != "task"} == {
        k: v for k, v in made.get_params().items() if k != "task"
    }
    assert twin.task.hash == mood.hash
    assert np.array_equal(twin.fit(X, Y).predict_proba(X), made.predict_proba(X))


def test_get_params_and_set_params(mood: Task, model: Any, raw: np.ndarray) -> None:
    made = LabelMassClassifier(mood, model)
    assert set(made.get_params()) == {
        "task", "model", "method", "normalise", "tolerance", "calibrator", "threshold",
    }  # fmt: skip
    assert LabelMassClassifier(**made.get_params()).get_params() == made.get_params()
    assert made.set_params(threshold=0.25, method="hard") is made
    assert (made.threshold, made.method) == (0.25, "hard")
    hard = labelmass.score(X, mood, model, methods=["hard"]).to_numpy()
    assert np.array_equal(made.fit(X).predict_proba(X), hard)
    with pytest.raises(ValueError, match="Invalid parameter 'label'"):
        made.set_params(label=1)


def test_pipeline(mood: Task, model: Any, raw: np.ndarray) -> None:
    def stripped(texts: list[str]) -> list[str]:
        return [text.removeprefix("noise ") for text in texts]

    steps = [
        ("strip", FunctionTransformer(stripped)),
        ("label", LabelMassClassifier(mood, model, threshold="f1")),
    ]
    pipe = Pipeline(steps).fit([f"noise {text}" for text in X], Y)
    assert np.array_equal(pipe.predict_proba([f"noise {text}" for text in X]), raw)
    assert pipe.classes_.tolist() == list(LABELS)
    pipe.set_params(label__threshold=0.1)
    assert clone(pipe).fit(X, Y).predict(X).sum() == (raw >= 0.1).sum()


def test_grid_search(mood: Task, model: Any, raw: np.ndarray) -> None:
    folds = KFold(3)
    score = make_scorer(f1_score, average="micro", zero_division=0.0)
    cuts = [0.05, 0.4, 0.9]
    search = GridSearchCV(
        LabelMassClassifier(mood, model), {"threshold": cuts}, scoring=score, cv=folds
    ).fit(X, Y)
    by_hand = [
        np.mean([f1_score(Y[t], raw[t] >= cut, average="micro") for _, t in folds.split(X)])
        for cut in cuts
    ]
    assert search.cv_results_["mean_test_score"] == pytest.approx(by_hand)
    assert search.best_params_ == {"threshold": cuts[int(np.argmax(by_hand))]}
    assert np.array_equal(search.predict_proba(X), raw)
    fitted = GridSearchCV(
        LabelMassClassifier(mood, model, threshold="f1"),
        {"calibrator": [None, "temperature", "isotonic"]},
        cv=3,
    ).fit(X, Y)
    assert np.isfinite(fitted.cv_results_["mean_test_score"]).all()


def test_cross_val_predict(mood: Task, model: Any, raw: np.ndarray) -> None:
    made = LabelMassClassifier(mood, model, calibrator="platt", threshold="f1")
    folds = KFold(4)
    p = cross_val_predict(made, X, Y, cv=folds, method="predict_proba")
    sets = cross_val_predict(made, X, Y, cv=folds)
    assert p.shape == sets.shape == (60, 3)
    for train, test in folds.split(X):
        alone = fit_calibrator(LABELS, train.tolist(), raw[train], Y[train] * 1.0)
        (expected,) = alone.apply(LABELS, raw[test])
        assert np.array_equal(p[test], expected)
    soft = cross_val_predict(made, X, TARGETS.shares, cv=folds)
    assert set(np.unique(soft)) <= {0, 1}


def test_a_text_is_scored_once_for_all_clones(
    mood: Task, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = LabelMassClassifier(mood, model, calibrator="platt")
    cross_val_predict(made, X, Y, cv=KFold(3), method="predict_proba")
    monkeypatch.setattr(model, "rows", lambda queries: pytest.fail("asked again"))
    assert clone(made).set_params(threshold="f1").fit(X, Y).predict(X).shape == (60, 3)
    with pytest.raises(pytest.fail.Exception):
        clone(made).set_params(tolerance=0.001).fit(X, Y)


def test_a_model_named_is_loaded_once(monkeypatch: pytest.MonkeyPatch, mood: Task) -> None:
    loaded: list[str | None] = []

    def load(name: str | None) -> Any:
        loaded.append(name)
        return level_model()

    monkeypatch.setattr("labelmass.lm.load.load", load)
    made = LabelMassClassifier(mood, "some/model-of-this-test", threshold="f1")
    cross_val_predict(made, X, Y, cv=KFold(3))
    assert loaded == ["some/model-of-this-test"]


def test_what_cannot_be_fitted_or_scored_is_said(mood: Task, model: Any) -> None:
    made = LabelMassClassifier(mood, model, threshold="f1")
    with pytest.raises(FitError, match=r"shape \(60, 2\)"):
        made.fit(X, Y[:, :2])
    with pytest.raises(FitError, match="outside"):
        made.fit(X, Y * 2)
    with pytest.raises(FitError, match="which is None"):
        made.fit(X)
    with pytest.raises(LabelMassError, match="glee"):
        made.fit(X, [["glee"]] * 60)
    with pytest.raises(FitError, match="no goal is written"):
        LabelMassClassifier(mood, model, threshold="best").fit(X, Y)
    with pytest.raises(LabelMassError, match="no method is called"):
        LabelMassClassifier(mood, model, method="guess").fit(X)
    with pytest.raises(RecordError, match="text 1 of X: missing 'text'"):
        made.fit(["level 3", {"id": 4}], Y[:2])
    with pytest.raises(RecordError, match="X is one text"):
        made.fit("level 3", Y[:1])
    short = LabelMassClassifier(mood, level_model(context=60)).fit(["level 3"])
    with pytest.raises(RecordError, match="text 1 of X: too long"):
        short.predict(["level 3", "w" * 500 + " level 3"])


def test_labelmass_is_imported_without_scikit_learn() -> None:
    code = (
        "import sys, labelmass; assert 'sklearn' not in sys.modules; "
        "labelmass.LabelMassClassifier; assert 'sklearn' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        labelmass.nothing  # noqa: B018
