"""The figures of a report: the numbers of each, and how they are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from labelmass.analysis import Diagnosis, plain
from labelmass.analysis.figures import profile, spikiness
from labelmass.present.figures import (
    SOFT,
    Axis,
    Bars,
    Dots,
    Figure,
    Heat,
    Line,
    Mark,
    Panel,
)
from labelmass.present.tables import number
from labelmass.reporting.cooccurrence import Cooccurrence
from labelmass.reporting.curves import (
    PrecisionRecall,
    Reliability,
    RiskCoverage,
    confidence,
    precision_recall,
    reliability,
    risk_coverage,
    set_loss,
)
from labelmass.reporting.explorer import Explorer
from labelmass.reporting.report_data import Model, ReportData
from labelmass.reporting.tradeoff import tradeoff
from labelmass.targets import Targets

MIN_CELLS = 10
"""A dot that stands for fewer cells than this is hollow."""

PERCENT = ((0.0, "0"), (0.5, "50"), (1.0, "100"))


def figures(run: ReportData, model: Model, explorer: Explorer | None = None) -> dict[str, Figure]:
    """The figures of a model, by name; one that has nothing to show is left out.

    explorer: policy that is marked in them, None for the threshold of the comparison.
    """
    single = run.task.format.single
    results = [
        methods_reliability(model, run.targets),
        labels_reliability(model, run.targets),
        coverage(model, run.targets, single=single),
        recall(model, run.targets),
    ]
    if isinstance(model.diagnosis, Diagnosis):
        results += [
            spikiness({"largest p_r by label step": model.diagnosis}),
            profile({"p_1 by rank": model.diagnosis}),
        ]
    if model.cooccurrence is not None and not single and len(run.task.labels) > 1:
        results.append(pairs(model.cooccurrence))
    results.append(tradeoff(run, model, explorer))
    return {figure.name: figure for figure in results if figure.rows}


def methods_reliability(model: Model, targets: Targets) -> Figure:
    """A panel a method, all labels together."""
    results = {name: reliability(one.p, targets.shares) for name, one in model.scores.items()}
    return _reliability("reliability", "Reliability, all labels together", "method", results)


def labels_reliability(model: Model, targets: Targets) -> Figure:
    """A panel a label, by the shown method."""
    results = {
        label: reliability(model.p[:, at], targets.shares[:, at])
        for at, label in enumerate(targets.labels)
    }
    title = f"Reliability of {model.shown}, label by label"
    return _reliability("reliability-labels", title, "label", results)


def _reliability(name: str, title: str, kind: str, found: Mapping[str, Reliability]) -> Figure:
    about = (
        "Cells (a record and a label) with nearly the same P are one dot: how large P is on "
        "average, against the share of annotators who chose the label. On the diagonal, P means "
        "what "
        "it says; "
        "below it the method is too sure. Grey bars: the share of all cells in each of 15 bins. "
        f"Hollow dots stand for fewer than {MIN_CELLS} cells and say little."
    )
    there = {key: one for key, one in found.items() if one.cells}
    rows = [
        [
            key,
            f"{one.low[i]:.2f} to {one.high[i]:.2f}",
            str(one.n[i]),
            number(one.p[i]),
            number(one.h[i]),
        ]
        for key, one in there.items()
        for i in range(len(one.n))
    ]
    return Figure(
        name,
        title,
        about,
        [_reliability_panel(key, one) for key, one in there.items()],
        {key: plain(one) for key, one in found.items()},
        [kind, "P from", "cells", "mean P", "mean share of annotators"],
        rows,
    )


def _reliability_panel(key: str, one: Reliability) -> Panel:
    marks: list[Mark] = [
        Bars("share of all cells", [_bar(one, i) for i in range(len(one.n))]),
        Line("P is the share of annotators", [(0, 0), (1, 1)], SOFT, "dashed"),
        Dots(
            "mean share of annotators, by mean P",
            list(zip(one.p, one.h, strict=True)),
            hollow=[n < MIN_CELLS for n in one.n],
        ),
    ]
    about = (
        f"{key}: {one.cells} cells in {len(one.n)} bins, mean distance from the diagonal (ECE) "
        f"{number(one.error)}"
    )
    return Panel(key, about, Axis("P"), Axis("annotators"), marks)


def _bar(one: Reliability, at: int) -> tuple[float, float, float]:
    return one.low[at], one.high[at], one.n[at] / one.cells


def coverage(model: Model, targets: Targets, *, single: bool) -> Figure:
    """One panel: the risk of the shown method's sets on the records it is surest of."""
    rows = np.logical_not(np.isnan(model.p).any(axis=1))
    loss = set_loss(model.chosen, targets.gold, rows, single=single)
    result = risk_coverage(confidence(model.p, model.chosen, single=single), loss)
    sure = (
        "the largest P"
        if single
        else "the mean over labels of P where the label is given and 1 - P where it is not"
    )
    wrong = "records with a wrong label" if single else "wrong labels per record (Hamming loss)"
    about = (
        f"If only the records that the method is surest of were decided, what would be wrong? "
        f"Confidence is {sure}; risk is the share of {wrong}. A useful confidence makes the line "
        "rise to the right; along the dashed line it says nothing; the dotted line knows the "
        "errors."
    )
    panels = [_coverage_panel(model.shown, result)] if result.records else []
    table = zip(result.confidence, result.coverage, result.risk, strict=True)
    return Figure(
        "risk-coverage",
        f"Risk against coverage of {model.shown}",
        about,
        panels,
        {"method": model.shown, "confidence": sure, "risk": wrong} | plain(result),
        ["confidence at least", "records kept", "risk"],
        [[number(c), f"{100 * kept:.1f} %", number(risk)] for c, kept, risk in table],
    )


