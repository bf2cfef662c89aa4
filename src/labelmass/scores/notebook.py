"""Scores and results as tables for a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from labelmass.answers.marginals import Bounds
from labelmass.errors import RecordError
from labelmass.present.tables import Cell, Head, Table, probability, rounded_down
from labelmass.scores.result import Failure, Outcome, Result
from labelmass.task import Record

if TYPE_CHECKING:
    from labelmass.scores.scores import Scores

MAX_RECORDS = 20
"""Records shown of a table of scores."""

MAX_CHARACTERS = 60
"""Characters shown of a record's text."""

MISSED = "!"
"""Stands beside numbers that missed the tolerance."""

Row = list[str | Cell]


def scores_table(scores: Scores, most: int = MAX_RECORDS) -> Table:
    """A row a record, by the first method: each label's probability, and what was lost.

    Args:
        most: Records that are shown.
    """
    outcomes = list(islice(scores, most))
    columns: list[tuple[Head, Row]] = [
        (Head("id", prose=True), list(map(_id, outcomes))),
        *_unless_empty("text", (_start_of_text(outcome.input) for outcome in outcomes)),
        *(
            (Head(label), [_of_label(outcome, label) for outcome in outcomes])
            for label in scores.labels
        ),
        *_unless_empty("off-format", map(_off_format, outcomes), prose=False),
        *_unless_empty("action", map(_action, outcomes)),
        *_unless_empty("failure", map(_failure, outcomes)),
    ]
    heads = [head for head, _ in columns]
    rows = [list(row) for row in zip(*(cells for _, cells in columns), strict=True)]
    return Table("", heads, rows, list(_notes(scores, outcomes)))


def result_table(result: Result) -> Table:
    """A row a label, likeliest first, with a column a method; then the empty answer."""
    heads = [Head("label", prose=True), *map(Head, result.methods)]
    methods = result.methods.items()
    rows: list[Row] = [
        [label, *(_probability(one[label], name in result.missed) for name, one in methods)]
        for label, _ in result.labels.ranked()
    ]
    if any(one.empty is not None for _, one in methods):
        cells = (_empty(one.empty, name in result.missed) for name, one in methods)
        rows.append([Cell("empty answer", style="italic"), *cells])
    return Table(f"record {result.id}", heads, rows, list(_notes_of(result)))


def failure_table(failure: Failure) -> Table:
    """The record, its text where it is known, and what kept it from scores."""
    columns: list[tuple[Head, Row]] = [
        (Head("id", prose=True), [_id(failure)]),
        *_unless_empty("text", [_start_of_text(failure.input)]),
        *_unless_empty("action", [_action(failure)]),
        (Head("failure", prose=True), [_failure(failure)]),
    ]
    return Table("", [head for head, _ in columns], [[cell for _, (cell,) in columns]])


def _unless_empty(
    name: str, cells: Iterable[str | Cell], *, prose: bool = True
) -> list[tuple[Head, Row]]:
    """A column, or none where no cell says anything."""
    row = list(cells)
    return [(Head(name, prose=prose), row)] if any(row) else []


def _id(outcome: Outcome) -> Cell:
    return Cell(str(outcome.id), style="bold")


def _of_label(outcome: Outcome, label: str) -> str | Cell:
    if isinstance(outcome, Failure):
        return ""
    return _probability(outcome[label], next(iter(outcome.methods)) in outcome.missed)


def _empty(bounds: Bounds | None, missed: bool) -> str | Cell:
    return "" if bounds is None else _probability(bounds, missed)


def _action(outcome: Outcome) -> str:
    return "" if outcome.decisions is None else outcome.decisions["action"]


def _failure(outcome: Outcome) -> str | Cell:
    return Cell(outcome.error, style="red") if isinstance(outcome, Failure) else ""


def _probability(bounds: Bounds, missed: bool) -> Cell:
    cell = probability(bounds.p, bounds.low, bounds.high)
    return replace(cell, verdict=MISSED) if missed else cell


def _off_format(outcome: Outcome) -> str:
    """Mass found to leave the format; more may, where much was not looked at."""
    if isinstance(outcome, Failure) or np.isnan(outcome.off_format):
        return ""
    if outcome.unexplored > outcome.tolerance:
        return f"≥{rounded_down(outcome.off_format)}"
    return probability(outcome.off_format).text


def _start_of_text(fields: Mapping[str, object]) -> str:
    """The beginning of a record's texts in one line; nothing where its fields hold no record."""
    try:
        text = Record.from_dict(fields, 1).plain
    except RecordError:
        return ""
    line = " ".join(text[: 10 * MAX_CHARACTERS].split())
    return line if len(line) <= MAX_CHARACTERS else f"{line[: MAX_CHARACTERS - 1].rstrip()}…"


def _notes(scores: Scores, shown: Sequence[Outcome]) -> Iterator[str]:
    if len(shown) < len(scores):
        yield f"the first {len(shown)} of {len(scores):,} records"
    yield from scores.notices
    others = [name for name in scores.methods if name != scores.method]
    normalisation = f" ({scores.signature.normalisation})" if scores.signature else ""
    also = f"; also there: {', '.join(others)}" if others else ""
    yield f"method: {scores.method}{normalisation}{also}"
    yield f"intervals: {scores.estimates.interval}"
    if scores.estimates.note:
        yield scores.estimates.note
    results = [outcome for outcome in shown if isinstance(outcome, Result)]
    if any(scores.method in result.missed for result in results):
        yield _missed(results[0])
    if scores.signature is not None:
        yield str(scores.signature)


def _notes_of(result: Result) -> Iterator[str]:
    if text := _start_of_text(result.input):
        yield text
    if off_format := _off_format(result):
        yield f"off-format: {off_format}"
    if action := _action(result):
        yield f"action: {action}"
    yield from result.warnings
    if result.missed:
        yield _missed(result)
    yield f"intervals: {result.labels.interval}"
    if result.signature is not None:
        yield str(result.signature)


def _missed(result: Result) -> str:
    return f"{MISSED} wider than the tolerance of {result.tolerance:g}"
