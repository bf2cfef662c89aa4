"""Counts of labels in answers, of repeats, and of endings.

Formulas: docs/formulas.md#share-with-several-labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from labelmass.analysis.answer import Answer
from labelmass.analysis.counts import Share, Spread
from labelmass.answers.tree import Ending


@dataclass(frozen=True, slots=True)
class MultiLabel:
    """Answers with two distinct labels or more.

    rate: over all answers, labels written before one left the format or was cut counted.
    complete: over complete answers. published: over all, by steps, so that a repeat, or a place
    where the answer left the format, counts as a label. demonstrations: over the demonstrations
    that records were shown; shown: how many each. gold: over the gold sets that are known.
    labels: number of distinct labels -> complete answers.
    """

    rate: Share
    complete: Share
    published: Share
    demonstrations: Share
    shown: Spread
    gold: Share
    labels: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Repeats:
    """Answers in which a label is written again, and in which it is so twice in a row.

    Over all answers, complete or not.
    """

    again: Share
    in_a_row: Share


@dataclass(frozen=True, slots=True)
class Endings:
    """Endings of the greedy answers, and the share of empty ones.

    unreadable: left the format behind a risk verdict. cut: by a budget.
    """

    complete: Share
    off_format: Share
    unreadable: Share
    cut: Share
    empty: Share


def multi_label(answers: Sequence[Answer]) -> MultiLabel:
    """The outcome of the sweep over the demonstrations' share (C.8), for one run."""
    complete = [answer for answer in answers if answer.complete]
    counts = [len(answer.labels) for answer in complete]
    return MultiLabel(
        Share.among(len(answer.labels) > 1 for answer in answers),
        Share.among(count > 1 for count in counts),
        Share.among(max(len(answer.label_steps), len(answer.labels)) > 1 for answer in answers),
        Share.among(several for answer in answers for several in answer.demonstrated),
        Spread.of(len(answer.demonstrated) for answer in answers),
        Share.among(len(answer.gold) > 1 for answer in answers if answer.gold is not None),
        {count: counts.count(count) for count in sorted(set(counts))},
    )


def repeats(answers: Sequence[Answer]) -> Repeats:
    """A format may accept a repeat, which adds nothing, or call it off-format."""
    return Repeats(
        Share.among(len(set(answer.written)) < len(answer.written) for answer in answers),
        Share.among(any(a == b for a, b in pairwise(answer.written)) for answer in answers),
    )


def endings(answers: Sequence[Answer]) -> Endings:
    """Complete, off-format, unreadable and cut sum to 1."""
    return Endings(
        Share.among(answer.ending is Ending.COMPLETE for answer in answers),
        Share.among(answer.ending is Ending.OFF_FORMAT for answer in answers),
        Share.among(answer.ending is Ending.UNREADABLE for answer in answers),
        Share.among(answer.ending is Ending.CUT for answer in answers),
        Share.among(answer.complete and answer.empty for answer in answers),
    )
