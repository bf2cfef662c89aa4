"""Counts of a policy's decisions on labelled records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelmass._math import wilson
from labelmass.decisions import LabelOutcome, Policy, apply_policy

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Share:
    """A share: part of whole."""

    part: int
    whole: int

    @classmethod
    def of(cls, part: Bools, whole: Bools) -> Share:
        """Share of `whole` that is in `part`, too."""
        return cls(int((part & whole).sum()), int(whole.sum()))

    @property
    def value(self) -> float | None:
        """None of nothing."""
        return self.part / self.whole if self.whole else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % Wilson score interval."""
        if not self.whole:
            return None
        low, high = wilson(np.array([self.part], dtype=np.float64), self.whole)
        return float(low[0]), float(high[0])

    def to_dict(self) -> dict[str, Any]:
        low, high = self.interval or (None, None)
        return {
            "part": self.part,
            "whole": self.whole,
            "value": self.value,
            "low": low,
            "high": high,
        }


@dataclass(frozen=True, slots=True)
class LabelRates:
    """One label. precision, recall, false_positives: of the records whose gold is known.

    given, review: of all records, those that get the label, and those of which it is in review.
    """

    label: str
    precision: Share
    recall: Share
    false_positives: Share
    given: Share
    review: Share


@dataclass(frozen=True, slots=True)
class Rates:
    """All labels. review: records with a label in review. actions: records by strictest action."""

    labels: tuple[LabelRates, ...]
    review: Share
    actions: Mapping[str, int]


def rates(
    policy: Policy,
    p: Floats,
    low: Floats,
    high: Floats,
    gold: Floats,
    ceiling: Floats | None = None,
    verdict: Floats | None = None,
) -> Rates:
    """Rates for (n, k) scores with bounds and gold of 0, 1 or NaN; the rest as in `decide`."""
    done = apply_policy(policy, p, low, high, ceiling=ceiling, verdict=verdict, force=True)
    given, review = done.outcomes == LabelOutcome.ABOVE, done.outcomes == LabelOutcome.REVIEW
    every = np.ones(len(p), dtype=bool)
    return Rates(
        tuple(
            LabelRates(
                label,
                Share.of(gold[:, at] == 1, given[:, at] & ~np.isnan(gold[:, at])),
                Share.of(given[:, at], gold[:, at] == 1),
                Share.of(given[:, at], gold[:, at] == 0),
                Share.of(given[:, at], every),
                Share.of(review[:, at], every),
            )
            for at, label in enumerate(policy.labels)
        ),
        Share.of(review.any(axis=1), every),
        done.counts,
    )
