"""Warnings, failures and cost of a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from labelmass.estimators import ESTIMATORS
from labelmass.evaluation import HEADLINE
from labelmass.evaluation.tables import best
from labelmass.present.tables import Table, number
from labelmass.reporting.report_data import BASELINES, Model, ReportData
from labelmass.scores.result import OFF_FORMAT_WARNING

SMALL = 100
"""With fewer records, little is sure."""


def warnings(run: ReportData) -> list[str]:
    """In the order of their weight."""
    results = list(_of_scores(run))
    for model in run.models:
        mark = f"{model.name}: " if len(run.models) > 1 else ""
        results += [f"{mark}{one}" for one in _of_model(model)]
    return results


def _of_scores(run: ReportData) -> Iterator[str]:
    comparison = run.comparison
    if comparison["items"] < SMALL:
        yield f"Only {comparison['items']} records: intervals are wide, and figures are coarse."
    beaten = [
        metric
        for metric in HEADLINE
        if metric in comparison["metrics"] and best(comparison, metric) & set(BASELINES)
    ]
    if beaten:
        yield (
            f"No method beats a row that looks at no text in {', '.join(beaten)}: there, these "
            "probabilities say less than how frequent the labels are."
        )
    unknown = int(np.isnan(run.targets.shares).sum())
    if unknown:
        yield f"{unknown} of {run.targets.shares.size} cells are unknown and left out of every sum."
    for row in comparison["methods"]:
        if row["failed"]:
            yield f"{row['name']} has no probabilities for {row['failed']} records."
        if row.get("missed"):  # comparisons of earlier versions do not say
            yield f"{row['name']} missed the tolerance of its run for {row['missed']} records."


def _of_model(model: Model) -> Iterator[str]:
    trees = model.trees
    if trees.off_format > OFF_FORMAT_WARNING:
        yield (
            f"{trees.off_format:.0%} of the mass leaves the answer format, so raw probabilities "
            "are small; demonstrations help most, and --normalise on-format conditions on answers "
            "that "
            "parse."
        )
    if trees.unreadable > OFF_FORMAT_WARNING:
        yield (
            f"{trees.unreadable:.0%} of the mass is a risk verdict whose rest cannot be read, so "
            "its labels get little; --off-format unknown counts that as open."
        )
    after = trees.off_format_after_label
    if after > max(trees.empty, model.signature.tolerance):
        yield (
            f"{after:.0%} of the mass leaves the format after the text of a label, more than the "
            "empty answer has: on-format, labels get too little and the empty answer too much."
        )
    if trees.failed:
        yield f"{len(trees.failed)} records have no tree and are in no number."
    early = {why: n for why, n in trees.stopped.items() if why}
    if early:
        causes = ", ".join(f"{why} ({n})" for why, n in early.items())
        yield f"Searches that a limit stopped before the tolerance was met: {causes}."
    lost = {end: n for end, n in trees.endings.items() if end != "complete"}
    if lost:
        ends = ", ".join(f"{end} ({n} of {sum(trees.endings.values())})" for end, n in lost.items())
        yield f"Likeliest answers that are no whole answer: {ends}."
    if isinstance(model.diagnosis, str):
        yield f"How the model writes its labels is not shown: {model.diagnosis}"


def failures(run: ReportData) -> Iterator[tuple[str, Table]]:
    """The records that failed, by model."""
    for model in run.models:
        if model.trees.failed:
            rows = [[str(name), error] for name, error in model.trees.failed]
            title = f"{model.name}: failed records"
            yield model.name, Table(title, ["record", "error"], rows)


def cost(run: ReportData) -> dict[str, Table]:
    """Tables of the cost per record and of the methods."""
    head = [
        "model",
        "forward passes",
        "prompt tokens",
        "answer tokens",
        "seconds",
        "off-format mass",
        "unexplored mass",
    ]
    costs = [_cost(run, model) for model in run.models]
    about = ["method", "what it is", "source", "takes", "bounds", "note"]
    methods = [_method(row) for row in run.comparison["methods"]]
    return {
        "cost": Table("Per record, for all methods together", head, costs),
        "methods": Table("Methods", about, methods),
    }


def _cost(run: ReportData, model: Model) -> list[str]:
    results: dict[str, Any] = {}
    for row in run.comparison["methods"]:
        results = row["cost"] if row["name"] == model.title else results
    names = ("forward_passes", "prompt_tokens", "tree_tokens", "seconds")
    values = [number(results.get(name), 2) for name in names]
    return [model.name, *values, number(model.trees.off_format), number(model.trees.unexplored)]


def _method(row: dict[str, Any]) -> list[str]:
    known = ESTIMATORS.get(row["name"].split("/")[-1])
    bounds = "" if row["interval"] == "none" else row["interval"]
    if known is None:
        return [row["name"], "", "", "", bounds, row["note"]]
    return [row["name"], known.summary, known.source, known.cost, bounds, row["note"]]
