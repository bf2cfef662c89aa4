"""Conformal risk control: the best threshold whose expected risk on a new record is bounded.

Source: Angelopoulos et al. 2022, Conformal risk control, arXiv 2208.02814. A risk is a ratio of
expectations, E[a(t)] <= alpha E[b] with 0 <= a <= b <= 1 for each record, a monotone in t. The loss
a - alpha b lies in [-alpha, 1 - alpha], so the paper's rule becomes
sum a(t) + 1 <= alpha (sum b + 1), which for b of 0 and 1 is the rule on the records with b = 1.
Shares count as they are. Records enter with the largest a over their interval [low, high], so the
guarantee is about the rule that thresholds the exact score.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labelmass._types import Floats
from labelmass.decisions.guarantee import Guarantee
from labelmass.errors import FitError

RISKS = ("miss-rate", "fpr", "record-miss-rate")


def control(
    labels: Sequence[str], low: Floats, high: Floats, target: Floats, risk: str, level: float
) -> tuple[Guarantee, ...]:
    """A guarantee for each label of (n, k) bounds and targets; for "record-miss-rate" one for all.

    miss-rate: share of a label's positives below the threshold; the highest threshold is taken.
    record-miss-rate: share of a record's labels below it, mean over records that have a label.
    fpr: share of a label's negatives at or above it; the lowest is taken.

    Each guarantee is in expectation and by itself. NaN cells are left out. FitError for another
    risk or a level outside (0, 1).
    """
    if risk not in RISKS:
        raise FitError(f"no expected risk is called {risk!r}: one of {', '.join(RISKS)}")
    if not 0 < level < 1:
        raise FitError(f"a risk level lies between 0 and 1, not {level}")
    known = ~(np.isnan(low) | np.isnan(high) | np.isnan(target))
    if risk == "record-miss-rate":
        held = np.where(known, target, 0.0)
        total = held.sum(axis=1)
        labelled = total > 0
        share = held[labelled] / total[labelled, None]
        records = int(known.any(axis=1).sum())
        keep = known[labelled]
        result = _lowest_missed(low[labelled][keep], share[keep], float(labelled.sum()), level)
        return (_guarantee("*", risk, level, records, result),)
    out: list[Guarantee] = []
    for column, label in enumerate(labels):
        at = known[:, column]
        goal = target[at, column]
        if risk == "miss-rate":
            result = _lowest_missed(low[at, column], goal, float(goal.sum()), level)
        else:
            result = _highest_flagged(high[at, column], 1 - goal, float((1 - goal).sum()), level)
        out.append(_guarantee(label, risk, level, int(at.sum()), result))
    return tuple(out)


Extreme = tuple[float | None, float, float]
"""Threshold, sum of a at it, sum of b."""


def _lowest_missed(score: Floats, weight: Floats, whole: float, level: float) -> Extreme:
    """The highest threshold among the scores for which what lies below it is light enough."""
    cuts, at = np.unique(score, return_inverse=True)
    below = np.append(0.0, np.cumsum(np.bincount(at, weight, len(cuts))))[:-1]
    return _furthest(cuts, below, whole, level)


def _highest_flagged(score: Floats, weight: Floats, whole: float, level: float) -> Extreme:
    """The lowest threshold among the scores for which what lies at or above it is light enough."""
    cuts, at = np.unique(-score, return_inverse=True)
    above = np.cumsum(np.bincount(at, weight, len(cuts))).astype(np.float64)
    return _furthest(-cuts, above, whole, level)


def _furthest(cuts: Floats, errors: Floats, whole: float, level: float) -> Extreme:
    """The last of the cuts, errors ascending, that the rule allows; None, with the least errors."""
    fine = np.flatnonzero(errors + 1 <= level * (whole + 1))
    if len(fine):
        return float(cuts[fine[-1]]), float(errors[fine[-1]]), whole
    return None, float(errors[0]) if len(errors) else 0.0, whole


def _guarantee(label: str, risk: str, level: float, records: int, found: Extreme) -> Guarantee:
    threshold, errors, whole = found
    needed = None
    if threshold is None and errors < level * whole:
        enough = (1 - level) / (level - errors / whole)  # of what the risk is a share of
        needed = max(int(np.ceil(enough * records / whole)), records + 1)
    return Guarantee(label, risk, level, None, threshold, records, whole, errors, needed=needed)
