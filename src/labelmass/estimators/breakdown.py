"""Breaking the question down: one label at a time (`unary`), or two (`binary`). Source: P1."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import permutations

import numpy as np

from labelmass._types import Floats, Normalisation
from labelmass.answers.marginals import Marginals
from labelmass.answers.search import Requirements
from labelmass.answers.tree import AnswerTree
from labelmass.estimators.base import Estimator, LabelScores, Trees
from labelmass.estimators.bradley_terry import strengths
from labelmass.task import Task
from labelmass.task.questions import NONE, Question, binary, unary

GREEDY = Requirements(tree=False)
"""Requirement of the greedy answer alone, for the task's own question."""


def unary_scores(trees: Trees, normalisation: Normalisation, task: Task) -> LabelScores:
    """P(yes, given yes or no) for each label by itself; nothing ties the labels together.

    Where exactly one label is right: the softmax of the labels' log-odds.
    """
    bounds = [_first(trees["unary", label]) for label in task.label_names]
    low, high = np.array(bounds, dtype=np.float64).T
    if task.format.single:
        low, high = _shares(low, high)
    return LabelScores.between(task.label_names, low, high)


def binary_scores(trees: Trees, normalisation: Normalisation, task: Task) -> LabelScores:
    """Bradley-Terry over pairs of labels and `none`: sigmoid of the strength above `none`.

    Where exactly one label is right: the softmax of the labels' strengths.
    """
    return _ranked(trees, task, lambda p: p)


def binary_outcome_scores(trees: Trees, normalisation: Normalisation, task: Task) -> LabelScores:
    """As `binary`, of who was preferred and not by how much; a draw counts half to either."""
    return _ranked(trees, task, lambda p: (np.sign(p - 0.5) + 1) / 2)


def contestants(task: Task) -> list[str]:
    """All labels, plus NONE unless exactly one label is allowed."""
    return [*task.label_names, *([] if task.format.single else [NONE])]


def _ranked(trees: Trees, task: Task, outcome: Callable[[Floats], Floats]) -> LabelScores:
    from scipy.special import expit, softmax  # slow to import, and seldom wanted

    names = contestants(task)
    place = {name: index for index, name in enumerate(names)}
    first = np.full((len(names), len(names)), np.nan)  # P(the one shown first is preferred)
    questions = [name for name in trees if name[0] == "binary"]
    if not questions:
        raise KeyError("binary")
    for name in questions:
        first[place[name[1]], place[name[2]]] = np.mean(_first(trees[name]))
    second = 1 - first.T  # the same pair, shown the other way round
    both = np.where(np.isnan(second), first, (first + second) / 2)
    preferred = outcome(np.where(np.isnan(first), second, both))
    k = len(task.labels)
    if task.format.single:
        result = softmax(strengths(preferred))
    else:
        result = expit(strengths(preferred, reference=place[NONE]))[:k]
    unheard = np.all(
        np.isnan(preferred[:k]), axis=1
    )  # no question about it was answered in the format
    return LabelScores.points(task.label_names, np.where(unheard, np.nan, result))


def _first(tree: AnswerTree) -> tuple[float, float]:
    """Bounds of the first word's share among the answers."""
    bounds = Marginals(tree, Normalisation.ON_FORMAT).label(0)
    if bounds.low is None or bounds.high is None:
        return np.nan, np.nan
    return bounds.low, bounds.high


def _shares(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Bounds of a softmax of log-odds: a share is least where its own is least, the others most."""
    odds_low, odds_high = (side / np.maximum(1 - side, 1e-300) for side in (low, high))
    least = odds_low / (odds_low + odds_high.sum() - odds_high)
    most = odds_high / (odds_high + odds_low.sum() - odds_low)
    return least, most


def pairs(task: Task) -> list[tuple[str, str]]:
    """The pairs that are asked, in both orders: all, or a seeded ring of few opponents each."""
    labels, few = list(task.label_names), task.binary.opponents
    if few is None or few >= len(labels) - 1:
        return list(permutations(contestants(task), 2))
    ring = random.Random(f"pairs:{task.seed}").sample(sorted(labels), len(labels))
    met = {
        tuple(sorted((label, ring[(place + reachable) % len(ring)])))
        for place, label in enumerate(ring)
        for reachable in range(1, (few + 1) // 2 + 1)
    }
    met |= {(label, NONE) for label in labels if not task.format.single}
    return [pair for a, b in sorted(met) for pair in ((a, b), (b, a))]


def _binary_questions(task: Task) -> list[Question]:
    return binary(task, pairs(task))


UNARY = Estimator(
    "unary",
    "each label by itself: is it reasonable?",
    "P1, section 5",
    "a short prompt per label",
    GREEDY,
    unary_scores,
    questions=unary,
)
BINARY = Estimator(
    "binary",
    "every two labels (and none) against each other, then Bradley-Terry",
    "P1, section 5",
    "two short prompts per pair",
    GREEDY,
    binary_scores,
    questions=_binary_questions,
)
BINARY_OUTCOME = Estimator(
    "binary-outcome",
    "as binary, of who was preferred and not by how much",
    "P1, section 5",
    "two short prompts per pair, those of binary",
    GREEDY,
    binary_outcome_scores,
    questions=_binary_questions,
)
