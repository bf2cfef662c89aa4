"""Uncertainty rules against their formulas, their threshold, and what they refuse."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.special import digamma

from helpers.trees import build_tree
from labelmass.answers.search import Requirements
from labelmass.answers.tree import AnswerTree
from labelmass.errors import MethodError, RecordError
from labelmass.estimators.selection import REQUIREMENTS, RULES, Selection, logtoku, raw_scores
from labelmass.lm.scripted import END, ScriptedLanguageModel
from labelmass.task.formats import guard

LABELS = ["S1", "S2", "S3", "S10"]
TOKENS = ["unsafe", "safe", "\n", "S", "1", "2", "3", "10", ","]


def tree_of(
    p: dict[str, float], scale: float | None = 3.0, requirements: Requirements = REQUIREMENTS
) -> AnswerTree:
    def script(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
        text = "".join(path)
        if text in ("", "unsafe", "unsafe\n"):
            return {"": {"unsafe": 1.0}, "unsafe": {"\n": 1.0}, "unsafe\n": {"S": 1.0}}[text]
        return p if text == "unsafe\nS" else {END: 1.0}

    model = ScriptedLanguageModel(script, TOKENS, scale=scale)
    return build_tree(model, guard(blanks=""), LABELS, requirements=requirements)


def test_scores_are_those_after_the_common_beginning() -> None:
    tree = tree_of({"1": 0.5, "2": 0.3, "10": 0.2})
    expected = np.log(
        [0.5, 0.3, 0.0, 0.2], where=[True, True, False, True], out=np.full(4, -np.inf)
    )
    assert raw_scores(tree) == pytest.approx(expected + 3.0)
    again = AnswerTree.from_dict(json.loads(json.dumps(tree.to_dict())))
    assert np.array_equal(raw_scores(again), raw_scores(tree))


def test_each_rule_is_its_formula() -> None:
    scores = np.log([0.5, 0.3, 0.2]) + 3.0
    assert RULES["probability"](scores) == pytest.approx(1 / 1.5)
    assert RULES["entropy"](scores) == pytest.approx(-sum(p * np.log(p) for p in (0.5, 0.3, 0.2)))
    a, b = scores[:2]
    total = a + b
    epistemic = 2 / (a + b + 2)
    aleatoric = -sum(x / total * (digamma(x + 1) - digamma(total + 1)) for x in (a, b))
    assert logtoku(scores) == pytest.approx(epistemic / aleatoric)


@pytest.mark.parametrize("scores", [[-1.0, -5.0], [-1.0, -1.0], [4.0, -2.0], [4.0]])
def test_negative_scores_are_no_evidence(scores: list[float]) -> None:
    assert logtoku(np.array(scores)) == float("inf")


def test_the_threshold_is_where_two_labels_paid_most() -> None:
    # by entropy: sure records have one right label, unsure ones two
    sure, unsure = {"1": 0.97, "2": 0.03}, {"1": 0.5, "2": 0.5}
    middle = {"1": 0.8, "2": 0.2}
    trees = {"1": tree_of(sure), "2": tree_of(middle), "3": tree_of(unsure)}
    gold = {"1": ["S1", "S2"], "2": ["S1", "S2"], "3": ["S1"]}
    rule = Selection.fit("entropy", trees, gold)
    assert rule.threshold == pytest.approx(RULES["entropy"](raw_scores(trees["2"])))
    taken = {name for name, b in rule.read(tree_of(sure), "9").items() if b.p > 0.5}
    assert taken == {"S1", "S2"}
    taken = {name for name, b in rule.read(tree_of(unsure), "9").items() if b.p > 0.5}
    assert len(taken) == 1
    assert Selection.from_dict(json.loads(json.dumps(rule.to_dict()))) == rule
    with pytest.raises(RecordError, match="fitted on"):
        rule.read(trees["2"], "2")


def test_what_cannot_be_read_is_named() -> None:
    unscaled = tree_of({"1": 0.5, "2": 0.5}, scale=None)
    assert RULES["entropy"](raw_scores(unscaled, "entropy")) == pytest.approx(np.log(2), abs=1e-6)
    with pytest.raises(MethodError, match="raw scores"):
        raw_scores(unscaled)
    with pytest.raises(MethodError, match="no uncertainty rule 'magic'"):
        Selection.fit("magic", {"1": unscaled}, {"1": []})
    with pytest.raises(MethodError, match="no records"):
        Selection.fit("entropy", {}, {})


def test_a_tree_that_was_not_grown_for_a_rule_is_refused() -> None:
    tree = tree_of({"1": 0.5, "2": 0.5}, requirements=Requirements(label_tries=None, shares=None))
    with pytest.raises(MethodError, match=r"entropy: this tree was grown without .* --rule"):
        raw_scores(tree, "entropy")


def test_a_sure_record_may_get_more_than_two() -> None:
    sure, unsure = {"1": 0.9, "2": 0.06, "10": 0.04}, {"1": 0.4, "2": 0.3, "10": 0.3}
    trees = {"1": tree_of(sure), "2": tree_of(unsure)}
    gold = {"1": ["S1", "S2", "S10"], "2": ["S1"]}
    rule = Selection.fit("entropy", trees, gold, most=3)
    assert rule.threshold == pytest.approx(RULES["entropy"](raw_scores(trees["1"])))
    assert sum(b.p > 0.5 for b in rule.read(tree_of(sure), "9").values()) == 3
    assert sum(b.p > 0.5 for b in rule.read(tree_of(unsure), "9").values()) == 1
    with pytest.raises(MethodError, match="at least 2"):
        Selection.fit("entropy", trees, gold, most=1)
