"""Samples to measure: random ones with ties, unknown cells, failed rows and one-class columns."""

from __future__ import annotations

import numpy as np

from evaluation.slow import Known, Rows
from labelmass.evaluation import Sample


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
    return Sample(p, shares, gold, p >= draw.choice([0.3, 0.5]), rows)


def lists(sample: Sample) -> tuple[Rows, Known, Known, Rows]:
    """P, H, Y and the sets of the rows that count; None where unknown."""

    def plain(values: np.ndarray) -> list[list[float | None]]:
        rows = values[sample.rows].astype(float).tolist()
        return [[None if value != value else value for value in row] for row in rows]

    return tuple(plain(one) for one in (sample.p, sample.shares, sample.gold, sample.chosen))
