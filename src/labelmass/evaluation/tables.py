"""An evaluation as tables: for a terminal, for a paper, and with every number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from labelmass.evaluation.metrics import METRICS
from labelmass.present.tables import Cell, Head, Table, number

if TYPE_CHECKING:
    from labelmass.evaluation.results import Evaluation, MethodScores

COLUMNS: tuple[str, ...] = (
    "method",
    "metric",
    "label",
    "value",
    "low",
    "high",
    "best",
    "worst",
    "items",
    "cells",
    "partial",
    "failed",
    "missed",
    "draws",
    "baseline",
    "difference",
    "difference_low",
    "difference_high",
    "difference_p",
)
"""Of the CSV; empty where something is not defined."""


def every_number(evaluation: Evaluation) -> Table:
    """Full precision, a row a method, metric and label."""
    return Table(
        "", COLUMNS, [[_plain(row.get(name)) for name in COLUMNS] for row in _rows(evaluation)]
    )


def _rows(evaluation: Evaluation) -> Iterator[dict[str, object]]:
    for row in evaluation.methods.values():
        for metric, score in row.scores.items():
            named: dict[str, object] = {"method": row.name, "metric": metric}
            numbers = {name: getattr(score, name) for name in COLUMNS if hasattr(score, name)}
            counts = {"failed": row.failed, "missed": row.missed}
            found = numbers | named | counts
            if (difference := row.differences.get(metric)) is not None:
                found |= {"baseline": evaluation.baseline, "difference": difference.value}
                for name in ("low", "high", "p"):
                    found[f"difference_{name}"] = getattr(difference, name)
            yield found
            for label, value in score.labels.items():
                yield named | {"label": label, "value": value}


def _plain(value: object) -> str:
    return "" if value is None else str(value)


def scoreboard(evaluation: Evaluation, metrics: Sequence[str], *, records: bool = True) -> Table:
    """A row a method, its intervals beside the values, and the rules as notes.

    records: Whether to say of how many records each row is.
    """
    best = _best(evaluation, metrics)
    rows: list[list[str | Cell]] = []
    for row in evaluation.methods.values():
        cells = [
            Cell(_shown(row, name), row.name in best[name], details=_interval(row, name))
            for name in metrics
        ]
        rows.append([row.name, *([str(row.items)] if records else []), *cells])
    head = ["method", *(["records"] if records else []), *(_head(name) for name in metrics)]
    return Table("", head, rows, _remarks(evaluation))


def summary(evaluation: Evaluation, metrics: Sequence[str] | None = None) -> Table:
    """The headline metrics for a terminal; + and - say better and worse for sure."""
    metrics = metrics or evaluation.headline
    best = _best(evaluation, metrics)
    note = f"{evaluation.items} records, {evaluation.draws} bootstrap draws"
    if evaluation.baseline is not None:
        note += f"; + better, - worse than {evaluation.baseline}: the interval excludes 0"
    counts = [name for name in ("failed", "missed") if _any(evaluation, name)]
    rows = [
        [
            row.name,
            *(str(getattr(row, name)) for name in counts),
            *(
                Cell(_shown(row, name) + _sign(row, name), row.name in best[name])
                for name in metrics
            ),
        ]
        for row in evaluation.methods.values()
    ]
    return Table("", ["method", *counts, *metrics], rows, [note])


def _any(evaluation: Evaluation, count: str) -> bool:
    return any(getattr(row, count) for row in evaluation.methods.values())


def _best(evaluation: Evaluation, metrics: Sequence[str]) -> dict[str, set[str]]:
    """The methods whose value is the best of the column."""
    best: dict[str, set[str]] = {}
    for name in metrics:
        better = METRICS[name].better
        found = {
            row.name: row.scores[name].value
            for row in evaluation.methods.values()
            if row.scores[name].value is not None
        }
        values = [value for value in found.values() if value is not None]
        if better is None or not values:
            best[name] = set()
            continue
        top = min(values) if better == "lower" else max(values)
        best[name] = {method for method, value in found.items() if value == top}
    return best


def _shown(row: MethodScores, metric: str) -> str:
    return number(row.scores[metric].value)


def _interval(row: MethodScores, metric: str) -> list[str]:
    score = row.scores[metric]
    if score.value is None or score.low is None or score.high is None:
        return []
    return [f"[{number(score.low)}, {number(score.high)}]"]


def _sign(row: MethodScores, metric: str) -> str:
    """+ where the method is better than the baseline beyond its interval, - where it is worse."""
    difference, better = row.differences.get(metric), METRICS[metric].better
    if difference is None or difference.low is None or better is None or not difference.sure:
        return " "
    return "+" if (difference.low > 0) == (better == "higher") else "-"


def _head(metric: str) -> Head:
    return Head(metric, METRICS[metric].better)


def _remarks(evaluation: Evaluation) -> list[str]:
    remarks = [f"{name}: {rule}" for name, rule in evaluation.rules.items()]
    for row in evaluation.methods.values():
        if row.failed:
            remarks.append(f"{row.name}: {row.failed} of {evaluation.items} records failed")
        if row.missed:
            remarks.append(
                f"{row.name}: {row.missed} of {row.items} records missed the tolerance of their run"
            )
        if row.note:
            remarks.append(f"{row.name}: {row.note}")
    return remarks
