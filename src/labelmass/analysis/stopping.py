"""Stopping: the last step against its label distribution and the boundary after its label.

Formulas: docs/formulas.md#stopping.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from labelmass._types import Floats
from labelmass.analysis.answer import Answer, Kind, LabelStep
from labelmass.analysis.counts import Spread
from labelmass.analysis.spikiness import entropy

BINS = 10
"""Bins of equal width of the calibration of P(stop)."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """One number at last and at intermediate steps.

    difference: mean at last less mean at intermediate steps. ks: Kolmogorov-Smirnov distance.
    auroc: P(larger at a last step than at an intermediate one), a tie counting half. None where
    there are no steps of one kind.
    """

    last: Spread
    intermediate: Spread
    difference: float | None
    ks: float | None
    auroc: float | None


@dataclass(frozen=True, slots=True)
class Bin:
    """Boundaries whose P(stop) lies in [low, high), or 1 in the last: n, mean, share that ended."""

    low: float
    high: float
    n: int
    p: float | None
    stopped: float | None


@dataclass(frozen=True, slots=True)
class Stopping:
    """Last against intermediate steps.

    steps: contrasts of top, second and entropy of p_r. boundary: the contrast of P(stop).
    bins, error, brier: calibration of P(stop) against what the greedy answer did; error is the
    mean over boundaries of |mean P(stop) - share that ended| of their bin. width: of the intervals
    of P(stop). undecided: labels written by one token with others, so that no row decides.
    """

    steps: Mapping[str, Contrast]
    boundary: Contrast
    bins: tuple[Bin, ...]
    error: float | None
    brier: float | None
    width: Spread
    undecided: int


def stopping(answers: Sequence[Answer]) -> Stopping:
    """The greedy answer takes the likelier branch, so what it did is a step at P(stop) = 1/2."""
    label_steps = [
        label_step
        for answer in answers
        for label_step in answer.label_steps
        if label_step.label is not None
    ]
    read = [label_step for label_step in label_steps if label_step.p is not None]
    boundaries = [label_step for label_step in label_steps if label_step.stop is not None]
    p = np.array([label_step.stop for label_step in boundaries], dtype=np.float64)
    ended = np.array([label_step.kind is Kind.LAST for label_step in boundaries], dtype=np.float64)
    bins = _bins(p, ended)
    gaps = [b.n * abs(b.p - b.stopped) for b in bins if b.p is not None and b.stopped is not None]
    return Stopping(
        {
            "top": _contrast(read, lambda label_step: float(label_step.ranked[0])),
            "second": _contrast(read, lambda label_step: float(label_step.ranked[1])),
            "entropy": _contrast(read, lambda label_step: entropy(label_step.ranked)),
        },
        _contrast(boundaries, lambda label_step: label_step.stop or 0.0),
        bins,
        sum(gaps) / len(p) if len(p) else None,
        float(((p - ended) ** 2).mean()) if len(p) else None,
        Spread.of(label_step.stop_width for label_step in boundaries),
        sum(len(answer.written) for answer in answers) - len(boundaries),
    )


def _contrast(label_steps: Sequence[LabelStep], read: Callable[[LabelStep], float]) -> Contrast:
    last = [read(label_step) for label_step in label_steps if label_step.kind is Kind.LAST]
    going_on = [
        read(label_step) for label_step in label_steps if label_step.kind is Kind.INTERMEDIATE
    ]
    spreads = Spread.of(last), Spread.of(going_on)
    if not last or not going_on:
        return Contrast(*spreads, None, None, None)
    one, other = np.sort(last), np.sort(going_on)
    below = np.searchsorted(other, one, "left") + np.searchsorted(other, one, "right")
    both = np.concatenate([one, other])
    reached = [np.searchsorted(x, both, "right") / len(x) for x in (one, other)]
    return Contrast(
        *spreads,
        float(one.mean() - other.mean()),
        float(np.abs(reached[0] - reached[1]).max()),
        float(below.mean() / 2 / len(other)),
    )


def _bins(p: Floats, ended: Floats) -> tuple[Bin, ...]:
    at = np.minimum((p * BINS).astype(np.int64), BINS - 1)
    results: list[Bin] = []
    for number in range(BINS):
        inside = at == number
        n = int(inside.sum())
        means = (float(p[inside].mean()), float(ended[inside].mean())) if n else (None, None)
        results.append(Bin(number / BINS, (number + 1) / BINS, n, *means))
    return tuple(results)
