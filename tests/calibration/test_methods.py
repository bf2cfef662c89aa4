"""Each calibrator against another implementation, or against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression, isotonic_regression
from sklearn.linear_model import LogisticRegression

from helpers.property_tests import property_test
from labelmass.calibration.registry import CALIBRATORS

Floats = NDArray[np.float64]


def cells(n: int, seed: int, *, soft: bool = False, ties: bool = False) -> tuple[Floats, Floats]:
    draw = np.random.default_rng(seed)
    p = draw.beta(0.6, 1.2, n).clip(1e-5, 1 - 1e-5)
    p = np.round(p, 1).clip(0.05, 0.95) if ties else p
    chance = expit(0.7 * logit(p) - 0.5)
    target = draw.binomial(5, chance) / 5 if soft else (draw.random(n) < chance).astype(float)
    return p, target


def loss(q: Floats, target: Floats) -> float:
    return float(-(target * np.log(q) + (1 - target) * np.log1p(-q)).sum())


def test_platt_is_logistic_regression_on_the_log_odds() -> None:
    p, target = cells(400, 0)
    mine = CALIBRATORS["platt"].fit(p, target, np.ones(400))
    theirs = LogisticRegression(C=np.inf, tol=1e-10).fit(logit(p)[:, None], target)
    assert mine["slope"] == pytest.approx(theirs.coef_[0, 0], abs=1e-5)
    assert mine["intercept"] == pytest.approx(theirs.intercept_[0], abs=1e-5)


def test_temperature_against_a_grid() -> None:
    p, target = cells(400, 1, soft=True)
    slope = CALIBRATORS["temperature"].fit(p, target, np.ones(400))["slope"]
    grid = np.arange(0, 4, 1e-3)
    losses = [loss(expit(a * logit(p)), target) for a in grid]
    assert slope == pytest.approx(grid[np.argmin(losses)], abs=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_beta_against_a_bounded_optimiser(seed: int) -> None:
    """Seeds 2 and 3 have scores for which the free minimum has a slope below 0."""
    p, target = cells(300, seed, soft=True)
    if seed > 1:
        target = expit(logit(p) - 0.8 * logit(p) ** 2 / (1 + np.abs(logit(p)))).round(1)
        p, target = (p, target) if seed == 2 else (1 - p, 1 - target)

    def curve(theta: Floats) -> Floats:
        a, b, c = theta
        return expit(a * np.log(p) - b * np.log1p(-p) + c)

    theirs = minimize(
        lambda theta: loss(curve(theta).clip(1e-12, 1 - 1e-12), target),
        [1.0, 1.0, 0.0],
        bounds=[(0, None), (0, None), (None, None)],
        options={"ftol": 1e-14, "gtol": 1e-9},
    )
    mine = CALIBRATORS["beta"].fit(p, target, np.ones(300))
    theta = np.array([mine["a"], mine["b"], mine["intercept"]])
    assert theta == pytest.approx(theirs.x, abs=2e-3)
    assert loss(curve(theta), target) <= theirs.fun + 1e-6
    assert (theta[:2].min() == 0) == (seed > 1)
    assert CALIBRATORS["beta"].apply(mine, p) == pytest.approx(curve(theta))


@pytest.mark.parametrize("ties", [False, True])
def test_isotonic_is_that_of_scikit_learn(ties: bool) -> None:
    p, target = cells(200, 3, soft=True, ties=ties)
    weight = np.random.default_rng(0).random(200) + 0.1
    theirs = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(p, target, weight)
    mine = CALIBRATORS["isotonic"].fit(p, target, weight)
    grid = np.linspace(0, 1, 501)
    assert CALIBRATORS["isotonic"].apply(mine, grid) == pytest.approx(theirs.predict(grid))


@property_test(60)
@given(st.integers(0, 10**9), st.integers(1, 25), st.booleans())
def test_venn_abers_by_its_definition(seed: int, n: int, ties: bool) -> None:
    """The new score joins the cells, once as a negative and once as a positive."""
    p, target = cells(n, seed, soft=seed % 2 == 0, ties=ties)
    weight = np.random.default_rng(seed).integers(1, 4, n).astype(float)
    method = CALIBRATORS["venn-abers"]
    fitted = method.fit(p, target, weight)
    for score in [0.0, 1.0, 0.33, *p[:5]]:
        both: list[float] = []
        for new in (0.0, 1.0):
            x, y, w = (np.append(a, b) for a, b in ((p, score), (target, new), (weight, 1.0)))
            order, at = np.unique(x, return_inverse=True)
            total = np.bincount(at, w)
            mean = isotonic_regression(np.bincount(at, w * y) / total, sample_weight=total)
            both.append(mean[np.searchsorted(order, score)])
        p0, p1 = both
        assert method.apply(fitted, np.array([score]))[0] == pytest.approx(p1 / (1 - p0 + p1))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("ties", [False, True])
def test_venn_abers_is_that_of_mapie(ties: bool) -> None:
    """But for scores above all that were seen, where MAPIE 1.6.0 loses the positive among ties."""
    from mapie import _venn_abers as library

    p, target = cells(300, 5, ties=ties)
    grid = np.append(np.linspace(0, p.max(), 101), p)
    p0, p1, scores = library.calc_p0p1(np.stack([1 - p, p], axis=1), target)
    theirs, _ = library.calc_probs(p0, p1, scores, np.stack([1 - grid, grid], axis=1))
    method = CALIBRATORS["venn-abers"]
    mine = method.apply(method.fit(p, target, np.ones(300)), grid)
    assert mine == pytest.approx(theirs[:, 1], abs=1e-9)


@pytest.mark.parametrize("name", CALIBRATORS)
@pytest.mark.parametrize(
    "case", ["noise", "upside down", "separable", "all", "none", "one", "ends"]
)
def test_no_curve_falls_and_none_leaves_the_unit_interval(name: str, case: str) -> None:
    p, target = cells(1 if case == "one" else 60, 7)
    target = {
        "upside down": (p < 0.3).astype(float),
        "separable": (p > 0.3).astype(float),
        "all": np.ones_like(p),
        "none": np.zeros_like(p),
    }.get(case, target)
    if case == "ends":
        p = np.round(p)
    method = CALIBRATORS[name]
    grid = np.concatenate([[0, 1e-9], np.linspace(0, 1, 999), [1 - 1e-9, 1]])
    grid.sort()
    curve = method.apply(method.fit(p, target, np.ones(len(p))), grid)
    assert (np.diff(curve) >= -1e-12).all()
    assert ((curve >= 0) & (curve <= 1)).all()
    assert np.isnan(method.apply(method.fit(p, target, np.ones(len(p))), np.array([np.nan])))


@pytest.mark.parametrize("name", [n for n in CALIBRATORS if n not in ("identity", "venn-abers")])
def test_a_share_counts_as_that_many_annotators(name: str) -> None:
    p, share = cells(80, 11, soft=True)
    method = CALIBRATORS[name]
    votes = np.concatenate([np.arange(5) < round(5 * h) for h in share]).astype(float)
    soft = method.fit(p, share, np.full(80, 5.0))
    hard = method.fit(np.repeat(p, 5), votes, np.ones(400))
    grid = np.linspace(0, 1, 101)
    assert method.apply(soft, grid) == pytest.approx(method.apply(hard, grid), abs=1e-7)


def test_a_venn_abers_share_counts_as_that_many_annotators() -> None:
    """There a new score weighs one record, so the weights are kept, not multiplied."""
    p, share = cells(80, 11, soft=True)
    method = CALIBRATORS["venn-abers"]
    votes = np.concatenate([np.arange(5) < round(5 * h) for h in share]).astype(float)
    soft = method.fit(p, share, np.ones(80))
    hard = method.fit(np.repeat(p, 5), votes, np.full(400, 0.2))
    grid = np.linspace(0, 1, 101)
    assert method.apply(soft, grid) == pytest.approx(method.apply(hard, grid))
