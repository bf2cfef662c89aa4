"""Results read off the trees of explored records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from labelmass._math import log_odds
from labelmass.answers.search import Budget
from labelmass.answers.tree import AnswerTree
from labelmass.errors import MethodError
from labelmass.estimators import Estimator, LabelScores
from labelmass.estimators.anyplace import any_place
from labelmass.estimators.base import joined
from labelmass.estimators.contextual import average, calibrate_contextually
from labelmass.estimators.selection import RULES, Selection
from labelmass.scores import Missed, Result, Signature
from labelmass.scores.summary import AnswerSummary
from labelmass.scoring.classifiers import AppliedClassifier
from labelmass.scoring.explorer import ExploredRecord
from labelmass.scoring.shortfall import find_missed
from labelmass.supervised import CLASSIFIERS
from labelmass.task import Task
from labelmass.task.guard import Guard
from labelmass.task.questions import Name

Bias = Mapping[str, NDArray[np.float64]]
"""Log-odds to subtract, (k,) by method."""


def read_result(
    explored: ExploredRecord,
    task: Task,
    estimators: Sequence[Estimator],
    signature: Signature,
    rules: Sequence[Selection] = (),
    applied_classifiers: Sequence[AppliedClassifier] = (),
) -> Result:
    """Every estimator's reading of a record, averaged over the label orders of the signature, what
    every rule selects, and what the classifiers beside say.

    MethodError where a tree lacks what one needs, RecordError for a record that a rule or a
    classifier was fitted on.
    """
    scores: dict[str, LabelScores] = {}
    spread: dict[str, NDArray[np.float64]] = {}
    missed: dict[str, Missed] = {}
    budget = Budget(tolerance=signature.tolerance, relative=signature.relative)
    for estimator in estimators:
        variants = [
            _variant(explored.trees, number) for number in range(signature.label_permutations)
        ]
        every = [_read(estimator, trees, task, signature) for trees in variants]
        scores[estimator.name], spread[estimator.name] = average(every)
        if signature.off_format == "unknown":  # wide by what left the format, however explored
            every = [_read(estimator, trees, task, signature, "not-written") for trees in variants]
        if short := find_missed(estimator, average(every)[0], explored.trees, budget):
            missed[estimator.name] = short
    for rule in rules:
        scores[rule.rule] = rule.read(explored.tree, explored.record.digest)
    for applied_classifier in applied_classifiers:
        scores[applied_classifier.name] = applied_classifier.read(explored)
    record = explored.record
    unknown = signature.off_format == "unknown"
    result = Result(
        record.id,
        scores,
        explored.cost,
        signature,
        AnswerSummary.of(explored.trees, signature.normalisation, unknown),
        explored.trees,
        missed=missed,
        input=record.input,
        cuts=record.cuts,
        spelt_delimiters=task.spelt_delimiters(record) if isinstance(task, Guard) else (),
    )
    return (
        result.moved_to(scores, "label_permutations", spread)
        if signature.label_permutations > 1
        else result
    )


def mean_log_odds(results: Iterable[Result]) -> Bias:
    """Mean log-odds of the labels over results, (k,) by method; nulls are left out.

    What an uncertainty rule selects is no probability, and a classifier reads no prompt: they have
    none.
    """
    odds: dict[str, list[NDArray[np.float64]]] = {}
    for result in results:
        for name in result.methods.keys() - RULES.keys() - CLASSIFIERS:
            odds.setdefault(name, []).append(log_odds(result.methods[name].p))
    return {name: _mean(np.array(found)) for name, found in odds.items()}


def without_bias(result: Result, bias: Bias, *, target_rate: float, single: bool) -> Result:
    """The result with every method's scores put through `calibrate_contextually`."""
    results = {
        name: calibrate_contextually(scores, bias[name], target_rate=target_rate, single=single)
        for name, scores in result.methods.items()
        if name in bias
    }
    return result.moved_to(
        {**result.methods, **{name: scores for name, (scores, _) in results.items()}},
        "contextual_calibration",
        {name: change for name, (_, change) in results.items()},
    )


def _mean(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Column means of what is known, 0 (no prior) where nothing is."""
    known = ~np.isnan(rows)
    return np.where(known, rows, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)


def _variant(trees: Mapping[Name, AnswerTree], number: int) -> Mapping[Name, AnswerTree]:
    """The trees of one variant of the task, by the names of the task's own questions."""
    if not number:
        return trees
    mark = f"#{number}"
    return {
        (name[0].removesuffix(mark), *name[1:]): tree
        for name, tree in trees.items()
        if name[0].endswith(mark)
    }


def _read(
    estimator: Estimator,
    trees: Mapping[Name, AnswerTree],
    task: Task,
    signature: Signature,
    off_format: str | None = None,
) -> LabelScores:
    if estimator.name == "any-place" and (off_format or signature.off_format) == "unknown":
        return joined(
            [
                any_place(trees[name], signature.normalisation, off_format_unknown=True)
                for name in task.passes
            ]
        )
    try:
        return estimator.read(trees, signature.normalisation, task)
    except KeyError:
        raise MethodError(
            f"{estimator.name}: its questions were not asked when these trees were grown; "
            f"score again with --method {estimator.name}"
        ) from None
