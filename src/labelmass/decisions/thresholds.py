"""Thresholds for a goal: the best cut of the scores at hand, per label or one for all.

A label is given where p >= threshold. Targets are shares or 0 and 1; counts are soft, so with
shares precision is the mean share among what is flagged. What is found here fits these records:
guarantees on new records are in `learn_then_test` and `conformal_risk_control`. A goal that no cut
reaches falls back to what keeps it: to recall that is giving the label to every record, to others
never.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelmass._ranges import NOT_NEGATIVE
from labelmass._types import Floats
from labelmass.decisions.unmet import HELD_EVERYWHERE
from labelmass.errors import FitError

MAJORITY = 0.5
"""Shares from here on count as the label given."""


def majority(target: Floats) -> Floats:
    """Shares as 0 and 1: the gold rule H >= .5; NaN stays NaN."""
    return np.where(np.isnan(target), np.nan, (target >= MAJORITY) * 1.0)


@dataclass(frozen=True)
class Sweep:
    """Counts at every threshold of one label.

    thresholds: (m + 1,) descending: infinity (never), then the distinct scores.
    right, wrong: (m + 1,) targets, and what is missing from 1 to them, summed over what is flagged.
    """

    thresholds: Floats
    right: Floats
    wrong: Floats
    target: Floats
    score: Floats

    @classmethod
    def of(cls, p: Floats, target: Floats) -> Sweep:
        """Over the cells of any shape whose score and target are known; FitError if none is."""
        known = ~(np.isnan(p) | np.isnan(target))
        p, target = p[known], target[known]
        if not len(p):
            raise FitError("no record has both a score and a known target")
        distinct, at = np.unique(-p, return_inverse=True)
        right = np.cumsum(np.bincount(at, target))
        wrong = np.cumsum(np.bincount(at, 1 - target))
        cuts = np.append(np.inf, -distinct)
        return cls(cuts, np.append(0.0, right), np.append(0.0, wrong), target, p)

    @property
    def positives(self) -> float:
        return float(self.right[-1])

    @property
    def negatives(self) -> float:
        return float(self.wrong[-1])

    @property
    def precision(self) -> Floats:
        """NaN where nothing is flagged."""
        return _ratio(self.right, self.right + self.wrong)

    @property
    def recall(self) -> Floats:
        return _ratio(self.right, np.full_like(self.right, self.positives))

    @property
    def false_positive_rate(self) -> Floats:
        return _ratio(self.wrong, np.full_like(self.wrong, self.negatives))

    def f(self, beta: float = 1.0) -> Floats:
        """F-beta; 0 where there is nothing to find and nothing is flagged."""
        b = beta**2
        whole = (1 + b) * self.right + b * (self.positives - self.right) + self.wrong
        return np.nan_to_num(_ratio((1 + b) * self.right, whole))


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)


# -- goals ----------------------------------------------------------------------------------------


def _best_f(sweep: Sweep, beta: float) -> int | None:
    return int(np.argmax(sweep.f(beta))) if sweep.positives else None


def _precision(sweep: Sweep, level: float) -> int | None:
    return _last(sweep.precision >= level)


def _recall(sweep: Sweep, level: float) -> int | None:
    return _first(sweep.recall >= level)


def _false_positive_rate(sweep: Sweep, level: float) -> int | None:
    return _last(sweep.false_positive_rate <= level)


def _cost(sweep: Sweep, false_positive: float, false_negative: float) -> int | None:
    missed = sweep.positives - sweep.right
    return int(np.argmin(false_positive * sweep.wrong + false_negative * missed))


def _majority(sweep: Sweep) -> int | None:
    gold = Sweep.of(sweep.score, majority(sweep.target))
    return int(np.argmax(gold.right - gold.wrong))


def _first(holds: NDArray[np.bool_]) -> int | None:
    return int(np.argmax(holds)) if holds.any() else None


def _last(holds: NDArray[np.bool_]) -> int | None:
    return int(np.flatnonzero(holds)[-1]) if holds.any() else None


GOALS: dict[str, tuple[str, Callable[..., int | None], str]] = {
    "f": (r"f(\d*\.?\d+)", _best_f, "largest F-beta (f1, f0.5, f2)"),
    "precision": (r"precision>=(\S+)", _precision, "most recall at this precision"),
    "recall": (r"recall>=(\S+)", _recall, "fewest flags at this recall"),
    "fpr": (r"fpr<=(\S+)", _false_positive_rate, "most recall at this false-positive rate"),
    "cost": (r"cost=([^:\s]+):(\S+)", _cost, "least cost; of a false positive : of a miss"),
    "majority": (r"majority", _majority, "nearest to what most annotators said"),
}
"""Goals by kind: the syntax, the function that finds the best cut in a sweep, and a description.

