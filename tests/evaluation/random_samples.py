"""Samples to measure: random ones with ties, unknown cells, failed rows and one-class columns."""

from __future__ import annotations

import numpy as np

from evaluation.naive_metrics import Known, Rows
from labelmass.evaluation import Sample
from labelmass.scores import Scores
from labelmass.targets import Targets

Array = np.ndarray


def random_sample(seed: int, *, unknown: float = 0.2, failed: float = 0.15) -> Sample:
    """Up to 30 rows and 5 labels, about as many known cells as asked for."""
    draw = np.random.default_rng(seed)
    n, k = int(draw.integers(1, 30)), int(draw.integers(1, 6))
    p = draw.random((n, k))
    if draw.random() < 0.5:
        p = np.round(p, 1)
    if draw.random() < 0.2:
        p = np.round(p)
    shares = np.round(draw.random((n, k)) * 3) / 3
    gold = (draw.random((n, k)) < draw.random(k)).astype(np.float64)
    shares[draw.random((n, k)) < unknown] = np.nan
    gold[draw.random((n, k)) < unknown] = np.nan
    if draw.random() < 0.3:
        gold[:, 0] = np.where(np.isnan(gold[:, 0]), np.nan, 0.0)
    rows = draw.random(n) >= failed
    p[~rows] = np.nan
    return sample_of(p, shares, gold, p >= draw.choice([0.3, 0.5]), rows)


def sample_of(
    p: Array,
    shares: Array,
    gold: Array,
    chosen: Array,
    rows: Array,
    low: Array | None = None,
    high: Array | None = None,
) -> Sample:
    """A sample of arrays, its records numbered and its labels called a, b, ..."""
    n, k = p.shape
    ids, labels = tuple(range(n)), tuple("abcdefghijklmnop"[:k])
    targets = Targets(ids, labels, shares, gold, np.zeros(n, dtype=np.int64), None, "given")
    return Sample(Scores.of(ids, labels, p, low, high), targets, chosen, rows)


def changed(sample: Sample, **arrays: Array) -> Sample:
    """The sample with other arrays, by the names that `sample_of` calls them."""
    names = ("p", "shares", "gold", "chosen", "rows", "low", "high")
    return sample_of(**{name: getattr(sample, name) for name in names} | arrays)


def lists(sample: Sample) -> tuple[Rows, Known, Known, Rows]:
    """P, H, Y and the sets of the rows that count; None where unknown."""

    def plain(values: np.ndarray) -> list[list[float | None]]:
        rows = values[sample.rows].astype(float).tolist()
        return [[None if value != value else value for value in row] for row in rows]

    return tuple(plain(one) for one in (sample.p, sample.shares, sample.gold, sample.chosen))
