"""One label's logistic regression on soft targets, by scikit-learn."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from labelmass._types import Floats

P = ParamSpec("P")
T = TypeVar("T")

Features = Any
"""(n, d) float64: an array, or a sparse matrix of scipy in CSR form."""

MAX_ITERATIONS = 2000
"""Iterations of a fit."""


@dataclass(frozen=True, slots=True, eq=False)
class LinearFit:
    """Log-odds of a label: weights (d,) . x + intercept.

    converged: within `MAX_ITERATIONS` iterations.
    """

    weights: Floats
    intercept: float
    converged: bool = True

    def __call__(self, x: Features) -> Floats:
        """(n,) P(label)."""
        from scipy.special import expit

        return expit(x @ self.weights + self.intercept)


def one_thread(function: Callable[P, T]) -> Callable[P, T]:
    """The function with one thread for linear algebra: those of thousands of small fits would wait.

    The former number comes back after each call.
    """
    return threadpool_limits.wrap(limits=1)(function)


def base_rate(share: Floats, pooled: float) -> float:
    """Mean of (n,) shares, shrunk as by one more record with the share pooled over all labels."""
    return float((share.sum() + pooled) / (len(share) + 1))


def constant_head(width: int, rate: float) -> LinearFit:
    """The line that gives everything the same probability."""
    from scipy.special import logit

    return LinearFit(np.zeros(width), float(logit(rate)))


def fit_lines(
    x: Features, share: Floats, strengths: Sequence[float], tolerance: float = 1e-6
) -> Iterator[LinearFit]:
    """The line of least loss for each strength C, of (n,) shares that are not all 0 or all 1.

    The loss is w . w / 2 + C * sum of the cross-entropies: a share h counts as a positive of weight
    h and a negative of weight 1 - h. The intercept is free. tolerance: largest entry of the
    gradient, the loss being divided by n C.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    rows = [np.flatnonzero(share > 0), np.flatnonzero(share < 1)]
    both = x[np.concatenate(rows)]
    truth = np.repeat([1, 0], [len(some) for some in rows])
    weight = np.concatenate([share[rows[0]], 1 - share[rows[1]]])
    model: Any = LogisticRegression(tol=tolerance, max_iter=MAX_ITERATIONS, warm_start=True)
    for strength in strengths:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # it is reported
            model.set_params(C=strength).fit(both, truth, sample_weight=weight)
        yield LinearFit(
            model.coef_[0].copy(),
            float(model.intercept_[0]),
            int(model.n_iter_[0]) < MAX_ITERATIONS,
        )
