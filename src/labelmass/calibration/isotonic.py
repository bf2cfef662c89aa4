"""Calibrators without a shape: isotonic regression and Venn-Abers.

Sources: Zadrozny and Elkan 2002; Vovk, Petej and Fedorova 2015, arXiv 1511.00213.
"""

from __future__ import annotations

import numpy as np

from labelmass._types import Floats
from labelmass.calibration.base import Method, Parameters


def _fit_isotonic(p: Floats, target: Floats, weight: Floats) -> Parameters:
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    fitted.fit(p, target, sample_weight=weight)
    return {"x": fitted.X_thresholds_.tolist(), "y": fitted.y_thresholds_.tolist()}


def _apply_isotonic(parameters: Parameters, p: Floats) -> Floats:
    curve = np.interp(p, parameters["x"], parameters["y"])
    return np.where(np.isnan(p), np.nan, curve)


def _fit_venn_abers(p: Floats, target: Floats, weight: Floats) -> Parameters:
    """x: (m,) distinct scores; p0, p1: (m + 1,) values between them, see `insertions`."""
    x, at = np.unique(p, return_inverse=True)
    total = np.bincount(at, weight).astype(np.float64)
    mean = np.bincount(at, weight * target) / total
    p0, p1 = (insertions(mean, total, new) for new in (0.0, 1.0))
    return {"x": x.tolist(), "p0": p0.tolist(), "p1": p1.tolist()}


def _apply_venn_abers(parameters: Parameters, p: Floats) -> Floats:
    """p1 / (1 - p0 + p1): the minimax point for log loss, section 4 of the paper.

    A score tied with one of x pools with it: with target 0 as if just above, with 1 as if below.
    """
    x = parameters["x"]
    p0 = np.asarray(parameters["p0"])[np.searchsorted(x, p, "right")]
    p1 = np.asarray(parameters["p1"])[np.searchsorted(x, p, "left")]
    return np.where(np.isnan(p), np.nan, p1 / (1 - p0 + p1))


def insertions(mean: Floats, weight: Floats, new: float) -> Floats:
    """(m + 1,) the isotonic value of a point of weight 1 and target `new`, put before each cell.

    mean, weight: (m,) of the distinct scores, ascending. Pooling adjacent violators may be done in
    any order: all before the point, all after it, then around it.
    """
    m = len(mean)
    before = _blocks(mean, weight)
    after = _blocks(-mean[::-1], weight[::-1])
    values = np.empty(m + 1)
    for i in range(m + 1):
        left, right, total, summed = i, m - i, 1.0, new
        while True:
            if left and (block := before[left - 1])[2] / block[1] >= summed / total:
                left, sign = block[0], 1.0
            elif right and -(block := after[right - 1])[2] / block[1] <= summed / total:
                right, sign = block[0], -1.0
            else:
                break
            total += block[1]
            summed += sign * block[2]
        values[i] = summed / total
    return np.clip(values, 0.0, 1.0)


def _blocks(mean: Floats, weight: Floats) -> list[tuple[int, float, float]]:
    """For each cell, the last block of the isotonic fit of the cells up to it: start, weight, sum.

    The block before it is the last one of the cells up to its start.
    """
    results: list[tuple[int, float, float]] = []
    for i, (value, w) in enumerate(zip(mean.tolist(), weight.tolist(), strict=True)):
        start, total, summed = i, w, w * value
        while start and (block := results[start - 1])[2] / block[1] >= summed / total:
            start, total, summed = block[0], total + block[1], summed + block[2]
        results.append((start, total, summed))
    return results


ISOTONIC = Method(
    "isotonic",
    "the best non-decreasing curve, linear between scores; can reach 0 and 1",
    "Zadrozny and Elkan 2002",
    _fit_isotonic,
    _apply_isotonic,
    lists=("x", "y"),
)
VENN_ABERS = Method(
    "venn-abers",
    "two isotonic fits, with the new score as a negative and as a positive, merged",
    "Vovk, Petej and Fedorova 2015, arXiv 1511.00213",
    _fit_venn_abers,
    _apply_venn_abers,
    lists=("x", "p0", "p1"),
    longer=("p0", "p1"),
)
