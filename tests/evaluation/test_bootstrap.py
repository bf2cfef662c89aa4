"""Draws by matrix product against drawing by hand; coverage and p where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, kstest, permutation_test

from evaluation.naive_metrics import auc, average_precision, full, only, pooled, two_class
from evaluation.random_samples import changed, lists, random_sample, sample_of
from helpers.property_tests import property_test
from labelmass.evaluation import METRICS, Sample
from labelmass.evaluation.bootstrap import Bootstrap, interval
from labelmass.evaluation.statistic import item_mean

# What is made once, on the whole sample: bins by count, and the columns that have both classes.
FIXED = {"ace", "ace-pooled", "auc-micro-two-class", "ap-micro-two-class"}


def drawn_by_hand(sample: Sample, times: np.ndarray) -> Sample:
    """The sample in which each item stands as often as it was drawn."""
    rows = np.repeat(np.arange(len(times)), times.astype(int))
    names = ("p", "shares", "gold", "chosen", "rows")
    return sample_of(**{name: getattr(sample, name)[rows] for name in names})


@property_test(40)
@given(st.integers(0, 10**9))
def test_every_metric_of_every_draw_is_the_metric_of_the_drawn_items(seed: int) -> None:
    sample = random_sample(seed)
    bootstrap = Bootstrap.of(len(sample.p), None, draws=6, seed=seed)
    statistics = {name: METRICS[name].measure(sample) for name in METRICS}
    drawn = bootstrap.resample(statistics)
    (weights,) = bootstrap.weights()
    assert (weights.sum(axis=1) == len(sample.p)).all()
    for at, times in enumerate(weights):
        again = drawn_by_hand(sample, times)
        for name in METRICS.keys() - FIXED:
            expected = METRICS[name].measure(again).value
            assert drawn[name][at] == pytest.approx(expected, abs=1e-9, nan_ok=True), name


@property_test(25)
@given(st.integers(0, 10**9))
def test_bins_and_columns_of_the_whole_sample_are_kept(seed: int) -> None:
    sample = random_sample(seed, failed=0)
    P, H, Y, _ = lists(sample)
    bootstrap = Bootstrap.of(len(P), None, draws=4, seed=seed)
    drawn = bootstrap.resample({name: METRICS[name].measure(sample) for name in FIXED})
    (weights,) = bootstrap.weights()
    labels = two_class(Y)
    cells = [(i, p, h) for i, row in enumerate(H) for p, h in zip(P[i], row, strict=True)]
    cells = [cell for cell in cells if cell[2] is not None]
    bins = full([p for _, p, _ in cells])
    for at, times in enumerate(weights.astype(int)):
        rows = [i for i, count in enumerate(times) for _ in range(count)]
        pairs = pooled(only([P[i] for i in rows], labels), only([Y[i] for i in rows], labels))
        for name, ranked in (
            ("auc-micro-two-class", auc),
            ("ap-micro-two-class", average_precision),
        ):
            expected = ranked(pairs) if pairs else None
            expected = np.nan if expected is None else expected
            assert drawn[name][at] == pytest.approx(expected, nan_ok=True)
        gaps: dict[int, float] = {}
        for (i, p, h), one in zip(cells, bins, strict=True):
            gaps[one] = gaps.get(one, 0.0) + times[i] * (p - h)
        count = sum(times[i] for i, *_ in cells)
        expected = sum(map(abs, gaps.values())) / count if count else np.nan
        assert drawn["ace-pooled"][at] == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_groups_are_drawn_together_and_draws_are_seeded() -> None:
    groups = ["b", "a", "b", "c", "a", "b"]
    bootstrap = Bootstrap.of(6, groups, draws=300, seed=4)
    (weights,) = bootstrap.weights()
    assert (weights[:, 0] == weights[:, 2]).all() and (weights[:, 0] == weights[:, 5]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()
    assert weights[:, 3].std() > 0
    (again,) = Bootstrap.of(6, groups, draws=300, seed=4).weights()
    (other,) = Bootstrap.of(6, groups, draws=300, seed=5).weights()
    assert (weights == again).all() and (weights != other).any()


def test_draws_come_in_blocks_for_many_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labelmass.evaluation.bootstrap._CELLS", 1000)
    sample = random_sample(8)
    bootstrap = Bootstrap.of(300, None, draws=10)
    assert [len(block) for block in bootstrap.weights()] == [3, 3, 3, 1]
    small = Bootstrap.of(len(sample.p), None, draws=700)
    drawn = small.resample({name: METRICS[name].measure(sample) for name in ("l1", "auc")})
    assert len(drawn["l1"]) == 700 and len(drawn["auc"]) == 500


def simulated(draw: np.random.Generator, n: int) -> Sample:
    """Four annotators of skewed truth, and a method that hears some of it."""
    truth = draw.beta(0.5, 2, size=(n, 3))
    shares = draw.binomial(4, truth) / 4
    p = np.clip(truth * 0.7 + 0.1 + draw.normal(0, 0.05, truth.shape), 0, 1)
    return sample_of(p, shares, (shares >= 0.5) * 1.0, p >= 0.5, np.ones(n, dtype=bool))


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    """200 data sets, 95 % intervals: hits within what a binomial of .95 gives in 999 of 1000."""
    draw = np.random.default_rng(0)
    names = ("nll", "l1", "soft-f1", "example-f1", "micro-f1", "auc")
    whole = simulated(draw, 100_000)
    truth = {name: METRICS[name].measure(whole).value for name in names}
    hits = dict.fromkeys(names, 0)
    for seed in range(200):
        sample = simulated(draw, 200)
        statistics = {name: METRICS[name].measure(sample) for name in names}
        for name, drawn in Bootstrap.of(200, None, 300, seed).resample(statistics).items():
            low, high = interval(drawn)
            hits[name] += low <= truth[name] <= high
    # Percentile intervals of 200 items are a little narrow: held to .935, not to .95.
    least, most = binom.ppf(0.0005, 200, 0.935), binom.ppf(0.9995, 200, 0.95)
    for name, count in hits.items():
        assert least <= count <= most, (name, count)


def test_calibration_errors_need_reflected_intervals() -> None:
    """Noise adds to the error in a sample, and once more in a draw: percentiles lie too high."""
    draw = np.random.default_rng(3)
    names = ("ece", "ace", "ece-pooled", "brier-reliability")
    whole = simulated(draw, 100_000)
    truth = {name: METRICS[name].measure(whole).value for name in names}
    hits = {name: [0, 0] for name in names}
    for seed in range(150):
        sample = simulated(draw, 200)
        statistics = {name: METRICS[name].measure(sample) for name in names}
        for name, drawn in Bootstrap.of(200, None, 300, seed).resample(statistics).items():
            assert statistics[name].upward_biased
            for at, about in enumerate((None, statistics[name].value)):
                low, high = interval(drawn, about)
                hits[name][at] += low <= truth[name] <= high
    for name, (plain, reflected) in hits.items():
        assert reflected >= binom.ppf(0.0005, 150, 0.82) and reflected > plain, name
    assert hits["ece"][0] < 60
    upward_biased = {name for name in METRICS if METRICS[name].measure(sample).upward_biased}
    assert upward_biased == {*names, "ace-pooled"}


def test_items_that_hang_together_need_groups() -> None:
    """Groups of five alike: drawn one by one, the interval misses the truth far too often."""
    draw = np.random.default_rng(1)
    groups = [str(i // 5) for i in range(200)]
    hits = {"alone": 0, "grouped": 0}
    for seed in range(200):
        values = np.repeat(draw.normal(size=40), 5)
        statistic = item_mean(values, np.ones((200, 1), dtype=bool))
        for name, given_groups in (("alone", None), ("grouped", groups)):
            drawn = Bootstrap.of(200, given_groups, 300, seed).resample({0: statistic})[0]
            low, high = interval(drawn)
            hits[name] += low <= 0 <= high
    assert hits["grouped"] >= binom.ppf(0.0005, 200, 0.93)
    assert hits["alone"] < 150


@property_test(10)
@given(st.integers(0, 10**9))
def test_sign_flips_are_those_of_scipy(seed: int) -> None:
    """All 1024 flips of ten items, by scipy, against 20000 drawn ones."""
    values = np.random.default_rng(seed).normal(0.3, 1, size=(10, 1))

    def total(x: np.ndarray, axis: int) -> np.ndarray:
        return np.sum(x, axis=axis)

    exact = permutation_test((values[:, 0],), total, permutation_type="samples", vectorized=True)
    (ours,) = Bootstrap.of(10, None, 20_000, seed).sign_flip(values)
    assert ours == pytest.approx(exact.pvalue, abs=5 * np.sqrt(0.25 / 20_000))


def test_p_is_uniform_where_there_is_no_difference() -> None:
    draw = np.random.default_rng(2)
    p = Bootstrap.of(60, None, 999).sign_flip(draw.standard_t(3, size=(60, 800)))
    assert kstest(p, "uniform").pvalue > 0.001
    grouped = Bootstrap.of(60, [str(i // 6) for i in range(60)], 999)
    alike = np.repeat(draw.normal(size=(10, 800)), 6, axis=0)
    assert np.mean(grouped.sign_flip(alike) < 0.05) == pytest.approx(0.05, abs=0.03)
    assert np.mean(Bootstrap.of(60, None, 999).sign_flip(alike) < 0.05) > 0.3


def test_p_of_no_and_of_a_great_difference() -> None:
    values = np.column_stack([np.zeros(40), np.full(40, 0.2), np.r_[np.nan, np.zeros(39)]])
    none, great, unknown = Bootstrap.of(40, None, 999).sign_flip(values)
    assert none == unknown == 1 and great == 1 / 1000


def test_an_interval_is_of_the_draws_in_which_the_metric_is_defined() -> None:
    values = np.r_[np.arange(1001.0), np.nan]
    assert interval(values) == pytest.approx((25, 975))
    assert interval(values, 600.0) == pytest.approx((225, 1175))
    assert interval(np.full(3, np.nan)) is None and interval(np.zeros(0)) is None


def test_a_label_that_has_one_class_in_a_draw_is_left_out_of_it() -> None:
    gold = np.array([[1, 1], [0, 0], [0, 1], [0, 0.0]])
    sample = sample_of(gold * 0.5 + 0.1, gold, gold, gold > 0, np.ones(4, dtype=bool))
    statistic = METRICS["auc"].measure(sample)
    without = np.array([[0, 1, 1, 2.0], [0, 2, 0, 2]])
    assert statistic.resample(without)[0] == 1
    assert np.isnan(statistic.resample(without)[1])
    assert np.isnan(METRICS["auc"].measure(changed(sample, gold=np.zeros((4, 2)))).value)
