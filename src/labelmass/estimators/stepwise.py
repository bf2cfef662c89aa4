"""Estimators from label steps: `first-step`, `compare-to-none`, `max-over-generations` (P1).

All are ratios of what was found, `answers/steps.py`: p is the share of what was found, and the
interval holds whatever the rest could still make of it.
"""

from __future__ import annotations

import numpy as np

from labelmass._types import Normalisation
from labelmass.answers.search import Requirements
from labelmass.answers.steps import Interval, is_idle, label_steps, more_steps, require_label_tries
from labelmass.answers.tree import AnswerTree
from labelmass.errors import MethodError
from labelmass.estimators.base import Estimator, LabelScores, bounds, of_answer
from labelmass.task import Task


def first_step(tree: AnswerTree, normalisation: Normalisation = Normalisation.RAW) -> LabelScores:
    """p_1: the label-restricted softmax where the answer starts. Sums to 1 with the empty answer.

    The same in every normalisation, like the other shares here: what is off-format has none.
    """
    require_label_tries(tree, 1, "first-step")
    return _scores(tree, label_steps(tree, 1)[0].next.shares())


def compare_to_none(
    tree: AnswerTree, normalisation: Normalisation = Normalisation.RAW
) -> LabelScores:
    """p_1(label) / (p_1(label) + p_1(none)): the label against the empty answer alone."""
    if not tree.has_empty:
        raise MethodError(f"compare-to-none: {_NO_NONE}")
    require_label_tries(tree, 1, "compare-to-none")
    p, low, high = label_steps(tree, 1)[0].next.against_empty()
    return LabelScores(tree.labels, p[:-1], low[:-1], high[:-1])


def max_over_generations(
    tree: AnswerTree, normalisation: Normalisation = Normalisation.RAW
) -> LabelScores:
    """The largest p_r(label) over the steps r of the greedy path. Never below first-step.

    A step is where a label is written: a place where one could have begun, as behind a line break,
    and the answer ended, is none (except for the first).
    A step where nothing was found is left out if nothing can come there, and may else be anything,
    as may the steps that a budget kept the greedy path from.
    """
    require_label_tries(tree, None, "max-over-generations")
    steps = [step.next for step in label_steps(tree) if not is_idle(tree, step.node)]
    known = [step.shares() for step in steps if step.mass.any() or step.unknown > 0]
    if not known:
        return _scores(tree, steps[0].shares())
    p, low, high = (np.fmax.reduce(side) for side in zip(*known, strict=True))
    if more_steps(tree):
        high = np.ones_like(high)
    return _scores(tree, Interval(p, low, high))


def _scores(tree: AnswerTree, interval: Interval) -> LabelScores:
    p, low, high = interval
    empty = bounds(low[-1], high[-1], p[-1]) if tree.has_empty else None
    return LabelScores(tree.labels, p[:-1], low[:-1], high[:-1], empty=empty)


_NO_NONE = "the answer format cannot write an empty answer, so there is no `none` to compare with"


def _lacks_empty_answer(task: Task) -> str | None:
    return _NO_NONE if task.format.empty is None else None


def _lacks_lists(task: Task) -> str | None:
    single = task.format.single
    return "not defined where exactly one label is written; use first-step" if single else None


FIRST_STEP = Estimator(
    "first-step",
    "share of the label among all labels and `none` where the answer starts",
    "P1, section 3",
    "one label trie, and what else a label may begin with, to the tolerance",
    Requirements(tree=False, label_tries=1, shares=1),
    of_answer(first_step),
    point="found",
)
COMPARE_TO_NONE = Estimator(
    "compare-to-none",
    "the label against the empty answer where the answer starts",
    "P1, section 5",
    "as first-step, and finer where label and empty answer are rare",
    Requirements(tree=False, label_tries=1, contrast=True),
    of_answer(compare_to_none),
    _lacks_empty_answer,
    point="found",
)
MAX_OVER_GENERATIONS = Estimator(
    "max-over-generations",
    "the label's largest share over the steps of the greedy answer",
    "P1, section 5",
    "that of first-step at every step",
    Requirements(tree=False, label_tries=None, shares=None),
    of_answer(max_over_generations),
    _lacks_lists,
    point="found",
)
