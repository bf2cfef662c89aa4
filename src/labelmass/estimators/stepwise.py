"""Readings of label steps: `first-step`, `compare-to-none`, `max-over-generations` (P1)."""

from __future__ import annotations

import numpy as np

from labelmass.answers.search import Needs
from labelmass.answers.steps import label_steps, require_tries
from labelmass.answers.tree import AnswerTree, Normalisation
from labelmass.errors import MethodError
from labelmass.estimators.base import Estimator, LabelScores, of_answer
from labelmass.task import Task


def first_step(tree: AnswerTree, normalisation: Normalisation = Normalisation.RAW) -> LabelScores:
    """p_1: the label-restricted softmax where the answer starts. Sums to 1 with `none`."""
    require_tries(tree, 1, "first-step")
    low, high = label_steps(tree, 1)[0].restricted()
    return LabelScores.between(tree.labels, low[:-1], high[:-1])


def compare_to_none(
    tree: AnswerTree, normalisation: Normalisation = Normalisation.RAW
) -> LabelScores:
    """p_1(label) / (p_1(label) + p_1(none)): the label against the empty answer alone."""
    if not tree.has_none:
        raise MethodError(f"compare-to-none: {_NO_NONE}")
    require_tries(tree, 1, "compare-to-none")
    step = label_steps(tree, 1)[0]
    label, none = step.low[:-1], step.low[-1]
    total = label + none + step.open
    low = np.divide(label, total, out=np.zeros_like(label), where=total > 0)
    high = np.divide(label + step.open, total, out=np.ones_like(label), where=total > 0)
    return LabelScores.between(tree.labels, low, high)


def max_over_generations(
    tree: AnswerTree, normalisation: Normalisation = Normalisation.RAW
) -> LabelScores:
    """The largest p_r(label) over the steps r of the greedy path. Never below first-step."""
    require_tries(tree, None, "max-over-generations")
    pairs = [step.restricted() for step in label_steps(tree)]
    low = np.max([low for low, _ in pairs], axis=0)
    high = np.max([high for _, high in pairs], axis=0)
    return LabelScores.between(tree.labels, low[:-1], high[:-1])


_NO_NONE = "the answer format cannot write an empty answer, so there is no `none` to compare with"


def _needs_none(task: Task) -> str | None:
    return _NO_NONE if task.format.none is None else None


def _needs_lists(task: Task) -> str | None:
    single = task.format.single
    return "not defined where exactly one label is written; use first-step" if single else None


FIRST_STEP = Estimator(
    "first-step",
    "share of the label among all labels and `none` where the answer starts",
    "P1, section 3",
    "one label trie",
    Needs(tree=False, tries=1),
    of_answer(first_step),
)
COMPARE_TO_NONE = Estimator(
    "compare-to-none",
    "the label against the empty answer where the answer starts",
    "P1, section 5",
    "one label trie",
    Needs(tree=False, tries=1),
    of_answer(compare_to_none),
    _needs_none,
)
MAX_OVER_GENERATIONS = Estimator(
    "max-over-generations",
    "the label's largest share over the steps of the greedy answer",
    "P1, section 5",
    "one label trie per step",
    Needs(tree=False, tries=None),
    of_answer(max_over_generations),
    _needs_lists,
)
