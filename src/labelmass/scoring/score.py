"""Scoring: records in, results out, with one exploration for any set of methods."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from labelmass.answers.search import Budget
from labelmass.calibration import Calibrator
from labelmass.decisions import Policy
from labelmass.errors import LabelMassError, LabelMassWarning, MethodError
from labelmass.estimators import ESTIMATORS
from labelmass.estimators.selection import Selection
from labelmass.lm.base import LanguageModel
from labelmass.records.readers import each_record
from labelmass.scores import Failure, Outcome, Result, Scores
from labelmass.scoring.plan import Plan
from labelmass.scoring.saved_trees import SavedTrees
from labelmass.scoring.warnings import scoring_warnings
from labelmass.supervised import Classifier
from labelmass.task import Record, Task

Text = str | Mapping[str, Any] | Record


def score(
    texts: Text | Iterable[Text],
    task: Task | str | Path,
    model: LanguageModel | str | None = None,
    *,
    methods: Sequence[str] = ("any-place",),
    normalise: str = "raw",
    tolerance: float = 0.01,
    batch_size: int = 16,
    budget: Budget | None = None,
    samples: int | None = None,
    orders: int = 1,
    prior: str | None = None,
    calibrator: Calibrator | None = None,
    policy: Policy | None = None,
    force: bool = False,
    max_text_tokens: int | None = None,
) -> Scores:
    """P(label) for every text, by every method, from one exploration each.

    texts: strings, records, or mappings as a JSONL line holds them; or a table of pandas, polars or
    Arrow. One string, or one mapping, is one record. task: a `Task`, a preset's
    name or a task file. model: what `labelmass.load` gives or takes; None for the embedded model.
    The other arguments are those of `Plan`, the tolerance being one of the budget.
    A text that cannot be scored becomes a `Failure` in its place. Raises TaskError, ModelError,
    MethodError or FitError before any work is done. Warns (`LabelMassWarning`) of a task whose
    prompt shows the model neither labels nor form of answer, and of a guard's own chat template.
    """
    task = task if isinstance(task, Task) else Task.load(task)
    budget = replace(budget or Budget(), **({} if budget else {"tolerance": tolerance}))
    plan = Plan(
        task,
        methods,
        budget=budget,
        normalisation=normalise,
        samples=samples,
        orders=orders,
        prior=prior,
        calibrator=calibrator,
        policy=policy,
        force=force,
        max_text_tokens=max_text_tokens,
    )
    if model is None or isinstance(model, str):
        from labelmass.lm.load import load

        model = load(model)
    for warning in scoring_warnings(task, model):
        warnings.warn(warning, LabelMassWarning, stacklevel=2)
    results = tuple(plan.run_in_order(each_record(texts), model, batch_size=batch_size))
    settled = tuple(plan.settle(lambda: results))
    return Scores.from_results(settled, task.label_names, plan.signature(model))


def read_saved(
    folder: str | Path,
    methods: Sequence[str] = ("any-place",),
    *,
    normalise: str = "raw",
    off_format: str = "not-written",
    prior: str | None = None,
    rate: float = 0.5,
    rules: Sequence[Selection] = (),
    classifiers: Sequence[Classifier] = (),
    model: LanguageModel | None = None,
    calibrator: Calibrator | None = None,
    policy: Policy | None = None,
    force: bool = False,
) -> Iterator[Outcome]:
    """Results read off saved trees, without a model; records that had failed come as failures.

    prior: "batch", or none. model: that of the trees, where a probe is among the classifiers. The
        others are those of `Plan`, but that nothing is explored further.
    """
    if prior == "content-free":
        raise LabelMassError("saved trees hold no texts without content: take the prior 'batch'")
    saved = SavedTrees(folder)
    plan = Plan(
        saved.task,
        methods,
        normalisation=normalise,
        off_format=off_format,
        orders=saved.signature.orders,
        prior=prior,
        rate=rate,
        rules=rules,
        classifiers=classifiers,
        calibrator=calibrator,
        policy=policy,
        force=force,
    )
    signature, beside = plan.saved_signature(saved.signature), plan.beside(model)
    if model is not None and model.fingerprint != saved.signature.fingerprint:
        raise LabelMassError(
            f"{model.name}@{model.fingerprint} did not write the trees in {folder}"
        )

    def results() -> Iterator[Outcome]:
        for kept in saved:
            yield kept if isinstance(kept, Failure) else plan.read(kept, signature, beside)

    yield from plan.settle(results)


def load_scores(
    source: str | Path,
    labels: Sequence[str],
    method: str | None = None,
    *,
    likely: Sequence[str] = (),
    ids: Iterable[str | int] = (),
) -> Scores:
    """One method's scores from a score file, or from a folder of saved trees, which are read raw.

    method: None for the first of `likely` that is there, else the first there is. ids: of the
    records that count, see `Scores.load`.
    """
    if not Path(source).is_dir():
        try:
            return Scores.load(source, labels, ids=ids).select(method, likely)
        except MethodError as error:
            raise MethodError(f"{source}: {error}") from None
    name = method or next((one for one in likely if one in ESTIMATORS), "any-place")
    found = scores_of(list(read_saved(source, (name,))))
    return found.at(found.ids, labels)


def scores_of(results: Sequence[Outcome]) -> Scores:
    """The scores of a run; LabelMassError where no record could be scored."""
    good = next((one for one in results if isinstance(one, Result)), None)
    if good is None:
        first = next((r.error for r in results if isinstance(r, Failure)), "there are none")
        raise LabelMassError(f"no record could be scored: {first}")
    return Scores.from_results(results, good.labels.labels)
