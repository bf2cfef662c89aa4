"""Weights of records that make up for rare labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

NONE = "(none)"
"""Stands for the empty answer."""


def inverse_frequency(answers: Sequence[Mapping[tuple[str, ...], float]]) -> list[float]:
    """A weight for each record, 1 on average.

    answers: the label sets of each record's possible answers, and how likely each is; 1 in all.
    An answer weighs the mean, over its labels, of 1 / (share of answers with that label); the empty
    answer counts as a label. A record weighs the mean of its answers. Where each has one label
    these are the "balanced" class weights of scikit-learn.
    """
    counts: defaultdict[str, float] = defaultdict(float)
    for some in answers:
        for answer, p in some.items():
            for label in answer or (NONE,):
                counts[label] += p
    results = [
        sum(p * _mean([1 / counts[label] for label in answer or (NONE,)]) for answer, p in pairs)
        for pairs in (some.items() for some in answers)
    ]
    mean = _mean(results)
    return [weight / mean for weight in results]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
