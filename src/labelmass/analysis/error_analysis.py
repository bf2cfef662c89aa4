"""Error analysis: what is missed and what is wrongly given, by label and by group of records.

Pure functions of arrays; cells without a score or without gold count nowhere.
Formulas: docs/formulas.md#error-analysis.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelmass._types import Bools, Floats
from labelmass.analysis.counts import Share, Spread


@dataclass(frozen=True, slots=True, eq=False)
class Decided:
    """Decisions on the n records and k labels of an error analysis, and the truth.

    Attributes:
        p: (n, k) probabilities that were decided on; NaN where there is none.
        gold: (n, k) 0 or 1; NaN unknown.
        given: (n, k) whether the record is given the label.
        review: (n, k) whether that is left to a person: such a cell is neither missed nor given.
    """

    labels: tuple[str, ...]
    p: Floats
    gold: Floats
    given: Bools
    review: Bools

    @property
    def positives(self) -> Bools:
        """(n, k) cells with a score whose label is right."""
        return (self.gold == 1) & ~np.isnan(self.p)

    @property
    def negatives(self) -> Bools:
        """(n, k) cells with a score whose label is wrong."""
        return (self.gold == 0) & ~np.isnan(self.p)

    @property
    def missed(self) -> Bools:
        """(n, k) labels that are right, and neither given nor in review: false negatives."""
        return self.positives & ~self.given & ~self.review

    @property
    def false_alarms(self) -> Bools:
        """(n, k) labels that are given and wrong: false positives."""
        return self.negatives & self.given


@dataclass(frozen=True, slots=True)
class LabelErrors:
    """Errors of one label.

    Attributes:
        missed: Of the records that have the label.
        false_alarms: Of the records that do not.
        review: Records that have it and are in review for it.
        instead: Label that a record was wrongly given where this one was missed -> records. One
            record counts for each of them.
        nothing_instead: Records that miss it and were wrongly given no label.
        p_missed: Probabilities of the label in the records that miss it.
        rows: Records that miss it, the least probability first.
    """

    label: str
    missed: Share
    false_alarms: Share
    review: int
    instead: Mapping[str, int]
    nothing_instead: int
    p_missed: Spread
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ErrorRates:
    """Under- and over-flagging: the shares that are missed and that are false alarms."""

    missed: Share
    false_alarms: Share


@dataclass(frozen=True, slots=True)
class GroupErrors:
    """Errors in the records of one group.

    Attributes:
        records: In the group.
        overall: Over the cells of all labels.
        labels: Of each label.
    """

    group: str
    records: int
    overall: ErrorRates
    labels: Mapping[str, ErrorRates]


def label_errors(decided: Decided) -> tuple[LabelErrors, ...]:
    """Errors of each label, in their order, with the labels that were given instead."""
    missed, wrong = decided.missed, decided.false_alarms
    instead = missed.T.astype(np.int64) @ wrong  # (k, k): missed the row, given the column
    nothing = missed[~wrong.any(axis=1)].sum(axis=0)
    results: list[LabelErrors] = []
    for at, label in enumerate(decided.labels):
        rows = np.flatnonzero(missed[:, at])
        p = decided.p[rows, at]
        order = np.argsort(p, kind="stable")
        results.append(
            LabelErrors(
                label,
                _share(missed[:, at], decided.positives[:, at]),
                _share(wrong[:, at], decided.negatives[:, at]),
                int((decided.positives & decided.review)[:, at].sum()),
                _most_frequent_first(decided.labels, instead[at]),
                int(nothing[at]),
                Spread.of(p),
                tuple(rows[order].tolist()),
            )
        )
    return tuple(results)


def group_errors(decided: Decided, groups: Sequence[Collection[str]]) -> tuple[GroupErrors, ...]:
    """Errors in each group, the largest first.

    Args:
        groups: (n,) names of the groups that each record is in, none or several.
    """
    names = sorted({name for row in groups for name in row})
    results = [
        _of_group(decided, name, np.array([name in row for row in groups], dtype=bool))
        for name in names
    ]
    return tuple(sorted(results, key=lambda one: -one.records))


def _of_group(decided: Decided, name: str, rows: Bools) -> GroupErrors:
    missed, positives = decided.missed[rows], decided.positives[rows]
    wrong, negatives = decided.false_alarms[rows], decided.negatives[rows]
    return GroupErrors(
        name,
        len(missed),
        ErrorRates(_share(missed, positives), _share(wrong, negatives)),
        {
            label: ErrorRates(
                _share(missed[:, at], positives[:, at]), _share(wrong[:, at], negatives[:, at])
            )
            for at, label in enumerate(decided.labels)
        },
    )


def _share(part: Bools, whole: Bools) -> Share:
    return Share(int(part.sum()), int(whole.sum()))


def _most_frequent_first(labels: Sequence[str], counts: NDArray[np.int64]) -> dict[str, int]:
    pairs = sorted(zip(labels, counts.tolist(), strict=True), key=lambda pair: -pair[1])
    return {label: count for label, count in pairs if count}
