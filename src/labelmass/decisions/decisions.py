"""From scores to what is done: a policy applied to records."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from pathlib import Path
from typing import NotRequired

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict  # pydantic reads no other before Python 3.12

from labelmass._types import Floats
from labelmass.decisions.policy import Policy
from labelmass.decisions.rule import ACTIONS
from labelmass.errors import FitError, LabelMassError
from labelmass.files.writing import replacing, write_records
from labelmass.provenance import check

ENDINGS = (".jsonl", ".csv")
"""File endings of decisions."""


class LabelOutcome(IntEnum):
    """Outcome of a label's score."""

    BELOW = 0
    REVIEW = 1
    ABOVE = 2


class Action(TypedDict):
    """Action on one record.

    Attributes:
        action: One of `ACTIONS`.
    """

    action: str


class DecisionRow(Action):
    """Decision on one record, as files hold it; its action is the strictest of its labels'.

    Attributes:
        id: Of the record, where nothing else names it.
        labels: By label, its action.
        given: The labels that are given.
        review: The labels that go to review.
        straddles: The labels whose interval leaves two outcomes open.
        unreadable: Those of them that no exploration can settle.
        no_verdict: Whether too little of the record gives a verdict.
        policy: The `digest` of the policy, where nothing else names it.
        explorations: Number of times the record was explored for it.
    """

    id: NotRequired[str | int]
    labels: dict[str, str]
    given: list[str]
    review: list[str]
    straddles: list[str]
    unreadable: list[str]
    no_verdict: bool
    policy: NotRequired[str]
    explorations: NotRequired[int]


@dataclass(frozen=True)
class Decisions:
    """Decisions of a policy for (n, k) scores.

    Attributes:
        ids: Ids of the records; their positions where the scores had none.
        outcomes: (n, k) of `LabelOutcome`.
        straddles: (n, k) whether the interval left two outcomes open: exploring the record further
            may settle it, except for those that are `unreadable`: (n, k) whether two outcomes are
            open only because some mass cannot be read.
        no_verdict: (n,) whether too little of the record gives a verdict.
        degrees: (n, k) what that comes to, in `ACTIONS`.
    """

    labels: tuple[str, ...]
    ids: tuple[str | int, ...] = field(repr=False)
    outcomes: NDArray[np.int8] = field(repr=False)
    straddles: NDArray[np.bool_] = field(repr=False)
    unreadable: NDArray[np.bool_] = field(repr=False)
    no_verdict: NDArray[np.bool_] = field(repr=False)
    degrees: NDArray[np.int64] = field(repr=False)

    @cached_property
    def actions(self) -> tuple[str, ...]:
        """(n,) the strictest of each record's labels."""
        return tuple(ACTIONS[degree] for degree in self.degrees.max(axis=1))

    def to_rows(self) -> list[DecisionRow]:
        """One object a record: its id and action, each label's; labels given, in review, open."""
        return [
            {
                "id": name,
                "action": action,
                "labels": {x: ACTIONS[d] for x, d in zip(self.labels, degrees, strict=True)},
                "given": self._names(outcomes == LabelOutcome.ABOVE),
                "review": self._names(outcomes == LabelOutcome.REVIEW),
                "straddles": self._names(straddles),
                "unreadable": self._names(unreadable),
                "no_verdict": bool(no_verdict),
            }
            for name, action, degrees, outcomes, straddles, unreadable, no_verdict in zip(
                self.ids,
                self.actions,
                self.degrees,
                self.outcomes,
                self.straddles,
                self.unreadable,
                self.no_verdict,
                strict=True,
            )
        ]

    def _names(self, chosen: NDArray[np.bool_]) -> list[str]:
        return [label for label, is_chosen in zip(self.labels, chosen, strict=True) if is_chosen]

    @property
    def counts(self) -> dict[str, int]:
        """Number of records for each action."""
        return {action: self.actions.count(action) for action in ACTIONS}

    def _repr_html_(self) -> str:
        """The first records as a table, for a notebook."""
        from labelmass.decisions.notebook import decisions_table
        from labelmass.present.notebook import table_html

        return table_html(decisions_table(self))

    def save(self, path: str | Path) -> None:
        """Write a row a record, as `to_rows` gives them; its ending is .jsonl or .csv.

        A CSV has the columns `id`, `action`, and one of actions for each label, called `label:NAME`
        if a label is itself called `id` or `action`.

        Raises:
            LabelMassError: For another ending, and where no file can be written.
        """
        check_ending(path)
        if Path(path).suffix.lower() == ".jsonl":
            write_records(path, self.to_rows())
            return
        titles = [f"label:{label}" if label in ("id", "action") else label for label in self.labels]
        rows = (
            (name, action, *(ACTIONS[degree] for degree in degrees))
            for name, action, degrees in zip(self.ids, self.actions, self.degrees, strict=True)
        )
        with (
            replacing(path) as partial,
            partial.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
        ):
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("id", "action", *titles))
            writer.writerows(rows)


def check_ending(path: str | Path) -> None:
    """LabelMassError for a file that decisions are not written to."""
    if Path(path).suffix.lower() not in ENDINGS:
        raise LabelMassError(f"{path}: its name must end in {' or '.join(ENDINGS)}")


