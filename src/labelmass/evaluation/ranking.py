"""Ranking of gold labels above others: ROC-AUC and average precision.

Formulas: docs/formulas.md#evaluation.
A column whose known cells are all of one class has no ranking: it is skipped
and named, never averaged in as 0 or .5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from labelmass._types import Bools, Floats
from labelmass.evaluation.sample import Sample
from labelmass.evaluation.statistic import Statistic, mean_defined

Integers = NDArray[np.int64]
Kind = Literal["auc", "ap"]

RANK_DRAWS = 500
"""Draws of a bootstrap of a ranking per label; each has to be counted anew."""
MICRO_DRAWS = 200
"""Draws of a bootstrap of one ranking of all cells."""
_BLOCK = 64


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One ranking, from the highest score down, ready to be weighted.

    Scores that are equal and hold a positive are a step; negatives between steps are a gap.
    positives, negatives: (cells,) items of the cells in the order of the ranking.
    starts: (steps,) where a step begins among the positives.
    bounds: (2 steps,) where each step begins and ends among the negatives.
    """

    positives: Integers
    negatives: Integers
    starts: Integers
    bounds: Integers

    @classmethod
    def make(cls, scores: Floats, positive: Bools, items: Integers) -> Curve:
        """scores, positive, items: (cells,)."""
        order = np.argsort(-scores, kind="stable")
        scores, positive, items = scores[order], positive[order], items[order]
        high, low = -scores[positive], -scores[~positive]
        steps, starts = np.unique(high, return_index=True)
        bounds = np.column_stack(
            [np.searchsorted(low, steps, "left"), np.searchsorted(low, steps, "right")]
        )
        return cls(items[positive], items[~positive], starts, bounds.ravel())

    def weigh(self, kind: Kind, weights: NDArray[np.floating[Any]]) -> Floats:
        """(draws,) AUC or AP when item i counts weights[i, draw] times; NaN for one class.

        weights: (n, draws); counts are exact in any type.
        """
        up = np.add.reduceat(weights[self.positives], self.starts, axis=0, dtype=np.float64)
        below = np.zeros((len(self.negatives) + 1, weights.shape[1]), weights.dtype)
        np.take(weights, self.negatives, axis=0, out=below[:-1])
        begin, end = np.append(0, self.bounds), np.append(self.bounds, len(self.negatives))
        down = np.add.reduceat(below, begin, axis=0)
        down[begin == end] = 0  # where there is nothing to add, reduceat takes the next row
        passed = np.cumsum(down, axis=0, dtype=np.float64)
        before, after = passed[:-1:2], passed[1::2]
        positives, negatives = up.sum(axis=0), passed[-1]
        if kind == "auc":
            wins = (up * (negatives - (before + after) / 2)).sum(axis=0)
            pairs = positives * negatives
            return np.divide(wins, pairs, out=np.full_like(pairs, np.nan), where=pairs > 0)
        result = np.cumsum(up, axis=0)
        precision = np.divide(result, result + after, out=np.zeros_like(result), where=result > 0)
        both = (positives > 0) & (negatives > 0)
        gain = (up * precision).sum(axis=0)
        return np.divide(gain, positives, out=np.full_like(gain, np.nan), where=both)


@dataclass(frozen=True, kw_only=True, eq=False)
class Ranking(Statistic):
    """The mean over curves of their AUC or AP; a curve of one class in a draw is left out."""

    kind: Kind
    curves: tuple[Curve, ...]

    def resample(self, weights: Floats) -> Floats:
        if not self.curves:
            return np.full(len(weights), np.nan)
        blocks = [weights[at : at + _BLOCK] for at in range(0, len(weights), _BLOCK)]
        return np.concatenate([self._block(block.T.astype(np.float32)) for block in blocks])

    def _block(self, weights: NDArray[np.float32]) -> Floats:
        return mean_defined(np.array([c.weigh(self.kind, weights) for c in self.curves]).T)


def two_classes(known: Bools, gold: Floats) -> Bools:
    """(k,) whether a column's known cells hold a 0 and a 1."""
    ones = (gold * known).sum(axis=0)
    return (ones > 0) & (ones < known.sum(axis=0))


def macro(kind: Kind) -> Callable[[Sample], Statistic]:
    """Per label, then the mean over the labels that have both classes."""

    def measure(sample: Sample) -> Statistic:
        known, p, gold = sample.cells("gold")
        both = two_classes(known, gold)
        curves: list[Curve] = []
        by_label = np.full(known.shape[1], np.nan)
        everyone = np.ones((len(known), 1))
        tied = np.zeros(known.shape[1])
        for label in np.flatnonzero(both).tolist():
            rows = np.flatnonzero(known[:, label])
            curve = Curve.make(p[rows, label], gold[rows, label] > 0, rows)
            by_label[label] = curve.weigh(kind, everyone)[0]
            tied[label] = share_tied(p[rows, label])
            curves.append(curve)
        return Ranking(
            known=known & both,
            kind=kind,
            curves=tuple(curves),
            by_label=by_label,
            ties=float(tied[both].mean()) if curves else None,
            max_draws=RANK_DRAWS,
        )

    return measure


def micro(kind: Kind, *, one_class: bool) -> Callable[[Sample], Statistic]:
    """One ranking of all cells; one_class: columns with one class take part."""

    def measure(sample: Sample) -> Statistic:
        known, p, gold = sample.cells("gold")
        if not one_class:
            known = known & two_classes(known, gold)
        positive = gold[known] > 0
        ranked = positive.any() and not positive.all()
        curve = (Curve.make(p[known], positive, np.nonzero(known)[0]),) if ranked else ()
        return Ranking(
            known=known,
            kind=kind,
            curves=curve,
            ties=share_tied(p[known]) if ranked else None,
            max_draws=MICRO_DRAWS,
        )

    return measure


def share_tied(scores: Floats) -> float:
    """Share of the scores that another one equals."""
    count = np.unique(scores, return_counts=True)[1]
    return float(count[count > 1].sum() / max(len(scores), 1))
