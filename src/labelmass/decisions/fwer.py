"""Many hypotheses, one error probability: sequences of thresholds, side by side over labels.

Source: Bretz et al. 2009, A graphical approach to sequentially rejective multiple tests; with one
start and one label it is fixed-sequence testing, with one threshold a label it is Holm's procedure.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

FWER_METHODS = ("holm", "bonferroni")
"""Methods of family-wise control: with and without passing on unused error."""


def reject(
    p: NDArray[np.float64], delta: float, *, starts: int = 1, fwer: str = "holm"
) -> NDArray[np.bool_]:
    """(k, m) which hypotheses are rejected, from their p-values in testing order.

    delta: the probability that any true hypothesis is among them is at most this, whatever the
        dependence. It is split evenly over labels and, in each, over `starts` evenly spaced places.
        A rejected hypothesis hands its share to the next of its label that is not rejected yet; at
        the end of the sequence it goes in equal parts to the labels that have some left, if "holm".
    """
    k, m = p.shape
    level = np.zeros((k, m))
    level[:, np.unique(np.arange(min(starts, m)) * m // min(starts, m))] = 1.0
    level *= delta / level.sum()
    done = np.zeros((k, m), dtype=bool)
    queue = deque((row, column) for row, column in np.argwhere(level > 0).tolist())
    while queue:
        row, column = queue.popleft()
        if done[row, column] or p[row, column] > level[row, column]:
            continue
        done[row, column] = True
        share, level[row, column] = level[row, column], 0.0
        after = np.flatnonzero(~done[row, column:])
        heirs = [(row, column + int(after[0]))] if len(after) else []
        if not heirs and fwer == "holm":
            unspent = np.flatnonzero(~done.all(axis=1)).tolist()
            heirs = [(other, int(np.argmin(done[other]))) for other in unspent]
        for heir in heirs:
            level[heir] += share / len(heirs)
        queue.extend(heirs)
    return done
