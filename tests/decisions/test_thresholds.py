"""Thresholds against every cut there is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.property_tests import property_test
from labelmass.decisions import Goal, majority, nearest, thresholds
from labelmass.errors import FitError

GOALS = ["f1", "f0.5", "f2", "precision>=0.7", "recall>=0.6", "fpr<=0.2", "cost=1:5", "cost=3:1",
         "majority"]  # fmt: skip


def column(seed: int, n: int) -> tuple[Any, Any]:
    draw = np.random.default_rng(seed)
    p = draw.random(n).round(seed % 3 + 1)
    target = draw.integers(0, 5, n) / 4 if seed % 2 else draw.integers(0, 2, n) * 1.0
    return p, target


def value(goal: Goal, p: Any, h: Any, t: float) -> float:
    """What the goal is to make largest at one cut; minus infinity where it is not reached."""
    flagged = p >= t
    right, wrong, missed = h[flagged].sum(), (1 - h)[flagged].sum(), h[~flagged].sum()
    free = (1 - h)[~flagged].sum()
    if goal.kind == "f":
        b = goal.values[0] ** 2
        whole = (1 + b) * right + b * missed + wrong
        return (1 + b) * right / whole if right + missed else -np.inf
    if goal.kind == "precision":
        ok = flagged.any() and right / flagged.sum() >= goal.level
        return right if ok else -np.inf
    if goal.kind == "recall":
        ok = right + missed > 0 and right / (right + missed) >= goal.level
        return -flagged.sum() if ok else -np.inf
    if goal.kind == "fpr":
        ok = wrong + free > 0 and wrong / (wrong + free) <= goal.level
        return right if ok else -np.inf
    if goal.kind == "cost":
        return -(goal.values[0] * wrong + goal.values[1] * missed)
    return float((flagged == (h >= 0.5)).mean())


@pytest.mark.parametrize("text", GOALS)
@property_test(40)
@given(seed=st.integers(0, 10**9), n=st.integers(1, 12))
def test_no_cut_is_better(text: str, seed: int, n: int) -> None:
    p, h = column(seed, n)
    goal = Goal.parse(text)
    (found,) = thresholds(("x",), p[:, None], h[:, None], goal)
    t = np.inf if found.value is None else found.value
    best = max(value(goal, p, h, cut) for cut in [np.inf, *p])
    assert found.met == (best > -np.inf)
    if found.met:
        assert value(goal, p, h, t) == pytest.approx(best)
        assert found.flagged == pytest.approx((p >= t).mean())
        assert nearest(("x",), p[:, None], h[:, None], goal) == (found.value,)
    else:
        assert found.value == (0.0 if goal.kind == "recall" else None)
        assert found.flagged == (1.0 if goal.kind == "recall" else 0.0)


@property_test(40)
@given(seed=st.integers(0, 10**9), n=st.integers(1, 12))
def test_the_nearest_cut_to_a_precision_is_that_of_the_highest(seed: int, n: int) -> None:
    p, h = column(seed, n)
    goal = Goal.parse("precision>=0.9")
    (cut,) = nearest(("x",), p[:, None], h[:, None], goal)
    (met,) = thresholds(("x",), p[:, None], h[:, None], goal)
    if met.met:
        assert cut == met.value
    elif not h.any():
        assert cut is None
    else:
        every = {t: h[p >= t].mean() for t in p}
        assert cut == min(t for t, value in every.items() if value == max(every.values()))


def test_numbers_by_hand() -> None:
    p = np.array([0.9, 0.8, 0.8, 0.4, np.nan])
    h = np.array([1.0, 0.5, 0.0, 1.0, 1.0])
    (found,) = thresholds(("x",), p[:, None], h[:, None], Goal.parse("recall >= 0.6"))
    assert (found.value, found.cells, found.positives, found.flagged) == (0.8, 4, 2.5, 0.75)
    assert (found.precision, found.recall) == (0.5, 0.6)
    assert (found.false_positive_rate, found.f1) == (1.0, pytest.approx(3 / 5.5))
    assert found.to_dict()["goal"] == "recall>=0.6"


def test_one_threshold_for_all_labels_is_that_of_all_cells() -> None:
    p, h = column(4, 60)
    goal = Goal.parse("f1")
    (shared,) = thresholds(("a", "b"), p.reshape(30, 2), h.reshape(30, 2), goal, shared=True)
    (alone,) = thresholds(("*",), p[:, None], h[:, None], goal)
    assert shared == alone


def test_calibrated_scores_are_cut_at_the_ratio_of_costs() -> None:
    draw = np.random.default_rng(0)
    p = draw.random(200_000).round(2)
    h = (draw.random(200_000) < p) * 1.0
    (found,) = thresholds(("x",), p[:, None], h[:, None], Goal.parse("cost=1:4"))
    assert found.value == pytest.approx(1 / 5, abs=0.02)


def test_goals_are_written_as_they_are_read() -> None:
    for text in GOALS:
        assert str(Goal.parse(text)) == text
    assert np.array_equal(majority(np.array([0.5, 0.4, np.nan])), [1, 0, np.nan], equal_nan=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [("best", "no goal is written 'best'"), ("precision>=2", "between 0 and 1"),
     ("recall>=x", "no goal is written"), ("cost=1", "no goal")],
)  # fmt: skip
def test_goals_that_are_none_are_named(text: str, said: str) -> None:
    with pytest.raises(FitError, match=said):
        Goal.parse(text)
    with pytest.raises(FitError, match="label 'x': no record has both"):
        thresholds(("x",), np.array([[np.nan]]), np.array([[1.0]]), Goal.parse("f1"))
