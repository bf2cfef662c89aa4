"""Fitting one curve per label, or one for all; rare labels borrow from the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from labelmass._types import Floats
from labelmass.calibration.base import Method, Parameters
from labelmass.errors import FitError

MIN_POSITIVES = 20
"""Positives, or negatives, in soft counts, below which a label borrows from the others."""

NONE: Floats = np.empty(0)


@dataclass(frozen=True, slots=True)
class Curve:
    """The calibrator of one label, or of all of them.

    records: cells it was fitted on; of them `positives`, a soft count: the sum of the targets.
    borrowed: weight, in records, of the other labels' cells in the fit; 0 for own cells alone.
    """

    parameters: Parameters
    records: int
    positives: float
    borrowed: float = 0.0

    @property
    def sparse(self) -> bool:
        """True if it has fewer than `MIN_POSITIVES` positives or negatives of its own."""
        return min(self.positives, self.records - self.positives) < MIN_POSITIVES

    def to_dict(self) -> dict[str, Any]:
        return {
            "records": self.records,
            "positives": self.positives,
            "borrowed": self.borrowed,
            "parameters": dict(self.parameters),
        }


def fit_curves(method: Method, p: Floats, target: Floats, shared: bool) -> tuple[Curve, ...]:
    """A curve per label, or one if shared, from (n, k) scores and targets; NaN cells are left out.

    A label with fewer than `MIN_POSITIVES` positives or negatives is fitted on its own cells and,
    at a total weight of `MIN_POSITIVES` records, all known cells of the other labels: the fewer its
    own, the nearer the shared curve. FitError if no cell is known.
    """
    known = ~(np.isnan(p) | np.isnan(target))
    if not known.any():
        raise FitError("nothing to calibrate on: no record has both a score and a known target")
    if shared:
        return (_fit(method, p[known], target[known]),)
    return tuple(_of_label(method, p, target, known, label) for label in range(p.shape[1]))


def _of_label(method: Method, p: Floats, target: Floats, known: Any, label: int) -> Curve:
    own = known[:, label]
    own_p, goal = p[own, label], target[own, label]
    others = known.copy()
    others[:, label] = False
    if min(goal.sum(), (1 - goal).sum()) >= MIN_POSITIVES or not others.any():
        return _fit(method, own_p, goal)
    return _fit(method, own_p, goal, p[others], target[others])


def _fit(
    method: Method,
    p: Floats,
    target: Floats,
    others: Floats = NONE,
    their_target: Floats = NONE,
) -> Curve:
    borrowed = float(MIN_POSITIVES) if len(others) else 0.0
    weight = np.concatenate([np.ones(len(p)), np.full(len(others), borrowed / max(len(others), 1))])
    parameters = method.fit(
        np.concatenate([p, others]), np.concatenate([target, their_target]), weight
    )
    return Curve(parameters, len(p), float(target.sum()), borrowed)


def apply_curves(method: Method, curves: tuple[Curve, ...], p: Floats) -> Floats:
    """(n, k) scores through their label's curve, or through the one there is."""
    if len(curves) == 1:
        return method.apply(curves[0].parameters, p)
    columns = (method.apply(curve.parameters, p[:, label]) for label, curve in enumerate(curves))
    return np.stack(list(columns), axis=1)
