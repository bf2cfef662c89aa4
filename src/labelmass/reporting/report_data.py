"""Data of a report, read from a folder of `labelmass compare` without a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from labelmass.analysis import Answer, Diagnosis, diagnose_answers, read_answer
from labelmass.analysis.diagnosis import ONE_LABEL
from labelmass.analysis.written_answers import (
    GreedyAnswer,
    WrittenAnswer,
    complete_answers,
    greedy_answer,
    written_answers,
)
from labelmass.answers.marginals import Marginals
from labelmass.answers.tree import Normalisation
from labelmass.errors import LabelMassError, MethodError
from labelmass.estimators import ESTIMATORS, LabelScores
from labelmass.evaluation import METRICS, Sample, Threshold
from labelmass.evaluation.results import KIND, MethodScores
from labelmass.files import read_json, shaped
from labelmass.provenance import Signature
from labelmass.reporting.cooccurrence import (
    Cooccurrence,
    Pairs,
    annotator_pairs,
    known_labels,
    model_pairs,
)
from labelmass.reporting.groups import Groups
from labelmass.scores import Failure, Outcome, Result, Scores
from labelmass.scoring.explorer import ExploredRecord
from labelmass.scoring.plan import Plan
from labelmass.scoring.saved_trees import SavedTrees
from labelmass.scoring.score import scores_of
from labelmass.scoring.shortfall import LIMITS
from labelmass.targets import Targets, targets_of
from labelmass.targets.targets import GOLD
from labelmass.task import Record, Task
from labelmass.workflows.analysis import RunReader
from labelmass.workflows.runs import Run

Floats = NDArray[np.float64]

COMPARISON = "comparison.json"
BASELINES = ("constant", "base-rate")
WORST = 10
"""Records shown on which a model and the annotators disagree most."""


@dataclass(frozen=True, slots=True)
class Trees:
    """Summary of a model's trees.

    records: with a tree, or with one for each label. failed: (id, error) of those without.
    off_format, unexplored, unreadable, off_format_after_label, and empty, of the empty answer: mean
    mass, as the model generates. endings: of the greedy answers. stopped: what ended a search, of
    the tree or of a label step, short of its tolerance, or "" where nothing did -> answers.
    """

    records: int
    failed: tuple[tuple[str | int, str], ...]
    off_format: float
    unexplored: float
    unreadable: float
    off_format_after_label: float
    empty: float
    endings: Mapping[str, int]
    stopped: Mapping[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class Disagreement:
    """A record, and how far the shown method is from its human labels.

    distance: mean of |P - H| over its known labels. row: its place in targets and scores.
    """

    distance: float
    row: int
    explored: ExploredRecord


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """One model of a run.

    name: its folder. shown: the method whose figures are drawn. title: the row of the comparison
    that this is. scores: by method, a row a record of the targets. diagnosis: or why there is none.
    cooccurrence: None where each label has an answer of its own. answers: that it wrote to the
    records of the targets.
    """

    name: str
    signature: Signature
    shown: str
    title: str
    scores: Mapping[str, Scores]
    chosen: NDArray[np.bool_]
    diagnosis: Diagnosis | str
    cooccurrence: Cooccurrence | None
    worst: tuple[Disagreement, ...]
    answers: tuple[WrittenAnswer, ...]
    trees: Trees

    @property
    def p(self) -> Floats:
        """(n, k) of the shown method."""
        return self.scores[self.shown].p


@dataclass(frozen=True, slots=True, eq=False)
class ReportData:
    """A run: what was asked, its comparison as `labelmass compare` wrote it, and its models.

    groups: of the records, None if they are not told apart.
    """

    name: str
    task: Task
    comparison: Mapping[str, Any]
    targets: Targets
    first: Record
    models: tuple[Model, ...]
    groups: Groups | None = None


def gather(folder: str | Path, method: str | None = None, by: str | None = None) -> ReportData:
    """The run in a folder that `labelmass compare` wrote.

    method: whose figures are drawn; the first of the comparison if None. by: field of the records
    that names the groups in which errors are counted.
    Raises LabelMassError where the folder has no comparison, or one that its trees do not give.
    """
    folder = Path(folder)
    run = Run.open(folder)
    comparison = _comparison(folder, run.task)
    several = len(run.folders) > 1
    names = [row["name"] for row in comparison["methods"]]
    methods = _methods(names, several)
    shown = methods[0] if method is None else method
    if shown not in methods:
        raise LabelMassError(f"{folder}: no method {shown!r} was compared: {', '.join(methods)}")
    readers = [
        _ModelReader(one, methods, comparison["normalisation"], shown, comparison["gold"])
        for one in run.folders
    ]
    records = readers[0].records
    targets = targets_of(run.task, records.values(), comparison["gold"])
    if len(targets) != comparison["items"]:
        raise LabelMassError(
            f"{folder}: {COMPARISON} judges {comparison['items']} records and the trees hold "
            f"{len(targets)}: judge again with "
            f"`labelmass compare {folder} --out {folder}`"
        )
    models: list[Model] = []
    for reader in readers:
        prefix = f"{reader.folder.name}/" if several else ""
        scores = {
            name: of_one.at(targets.ids, targets.labels) for name, of_one in reader.scores.items()
        }
        for name in methods:
            _check(folder, comparison, prefix + name, scores[name], targets)
        models.append(_model(reader, prefix, shown, scores, comparison, targets))
    first = next(iter(records.values()))
    groups = None if by is None else Groups.of(by, records)
    name = folder.resolve().name
    return ReportData(name, run.task, comparison, targets, first, tuple(models), groups)


def _comparison(folder: Path, task: Task) -> dict[str, Any]:
    path = folder / COMPARISON
    again = f"`labelmass compare {folder} --out {folder}`"
    if not path.is_file():
        raise LabelMassError(f"{folder}: no {COMPARISON}: judge its trees first with {again}")
    result = read_json(path)
    if isinstance(result, dict) and "kind" not in result and "gold" not in result:
        raise LabelMassError(
            f"{path} is of an earlier version, which does not say what made its gold sets: judge "
            f"again with {again}"
        )
    try:
        KIND.version_of(result)
        stored = shaped(_Comparison, result)
        stored.check()
    except LabelMassError as error:
        raise LabelMassError(f"{path} is damaged ({error}): judge again with {again}") from None
    if stored.task_hash != task.hash:
        raise LabelMassError(f"{path} is of another task than the trees: judge again with {again}")
    return result | stored.to_dict()


@dataclass(frozen=True, slots=True)
class _Metric:
    summary: str
    better: Literal["lower", "higher"] | None


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Part of a comparison that is read back."""

    task_hash: str
    normalisation: Normalisation
    items: int
    gold: str
    groups: int | None
    baseline: str | None
    rules: Mapping[str, str]
    metrics: Mapping[str, _Metric]
    methods: Sequence[MethodScores]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"methods": [row.to_dict() for row in self.methods]}

    def check(self) -> None:
        """LabelMassError where its parts do not fit each other."""
        for rule in ("gold", "sets", "intervals"):
            if rule not in self.rules:
                raise LabelMassError(f"rules.{rule} is missing")
        if self.gold not in GOLD:
            raise LabelMassError(f"gold is {self.gold!r}: one of {', '.join(GOLD)}")
        names = [row.name for row in self.methods]
        if not names or len(set(names)) < len(names):
            raise LabelMassError("methods must be some, each of another name")
        for row in self.methods:
            wanted = [("scores", row.scores)] + [("differences", row.differences)] * bool(
                row.differences
            )
            for key, by_metric in wanted:
                if missing := [metric for metric in self.metrics if metric not in by_metric]:
                    raise LabelMassError(f"{row.name}.{key}.{missing[0]} is missing")


