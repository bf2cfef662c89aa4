"""The records on which a model and the annotators disagree most, each with its answer tree."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from labelmass.answers.branches import MIN_MASS, Branch, StepShares, branches, step_shares
from labelmass.answers.marginals import Marginals
from labelmass.answers.tree import AnswerTree, Normalisation
from labelmass.present.tables import Cell, Table, number
from labelmass.reporting.report_data import Disagreement, Floats, Model, ReportData


@dataclass(frozen=True, slots=True)
class TreeView:
    """The answers that the model may write; about: to which label, where each has its own."""

    about: str | None
    marginals: Marginals
    branches: Branch
    steps: list[Table]

    @property
    def tree(self) -> AnswerTree:
        return self.marginals.tree


@dataclass(frozen=True, slots=True)
class RecordView:
    """A record, what annotators and model say of it, and the answers the model may write."""

    id: str | int
    distance: float
    text: str
    labels: Table
    trees: list[TreeView]


@dataclass(frozen=True, slots=True)
class ModelRecords:
    name: str
    records: list[RecordView]


def disagreements(run: ReportData) -> dict[str, Any]:
    """The records of every model that are farthest apart."""
    normalisation = Normalisation(run.comparison["normalisation"])
    models = [
        ModelRecords(model.name, [_view(run, model, one, normalisation) for one in model.worst])
        for model in run.models
    ]
    return {"several": len(models) > 1, "least": MIN_MASS, "models": models}


def _view(
    run: ReportData, model: Model, one: Disagreement, normalisation: Normalisation
) -> RecordView:
    record, passes = one.explored.record, run.task.passes
    raters = int(run.targets.raters[one.row])
    said = f"{raters} annotators" if raters else "gold"
    head = ["label", f"annotators ({said})", f"model ({model.shown})", "bounds", "gold", "given"]
    title = f"Record {record.id}: {said} and {model.shown}"
    return RecordView(
        record.id,
        one.distance,
        record.plain,
        Table(title, head, list(_labels(run, model, one))),
        [
            _tree(
                asked.label_names[0] if len(passes) > 1 else None,
                Marginals(one.explored.trees[question], normalisation),
            )
            for question, asked in passes.items()
        ],
    )


def _tree(about: str | None, marginals: Marginals) -> TreeView:
    steps = [_step(at, step) for at, step in enumerate(step_shares(marginals.tree), start=1)]
    return TreeView(about, marginals, branches(marginals), steps)


def _labels(run: ReportData, model: Model, one: Disagreement) -> Iterator[list[str | Cell]]:
    predicted, targets = model.scores[model.shown], run.targets
    for at, label in enumerate(targets.labels):
        h, p = float(targets.shares[one.row, at]), float(predicted.p[one.row, at])
        gold = float(targets.gold[one.row, at])
        yield [
            label,
            _bar(h, "annotators"),
            _bar(p, "model"),
            _bounds(predicted.estimates.low, predicted.estimates.high, one.row, at),
            "unknown" if math.isnan(gold) else "yes" if gold else "no",
            "yes" if model.chosen[one.row, at] else "no",
        ]


def _bar(value: float, whose: str) -> Cell:
    if math.isnan(value):
        return Cell("n/a")
    return Cell(number(value), bar=value, whose=whose)


def _bounds(low: Floats | None, high: Floats | None, row: int, column: int) -> str:
    if low is None or high is None:
        return ""
    ends = [float(side[row, column]) for side in (low, high)]
    return "" if any(map(math.isnan, ends)) else f"[{ends[0]:.3f}, {ends[1]:.3f}]"


def _step(at: int, step: StepShares) -> Table:
    written = "nothing" if step.written is None else step.written
    rows = [
        [name, _bar(p, "model"), f"[{low:.3f}, {high:.3f}]"] for name, p, low, high in step.shares
    ]
    title = f"Step {at}: {written} is written; a label comes next with {step.label_mass:.3f}"
    return Table(title, ["label", "p_r, the next label", "bounds"], rows)