def apply_policy(
    policy: Policy,
    p: Floats,
    low: Floats | None = None,
    high: Floats | None = None,
    *,
    ids: Sequence[str | int] | None = None,
    ceiling: Floats | None = None,
    verdict: Floats | None = None,
    signature: Mapping[str, object] | None = None,
    calibrator: str | None = None,
    force: bool = False,
) -> Decisions:
    """Apply a policy to (n, k) scores, columns in the order of its labels, and their bounds.

    An interval whose ends and point have one outcome has it, else the policy's `straddle` decides.
    Without bounds, or where they are NaN, p stands for them; where p is NaN the label goes to
    review.

    Args:
        ids: Ids of the records; None for their positions.
        ceiling: (n, k) upper ends if what cannot be read counts as open, see `ceiling`.
        verdict: (n,) the least mass on which any verdict is given, None if the format has none.
            Where that is below the policy's `min_verdict`, or not known, what would be let pass
            goes to review.

    Raises:
        FitError: For other shapes, for scores outside [0, 1], and unless `force` for scores of
            another signature or through another calibrator (its `digest`) than the policy's.
    """
    k = len(policy.labels)
    if p.ndim != 2 or p.shape[1] != k:
        raise FitError(
            f"scores of shape {p.shape}: a column for each of {', '.join(policy.labels)}"
        )
    ids = range(len(p)) if ids is None else ids
    if len(ids) != len(p):
        raise FitError(f"{len(ids)} ids for {len(p)} rows of scores")
    check_policy(policy, signature, calibrator, force)
    if not force:
        _check_verdict(policy, verdict)
    low, high = (p if end is None else np.where(np.isnan(end), p, end) for end in (low, high))
    if ceiling is not None:
        ceiling = np.where(np.isnan(ceiling), high, np.maximum(ceiling, high))
    top = high if ceiling is None else ceiling
    ends = (_within(policy, end) for end in (low, p, high, top))
    bottom, point, upper, top = (_outcomes(policy, end) for end in ends)
    known = ~np.isnan(p)
    straddles = (bottom != top) & known
    open_to = {"review": np.full_like(point, LabelOutcome.REVIEW), "point": point, "low": bottom}
    outcomes = np.where(straddles, open_to.get(policy.straddle, top), point)
    outcomes[~known] = LabelOutcome.REVIEW
    no_verdict = np.zeros(len(p), dtype=bool)
    if verdict is not None:
        no_verdict = ~(verdict >= policy.min_verdict) & known.any(axis=1)
        outcomes[no_verdict[:, None] & (outcomes == LabelOutcome.BELOW)] = LabelOutcome.REVIEW
    unreadable = straddles & (bottom == upper)
    degrees = _degrees(policy, outcomes)
    return Decisions(
        policy.labels, tuple(ids), outcomes, straddles, unreadable, no_verdict, degrees
    )


def _check_verdict(policy: Policy, verdict: Floats | None) -> None:
    """FitError for scores that say what the policy's did not, or do not say what those did."""
    says = "how much of each record gives a verdict"
    if verdict is None and policy.requires_verdict:
        raise FitError(
            f"this policy is for scores that say {says}, and these do not: give `verdict` and what "
            "is `unreadable`, or force it"
        )
    if verdict is not None and policy.requires_verdict is False:
        raise FitError(
            f"this policy is for scores that do not say {says}, and these do: make one on scores "
            "of this kind, or force it"
        )


_SLACK = 1e-6
"""Rounding error outside of [0, 1] that is clipped."""


def _within(policy: Policy, score: Floats) -> Floats:
    """Scores without what rounding put outside [0, 1]; FitError for what is no probability."""
    wrong = np.argwhere((score < -_SLACK) | (score > 1 + _SLACK))
    if len(wrong):
        row, column = wrong[0].tolist()
        raise FitError(
            f"label {policy.labels[column]!r}: row {row} has the score {score[row, column]:g}, "
            "which is not in [0, 1]"
        )
    return np.clip(score, 0.0, 1.0)


def check_policy(
    policy: Policy, signature: Mapping[str, object] | None, calibrator: str | None, force: bool
) -> None:
    """FitError, unless `force`, for scores of another signature or through another calibrator."""
    check("this policy", policy.signature, signature, force)
    if policy.calibrator != calibrator and not force:
        raise FitError(
            f"this policy is for scores through the calibrator {policy.calibrator}, not "
            f"{calibrator}: apply that one, make a policy on these scores, or force it"
        )


def _outcomes(policy: Policy, score: Floats) -> NDArray[np.int8]:
    thresholds, reviews = (
        np.array([np.inf if end is None else end for end in ends])
        for ends in (policy.thresholds, [rule.review_from for rule in policy.rules.values()])
    )
    out = np.full(score.shape, LabelOutcome.BELOW, dtype=np.int8)
    out[score >= reviews] = LabelOutcome.REVIEW
    out[score >= thresholds] = LabelOutcome.ABOVE
    return out


def _degrees(policy: Policy, outcomes: NDArray[np.int8]) -> NDArray[np.int64]:
    given = np.array([ACTIONS.index(rule.action) for rule in policy.rules.values()])
    degrees = np.where(outcomes == LabelOutcome.ABOVE, given, 0)
    degrees[outcomes == LabelOutcome.REVIEW] = ACTIONS.index("review")
    return degrees
