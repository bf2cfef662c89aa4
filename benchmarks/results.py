"""The tables of docs/results.md, from folders of `labelmass compare`, as Markdown.

    python -m benchmarks.results layout RUN...          # a column a run: NLL / L1 / micro-F1
    python -m benchmarks.results intervals RUN...       # a table a run, with intervals
    python -m benchmarks.results calibrated RUN...      # raw beside calibrated, cross-fitted

No model is needed. The calibrated scores of a record come from a fit on the folds it is not in.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from labelmass.answers.tree import Normalisation
from labelmass.estimators import ESTIMATORS
from labelmass.evaluate import Evaluation, Predictions, Threshold, evaluate
from labelmass.evaluate.results import MethodScores
from labelmass.run.calibrating import cross_calibrated
from labelmass.run.compare import Run
from labelmass.run.trees import SavedTrees
from labelmass.targets import Targets

LAYOUT = ("nll", "l1", "micro-f1")
INTERVALS = ("nll", "l1", "soft-f1", "micro-f1", "auc", "ece")
GUARD = ("micro-f1", "hamming", "auc-micro", "ap-micro", "brier")
CALIBRATED = ("nll", "l1", "ece", "soft-f1")
BETTER = {"nll": -1, "l1": -1, "ece": -1, "soft-f1": 1}
ON_FORMAT = "any-place, on-format"


def methods(run: Run) -> list[str]:
    """Those the trees of a run were grown for."""
    known = SavedTrees(run.folders[0]).signature.methods
    return [name for name in ESTIMATORS if name in known]


def rows(run: Run) -> dict[str, Predictions]:
    """By method, and any-place given that the answer parses."""
    found = run.predictions(methods(run))
    parses = run.predictions(["any-place"], normalise=Normalisation.ON_FORMAT)
    return found | {ON_FORMAT: parses["any-place"]}


def judged(run: Run, metrics: Sequence[str]) -> Evaluation:
    """All methods beside the rows that look at no text."""
    threshold = None if run.task.format.single else Threshold(0.5)
    single = run.task.format.single
    return evaluate(rows(run), run.targets(), metrics, threshold=threshold, single=single)


def pipes(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def table(head: Sequence[str], lines: Iterator[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join([pipes(head), pipes(rule), *(pipes(line) for line in lines)]) + "\n"


def short(value: float | None) -> str:
    if value is None:
        return "n/a"
    return f"{value:.2f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.3g}"


def layout(folders: Sequence[Path]) -> str:
    """Rows: methods; columns: runs; in a cell the metrics of LAYOUT."""
    found = [judged(Run.open(folder), LAYOUT).methods for folder in folders]
    names = list(dict.fromkeys(name for one in found for name in one))

    def cell(one: MethodScores | None) -> str:
        return "-" if one is None else " / ".join(short(one[name].value) for name in LAYOUT)

    head = ["method", *(folder.name for folder in folders)]
    return table(head, ([f"`{name}`", *(cell(one.get(name)) for one in found)] for name in names))


def intervals(folder: Path, metrics: Sequence[str]) -> str:
    """A run's methods with the 95 % intervals of the metrics."""
    found = judged(Run.open(folder), metrics).methods

    def cell(one: MethodScores, metric: str) -> str:
        score = one[metric]
        inside = "" if score.low is None else f" [{short(score.low)}, {short(score.high)}]"
        return f"{short(score.value)}{inside}"

    lines = ([f"`{n}`", *(cell(one, metric) for metric in metrics)] for n, one in found.items())
    return table(["method", *metrics], lines)


def calibrated(folder: Path) -> str:
    """A run's methods: raw, calibrated, and the interval of the difference on the same records."""
    run = Run.open(folder)
    targets = run.targets()

    def line(name: str, raw: Predictions) -> list[str]:
        both = {"raw": raw, "calibrated": cross_calibrated(raw, targets)}
        found = evaluate(both, targets, CALIBRATED, baseline="raw").methods
        return [f"`{name}`", *(_change(found, metric) for metric in CALIBRATED)]

    head = ["method", *(f"{metric}: raw, calibrated, difference" for metric in CALIBRATED)]
    return table(head, (line(name, raw) for name, raw in rows(run).items()))


def _change(found: dict[str, MethodScores], metric: str) -> str:
    gap = found["calibrated"].differences[metric]
    before, after = (short(found[name][metric].value) for name in ("raw", "calibrated"))
    if gap.value is None or gap.low is None or gap.high is None:
        return f"{before}, {after}"
    mark = ""
    if gap.sure:
        mark = " better" if gap.value * BETTER[metric] > 0 else " worse"
    return f"{before}, {after}, [{gap.low:+.2f}, {gap.high:+.2f}]{mark}"


def _size(targets: Targets) -> str:
    return f"{len(targets)} records"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("layout", "intervals", "guard", "calibrated"))
    parser.add_argument("runs", nargs="+", type=Path)
    args = parser.parse_args()
    if args.what == "layout":
        print(layout(args.runs))
        return
    for run in args.runs:
        print(f"### {run.name}, {_size(Run.open(run).targets())}\n")
        if args.what == "calibrated":
            print(calibrated(run))
        else:
            print(intervals(run, GUARD if args.what == "guard" else INTERVALS))


if __name__ == "__main__":
    main()
