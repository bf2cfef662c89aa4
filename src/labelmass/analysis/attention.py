"""Attention of a later label to the prompt, the answer and the earlier labels.

Formulas: docs/formulas.md#attention.
The row that writes a label is the one that predicts its first token.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelmass.analysis.counts import Spread


@dataclass(frozen=True, slots=True, eq=False)
class AttentionWeights:
    """One answer.

    weights: (n, m + n) attention of the answer's n positions to m of the prompt and to themselves.
    prompt: m. firsts: place in the answer of each label's first token, in order.
    """

    weights: NDArray[np.float64]
    prompt: int
    firsts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AttentionShares:
    """Over the second and later labels of all answers; percentages.

    input, answer, labels: a token's share on average, among those of the prompt, of what was
    written before the position that looks, and among the first tokens of earlier labels.
    input_total, answer_total: of all of the prompt, of all that was written before.
    labels_published: as P1's code has it, of the positions that predicted those first tokens.
    """

    answers: int
    input: Spread
    answer: Spread
    labels: Spread
    input_total: Spread
    answer_total: Spread
    labels_published: Spread


def attention_shares(answers: Iterable[AttentionWeights]) -> AttentionShares:
    """The shares of every label but the first of each answer."""
    looked = [list(_looks(answer)) for answer in answers]
    rows = np.array([look for looks in looked for look in looks]).reshape(-1, 6) * 100
    spreads = (Spread.of(column[~np.isnan(column)]) for column in rows.T)
    return AttentionShares(sum(map(bool, looked)), *spreads)


def _looks(answer: AttentionWeights) -> Iterator[tuple[float, ...]]:
    m = answer.prompt
    for number, first in enumerate(answer.firsts):
        row = first - 1  # the position that predicts the label's first token
        if number == 0 or row < 1:
            continue
        weights = answer.weights[row]
        earlier = np.array(answer.firsts[:number])
        earlier = earlier[earlier < row]  # the position that looks is no part of what it looks at
        before = weights[m : m + row]
        labels = weights[m + earlier].mean() if len(earlier) else np.nan
        published = weights[m + np.array(answer.firsts[:number]) - 1].mean()
        yield (
            weights[:m].mean(), before.mean(), labels, weights[:m].sum(), before.sum(), published
        )  # fmt: skip