def _coverage_panel(method: str, one: RiskCoverage) -> Panel:
    full = one.full or 0.0
    top = _ceiling(max([full, *one.risk]))
    marks: list[Mark] = [
        Line("without any confidence", [(0, full), (1, full)], SOFT, "dashed"),
        Line("if the errors were known", one.ideal, 1, "dotted"),
        Line("the surest records kept", list(zip(one.coverage, one.risk, strict=True))),
    ]
    about = (
        f"{one.records} records: risk {number(full)} if all are kept, "
        f"{number(one.at(0.5))} on the surest half"
    )
    ticks = [(0.0, "0"), (top / 2, f"{top / 2:g}"), (top, f"{top:g}")]
    return Panel(
        method, about, Axis("% of records kept", ticks=PERCENT), Axis("risk", 0, top, ticks), marks
    )


def _ceiling(value: float) -> float:
    """The end of an axis that starts at 0."""
    return next(end for end in (0.1, 0.2, 0.4, 0.6, 0.8, 1.0) if value <= end + 1e-9)


def recall(model: Model, targets: Targets) -> Figure:
    """A panel a label, by the shown method."""
    results: list[PrecisionRecall] = []
    skipped: list[str] = []
    for at, label in enumerate(targets.labels):
        one = precision_recall(label, model.p[:, at], targets.gold[:, at], model.chosen[:, at])
        skipped += [label] if one is None else []
        results += [] if one is None else [one]
    about = (
        "Of the records that get a label, how many are right (precision), as the threshold "
        "falls and more of the right ones are found (recall). The dashed line is the label's "
        "share of gold: "
        "what guessing gives. The square is the threshold that the tables use."
    )
    notes = [f"No curve, as all gold is of one kind: {', '.join(skipped)}."] if skipped else []
    rows = [
        [one.label, number(threshold), number(precision), number(reached)]
        for one in results
        for threshold, precision, reached in zip(
            one.threshold, one.precision, one.recall, strict=True
        )
    ]
    return Figure(
        "precision-recall",
        f"Precision against recall of {model.shown}, label by label",
        about,
        [_recall_panel(one) for one in results],
        {"method": model.shown, "skipped": skipped} | {"labels": [plain(one) for one in results]},
        ["label", "P at least", "precision", "recall"],
        rows,
        notes,
    )


def _recall_panel(one: PrecisionRecall) -> Panel:
    rate = one.positives / one.records
    steps: list[tuple[float, float]] = []
    before = 0.0
    for reached, precision in zip(one.recall, one.precision, strict=True):
        steps += [(before, precision), (reached, precision)]
        before = reached
    marks: list[Mark] = [
        Line("share of gold", [(0, rate), (1, rate)], SOFT, "dashed"),
        Line("precision at each recall", steps),
    ]
    if one.at[0] is not None:
        marks.append(Dots("at the threshold of the tables", [(one.at[1], one.at[0])], 1, "s"))
    about = (
        f"{one.label}: average precision {one.ap:.3f}, {one.positives} of {one.records} records "
        "have it"
    )
    return Panel(f"{one.label} ({one.positives})", about, Axis("recall"), Axis("precision"), marks)


def pairs(cooccurrence: Cooccurrence) -> Figure:
    """Two heat maps, the model's and the annotators', of one scale."""
    labels, most = cooccurrence.labels, cooccurrence.most
    about = (
        "How often two labels come together: P that the model writes both (all answers, not only "
        "the likeliest), and the share of annotators who chose both, or of gold sets "
        "where there are no annotators; means over the same records. The dashed diagonal holds "
        "each label alone. "
        f"The fullest colour is {most:.3f}, in both maps; · is less than .005."
    )
    maps = [
        ("The model writes both", cooccurrence.model),
        ("People chose both", cooccurrence.annotators),
    ]
    heats = [
        Heat(title, f"{title}: {len(labels)} labels", labels, _rows(values), most)
        for title, values in maps
    ]
    there = np.argwhere(np.tril(cooccurrence.records) > 0).tolist()
    rows = [
        [
            labels[j] if i == j else f"{labels[j]} + {labels[i]}",
            number(float(cooccurrence.model[i, j])),
            number(float(cooccurrence.annotators[i, j])),
            str(cooccurrence.records[i, j]),
        ]
        for i, j in there
    ]
    numbers: dict[str, Any] = {
        "labels": list(labels),
        "model": _rows(cooccurrence.model),
        "annotators": _rows(cooccurrence.annotators),
        "records": cooccurrence.records.tolist(),
    }
    return Figure(
        "co-occurrence",
        "Labels that come together",
        about,
        heats if there else [],
        numbers,
        ["labels", "model", "annotators", "records"],
        rows,
    )


def _rows(values: Any) -> list[list[float | None]]:
    return [[None if np.isnan(one) else float(one) for one in row] for row in values.tolist()]
