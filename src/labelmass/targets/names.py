"""From label names as data has them to columns of the task."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labelmass._text import canonical, nearest, quoted
from labelmass._types import Bools, Floats
from labelmass.errors import LabelMassError, RecordError

Resolve = Callable[[Sequence[str]], Collection[str]]


@dataclass(frozen=True, slots=True)
class Columns:
    """Mapping from names in data to columns of the task; names are compared in NFC.

    of: name in NFC -> column, or None for what counts for none (`neutral`).
    ignore_others: names that are not there count for none, too.
    resolve: from labels to these and all that they imply.
    """

    labels: tuple[str, ...]
    of: Mapping[str, int | None]
    ignore_others: bool
    resolve: Resolve

    @classmethod
    def make(
        cls,
        labels: Sequence[str],
        pool: Mapping[str, str | None] | None,
        empty: str | None,
        ignore_others: bool,
        resolve: Resolve = tuple,
    ) -> Columns:
        """Raises LabelMassError where the labels or the pool cannot be meant."""
        columns: dict[str, int] = {}
        for name in labels:
            if canonical(name) in columns:
                first = labels[columns[canonical(name)]]
                also = "" if name == first else f", once as {quoted(first, name)}"
                raise LabelMassError(f"label {quoted(name, first)} is named twice{also}")
            columns[canonical(name)] = len(columns)
        of: dict[str, int | None] = dict(columns)
        if empty is not None:
            if canonical(empty) in columns:
                raise LabelMassError(f"{empty!r} is the empty answer and a label: keep one")
            of[canonical(empty)] = None
        for source, label in (pool or {}).items():
            if label is not None and canonical(label) not in columns:
                known = ", ".join(labels)
                raise LabelMassError(
                    f"pool: {source!r} counts as {label!r}, which is no label of the task ({known})"
                )
            of[canonical(source)] = None if label is None else columns[canonical(label)]
        return cls(tuple(labels), of, ignore_others, resolve)

    def column(self, name: str, record: object) -> int | None:
        """The column of a name; RecordError where the record holds a name nobody declared."""
        if canonical(name) in self.of:
            return self.of[canonical(name)]
        if self.ignore_others:
            return None
        hint = nearest(name, self.of)
        raise RecordError(
            f"record {record!r}: label {name!r} is not in the task ({', '.join(self.labels)})"
            f"{f'{hint} Or' if hint else ';'} "
            "pool it into one of them or into None, or ignore other labels"
        )

    def chosen(self, names: object, key: str, record: object) -> Floats:
        """(k,) 1 for each label that one of the names counts for, and for those that they imply."""
        return self._with_implied(self.members(names, key, record))

    def unjudged(self, names: object, record: object, votes: Iterable[Floats]) -> Bools:
        """(k,) labels that nobody judged, and those that they would add to what was chosen.

        votes: (k,) labels that each annotator chose.
        """
        unknown = self.members(names, "unknown", record)
        results = unknown > 0
        if results.any():
            for vote in votes:
                results |= self._with_implied(np.maximum(vote, unknown)) > self._with_implied(vote)
        return results

    def _with_implied(self, row: Floats) -> Floats:
        names = self.resolve([self.labels[at] for at in np.flatnonzero(row)])
        return np.array([label in names for label in self.labels], dtype=np.float64)

    def members(self, names: object, key: str, record: object) -> Floats:
        """(k,) 1 for each label that one of the names counts for."""
        if isinstance(names, str | Mapping) or not isinstance(names, Iterable):
            raise RecordError(f"record {record!r}: {key} is {names!r}, not a list of labels")
        row = np.zeros(len(self.labels))
        for name in names:
            if not isinstance(name, str):
                raise RecordError(f"record {record!r}: {key} holds {name!r}, not a label's name")
            if (column := self.column(name, record)) is not None:
                row[column] = 1
        return row

    def shares(self, distribution: Any, record: object) -> Floats:
        """(k,) shares; two that would have to be pooled are refused, as they may overlap."""
        if not isinstance(distribution, Mapping):
            raise RecordError(f"record {record!r}: distribution is no map from labels to shares")
        row = np.zeros(len(self.labels))
        source: dict[int, str] = {}
        for name, share in distribution.items():
            if share is None:  # as Parquet writes what is not there
                continue
            column = self.column(name, record)
            number = isinstance(share, int | float) and not isinstance(share, bool)
            if not number or not 0 <= share <= 1:
                raise RecordError(
                    f"record {record!r}: distribution of {name!r} is {share!r}, not in [0, 1]"
                )
            if column is None or share == 0:
                continue
            if column in source:
                raise RecordError(
                    f"record {record!r}: {source[column]!r} and {name!r} both count as "
                    f"{self.labels[column]!r}, and shares of labels that may be chosen together "
                    "cannot be added: give the annotators"
                )
            source[column] = name
            row[column] = share
        return self._with_implied_shares(row)

    def _with_implied_shares(self, row: Floats) -> Floats:
        """Shares with those of implied labels: unknown (NaN) where several labels imply one."""
        given, results = np.flatnonzero(row).tolist(), row.copy()
        means = {at: set(self.resolve([self.labels[at]])) for at in given}
        for column in np.flatnonzero(self._with_implied(row) > (row > 0)).tolist():
            by = [at for at in given if self.labels[column] in means[at]]
            names = {self.labels[at] for at in by}
            widest = [at for at in by if not (means[at] & names) - {self.labels[at]}]
            results[column] = row[widest[0]] if len(widest) == 1 else np.nan
        return results
