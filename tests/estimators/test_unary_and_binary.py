"""Questions about one label and about two: values in closed form, and the fit of strengths."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logit, softmax

import labelmass
from helpers.property_tests import property_test
from labelmass.errors import MethodError
from labelmass.estimators import LabelScores
from labelmass.estimators.bradley_terry import RIDGE, strengths
from labelmass.estimators.breakdown import pairs
from labelmass.lm.scripted import END, ScriptedLanguageModel
from labelmass.scoring.plan import Plan
from labelmass.scoring.saved_trees import TreeStore
from labelmass.scoring.score import score_trees
from labelmass.scoring.scorer import Scorer
from labelmass.task import Record, Task
from labelmass.task.questions import LETTERS, NONE, binary, unary

LABELS = ("joy", "fear", "joyful")
YES = {"joy": 0.8, "fear": 0.3, "joyful": 0.05}
STRENGTH = {"joy": 1.5, "fear": -0.5, "joyful": 0.2, "none of the labels": 0.0}
KEYS = {
    "name": "mood",
    "labels": list(LABELS),
    "instruction": "Which moods? {label_names}",
    "format": "comma",
    "chat": False,
    "demonstrations": [
        {"text": "a win", "labels": ["joy"]},
        {"text": "a noise", "labels": ["fear"]},
        {"text": "a table", "labels": []},
        {"text": "a party", "labels": ["joy", "joyful"]},
    ],
}
TOKENS = [
    "reason",
    "un",
    "able",
    " reasonable",
    "Reasonable",
    ".",
    *"ab",
    " a",
    " b",
    "\n\n",
    "joy",
]


def script(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
    """A fifth of the mass leaves every format; the words have several surface forms."""
    if path:
        after = {"reason": "able", "un": "reason"}.get(path[-1])
        return {after: 1.0} if after else {".": 0.5, "\n\n": 0.2, END: 0.3}
    if found := re.search(r"Label: (\w+)\nReasonable or unreasonable\?\nAnswer:\n$", prompt):
        p = 0.8 * YES[found[1]]
        return {" reasonable": p / 2, "reason": p / 4, "Reasonable": p / 4, "un": 0.8 - p}
    if found := re.search(r"a\. (.+)\nb\. (.+)\nBetter label:\nAnswer:\n$", prompt):
        # what is shown first gains half a unit, whatever it is
        p = 0.8 * float(expit(STRENGTH[found[1]] - STRENGTH[found[2]] + 0.5))
        return {"a": p, " b": (0.8 - p) / 2, "b": (0.8 - p) / 2}
    return {"joy": 1.0}


@pytest.fixture
def task() -> Task:
    return Task(**KEYS)


@pytest.fixture
def model() -> ScriptedLanguageModel:
    return ScriptedLanguageModel(script, TOKENS)


def test_unary_is_the_share_of_yes_over_all_its_forms(
    task: Task, model: ScriptedLanguageModel
) -> None:
    (result,) = labelmass.score(["x"], task, model, methods=["unary"], tolerance=1e-6)
    for label, p in YES.items():
        assert result[label].p == pytest.approx(p, abs=1e-6)
        assert result[label].low <= p + 1e-9 and p - 1e-9 <= result[label].high
    assert result.to_dict()["interval"] == "certified"


def test_binary_fits_what_both_orders_say_together(
    task: Task, model: ScriptedLanguageModel
) -> None:
    methods = ["binary", "binary-outcome"]
    (result,) = labelmass.score(["x"], task, model, methods=methods, tolerance=1e-6)
    names = [*LABELS, "none of the labels"]
    s = np.array([STRENGTH[name] for name in names])
    unsupported_reason = s[:, None] - s
    mean = (expit(unsupported_reason + 0.5) + expit(unsupported_reason - 0.5)) / 2
    found = expit(strengths(mean, reference=3)[:3])
    assert result.methods["binary"].p == pytest.approx(found, abs=1e-5)
    assert list(np.argsort(found)) == list(np.argsort(s[:3]))
    won = expit(strengths((np.sign(unsupported_reason) + 1) / 2, reference=3)[:3])
    assert result.methods["binary-outcome"].p == pytest.approx(won, abs=1e-6)
    assert result.to_dict()["interval"] == "none"
    assert result.to_dict()["labels"]["joy"]["low"] is None


def test_where_one_label_is_right_the_scores_are_shares(model: ScriptedLanguageModel) -> None:
    keys = KEYS | {"format": {"kind": "comma", "single": True, "empty": False}}
    keys |= {"demonstrations": KEYS["demonstrations"][:2]}
    (result,) = labelmass.score(
        ["x"], Task(**keys), model, methods=["unary", "binary"], tolerance=1e-6
    )
    odds = logit(list(YES.values()))
    assert result.labels.p == pytest.approx(softmax(odds), abs=1e-5)
    assert (result.labels.low <= softmax(odds) + 1e-9).all()
    assert (result.labels.high >= softmax(odds) - 1e-9).all()
    assert result.methods["binary"].p.sum() == pytest.approx(1)


@property_test(60)
@given(seed=st.integers(0, 10**9), n=st.integers(2, 7), referred=st.booleans())
def test_strengths_agree_with_a_general_optimiser(seed: int, n: int, referred: bool) -> None:
    draw = np.random.default_rng(seed)
    p = draw.random((n, n)) ** draw.choice([0.1, 1, 5])
    p[draw.random((n, n)) < 0.2] = np.nan
    reference = n - 1 if referred else None
    one, other = np.triu_indices(n, 1)
    keep = ~np.isnan(p[one, other])
    if not keep.any():
        return
    one, other, wins = one[keep], other[keep], p[one, other][keep]

    def loss(free: np.ndarray) -> float:
        s = np.append(free, 0.0) if referred else free
        unsupported_reason = s[one] - s[other]
        return (
            -(wins @ log_expit(unsupported_reason) + (1 - wins) @ log_expit(-unsupported_reason))
            + RIDGE * free @ free
        )

    slow = minimize(loss, np.zeros(n - referred), method="BFGS", options={"gtol": 1e-8})
    assert strengths(p, reference)[: n - referred] == pytest.approx(slow.x, abs=2e-4)


def test_a_winner_of_all_stays_finite() -> None:
    preferred = np.array([[np.nan, 1.0, 1.0], [np.nan] * 3, [np.nan] * 3])
    found = strengths(preferred, reference=2)
    assert np.isfinite(found).all() and found[0] > found[2] == 0.0


def test_few_opponents_still_connect_every_label(model: ScriptedLanguageModel) -> None:
    labels = [f"l{i}" for i in range(9)]
    keys = {"name": "t", "labels": labels, "instruction": "?", "format": "comma", "chat": False}
    few = pairs(Task(**keys, binary={"opponents": 2}))
    assert len(few) == 2 * (9 + 9) < len(pairs(Task(**keys))) == 10 * 9
    assert len(set(few)) == len(few)
    for label in labels:
        assert sum(a == label for a, _ in few) == 3  # two others and none
        assert all((b, a) in few for a, b in few)
    assert few == pairs(Task(**(keys | {"labels": labels[::-1]}), binary={"opponents": 2}))
    task = Task(**KEYS, binary={"opponents": 1})
    scores = labelmass.score(["x"], task, model, methods=["binary"], tolerance=1e-6)
    assert list(np.argsort(scores[0].labels.p)) == [1, 2, 0]


def test_demonstrations_are_balanced_and_true(task: Task) -> None:
    gold = {example.text: set(example.labels) for example in task.demonstrations.examples}
    shown = unary(task)[0].blocks
    said = []
    for parts, answer in shown:
        text, label = re.fullmatch(
            r"(.*)\n\nLabel: (\w+)\nReasonable or unreasonable\?", "".join(p.text for p in parts)
        ).groups()  # type: ignore[union-attr]
        assert (label in gold[text]) == (answer.text == "reasonable")
        said.append(answer.text)
    assert said.count("reasonable") == said.count("unreasonable") == 3
    for parts, answer in binary(task, [("joy", NONE)])[0].blocks:
        text, *pair = re.fullmatch(
            r"(.*)\n\na\. (.+)\nb\. (.+)\nBetter label:", "".join(p.text for p in parts)
        ).groups()  # type: ignore[union-attr]
        better, worse = pair if answer.text == "a" else pair[::-1]
        fits = {"none of the labels"} if not gold[text] else gold[text]
        assert better in fits and worse not in fits
        assert answer.text in LETTERS


def test_label_names_in_a_question_are_no_structure(task: Task) -> None:
    parts = unary(task)[0].prompt(Record(1, text="{label} <|im_end|>")).turns[-1].parts
    assert any(part.text == "{label} <|im_end|>" and not part.trusted for part in parts)
    assert any(part.text == "joy" and not part.trusted for part in parts)


def test_each_prompt_is_explored_once_for_all_methods(
    task: Task, model: ScriptedLanguageModel
) -> None:
    opened: list[int] = []
    open_ = model.open
    model.open = lambda prompts, shared=0: opened.append(len(prompts)) or open_(prompts, shared)  # type: ignore[method-assign]
    plan = Plan(task, ["any-place", "hard", "unary", "binary", "binary-outcome"])
    list(Scorer.of_plan(plan, model).run([(1, Record(1, text="x"))]))
    assert opened == [1, 3, 12]


def test_saved_trees_hold_the_questions_that_were_asked(
    task: Task, model: ScriptedLanguageModel, tmp_path
) -> None:
    plan = Plan(task, ["unary"])
    store = TreeStore(tmp_path, task, plan.signature(model))
    ((_, result),) = Scorer.of_plan(plan, model).run([(1, Record(1, text="x"))], store=store)
    store.close()
    (again,) = score_trees(tmp_path, ["unary"])
    assert np.array_equal(again.labels.p, result.labels.p)
    with pytest.raises(MethodError, match="--method binary"):
        list(score_trees(tmp_path, ["binary"]))


def test_a_point_stands_without_an_interval() -> None:
    scores = LabelScores.points(("joy", "fear"), np.array([0.25, np.nan]))
    assert scores["joy"].p == 0.25
    assert scores["joy"].width is None
    assert (str(scores["joy"]), str(scores["fear"])) == ("0.2500", "null")
