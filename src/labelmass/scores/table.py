"""Result records as rows of a flat table, and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from labelmass._text import canonical, nearest
from labelmass.errors import LabelMassError
from labelmass.scores.columns import BOUNDS, SIDES, VALUES, Column

Cells = dict[str, Any]
"""One record as the cells of a table, by the columns' titles."""

ALWAYS = ("off_format", "unexplored", "greedy", "stopped")
"""Columns that every table has, whatever its records say."""

MISSED = "; "
"""Between the methods that fell short in one cell, each `METHOD: reason`."""

_LARGEST = 2**63


class FlatTable:
    """The columns that records need, found in one pass over them, and each record's cells.

    columns: title -> float, int, bool or str, in their order.
    """

    def __init__(self, records: Iterable[Mapping[str, Any]], labels: Iterable[str] = ()) -> None:
        inputs: dict[str, set[type]] = {}
        scores: dict[Column, None] = {Column("label", label): None for label in labels}
        masses: dict[Column, None] = {}
        values: dict[str, None] = dict.fromkeys(ALWAYS)
        whole_ids = True
        for record in records:
            whole_ids &= isinstance(record["id"], int) and abs(record["id"]) < _LARGEST
            for name, value in _mapping(record.get("input")).items():
                kinds = inputs.setdefault(name, set())
                if value is not None:
                    kinds.add(_kind(value))
            for column, _ in _scores(record):
                (masses if column.kind == "field" else scores).setdefault(column)
            values |= dict.fromkeys(name for name in VALUES if _value(record, name) is not None)
        self._whole_ids = whole_ids
        self._inputs = {name: Column("input", name, side="").title for name in inputs}
        self._titles = {column: _titles(column) for column in (*scores, *masses)}
        self._values = [name for name in VALUES if name in values and name not in ("id", "error")]
        self.columns: dict[str, type] = {"id": int if whole_ids else str, "error": str}
        self.columns |= {title: _common(inputs[name]) for name, title in self._inputs.items()}
        for titles in self._titles.values():
            self.columns |= dict.fromkeys(titles, float)
        self.columns |= {name: VALUES[name] for name in self._values}

    def cells(self, record: Mapping[str, Any]) -> Cells:
        """The record's cells; what it lacks is left out."""
        cells: Cells = {"id": record["id"] if self._whole_ids else _utf8(str(record["id"]))}
        for name, value in _mapping(record.get("input")).items():
            if value is not None:
                title = self._inputs[name]
                cells[title] = _as(self.columns[title], value)
        for column, score in _scores(record):
            result = _mapping(score)
            for title, side in zip(self._titles[column], SIDES, strict=True):
                cells[title] = result.get(side)
        for name in ("error", *self._values):
            value = _value(record, name)
            if value is not None:
                cells[name] = _utf8(value) if isinstance(value, str) else value
        return cells


def _scores(record: Mapping[str, Any]) -> Iterator[tuple[Column, Any]]:
    """Every probability with bounds in a record; the column is that of its p."""
    for label, score in _mapping(record.get("labels")).items():
        yield Column("label", label), score
    empty = _mapping(record.get("empty_by_method"))
    for method, scores in _mapping(record.get("methods")).items():
        for label, score in _mapping(scores).items():
            yield Column("label", label, method), score
        if method in empty:
            yield Column("field", "empty", method), empty[method]
    for name in BOUNDS:
        if record.get(name) is not None:
            yield Column("field", name), record[name]


def _value(record: Mapping[str, Any], name: str) -> Any:
    """A record's field as a single value; None where it is absent."""
    if name == "action":
        return _mapping(record.get("decisions")).get("action")
    if name == "missed":
        missed = _mapping(record.get("missed")).items()
        return MISSED.join(f"{method}: {entry['reason']}" for method, entry in missed) or None
    return record.get(name)


def _titles(column: Column) -> tuple[str, ...]:
    return tuple(Column(column.kind, column.name, column.method, side).title for side in SIDES)


def _kind(value: Any) -> type:
    """Python type of the column for a value."""
    if isinstance(value, bool):
        return bool
    if isinstance(value, int):
        return int if abs(value) < _LARGEST else str
    return float if isinstance(value, float) else str


def _common(kinds: set[type]) -> type:
    if kinds == {int, float}:
        return float
    return next(iter(kinds)) if len(kinds) == 1 else str


