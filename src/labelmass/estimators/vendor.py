"""The score that a guard's makers publish, computed as they do: `vendor-score`.

It stands beside the probabilities of labelmass under its own name, for users who compare with the
makers' figures. What each kind is: docs/formulas.md#vendor-score. Some are no probability of an
event: two tokens leave out what else the model may write, and a sum over positions counts twice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from labelmass._types import Normalisation
from labelmass.answers.search import Requirements
from labelmass.answers.tree import AnswerTree, Status
from labelmass.errors import MethodError
from labelmass.estimators.base import Estimator, LabelScores, Trees, joined
from labelmass.task import Task
from labelmass.task.guard import Guard
from labelmass.task.guard_tables import VendorScore

TOP = 20
"""Likeliest tokens of a position that the makers read."""

FLOOR = 1e-50
"""What `token-sum` adds to both sums."""

Range = tuple[float, float]
"""Least and largest probability of what is not among the likeliest tokens of a row."""


def vendor_scores(trees: Trees, normalisation: Normalisation, task: Task) -> LabelScores:
    """The makers' score of each label that it is of; NaN for the others."""
    if not isinstance(task, Guard) or task.vendor_score is None:
        raise MethodError(f"vendor-score: {_unsupported_reason(task)}")
    score = task.vendor_score
    return joined([_of_pass(trees[name], each, score) for name, each in task.passes.items()])


def _of_pass(tree: AnswerTree, guard: Guard, score: VendorScore) -> LabelScores:
    first = guard.format.fields[0]
    risky = [value for value in first.values if value.risk]
    words = [word for value in risky for word in value.spellings]
    others = [w for value in first.values if not value.risk for w in value.spellings]
    low, high = _SCORES[score.kind](tree, first.lead, words, others)
    k = len(tree.labels)
    lows, highs = np.full(k, np.nan), np.full(k, np.nan)
    for label in {label for value in risky for label in value.labels}:
        lows[label], highs[label] = low, high
    return LabelScores.between(tree.labels, lows, highs)


def _first_token(tree: AnswerTree, lead: str, words: Sequence[str], others: Sequence[str]) -> Range:
    """Probability of the token that begins a risk word, where the verdict starts."""
    node = _verdict_start(tree, lead)
    return (0.0, 1.0) if node is None else _probability(tree, node, words)


def _two_tokens(tree: AnswerTree, lead: str, words: Sequence[str], others: Sequence[str]) -> Range:
    """The same over that of both words: a softmax of the two logits."""
    node = _verdict_start(tree, lead)
    if node is None:
        return 0.0, 1.0
    risk, other = _probability(tree, node, words), _probability(tree, node, others)
    low, high = risk[0] + other[1], risk[1] + other[0]
    return (risk[0] / low if low else 0.0), (risk[1] / high if high else 1.0)


def _token_sum(tree: AnswerTree, lead: str, words: Sequence[str], others: Sequence[str]) -> Range:
    """Sums over the greedy answer of tokens that are a word, apart from blanks and case."""
    sums = [FLOOR, FLOOR]
    for node in tree.greedy:
        for token, logp, _ in tree.top.get(node, ())[:TOP]:
            text = tree.texts.get(token, b"").decode(errors="replace").strip().lower()
            for side, known in enumerate((words, others)):
                if text in {word.lower() for word in known}:
                    sums[side] += math.exp(logp)
    p = sums[0] / sum(sums)
    return p, p


_SCORES = {"first-token": _first_token, "two-tokens": _two_tokens, "token-sum": _token_sum}


def _verdict_start(tree: AnswerTree, lead: str) -> int | None:
    """The node of the greedy path after which the first letter of a verdict comes."""
    start, text = None, ""
    for node in tree.greedy:
        text = tree.text(node).decode(errors="replace").strip()
        if tree.status[node] != Status.EXPANDED or not lead.strip().startswith(text):
            break
        start = node
    return start if text.startswith(lead.strip()) or text == lead.strip() else None


def _probability(tree: AnswerTree, node: int, words: Sequence[str]) -> Range:
    """Probability of the token that writes the most of a word, at its start."""
    row = tree.top.get(node, ())[:TOP]
    texts = [
        (tree.texts.get(token, b"").decode(errors="replace").strip(), p) for token, p, _ in row
    ]
    begins = [(len(t), p) for t, p in texts if t and any(word.startswith(t) for word in words)]
    if begins:
        longest = max(length for length, _ in begins)
        p = max(math.exp(logp) for length, logp in begins if length == longest)
        return p, p
    return 0.0, (math.exp(row[-1][1]) if len(row) == TOP else 0.0)


def _unsupported_reason(task: Task) -> str | None:
    if not isinstance(task, Guard):
        return "it is the score of a guard's makers: name a guard"
    if task.vendor_score is None:
        return f"the makers of {task.name} publish none"
    return None


VENDOR_SCORE = Estimator(
    "vendor-score",
    "the score that the makers of a guard publish",
    "the makers, named in each profile",
    "the greedy answer",
    Requirements(tree=False, top=TOP),
    vendor_scores,
    unsupported_reason=_unsupported_reason,
)
