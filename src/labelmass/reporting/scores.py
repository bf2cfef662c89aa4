"""The comparison: the headline table, its differences, and every other metric."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from labelmass.evaluation import HEADLINE
from labelmass.evaluation.tables import differences, scoreboard

LEGEND = {
    "nll": "How surprised one is by annotators' choices if one believes P; a sure P that is wrong "
    "costs most.",
    "nll-single": "How surprised one is by annotators' choice of the one label if one believes P.",
    "l1": "How far P is from the share of annotators, added up over the labels of a record.",
    "soft-f1": "Overlap of P with the shares of annotators, as a share of both; 1 is all of it.",
    "soft-accuracy": "Overlap of P with the shares of annotators; 1 is all of it.",
    "example-f1": "How well a record's label set fits its gold set, mean over records; two empty "
    "sets fit.",
    "micro-f1": "How well the sets fit gold, all cells counted alike: frequent labels weigh most.",
    "macro-f1": "The same label by label, then the mean: rare labels weigh as much as frequent "
    "ones.",
    "auc": "How often a record that has a label gets a larger P of it than one that has not; 0.5 "
    "is chance.",
    "ece": "How far P is from the share of annotators among cells with nearly the same P, label by "
    "label.",
}
"""The headline metrics for a reader who meets them first."""


def scores(comparison: Mapping[str, Any]) -> dict[str, Any]:
    """The headline table, what its columns say, differences if there are, and the rest."""
    known: Mapping[str, Any] = comparison["metrics"]
    headline = [name for name in HEADLINE if name in known] or list(known)
    rest = [name for name in known if name not in headline]
    return {
        "table": scoreboard(comparison, headline, "Methods side by side"),
        "legend": list(_legend(known, headline)),
        "differences": comparison["baseline"] and differences(comparison, headline),
        "more_metrics": len(rest),
        "more_table": scoreboard(comparison, rest, "More metrics"),
        "more_legend": list(_legend(known, rest)),
        "rules": list(comparison["rules"].items()),
    }


def _legend(known: Mapping[str, Any], metrics: Sequence[str]) -> Iterator[tuple[str, str]]:
    for metric in metrics:
        better = known[metric]["better"]
        tail = f" {better.capitalize()} is better." if better else ""
        about = LEGEND.get(metric)
        summary = known[metric]["summary"]
        yield metric, f"{about or summary[0].upper() + summary[1:] + '.'}{tail}"
