"""Averaging over label orders and taking a prior away, on a model that looks at both."""

from __future__ import annotations

from zlib import crc32

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

import labelmass
from helpers.property_tests import property_test
from labelmass.answers.search import Budget
from labelmass.errors import LabelMassError
from labelmass.estimators.base import LabelScores
from labelmass.estimators.contextual import CONTENT_FREE, average, calibrate_contextually, log_odds
from labelmass.lm.scripted import ScriptedLanguageModel
from labelmass.scoring.plan import Plan
from labelmass.scoring.saved_trees import TreeStore
from labelmass.scoring.score import score_trees
from labelmass.scoring.scorer import Scorer
from labelmass.task import Record, Task
from labelmass.task.questions import permuted

LABELS = ("joy", "fear", "rage", "calm")
TRUE = {"joy": 0.5, "fear": 0.2, "rage": 0.1, "calm": 0.05}
KEYS = {
    "name": "mood",
    "labels": list(LABELS),
    "instruction": "Which? {label_names}.",
    "format": "comma",
    "chat": False,
    "demonstrations": [{"text": "a win", "labels": ["joy"]}, {"text": "a table", "labels": []}],
}
TASK = Task(**KEYS)


def script(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
    """A label gains a tenth by standing first in the prompt, joy where there is no content.

    What is reasonable depends on the whole prompt, demonstrations included.
    """
    if path:
        return {"\n\n": 1.0}
    if prompt.endswith("Reasonable or unreasonable?\nAnswer:\n"):
        p = crc32(prompt.encode()) / 2**32
        return {"reasonable": p, "unreasonable": 1 - p}
    if any(f"\n\n{text}\nAnswer" in prompt for text in CONTENT_FREE):
        return {"joy": 0.6, "fear": 0.3, "none": 0.1}
    first = prompt.split("Which? ")[1].split(",")[0]
    p = {label: TRUE[label] + 0.1 * (label == first) for label in LABELS}
    return {**p, "none": 1 - sum(p.values())}


@pytest.fixture
def model() -> ScriptedLanguageModel:
    return ScriptedLanguageModel(script, [*LABELS, "none", "\n\n", "reasonable", "unreasonable"])


def test_the_mean_over_orders_and_how_far_they_moved_each_label(
    model: ScriptedLanguageModel,
) -> None:
    options = {"methods": ["any-place", "hard", "first-step"], "tolerance": 1e-9}
    (result,) = labelmass.score(["x"], TASK, model, label_permutations=5, **options)
    firsts = [task.label_order[0] for task in permuted(TASK, 5)[1:]]
    firsts = ["joy", *firsts]
    for label in LABELS:
        share = firsts.count(label) / 5
        assert result[label].p == pytest.approx(TRUE[label] + 0.1 * share)
        expected = 0.1 if 0 < share < 1 else 0.0
        assert result.moved["label_permutations"]["any-place"][label] == pytest.approx(expected)
    assert result.to_dict()["moved"]["label_permutations"].keys() == {
        "any-place",
        "hard",
        "first-step",
    }
    assert "permutations:5" in str(result.signature)
    (alone,) = labelmass.score(["x"], TASK, model, **options)
    assert alone.moved == {} and alone["joy"].p == pytest.approx(0.6)


def test_orders_are_seeded_and_change_nothing_else() -> None:
    some = permuted(TASK, 4)
    assert [t.label_order for t in some] == [t.label_order for t in permuted(TASK, 4)]
    assert some[0] is TASK
    for task in some[1:]:
        assert sorted(task.label_order) == sorted(LABELS)
        assert task.label_names == LABELS
        assert task.demonstrations == TASK.demonstrations


def test_the_order_of_labels_in_the_call_changes_nothing(model: ScriptedLanguageModel) -> None:
    """Prompt order fixed, the labels of the task in another order."""
    keys = KEYS | {"labels": ["calm", "rage", "joy", "fear"], "label_order": list(LABELS)}
    methods = ["any-place", "max-over-generations", "compare-to-none", "unary", "sampling"]
    (one,) = labelmass.score(["x"], TASK, model, methods=methods)
    (other,) = labelmass.score(["x"], Task(**keys), model, methods=methods)
    for method in methods:
        for label in LABELS:
            ours, theirs = one.methods[method][label], other.methods[method][label]
            assert (ours.low, ours.p, ours.high) == pytest.approx(
                (theirs.low, theirs.p, theirs.high)
            )


def test_a_text_without_content_gets_the_rate(model: ScriptedLanguageModel) -> None:
    for target_rate in (0.5, 0.2):
        plan = Plan(
            TASK, ["any-place"], contextual_calibration="content-free", target_rate=target_rate
        )
        ((_, result),) = Scorer.of_plan(plan, model).run([(1, Record(1, text="N/A"))])
        assert result["joy"].p == pytest.approx(target_rate, abs=1e-3)
        assert result["fear"].p == pytest.approx(target_rate, abs=1e-3)


def test_a_prior_is_taken_away_in_log_odds(model: ScriptedLanguageModel) -> None:
    (plain,) = labelmass.score(["x"], TASK, model, tolerance=1e-9)
    (result,) = labelmass.score(
        ["x"], TASK, model, tolerance=1e-9, contextual_calibration="content-free"
    )
    expected = expit(logit(plain["fear"].p) - logit(0.3))
    assert result["fear"].p == pytest.approx(expected, abs=1e-6)
    shift = result.moved["contextual_calibration"]["any-place"]["fear"]
    assert shift == pytest.approx(result["fear"].p - plain["fear"].p)
    assert "contextual:content-free@0.5" in str(result.signature)


def test_the_batchs_own_prior_is_taken_away(model: ScriptedLanguageModel, tmp_path) -> None:
    texts = ["x", "y", "z"]
    plain = labelmass.score(texts, TASK, model, methods=["any-place", "hard"], tolerance=0.0)
    scores = labelmass.score(
        texts,
        TASK,
        model,
        methods=["any-place", "hard"],
        contextual_calibration="batch",
        tolerance=0.0,
    )
    for name in ("any-place", "hard"):
        odds = log_odds(plain.to_numpy(name))
        expected = 1 / (1 + np.exp(odds.mean(axis=0) - odds))
        assert scores.to_numpy(name) == pytest.approx(expected)
    moved = scores[0].moved["contextual_calibration"]["any-place"][LABELS[0]]
    assert moved == pytest.approx(scores[0][LABELS[0]].p - plain[0][LABELS[0]].p)
    assert scores.signature.contextual_calibration == "batch"
    store = TreeStore(tmp_path, TASK, plain.signature)
    records = [(key, Record(key, text=text)) for key, text in enumerate(texts)]
    grown = Plan(TASK, ["any-place"], budget=Budget(tolerance=0.0), every_method=True)
    list(Scorer.of_plan(grown, model).run(records, store=store))
    store.close()
    again = [
        result.labels.p
        for result in score_trees(tmp_path, ["any-place"], contextual_calibration="batch")
    ]
    assert np.array_equal(again, scores.to_numpy("any-place"))


@property_test(60)
@given(st.integers(0, 10**9), st.booleans())
def test_ends_stay_around_the_point(seed: int, single: bool) -> None:
    draw = np.random.default_rng(seed)
    low, p, high = np.sort(draw.random((3, 4)), axis=0)
    if single:
        p = p / p.sum()
        low, high = low * p, p + (1 - p) * high
    scores = LabelScores(LABELS, p, low, high)
    after, moved = calibrate_contextually(
        scores, draw.normal(size=4), target_rate=0.3, single=single
    )
    assert (after.low <= after.p + 1e-12).all() and (after.p <= after.high + 1e-12).all()
    assert moved == pytest.approx(after.p - p)
    assert after.p.sum() == pytest.approx(1) if single else (after.p >= 0).all()
    mean, spread = average([scores, after])
    assert (mean.low <= mean.p + 1e-12).all() and (spread >= 0).all()


def test_saved_trees_keep_their_orders(model: ScriptedLanguageModel, tmp_path) -> None:
    plan = Plan(TASK, ["any-place"], label_permutations=3)
    store = TreeStore(tmp_path, TASK, plan.signature(model))
    ((_, result),) = Scorer.of_plan(plan, model).run([(1, Record(1, text="x"))], store=store)
    store.close()
    (again,) = score_trees(tmp_path, ["any-place"])
    assert np.array_equal(again.labels.p, result.labels.p)


def test_the_baseline_does_not_look_at_the_record(model: ScriptedLanguageModel) -> None:
    for result in labelmass.score(["x", "y"], TASK, model, methods=["demonstration-rate"]):
        assert list(result.labels.p) == [0.5, 0, 0, 0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"label_permutations": 0},
        {"contextual_calibration": "magic"},
        {"target_rate": 1.0},
        {"samples": 0},
    ],
)
def test_what_cannot_be_is_named(wrong: dict) -> None:
    with pytest.raises(LabelMassError, match=next(iter(wrong))):
        Plan(TASK, **wrong)


def test_a_plan_above_its_limit_is_refused_with_the_forecast() -> None:
    plan = Plan(TASK, ["unary", "binary"], label_permutations=2)
    assert plan.forecast.prompts == 2 * (1 + 4 + 5 * 4)
    plan.forecast.check(10, 500)
    with pytest.raises(LabelMassError, match=r"550 prompts \(11 records, 50 prompts"):
        plan.forecast.check(11, 500)
    with pytest.raises(LabelMassError, match="how many records"):
        plan.forecast.check(None, 500)
