"""Human labels: shares of annotators and gold sets, a row a record, NaN where unknown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelmass._text import find
from labelmass._types import Floats
from labelmass.errors import LabelMassError, RecordError
from labelmass.targets.aggregate import Votes, dawid_skene, majority, shares
from labelmass.targets.names import Columns, Resolve
from labelmass.task.values import plain_row, read_id

GOLD = {
    "given": "the labels given",
    "majority": "share of annotators >= 0.5",
    "more-than-half": "share of annotators > 0.5",
    "dawid-skene": "Dawid-Skene posterior >= 0.5",
}
"""Rules that make gold sets, by name."""


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """Human labels of n records over k labels.

    Attributes:
        shares: (n, k) H, share of annotators who chose the label; NaN unknown.
        gold: (n, k) Y, 0 or 1; NaN unknown.
        raters: (n,) number of annotators, 0 where not known.
        groups: (n,) names of what belongs together (a conversation), or None.
        gold_rule: Rule by which gold was made, in words.
    """

    ids: tuple[str | int, ...]
    labels: tuple[str, ...]
    shares: Floats
    gold: Floats
    raters: NDArray[np.int64]
    groups: tuple[str, ...] | None
    gold_rule: str

    @classmethod
    def from_records(
        cls,
        records: Iterable[Mapping[str, Any]],
        labels: Sequence[str],
        *,
        gold: str = "given",
        empty: str | None = None,
        pool: Mapping[str, str | None] | None = None,
        group: str | None = "group",
        ignore_others: bool = False,
        resolve: Resolve = tuple,
    ) -> Targets:
        """Targets from records that hold `annotators`, `distribution` or `labels`.

        Shares come from the annotators; else from the distribution, where a label that is not named
        has 0; else from the labels, as 0 and 1. `unknown` names labels nobody judged.

        Args:
            gold: One of GOLD. "given" takes the majority where a record has no `labels`.
            empty: A name in data for the empty set.
            pool: Names in data -> label of the task, or None for none of them. A label is unknown
                if a name that counts for it is.
            group: The field that names what belongs together; a record without it stands alone.
            resolve: From labels to these and all that they imply, as any hazard means `unsafe`. An
                implied label is unknown where it depends on one that is; so is its share in a
                distribution where several labels imply it.

        Raises:
            LabelMassError, RecordError: Naming the record and the label.
        """
        if gold not in GOLD:
            raise LabelMassError(f"gold is {gold!r}: one of {', '.join(GOLD)}")
        columns = Columns.make(labels, pool, empty, ignore_others, resolve)
        rows = [_Row.read(record, columns) for record in records]
        seen: set[str | int] = set()
        for row in rows:
            if row.id in seen:
                raise RecordError(f"record {row.id!r} comes twice: ids must differ")
            seen.add(row.id)
        k = len(columns.labels)
        votes = _votes(rows, k)
        result = shares(votes)
        for at, row in enumerate(rows):
            if row.shares is not None:
                result[at] = row.shares
        unknown = np.array([row.unknown for row in rows], dtype=bool).reshape(len(rows), k)
        result[unknown] = np.nan
        truth, rule = _gold(gold, rows, result, votes)
        truth[unknown] = np.nan
        return cls(
            tuple(row.id for row in rows),
            columns.labels,
            result,
            truth,
            votes.raters,
            _groups(rows, group),
            rule,
        )

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        known = int((~np.isnan(self.gold)).sum())
        return (
            f"Targets({len(self)} records, {len(self.labels)} labels, {known} cells known; "
            f"gold: {self.gold_rule})"
        )

    def at(self, ids: Iterable[str | int]) -> Targets:
        """The rows of these ids, in this order; LabelMassError for one that is not there."""
        place = {name: at for at, name in enumerate(self.ids)}
        try:
            rows = [place[name] for name in ids]
        except KeyError as error:
            raise LabelMassError(f"no targets for record {error.args[0]!r}") from None
        return replace(
            self,
            ids=tuple(self.ids[at] for at in rows),
            shares=self.shares[rows],
            gold=self.gold[rows],
            raters=self.raters[rows],
            groups=None if self.groups is None else tuple(self.groups[at] for at in rows),
        )

    def to_dict(self) -> dict[str, Any]:
        """Labels, rule and records; null where unknown."""
        groups = self.groups or (None,) * len(self)
        rows = zip(self.ids, self.shares, self.gold, self.raters.tolist(), groups, strict=True)
        return {
            "labels": list(self.labels),
            "gold_rule": self.gold_rule,
            "records": [
                {
                    "id": name,
                    "shares": self._named(share),
                    "gold": self._named(truth),
                    "raters": raters,
                    "group": group,
                }
                for name, share, truth, raters, group in rows
            ],
        }

    def _named(self, row: Floats) -> dict[str, float | None]:
        cells = zip(self.labels, row.tolist(), strict=True)
        return {label: None if np.isnan(value) else value for label, value in cells}


@dataclass(frozen=True, slots=True)
class _Row:
    """One record, in columns of the task.

    shares: where they do not come from annotators. gold: the labels given, or None.
    """

    id: str | int
    votes: list[Floats]
    voters: list[str] | None
    shares: Floats | None
    gold: Floats | None
    unknown: NDArray[np.bool_]
    record: Mapping[str, Any]

    @classmethod
    def read(cls, record: Mapping[str, Any], columns: Columns) -> _Row:
        record = plain_row(record)
        name = read_id(record.get("id"))
        if name is None:
            raise RecordError("a record to compare with needs an id, a text or a whole number")
        given = record.get("labels")
        gold = None if given is None else columns.chosen(given, "labels", name)
        blank = record.get("unknown") or ()
        columns.members(blank, "unknown", name)  # RecordError unless it is a list of labels
        if both := [label for label in given or () if find(label, blank) is not None]:
            raise RecordError(f"record {name!r}: {both[0]!r} is among its labels and unknown")
        annotators = record.get("annotators") or ()
        if isinstance(annotators, str | Mapping) or not isinstance(annotators, Iterable):
            raise RecordError(f"record {name!r}: annotators is no list of lists of labels")
        votes = [columns.chosen(vote, "annotators", name) for vote in annotators]
        known = [*votes, *([] if gold is None else [gold])]
        unknown = columns.unjudged(blank, name, known)
        for vote in votes:
            vote[unknown] = np.nan
        distribution = record.get("distribution")
        shares = None
        if not votes:
            shares = gold if distribution is None else columns.shares(distribution, name)
            if shares is None:
                raise RecordError(
                    f"record {name!r} has no labels, annotators or distribution (where no label "
                    "applies, labels is an empty list, [] in a CSV)"
                )
        return cls(name, votes, _voters(record, len(votes)), shares, gold, unknown, record)


def _voters(record: Mapping[str, Any], count: int) -> list[str] | None:
    ids = record.get("annotator_ids")
    if ids is None or not count:
        return None
    if not isinstance(ids, list | tuple) or len(ids) != count or len(set(map(str, ids))) != count:
        raise RecordError(
            f"record {record['id']!r}: annotator_ids must name its {count} annotators, each once"
        )
    return [str(id_) for id_ in ids]


def _votes(rows: Sequence[_Row], k: int) -> Votes:
    chosen = [vote for row in rows for vote in row.votes]
    record = [at for at, row in enumerate(rows) for _ in row.votes]
    number: dict[str, int] = {}
    voters = [voter for row in rows for voter in row.voters or ()]
    annotator = [number.setdefault(voter, len(number)) for voter in voters]
    told_apart = len(annotator) == len(chosen)
    return Votes(
        np.array(chosen, dtype=np.float64).reshape(len(chosen), k),
        np.array(record, dtype=np.int64),
        len(rows),
        np.array(annotator, dtype=np.int64) if told_apart else None,
        tuple(number) if told_apart else (),
    )


def _gold(gold: str, rows: Sequence[_Row], found: Floats, votes: Votes) -> tuple[Floats, str]:
    if gold == "dawid-skene":
        for row in rows:
            if not row.votes or row.voters is None:
                lacking = "annotator_ids" if row.votes else "annotators"
                raise RecordError(
                    f"record {row.id!r} has no {lacking}: Dawid-Skene must know who chose what; "
                    "take gold = majority"
                )
        return majority(dawid_skene(votes).posteriors), GOLD[gold]
    if gold != "given":
        return majority(found, strict=gold == "more-than-half"), GOLD[gold]
    truth = majority(found)
    without = 0
    for at, row in enumerate(rows):
        if row.gold is None:
            without += 1
        else:
            truth[at] = row.gold
    if not without:
        return truth, GOLD[gold]
    return truth, f"{GOLD[gold]}; {GOLD['majority']} for {without} of {len(rows)} records without"


def _groups(rows: Sequence[_Row], field: str | None) -> tuple[str, ...] | None:
    """Names of groups; a record without one is a group of its own."""
    if field is None or all(row.record.get(field) is None for row in rows):
        return None
    names: list[str] = []
    for row in rows:
        group = row.record.get(field)
        names.append(f"record:{row.id}" if group is None else f"{field}:{group}")
    return tuple(names)
