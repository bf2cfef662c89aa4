"""Error analysis section: confusions, misses, over- and under-flagging, and the answers written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labelmass.analysis import plain
from labelmass.analysis.counts import Share as Count
from labelmass.analysis.error_analysis import (
    Decided,
    ErrorRates,
    GroupErrors,
    LabelErrors,
    group_errors,
    label_errors,
)
from labelmass.analysis.written_answers import WrittenAnswer
from labelmass.decisions import LabelOutcome
from labelmass.present.tables import Cell, Table, number, probability
from labelmass.reporting.explorer import Explorer, Explorers
from labelmass.reporting.rates import Share
from labelmass.reporting.report_data import Model, ReportData, threshold_of
from labelmass.reporting.thresholds import share_cell

MAX_ANSWERS = 15
"""Answers shown."""
MAX_MISSES = 5
"""Records shown that miss a label."""


@dataclass(frozen=True, slots=True, eq=False)
class ErrorAnalysis:
    """Errors of one model.

    Attributes:
        rule: How it was decided, in words.
        decided: On the records of `ids`.
        groups: Empty if records are not told apart.
    """

    rule: str
    ids: Sequence[str | int]
    decided: Decided
    labels: tuple[LabelErrors, ...]
    groups: tuple[GroupErrors, ...]
    answers: tuple[WrittenAnswer, ...]

    @classmethod
    def of(cls, run: ReportData, model: Model, explorer: Explorer | None) -> ErrorAnalysis:
        """Errors by the policy, if one was given for the model, else as in the comparison."""
        if explorer is not None and explorer.given:
            scored, gold = explorer.scored, explorer.gold
            outcomes = scored.decide(explorer.policy, force=True).outcomes
            given, review = outcomes == LabelOutcome.ABOVE, outcomes == LabelOutcome.REVIEW
            ids, labels, p = scored.ids, scored.labels, scored.p
            rule = f"By the policy, on scores of {scored.method}"
        else:
            ids, labels, p, gold = run.targets.ids, run.targets.labels, model.p, run.targets.gold
            given, review = model.chosen, model.chosen & False
            rule = f"By {_comparison_rule(run, model)}, on scores of {model.shown}"
        decided = Decided(labels, p, gold, given, review)
        groups = () if run.groups is None else group_errors(decided, run.groups.rows(ids))
        return cls(rule, ids, decided, label_errors(decided), groups, tuple(_shown(model.answers)))

    def numbers(self) -> dict[str, Any]:
        """Strict JSON; records by their ids."""
        labels: list[dict[str, Any]] = plain(self.labels)
        for row, one in zip(labels, self.labels, strict=True):
            row["records"] = [self.ids[at] for at in one.rows]
            del row["rows"]
        return {
            "rule": self.rule,
            "labels": labels,
            "groups": plain(self.groups),
            "answers": plain(self.answers),
        }


@dataclass(frozen=True, slots=True)
class ModelErrors:
    """The section of one model. misses: None where nothing is missed."""

    name: str
    rule: str
    labels: Table
    misses: Table | None
    groups: Table | None
    group_labels: Table | None
    answers: Table
    other_answers: int


def error_section(run: ReportData, explorers: Explorers) -> dict[str, Any]:
    """The errors of every model."""
    models = [
        _of_model(run, model, ErrorAnalysis.of(run, model, explorers.get(model.name)))
        for model in run.models
    ]
    field = None if run.groups is None else run.groups.field
    return {"several": len(models) > 1, "models": models, "field": field, "most": MAX_MISSES}


def _of_model(run: ReportData, model: Model, errors: ErrorAnalysis) -> ModelErrors:
    misses = list(_misses(errors))
    head = ["label", "record", "P", "wrongly given"]
    group_head = ["label", "group", "missed", "false alarms"]
    by = "" if run.groups is None else run.groups.field
    return ModelErrors(
        model.name,
        errors.rule,
        Table("Errors of each label", _HEAD, [_label(one) for one in errors.labels]),
        Table("Missed, the least probable first", head, misses) if misses else None,
        Table(f"Errors by {by}", _GROUP_HEAD, [_group(one) for one in errors.groups])
        if errors.groups
        else None,
        Table(f"Errors by {by} and label", group_head, list(_group_labels(errors)))
        if errors.groups
        else None,
        _answers(errors.answers),
        len(model.answers) - len(errors.answers),
    )


_HEAD = (
    "label",
    "missed",
    "P where missed",
    "given instead",
    "false alarms",
    "in review",
)
_GROUP_HEAD = ("group", "records", "missed", "false alarms")
_ANSWER_HEAD = ("answer", "ends", "records", "gold differs", "mean P")


def _label(one: LabelErrors) -> list[str | Cell]:
    return [
        one.label,
        share_cell(_of(one.missed)),
        _spread(one),
        _instead(one),
        share_cell(_of(one.false_alarms)),
        str(one.review),
    ]


def _spread(one: LabelErrors) -> str | Cell:
    if one.p_missed.median is None:
        return ""
    low, *_, high = one.p_missed.quantiles
    return Cell(number(one.p_missed.median), details=[f"{low:.3f} to {high:.3f}"])


def _instead(one: LabelErrors) -> str:
    named = [f"{label} {count}" for label, count in one.instead.items()]
    nothing = [f"no other {one.nothing_instead}"] if one.nothing_instead else []
    return ", ".join(named + nothing)


def _misses(errors: ErrorAnalysis) -> Iterator[list[str | Cell]]:
    decided, labels = errors.decided, np.array(errors.decided.labels, dtype=object)
    for at, one in enumerate(errors.labels):
        for row in one.rows[:MAX_MISSES]:
            p = probability(float(decided.p[row, at]))
            given = labels[decided.false_alarms[row]].tolist()
            yield [one.label, str(errors.ids[row]), p, ", ".join(given)]


def _group(one: GroupErrors) -> list[str | Cell]:
    return [one.group, str(one.records), *_rates(one.overall)]


def _group_labels(errors: ErrorAnalysis) -> Iterator[list[str | Cell]]:
    for label in errors.decided.labels:
        for one in errors.groups:
            yield [label, one.group, *_rates(one.labels[label])]


def _rates(one: ErrorRates) -> list[str | Cell]:
    return [share_cell(_of(one.missed)), share_cell(_of(one.false_alarms))]


def _shown(answers: Sequence[WrittenAnswer]) -> Iterator[WrittenAnswer]:
    """The first answers about each label, or about all."""
    counts: Counter[str | None] = Counter()
    for one in answers:
        counts[one.about] += 1
        if counts[one.about] <= MAX_ANSWERS:
            yield one


def _answers(shown: Sequence[WrittenAnswer]) -> Table:
    head = list(_ANSWER_HEAD)
    rows = [
        [
            repr(one.text),
            str(one.ending),
            str(one.records),
            f"{one.wrong} of {one.records}" if one.records else "",
            number(one.mean_p),
        ]
        for one in shown
    ]
    if any(one.about is not None for one in shown):
        head = ["about", *head]
        rows = [[one.about or "", *row] for one, row in zip(shown, rows, strict=True)]
    return Table("Answers written", head, rows)


def _comparison_rule(run: ReportData, model: Model) -> str:
    threshold = threshold_of(run.comparison, model.title)
    if threshold.tau == 0.5 and threshold.fitted_on is None:
        return "P >= 0.5, as no threshold was chosen"
    return f"the threshold of the comparison ({threshold})"


def _of(count: Count) -> Share:
    return Share(count.hits, count.of)
