"""Calibrators with one to three parameters: a logistic curve of features of the score.

Each is the one minimum of a convex loss, the cross-entropy against soft targets, with slopes kept
at 0 or above. Formulas: docs/formulas.md#calibration. Sources: P1 (Platt, there fitted on
log-odds against `none`); Guo et al. 2017 (temperature); Kull, Silva Filho and Flach 2017 (beta).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from labelmass._math import EDGE, log_odds
from labelmass._types import Floats
from labelmass.calibration.base import Method, Parameters

RIDGE = 1e-6
"""Pull towards the identity, in units of the summed loss: finite parameters on separable data."""

NAMES: dict[str, tuple[tuple[str, ...], bool]] = {
    "temperature": (("slope",), False),
    "platt": (("slope",), True),
    "beta": (("a", "b"), True),
}
"""Slopes of each method, all 1 in the identity, and whether it has an intercept."""


def _features(slopes: Sequence[str], intercept: bool, p: Floats) -> Floats:
    """(n, d): log-odds, or beta's ln p and -ln(1 - p); then ones for the intercept."""
    p = p.ravel()
    columns = [log_odds(p)]
    if len(slopes) == 2:
        p = np.clip(p, EDGE, 1 - EDGE)
        columns = [np.log(p), -np.log1p(-p)]
    return np.stack([*columns, np.ones_like(p)] if intercept else columns, axis=1)


def _fit(name: str, p: Floats, target: Floats, weight: Floats) -> Parameters:
    slopes, intercept = NAMES[name]
    theta = fit_logistic(_features(slopes, intercept, p), target, weight, len(slopes))
    return dict(zip([*slopes, "intercept"], theta.tolist(), strict=False))


def _apply(name: str, parameters: Parameters, p: Floats) -> Floats:
    from scipy.special import expit

    slopes, intercept = NAMES[name]
    keys = [*slopes, "intercept"] if intercept else slopes
    theta = np.array([parameters[key] for key in keys])
    return expit(_features(slopes, intercept, p) @ theta).reshape(p.shape)


def fit_logistic(x: Floats, target: Floats, weight: Floats, slopes: int) -> Floats:
    """(d,) coefficients of (n, d) features; the first `slopes` of them stay at 0 or above.

    A minimum under such bounds is the free minimum of one face, so every face is tried.
    """
    results: list[tuple[float, Floats]] = []
    for count in range(slopes + 1):
        for zero in combinations(range(slopes), count):
            free = [column for column in range(x.shape[1]) if column not in zero]
            theta = np.zeros(x.shape[1])
            if free:
                start = np.array([float(column < slopes) for column in free])
                theta[free], loss = _newton(x[:, free], target, weight, start)
            else:
                loss = float(weight.sum() * np.log(2))
            if (theta[:slopes] >= 0).all():
                results.append((loss + RIDGE / 2 * len(zero), theta))
    return min(results, key=lambda pair: pair[0])[1]


def _newton(x: Floats, target: Floats, weight: Floats, start: Floats) -> tuple[Floats, float]:
    from scipy.optimize import minimize
    from scipy.special import expit

    def loss(theta: Floats) -> tuple[float, Floats]:
        z = x @ theta
        away = theta - start
        value = weight @ (np.logaddexp(0, z) - target * z) + RIDGE / 2 * away @ away
        return float(value), x.T @ (weight * (expit(z) - target)) + RIDGE * away

    def curvature(theta: Floats) -> Floats:
        q = expit(x @ theta)
        return x.T @ (x * (weight * q * (1 - q))[:, None]) + RIDGE * np.eye(len(theta))

    done: Any = minimize(
        loss,
        start,
        jac=True,
        hess=curvature,
        method="trust-exact",
        options={"gtol": 1e-9, "maxiter": 500},
    )
    return done.x, float(done.fun)


def _method(name: str, summary: str, source: str) -> Method:
    slopes, intercept = NAMES[name]
    numbers = (*slopes, "intercept") if intercept else slopes
    return Method(name, summary, source, partial(_fit, name), partial(_apply, name), numbers)


TEMPERATURE = _method(
    "temperature", "log-odds times a slope (1 / temperature)", "Guo et al. 2017, arXiv 1706.04599"
)
PLATT = _method("platt", "log-odds times a slope plus an intercept", "P1; Platt 1999")
BETA = _method(
    "beta", "a ln p - b ln(1 - p) + c, as log-odds", "Kull, Silva Filho and Flach 2017, AISTATS"
)
