"""From what every annotator chose to one number a cell: shares, majority, Dawid-Skene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelmass._types import Floats

Integers = NDArray[np.int64]

_MIN_PROBABILITY = 1e-10
"""A count of choices is never taken for less: an annotator without a case is a coin."""
_TOLERANCE = 1e-8
_MAX_ITERATIONS = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Votes:
    """Choices of annotators, one row for each judgement of a record by an annotator.

    chosen: (v, k) 1 chosen, 0 not chosen, NaN not judged.
    record: (v,) which of the `records` records.
    annotator: (v,) which of the `annotators`, or None where they are not told apart.
    """

    chosen: Floats
    record: Integers
    records: int
    annotator: Integers | None = None
    annotators: tuple[str, ...] = ()

    @property
    def raters(self) -> Integers:
        """(n,) number of annotators of each record."""
        return np.bincount(self.record, minlength=self.records)


def shares(votes: Votes) -> Floats:
    """(n, k) share of a record's annotators who chose the label; NaN where nobody judged it."""
    judged = _sums(votes.record, ~np.isnan(votes.chosen), votes.records)
    chosen = _sums(votes.record, np.nan_to_num(votes.chosen), votes.records)
    return np.divide(chosen, judged, out=np.full_like(chosen, np.nan), where=judged > 0)


def majority(shares: Floats, *, strict: bool = False) -> Floats:
    """(n, k) 1 where half of the annotators or more chose the label; NaN stays NaN.

    strict: more than half.
    """
    chosen = shares > 0.5 if strict else shares >= 0.5
    return np.where(np.isnan(shares), np.nan, chosen)


@dataclass(frozen=True, slots=True, eq=False)
class DawidSkene:
    """Estimate of each label's truth from annotators who each err at rates of their own.

    posteriors: (n, k) P(the label is true of the record); NaN where nobody judged it.
    sensitivities, specificities: (a, k) P(chosen | true) and P(not chosen | not true) of each
        annotator; .5 for who judged no such case.
    prevalence: (k,) mean posterior.
    iterations: (k,) steps until no posterior moved by more than 1e-8, at most 1000.
    """

    posteriors: Floats
    sensitivities: Floats
    specificities: Floats
    prevalence: Floats
    iterations: Integers
    annotators: tuple[str, ...]


def dawid_skene(votes: Votes) -> DawidSkene:
    """The binary model of Dawid and Skene (1979), a label at a time, by expectation maximisation.

    It starts at the shares, so it is deterministic and a label cannot change places with its
    absence. No prior: what comes out is a local maximum of the likelihood.
    """
    if votes.annotator is None:
        raise ValueError("annotators are not told apart")
    k = votes.chosen.shape[1]
    posteriors = shares(votes)
    rates = np.full((2, len(votes.annotators), k), 0.5)
    prevalence = np.full(k, np.nan)
    iterations = np.zeros(k, dtype=np.int64)
    for label in range(k):
        judged = ~np.isnan(votes.chosen[:, label])
        record, annotator = votes.record[judged], votes.annotator[judged]
        if not len(record):
            continue
        chosen = votes.chosen[judged, label]
        known = ~np.isnan(posteriors[:, label])
        true = posteriors[:, label]
        moved = np.inf
        while moved > _TOLERANCE and iterations[label] < _MAX_ITERATIONS:
            prevalence[label] = true[known].mean()
            weight = true[record]
            rates[0, :, label] = _rate(annotator, weight, chosen, len(votes.annotators))
            rates[1, :, label] = _rate(annotator, 1 - weight, 1 - chosen, len(votes.annotators))
            sensitivity, specificity = rates[:, annotator, label]
            evidence = np.where(
                chosen > 0,
                np.log(sensitivity) - np.log1p(-specificity),
                np.log1p(-sensitivity) - np.log(specificity),
            )
            prior = np.clip(prevalence[label], _MIN_PROBABILITY, 1 - _MIN_PROBABILITY)
            odds = np.bincount(record, evidence, votes.records) + np.log(prior) - np.log1p(-prior)
            after = np.where(known, np.exp(-np.logaddexp(0, -odds)), np.nan)
            moved = np.abs(after - true)[known].max()
            true = after
            iterations[label] += 1
        posteriors[:, label] = true
    return DawidSkene(posteriors, rates[0], rates[1], prevalence, iterations, votes.annotators)


def _rate(annotator: Integers, weight: Floats, right: Floats, count: int) -> Floats:
    """(a,) share of an annotator's weight on which they were right."""
    hit = np.maximum(np.bincount(annotator, weight * right, count), _MIN_PROBABILITY)
    miss = np.maximum(np.bincount(annotator, weight * (1 - right), count), _MIN_PROBABILITY)
    return hit / (hit + miss)


def _sums(row: Integers, values: NDArray[np.generic], rows: int) -> Floats:
    """(rows, k) sums of the values that belong to each row."""
    sums = np.zeros((rows, values.shape[1]))
    for column in range(values.shape[1]):
        sums[:, column] = np.bincount(row, values[:, column], rows)
    return sums
