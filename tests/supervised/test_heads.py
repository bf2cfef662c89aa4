"""Heads against scikit-learn's own pipeline, a general minimiser, and what is known by hand."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_info, threadpool_limits

from helpers.property_tests import property_test
from labelmass.errors import FitError
from labelmass.provenance import folds
from labelmass.supervised import LinearHeads, cross_fit_heads, fit_heads
from labelmass.supervised.logistic import base_rate, fit_lines

LABELS = ("joy", "fear", "rage")


def data(n: int = 120, d: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Features of unlike scales, shares of three annotators, and a group for every two records."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(n, d)) * 10.0 ** draw.uniform(-2, 2, d) + draw.normal(size=d)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    share = draw.binomial(3, expit(z @ draw.normal(size=(d, len(LABELS))) - 0.5)) / 3
    return x, share, [f"g{i // 2}" for i in range(n)]


def doubled(x: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every record twice, as a positive of weight h and a negative of weight 1 - h."""
    n = len(h)
    return np.vstack([x, x]), np.repeat([1, 0], n), np.concatenate([h, 1 - h])


def test_they_are_the_pipeline_of_scikit_learn() -> None:
    x, share, groups = data()
    share[3, 1] = share[7, 1] = np.nan  # unknown for one label only
    heads = fit_heads(LABELS, x, share, groups)
    new = data(seed=1)[0]
    for at, head in enumerate(heads.heads):
        of = ~np.isnan(share[:, at])
        scaler = StandardScaler().fit(x)
        logistic = LogisticRegression(C=head.strength, tol=1e-6, max_iter=2000)
        both, truth, weight = doubled(scaler.transform(x[of]), share[of, at])
        logistic.fit(both, truth, sample_weight=weight)
        expected = logistic.predict_proba(scaler.transform(new))[:, 1]
        assert heads(new)[:, at] == pytest.approx(expected, abs=1e-6)
        assert head.converged
        assert head.records == of.sum()


def test_hard_targets_are_the_ordinary_pipeline() -> None:
    x, share, groups = data()
    gold = (share > 0.5).astype(float)
    heads = fit_heads(LABELS, x, gold, groups)
    for at, head in enumerate(heads.heads):
        pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=head.strength, tol=1e-8))
        expected = pipeline.fit(x, gold[:, at]).predict_proba(x)[:, 1]
        assert heads(x)[:, at] == pytest.approx(expected, abs=1e-5)


@property_test(15)
@given(st.integers(0, 2**31), st.sampled_from([1e-3, 0.1, 10.0]))
def test_a_line_is_the_least_soft_cross_entropy(seed: int, strength: float) -> None:
    draw = np.random.default_rng(seed)
    x, h = draw.normal(size=(30, 3)), draw.choice([0, 0.25, 0.5, 1], 30)
    h[:2] = 0.25, 1

    def loss(theta: np.ndarray) -> float:
        z = x @ theta[:3] + theta[3]
        return float(theta[:3] @ theta[:3] / 2 + strength * (np.logaddexp(0, z) - h * z).sum())

    best = minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-9})
    (line,) = fit_lines(x, h, [strength], 1e-8)
    assert loss(np.append(line.weights, line.intercept)) <= best.fun + 1e-8
    assert line(x) == pytest.approx(expit(x @ best.x[:3] + best.x[3]), abs=1e-4)


def test_the_strength_is_that_of_the_least_loss_on_folds_not_seen() -> None:
    """Also: the scaler of a fold has not seen what the fold is judged on."""
    x, share, groups = data()
    x[0] *= 1000  # an outlier that a scaler of all records would show
    strengths = (1e-3, 0.1, 10.0)
    heads = fit_heads(LABELS, x, share, groups, strengths=strengths)
    fold = folds(groups, 5)
    for row, strength in enumerate(strengths):
        for at in range(len(LABELS)):
            total = 0.0
            for index in range(5):
                out = fold == index
                scaler = StandardScaler().fit(x[~out])
                both, truth, weight = doubled(scaler.transform(x[~out]), share[~out, at])
                model = LogisticRegression(C=strength, tol=1e-8, max_iter=5000)
                model.fit(both, truth, sample_weight=weight)
                p = model.predict_proba(scaler.transform(x[out]))[:, 1].clip(1e-8, 1 - 1e-8)
                h = share[out, at]
                total -= (h * np.log(p) + (1 - h) * np.log(1 - p)).sum()
            assert heads.losses[row, at] == pytest.approx(total / len(x), abs=2e-3)
    for at, head in enumerate(heads.heads):
        assert head.own
        assert head.strength == strengths[int(np.argmin(heads.losses[:, at]))]
        assert head.nll == heads.losses[:, at].min()


