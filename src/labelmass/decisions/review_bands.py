"""Bands of scores that go to human review, sized for a review budget or a target risk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from labelmass._types import Floats
from labelmass.decisions.thresholds import Sweep
from labelmass.errors import FitError

CUTS = 300
"""Ends that a band may have; more distinct scores than this are thinned to quantiles."""


@dataclass(frozen=True, slots=True)
class Band:
    """Scores from `low` to just below `high` are reviewed; from `high` on the label is given.

    high: None if the label is never given without review; low: None if it is not reviewed either.
    cells: how many it was found on; of them
    `reviewed` is the share that falls in. errors: false positives and misses left among the others,
    in soft counts; risk: their share of the cells that are not reviewed, None if all are.
    """

    label: str
    low: float | None
    high: float | None
    cells: int
    reviewed: float
    errors: float
    risk: float | None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def band(
    label: str,
    p: Floats,
    target: Floats,
    *,
    budget: float | None = None,
    risk: float | None = None,
    top: float | None = None,
) -> Band:
    """For one label: the fewest errors within a budget, or the least review within a risk.

    p, target: (n,) scores and shares or 0 and 1; NaN is left out. budget: largest share of cells
    reviewed. risk: largest share of errors among the cells that are not. top: a threshold that
    stays the band's upper end, infinity for never; None to choose one.

    The band fits these cells; for a guarantee see `learn_then_test` and
    `conformal_risk_control`. FitError unless one
    of budget and risk is given, from 0 to 1, and where no band below `top` meets the risk.
    """
    limit = budget if risk is None else risk
    if limit is None or (budget is not None and risk is not None) or not 0 <= limit <= 1:
        raise FitError("a band is sized for a budget or for a risk, one of them, from 0 to 1")
    sweep = Sweep.of(p, target)
    n = len(sweep.score)
    keep = np.unique(np.linspace(0, len(sweep.thresholds) - 1, CUTS + 1).round().astype(int))
    above = 0
    if top is not None:
        above = int(np.flatnonzero(sweep.thresholds >= top)[-1])
        keep = np.union1d(keep, above)
    cuts = sweep.thresholds[keep]  # descending, infinity first
    flagged = (sweep.right + sweep.wrong)[keep]
    wrong, missed = sweep.wrong[keep], sweep.positives - sweep.right[keep]
    high, low = np.triu_indices(len(cuts))  # low <= high as scores
    if top is not None:
        fixed = keep[high] == above
        high, low = high[fixed], low[fixed]
    reviewed = flagged[low] - flagged[high]
    errors = wrong[high] + missed[low]
    if risk is None:
        fits, first, then = reviewed <= limit * n + 1e-9, errors, reviewed
    else:
        fits, first, then = errors <= limit * (n - reviewed) + 1e-9, reviewed, errors
    # Reviewing nothing is within any budget. Reviewing all leaves no errors, unless above `top`.
    if not fits.any():
        raise FitError(
            f"label {label!r}: no review below {top:g} brings the errors to {risk:g} of what is "
            "decided: too much of what is given at once is wrong"
        )
    best = np.lexsort((then[fits], first[fits].round(9)))[0]
    i, j = high[fits][best], low[fits][best]
    reviews, left = float(reviewed[fits][best]), float(errors[fits][best])
    bottom, upper = (float(cuts[at]) if at else None for at in (j, i))
    if top is not None and top < np.inf:
        bottom, upper = (top if j == i else bottom), top
    decided = n - reviews
    return Band(label, bottom, upper, n, reviews / n, left, left / decided if decided else None)


def bands(
    labels: Sequence[str],
    p: Floats,
    target: Floats,
    *,
    budget: float | None = None,
    risk: float | None = None,
    tops: Sequence[float] | None = None,
) -> tuple[Band, ...]:
    """A band for each label of (n, k) scores and targets.

    budget: largest share of *records* with a score in some label's band; every label gets the same
        budget of its own, the largest for which that holds. risk: for every label by itself.
    tops: of each label, see `band`.
    """
    columns = list(zip(labels, p.T, target.T, tops or [None] * len(labels), strict=True))

    def sized(**limit: float | None) -> tuple[Band, ...]:
        return tuple(
            band(label, scores, goal, top=top, **limit) for label, scores, goal, top in columns
        )

    if budget is None:
        return sized(risk=risk)
    for share in budget * np.linspace(1, 1 / len(labels), 25):
        result = sized(budget=float(share), risk=risk)
        if review_load(p, result) <= budget:
            return result
    return sized(budget=budget / len(labels))


def review_load(p: Floats, bands: Sequence[Band]) -> float:
    """Share of records of which some label's score lies in its band."""
    low, high = (
        np.array([np.inf if end is None else end for end in ends])
        for ends in ([b.low for b in bands], [b.high for b in bands])
    )
    inside = (p >= low) & (p < high)
    return float(inside.any(axis=1).mean())
