"""Compare methods, and models, on records with human labels: one exploration a record and model.

A run is a folder: a folder of saved trees for each model, which every later command reads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from labelmass._settings import expect
from labelmass.answers.search import Budget
from labelmass.errors import LabelMassError
from labelmass.estimators import ESTIMATORS
from labelmass.estimators.selection import Selection
from labelmass.evaluation import Evaluation, Threshold, evaluate
from labelmass.lm.base import LanguageModel
from labelmass.lm.load import as_model
from labelmass.scoring.classifiers import check_classifiers
from labelmass.scoring.forecast import Forecast
from labelmass.scoring.plan import Plan
from labelmass.scoring.prompt_choice import choose_prompt
from labelmass.scoring.resuming import Input
from labelmass.scoring.saved_trees import TreeStore
from labelmass.scoring.scorer import Scorer
from labelmass.scoring.shortfall import Shortfall
from labelmass.scoring.to_file import Watch, say_resumed, silent, unwatched
from labelmass.supervised import Classifier, HiddenStateFeatures
from labelmass.targets import targets_of
from labelmass.task import Record, Task
from labelmass.task.record import Fields
from labelmass.workflows.calibration import with_calibrated
from labelmass.workflows.runs import Run, is_run

Models = Iterable[LanguageModel | str | Path | None]
"""Models, or what `labelmass.load` takes; they are asked one after the other."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Methods side by side.

    Attributes:
        evaluation: Every metric of every method.
        run: The trees they were read off.
        short: Records that failed or missed the tolerance, over all models.
        source: Input that was scored.
        normalisation: Normalisation of the scores.
        gold: Rule that made gold sets.
    """

    evaluation: Evaluation
    run: Run
    short: Shortfall
    source: str
    normalisation: str
    gold: str

    def save(self, folder: str | Path) -> list[Path]:
        """comparison.json, .csv, .md and .tex in a folder, which `report` reads."""
        about = {
            "task": self.run.task.name,
            "task_hash": self.run.task.hash,
            "input": self.source,
            "normalisation": self.normalisation,
            "gold": self.gold,
        }
        return self.evaluation.save(folder, "comparison", about)


def compare(
    source: str | Path,
    task: Task | str | Path | None = None,
    *,
    out: str | Path,
    models: Models | LanguageModel | str | Path = (None,),
    methods: Sequence[str] | None = None,
    tolerance: float = 0.01,
    budget: Budget | None = None,
    normalise: str = "raw",
    samples: int | None = None,
    label_permutations: int = 1,
    contextual_calibration: str | None = None,
    rules: Sequence[Selection] = (),
    calibration_method: str | None = None,
    classifiers: Sequence[Classifier] = (),
    gold: str = "given",
    threshold: float = 0.5,
    baseline: str | None = None,
    metrics: Sequence[str] | None = None,
    draws: int = 2000,
    limit: int | None = None,
    limit_records: int | None = None,
    batch_size: int = 16,
    max_text_tokens: int | None = None,
    fields: Fields | None = None,
    overwrite: bool = False,
    watch: Watch = unwatched,
    say: Callable[[str], None] = silent,
    forecast: Callable[[Forecast], None] | None = None,
) -> Comparison:
    """Score the records of a file by several methods, and judge them by human labels.

    Args:
        source: Records with `labels`, `annotators` or `distribution`; or a run, which is judged
            again, without a model.
        task: None for a run, which knows its own.
        out: The run's folder: every model's trees are kept in it, and a stopped run goes on; the
            tables are written there, too.
        models: One, or several, asked one after the other; of a run, those that wrote what probes
            read.
        methods: Methods that are compared; records are explored for these alone. None for every
            method that reads the one tree, without further prompts or draws; of a run, for those of
            them that its trees were grown for.
        calibration_method: Also each method calibrated, every record by a fit that has not seen it.
        classifiers: Trained on labelled records, judged on the same.
        gold: Rule that makes a gold set, see `Targets`.
        threshold: A label is set from this P.
        limit_records: Take only the first records, this many; a call without the limit goes on.
        forecast: Is told what each record will take, before any work is done.
        tolerance: Tolerance of the budget, where none is given. The others are those of `Plan` and
            `evaluate`.

    Raises:
        LabelMassError: If more prompts than this would be asked in all.
        MethodError: If a run is read by a method that its trees were not grown for.
    """
    expect("source", source, (str, Path), "a file of records, or a run")
    asked_of = models if isinstance(models, Iterable) and not isinstance(models, str) else (models,)
    if Path(out).exists() and not Path(out).is_dir():
        raise LabelMassError(f"{out} is a file: a run is kept in a folder")
    again = is_run(source)
    wrote = {
        classifier.source.fingerprint
        for classifier in classifiers
        if isinstance(classifier.source, HiddenStateFeatures)
    }
    kept: dict[str, LanguageModel] = {}
    if again:
        if wrote:
            kept = {model.fingerprint: model for model in map(as_model, asked_of)}
    else:
        if task is None:
            raise LabelMassError("records are of no task: name one")
        asked = Task.of(task)
        if asked.open_keys:
            first, *others = asked_of
            first = as_model(first)
            asked, asked_of = choose_prompt(asked, first, say=say), (first, *others)
        check_classifiers(classifiers, asked)
        plan = comparison_plan(
            asked,
            methods,
            budget=budget or Budget(tolerance=tolerance),
            normalise=normalise,
            samples=samples,
            label_permutations=label_permutations,
            rules=rules,
            max_text_tokens=max_text_tokens,
        )
        records = Input(source, fields, limit_records)
        total = records.count()
        count = len(asked_of) if isinstance(asked_of, Sized) else 1
        plan.forecast.check(None if total is None else total * count, limit)
        if forecast is not None:
            forecast(plan.forecast)
        explored = explore(
            plan,
            records,
            asked_of,
            out,
            gold=gold,
            total=total,
            batch_size=batch_size,
            overwrite=overwrite,
            watch=watch,
            say=say,
        )
        # of those that no probe reads, none is kept: two may not fit
        kept = {model.fingerprint: model for model in explored if model.fingerprint in wrote}
    run, short = Run.open(source if again else out), Shortfall()
    rows = run.scores(
        methods or _methods_of(run),
        short=short,
        normalise=normalise,
        contextual_calibration=contextual_calibration,
        rules=rules,
    )
    rows |= run.scores_by(classifiers, kept)
    targets = run.targets(gold)
    if calibration_method is not None:
        rows = with_calibrated(rows, targets, calibration_method)
    single = run.task.format.single
    evaluation = evaluate(
        rows,
        targets,
        metrics or None,
        threshold=None if single else Threshold(threshold),
        baseline=baseline,
        single=single,
        draws=draws,
    )
    result = Comparison(evaluation, run, short, str(source), normalise, gold)
    result.save(out)
    return result


def comparison_plan(
    task: Task,
    methods: Sequence[str] | None,
    *,
    budget: Budget,
    normalise: str = "raw",
    samples: int | None = None,
    label_permutations: int = 1,
    rules: Sequence[Selection] = (),
    max_text_tokens: int | None = None,
) -> Plan:
    """One exploration that these methods and rules can be read off.

    Args:
        methods: None for all that read the one tree. Whether they are named or not, trees of all
            of them serve every rule, too.
    """
    plain = plain_methods(task)
    every_method = set(plain) <= set(methods or plain)
    return Plan(
        task,
        methods or plain,
        budget=budget,
        normalisation=normalise,
        every_method=every_method,
        samples=samples,
        label_permutations=label_permutations,
        rules=() if every_method else rules,
        max_text_tokens=max_text_tokens,
    )


def plain_methods(task: Task) -> list[str]:
    """The methods that read the one tree: no further prompts, nothing drawn."""
    return [
        name
        for name, method in ESTIMATORS.items()
        if not method.requirements.draws
        and method.reason_against(task) is None
        and not method.questions(task)
        and name != "demonstration-rate"  # every evaluation has base rates of its own
    ]


def _methods_of(run: Run) -> list[str]:
    """The methods that read the one tree and that the trees of a run were grown for."""
    trees = run.first_trees()
    return [
        name
        for name in plain_methods(run.task)
        if all(ESTIMATORS[name].requirements.met_by(tree) for tree in trees)
    ]


def explore(
    plan: Plan,
    source: Input,
    models: Models,
    out: str | Path,
    *,
    gold: str = "given",
    total: int | None = None,
    batch_size: int = 16,
    overwrite: bool = False,
    watch: Watch = unwatched,
    say: Callable[[str], None] = silent,
) -> Iterator[LanguageModel]:
    """The trees of every record, as far as the run has none, by each model; it, when it is done."""
    with source as records:
        # the human labels are read before hours of work, too: ids that repeat, labels unknown
        good = (record for _, record in records.reread() if isinstance(record, Record))
        targets_of(plan.task, good, gold)
        for model in map(as_model, models):
            folder = re.sub(r"[^\w.-]+", "-", model.name).strip("-.") or "model"
            store = TreeStore(
                Path(out) / folder,
                plan.task,
                plan.signature(model),
                source=records.source,
                fields=records.fields,
                limit_records=records.limit_records,
                overwrite=overwrite,
            )
            with closing(store):
                store.resume(records.reread_all)
                _check_limit(store, records)
                say_resumed(say, None, store)
                scorer = Scorer.of_plan(plan, model, batch_size=batch_size)
                results = scorer.run(store.left(records.reread()), store=store)
                for _ in watch(results, total, len(store)):
                    pass
            yield model


def _check_limit(store: TreeStore, records: Input) -> None:
    """LabelMassError where a run that is to be judged holds records beyond the limit."""
    if records.limit_records is None:
        return
    first = {number for number, _ in records.reread()}
    if beyond := len(store.keys - first):
        raise LabelMassError(
            f"{store.folder} holds trees of {beyond} records after the first "
            f"{records.limit_records}, which would be judged too: leave out the limit of records, "
            "or choose another folder"
        )