Ties go to the higher threshold. None where no cut reaches the goal.
"""


@dataclass(frozen=True, slots=True)
class Goal:
    """A kind of `GOALS` and its numbers; `str` gives what `parse` reads."""

    kind: str
    values: tuple[float, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Goal:
        """From "f1", "precision>=0.9", "recall>=0.8", "fpr<=0.05", "cost=1:5" or "majority"."""
        for kind, (pattern, _, _) in GOALS.items():
            if match := re.fullmatch(pattern, text.replace(" ", "")):
                try:
                    values = tuple(float(number) for number in match.groups())
                except ValueError:
                    break
                if kind in ("precision", "recall", "fpr") and not 0 < values[0] < 1:
                    raise FitError(f"goal {text!r}: the level lies between 0 and 1")
                if kind == "cost":
                    for cost in values:
                        NOT_NEGATIVE.check(f"goal {text!r}: a cost", cost, FitError)
                    if not any(values):
                        raise FitError(f"goal {text!r}: one of the two must cost something")
                return cls(kind, values)
        raise FitError(
            f"no goal is written {text!r}: f1, precision>=0.9, recall>=0.9, fpr<=0.05, cost=1:5 "
            "(false positive : miss) or majority"
        )

    @property
    def level(self) -> float:
        """The number of a goal that has one."""
        return self.values[0]

    def __str__(self) -> str:
        numbers = ":".join(f"{value:g}" for value in self.values)
        sign = {"precision": ">=", "recall": ">=", "fpr": "<=", "cost": "="}.get(self.kind, "")
        return f"{self.kind}{sign}{numbers}"

    @property
    def holds_everywhere(self) -> bool:
        """True if giving the label to every record reaches the goal, whatever the records are."""
        return self.kind in HELD_EVERYWHERE

    def best(self, sweep: Sweep) -> int | None:
        """The index of the best cut; None where none reaches the goal."""
        return GOALS[self.kind][1](sweep, *self.values)

    def nearest(self, sweep: Sweep) -> int | None:
        """The index of the best cut, else of that nearest to the goal.

        None where the records say nothing of the goal: no record has the label, say.
        """
        best = self.best(sweep)
        if best is None and self.kind == "precision" and sweep.positives:
            return _last(sweep.precision == np.nanmax(sweep.precision))
        return best


@dataclass(frozen=True, slots=True)
class FittedThreshold:
    """A cut and what it gives on the records it was found on.

    label: its name, "*" for all labels together. value: None means never, 0 on every record. met:
    whether a cut reaches the goal; if not, the value is 0 for recall, which that keeps, and None
    for other goals. flagged: share of the cells at or above the cut.
    precision, recall, false_positive_rate: None where there is nothing to divide by.
    """

    label: str
    goal: str
    value: float | None
    met: bool
    cells: int
    positives: float
    flagged: float
    precision: float | None
    recall: float | None
    false_positive_rate: float | None
    f1: float

    @property
    def note(self) -> str:
        """Note for the reader of a rule with this threshold."""
        if self.met:
            return f"for {self.goal} on these records, without guarantee"
        if not self.positives:
            return f"no record here has the label, and {self.goal} cannot be judged"
        return f"no threshold reaches {self.goal} on these records"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def thresholds(
    labels: Sequence[str], p: Floats, target: Floats, goal: Goal, *, shared: bool = False
) -> tuple[FittedThreshold, ...]:
    """The best cut for each label of (n, k) scores and targets, or one over all cells.

    FitError naming the label of which no record has both a score and a known target.
    """
    return tuple(
        _threshold(label, sweep, goal) for label, sweep in _sweeps(labels, p, target, shared)
    )


def nearest(
    labels: Sequence[str], p: Floats, target: Floats, goal: Goal, *, shared: bool = False
) -> tuple[float | None, ...]:
    """As `thresholds`, the values alone, but where a goal is not reached the cut nearest to it.

    None where that is never, or where the records say nothing of the goal.
    """
    values: list[float | None] = []
    for _, sweep in _sweeps(labels, p, target, shared):
        cut = goal.nearest(sweep)
        values.append(float(sweep.thresholds[cut]) if cut else None)
    return tuple(values)


def _sweeps(
    labels: Sequence[str], p: Floats, target: Floats, shared: bool
) -> list[tuple[str, Sweep]]:
    if shared:
        return [("*", Sweep.of(p, target))]
    results: list[tuple[str, Sweep]] = []
    for column, label in enumerate(labels):
        try:
            results.append((label, Sweep.of(p[:, column], target[:, column])))
        except FitError as error:
            raise FitError(f"label {label!r}: {error}") from None
    return results


def _threshold(label: str, sweep: Sweep, goal: Goal) -> FittedThreshold:
    best = goal.best(sweep)
    everything = best is None and goal.holds_everywhere
    at = len(sweep.thresholds) - 1 if everything else best or 0
    value = 0.0 if everything else float(sweep.thresholds[at])
    flagged = sweep.right[at] + sweep.wrong[at]
    return FittedThreshold(
        label,
        str(goal),
        value if at else None,
        best is not None,
        len(sweep.score),
        sweep.positives,
        float(flagged / len(sweep.score)),
        _or_none(sweep.precision[at]),
        _or_none(sweep.recall[at]),
        _or_none(sweep.false_positive_rate[at]),
        float(sweep.f()[at]),
    )


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
