"""Calibration errors. Formulas: docs/formulas.md#evaluation.

Bins are made once, on the whole sample; a bootstrap draws items into these bins. Noise alone makes
an error in every bin, in a draw more than in the sample and in the sample more than in truth, so
the intervals of these errors are reflected (see `bootstrap.interval`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from labelmass._types import Bools, Floats
from labelmass.evaluation.sample import Sample
from labelmass.evaluation.statistic import Statistic, Sums, divide, label_mean

Integers = NDArray[np.int64]
Binning = Callable[[Floats], Integers]

BINS = 15
"""Bins of every calibration error and of the parts of the Brier score."""


def equal_width(p: Floats) -> Integers:
    """(n,) bins of [0, 1], as wide as each other; 1 is in the last."""
    return np.minimum((p * BINS).astype(np.int64), BINS - 1)


def equal_count(p: Floats) -> Integers:
    """(n,) bins that hold as many values as each other, but that equal values share a bin."""
    _, place, count = np.unique(p, return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - (count + 1) / 2
    return (middle / max(len(p), 1) * BINS).astype(np.int64)[place]


def per_label(binning: Binning) -> Callable[[Sample], Statistic]:
    """Sum over bins of (share of the bin) |mean P - mean H|, per label, then their mean."""

    def measure(sample: Sample) -> Statistic:
        known, p, h = sample.cells("shares")
        n, k = known.shape
        columns: list[Floats] = []
        owner: list[int] = []
        for label in range(k):
            rows = np.flatnonzero(known[:, label])
            bins = binning(p[rows, label])
            for one in np.unique(bins):
                column = np.zeros(n)
                inside = rows[bins == one]
                column[inside] = p[inside, label] - h[inside, label]
                columns.append(column)
                owner.append(label)
        belongs = np.zeros((len(owner), k))
        belongs[np.arange(len(owner)), owner] = 1

        def read(sums: Floats) -> Floats:
            return divide(np.abs(sums[:, k:]) @ belongs, sums[:, :k])

        contributions = np.column_stack([known, *columns]).astype(np.float64)
        return replace(label_mean(contributions, read, known), upward_biased=True)

    return measure


def pooled(binning: Binning) -> Callable[[Sample], Statistic]:
    """The same over all cells, whatever their label."""

    def measure(sample: Sample) -> Statistic:
        known, count, p, h = _binned(sample, binning)
        return Sums(
            known=known,
            contributions=np.column_stack([count.sum(axis=1), p - h]),
            combine=lambda sums: divide(np.abs(sums[:, 1:]).sum(axis=1), sums[:, 0]),
            upward_biased=True,
        )

    return measure


def brier_part(part: str) -> Callable[[Sample], Statistic]:
    """Reliability, resolution, uncertainty, or what the bins hide, of the Brier score of all cells.

    Brier = reliability - resolution + uncertainty + within; `within` is 0 where every bin holds
    one value of P (Stephenson, Coelho and Jolliffe 2008). Uncertainty is the variance of H.
    """

    def measure(sample: Sample) -> Statistic:
        known, count, p, h = _binned(sample, equal_width)
        _, ps, hs = sample.cells("shares")
        squares = np.column_stack([(hs**2).sum(axis=1), ((ps - hs) ** 2).sum(axis=1)])

        def combine(sums: Floats) -> Floats:
            n, sp, sh = (sums[:, i * BINS : (i + 1) * BINS] for i in range(3))
            cells, shares = n.sum(axis=1), sh.sum(axis=1)
            hh, brier = sums[:, -2], sums[:, -1]
            reliability = divide((sp - sh) ** 2, n, 0.0).sum(axis=1)
            resolution = divide(sh**2, n, 0.0).sum(axis=1) - divide(shares**2, cells)
            uncertainty = hh - divide(shares**2, cells)
            parts = {
                "reliability": reliability,
                "resolution": resolution,
                "uncertainty": uncertainty,
                "within": brier - reliability + resolution - uncertainty,
            }
            return divide(parts[part], cells)

        return Sums(
            known=known,
            contributions=np.hstack([count, p, h, squares]),
            combine=combine,
            upward_biased=part == "reliability",
        )

    return measure


def _binned(sample: Sample, binning: Binning) -> tuple[Bools, Floats, Floats, Floats]:
    """(n, k) known cells, and an item's (n, BINS) cells in each bin: number, sum P, sum H."""
    known, p, h = sample.cells("shares")
    row, _ = np.nonzero(known)
    place = row * BINS + binning(p[known])
    sums = np.zeros((3, len(known) * BINS))
    for at, values in enumerate((np.ones(len(place)), p[known], h[known])):
        sums[at] = np.bincount(place, values, sums.shape[1])
    count, sp, sh = sums.reshape(3, -1, BINS)
    return known, count, sp, sh
