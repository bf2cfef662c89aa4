"""Agreement of label sets with gold sets. Formulas: docs/formulas.md#evaluation.

Unknown cells are left out; a row with some of them counts by its known cells.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from labelmass._types import Bools, Floats
from labelmass.evaluation.sample import Sample
from labelmass.evaluation.statistic import (
    Statistic,
    Sums,
    cell_mean,
    column_means,
    divide,
    item_mean,
    label_mean,
)

Which = Literal["precision", "recall", "f1"]


def hits(sample: Sample) -> tuple[Bools, Floats, Floats, Floats]:
    """(n, k) known cells, and of these: in both sets, only chosen, only gold; as 0 and 1."""
    known, _, gold = sample.cells("gold")
    chosen = np.where(known, sample.chosen, 0.0)
    return known, chosen * gold, chosen * (1 - gold), (1 - chosen) * gold


def share(which: Which, both: Floats, chosen: Floats, gold: Floats) -> Floats:
    """Precision, recall or F1 from counts in both, only chosen, only gold; 0 for 0 / 0."""
    if which == "precision":
        return divide(both, both + chosen, 0.0)
    if which == "recall":
        return divide(both, both + gold, 0.0)
    return divide(2 * both, 2 * both + chosen + gold, 0.0)


def micro(which: Which) -> Callable[[Sample], Statistic]:
    """Over all cells."""

    def measure(sample: Sample) -> Statistic:
        known, *counts = hits(sample)
        columns = [known.sum(axis=1), *(count.sum(axis=1) for count in counts)]

        def combine(sums: Floats) -> Floats:
            cells, both, chosen, gold = sums.T
            return np.where(cells > 0, share(which, both, chosen, gold), np.nan)

        return Sums(known=known, contributions=np.column_stack(columns), combine=combine)

    return measure


def macro(which: Which) -> Callable[[Sample], Statistic]:
    """Per label, then the mean over the labels with a known cell."""

    def measure(sample: Sample) -> Statistic:
        known, *counts = hits(sample)

        def read(sums: Floats) -> Floats:
            cells, both, chosen, gold = np.split(sums, 4, axis=1)
            return np.where(cells > 0, share(which, both, chosen, gold), np.nan)

        return label_mean(np.hstack([known.astype(np.float64), *counts]), read, known)

    return measure


def example_f1(sample: Sample) -> Statistic:
    """F1 of every item's two sets, then the mean; both empty is 1, one empty is 0."""
    known, *counts = hits(sample)
    both, chosen, gold = (count.sum(axis=1) for count in counts)
    return item_mean(divide(2 * both, 2 * both + chosen + gold, 1.0), known)


def jaccard(sample: Sample) -> Statistic:
    """Labels in both sets over labels in either, then the mean over items; both empty is 1."""
    known, *counts = hits(sample)
    both, chosen, gold = (count.sum(axis=1) for count in counts)
    return item_mean(divide(both, both + chosen + gold, 1.0), known)


def hamming(sample: Sample) -> Statistic:
    """Share of known cells that are wrong."""
    known, _, chosen, gold = hits(sample)
    wrong = chosen + gold
    return cell_mean(wrong, known, column_means(wrong, known))


def subset_accuracy(sample: Sample) -> Statistic:
    """Share of items without a wrong cell."""
    known, _, chosen, gold = hits(sample)
    return item_mean((chosen + gold).sum(axis=1) == 0, known)
