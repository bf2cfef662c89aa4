"""Every metric against loops in plain Python, scikit-learn, and identities of the literature."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as peer

from evaluation.naive_metrics import slow
from evaluation.random_samples import changed, lists, random_sample, sample_of
from helpers.property_tests import property_test
from labelmass._math import EPS
from labelmass.errors import LabelMassError
from labelmass.evaluation import METRICS, Sample
from labelmass.evaluation.metrics import find_metrics

SEEDS = st.integers(0, 10**9)


def value(name: str, sample: Sample) -> float:
    return METRICS[name].measure(sample).value


def all_values(sample: Sample) -> dict[str, float]:
    return {name: value(name, sample) for name in METRICS}


@property_test(150)
@given(SEEDS)
def test_every_metric_is_what_loops_say(seed: int) -> None:
    sample = random_sample(seed)
    for name in METRICS:
        expected = slow(name, *lists(sample)) if sample.rows.any() else None
        found = value(name, sample)
        if expected is None:
            assert math.isnan(found), name
        else:
            assert found == pytest.approx(expected, rel=1e-9, abs=1e-9), name


@property_test(60)
@given(SEEDS)
def test_what_is_tested_item_by_item_is_a_mean_of_items(seed: int) -> None:
    sample = random_sample(seed)
    for name, metric in METRICS.items():
        found = metric.measure(sample)
        if found.items is not None and found.counted:
            counted = ~np.isnan(found.items)
            assert counted.sum() == found.counted
            assert found.items[counted].mean() == pytest.approx(found.value), name


@property_test(60)
@given(SEEDS)
def test_what_stands_in_an_unknown_cell_or_a_failed_row_never_matters(seed: int) -> None:
    sample = random_sample(seed)
    draw = np.random.default_rng(seed)
    noise = draw.random(sample.p.shape)
    for requires, target in (("shares", sample.shares), ("gold", sample.gold)):
        free = np.isnan(target) | ~sample.rows[:, None]
        other = changed(
            sample,
            p=np.where(free, noise, sample.p),
            chosen=np.where(free, noise > 0.5, sample.chosen),
        )
        for name, metric in METRICS.items():
            if metric.requires == requires:
                assert value(name, other) == pytest.approx(value(name, sample), nan_ok=True), name


@property_test(60)
@given(SEEDS)
def test_rows_and_columns_of_unknown_cells_are_as_if_deleted(seed: int) -> None:
    sample = random_sample(seed, failed=0)
    draw = np.random.default_rng(seed)
    n, k = sample.p.shape
    row, column = int(draw.integers(n + 1)), int(draw.integers(k + 1))

    def grown(values: np.ndarray, fill: float) -> np.ndarray:
        return np.insert(np.insert(values, row, fill, axis=0), column, fill, axis=1)

    wider = sample_of(
        grown(sample.p, 0.7),
        grown(sample.shares, np.nan),
        grown(sample.gold, np.nan),
        grown(sample.chosen, True),
        np.insert(sample.rows, row, True),
    )
    assert all_values(wider) == pytest.approx(all_values(sample), nan_ok=True)


@property_test(40)
@given(SEEDS)
def test_the_order_of_items_and_of_labels_does_not_matter(seed: int) -> None:
    sample = random_sample(seed)
    draw = np.random.default_rng(seed)
    rows, columns = (draw.permutation(size) for size in sample.p.shape)
    shuffled = sample_of(
        *(one[rows][:, columns] for one in (sample.p, sample.shares, sample.gold, sample.chosen)),
        sample.rows[rows],
    )
    assert all_values(shuffled) == pytest.approx(all_values(sample), nan_ok=True)
    for metric in METRICS.values():
        ours, theirs = metric.measure(sample).by_label, metric.measure(shuffled).by_label
        if ours is not None:
            assert theirs == pytest.approx(ours[columns], nan_ok=True)


def complete(seed: int, n: int = 60, k: int = 4) -> Sample:
    """Nothing unknown, every column with both classes, some empty sets."""
    draw = np.random.default_rng(seed)
    p = np.round(draw.random((n, k)), 2)
    gold = (draw.random((n, k)) < 0.3).astype(np.float64)
    gold[0], gold[1] = 0, 1
    shares = np.round(draw.random((n, k)) * 4) / 4
    return sample_of(p, shares, gold, p >= 0.6, np.ones(n, dtype=bool))


@pytest.mark.parametrize("seed", range(5))
def test_scikit_learn_says_the_same(seed: int) -> None:
    s = complete(seed)
    expected = {
        "jaccard": peer.jaccard_score(s.gold, s.chosen, average="samples", zero_division=1),
        "example-f1": peer.f1_score(s.gold, s.chosen, average="samples", zero_division=1),
        "hamming": peer.hamming_loss(s.gold, s.chosen),
        "subset-accuracy": peer.accuracy_score(s.gold, s.chosen),
        "auc": peer.roc_auc_score(s.gold, s.p, average="macro"),
        "auc-micro": peer.roc_auc_score(s.gold, s.p, average="micro"),
        "ap": peer.average_precision_score(s.gold, s.p, average="macro"),
        "ap-micro": peer.average_precision_score(s.gold, s.p, average="micro"),
        "brier": peer.mean_squared_error(s.shares, s.p),
        "l1-cell": peer.mean_absolute_error(s.shares, s.p),
    }
    for average in ("micro", "macro"):
        for word in ("f1", "precision", "recall"):
            score = getattr(peer, f"{word}_score")
            expected[f"{average}-{word}"] = score(
                s.gold, s.chosen, average=average, zero_division=0
            )
    for name, other in expected.items():
        assert value(name, s) == pytest.approx(other), name


@property_test(40)
@given(SEEDS)
def test_scikit_learn_says_the_same_of_the_known_cells_of_each_label(seed: int) -> None:
    sample = random_sample(seed)
    known = ~np.isnan(sample.gold) & sample.rows[:, None]
    by_label = {
        name: METRICS[name].measure(sample).by_label
        for name in ("auc", "ap", "macro-f1", "macro-precision", "macro-recall")
    }
    for label in range(sample.p.shape[1]):
        rows = known[:, label]
        p, gold, chosen = (x[rows, label] for x in (sample.p, sample.gold, sample.chosen))
        if len(gold):
            for word in ("f1", "precision", "recall"):
                expected = getattr(peer, f"{word}_score")(gold, chosen, zero_division=0)
                assert by_label[f"macro-{word}"][label] == pytest.approx(expected)
        if len(set(gold.tolist())) < 2:
            assert np.isnan(by_label["auc"][label]) and np.isnan(by_label["ap"][label])
        else:
            assert by_label["auc"][label] == pytest.approx(peer.roc_auc_score(gold, p))
            assert by_label["ap"][label] == pytest.approx(peer.average_precision_score(gold, p))


def test_log_loss_of_hard_answers_is_l1_times_18_42() -> None:
    """docs/formulas.md#evaluation: NLL = -ln(eps) * L1 to order k * eps * ln(1 / eps)."""
    s = complete(1)
    hard = changed(s, p=np.where(s.p > 0.5, 1 - EPS, EPS))
    nll, l1 = value("nll", hard), value("l1", hard)
    assert abs(nll - -math.log(EPS) * l1) < 4 * EPS * (math.log(1 / EPS) + 1) * 4
    assert nll / l1 == pytest.approx(18.42, abs=0.005)


