"""Bands for review against every band there is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.property_tests import property_test
from labelmass.decisions.review_bands import CUTS, band, bands, review_load
from labelmass.errors import FitError


def outcome(p: Any, h: Any, low: float, high: float) -> tuple[float, float]:
    """Cells reviewed, errors left."""
    return float(((p >= low) & (p < high)).sum()), float(
        h[p < low].sum() + (1 - h)[p >= high].sum()
    )


@property_test(80)
@given(st.integers(0, 10**9), st.integers(1, 10), st.floats(0, 1), st.booleans())
def test_no_band_is_better(seed: int, n: int, limit: float, by_risk: bool) -> None:
    draw = np.random.default_rng(seed)
    p, h = draw.random(n).round(1), draw.integers(0, 3, n) / 2
    found = band("x", p, h, **{"risk" if by_risk else "budget": limit})
    ends = [*p, np.inf]
    every = [outcome(p, h, low, high) for low in ends for high in ends if low <= high]
    low, high = (np.inf if end is None else end for end in (found.low, found.high))
    reviewed, errors = outcome(p, h, low, high)
    assert (reviewed / n, errors) == pytest.approx((found.reviewed, found.errors))
    if by_risk:
        assert errors <= limit * (n - reviewed) + 1e-6
        assert reviewed == min(r for r, e in every if e <= limit * (n - r) + 1e-9)
    else:
        assert reviewed <= limit * n + 1e-6
        assert errors == pytest.approx(min(e for r, e in every if r <= limit * n + 1e-9))


@property_test(80)
@given(st.integers(0, 10**9), st.integers(1, 10), st.floats(0, 1), st.booleans())
def test_below_a_fixed_threshold_no_band_is_better(
    seed: int, n: int, limit: float, by_risk: bool
) -> None:
    draw = np.random.default_rng(seed)
    p, h = draw.random(n).round(1), draw.integers(0, 3, n) / 2
    top = float(draw.choice([0.0, 0.25, 0.5, 0.75, 1.5, np.inf]))
    every = [outcome(p, h, low, top) for low in [*p[p < top], top]]
    asked = {"risk" if by_risk else "budget": limit}
    if not (fine := [(r, e) for r, e in every if _fits(r, e, n, limit, by_risk)]):
        with pytest.raises(FitError, match="too much of what is given at once is wrong"):
            band("x", p, h, top=top, **asked)
        return
    found = band("x", p, h, top=top, **asked)
    assert found.high == (None if top == np.inf else top)
    low = np.inf if found.low is None else found.low
    reviewed, errors = outcome(p, h, low, top)
    assert (reviewed / n, errors) == pytest.approx((found.reviewed, found.errors))
    best = min((r, e) if by_risk else (e, r) for r, e in fine)
    assert ((reviewed, errors) if by_risk else (errors, reviewed)) == pytest.approx(best)


def _fits(reviewed: float, errors: float, n: int, limit: float, by_risk: bool) -> bool:
    if by_risk:
        return errors <= limit * (n - reviewed) + 1e-9
    return reviewed <= limit * n + 1e-9


def test_a_band_by_hand() -> None:
    p = np.array([0.9, 0.8, 0.5, 0.4, 0.2, 0.1, np.nan])
    h = np.array([1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0])
    found = band("x", p, h, risk=0.0)
    assert (found.low, found.high, found.reviewed, found.risk) == (0.4, 0.8, 2 / 6, 0.0)
    assert band("x", p, h, budget=1 / 6).errors == 1
    nothing = band("x", p, np.zeros(7), budget=0.0)
    assert (nothing.low, nothing.high, nothing.errors) == (None, None, 0)


def test_a_budget_of_records_is_kept_over_labels_and_used() -> None:
    draw = np.random.default_rng(0)
    p = draw.random((2000, 4))
    h = (draw.random((2000, 4)) < p) * 1.0
    found = bands("abcd", p, h, budget=0.3)
    load = review_load(p, found)
    assert 0.25 < load <= 0.3
    assert len({round(b.reviewed, 1) for b in found}) == 1 and len(np.unique(p)) > CUTS
    hand = [
        [(b.low or 2) <= x < (b.high or 2) for b, x in zip(found, row, strict=True)] for row in p
    ]
    assert load == pytest.approx(np.mean([any(row) for row in hand]))
    for one in bands("abcd", p, h, risk=0.1):
        assert one.risk is not None and one.risk <= 0.1 and 0 < one.reviewed < 1


@pytest.mark.parametrize("limit", [{}, {"budget": 0.1, "risk": 0.1}, {"risk": 1.2}])
def test_one_size_is_asked_for(limit: dict[str, float]) -> None:
    with pytest.raises(FitError, match="for a budget or for a risk"):
        band("x", np.ones(3), np.ones(3), **limit)
