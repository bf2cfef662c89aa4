"""Estimators: a name, requirements on the tree, and a pure function of the tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelmass._text import find
from labelmass._types import Normalisation
from labelmass.answers.marginals import Bounds
from labelmass.answers.search import Requirements
from labelmass.answers.tree import AnswerTree
from labelmass.errors import MethodError
from labelmass.task import Task
from labelmass.task.questions import Name, Question


@dataclass(frozen=True, slots=True, eq=False)
class LabelScores(Mapping[str, Bounds]):
    """P(label) by name, with bounds: low <= p <= high.

    Attributes:
        p, low, high: (k,) float64; NaN where there is nothing to divide by. p is the midpoint of
            the interval unless the estimator names another rule.
        interval: "certified", "sampled", "unknown" where a file does not say which of them its
            bounds are, or "none" where low and high are not known (NaN).
        empty: Score of the empty answer, beside the labels; None if the method gives it
            nothing.
    """

    labels: tuple[str, ...]
    p: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    interval: str = "certified"
    empty: Bounds | None = None

    @classmethod
    def between(
        cls,
        labels: tuple[str, ...],
        low: NDArray[np.float64],
        high: NDArray[np.float64],
        empty: Bounds | None = None,
    ) -> LabelScores:
        """Scores at the midpoint of an interval."""
        return cls(labels, (low + high) / 2, low, high, empty=empty)

    @classmethod
    def exactly(cls, labels: tuple[str, ...], p: NDArray[np.float64]) -> LabelScores:
        """Scores known to rounding."""
        return cls(labels, p, p, p)

    @classmethod
    def points(cls, labels: tuple[str, ...], p: NDArray[np.float64]) -> LabelScores:
        """Scores whose interval is not known."""
        unknown = np.full_like(p, np.nan)
        return cls(labels, p, unknown, unknown, "none")

    @property
    def width(self) -> float:
        """Width of the widest interval; 1 if none is known."""
        widths = (self.high - self.low)[~np.isnan(self.high - self.low)]
        return float(widths.max()) if len(widths) else 1.0

    def __getitem__(self, label: str) -> Bounds:
        name = find(label, self.labels)
        if name is None:
            known = ", ".join(self.labels)
            raise KeyError(f"{label!r} is no label of this task: {known}")
        at = self.labels.index(name)
        return bounds(self.low[at], self.high[at], self.p[at])

    def __iter__(self) -> Iterator[str]:
        return iter(self.labels)

    def __len__(self) -> int:
        return len(self.labels)

    def __array__(
        self, dtype: np.dtype | None = None, copy: bool | None = None
    ) -> NDArray[np.float64]:
        return np.array(self.p, dtype=dtype)

    def __repr__(self) -> str:
        scores = ", ".join(f"{name} {p:.3f}" for name, p in self.ranked())
        return f"LabelScores({scores})"

    def ranked(self) -> list[tuple[str, float]]:
        """(label, p) likeliest first."""
        order = np.argsort(-np.nan_to_num(self.p, nan=-1.0), kind="stable")
        return [(self.labels[i], float(self.p[i])) for i in order]

    def to_dict(self) -> dict[str, dict[str, float | None]]:
        """label -> {p, low, high}; null where there is nothing to divide by."""
        columns = zip(self.labels, self.p, self.low, self.high, strict=True)
        return {
            label: {"p": _plain(p), "low": _plain(low), "high": _plain(high)}
            for label, p, low, high in columns
        }


Trees = Mapping[Name, AnswerTree]
"""A record's trees by question; `ANSWER` is always there."""


def no_questions(task: Task) -> list[Question]:
    """For methods that read the answer to the task alone."""
    return []


@dataclass(frozen=True, slots=True)
class Estimator:
    """A method: `read` turns a record's trees, grown for a task, into label scores.

    Attributes:
        source: Paper and section.
        cost: In words, what it takes beyond the prompt.
        requirements: Contents that the tree of answers to the task must have.
        unsupported_reason: Reason that a task does not support it, or None if it does.
        questions: Further questions to ask of every record.
        normalisations: Those it can be read in.
        point: The rule behind `p`: "mid", the midpoint of the interval, or "found", what follows
            from the found part alone.
    """

    name: str
    summary: str
    source: str
    cost: str
    requirements: Requirements
    read: Callable[[Trees, Normalisation, Task], LabelScores]
    unsupported_reason: Callable[[Task], str | None] = lambda task: None
    questions: Callable[[Task], list[Question]] = no_questions
    normalisations: tuple[Normalisation, ...] = tuple(Normalisation)
    point: str = "mid"

    def reason_against(self, task: Task) -> str | None:
        """Reason that a task cannot give the method, or None if it can."""
        if task.is_guard and self.questions is not no_questions:
            return "a guard is asked as its makers did, and nothing else"
        return self.unsupported_reason(task)

    def check(self, task: Task, normalisation: Normalisation = Normalisation.RAW) -> None:
        """MethodError if this task, or this normalisation, cannot give the method."""
        if (reason := self.reason_against(task)) is not None:
            raise MethodError(f"{self.name}: {reason}")
        if normalisation not in self.normalisations:
            names = " or ".join(self.normalisations)
            raise MethodError(f"{self.name} is not defined {normalisation}: normalise {names}")


def of_answer(
    read: Callable[[AnswerTree, Normalisation], LabelScores],
) -> Callable[[Trees, Normalisation, Task], LabelScores]:
    """A reading of the answer to the task alone, or to its passes, as a reading of all trees."""

    def read_passes(trees: Trees, normalisation: Normalisation, task: Task) -> LabelScores:
        return joined([read(trees[name], normalisation) for name in task.passes])

    return read_passes


def joined(scores: Sequence[LabelScores]) -> LabelScores:
    """The scores of several answers side by side, each of its own labels."""
    if len(scores) == 1:
        return scores[0]
    return LabelScores(
        tuple(label for one in scores for label in one.labels),
        np.concatenate([one.p for one in scores]),
        np.concatenate([one.low for one in scores]),
        np.concatenate([one.high for one in scores]),
        scores[0].interval,
    )


def bounds(low: np.float64, high: np.float64, p: np.float64) -> Bounds:
    """A number and its interval; None for what is NaN."""
    return Bounds(_plain(low), _plain(high), _plain(p), quoted=not np.isnan(p))


def _plain(value: np.float64) -> float | None:
    return None if np.isnan(value) else float(value)