def _as(kind: type, value: Any) -> Any:
    if kind is float:
        return float(value)
    if kind is str:
        return _utf8(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return value


def _utf8(text: str) -> str:
    """The text as UTF-8 can hold it: a lone surrogate becomes its escape."""
    return text.encode("utf-8", "backslashreplace").decode()


def _mapping(value: object) -> Mapping[str, Any]:
    """A JSON object as it is; empty where there is none."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


@dataclass(frozen=True, slots=True)
class RowReader:
    """Rows of a flat table as result records, for some labels; other columns are left out.

    titles: of the columns that are read. labels: whose scores they hold.
    """

    titles: frozenset[str]
    labels: tuple[str, ...]
    read: Callable[[Mapping[str, Any]], dict[str, Any]]

    @classmethod
    def of(cls, columns: Sequence[str], labels: Sequence[str] | None, name: str) -> RowReader:
        """For a table with these columns; name: what errors call it. labels: None for all there.

        A label is found by the column that is written for it, else by one that is called as it is,
        as in the tables of other systems; a column holds one thing only. Names are compared in NFC.
        Raises LabelMassError where there is no `id`, or no column for a label.
        """
        result = _Columns(columns, name)
        if "id" not in columns:
            raise LabelMassError(
                f"{name} has no column 'id', by which scores are joined to records "
                f"(columns: {', '.join(columns)})"
            )
        labels = result.labels() if labels is None else labels
        named = result.methods(labels)
        without = not any(result.title(Column("label", label)) for label in labels)
        first = {} if named and without else result.scores(labels)
        methods = {method: result.scores(labels, method) for method in named}
        fields = {column.name: title for column, title in result.fields() if not column.side}
        masses = {name: result.sides(Column("field", name)) for name in BOUNDS}
        masses = {name: sides for name, sides in masses.items() if sides}

        def read(cells: Mapping[str, Any]) -> dict[str, Any]:
            row: dict[str, Any] = {key: _cell(cells[title]) for key, title in fields.items()}
            row |= {key: _picked(cells, sides) for key, sides in masses.items()}
            if "missed" in row:
                row["missed"] = _missed(row["missed"])
            row["labels"] = {label: _picked(cells, sides) for label, sides in first.items()}
            row["methods"] = {
                method: {label: _picked(cells, sides) for label, sides in scores.items()}
                for method, scores in methods.items()
            }
            return row

        return cls(frozenset(result.used), tuple(labels), read)


class _Columns:
    """The columns of a table by what they hold; each is used once."""

    def __init__(self, columns: Sequence[str], name: str) -> None:
        self._name, self._columns = name, columns
        self._by_title: dict[str, str] = {}
        self._by_column: dict[Column, str] = {}
        for title in columns:
            if (other := self._by_title.setdefault(canonical(title), title)) != title:
                raise LabelMassError(f"{name}: the columns {title!r} and {other!r} are one name")
            column = Column.read(title)
            column = Column(column.kind, canonical(column.name), column.method, column.side)
            if (other := self._by_column.setdefault(column, title)) != title:
                raise LabelMassError(f"{name}: the columns {title!r} and {other!r} hold the same")
        self.used = {"id"}

    def title(self, column: Column) -> str | None:
        """Title of a column: the one labelmass writes, else the one another system would write."""
        wanted = Column(column.kind, canonical(column.name), column.method, column.side)
        if (title := self._by_column.get(wanted)) is not None:
            return title
        before = f"{column.method}:" if column.method else ""
        return self._by_title.get(canonical(f"{before}{column.name}{SIDES[column.side]}"))

    def labels(self) -> list[str]:
        """Labels of the unnamed first method, if there is one, else of the first named method."""
        columns = [c for c in self._by_column if c.kind == "label" and c.side == "p"]
        if not columns:
            raise LabelMassError(f"{self._name} has no column of scores")
        first = "" if any(not c.method for c in columns) else columns[0].method
        return [c.name for c in columns if c.method == first]

    def methods(self, labels: Sequence[str]) -> list[str]:
        """The methods that have a column for one of the labels, except for columns of the first."""
        names = set(map(canonical, labels))
        first = {self.title(Column("label", label)) for label in labels}
        return list(
            dict.fromkeys(
                column.method
                for column, title in self._by_column.items()
                if column.kind == "label" and column.method and column.side == "p"
                if column.name in names and title not in first
            )
        )

    def scores(self, labels: Sequence[str], method: str = "") -> dict[str, dict[str, str]]:
        """Titles of each label's sides; LabelMassError for a label without a probability."""
        results: dict[str, dict[str, str]] = {}
        for label in labels:
            title = self.title(Column("label", label, method))
            if title is None or title in self.used:
                wanted = f"{method}:{label}" if method else label
                hint = nearest(wanted, self._columns)
                raise LabelMassError(f"{self._name} has no column {wanted!r}{hint}")
            self.used.add(title)
            results[label] = {"p": title}
        for label, sides in results.items():
            for side in ("low", "high"):
                title = self.title(Column("label", label, method, side))
                if title is not None and title not in self.used:
                    self.used.add(title)
                    sides[side] = title
        return results

    def sides(self, column: Column) -> dict[str, str]:
        """The titles of a probability with bounds, as far as they are left."""
        results = {
            side: self._by_column.get(Column(column.kind, column.name, column.method, side))
            for side in SIDES
        }
        left = {side: title for side, title in results.items() if title and title not in self.used}
        self.used |= set(left.values())
        return left

    def fields(self) -> Iterator[tuple[Column, str]]:
        """The single values that records say of themselves, as far as they are left."""
        for column, title in self._by_column.items():
            if column.kind == "field" and not column.side:
                if column.name == "id" or title not in self.used:
                    self.used.add(title)
                    yield column, title


def _missed(cell: object) -> dict[str, Any]:
    """Reasons by method that numbers fell short, as in a record; a reason is a single word."""
    parts = [] if cell is None else str(cell).split(MISSED)
    return {method: {"reason": why} for method, _, why in (part.rpartition(": ") for part in parts)}


def _cell(value: Any) -> Any:
    return None if value == "" else value


def _picked(cells: Mapping[str, Any], sides: Mapping[str, str]) -> dict[str, Any]:
    return {side: _cell(cells[title]) for side, title in sides.items()}
