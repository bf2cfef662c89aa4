"""Labels that come together: pairs in the model's answers, and in the annotators'.

Formulas: docs/formulas.md#sets-counts-and-pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from labelmass.answers.marginals import Marginals
from labelmass.targets import Targets
from labelmass.task import Record, Task

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Cooccurrence:
    """Mean over records of the share of both labels; the diagonal is of one label.

    labels: k names. model, annotators: (k, k), NaN where nothing is known. records: (k, k) counted.
    """

    labels: tuple[str, ...]
    model: Floats
    annotators: Floats
    records: NDArray[np.int64]

    @property
    def most(self) -> float:
        """The largest share of a pair."""
        pairs = ~np.eye(len(self.labels), dtype=bool)
        both = np.concatenate([self.model[pairs], self.annotators[pairs]])
        return float(np.nan_to_num(both).max(initial=0.0))


def model_pairs(marginals: Marginals) -> Floats:
    """(k, k) P(both are written), on the diagonal P(label is written); NaN for nothing."""
    k = len(marginals.tree.labels)
    result = np.full((k, k), np.nan)
    for one in range(k):
        result[one, one] = _number(marginals.label(one).p)
        for other in range(one):
            result[one, other] = result[other, one] = _number(marginals.pair(one, other).p)
    return result


def annotator_pairs(record: Record, task: Task, gold: Floats, known: NDArray[np.bool_]) -> Floats:
    """(k, k) share of the record's annotators who chose both; of its gold set without annotators.

    gold: (k,) 0 or 1. known: (k,) labels that were judged; pairs with another are NaN.
    """
    votes = [_set(task, vote) for vote in record.annotators]
    rows = np.array(votes) if votes else gold[None, :]
    both = np.nan_to_num(rows).T @ np.nan_to_num(rows) / len(rows)
    both[~known, :] = np.nan
    both[:, ~known] = np.nan
    return both


def known_labels(targets: Targets) -> Mapping[str | int, tuple[Floats, NDArray[np.bool_]]]:
    """Gold row of each record, and which of its labels were judged."""
    rows = zip(targets.ids, targets.gold, targets.shares, strict=True)
    return {name: (gold, ~(np.isnan(gold) | np.isnan(share))) for name, gold, share in rows}


@dataclass(slots=True)
class Pairs:
    """The mean over records, as they come."""

    labels: tuple[str, ...]
    _sums: list[Floats] = field(init=False)
    _count: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        k = len(self.labels)
        self._sums = [np.zeros((k, k)), np.zeros((k, k))]
        self._count = np.zeros((k, k), dtype=np.int64)

    def add(self, model: Floats, annotators: Floats) -> None:
        """Count the pairs that both know."""
        both = ~(np.isnan(model) | np.isnan(annotators))
        self._count += both
        for total, one in zip(self._sums, (model, annotators), strict=True):
            total += np.where(both, one, 0.0)

    def mean(self) -> Cooccurrence:
        """Mean over the records counted."""
        n = self._count
        empty = np.full(n.shape, np.nan)
        model, annotators = (np.divide(s, n, out=empty.copy(), where=n > 0) for s in self._sums)
        return Cooccurrence(self.labels, model, annotators, n)


def _set(task: Task, vote: Sequence[str]) -> Floats:
    names = task.resolve(vote)
    return np.array([label in names for label in task.label_names], dtype=np.float64)


def _number(value: float | None) -> float:
    return np.nan if value is None else value
