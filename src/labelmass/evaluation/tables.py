"""An evaluation as tables: for a terminal, for a paper, and with every number.

They are made of the evaluation's JSON, so that one read from a file gives the same tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from labelmass.present.tables import Cell, Head, Table, number

Evaluations = Mapping[str, Any]
"""Evaluations as `Evaluation.to_dict` gives them."""
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
"""Columns of the CSV; a cell is empty where something is not defined."""


def every_number(evaluations: Evaluations) -> Table:
    """Full precision, a row a method, metric and label."""
    rows = [[_plain(row.get(name)) for name in COLUMNS] for row in _rows(evaluations)]
    return Table("", COLUMNS, rows)


def _rows(evaluations: Evaluations) -> Iterator[dict[str, Any]]:
    for row in evaluations["methods"]:
        for metric, score in row["scores"].items():
            named = {"method": row["name"], "metric": metric}
            cells = score | named | {"label": None} | {at: row[at] for at in ("failed", "missed")}
            if (difference := row["differences"].get(metric)) is not None:
                cells |= {"baseline": evaluations["baseline"], "difference": difference["value"]}
                cells |= {f"difference_{at}": difference[at] for at in ("low", "high", "p")}
            yield cells
            for label, value in score["labels"].items():
                yield named | {"label": label, "value": value}


def _plain(value: object) -> str:
    return "" if value is None else str(value)


def scoreboard(
    evaluations: Evaluations, metrics: Sequence[str], title: str = "", *, records: bool = True
) -> Table:
    """A row a method, its intervals beside the values, and the rules as notes.

    records: True to state the number of records of each row.
    """
    stars = {metric: best(evaluations, metric) for metric in metrics}
    rows = [
        [
            row["name"],
            *([_records(row)] if records else []),
            *(_cell(row["scores"][metric], row["name"] in stars[metric]) for metric in metrics),
        ]
        for row in evaluations["methods"]
    ]
    head = ["method", *(["records"] if records else []), *_heads(evaluations, metrics)]
    return Table(title, head, rows, list(_footnotes(evaluations)))


def summary(evaluations: Evaluations, metrics: Sequence[str]) -> Table:
    """The metrics for a terminal; + and - say better and worse for sure."""
    stars = {metric: best(evaluations, metric) for metric in metrics}
    note = f"{evaluations['items']} records, {evaluations['draws']} bootstrap draws"
    if evaluations["baseline"] is not None:
        note += f"; + better, - worse than {evaluations['baseline']}: the interval excludes 0"
    counts = [at for at in ("failed", "missed") if any(row[at] for row in evaluations["methods"])]
    rows: list[list[str | Cell]] = []
    for row in evaluations["methods"]:
        cells: list[str | Cell] = [row["name"], *(str(row[at]) for at in counts)]
        for metric in metrics:
            sign = _sign(evaluations, row["differences"].get(metric), metric) or " "
            text = number(row["scores"][metric]["value"]) + sign
            cells.append(Cell(text, row["name"] in stars[metric]))
        rows.append(cells)
    return Table("", ["method", *counts, *metrics], rows, [note])


def differences(evaluations: Evaluations, metrics: Sequence[str]) -> Table:
    """Each method less the baseline, with the interval and the p of the difference."""
    rows = [
        [
            row["name"],
            *(_difference(evaluations, row["differences"][metric], metric) for metric in metrics),
        ]
        for row in evaluations["methods"]
        if row["differences"]
    ]
    title = f"Difference from {evaluations['baseline']}, on the same records"
    return Table(title, ["method", *_heads(evaluations, metrics)], rows)


def best(evaluations: Evaluations, metric: str) -> set[str]:
    """The methods with the best value of a column."""
    better = evaluations["metrics"][metric]["better"]
    values = {row["name"]: row["scores"][metric]["value"] for row in evaluations["methods"]}
    values = {name: value for name, value in values.items() if value is not None}
    if better is None or not values:
        return set()
    top = (min if better == "lower" else max)(values.values())
    return {name for name, value in values.items() if value == top}


def _heads(evaluations: Evaluations, metrics: Sequence[str]) -> list[Head]:
    return [Head(metric, evaluations["metrics"][metric]["better"]) for metric in metrics]


def _records(row: Mapping[str, Any]) -> str:
    return f"{row['items']}" + (f" ({row['failed']} failed)" if row["failed"] else "")


def _cell(score: Mapping[str, Any], star: bool) -> Cell:
    known = score["low"] is not None and score["value"] is not None
    inside = [f"[{number(score['low'])}, {number(score['high'])}]"] if known else []
    return Cell(number(score["value"]), star, details=inside)


def _difference(evaluations: Evaluations, one: Mapping[str, Any], metric: str) -> Cell:
    if one["value"] is None:
        return Cell("n/a")
    shown = f"{one['value']:+.3f}"
    if one["low"] is None:
        return Cell(shown)
    verdict = {"+": "better +", "-": "worse -", "": ""}[_sign(evaluations, one, metric)]
    inside = f"[{one['low']:+.3f}, {one['high']:+.3f}]"
    inside += "" if one["p"] is None else f" p {one['p']:.2g}"
    return Cell(shown, verdict=verdict, details=[inside])


def _sign(evaluations: Evaluations, one: Mapping[str, Any] | None, metric: str) -> str:
    """+ where the method is better than the baseline beyond its interval, - where it is worse."""
    better = evaluations["metrics"][metric]["better"]
    if one is None or one["low"] is None or better is None or one["low"] <= 0 <= one["high"]:
        return ""
    return "+" if (one["low"] > 0) == (better == "higher") else "-"


def _footnotes(evaluations: Evaluations) -> Iterator[str]:
    yield from (f"{name}: {rule}" for name, rule in evaluations["rules"].items())
    for row in evaluations["methods"]:
        name = row["name"]
        if row["failed"]:
            yield f"{name}: {row['failed']} of {evaluations['items']} records failed"
        if row.get("missed"):  # comparisons of earlier versions do not say
            of = row["items"]
            yield f"{name}: {row['missed']} of {of} records missed the tolerance of their run"
        if row["note"]:
            yield f"{name}: {row['note']}"
