"""Rows every comparison holds: shares that do not look at the text.

Formulas: docs/formulas.md#baselines.

Nothing is fitted on what it is judged on: the records are dealt into folds, by group, and each fold
gets the shares of the others.
"""

from __future__ import annotations

import numpy as np

from labelmass.evaluation.bootstrap import Bootstrap
from labelmass.evaluation.statistic import column_means, mean_defined
from labelmass.scores import Scores
from labelmass.targets import Targets

FOLDS = 5


def cross_fitted(targets: Targets, seed: int = 0) -> dict[str, Scores]:
    """`constant` and `base-rate`: the pooled share, and each label's share, of the other folds.

    A label nobody judged in the other folds gets the pooled share.
    """
    group = Bootstrap.of(len(targets), targets.groups).group
    count = int(group.max(initial=-1)) + 1
    folds = max(min(FOLDS, count), 1)
    fold = (np.random.default_rng([seed, 2]).permutation(count) % folds)[group]
    constant = np.full(targets.shares.shape, np.nan)
    rate = constant.copy()
    for one in range(folds):
        others = targets.shares[fold != one]
        known = ~np.isnan(others)
        pooled = mean_defined(others.reshape(1, -1))[0]
        constant[fold == one] = pooled
        means = column_means(others, known)
        rate[fold == one] = np.where(np.isnan(means), pooled, means)
    how = f"of the other folds ({folds} folds{' by group' if targets.groups else ''}, seed {seed})"
    ids, labels = targets.ids, targets.labels
    return {
        "constant": Scores.of(
            ids, labels, constant, method="constant", note=f"share over all labels {how}"
        ),
        "base-rate": Scores.of(
            ids,
            labels,
            rate,
            method="base-rate",
            note=f"share of each label {how}; its AUC within a label lies below .5, as a fold rich "
            "in a label gets the share of folds poor in it",
        ),
    }