def test_log_loss_of_one_hard_label_is_l1_times_9_21() -> None:
    draw = np.random.default_rng(2)
    shares = draw.dirichlet(np.ones(3), size=50)
    p = np.full((50, 3), EPS)
    p[np.arange(50), draw.integers(3, size=50)] = 1 - 2 * EPS
    s = sample_of(p, shares, shares, p > 0.5, np.ones(50, dtype=bool))
    assert value("nll-single", s) / value("l1", s) == pytest.approx(9.21, abs=0.005)


def test_published_worth_of_a_constant() -> None:
    """docs/formulas.md#baselines: 7 labels, H = 1/3 of one, c = .1: NLL 1.47, L1 .83."""
    shares = np.array([[1 / 3, 0, 0, 0, 0, 0, 0]])
    s = sample_of(np.full((1, 7), 0.1), shares, shares, shares > 0.5, np.ones(1, dtype=bool))
    assert value("nll", s) == pytest.approx(1.47, abs=0.005)
    assert value("l1", s) == pytest.approx(0.83, abs=0.005)


@property_test(40)
@given(SEEDS)
def test_identities(seed: int) -> None:
    s = random_sample(seed)
    v = all_values(s)
    parts = v["brier-reliability"] - v["brier-resolution"] + v["brier-uncertainty"]
    assert v["brier"] == pytest.approx(parts + v["brier-within"], nan_ok=True)
    ten = changed(s, p=np.where(s.p > 0.5, 0.8, 0.2))
    assert np.nan_to_num(value("brier-within", ten)) == pytest.approx(0, abs=1e-12)
    exact = changed(s, p=np.where(np.isnan(s.shares), 0.5, s.shares))
    for name in ("l1", "brier", "jsd", "manhattan", "ece", "ace-pooled"):
        assert np.nan_to_num(value(name, exact)) == pytest.approx(0, abs=1e-12)
    turned = changed(s, p=1 - s.p, shares=1 - s.shares)
    for name in ("nll", "l1", "brier", "jsd", "entropy-correlation"):
        assert value(name, turned) == pytest.approx(v[name], rel=1e-6, abs=1e-9, nan_ok=True)
    if not np.isnan(v["jsd"]):
        assert 0 <= v["jsd"] <= 1 and v["ece"] <= 1 and v["ece-pooled"] <= v["l1-cell"] + 1e-12
    mirrored = changed(s, p=1 - s.p)
    assert value("auc", mirrored) == pytest.approx(1 - v["auc"], nan_ok=True)


