"""Bradley-Terry: one strength for each contestant from who was preferred to whom."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RIDGE = 0.01
"""Weight of the squared strengths in the loss, that of P1's code: keeps a winner of all finite."""


def strengths(
    preferred: NDArray[np.float64], reference: int | None = None, ridge: float = RIDGE
) -> NDArray[np.float64]:
    """(n,) strengths s that minimise, over the pairs i < j that were asked,

        - sum p ln sigmoid(s_i - s_j) + (1 - p) ln sigmoid(s_j - s_i)  + ridge * |s|^2.

    preferred: (n, n), p of i over j in [0, 1]; NaN where the pair was not asked. Read above the
        diagonal only.
    reference: whose strength is 0, outside the ridge; None to leave it to the ridge.
    The loss is convex with one minimum, so the result does not depend on a start. It is that of a
    logistic regression on the differences, each pair standing in it once for either outcome.
    """
    from sklearn.linear_model import LogisticRegression  # slow to import, and seldom wanted

    n = len(preferred)
    first, second = np.triu_indices(n, 1)
    compared = ~np.isnan(preferred[first, second])
    first, second = first[compared], second[compared]
    p = preferred[first, second]
    result = np.zeros(n)
    if not len(p):
        return result
    design = np.zeros((len(p), n))
    design[np.arange(len(p)), first] = 1.0
    design[np.arange(len(p)), second] = -1.0
    free = np.array([i for i in range(n) if i != reference])
    solver = LogisticRegression(
        C=1 / (2 * ridge), fit_intercept=False, solver="newton-cholesky", tol=1e-10, max_iter=1000
    )
    outcome = np.repeat([1, 0], len(p))
    solver.fit(np.tile(design[:, free], (2, 1)), outcome, np.concatenate([p, 1 - p]))
    result[free] = solver.coef_[0]
    return result
