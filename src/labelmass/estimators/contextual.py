"""Around any method: averaging over label orders, and taking away what an empty text gets.

Formulas: docs/formulas.md#label-order-averaging and #contextual-calibration.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labelmass._math import expit, log_odds
from labelmass._types import Floats
from labelmass.answers.marginals import Bounds
from labelmass.estimators.base import LabelScores, bounds

CONTENT_FREE = ("N/A", "[MASK]", "...")
"""Texts without content; what a label gets for them is the prompt's doing."""


def average(scores: Sequence[LabelScores]) -> tuple[LabelScores, Floats]:
    """The mean over label orders, and (k,) how far each label moved: its largest less smallest p.

    The mean of certified bounds is a certified bound of the mean.
    """
    p, low, high = (
        np.array([getattr(score, side) for score in scores]) for side in ("p", "low", "high")
    )
    first = scores[0]
    mean = LabelScores(
        first.labels,
        p.mean(axis=0),
        low.mean(axis=0),
        high.mean(axis=0),
        first.interval,
        _average_empty([score.empty for score in scores if score.empty is not None]),
    )
    return mean, p.max(axis=0) - p.min(axis=0)


def _average_empty(every: Sequence[Bounds]) -> Bounds | None:
    if not every:
        return None
    sides = ((interval.low, interval.high, interval.p) for interval in every)
    return bounds(*np.array(list(sides), dtype=np.float64).mean(axis=0))


def calibrate_contextually(
    scores: LabelScores, bias: Floats, *, target_rate: float = 0.5, single: bool = False
) -> tuple[LabelScores, Floats]:
    """Scores without what the prompt alone gives, and (k,) how far each label's p moved.

    bias: (k,) mean log-odds of the labels for texts without content, or over a batch.
    target_rate: what a label should get where it gets its prior.
    single: exactly one label is right: p is divided by the prior's and normalised.
    Every end of an interval is mapped by itself, at the prior as given. The empty answer has no
    prior, and none of its share is left beside the labels.
    """
    if single:
        weights = 1 / expit(bias)
        low, p, high = (weights * side for side in (scores.low, scores.p, scores.high))
        ends = low / (low + high.sum() - high), p / p.sum(), high / (high + low.sum() - low)
    else:
        shift = log_odds(np.full(1, target_rate)) - bias
        ends = tuple(expit(log_odds(side) + shift) for side in (scores.low, scores.p, scores.high))
    low, p, high = ends
    return LabelScores(scores.labels, p, low, high, scores.interval), p - scores.p
