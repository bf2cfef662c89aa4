"""The tables of docs/lab-book.md, from folders of `labelmass compare`, as Markdown.

    python -m benchmarks.results RUN...
    python -m benchmarks.results GUARD_RUN... --table guard
    python -m benchmarks.results RUN --before RUN --table change

By default three tables: `layout`, a column a run; `intervals`, a table a run; `calibrated`, raw
beside calibrated scores. `change` sets the methods of a run beside those of another, on the
records of both, as of one model before and after it is trained.

The calibrated scores of a record come from a fit on the folds it is not in. With --encoders DIR,
what `labelmass fit encoder` and `labelmass fit probe` left in DIR/RUN/ has a row too; no model is
needed, but for a probe the embedded one.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import labelmass
from labelmass._types import Normalisation
from labelmass.estimators import ESTIMATORS
from labelmass.evaluation import Threshold, evaluate
from labelmass.evaluation.results import MethodScores
from labelmass.lm.base import LanguageModel
from labelmass.scores import Scores
from labelmass.scoring.saved_trees import SavedTrees
from labelmass.supervised import Classifier
from labelmass.supervised.hidden_state_features import HiddenStateFeatures
from labelmass.workflows.calibration import cross_calibrated
from labelmass.workflows.runs import Run

TABLES = ("layout", "intervals", "calibrated")
LAYOUT = ("nll", "l1", "micro-f1")
INTERVALS = ("nll", "l1", "soft-f1", "micro-f1", "auc", "ece")
GUARD = ("micro-f1", "hamming", "auc-micro", "ap-micro", "brier")
CALIBRATED = ("nll", "l1", "ece", "soft-f1")
CHANGE = ("nll", "l1", "micro-f1", "auc-micro", "ece")
LOWER = frozenset({"nll", "l1", "ece"})
"""Metrics that are better low; the others in these tables are better high."""
ON_FORMAT = "any-place, on-format"


def methods(run: Run) -> list[str]:
    """Those the trees of a run were grown for."""
    known = SavedTrees(run.folders[0]).signature.methods
    return [name for name in ESTIMATORS if name in known]


class Judged:
    """A run and all its rows: methods, any-place given that the answer parses, and classifiers."""

    def __init__(self, folder: Path, encoders: Path | None) -> None:
        self.name, self.run = folder.name, Run.open(folder)
        self.targets = self.run.targets()
        parses = self.run.scores(["any-place"], normalise=Normalisation.ON_FORMAT)
        found = [] if encoders is None else sorted((encoders / folder.name).glob("*"))
        beside = {one.name: self._beside(Classifier.load(one)) for one in found}
        self.rows: dict[str, Scores] = (
            self.run.scores(methods(self.run)) | {ON_FORMAT: parses["any-place"]} | beside
        )

    def _beside(self, classifier: Classifier) -> Scores:
        models: dict[str, LanguageModel] = {}
        if isinstance(classifier.source, HiddenStateFeatures):
            model = labelmass.load()
            models[model.fingerprint] = model
        return self.run.scores_by([classifier], models).popitem()[1]

    def judge(
        self, metrics: Sequence[str], rows: Mapping[str, Scores] | None = None, **how: Any
    ) -> Mapping[str, MethodScores]:
        """By row, those that look at no text among them. rows: by default all of the run."""
        single = self.run.task.format.single
        how["threshold"] = None if single else Threshold(0.5)
        return evaluate(rows or self.rows, self.targets, metrics, single=single, **how).methods


def pipes(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join([pipes(head), pipes(rule), *(pipes(line) for line in lines)]) + "\n"


def short(value: float | None) -> str:
    if value is None:
        return "n/a"
    return f"{value:.2f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.3g}"


def layout(found: Sequence[Judged]) -> str:
    """Rows: methods; columns: runs; in a cell the metrics of LAYOUT."""
    judged = [one.judge(LAYOUT) for one in found]
    names = list(dict.fromkeys(name for one in judged for name in one))

    def cell(one: MethodScores | None) -> str:
        return "-" if one is None else " / ".join(short(one[name].value) for name in LAYOUT)

    head = ["method", *(f"{one.name}, n = {len(one.targets)}" for one in found)]
    return table(head, ([f"`{name}`", *(cell(one.get(name)) for one in judged)] for name in names))


def intervals(found: Judged, metrics: Sequence[str]) -> str:
    """A run's methods with the 95 % intervals of the metrics."""

    def cell(one: MethodScores, metric: str) -> str:
        score = one[metric]
        inside = "" if score.low is None else f" [{short(score.low)}, {short(score.high)}]"
        return f"{short(score.value)}{inside}"

    rows = found.judge(metrics).items()
    lines = ([f"`{name}`", *(cell(one, metric) for metric in metrics)] for name, one in rows)
    return table(["method", *metrics], lines)


def calibrated(found: Judged) -> str:
    """A run's methods: raw, calibrated, and the interval of the difference on the same records."""
    rows = found.rows.items()
    pairs = ((name, raw, cross_calibrated(raw, found.targets)) for name, raw in rows)
    return _paired(pairs, ("raw", "calibrated"), found, CALIBRATED)


def change(before: Judged, found: Judged) -> str:
    """A run's methods as in another run, here, and the interval of the difference."""
    shared = [name for name in found.rows if name in before.rows]
    both = ((name, before.rows[name], found.rows[name]) for name in shared)
    return _paired(both, ("before", "after"), found, CHANGE)


def _paired(
    pairs: Iterable[tuple[str, Scores, Scores]],
    names: tuple[str, str],
    found: Judged,
    metrics: Sequence[str],
) -> str:
    first, second = names

    def line(name: str, before: Scores, after: Scores) -> list[str]:
        scores = found.judge(metrics, {first: before, second: after}, baseline=first)
        return [f"`{name}`", *(_change(scores[first], scores[second], one) for one in metrics)]

    head = ["method", *(f"{metric}: {first}, {second}, difference" for metric in metrics)]
    return table(head, (line(*pair) for pair in pairs))


def _change(before: MethodScores, after: MethodScores, metric: str) -> str:
    gap = after.differences[metric]
    values = f"{short(before[metric].value)}, {short(after[metric].value)}"
    if gap.value is None or gap.low is None or gap.high is None:
        return values
    better = (gap.value < 0) == (metric in LOWER)
    mark = "" if not gap.sure else " better" if better else " worse"
    return f"{values}, [{gap.low:+.2f}, {gap.high:+.2f}]{mark}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--table", action="append", choices=(*TABLES, "guard", "change"))
    parser.add_argument("--encoders", type=Path)
    parser.add_argument("--before", type=Path, metavar="RUN")
    args = parser.parse_args()
    if "change" in (args.table or ()) and args.before is None:
        parser.error("--table change needs --before RUN")
    found = [Judged(run, args.encoders) for run in args.runs]
    for wanted in args.table or TABLES:
        if wanted == "layout":
            print(layout(found))
            continue
        for one in found:
            print(f"### {one.name}: {wanted}, {len(one.targets)} records\n")
            if wanted == "calibrated":
                print(calibrated(one))
            elif wanted == "change":
                print(change(Judged(args.before, None), one))
            else:
                print(intervals(one, GUARD if wanted == "guard" else INTERVALS))


if __name__ == "__main__":
    main()
