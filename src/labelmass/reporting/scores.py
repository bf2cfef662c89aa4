"""The comparison: the headline table, its differences, and every other metric."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from labelmass.evaluation import HEADLINE
from labelmass.present.tables import Cell, Head, Table, number

LEGEND = {
    "nll": "How surprised one is by people's choices if one believes P; a sure P that is wrong "
    "costs most.",
    "nll-single": "How surprised one is by people's choice of the one label if one believes P.",
    "l1": "How far P is from the share of people, added up over the labels of a record.",
    "soft-f1": "The overlap of P with the shares of people, as a share of both; 1 is all of it.",
    "soft-accuracy": "The overlap of P with the shares of people; 1 is all of it.",
    "example-f1": "How well a record's label set fits its gold set, mean over records; two empty "
    "sets fit.",
    "micro-f1": "How well the sets fit gold, all cells counted alike: frequent labels weigh most.",
    "macro-f1": "The same label by label, then the mean: rare labels weigh as much as frequent "
    "ones.",
    "auc": "How often a record that has a label gets a larger P of it than one that has not; 0.5 "
    "is chance.",
    "ece": "How far P is from the share of people among cells with nearly the same P, label by "
    "label.",
}
"""The headline metrics for a reader who meets them first."""


def scores(comparison: Mapping[str, Any]) -> dict[str, Any]:
    """The headline table, what its columns say, differences if there are, and the rest."""
    known: Mapping[str, Any] = comparison["metrics"]
    headline = [name for name in HEADLINE if name in known] or list(known)
    rest = [name for name in known if name not in headline]
    return {
        "table": _table("Methods side by side", comparison, headline),
        "legend": list(_legend(known, headline)),
        "differences": comparison["baseline"] and _differences(comparison, headline),
        "more_metrics": len(rest),
        "more_table": _table("More metrics", comparison, rest),
        "more_legend": list(_legend(known, rest)),
        "rules": list(comparison["rules"].items()),
    }


def best(comparison: Mapping[str, Any], metric: str) -> set[str]:
    """The methods with the best value of a column."""
    better = comparison["metrics"][metric]["better"]
    found = {row["name"]: row["scores"][metric]["value"] for row in comparison["methods"]}
    values = [value for value in found.values() if value is not None]
    if better is None or not values:
        return set()
    top = min(values) if better == "lower" else max(values)
    return {name for name, value in found.items() if value == top}


def _table(title: str, comparison: Mapping[str, Any], metrics: Sequence[str]) -> Table:
    stars = {metric: best(comparison, metric) for metric in metrics}
    head = ["method", "records", *(_head(comparison, metric) for metric in metrics)]
    rows = [
        [
            row["name"],
            f"{row['items']}" + (f" ({row['failed']} failed)" if row["failed"] else ""),
            *(_cell(row["scores"][metric], row["name"] in stars[metric]) for metric in metrics),
        ]
        for row in comparison["methods"]
    ]
    return Table(title, head, rows)


def _head(comparison: Mapping[str, Any], metric: str) -> Head:
    return Head(metric, comparison["metrics"][metric]["better"])


def _cell(score: Mapping[str, Any], star: bool) -> Cell:
    known = score["low"] is not None and score["value"] is not None
    inside = [f"[{number(score['low'])}, {number(score['high'])}]"] if known else []
    return Cell(number(score["value"]), star, details=inside)


def _legend(known: Mapping[str, Any], metrics: Sequence[str]) -> Iterator[tuple[str, str]]:
    for metric in metrics:
        better = known[metric]["better"]
        tail = f" {better.capitalize()} is better." if better else ""
        about = LEGEND.get(metric)
        summary = known[metric]["summary"]
        yield metric, f"{about or summary[0].upper() + summary[1:] + '.'}{tail}"


def _differences(comparison: Mapping[str, Any], metrics: Sequence[str]) -> Table:
    rows = [
        [row["name"], *(_difference(comparison, row["differences"], one) for one in metrics)]
        for row in comparison["methods"]
        if row["differences"]
    ]
    title = f"Difference from {comparison['baseline']}, on the same records"
    return Table(title, ["method", *(_head(comparison, metric) for metric in metrics)], rows)


def _difference(comparison: Mapping[str, Any], found: Mapping[str, Any], metric: str) -> Cell:
    one, better = found[metric], comparison["metrics"][metric]["better"]
    if one["value"] is None:
        return Cell("n/a")
    shown, low, high = f"{one['value']:+.3f}", one["low"], one["high"]
    if low is None:
        return Cell(shown)
    verdict = ""
    if better and (low > 0 or high < 0):
        verdict = "better +" if (low > 0) == (better == "higher") else "worse -"
    inside = f"[{low:+.3f}, {high:+.3f}]" + ("" if one["p"] is None else f" p {one['p']:.2g}")
    return Cell(shown, verdict=verdict, details=[inside])
