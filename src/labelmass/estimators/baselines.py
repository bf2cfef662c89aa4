"""What any method must beat: numbers that do not look at the record. Source: METHODS B."""

from __future__ import annotations

import numpy as np

from labelmass.answers.search import Needs
from labelmass.answers.tree import Normalisation
from labelmass.estimators.base import Estimator, LabelScores, Trees
from labelmass.task import Task

CONSTANT = 0.1
"""The probability that `constant` gives every label."""


def constant(trees: Trees, normalisation: Normalisation, task: Task) -> LabelScores:
    """The same for every label of every record."""
    return LabelScores.exactly(task.label_names, np.full(len(task.labels), CONSTANT))


def base_rate(trees: Trees, normalisation: Normalisation, task: Task) -> LabelScores:
    """The share of the task's demonstrations, shown or not, that have the label."""
    pool = task.demonstrations.examples
    shares = [sum(name in example.labels for example in pool) for name in task.label_names]
    return LabelScores.exactly(task.label_names, np.array(shares) / len(pool))


def _needs_pool(task: Task) -> str | None:
    if task.demonstrations.examples:
        return None
    return "the task has no demonstrations to take the shares from"


CONSTANTLY = Estimator(
    "constant",
    f"{CONSTANT:g} for every label",
    "baseline",
    "nothing",
    Needs(tree=False),
    constant,
)
BASE_RATE = Estimator(
    "base-rate",
    "share of the task's demonstrations that have the label",
    "baseline",
    "nothing",
    Needs(tree=False),
    base_rate,
    _needs_pool,
)
