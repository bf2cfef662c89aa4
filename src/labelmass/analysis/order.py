"""The order in which labels are written: gold first?, alphabetical?, as in the prompt?

Formulas: docs/formulas.md#label-order. All over complete answers with two distinct labels or more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import factorial

from labelmass.analysis.answer import Answer
from labelmass.analysis.counts import Share, Spread


@dataclass(frozen=True, slots=True)
class OrderAccuracy:
    """Accuracy of the j-th label, where the gold set has two labels or more.

    answers: with two labels or more and such a gold set; `few_gold` others have a smaller one,
    `no_gold` none known. all: j -> share over the answers with j labels or more. paired: J -> the
    shares of the 1st, ..., J-th label over the answers with J labels or more, the same for all.
    """

    answers: int
    few_gold: int
    no_gold: int
    all: Mapping[int, Share]
    paired: Mapping[int, tuple[Share, ...]]


@dataclass(frozen=True, slots=True)
class Ordering:
    """Answers whose labels stand in a given order; tau: Kendall's, of each answer with it."""

    ordered: Share
    tau: Spread


@dataclass(frozen=True, slots=True)
class LabelOrder:
    """Answers in alphabetical order and in the prompt's.

    answers: with two labels or more; `fewer` complete answers have less. chance: mean of 1 / j!
    for the j labels of each. agree: Kendall's tau of the two orders over all labels; 1 where the
    prompt's is the alphabetical.
    """

    answers: int
    fewer: int
    chance: Spread
    alphabetical: Ordering
    prompt: Ordering
    agree: Spread


def order_accuracy(answers: Sequence[Answer]) -> OrderAccuracy:
    """Order and number of labels come from the parser; no position is left out for its number."""
    several = _several(answers)
    known = [(answer.labels, answer.gold) for answer in several if answer.gold is not None]
    cases = [[label in gold for label in labels] for labels, gold in known if len(gold) > 1]
    longest = max(map(len, cases), default=0)

    def share(j: int, least: int) -> Share:
        return Share.among(hits[j - 1] for hits in cases if len(hits) >= least)

    return OrderAccuracy(
        len(cases),
        len(known) - len(cases),
        len(several) - len(known),
        {j: share(j, j) for j in range(1, longest + 1)},
        {j: tuple(share(i, j) for i in range(1, j + 1)) for j in range(2, longest + 1)},
    )


def label_order(answers: Sequence[Answer]) -> LabelOrder:
    """Answers with fewer than two labels are in any order, and are left out."""
    several = _several(answers)
    return LabelOrder(
        len(several),
        sum(answer.complete for answer in answers) - len(several),
        Spread.of(1 / factorial(len(answer.labels)) for answer in several),
        _ordering([kendall(answer.labels, answer.alphabetical) for answer in several]),
        _ordering([kendall(answer.labels, answer.order) for answer in several]),
        Spread.of(kendall(a.alphabetical, a.order) for a in several if len(a.order) > 1),
    )


def _ordering(taus: Sequence[float]) -> Ordering:
    return Ordering(Share.among(tau == 1 for tau in taus), Spread.of(taus))


def kendall(labels: Sequence[int], order: Sequence[int]) -> float:
    """Kendall's tau of two labels or more with an order of all: 1 in order, -1 reversed."""
    at = {label: label_step for label_step, label in enumerate(order)}
    signs = [1 if at[one] < at[other] else -1 for one, other in combinations(labels, 2)]
    return sum(signs) / len(signs)


def _several(answers: Sequence[Answer]) -> list[Answer]:
    return [answer for answer in answers if answer.complete and len(answer.labels) > 1]
