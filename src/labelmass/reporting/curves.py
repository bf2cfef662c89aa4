"""The numbers of the curves: reliability, risk and coverage, precision and recall, error tradeoff.

Formulas: docs/formulas.md#evaluation. Pure functions of arrays; NaN is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelmass.decisions.thresholds import Sweep
from labelmass.evaluation.calibration import BINS, equal_width

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MAX_POINTS = 100
"""Points of a curve that are kept; more are thinned, evenly by rank."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """Cells in BINS equally wide bins of P; only bins that hold some.

    low, high: the bin. n: its cells. p, h: their mean P and mean share. error: sum over bins of
    (share of the cells) |p - h|, None without cells.
    """

    cells: int
    error: float | None
    low: tuple[float, ...]
    high: tuple[float, ...]
    n: tuple[int, ...]
    p: tuple[float, ...]
    h: tuple[float, ...]


def reliability(p: Floats, h: Floats) -> Reliability:
    """p, h: probabilities and shares of any one shape."""
    known = ~(np.isnan(p) | np.isnan(h))
    p, h = p[known], h[known]
    bins = equal_width(p)
    count = np.bincount(bins, minlength=BINS)
    there = np.flatnonzero(count)
    n = count[there]
    ps = np.bincount(bins, p, BINS)[there] / n
    hs = np.bincount(bins, h, BINS)[there] / n
    error = float((n * np.abs(ps - hs)).sum() / len(p)) if len(p) else None
    return Reliability(
        len(p),
        error,
        _plain(there / BINS),
        _plain((there + 1) / BINS),
        tuple(n.tolist()),
        _plain(ps),
        _plain(hs),
    )


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """Risk-coverage curve.

    confidence: least confidence that is kept; coverage: share of the records kept; risk: their mean
    loss. Records of equal confidence are kept together. ideal: (coverage, risk) if confidence
    knew the loss. full: the mean loss of all.
    """

    records: int
    full: float | None
    confidence: tuple[float, ...]
    coverage: tuple[float, ...]
    risk: tuple[float, ...]
    ideal: tuple[tuple[float, float], ...]

    def at(self, least: float) -> float | None:
        """The risk where at least this share is kept, as few as can be."""
        pairs = zip(self.coverage, self.risk, strict=True)
        return next((risk for coverage, risk in pairs if coverage >= least - 1e-12), None)


def risk_coverage(confidence: Floats, loss: Floats) -> RiskCoverage:
    """confidence, loss: (n,)."""
    known = ~(np.isnan(confidence) | np.isnan(loss))
    confidence, loss = confidence[known], loss[known]
    if not len(loss):
        return RiskCoverage(0, None, (), (), (), ())
    order = np.argsort(-confidence, kind="stable")
    sure, lost = confidence[order], np.cumsum(loss[order])
    ends = _thin(np.flatnonzero(np.append(np.diff(sure) != 0, True)))
    kept = ends + 1
    best = np.cumsum(np.sort(loss))
    knees = _thin(np.arange(len(loss)))
    return RiskCoverage(
        len(loss),
        float(loss.mean()),
        _plain(sure[ends]),
        _plain(kept / len(loss)),
        _plain(lost[ends] / kept),
        tuple(zip(_plain((knees + 1) / len(loss)), _plain(best[knees] / (knees + 1)), strict=True)),
    )


def confidence(p: Floats, chosen: Bools, *, single: bool) -> Floats:
    """(n,) how sure a method is of its label sets, by its own probabilities.

    The share of a record's labels it expects to have right: the mean of P over the labels it gives
    and 1 - P over the others. single: the largest P.
    """
    if single:
        return np.where(np.isnan(p).any(axis=1), np.nan, np.nan_to_num(p).max(axis=1))
    return np.where(chosen, p, 1 - p).mean(axis=1)


def set_loss(chosen: Bools, gold: Floats, rows: Bools, *, single: bool) -> Floats:
    """(n,) share of a record's known cells that are wrong; single: 1 if any is. NaN: none known."""
    known = ~np.isnan(gold) & rows[:, None]
    wrong = (known & (chosen != (gold > 0))).sum(axis=1)
    cells = known.sum(axis=1)
    loss = (wrong > 0).astype(np.float64) if single else wrong / np.maximum(cells, 1)
    return np.where(cells > 0, loss, np.nan)


@dataclass(frozen=True, slots=True)
class PrecisionRecall:
    """One label: its sets P >= threshold, from the highest threshold down.

    ap: average precision, the area under the steps. records, positives: what was counted. at: the
    precision and recall of the sets that were judged; precision None if none is given.
    """

    label: str
    records: int
    positives: int
    ap: float
    threshold: tuple[float, ...]
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    at: tuple[float | None, float]


def precision_recall(label: str, p: Floats, gold: Floats, chosen: Bools) -> PrecisionRecall | None:
    """p, gold, chosen: (n,). None for a label whose known cells are all of one class."""
    from sklearn.metrics import average_precision_score, precision_recall_curve

    known = ~(np.isnan(p) | np.isnan(gold))
    p, positive, given = p[known], gold[known] > 0, chosen[known]
    if not len(p) or positive.all() or not positive.any():
        return None
    precision, recall, threshold = precision_recall_curve(positive, p)
    keep = _thin(np.arange(len(threshold)))[::-1]
    right = int((given & positive).sum())
    return PrecisionRecall(
        label,
        len(p),
        int(positive.sum()),
        float(average_precision_score(positive, p)),
        _plain(threshold[keep]),
        _plain(precision[keep]),
        _plain(recall[keep]),
        (right / int(given.sum()) if given.any() else None, right / int(positive.sum())),
    )


@dataclass(frozen=True, slots=True)
class ErrorTradeoff:
    """Detection error tradeoff of one label, P >= threshold, from the highest threshold down.

    flagged: share of the records that are given the label. false_positive_rate: the same of those
    without it. miss_rate: share of those with it that are not given it. at: false-positive rate and
    miss rate of other ways to decide, by name.
    """

    label: str
    records: int
    positives: int
    threshold: tuple[float, ...]
    flagged: tuple[float, ...]
    false_positive_rate: tuple[float, ...]
    miss_rate: tuple[float, ...]
    at: Mapping[str, tuple[float, float]]


def error_tradeoff(
    label: str, p: Floats, gold: Floats, given: Mapping[str, Bools]
) -> ErrorTradeoff | None:
    """p, gold: (n,); given: (n,) by name. None for a label whose known cells are of one class."""
    known = ~(np.isnan(p) | np.isnan(gold))
    if not known.any():
        return None
    sweep = Sweep.of(p, gold)
    if not sweep.positives or not sweep.negatives:
        return None
    positive = gold[known] > 0
    keep = _thin(np.arange(len(sweep.thresholds)))[1:]  # the first is: never
    return ErrorTradeoff(
        label,
        int(known.sum()),
        int(positive.sum()),
        _plain(sweep.thresholds[keep]),
        _plain((sweep.right + sweep.wrong)[keep] / known.sum()),
        _plain(sweep.false_positive_rate[keep]),
        _plain(1 - sweep.recall[keep]),
        {
            name: (float(one[known][~positive].mean()), float((~one[known][positive]).mean()))
            for name, one in given.items()
        },
    )


def _thin(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """At most MAX_POINTS of them, the first and the last among these."""
    if len(places) <= MAX_POINTS:
        return places
    return places[np.linspace(0, len(places) - 1, MAX_POINTS).round().astype(np.int64)]


def _plain(values: NDArray[np.floating]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
