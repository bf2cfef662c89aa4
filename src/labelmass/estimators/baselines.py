"""Baselines that do not look at the record.

`constant` and `base-rate`, which evaluations add, are found on labelled records, not here.
"""

from __future__ import annotations

import numpy as np

from labelmass._types import Normalisation
from labelmass.answers.search import Requirements
from labelmass.estimators.base import Estimator, LabelScores, Trees
from labelmass.task import Task


def demonstration_rate(trees: Trees, normalisation: Normalisation, task: Task) -> LabelScores:
    """The share of the task's demonstrations, shown or not, that have the label."""
    pool = task.demonstrations.examples
    shares = [sum(name in example.labels for example in pool) for name in task.label_names]
    return LabelScores.exactly(task.label_names, np.array(shares) / len(pool))


def _lacks_pool(task: Task) -> str | None:
    if task.demonstrations.examples:
        return None
    return "the task has no demonstrations to take the shares from"


DEMONSTRATION_RATE = Estimator(
    "demonstration-rate",
    "share of the task's demonstrations that have the label",
    "baseline",
    "nothing",
    Requirements(tree=False),
    demonstration_rate,
    _lacks_pool,
)
