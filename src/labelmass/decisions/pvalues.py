"""P-values for "the risk is above alpha", from losses of independent records.

Small means: it is not. Source: Angelopoulos et al. 2021, Learn then Test, arXiv 2110.01052.
"""

from __future__ import annotations

import numpy as np

from labelmass._types import Floats


def binomial(errors: Floats, n: Floats, alpha: float) -> Floats:
    """P(Binomial(n, alpha) <= errors): exact for losses of 0 and 1; 1 where n is 0."""
    from scipy.special import betainc

    free = np.asarray(n - errors, dtype=np.float64)
    return np.where(
        free > 0, betainc(np.maximum(free, 1), np.asarray(errors) + 1.0, 1 - alpha), 1.0
    )


def hoeffding_bentkus(total: Floats, n: Floats, alpha: float) -> Floats:
    """For losses in [0, 1] that sum to `total`: the smaller of the two bounds, at most 1."""
    from scipy.special import rel_entr

    n = np.asarray(n, dtype=np.float64)
    mean = np.divide(total, n, out=np.ones_like(n), where=n > 0)
    capped = np.minimum(mean, alpha)
    apart = rel_entr(capped, alpha) + rel_entr(1 - capped, 1 - alpha)
    bentkus = np.e * binomial(np.ceil(total - 1e-9), n, alpha)
    return np.minimum(np.minimum(np.exp(-n * apart), bentkus), 1.0)
