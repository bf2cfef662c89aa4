"""What a rule gives on records with human labels, label by label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelmass._types import Floats
from labelmass.scores import Scores
from labelmass.task.labels import Level, modes_of

HALF = 0.5
"""Above it, a score by `hard` says that the answer holds the label."""


@dataclass(frozen=True, slots=True)
class Achieved:
    """Counts of a rule on the records it was made on.

    Attributes:
        cells: Records with a known target.
        positives: The sum of their targets.
        given: Number of records given the label; `right` is the sum of their targets.
        review: Share of records of which it is in review.
        mode: Published mode that gives it; "" for none.
    """

    label: str
    cells: int
    positives: float
    given: int
    right: float
    review: float
    mode: str = ""

    @property
    def precision(self) -> float | None:
        return self.right / self.given if self.given else None

    @property
    def recall(self) -> float | None:
        return self.right / self.positives if self.positives else None


def achieved(
    label: str,
    given: NDArray[np.bool_],
    review: NDArray[np.bool_],
    target: Floats,
    mode: str = "",
) -> Achieved:
    """Counts of what is given, over the records whose target is known."""
    known = ~np.isnan(target)
    at = given & known
    return Achieved(
        label,
        int(known.sum()),
        float(target[known].sum()),
        int(at.sum()),
        float(target[at].sum()),
        float(review.mean()),
        mode,
    )


def achieved_by_answers(
    hard: Scores, target: Floats, levels: Sequence[Sequence[Level]] = ()
) -> tuple[Achieved, ...]:
    """What giving the labels of the model's own answers does: a row a label, or one a mode.

    Args:
        hard: Scores by the method `hard`.
        target: (n, k) human labels.
        levels: See `Task.levels`: each level of a verdict is judged by the labels of all.
    """
    given = dict(zip(hard.labels, (hard.p > HALF).T, strict=True))
    review = np.zeros(len(hard.p), dtype=bool)
    return tuple(
        achieved(label, given[level.label], review, target[:, at], level.mode)
        for at, label in enumerate(hard.labels)
        for level in modes_of(label, levels)
    )
