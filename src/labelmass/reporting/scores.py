"""The comparison: the headline table, its differences, and every other metric."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from labelmass.evaluation import HEADLINE
from labelmass.present.tables import number
from labelmass.reporting.html import Markup, definitions, fold, join, table, tag

ARROWS = {"higher": "↑", "lower": "↓", None: ""}

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


def scores(comparison: Mapping[str, Any]) -> Markup:
    """The headline table, what its columns say, differences if there are, and the rest."""
    known: Mapping[str, Any] = comparison["metrics"]
    headline = [name for name in HEADLINE if name in known] or list(known)
    parts = [
        _table("Methods side by side", comparison, headline),
        tag(
            "p",
            "★ best of its column. In brackets the 95 % interval over records. ",
            tag("strong", "constant"),
            " and ",
            tag("strong", "base-rate"),
            " look at no text: one number for all labels, and each label's frequency, both found "
            "on other records. What does not beat them has learnt nothing from the text.",
            class_="note",
        ),
        tag("h4", "What the columns say"),
        definitions(_legend(known, headline)),
    ]
    if comparison["baseline"] is not None:
        parts.append(_differences(comparison, headline))
    rest = [name for name in known if name not in headline]
    if rest:
        parts.append(
            fold(
                f"{len(rest)} more metrics",
                _table("More metrics", comparison, rest),
                definitions(_legend(known, rest)),
            )
        )
    rules = ((name, rule) for name, rule in comparison["rules"].items())
    return join([*parts, fold("What the numbers hang on", definitions(rules))])


def best(comparison: Mapping[str, Any], metric: str) -> set[str]:
    """The methods with the best value of a column."""
    better = comparison["metrics"][metric]["better"]
    found = {row["name"]: row["scores"][metric]["value"] for row in comparison["methods"]}
    values = [value for value in found.values() if value is not None]
    if better is None or not values:
        return set()
    top = min(values) if better == "lower" else max(values)
    return {name for name, value in found.items() if value == top}


def _table(caption: str, comparison: Mapping[str, Any], metrics: Sequence[str]) -> Markup:
    stars = {metric: best(comparison, metric) for metric in metrics}
    head = ["method", "records", *(_named(comparison, metric) for metric in metrics)]
    rows = [
        [
            row["name"],
            f"{row['items']}" + (f" ({row['failed']} failed)" if row["failed"] else ""),
            *(_cell(row["scores"][metric], row["name"] in stars[metric]) for metric in metrics),
        ]
        for row in comparison["methods"]
    ]
    return table(caption, head, rows, class_="numbers")


def _named(comparison: Mapping[str, Any], metric: str) -> Markup:
    better = comparison["metrics"][metric]["better"]
    arrow = f" {ARROWS[better]}" if better else ""
    says = f" ({better} is better)" if better else ""
    return join(
        [
            metric,
            tag("span", arrow, aria_hidden="true"),
            tag("span", says, class_="unseen"),
        ]
    )


def _cell(score: Mapping[str, Any], star: bool) -> Markup:
    value = number(score["value"])
    shown = tag("strong", f"★ {value}") if star else join([value])
    if score["low"] is None or score["value"] is None:
        return shown
    inside = f"[{number(score['low'])}, {number(score['high'])}]"
    return join([shown, " ", tag("span", inside, class_="interval")])


def _legend(known: Mapping[str, Any], metrics: Sequence[str]) -> Iterator[tuple[str, str]]:
    for metric in metrics:
        better = known[metric]["better"]
        tail = f" {better.capitalize()} is better." if better else ""
        about = LEGEND.get(metric)
        summary = known[metric]["summary"]
        yield metric, f"{about or summary[0].upper() + summary[1:] + '.'}{tail}"


def _differences(comparison: Mapping[str, Any], metrics: Sequence[str]) -> Markup:
    baseline = comparison["baseline"]
    rows = [
        [row["name"], *(_difference(comparison, row["differences"], one) for one in metrics)]
        for row in comparison["methods"]
        if row["differences"]
    ]
    head = ["method", *(_named(comparison, metric) for metric in metrics)]
    return join(
        [
            table(f"Difference from {baseline}, on the same records", head, rows, class_="numbers"),
            tag(
                "p",
                "+ better, - worse: the 95 % interval excludes 0. p is of a sign-flip test, where "
                "the metric is a mean over records.",
                class_="note",
            ),
        ]
    )


def _difference(comparison: Mapping[str, Any], found: Mapping[str, Any], metric: str) -> Markup:
    one, better = found[metric], comparison["metrics"][metric]["better"]
    if one["value"] is None:
        return join(["n/a"])
    shown, low, high = f"{one['value']:+.3f}", one["low"], one["high"]
    if low is None:
        return join([shown])
    sure = low > 0 or high < 0
    sign = ("+" if (low > 0) == (better == "higher") else "-") if sure and better else ""
    inside = f"[{low:+.3f}, {high:+.3f}]" + ("" if one["p"] is None else f" p {one['p']:.2g}")
    mark = tag("strong", f" {'better' if sign == '+' else 'worse'} {sign}") if sign else join([])
    return join([shown, mark, " ", tag("span", inside, class_="interval")])
