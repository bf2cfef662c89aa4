"""The metrics, by name. Formulas: docs/formulas.md#evaluation.

A new one is a function from a sample to a statistic, and an entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from labelmass._math import log_loss
from labelmass.errors import LabelMassError
from labelmass.evaluation import alignment, calibration, ranking, sets
from labelmass.evaluation.alignment import of_cells, range_of
from labelmass.evaluation.sample import Sample, SampleRequirement
from labelmass.evaluation.statistic import Statistic, cell_mean

Better = Literal["lower", "higher"]
Task = Literal["multi", "single"]

BOTH: tuple[Task, ...] = ("multi", "single")


@dataclass(frozen=True, slots=True)
class Metric:
    """One number for a method's probabilities.

    better: which way; None for a property of the data.
    requires: the human labels that it compares with.
    tasks: whether it is meant for tasks with any number of labels, with exactly one, or both.
    measure: the metric on a sample, ready for a bootstrap.
    ends: its least and largest value within the bounds of p, where it is monotone per cell.
    """

    name: str
    summary: str
    better: Better | None
    requires: SampleRequirement
    measure: Callable[[Sample], Statistic]
    tasks: tuple[Task, ...] = BOTH
    ends: Callable[[Sample], tuple[float, float] | None] = lambda sample: None


MULTI: tuple[Task, ...] = ("multi",)
SINGLE: tuple[Task, ...] = ("single",)


def _of_cells(
    name: str,
    summary: str,
    loss: alignment.Loss,
    reduce: alignment.Reduce,
    tasks: tuple[Task, ...] = BOTH,
) -> Metric:
    measure, ends = of_cells(loss, reduce), range_of(loss, reduce)
    return Metric(name, summary, "lower", "shares", measure, tasks, ends)


def _of_shares(
    name: str,
    summary: str,
    better: Better | None,
    measure: Callable[[Sample], Statistic],
    tasks: tuple[Task, ...] = BOTH,
) -> Metric:
    return Metric(name, summary, better, "shares", measure, tasks)


def _of_gold(
    name: str,
    summary: str,
    measure: Callable[[Sample], Statistic],
    better: Better = "higher",
) -> Metric:
    return Metric(name, summary, better, "gold", measure)


_LOG, _CHOICE = log_loss, alignment.choice_log_loss
_L1, _L2, _JSD = alignment.absolute, alignment.squared, alignment.divergence
_SUM, _MEAN = alignment.sum_of_row, alignment.mean_of_row
_WIDE, _FULL = calibration.equal_width, calibration.equal_count
_LABEL_ECE, _POOLED_ECE = calibration.per_label, calibration.pooled
_PART = calibration.brier_part

_METRICS = (
    _of_cells("nll", "cross-entropy summed over labels, mean over items", _LOG, _SUM, MULTI),
    _of_cells("nll-cell", "cross-entropy per known cell", _LOG, cell_mean, MULTI),
    _of_cells("nll-single", "cross-entropy of the one label", _CHOICE, _SUM, SINGLE),
    _of_cells("l1", "|P - H| summed over labels, mean over items", _L1, _SUM),
    _of_cells("l1-cell", "|P - H| per known cell", _L1, cell_mean),
    _of_cells("manhattan", "|P - H|, mean over labels, mean over items", _L1, _MEAN),
    _of_cells("brier", "(P - H)^2 per known cell", _L2, cell_mean),
    _of_shares("brier-reliability", "Brier lost to miscalibration", "lower", _PART("reliability")),
    _of_shares("brier-resolution", "Brier gained by telling apart", "higher", _PART("resolution")),
    _of_shares("brier-uncertainty", "variance of H over all cells", None, _PART("uncertainty")),
    _of_shares("brier-within", "Brier that the bins hide", None, _PART("within")),
    _of_cells("jsd", "Jensen-Shannon divergence per known cell, bits", _JSD, cell_mean),
    _of_shares(
        "soft-f1",
        "2 sum min(P, H) / sum (P + H) over all cells",
        "higher",
        alignment.soft_f1,
        MULTI,
    ),
    _of_shares(
        "soft-accuracy",
        "sum over labels of min(P, H), mean over items",
        "higher",
        alignment.soft_accuracy,
        SINGLE,
    ),
    _of_shares(
        "entropy-correlation",
        "Pearson's r of the entropies of P and H, mean over labels",
        "higher",
        alignment.entropy_correlation,
    ),
    _of_shares("ece", "|P - H| of 15 equally wide bins, per label", "lower", _LABEL_ECE(_WIDE)),
    _of_shares("ece-pooled", "|P - H| of 15 equally wide bins", "lower", _POOLED_ECE(_WIDE)),
    _of_shares("ace", "|P - H| of 15 equally full bins, per label", "lower", _LABEL_ECE(_FULL)),
    _of_shares("ace-pooled", "|P - H| of 15 equally full bins", "lower", _POOLED_ECE(_FULL)),
    _of_gold("example-f1", "F1 of an item's sets, mean over items", sets.example_f1),
    _of_gold("jaccard", "intersection over union, mean over items", sets.jaccard),
    _of_gold("hamming", "share of wrong cells", sets.hamming, "lower"),
    _of_gold("subset-accuracy", "share of items all right", sets.subset_accuracy),
    _of_gold("micro-f1", "over all cells", sets.micro("f1")),
    _of_gold("micro-precision", "over all cells", sets.micro("precision")),
    _of_gold("micro-recall", "over all cells", sets.micro("recall")),
    _of_gold("macro-f1", "mean over labels", sets.macro("f1")),
    _of_gold("macro-precision", "mean over labels", sets.macro("precision")),
    _of_gold("macro-recall", "mean over labels", sets.macro("recall")),
    _of_gold("auc", "ROC-AUC, mean over labels", ranking.macro("auc")),
    _of_gold("auc-micro", "ROC-AUC of all cells", ranking.micro("auc", one_class=True)),
    _of_gold(
        "auc-micro-two-class",
        "ROC-AUC of all cells of labels with both classes",
        ranking.micro("auc", one_class=False),
    ),
    _of_gold("ap", "average precision, mean over labels", ranking.macro("ap")),
    _of_gold("ap-micro", "average precision of all cells", ranking.micro("ap", one_class=True)),
    _of_gold(
        "ap-micro-two-class",
        "average precision of all cells of labels with both classes",
        ranking.micro("ap", one_class=False),
    ),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _METRICS}

HEADLINE = (
    "nll",
    "nll-single",
    "l1",
    "soft-f1",
    "soft-accuracy",
    "example-f1",
    "micro-f1",
    "macro-f1",
    "auc",
    "ece",
)
"""Metrics that a table shows, if they were computed."""


def find_metrics(names: Iterable[str] | None, *, single: bool) -> list[Metric]:
    """The metrics of these names, or all that fit the task; LabelMassError for one that does not.

    single: exactly one label is right.
    """
    task: Task = "single" if single else "multi"
    if names is None:
        return [metric for metric in METRICS.values() if task in metric.tasks]
    results: list[Metric] = []
    for name in names:
        if name not in METRICS:
            raise LabelMassError(f"no metric {name!r}: one of {', '.join(METRICS)}")
        if task not in METRICS[name].tasks:
            raise LabelMassError(f"{name} is not for {task}-label tasks")
        results.append(METRICS[name])
    return results
