"""The curves against loops that a reader can check, and against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, det_curve, precision_score, recall_score

from helpers.property_tests import property_test
from labelmass.evaluation.calibration import BINS
from labelmass.reporting.curves import (
    MAX_POINTS,
    confidence,
    error_tradeoff,
    precision_recall,
    reliability,
    risk_coverage,
    set_loss,
)

CELLS = st.lists(
    st.tuples(
        st.one_of(st.sampled_from([0.0, 0.2, 0.5, 1.0, math.nan]), st.floats(0, 1)),
        st.sampled_from([0.0, 0.0, 1 / 3, 0.5, 1.0, math.nan]),
    ),
    max_size=40,
)


def arrays(cells: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    both = np.array(cells, dtype=np.float64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


@property_test(100)
@given(CELLS)
def test_reliability_is_the_means_of_each_bin(cells: list[tuple[float, float]]) -> None:
    p, h = arrays(cells)
    found = reliability(p, h)
    known = [(a, b) for a, b in cells if not math.isnan(a) and not math.isnan(b)]
    inside: dict[int, list[tuple[float, float]]] = {}
    for a, b in known:
        inside.setdefault(min(int(a * BINS), BINS - 1), []).append((a, b))
    assert found.cells == len(known) == sum(found.n)
    assert found.n == tuple(len(inside[at]) for at in sorted(inside))
    error = 0.0
    for number, at in enumerate(sorted(inside)):
        mean_p, mean_h = (float(np.mean([pair[i] for pair in inside[at]])) for i in (0, 1))
        assert (found.p[number], found.h[number]) == pytest.approx((mean_p, mean_h), abs=1e-12)
        assert found.low[number] <= mean_p + 1e-9 and mean_p <= found.high[number] + 1e-9
        error += len(inside[at]) / len(known) * abs(mean_p - mean_h)
    assert found.error == (pytest.approx(error, abs=1e-12) if known else None)


def test_reliability_is_that_of_scikit_learn_for_zeros_and_ones() -> None:
    draw = np.random.default_rng(1)
    p = draw.random(500)
    h = (draw.random(500) < p).astype(float)
    found = reliability(p, h)
    share, mean = calibration_curve(h, p, n_bins=BINS)
    assert found.h == pytest.approx(share.tolist()) and found.p == pytest.approx(mean.tolist())


@property_test(100)
@given(CELLS)
def test_risk_is_the_mean_loss_of_what_is_as_sure_or_surer(
    cells: list[tuple[float, float]],
) -> None:
    sure, loss = arrays(cells)
    found = risk_coverage(sure, loss)
    known = [(a, b) for a, b in cells if not math.isnan(a) and not math.isnan(b)]
    assert found.records == len(known)
    levels = sorted({a for a, _ in known}, reverse=True)
    assert found.confidence == tuple(levels)
    for level, coverage, risk in zip(levels, found.coverage, found.risk, strict=True):
        kept = [b for a, b in known if a >= level]
        assert coverage == len(kept) / len(known)
        assert risk == pytest.approx(np.mean(kept), abs=1e-12)
    best = sorted(b for _, b in known)
    for at, (coverage, risk) in enumerate(found.ideal, start=1):
        assert coverage == at / len(best)
        assert risk == pytest.approx(np.mean(best[:at]), abs=1e-12)
    half = [risk for c, risk in zip(found.coverage, found.risk, strict=True) if c >= 0.5]
    assert found.at(0.5) == (half[0] if half else None)


def test_confidence_and_loss_of_sets() -> None:
    p = np.array([[0.9, 0.2], [0.4, np.nan], [0.6, 0.6]])
    chosen = np.array([[True, False], [False, False], [True, True]])
    gold = np.array([[1.0, 1.0], [0.0, 0.0], [np.nan, 1.0]])
    rows = np.array([True, True, True])
    assert confidence(p, chosen, single=False) == pytest.approx([0.85, np.nan, 0.6], nan_ok=True)
    assert confidence(p, chosen, single=True) == pytest.approx([0.9, np.nan, 0.6], nan_ok=True)
    assert set_loss(chosen, gold, rows, single=False).tolist() == [0.5, 0.0, 0.0]
    assert set_loss(chosen, gold, rows, single=True).tolist() == [1.0, 0.0, 0.0]
    nothing = np.full_like(gold, np.nan)
    assert np.isnan(set_loss(chosen, nothing, rows, single=False)).all()
    left_out = set_loss(chosen, gold, np.array([True, False, True]), single=False)
    assert np.isnan(left_out).tolist() == [False, True, False]


@property_test(100)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.sampled_from([0.0, 0.5, 1.0, math.nan]), st.floats(0, 1)),
            st.sampled_from([0.0, 1.0, math.nan]),
        ),
        max_size=40,
    )
)
def test_precision_and_recall_at_every_score(cells: list[tuple[float, float]]) -> None:
    p, gold = arrays(cells)
    found = precision_recall("joy", p, gold, p >= 0.5)
    known = ~(np.isnan(p) | np.isnan(gold))
    p, gold = p[known], gold[known]
    if not (0 < gold.sum() < len(gold)):
        assert found is None
        return
    assert found is not None
    assert (found.records, found.positives) == (len(gold), gold.sum())
    assert found.threshold == tuple(sorted(set(p.tolist()), reverse=True))
    before, area = 0.0, 0.0
    for threshold, precision, recall in zip(
        found.threshold, found.precision, found.recall, strict=True
    ):
        given_it = p >= threshold
        assert precision == precision_score(gold, given_it)
        assert recall == recall_score(gold, given_it)
        area, before = area + precision * (recall - before), recall
    assert found.ap == pytest.approx(area) == average_precision_score(gold, p)
    at = p >= 0.5
    assert found.at == (gold[at].mean() if at.any() else None, recall_score(gold, at))


@property_test(100)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.sampled_from([0.0, 0.5, 1.0, math.nan]), st.floats(0, 1)),
            st.sampled_from([0.0, 1.0, math.nan]),
            st.booleans(),
        ),
        max_size=40,
    )
)
def test_misses_and_false_alarms_at_every_score(cells: list[tuple[float, float, bool]]) -> None:
    p, gold, own = (np.array([cell[at] for cell in cells], dtype=float) for at in range(3))
    found = error_tradeoff("joy", p, gold, {"own": own > 0})
    known = ~(np.isnan(p) | np.isnan(gold))
    p, gold, own = p[known], gold[known], own[known] > 0
    if not 0 < gold.sum() < len(gold):
        assert found is None
        return
    assert found is not None
    assert (found.records, found.positives) == (len(gold), gold.sum())
    assert found.threshold == tuple(sorted(set(p.tolist()), reverse=True))
    points = list(zip(found.false_positive_rate, found.miss_rate, strict=True))
    for threshold, flagged, ends in zip(found.threshold, found.flagged, points, strict=True):
        given_it = p >= threshold
        assert flagged == given_it.mean()
        wanted = given_it[gold == 0].mean(), (~given_it)[gold == 1].mean()
        assert ends == pytest.approx(wanted, abs=1e-12)
    assert found.at["own"] == (own[gold == 0].mean(), (~own)[gold == 1].mean())
    false_positives, misses, _ = det_curve(gold, p)  # leaves out corners of the curve
    for peer in zip(false_positives.tolist(), misses.tolist(), strict=True):
        assert min(math.dist(peer, one) for one in [*points, (0, 1)]) == pytest.approx(0, abs=1e-9)


def test_long_curves_are_thinned_evenly_with_both_ends() -> None:
    draw = np.random.default_rng(0)
    p, gold = draw.random(1000), (draw.random(1000) < 0.3).astype(float)
    whole = np.sort(p)[::-1]
    found = precision_recall("joy", p, gold, p >= 0.5)
    assert found is not None and len(found.threshold) == MAX_POINTS
    assert (found.threshold[0], found.threshold[-1]) == (whole[0], whole[-1])
    assert set(found.threshold) <= set(whole.tolist())
    risk = risk_coverage(p, gold)
    assert len(risk.coverage) == len(risk.ideal) == MAX_POINTS
    assert risk.coverage[-1] == risk.ideal[-1][0] == 1
    assert risk.risk[-1] == pytest.approx(gold.mean()) == risk.full
    steps = np.diff(risk.coverage)
    assert steps.max() < 2.1 / MAX_POINTS
