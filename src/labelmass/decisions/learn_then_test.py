"""Learn then Test: thresholds whose precision, recall or false-positive rate holds with confidence.

Source: Angelopoulos et al. 2021, arXiv 2110.01052. Thresholds are tested in an order fixed before
the calibration records are looked at; records enter with the worst outcome over [low, high], so the
guarantee is about the rule that thresholds the exact score.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from labelmass._types import Floats
from labelmass.decisions.fwer import FWER_METHODS, reject
from labelmass.decisions.guarantee import Guarantee
from labelmass.decisions.pvalues import binomial, hoeffding_bentkus
from labelmass.decisions.thresholds import Goal
from labelmass.errors import FitError

GRID: Floats = np.round(1 / (1 + np.exp(-np.arange(-6.9, 6.95, 0.1))), 4)
"""Thresholds tested unless others are given: evenly spaced log-odds, .001 to .999."""

STARTS = 10
"""Places on `GRID` at which testing begins, each with its part of the error."""

SURE = ("precision", "recall", "fpr")
"""Goals that can be guaranteed with confidence."""

MAX_RECORDS = 10**7
"""Records beyond which no number is given."""


@dataclass(frozen=True, slots=True)
class Counts:
    """(m,) for each threshold: how many the risk is a share of, errors among them, the p-value.

    bound: function that gives the p-value of k errors among n, at a level.
    """

    counted: Floats
    errors: Floats
    p: Floats
    bound: Callable[[Floats, Floats, float], Floats] = binomial


def certify(
    labels: Sequence[str],
    low: Floats,
    high: Floats,
    target: Floats,
    goal: Goal,
    *,
    confidence: float = 0.95,
    order: Floats | None = None,
    starts: int | None = None,
    fwer: str = "holm",
) -> tuple[Guarantee, ...]:
    """For each label the threshold that gives most, among those for which the goal is certain.

    goal: "precision>=x", "recall>=x" or "fpr<=x". Recall and false-positive rate need targets of 0
        and 1; for precision, shares do, by the wider Hoeffding-Bentkus bound.
    order: (m,) or (k, m) thresholds in testing order, from other records than these (`sequence`);
        None for `GRID`, from the safe end. starts: how many places to begin at; 1 where an order is
        given, else `STARTS`. fwer: of `FWER_METHODS`.

    NaN cells are left out. All guarantees hold at once with the given confidence.
    """
    if goal.kind not in SURE:
        raise FitError(f"{goal} cannot be guaranteed: {', '.join(SURE)} can")
    if fwer not in FWER_METHODS:
        raise FitError(f"no family-wise control is called {fwer!r}: {' or '.join(FWER_METHODS)}")
    if not 0 < confidence < 1:
        raise FitError(f"a confidence lies between 0 and 1, not {confidence}")
    k = len(labels)
    starts = starts or (STARTS if order is None else 1)
    if order is None:
        order = GRID if goal.kind == "recall" else GRID[::-1]
    tested = np.broadcast_to(order, (k, np.shape(order)[-1]))
    cells = [_known(low[:, column], high[:, column], target[:, column]) for column in range(k)]
    alpha = goal.level if goal.kind == "fpr" else 1 - goal.level
    counts = [
        count(goal.kind, *cell, thresholds, alpha, label)
        for cell, thresholds, label in zip(cells, tested, labels, strict=True)
    ]
    delta = 1 - confidence
    certain = reject(np.stack([c.p for c in counts]), delta, starts=starts, fwer=fwer)
    pick = np.max if goal.kind == "recall" else np.min
    out: list[Guarantee] = []
    for column, (label, c) in enumerate(zip(labels, counts, strict=True)):
        records, fixed = len(cells[column][0]), (label, goal.kind, goal.level, confidence)
        if certain[column].any():
            value = float(pick(tested[column][certain[column]]))
            at = int(np.flatnonzero(certain[column] & (tested[column] == value))[0])
            numbers = float(c.counted[at]), float(c.errors[at]), float(c.p[at])
            out.append(Guarantee(*fixed, value, records, *numbers, k))
        else:
            at = int(np.argmin(c.p))
            numbers = float(c.counted[at]), float(c.errors[at]), float(c.p[at])
            enough = needed(c, records, alpha, delta / (k * starts))
            out.append(Guarantee(*fixed, None, records, *numbers, k, enough))
    return tuple(out)


def sequence(p: Floats, target: Floats, goal: Goal, *, size: int = 50) -> Floats:
    """(k, size) thresholds in testing order, from records other than those to be certified on.

    For each label it begins where the goal looks surest, then goes, by quantiles of the scores,
    towards more recall (for recall: fewer flags): no error is spent where little is flagged.
    """
    alpha = goal.level if goal.kind == "fpr" else 1 - goal.level
    rows: list[Floats] = []
    for column in range(p.shape[1]):
        cell = _known(p[:, column], p[:, column], target[:, column])
        cuts = np.unique(cell[0]) if len(cell[0]) else GRID
        best = cuts[int(np.argmin(count(goal.kind, *cell, cuts, alpha, "").p))]
        rising = goal.kind == "recall"
        beyond = cuts[cuts >= best] if rising else cuts[cuts <= best][::-1]
        rows.append(beyond[np.linspace(0, len(beyond) - 1, size).round().astype(int)])
    return np.stack(rows)


def count(
    kind: str, low: Floats, high: Floats, target: Floats, at: Floats, alpha: float, label: str
) -> Counts:
    """The worst p-value at each threshold over all exact scores within the bounds, with its counts.

    A record that may or may not reach a threshold is taken the way that speaks against the goal.
    """
    soft = bool(((target > 0) & (target < 1)).any())
    if kind == "precision" and soft:
        return _soft_precision(low, high, target, at, alpha)
    if soft:
        raise FitError(
            f"label {label!r}: {kind} with confidence needs targets of 0 and 1, not shares: take "
            "the majority, or control the expected risk"
        )
    yes, no = target == 1, target == 0
    reached = _reaching(low[yes], at)
    wrong = _reaching(high[no], at)
    if kind == "precision":
        counted, errors = reached + wrong, wrong
    elif kind == "recall":
        counted, errors = np.full(len(at), float(yes.sum())), yes.sum() - reached
    else:
        counted, errors = np.full(len(at), float(no.sum())), wrong
    return Counts(counted, errors, binomial(errors, counted, alpha))


def _soft_precision(low: Floats, high: Floats, target: Floats, at: Floats, alpha: float) -> Counts:
    """Counts of wrong labels at each threshold, the worst that the bounds allow.

    Of the records that may reach the threshold, the m largest losses are the worst m, for every m.
    """
    loss = 1 - target
    rows: list[tuple[float, float, float]] = []
    for threshold in at:
        sure = low >= threshold
        maybe = np.sort(loss[~sure & (high >= threshold)])[::-1]
        n = sure.sum() + np.arange(len(maybe) + 1.0)
        total = loss[sure].sum() + np.append(0.0, np.cumsum(maybe))
        p = hoeffding_bentkus(total, n, alpha)
        worst = int(np.argmax(p))
        rows.append((n[worst], total[worst], p[worst]))
    counted, errors, p = np.array(rows).T
    return Counts(counted, errors, p, hoeffding_bentkus)


def _reaching(score: Floats, at: Floats) -> Floats:
    """(m,) how many of the scores are at or above each threshold."""
    return len(score) - np.searchsorted(np.sort(score), at, "left").astype(np.float64)


def needed(counts: Counts, records: int, alpha: float, level: float) -> int | None:
    """About how many records would certify some threshold, if rates stay as they were counted.

    level: the error that the first tested threshold has. A rate is taken half an error higher.
    """
    rate = (counts.errors + 0.5) / (counts.counted + 1)
    hopeful = (rate < alpha) & (counts.counted > 0)
    rate, share = rate[hopeful], counts.counted[hopeful] / max(records, 1)
    too_few, enough = np.zeros_like(rate), np.full_like(rate, MAX_RECORDS)
    for _ in range(int(np.log2(MAX_RECORDS)) + 1):
        middle = np.ceil((too_few + enough) / 2)
        fine = counts.bound(np.ceil(middle * rate), middle, alpha) <= level
        enough, too_few = np.where(fine, middle, enough), np.where(fine, too_few, middle)
    best = float(np.min(enough / share, initial=np.inf))
    return int(np.ceil(max(best, records + 1))) if best < MAX_RECORDS else None


def _known(low: Floats, high: Floats, target: Floats) -> tuple[Floats, Floats, Floats]:
    at = ~(np.isnan(low) | np.isnan(high) | np.isnan(target))
    return low[at], high[at], target[at]