def test_few_positives_take_the_strength_of_all_and_none_the_shrunk_base_rate() -> None:
    x, share, groups = data()
    share[:, 1] = 0
    share[:5, 1] = 1
    share[:, 2] = 0
    share[60:, 2] = np.nan
    heads = fit_heads(LABELS, x, share, groups)
    joy, fear, rage = heads.heads
    assert joy.own
    assert not fear.own
    best = int(np.argmin((heads.losses * [120, 120, 60]).sum(axis=1)))
    assert fear.strength == heads.strengths[best]
    assert rage.strength is None
    pooled = np.nanmean(share)
    assert heads(x)[:, 2] == pytest.approx(pooled / 61)
    assert base_rate(share[:60, 2], float(pooled)) == pytest.approx(pooled / 61)
    assert rage.nll == rage.base_nll
    assert heads.notes[:2] == ("fear: few: C of all labels", "rage: never seen: base rate")


def test_a_label_nobody_judged_gets_the_pooled_share() -> None:
    x, share, groups = data()
    share[:, 1] = np.nan
    share[:, 2] = 1
    heads = fit_heads(LABELS, x, share, groups)
    assert heads(x)[:, 1] == pytest.approx(np.nanmean(share))
    assert heads.heads[1].nll is None
    assert "always there" in heads.heads[2].about
    assert heads(x)[:, 2].min() < 1
    with pytest.raises(FitError, match="nothing to fit on"):
        fit_heads(LABELS, x, np.full_like(share, np.nan), groups)


def test_where_one_label_is_right_they_sum_to_one() -> None:
    x, share, groups = data()
    one = np.eye(len(LABELS))[share.argmax(axis=1)]
    heads = fit_heads(LABELS, x, one, groups, single=True)
    apart = fit_heads(LABELS, x, one, groups)(x)
    assert np.abs(apart.sum(axis=1) - 1).max() > 0.01
    assert heads(x) == pytest.approx(apart / apart.sum(axis=1, keepdims=True))
    again = LinearHeads.from_dict(json.loads(json.dumps(heads.to_dict())), heads.arrays())
    assert np.array_equal(again(x), heads(x))
    crossed = cross_fit_heads(LABELS, x, one, groups, single=True)
    assert crossed.sum(axis=1) == pytest.approx(np.ones(len(x)))


def test_they_come_back_from_json_and_arrays() -> None:
    x, share, groups = data()
    share[:, 1] = np.nan
    heads = fit_heads(LABELS, x, share, groups)
    again = LinearHeads.from_dict(json.loads(json.dumps(heads.to_dict())), heads.arrays())
    assert np.array_equal(again(x), heads(x))
    assert again.heads == heads.heads
    assert again.notes == heads.notes
    with pytest.raises(FitError, match="6 were fitted"):
        again(x[:, :5])


def test_the_order_of_records_changes_nothing() -> None:
    x, share, groups = data()
    order = np.random.default_rng(3).permutation(len(x))
    one = fit_heads(LABELS, x, share, groups)
    other = fit_heads(LABELS, x[order], share[order], [groups[i] for i in order])
    assert other(x) == pytest.approx(one(x), abs=1e-4)


def test_small_fits_share_no_threads_and_give_them_back() -> None:
    """Inside, one thread for linear algebra; outside, as many as before."""
    draw = np.random.default_rng(0)
    x, share = draw.normal(size=(30, 3)), (draw.random((30, 1)) < 0.5) * 1.0
    inside: list[int] = []

    def refit(seen: Any) -> Any:
        inside.extend(library["num_threads"] for library in threadpool_info())
        return x

    with threadpool_limits(2):
        before = [library["num_threads"] for library in threadpool_info()]
        fit_heads(["joy"], x, share, list(range(30)), refit=refit)
        assert [library["num_threads"] for library in threadpool_info()] == before
    assert set(inside) == {1} and max(before) == 2