def test_equal_scores_share_a_bin_whatever_their_order() -> None:
    hard = np.array([[1.0], [0.0]] * 40)
    draw = np.random.default_rng(3)
    shares = draw.random((80, 1))
    s = sample_of(hard, shares, shares, hard > 0.5, np.ones(80, dtype=bool))
    up, down = shares[hard[:, 0] > 0].mean(), shares[hard[:, 0] == 0].mean()
    assert value("ace", s) == pytest.approx((abs(1 - up) + abs(0 - down)) / 2)


def test_columns_of_one_class_are_named_and_never_averaged_in() -> None:
    s = complete(4)
    s.gold[:, 2] = 0
    for name in ("auc", "ap"):
        found = METRICS[name].measure(s)
        assert np.isnan(found.by_label[2]) and found.cells == 180
        assert found.value == pytest.approx(np.nanmean(found.by_label))
    assert value("auc-micro", s) != value("auc-micro-two-class", s)
    kept = [0, 1, 3]
    expected = peer.roc_auc_score(s.gold[:, kept], s.p[:, kept], average="micro")
    assert value("auc-micro-two-class", s) == pytest.approx(expected)


def test_share_of_tied_scores() -> None:
    p = np.array([[0.0], [0.0], [0.0], [0.4]])
    gold = np.array([[0.0], [1], [0], [1]])
    s = sample_of(p, gold, gold, p > 0.5, np.ones(4, dtype=bool))
    assert METRICS["auc"].measure(s).ties == 0.75
    assert METRICS["nll"].measure(s).ties is None


def test_items_and_cells_are_counted() -> None:
    gold = np.array([[1, 0], [np.nan, 1], [np.nan, np.nan], [0, 0]])
    rows = np.array([True, True, True, False])
    s = sample_of(np.full((4, 2), 0.6), gold, gold, np.full((4, 2), True), rows)
    found = METRICS["example-f1"].measure(s)
    assert (found.counted, found.cells, found.partial) == (2, 3, 1)
    assert found.value == pytest.approx((2 / 3 + 1) / 2)
    assert value("l1", s) == pytest.approx((0.4 + 0.6 + 0.4) / 2)
    assert value("l1-cell", s) == pytest.approx((0.4 + 0.6 + 0.4) / 3)
    assert value("manhattan", s) == pytest.approx((0.5 + 0.4) / 2)


@property_test(60)
@given(SEEDS)
def test_no_probability_within_its_bounds_leaves_the_range(seed: int) -> None:
    """And both ends of the range are reached."""
    s = random_sample(seed, failed=0.1)
    draw = np.random.default_rng(seed)
    low, high = np.sort(draw.random((2, *s.p.shape)), axis=0)
    s = changed(s, p=np.where(np.isnan(s.p), np.nan, (low + high) / 2), low=low, high=high)
    for name, metric in METRICS.items():
        ends = metric.ends(s)
        if ends is None:
            continue
        assert name in {
            "nll",
            "nll-cell",
            "nll-single",
            "l1",
            "l1-cell",
            "manhattan",
            "brier",
            "jsd",
        }
        for _ in range(10):
            inside = low + draw.random(s.p.shape) * (high - low)
            assert ends[0] - 1e-9 <= value(name, changed(s, p=inside)) <= ends[1] + 1e-9
        nearest = high if name == "nll-single" else np.clip(np.nan_to_num(s.shares), low, high)
        assert value(name, changed(s, p=nearest)) == pytest.approx(ends[0])
        if name in ("l1", "brier"):
            far = np.where(np.abs(low - s.shares) > np.abs(high - s.shares), low, high)
            assert value(name, changed(s, p=far)) == pytest.approx(ends[1])


def test_ranges_need_bounds_everywhere() -> None:
    s = complete(0)
    low, high = s.p * 0.5, s.p * 0.5 + 0.5
    assert METRICS["nll"].ends(s) is None
    assert METRICS["nll"].ends(changed(s, low=low, high=high)) is not None
    assert METRICS["soft-f1"].ends(changed(s, low=low, high=high)) is None
    low[3, 1] = np.nan
    assert METRICS["nll"].ends(changed(s, low=low, high=high)) is None
    known = s.shares.copy()
    known[3, 1] = np.nan
    assert METRICS["nll"].ends(changed(s, low=low, high=high, shares=known)) is not None


def test_metrics_are_found_by_name_and_task() -> None:
    multi = [metric.name for metric in find_metrics(None, single=False)]
    single = [metric.name for metric in find_metrics(None, single=True)]
    assert {"nll", "soft-f1"} <= set(multi) and "nll-single" not in multi
    assert {"nll-single", "soft-accuracy"} <= set(single) and "nll" not in single
    with pytest.raises(LabelMassError, match="no metric 'f2'"):
        find_metrics(["f2"], single=False)
    with pytest.raises(LabelMassError, match="nll is not for single-label tasks"):
        find_metrics(["nll"], single=True)
    for metric in METRICS.values():
        assert len(metric.summary) < 60 and metric.better in ("lower", "higher", None)
