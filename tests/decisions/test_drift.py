"""Drift: the numbers against scipy, silence without drift, warnings with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2_contingency, ks_2samp, kstwobign, ttest_ind

from labelmass.decisions.drift import POINTS, Reference, measure_drift
from labelmass.errors import FitError

LABELS = ("joy", "fear")
CUTS = (0.6, None)


def batch(n: int, seed: int, shift: float = 0.0) -> Any:
    return np.random.default_rng(seed).beta(2 + shift, 3, (n, 2))


def test_numbers_are_those_of_scipy() -> None:
    first, second = batch(POINTS, 0), batch(300, 1, 0.5)
    mass = np.random.default_rng(2).random(POINTS), np.random.default_rng(3).random(300) ** 2
    reference = Reference.of(LABELS, first, CUTS, {"off_format": mass[0]})
    found = measure_drift(reference, LABELS, second, CUTS, masses={"off_format": mass[1]})
    joy, fear = found.labels
    theirs = ks_2samp(first[:, 0], second[:, 0])
    assert joy.distance == pytest.approx(theirs.statistic)
    sized = np.sqrt(POINTS * 300 / (POINTS + 300))
    assert joy.distance_p == pytest.approx(kstwobign.sf(theirs.statistic * sized))
    counts = [[(b[:, 0] >= 0.6).sum(), (b[:, 0] < 0.6).sum()] for b in (first, second)]
    assert joy.rate_p == pytest.approx(chi2_contingency(counts, correction=False).pvalue)
    assert (joy.rate_then, joy.rate) == tuple((b[:, 0] >= 0.6).mean() for b in (first, second))
    assert (fear.rate_then, fear.rate, fear.rate_p) == (0, 0, 1)
    welch = ttest_ind(*mass, equal_var=False).pvalue
    assert np.log(found.masses["off_format"][2]) == pytest.approx(np.log(welch), rel=0.1)


def test_the_stability_index_by_hand() -> None:
    first = np.repeat(np.arange(10) / 10, 20)
    second = np.repeat(np.arange(10) / 10, [40, *[20] * 8, 0])
    reference = Reference.of(("x",), first[:, None], (None,))
    (found,) = measure_drift(reference, ("x",), second[:, None], (None,)).labels
    a, b = (np.array([*([20] * 10)]) + 0.5) / 205, (np.array([40, *[20] * 8, 0]) + 0.5) / 205
    assert found.stability == pytest.approx(((b - a) * np.log(b / a)).sum())


def test_a_summary_is_nearly_the_scores() -> None:
    first, second = batch(5000, 0), batch(2000, 1, 0.3)
    reference = Reference.of(LABELS, first, CUTS)
    assert all(len(one) == POINTS for one in reference.scores.values())
    found = measure_drift(reference, LABELS, second, CUTS)
    for at, one in enumerate(found.labels):
        exact = ks_2samp(first[:, at], second[:, at]).statistic
        assert one.distance == pytest.approx(exact, abs=0.5 / POINTS + 1e-9)
    again = Reference.from_dict(reference.to_dict())
    assert measure_drift(again, LABELS, second, CUTS) == found


def test_no_drift_no_warning() -> None:
    """Of 200 batches from the same scores, small ones too, hardly any is warned about."""
    mass = np.random.default_rng(0).random(1000)
    reference = Reference.of(LABELS, batch(1000, 0), CUTS, {"off_format": mass}, 0.0)
    warned = 0
    for seed in range(200):
        n = 30 if seed % 2 else 500
        mass = np.random.default_rng(seed + 1).random(n)
        warned += bool(
            measure_drift(
                reference, LABELS, batch(n, seed + 1), CUTS, masses={"off_format": mass}
            ).warnings
        )
    assert warned <= 3


def test_drift_is_said_with_numbers() -> None:
    reference = Reference.of(LABELS, batch(1000, 0), CUTS, {"off_format": np.full(1000, 0.1)})
    second = batch(800, 1)
    second[:, 0] = np.sqrt(second[:, 0])
    found = measure_drift(
        reference, LABELS, second, CUTS, masses={"off_format": np.full(800, 0.3)},
        fitted={"tokenizer": "a", "dtype": "bf16"}, signature={"tokenizer": "b", "dtype": "bf16"},
    )  # fmt: skip
    joy = found.labels[0]
    signature, rate, scores, stability, mass = found.warnings
    assert signature.startswith("tokenizer is 'b', was 'a'")
    assert rate.startswith(f"joy: given to {joy.rate:.1%} of records, was {joy.rate_then:.1%}")
    assert f"Kolmogorov-Smirnov distance {joy.distance:.2f}" in scores
    assert f"population stability index {joy.stability:.2f}" in stability
    assert mass.startswith("off-format mass 0.300 on average, was 0.100")


def test_what_cannot_be_compared_is_named() -> None:
    reference = Reference.of(LABELS, batch(50, 0), CUTS)
    with pytest.raises(FitError, match="for the labels joy, fear, not fear"):
        measure_drift(reference, ("fear",), batch(50, 1)[:, 1:], (None,))
    with pytest.raises(FitError, match="label 'joy' has no score"):
        measure_drift(reference, LABELS, np.full((5, 2), np.nan), CUTS)
