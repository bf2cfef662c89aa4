"""Weights of records that make up for rare labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

NONE = "(none)"
"""Stands for the empty answer."""


def inverse_frequency(answers: Sequence[Sequence[Sequence[str]]]) -> list[float]:
    """A weight for each record, 1 on average.

    answers: the label sets of each record's possible answers, all equally likely.
    An answer weighs the mean, over its labels, of 1 / (share of answers with that label); the empty
    answer counts as a label. A record weighs the mean of its answers. Where each has one label
    these are the "balanced" class weights of scikit-learn.
    """
    counts: defaultdict[str, float] = defaultdict(float)
    for some in answers:
        for answer in some:
            for label in answer or (NONE,):
                counts[label] += 1 / len(some)
    found = [
        sum(_mean([1 / counts[label] for label in answer or (NONE,)]) for answer in some)
        / len(some)
        for some in answers
    ]
    mean = _mean(found)
    return [weight / mean for weight in found]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
