"""Alignment of probabilities with the shares of annotators. Formulas: docs/formulas.md#evaluation.

Cells with an unknown share are left out of every sum; a mean divides by what remains.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from labelmass._math import EPS
from labelmass._types import Bools, Floats
from labelmass.evaluation.sample import Sample
from labelmass.evaluation.statistic import (
    Statistic,
    Sums,
    column_means,
    divide,
    item_mean,
    label_mean,
)

Loss = Callable[[Floats, Floats], Floats]
Reduce = Callable[[Floats, Bools, Floats | None], Sums]
Ends = tuple[float, float]


# -- losses of a cell: falling up to p = h and rising from there, or falling throughout ---------


def choice_log_loss(p: Floats, h: Floats) -> Floats:
    """-h ln p, for tasks with exactly one label."""
    return -h * np.log(np.clip(p, EPS, 1 - EPS))


def absolute(p: Floats, h: Floats) -> Floats:
    """|p - h|."""
    return np.abs(p - h)


def squared(p: Floats, h: Floats) -> Floats:
    """(p - h)^2."""
    return np.square(p - h)


def divergence(p: Floats, h: Floats) -> Floats:
    """Jensen-Shannon divergence of (p, 1 - p) and (h, 1 - h), in bits, 0 to 1."""
    return np.maximum(entropy((p + h) / 2) - (entropy(p) + entropy(h)) / 2, 0.0)


def entropy(p: Floats) -> Floats:
    """Entropy of (p, 1 - p) in bits; 0 at both ends."""
    q = 1 - p
    return -(p * np.log2(np.where(p > 0, p, 1.0)) + q * np.log2(np.where(q > 0, q, 1.0)))


# -- from cells to one number ----------------------------------------------------------------------


def sum_of_row(values: Floats, known: Bools, by_label: Floats | None = None) -> Sums:
    """Mean over items of the sum over their known labels."""
    return item_mean(np.where(known, values, 0.0).sum(axis=1), known, by_label)


def mean_of_row(values: Floats, known: Bools, by_label: Floats | None = None) -> Sums:
    """Mean over items of the mean over their known labels."""
    total = np.where(known, values, 0.0).sum(axis=1)
    return item_mean(divide(total, known.sum(axis=1), 0.0), known, by_label)


def of_cells(loss: Loss, reduce: Reduce) -> Callable[[Sample], Statistic]:
    """The metric that adds up a loss of cells."""

    def measure(sample: Sample) -> Statistic:
        known, p, h = sample.cells("shares")
        values = loss(p, h)
        return reduce(values, known, column_means(values, known))

    return measure


def range_of(loss: Loss, reduce: Reduce) -> Callable[[Sample], Ends | None]:
    """Least and largest value while every p stays within its bounds; None without bounds.

    Nothing is least but at h or at an end, and largest but at an end, so three looks suffice.
    """

    def ends(sample: Sample) -> Ends | None:
        known, _, h = sample.cells("shares")
        if sample.low is None or sample.high is None or not known.any():
            return None
        low, high = np.where(known, sample.low, 0.0), np.where(known, sample.high, 0.0)
        if np.isnan(low).any() or np.isnan(high).any():
            return None
        at_low, at_high = loss(low, h), loss(high, h)
        nearest = np.minimum(loss(np.clip(h, low, high), h), np.minimum(at_low, at_high))
        farthest = np.maximum(at_low, at_high)
        return reduce(nearest, known, None).value, reduce(farthest, known, None).value

    return ends


# -- not a loss of cells --------------------------------------------------------------------------


def soft_f1(sample: Sample) -> Statistic:
    """2 sum min(P, H) / sum (P + H) over all cells; 0 if there is nothing to divide by."""
    known, p, h = sample.cells("shares")
    parts = [known.astype(np.float64), 2 * np.minimum(p, h), p + h]

    def combine(sums: Floats) -> Floats:
        cells, both, either = sums.T
        return np.where(cells > 0, divide(both, either, 0.0), np.nan)

    return Sums(
        known=known,
        contributions=np.column_stack([part.sum(axis=1) for part in parts]),
        combine=combine,
        by_label=combine(np.column_stack([part.sum(axis=0) for part in parts])),
    )


def soft_accuracy(sample: Sample) -> Statistic:
    """Mean over items of sum over labels of min(P, H)."""
    known, p, h = sample.cells("shares")
    return sum_of_row(np.minimum(p, h), known)


def entropy_correlation(sample: Sample) -> Statistic:
    """Pearson's r over items of the entropies of P and of H, per label, then the mean.

    A label whose P or H has the same entropy for all items is skipped.
    """
    known, p, h = sample.cells("shares")
    x, y = (_centred(entropy(side), known) for side in (p, h))
    parts = [known, x, y, x * x, y * y, x * y]

    def read(sums: Floats) -> Floats:
        n, sx, sy, sxx, syy, sxy = np.split(sums, 6, axis=1)
        n = np.where(n > 0, n, 1.0)
        vx, vy = sxx / n - (sx / n) ** 2, syy / n - (sy / n) ** 2
        spread = np.where((vx > 1e-12) & (vy > 1e-12), vx * vy, 0.0)
        return divide(sxy / n - sx * sy / n**2, np.sqrt(spread))

    return label_mean(np.hstack(parts).astype(np.float64), read, known)


def _centred(values: Floats, known: Bools) -> Floats:
    """Less the mean of the known cells of the column; 0 where unknown."""
    mean = np.nan_to_num(column_means(values, known))
    return np.where(known, values - mean, 0.0)
