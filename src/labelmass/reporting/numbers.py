"""Every number of the page as strict JSON, for programs and for the page's own script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from labelmass.present.figures import Figure
from labelmass.reporting.errors import ErrorAnalysis
from labelmass.reporting.explorer import Explorer, Explorers
from labelmass.reporting.footnotes import warnings
from labelmass.reporting.report_data import Model, ReportData

DrawnFigures = Mapping[str, Mapping[str, Figure]]
"""Figures by model, then by name."""


def numbers(
    runs: Sequence[ReportData],
    drawn: Sequence[DrawnFigures],
    explorers: Sequence[Explorers] | None = None,
) -> dict[str, Any]:
    """One of `drawn` and of `explorers` for each run; no texts of records."""
    explorers = explorers or [{} for _ in runs]
    return {
        "version": version("labelmass"),
        "runs": [
            {
                "name": run.name,
                "task": run.task.name,
                "task_hash": run.task.hash,
                "comparison": dict(run.comparison),
                "warnings": warnings(run),
                "models": [
                    _model(run, model, figures[model.name], there.get(model.name))
                    for model in run.models
                ],
            }
            for run, figures, there in zip(runs, drawn, explorers, strict=True)
        ],
    }


def _model(
    run: ReportData, model: Model, figures: Mapping[str, Figure], explorer: Explorer | None
) -> dict[str, Any]:
    return {
        "name": model.name,
        "signature": model.signature.to_dict(),
        "method": model.shown,
        "figures": {name: dict(figure.numbers) for name, figure in figures.items()},
        "thresholds": None if explorer is None else explorer.numbers(),
        "errors": ErrorAnalysis.of(run, model, explorer).numbers(),
        "disagreements": [
            {"id": run.targets.ids[one.row], "distance": one.distance} for one in model.worst
        ],
        "trees": {
            "records": model.trees.records,
            "failed": len(model.trees.failed),
            "off_format": model.trees.off_format,
            "unexplored": model.trees.unexplored,
            "unreadable": model.trees.unreadable,
            "off_format_after_label": model.trees.off_format_after_label,
            "endings": dict(model.trees.endings),
            "stopped": dict(model.trees.stopped),
        },
    }
