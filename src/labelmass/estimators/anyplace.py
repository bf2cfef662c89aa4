"""P(label is written anywhere): `any-place`, certified, and P2's pruned search for comparison."""

from __future__ import annotations

import math

import numpy as np

from labelmass._types import Normalisation
from labelmass.answers.marginals import Marginals
from labelmass.answers.search import Requirements
from labelmass.answers.tree import EXITED, ROOT, AnswerTree, Status
from labelmass.errors import MethodError
from labelmass.estimators.base import Estimator, LabelScores, of_answer

TOP_P, MIN_MASS, DEPTH, CLOSE = 0.99, 0.01, 20, 0.7
"""P2's settings: nucleus, smallest path kept, deepest level, end token that drops its siblings."""


def any_place(
    tree: AnswerTree,
    normalisation: Normalisation = Normalisation.RAW,
    *,
    off_format_unknown: bool = False,
) -> LabelScores:
    """P(label) over every answer the model could write: docs/formulas.md#any-place."""
    marginals = Marginals(tree, normalisation, off_format_unknown)
    low, high = (side[: len(tree.labels)] for side in marginals.intervals)
    return LabelScores.between(tree.labels, low, high, marginals.empty)


def any_place_pruned(
    tree: AnswerTree,
    normalisation: Normalisation = Normalisation.RAW,
    *,
    top_p: float = TOP_P,
    min_mass: float = MIN_MASS,
    depth: int = DEPTH,
    as_published: bool = False,
) -> LabelScores:
    """P2's depth-first search with its pruning, read off a tree.

    Labels are credited at their boundary and once per path, and what is pruned is counted as open,
    so that [low, high] holds P(label); p is `low`, the number P2's rules give. as_published:
    credit a label wherever the text ends with it, and again for every repeat, as the published
    code does; the numbers may then exceed 1. Paths that left the format are not followed.
    """
    if tree.min_mass is None or tree.min_mass > min_mass:
        raise MethodError(
            "any-place-pruned: this tree was grown without expanding every node of mass "
            f"{min_mass}; score again with --method any-place-pruned"
        )
    k = len(tree.labels)
    low, lost = np.zeros(k), np.zeros(k)
    everything = (1 << k) - 1

    def drop(mass: float, written: int) -> None:
        for label in range(k):
            if (everything & ~written) >> label & 1:
                lost[label] += mass

    def credit(node: int, token: int, mass: float) -> None:
        if as_published:
            if not tree.texts[token]:
                return  # an end token's own text closes the answer
            text = (tree.text(tree.parent[node]) + tree.texts[token]).decode(errors="replace")
            for label, spelling in enumerate(tree.spellings):
                if text.endswith(spelling):
                    low[label] += mass
            return
        before = tree.written[tree.parent[node]]
        for label in range(k):
            if (tree.written[node] & ~before) >> label & 1:
                low[label] += mass

    def visit(node: int, mass: float, level: int) -> None:
        if mass < min_mass or tree.status[node] != Status.EXPANDED:
            drop(mass, tree.written[node])
            return
        row, total, seen = tree.top[node], 0.0, 0.0
        nucleus: list[tuple[float, int, int]] = []
        for token, logp, child in row:
            nucleus.append((math.exp(logp), token, child))
            total += math.exp(logp)
            if total > top_p:
                break
        left = {child for _, _, child in nucleus if child >= 0 and tree.token[child] == EXITED}
        over = {child for _, _, child in nucleus if child >= 0} - left
        ends = any(tree.status[child] == Status.ENDED for child in over)
        for rank, (p, token, child) in enumerate(nucleus):
            seen += p
            if child < 0 or (child in left and as_published):
                continue
            credit(child, token, mass * p)
            if child in left:  # behind a risk verdict, with a label written before it left
                continue
            ended = tree.status[child] == Status.ENDED
            if ended and p >= CLOSE:
                break
            stop = ends and rank == 2
            if not ended:
                if stop or level == depth:
                    drop(mass * p, tree.written[child])
                else:
                    visit(child, mass * p, level + 1)
            if stop:
                break
        drop(mass * max(1.0 - seen, 0.0), tree.written[node])

    visit(ROOT, 1.0, 0)
    return LabelScores(tree.labels, low, low, low if as_published else np.minimum(low + lost, 1.0))


ANY_PLACE = Estimator(
    "any-place",
    "P(label is written), over every answer, with certified bounds",
    "ours; what P2 aims at",
    "the tree, to the tolerance",
    Requirements(tree=True),
    of_answer(any_place),
)
ANY_PLACE_PRUNED = Estimator(
    "any-place-pruned",
    "P2's search rules on the same tree, its lost mass reported",
    "P2, any place",
    "every node of mass 0.01 or more",
    Requirements(tree=False, min_mass=MIN_MASS, top=64),
    of_answer(any_place_pruned),
)
