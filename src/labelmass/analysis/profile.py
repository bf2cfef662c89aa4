"""The label probabilities of the first step, sorted.

Formulas: docs/formulas.md#first-step-profile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labelmass._types import Floats
from labelmass.analysis.answer import Answer
from labelmass.analysis.counts import Spread

MIN_TOP_SHARE = 0.3
"""The released code leaves out items whose top label has less."""


@dataclass(frozen=True, slots=True)
class Profile:
    """p_1 of the labels from the largest down, without the empty answer and not made to sum to 1.

    ranks: a spread for each rank, over all records but `unread`, whose first step has no
    distribution. low_top: records whose top is below MIN_TOP_SHARE. no_label: records for which no
    label is written. kept: ranks over the others, as published.
    """

    ranks: tuple[Spread, ...]
    unread: int
    low_top: int
    no_label: int
    kept: tuple[Spread, ...]


def profile(answers: Sequence[Answer]) -> Profile:
    """Step 1 only."""
    every: list[Floats] = []
    kept: list[Floats] = []
    low_top = no_label = 0
    for answer in answers:
        first = answer.label_step(1)
        if first is None or first.p is None:
            continue
        p = np.sort(first.p[:-1])[::-1]
        every.append(p)
        low_top += bool(p[0] < MIN_TOP_SHARE)
        no_label += not answer.written
        if p[0] >= MIN_TOP_SHARE and answer.written:
            kept.append(p)
    return Profile(_ranks(every), len(answers) - len(every), low_top, no_label, _ranks(kept))


def _ranks(rows: Sequence[Floats]) -> tuple[Spread, ...]:
    return tuple(Spread.of(column) for column in zip(*rows, strict=True))
