"""Spikiness of the label distributions at each step. Formulas: docs/formulas.md#spikiness."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from labelmass._types import Floats
from labelmass.analysis.answer import WIDE, Answer, Kind, LabelStep
from labelmass.analysis.counts import Spread


@dataclass(frozen=True, slots=True)
class Peaks:
    """The steps of one kind.

    steps: how many, of which `unread` have no distribution and are in no spread.
    top, second: largest and second largest p_r. gap: ln(top / second); `sole` steps, where the
    second is 0, are not in it. entropy: bits. non_label_mass: 1 - Z.
    """

    steps: int
    unread: int
    sole: int
    top: Spread
    second: Spread
    gap: Spread
    entropy: Spread
    non_label_mass: Spread


@dataclass(frozen=True, slots=True)
class Spikiness:
    """Peaks by kind of step, and by number and kind of step.

    width: of the intervals of p_r. wide: steps whose interval is wider than WIDE.
    """

    kinds: Mapping[Kind, Peaks]
    numbers: Mapping[int, Mapping[Kind, Peaks]]
    width: Spread
    wide: int


def spikiness(answers: Sequence[Answer]) -> Spikiness:
    """Steps that wrote the empty answer, or that wrote nothing, are kinds of their own."""
    label_steps = [label_step for answer in answers for label_step in answer.label_steps]
    numbers = sorted({label_step.number for label_step in label_steps})
    return Spikiness(
        _by_kind(label_steps),
        {
            r: _by_kind([label_step for label_step in label_steps if label_step.number == r])
            for r in numbers
        },
        Spread.of(label_step.width for label_step in label_steps),
        sum(label_step.width > WIDE for label_step in label_steps),
    )


def _by_kind(label_steps: Sequence[LabelStep]) -> dict[Kind, Peaks]:
    return {
        kind: _peaks([label_step for label_step in label_steps if label_step.kind is kind])
        for kind in Kind
    }


def _peaks(label_steps: Sequence[LabelStep]) -> Peaks:
    read = [label_step for label_step in label_steps if label_step.p is not None]
    pairs = [label_step.ranked[:2].tolist() for label_step in read]
    gaps = [math.log(top / second) for top, second in pairs if second > 0]
    return Peaks(
        len(label_steps),
        len(label_steps) - len(read),
        len(pairs) - len(gaps),
        Spread.of(top for top, _ in pairs),
        Spread.of(second for _, second in pairs),
        Spread.of(gaps),
        Spread.of(entropy(label_step.ranked) for label_step in read),
        Spread.of(label_step.non_label_mass for label_step in label_steps),
    )


def entropy(p: Floats) -> float:
    """Entropy in bits of p, made to sum to 1."""
    shares = p[p > 0] / p.sum()
    return float(-(shares * np.log2(shares)).sum())