def _methods(names: Sequence[str], several: bool) -> list[str]:
    """The compared methods that are read off trees, without the names of the models."""
    plain = [name.split("/", 1)[-1] if several else name for name in names]
    results = [n for n in dict.fromkeys(plain) if n in ESTIMATORS and n not in BASELINES]
    if not results:
        raise LabelMassError(f"nothing that gives probabilities was compared: {', '.join(names)}")
    return results


def row_of(comparison: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The row of a method."""
    return next(row for row in comparison["methods"] if row["name"] == name)


def threshold_of(comparison: Mapping[str, Any], name: str) -> Threshold:
    """Threshold that turns a method's probabilities into label sets."""
    given = row_of(comparison, name)["threshold"]
    return Threshold(given["tau"], given["fitted_on"])


def _check(
    folder: Path, comparison: Mapping[str, Any], name: str, one: Scores, targets: Targets
) -> None:
    """LabelMassError unless these scores give the number that was written down."""
    written = row_of(comparison, name)["scores"].get("brier")
    if written is None or written["value"] is None:
        return
    rows = np.logical_not(np.isnan(one.p).any(axis=1))
    sets = threshold_of(comparison, name).choose(one.p, targets.labels)
    sample = Sample(one, targets, sets, rows)
    value = METRICS["brier"].measure(sample).value
    if not np.isclose(value, written["value"], rtol=0, atol=1e-9):
        raise LabelMassError(
            f"{folder}: the trees give {name} a brier of {value:.6f}, {COMPARISON} has "
            f"{written['value']:.6f}; a report reads scores without "
            "--contextual-calibration: judge again with "
            f"`labelmass compare {folder} --out {folder}`"
        )


def _model(
    reader: _ModelReader,
    prefix: str,
    shown: str,
    scores: Mapping[str, Scores],
    comparison: Mapping[str, Any],
    targets: Targets,
) -> Model:
    p, rows = scores[shown].p, {name: row for row, name in enumerate(targets.ids)}
    disagreements = [
        Disagreement(far, rows[kept.record.id], kept)
        for far, kept in reader.worst
        if kept.record.id in rows
    ]
    threshold = threshold_of(comparison, prefix + shown)
    return Model(
        reader.folder.name,
        reader.signature,
        shown,
        prefix + shown,
        scores,
        threshold.choose(p, targets.labels),
        reader.diagnosis(),
        reader.cooccurrence(targets),
        tuple(disagreements),
        reader.answers(targets),
        reader.trees(),
    )


def _distance(p: Floats, shares: Floats) -> float:
    """Mean |p - share| over the labels for which both are known; 0 where none is."""
    known = ~np.isnan(p + shares)
    return float(np.abs(p - shares)[known].mean()) if known.any() else 0.0


class _ModelReader:
    """One pass over a model's trees, each of which is built once; those of `worst` are kept.

    records: those with a tree, by id. scores: by method. worst: the trees on which a method and the
    annotators disagree most, and how far, farthest first.
    """

    def __init__(
        self, folder: Path, methods: Sequence[str], normalisation: str, shown: str, gold: str
    ) -> None:
        self.folder = folder
        self._saved = saved = SavedTrees(folder)
        plan = Plan(
            saved.task,
            methods,
            normalisation=normalisation,
            label_permutations=saved.signature.label_permutations,
        )
        self.signature = saved.signature
        signature, self._normalisation = plan.saved_signature(saved.signature), plan.normalisation
        self.records: dict[str | int, Record] = {}
        self.worst: list[tuple[float, ExploredRecord]] = []
        self._pairs: dict[str | int, Floats] = {}
        self._passes = saved.task.passes
        self._greedy = {name: dict[str | int, GreedyAnswer]() for name in self._passes}
        self._complete = {name: dict[str, float]() for name in self._passes}
        self._failed: list[tuple[str | int, str]] = []
        self._masses: list[tuple[float, ...]] = []
        self._endings: Counter[str] = Counter()
        self._stopped: Counter[str] = Counter()
        self._run, self._answers = RunReader(saved), list[Answer]()
        self._lack = ONE_LABEL if len(self._passes) > 1 else ""
        results: list[Outcome] = []
        for kept in saved:
            if isinstance(kept, Failure):
                self._failed.append((kept.id, kept.error))
                results.append(kept)
                continue
            outcome = plan.read(kept, signature)
            results.append(outcome.without_trees() if isinstance(outcome, Result) else outcome)
            self._count(kept)
            if isinstance(outcome, Result):
                self._rank(kept, outcome.methods[shown], gold)
        self.scores = scores_of(results).each

    def _rank(self, explored: ExploredRecord, scores: LabelScores, gold: str) -> None:
        """Keep the tree if it is among the worst so far."""
        alone = "majority" if gold == "dawid-skene" else gold  # shares are the same by any rule
        shares = targets_of(self._saved.task, [explored.record], alone).shares[0]
        far = _distance(scores.p, shares)
        if far > 0 and (len(self.worst) < WORST or far > self.worst[-1][0]):
            self.worst = sorted([*self.worst, (far, explored)], key=lambda one: -one[0])[:WORST]

    def _count(self, explored: ExploredRecord) -> None:
        name = explored.record.id
        self.records[name] = explored.record
        for question in self._passes:
            tree = explored.trees[question]
            raw = Marginals(tree)
            empty = 0.0 if raw.empty is None else raw.empty.low or 0.0
            lost = raw.unreadable, raw.off_format_after_label
            self._masses.append((raw.off_format, raw.unexplored, *lost, empty))
            self._endings[str(tree.greedy_end)] += 1
            self._stopped[tree.stopped if tree.stopped in LIMITS else tree.step_stopped] += 1
            self._greedy[question][name] = greedy_answer(tree)
            masses = self._complete[question]
            for text, p in complete_answers(tree).items():
                masses[text] = masses.get(text, 0.0) + p
        if len(self._passes) == 1:
            self._pairs[name] = model_pairs(Marginals(explored.tree, self._normalisation))
        if not self._lack:
            try:
                self._answers.append(read_answer(self._run.item(explored)))
            except MethodError as error:
                self._lack = f"{self.folder}: {error}"

    def cooccurrence(self, targets: Targets) -> Cooccurrence | None:
        """Pairs of labels, over the records of the targets; None without one answer to both."""
        if len(self._passes) > 1:
            return None
        pairs, task = Pairs(targets.labels), self._saved.task
        for name, known in known_labels(targets).items():
            if name in self.records:
                pairs.add(self._pairs[name], annotator_pairs(self.records[name], task, *known))
        return pairs.mean()

    def answers(self, targets: Targets) -> tuple[WrittenAnswer, ...]:
        """Answers to the records of the targets that have a tree."""
        rows = [at for at, name in enumerate(targets.ids) if name in self.records]
        results: list[WrittenAnswer] = []
        for question, asked in self._passes.items():
            greedy = [self._greedy[question][targets.ids[at]] for at in rows]
            columns = [targets.labels.index(label) for label in asked.label_names]
            gold = targets.gold[np.ix_(rows, columns)]
            about = asked.label_names[0] if len(self._passes) > 1 else None
            results += written_answers(greedy, gold, self._complete[question], about)
        return tuple(results)

    def diagnosis(self) -> Diagnosis | str:
        """Diagnosis of multi-label answers, or the reason there is none."""
        return self._lack or diagnose_answers(self._answers, self.signature.model)

    def trees(self) -> Trees:
        """Summary of the trees counted."""
        masses = np.mean(self._masses, axis=0).tolist() if self._masses else [0.0] * 5
        off_format, unexplored, unreadable, after_label, empty = masses
        return Trees(
            len(self.records),
            tuple(self._failed),
            off_format,
            unexplored,
            unreadable,
            after_label,
            empty,
            dict(sorted(self._endings.items())),
            dict(sorted(self._stopped.items())),
        )
