"""The page: one HTML file that needs no network and no other file, and is read without script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from labelmass.present.figures import Figure
from labelmass.reporting import thresholds, tradeoff
from labelmass.reporting.disagreements import disagreements
from labelmass.reporting.errors import error_section
from labelmass.reporting.explorer import Explorers
from labelmass.reporting.figures import figures
from labelmass.reporting.footnotes import cost, failures, warnings
from labelmass.reporting.numbers import DrawnFigures, numbers
from labelmass.reporting.rendering import asset, embedded, render
from labelmass.reporting.report_data import ReportData
from labelmass.reporting.scores import scores
from labelmass.reporting.setup import setup

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""The browser is told to load and run nothing, except the page's own script if it has one."""

FIGURES = (
    (
        "reliability",
        "Do the probabilities mean what they say?",
        ("reliability", "reliability-labels"),
    ),
    ("curves", "What is right if the unsure is left out?", ("risk-coverage", "precision-recall")),
    ("writing", "How the model writes several labels", ("spikiness", "profile")),
    ("pairs", "Labels that come together", ("co-occurrence",)),
)
"""Name, title and figures of the sections in between."""


@dataclass(frozen=True, slots=True)
class Section:
    """values: What its template lays out."""

    name: str
    title: str
    template: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """The figures of a section by one model. id: Prefix of their ids."""

    name: str
    id: str
    figures: Sequence[Figure]


@dataclass(frozen=True, slots=True)
class Part:
    """One run's part of the page. warnings: Number of them."""

    id: str
    run: ReportData
    warnings: int
    sections: Sequence[Section]

    @property
    def models(self) -> str:
        """Names of the models."""
        return ", ".join(model.signature.model for model in self.run.models)


def draw(run: ReportData, explorers: Explorers | None = None) -> DrawnFigures:
    """Every figure of a run. explorers: Policies that are marked in them, by model."""
    explorers = explorers or {}
    return {model.name: figures(run, model, explorers.get(model.name)) for model in run.models}


def page(
    runs: Sequence[ReportData],
    drawn: Sequence[DrawnFigures],
    explorers: Sequence[Explorers] | None = None,
) -> str:
    """The document. explorers: For each run, if thresholds can be tried.

    LabelMassError without matplotlib and Jinja2.
    """
    explorers = explorers or [{} for _ in runs]
    every = enumerate(zip(runs, drawn, explorers, strict=True))
    movable = any(explorers)
    return render(
        "page.html",
        title=f"labelmass report: {', '.join(run.name for run in runs)}",
        policy=f"{POLICY}; script-src {thresholds.allowed()}" if movable else POLICY,
        style=asset("style.css"),
        parts=[
            Part(f"run{at + 1}", one[0], len(warnings(one[0])), list(_sections(at, *one)))
            for at, one in every
        ],
        version=version("labelmass"),
        data=embedded(numbers(runs, drawn, explorers)),
        script=asset(thresholds.SCRIPT) if movable else None,
    )


def _sections(
    number: int, run: ReportData, drawn: DrawnFigures, explorers: Explorers
) -> Iterator[Section]:
    """number: The run's place on the page."""
    several = len(run.models) > 1
    yield Section("setup", "What was asked of which model", "setup.html", setup(run))
    yield Section("scores", "How the methods compare", "scores.html", scores(run.comparison))
    for name, title, wanted in FIGURES:
        if models := _figures(number, run, drawn, wanted):
            yield Section(name, title, "figures.html", {"several": several, "models": models})
    if explorers:
        movable = [
            thresholds.table(explorers[model.name], model.name, number, at)
            for at, model in enumerate(run.models)
            if model.name in explorers
        ]
        values = {
            "several": several,
            "models": movable,
            "figures": _figures(number, run, drawn, (tradeoff.NAME,)),
        }
        yield Section("thresholds", "Which threshold?", "thresholds.html", values)
    errors = error_section(run, explorers)
    yield Section("errors", "Error analysis", "errors.html", errors)
    yield Section(
        "disagreements",
        "Where model and annotators disagree most",
        "disagreements.html",
        disagreements(run),
    )
    yield Section("cost", "What it cost, and what the methods are", "cost.html", cost(run))
    results = {"warnings": warnings(run), "failed": list(failures(run))}
    yield Section("warnings", "Warnings", "warnings.html", results)


def _figures(
    number: int, run: ReportData, drawn: DrawnFigures, wanted: Sequence[str]
) -> list[ModelFigures]:
    """Those of the wanted figures that each model has; models without any are left out."""
    return [
        ModelFigures(model.name, f"run{number + 1}-m{at}", shown)
        for at, model in enumerate(run.models, 1)
        if (shown := [drawn[model.name][one] for one in wanted if one in drawn[model.name]])
    ]
