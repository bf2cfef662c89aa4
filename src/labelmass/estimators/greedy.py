"""Estimators from the greedy answer: `hard`, `token`, `fixed-place` (docs/formulas.md; P1, P2).

They are exact where that answer was followed to its end. Where a budget cut it, the rest may still
write any label, and the intervals say so.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labelmass._types import Normalisation
from labelmass.answers.search import Requirements
from labelmass.answers.steps import members
from labelmass.answers.tree import AnswerTree, Ending
from labelmass.estimators.base import Estimator, LabelScores, of_answer

EPS = 1e-8
"""P1's floor for a label that is not in the answer; float64 keeps 1 - EPS below 1."""

GREEDY = Requirements(tree=False)


def hard(tree: AnswerTree, normalisation: Normalisation = Normalisation.RAW) -> LabelScores:
    """1 - EPS for a label written on the greedy path, EPS for the others."""
    written = tree.written[tree.greedy[-1]]
    chosen = np.array([bool(written >> i & 1) for i in range(len(tree.labels))])
    p = np.where(chosen, 1 - EPS, EPS)
    return LabelScores(tree.labels, p, p, np.where(_may_come(tree), 1 - EPS, p))


def token(tree: AnswerTree, normalisation: Normalisation = Normalisation.RAW) -> LabelScores:
    """Probability of the one token that completes the label; 0 means 'not written'."""
    p = np.zeros(len(tree.labels))
    for output, node in tree.completed:
        if output < len(p):
            p[output] = _token_probability(tree, node)  # the last occurrence wins
    may = _may_come(tree)
    return LabelScores(tree.labels, p, np.where(may, 0.0, p), np.where(may, 1.0, p))


def fixed_place(
    tree: AnswerTree,
    normalisation: Normalisation = Normalisation.RAW,
    *,
    factors: str = "completing",
) -> LabelScores:
    """A label's place on the greedy path as a joint probability.

    factors: "completing" multiplies the tokens that complete the verdict prefix and the labels up
    to and including this one (P2); "all" is the mass of the path through the label's boundary, one
    minimal prefix, so never above P(label).
    """
    p = np.zeros(len(tree.labels))
    if factors == "all":
        mass = np.exp(tree.log_mass())
        written = 0
        for node in tree.greedy:
            for label in range(len(p)):
                if (tree.written[node] & ~written) >> label & 1:
                    p[label] = mass[node]
            written |= tree.written[node]
        may = _may_come(tree) & (p == 0)
        return LabelScores(tree.labels, p, p, np.where(may, mass[tree.greedy[-1]], p))
    product = 1.0
    for output, node in tree.completed:
        product *= _token_probability(tree, node)
        if output < len(p):
            p[output] = product
    may = _may_come(tree)
    return LabelScores(
        tree.labels, p, np.where(may, 0.0, p), np.where(may, np.maximum(p, product), p)
    )


def _may_come(tree: AnswerTree) -> NDArray[np.bool_]:
    """(k,) labels that the greedy answer may yet write, or write again, where a budget cut it."""
    last = tree.greedy[-1]
    may = tree.reachable[last] if tree.greedy_end == Ending.CUT else 0
    return members(may, len(tree.labels))


def _token_probability(tree: AnswerTree, node: int) -> float:
    """The greedy token that led to `node`, by itself (an ended node stands for several)."""
    return float(np.exp(tree.top[tree.parent[node]][0][1]))


HARD = Estimator(
    "hard",
    "in the greedy answer or not",
    "P1; P2's greedy baseline",
    "the greedy answer",
    GREEDY,
    of_answer(hard),
)
TOKEN = Estimator(
    "token",
    "probability of the token that completes the label",
    "P2, conditional probability",
    "the greedy answer",
    GREEDY,
    of_answer(token),
)
FIXED_PLACE = Estimator(
    "fixed-place",
    "product of the completing tokens up to the label's place",
    "P2, fixed place",
    "the greedy answer",
    GREEDY,
    of_answer(fixed_place),
)
