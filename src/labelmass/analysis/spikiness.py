"""How peaked the label distributions of the steps are. Formulas: docs/formulas.md#spikiness."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from labelmass._types import Floats
from labelmass.analysis.answer import WIDE, Answer, Kind, Place
from labelmass.analysis.counts import Spread


@dataclass(frozen=True, slots=True)
class Peaks:
    """The steps of one kind.

    steps: how many, of which `unread` have no distribution and are in no spread.
    top, second: largest and second largest p_r. gap: ln(top / second); `sole` steps, where the
    second is 0, are not in it. entropy: bits. hidden: 1 - Z.
    """

    steps: int
    unread: int
    sole: int
    top: Spread
    second: Spread
    gap: Spread
    entropy: Spread
    hidden: Spread


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
    """Steps that wrote `none`, or that wrote nothing, are kinds of their own."""
    places = [place for answer in answers for place in answer.places]
    numbers = sorted({place.number for place in places})
    return Spikiness(
        _by_kind(places),
        {r: _by_kind([place for place in places if place.number == r]) for r in numbers},
        Spread.of(place.width for place in places),
        sum(place.width > WIDE for place in places),
    )


def _by_kind(places: Sequence[Place]) -> dict[Kind, Peaks]:
    return {kind: _peaks([place for place in places if place.kind is kind]) for kind in Kind}


def _peaks(places: Sequence[Place]) -> Peaks:
    read = [place for place in places if place.p is not None]
    pairs = [place.ranked[:2].tolist() for place in read]
    gaps = [math.log(top / second) for top, second in pairs if second > 0]
    return Peaks(
        len(places),
        len(places) - len(read),
        len(pairs) - len(gaps),
        Spread.of(top for top, _ in pairs),
        Spread.of(second for _, second in pairs),
        Spread.of(gaps),
        Spread.of(entropy(place.ranked) for place in read),
        Spread.of(place.hidden for place in places),
    )


def entropy(p: Floats) -> float:
    """Entropy in bits of p, made to sum to 1."""
    shares = p[p > 0] / p.sum()
    return float(-(shares * np.log2(shares)).sum())
