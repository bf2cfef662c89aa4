"""Results of an evaluation: scores of every method, and their formats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelmass.artifacts import ArtifactKind
from labelmass.evaluation import tables
from labelmass.evaluation.metrics import HEADLINE, METRICS
from labelmass.evaluation.threshold import Threshold
from labelmass.files.writing import write_text
from labelmass.present import writing

if TYPE_CHECKING:
    from labelmass.present.tables import Table


KIND = ArtifactKind("evaluation", unmarked=True)


@dataclass(frozen=True, slots=True)
class Score:
    """One metric of one method.

    Attributes:
        value: None where the metric is not defined.
        low, high: Bootstrap interval; None without draws.
        best, worst: Value at the bounds of p that fit the targets most and least; None where the
            method has no bounds or the metric is not monotone in them.
        items, cells: Numbers of items and of cells counted.
        partial: Items of which some cell is unknown.
        draws: Resamples of the bootstrap.
        ties: Share of tied scores, for rankings.
        labels: Value by label, where there is one.
        skipped: Labels it is not defined for.
    """

    value: float | None
    low: float | None
    high: float | None
    best: float | None
    worst: float | None
    items: int
    cells: int
    partial: int
    draws: int
    ties: float | None
    labels: Mapping[str, float]
    skipped: tuple[str, ...]

    def __str__(self) -> str:
        if self.value is None:
            return "null"
        inside = "" if self.low is None else f" [{self.low:.4f}, {self.high:.4f}]"
        return f"{self.value:.4f}{inside}"

    def to_dict(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in self.__slots__}
        return plain | {"labels": dict(self.labels), "skipped": list(self.skipped)}


@dataclass(frozen=True, slots=True)
class Difference:
    """Method less baseline, on the records both have.

    Attributes:
        low, high: Bootstrap interval on the same draws.
        p: p-value of a sign-flip test; None where the metric is no mean over items.
    """

    value: float | None
    low: float | None
    high: float | None
    p: float | None
    items: int

    @property
    def sure(self) -> bool:
        """True if the interval excludes 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class MethodScores:
    """A row of the evaluation.

    Attributes:
        items: Records judged.
        failed: Records without a probability, left out of every score.
        missed: Judged records whose numbers fell short of the tolerance of their run.
        interval: Kind of the method's bounds; "none" if it has none.
    """

    name: str
    scores: Mapping[str, Score]
    differences: Mapping[str, Difference]
    items: int
    failed: int
    interval: str
    threshold: Threshold
    cost: Mapping[str, float] = field(default_factory=dict[str, float])
    note: str = ""
    missed: int = 0

    def __getitem__(self, metric: str) -> Score:
        return self.scores[metric]

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "items": self.items,
            "failed": self.failed,
            "missed": self.missed,
            "interval": self.interval,
            "threshold": self.threshold.to_dict(),
            "cost": dict(self.cost),
            "note": self.note,
            "scores": {name: score.to_dict() for name, score in self.scores.items()},
            "differences": {name: one.to_dict() for name, one in self.differences.items()},
        }


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All methods side by side, baselines among them.

    Attributes:
        rules: Every choice that the numbers depend on, in words, by name.
    """

    methods: Mapping[str, MethodScores]
    metrics: tuple[str, ...]
    labels: tuple[str, ...]
    items: int
    groups: int | None
    baseline: str | None
    draws: int
    seed: int
    rules: Mapping[str, str]

    def __getitem__(self, method: str) -> MethodScores:
        return self.methods[method]

    def __repr__(self) -> str:
        return (
            f"Evaluation({len(self.methods)} methods, {len(self.metrics)} metrics, "
            f"{self.items} records: {', '.join(self.methods)})"
        )

    def __rich__(self) -> Table:
        return tables.summary(self.to_dict(), self.headline)

    @property
    def headline(self) -> tuple[str, ...]:
        """The metrics a table shows if none are named."""
        return tuple(name for name in HEADLINE if name in self.metrics) or self.metrics

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON: null where something is not defined."""
        return {
            "items": self.items,
            "groups": self.groups,
            "labels": list(self.labels),
            "baseline": self.baseline,
            "draws": self.draws,
            "seed": self.seed,
            "rules": dict(self.rules),
            "metrics": {
                name: {"summary": METRICS[name].summary, "better": METRICS[name].better}
                for name in self.metrics
            },
            "methods": [row.to_dict() for row in self.methods.values()],
        }

    def save(
        self, folder: str | Path, name: str = "evaluation", about: Mapping[str, Any] | None = None
    ) -> list[Path]:
        """Write NAME.json, .csv, .md and .tex to a folder. about: more for the JSON."""
        folder, found = Path(folder), dict(about or {}) | self.to_dict()
        folder.mkdir(parents=True, exist_ok=True)
        KIND.save(folder / f"{name}.json", found)
        contents = {
            ".csv": self.to_csv(),
            ".md": self.to_markdown(),
            ".tex": self.to_latex(),
        }
        for ending, content in contents.items():
            write_text(folder / f"{name}{ending}", content)
        return [folder / f"{name}{ending}" for ending in (".json", *contents)]

    def to_csv(self) -> str:
        """A line for every method and metric, and one for each label where there is a value."""
        return writing.csv_text(tables.every_number(self.to_dict()))

    def to_markdown(self, metrics: tuple[str, ...] | None = None) -> str:
        """A table of the headline metrics, or of these, and the rules below."""
        return writing.markdown(tables.scoreboard(self.to_dict(), metrics or self.headline))

    def to_latex(self, metrics: tuple[str, ...] | None = None) -> str:
        """A `tabular` with booktabs lines, the best value of a column in bold."""
        table = tables.scoreboard(self.to_dict(), metrics or self.headline, records=False)
        return writing.latex(table)
