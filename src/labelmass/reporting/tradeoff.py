"""Misses against false alarms of a guard's verdicts: how strict to be."""

from __future__ import annotations

from dataclasses import replace

from labelmass.analysis import plain
from labelmass.present.figures import MARKERS, Axis, Dots, Figure, Line, Mark, Panel
from labelmass.present.tables import number
from labelmass.reporting.curves import Bools, ErrorTradeoff, error_tradeoff
from labelmass.reporting.explorer import Explorer
from labelmass.reporting.report_data import Model, ReportData
from labelmass.task.labels import modes_of
from labelmass.workflows.achieved import HALF

NAME = "error-tradeoff"
IN_USE = "the threshold of the tables"


def tradeoff(run: ReportData, model: Model, explorer: Explorer | None = None) -> Figure:
    """A panel a label that is a verdict of risk, by the shown method; no rows for other tasks."""
    labels = [level.label for chain in run.task.levels for level in chain]
    results: list[ErrorTradeoff] = []
    for label in labels:
        at = run.targets.labels.index(label)
        given = _own_answers(run, model, label) | {IN_USE: model.chosen[:, at]}
        one = error_tradeoff(label, model.p[:, at], run.targets.gold[:, at], given)
        results += [] if one is None else [_with_policy(one, explorer)]
    about = (
        "How strict to be: as the threshold falls, fewer records with the label are missed and "
        "more of the others are flagged (detection error tradeoff). The line is one probability at "
        "every threshold. The marks are the guard's own answers, by each mode that its makers "
        "publish, and the threshold in use. Where a mark lies above the line, some threshold makes "
        "fewer errors of one kind and no more of the other."
    )
    rows = [
        [one.label, number(cut), number(flagged), number(wrong), number(missed)]
        for one in results
        for cut, flagged, wrong, missed in zip(
            one.threshold, one.flagged, one.false_positive_rate, one.miss_rate, strict=True
        )
    ]
    rows += [
        [one.label, name, "", number(wrong), number(missed)]
        for one in results
        for name, (wrong, missed) in one.at.items()
    ]
    return Figure(
        NAME,
        f"Misses against false alarms of {model.shown}",
        about,
        [_panel(one) for one in results],
        {"method": model.shown, "labels": [plain(one) for one in results]},
        ["label", "P at least", "flagged", "false-positive rate", "miss rate"],
        rows,
    )


def _own_answers(run: ReportData, model: Model, label: str) -> dict[str, Bools]:
    """What the guard's own answers give, by mode, if they were compared."""
    if "hard" not in model.scores:
        return {}
    own = model.scores["hard"]
    given = dict(zip(own.labels, (own.p > HALF).T, strict=True))
    return {
        f"own answers, {level.mode}" if level.mode else "own answers": given[level.label]
        for level in modes_of(label, run.task.levels)
    }


def _with_policy(one: ErrorTradeoff, explorer: Explorer | None) -> ErrorTradeoff:
    """With what the policy gives in place of the comparison's threshold, if a policy was given."""
    if explorer is None or not explorer.given:
        return one
    others = {name: ends for name, ends in one.at.items() if name != IN_USE}
    rates = next(rates for rates in explorer.rates.labels if rates.label == one.label)
    wrong, right = rates.false_positives.value, rates.recall.value
    if wrong is not None and right is not None:
        others["the policy"] = wrong, 1 - right
    return replace(one, at=others)


def _panel(one: ErrorTradeoff) -> Panel:
    points = [(0.0, 1.0), *zip(one.false_positive_rate, one.miss_rate, strict=True)]
    marks: list[Mark] = [Line("at each threshold", points)]
    marks += [
        Dots(name, [ends], 1, MARKERS[at % len(MARKERS)])
        for at, (name, ends) in enumerate(one.at.items(), 1)
    ]
    ends = "; ".join(
        f"{name}: {number(wrong)} false positives, {number(missed)} missed"
        for name, (wrong, missed) in one.at.items()
    )
    about = f"{one.label}: {one.positives} of {one.records} records have it. Rates: {ends}"
    title = f"{one.label} ({one.positives})"
    return Panel(title, about, Axis("false-positive rate"), Axis("miss rate"), marks)
