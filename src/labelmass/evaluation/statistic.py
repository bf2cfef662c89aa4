"""Metrics as functions of weighted items, so that a bootstrap is one product of matrices.

A metric of this form adds up a few numbers an item (its contributions) and computes one number of
the sums. With W (draws, n) how often each item was drawn, W @ contributions holds the sums of
every draw, and the metric of every draw is exact, not an approximation.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from labelmass._types import Bools, Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Statistic(ABC):
    """A metric on one sample.

    known: (n, k) cells it was computed from.
    by_label: (k,) its value for each label; NaN for a label it is not defined for.
    items: (n,) the values whose mean it is, NaN for items that do not count; None if it is none.
    ties: share of scores that equal another of the same ranking; None where nothing is ranked.
    max_draws: a bootstrap takes no more draws than this.
    swollen: noise alone makes it larger, in every draw once more than in the sample.
    """

    known: Bools
    by_label: Floats | None = None
    items: Floats | None = None
    ties: float | None = None
    max_draws: int | None = None
    upward_biased: bool = False

    @abstractmethod
    def resample(self, weights: Floats) -> Floats:
        """(draws,) the metric under (draws, n) weights; NaN where it is not defined."""

    @property
    def value(self) -> float:
        """The metric; NaN where it is not defined."""
        return float(self.resample(np.ones((1, len(self.known))))[0])

    @property
    def counted(self) -> int:
        """Items with a cell that counts."""
        return int(self.known.any(axis=1).sum())

    @property
    def cells(self) -> int:
        """Cells that count."""
        return int(self.known.sum())

    @property
    def partial(self) -> int:
        """Items that count, except for some unknown cell."""
        return int((self.known.any(axis=1) & ~self.known.all(axis=1)).sum())


@dataclass(frozen=True, kw_only=True, eq=False)
class Sums(Statistic):
    """A function of sums over items.

    contributions: (n, m), 0 for items that do not count.
    combine: (draws, m) sums -> (draws,).
    """

    contributions: Floats
    combine: Callable[[Floats], Floats]

    def resample(self, weights: Floats) -> Floats:
        return self.combine(weights @ self.contributions)


def divide(a: Floats, b: Floats, empty: float = np.nan) -> Floats:
    """a / b, and `empty` where b is 0."""
    return np.divide(a, b, out=np.full(np.broadcast(a, b).shape, empty), where=b > 0)


def mean_defined(values: Floats) -> Floats:
    """(draws,) mean over the last axis of what is defined; NaN where nothing is."""
    defined = ~np.isnan(values)
    return divide(np.where(defined, values, 0.0).sum(axis=-1), defined.sum(axis=-1))


def item_mean(values: Floats, known: Bools, by_label: Floats | None = None) -> Sums:
    """The mean of (n,) values over the items with a known cell."""
    counted = known.any(axis=1)
    contributions = np.column_stack([np.where(counted, values, 0.0), counted.astype(np.float64)])
    return Sums(
        known=known,
        contributions=contributions,
        combine=lambda sums: divide(sums[:, 0], sums[:, 1]),
        items=np.where(counted, values, np.nan),
        by_label=by_label,
    )


def cell_mean(values: Floats, known: Bools, by_label: Floats | None = None) -> Sums:
    """The mean of (n, k) values over the known cells.

    It is a mean over items, and can be tested as one, where all have as many known cells.
    """
    total, count = np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1)
    alike = len(set(count[count > 0].tolist())) <= 1
    return Sums(
        known=known,
        contributions=np.column_stack([total, count]).astype(np.float64),
        combine=lambda sums: divide(sums[:, 0], sums[:, 1]),
        items=divide(total, count.astype(np.float64)) if alike else None,
        by_label=by_label,
    )


def label_mean(contributions: Floats, read: Callable[[Floats], Floats], known: Bools) -> Sums:
    """The mean over labels of (draws, k) values, read from sums; NaN labels are left out."""
    return Sums(
        known=known,
        contributions=contributions,
        combine=lambda sums: mean_defined(read(sums)),
        by_label=read(contributions.sum(axis=0)[None])[0],
    )


def column_means(values: Floats, known: Bools) -> Floats:
    """(k,) mean over the known cells of each column."""
    return divide(np.where(known, values, 0.0).sum(axis=0), known.sum(axis=0))
