"""The scikit-learn face: a classifier of texts whose classes are the labels of a task."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Self
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.validation import check_is_fitted

from labelmass._types import Floats
from labelmass.answers.search import Budget
from labelmass.calibration import Calibrator
from labelmass.calibration import fit as fit_calibrator
from labelmass.decisions import FittedThreshold, Goal, thresholds
from labelmass.errors import FitError, LabelMassWarning, RecordError
from labelmass.lm.base import LanguageModel
from labelmass.lm.load import as_model
from labelmass.records.readers import BadRecord, each_record
from labelmass.scores import Result
from labelmass.scores.signature import of_method
from labelmass.scoring.plan import Plan
from labelmass.scoring.prompt_choice import choose_prompt
from labelmass.scoring.scorer import Scorer
from labelmass.scoring.warnings import scoring_warnings
from labelmass.task import Record, Task

_SCORED: WeakKeyDictionary[LanguageModel, dict[tuple[Any, ...], Floats]] = WeakKeyDictionary()
"""Probabilities, (k,) by way of scoring and record digest, of each model that is alive."""


@lru_cache(maxsize=1)
def _load(name: str | None) -> LanguageModel:
    """The model called so, loaded once for all clones."""
    from labelmass.lm.load import load

    return load(name)


class LabelMassClassifier(ClassifierMixin, BaseEstimator):
    """P(label) of texts by a generative language model, with scikit-learn's methods.

    X: texts, or records as mappings or `Record`, or a table with a column `text`. y: (n, k)
    indicators or annotator shares, columns in the order of the task's labels, NaN where not known;
    or the labels of each text, by name.

    Fitted: classes_, the (k,) labels; decision_thresholds_, (k,), infinity for never; calibrator_,
    a `Calibrator` or None; task_ and model_.

    Args:
        task: A `Task`, a preset's name or a task file.
        model: Model, or argument of `labelmass.load`; its weights are not fitted. Clones share it,
            and what it scored once it does not score again.
        method: As `labelmass.score` takes them.
        normalise: As `labelmass.score` takes them.
        tolerance: As `labelmass.score` takes them.
        calibrator: None, a name in `CALIBRATORS`, or "auto"; fitted per label.
        threshold: A number for all labels, or a goal ("f1", "precision>=0.9"), for which each
            label's threshold is fitted, after calibration. It guarantees nothing about new texts. A
            label whose goal no threshold reaches is given to every text where the goal is recall,
            else never, with a warning that names it.
    """

    def __init__(
        self,
        task: Task | str | Path = "emotions",
        model: LanguageModel | str | None = None,
        *,
        method: str = "any-place",
        normalise: str = "raw",
        tolerance: float = 0.01,
        calibrator: str | None = None,
        threshold: float | str = 0.5,
    ) -> None:
        self.task = task
        self.model = model
        self.method = method
        self.normalise = normalise
        self.tolerance = tolerance
        self.calibrator = calibrator
        self.threshold = threshold

    def fit(self, X: Iterable[Any], y: Any = None) -> Self:
        """Fit the calibrator and the thresholds; without them, only check what was asked for.

        Raises:
            LabelMassError: For what cannot be scored or fitted.
        """
        self.task_ = Task.of(self.task)
        model = self.model
        named = model is None or isinstance(model, str)
        self.model_ = _load(model) if named else as_model(model)
        self.task_ = choose_prompt(self.task_, self.model_)
        labels = self.task_.label_names
        self.classes_ = np.array(labels)
        self.calibrator_: Calibrator | None = None
        goal = Goal.parse(self.threshold) if isinstance(self.threshold, str) else None
        same = np.nan if goal is not None else float(self.threshold)
        self.decision_thresholds_ = np.full(len(labels), same)
        plan = self._plan()
        for warning in scoring_warnings(self.task_, self.model_):
            warnings.warn(warning, LabelMassWarning, stacklevel=2)
        records = _records(X)
        target = None if y is None else _targets(y, self.task_, len(records))
        if self.calibrator is None and goal is None:
            return self
        if target is None:
            raise FitError("a calibrator or thresholds for a goal are fitted on y, which is None")
        p = self._raw(records)
        if self.calibrator is not None:
            texts = [record.digest for record in records]
            self.calibrator_ = fit_calibrator(
                labels,
                [f"{at}:{text}" for at, text in enumerate(texts)],
                p,
                target,
                method=self.calibrator,
                groups=texts,
                signature=of_method(plan.signature(self.model_).to_dict(), self.method),
            )
            (p,) = self.calibrator_.apply(labels, p)
        if goal is not None:
            result = thresholds(labels, p, target, goal)
            _warn_of_unmet(result, goal)
            self.decision_thresholds_ = np.array(
                [np.inf if one.value is None else one.value for one in result]
            )
        return self

    def predict_proba(self, X: Iterable[Any]) -> Floats:
        """(n, k) P(label), calibrated if it was asked for; rows do not sum to 1."""
        check_is_fitted(self, "classes_")
        p = self._raw(_records(X))
        if self.calibrator_ is not None:
            (p,) = self.calibrator_.apply(self.task_.label_names, p)
        return p

    def predict(self, X: Iterable[Any]) -> NDArray[np.int64]:
        """(n, k) indicators: 1 where P(label) is at or above the label's threshold.

        Raises:
            RecordError: For a text of which a probability is not known: it is neither 0 nor 1.
        """
        p = self.predict_proba(X)
        unknown = np.argwhere(np.isnan(p))
        if len(unknown):
            row, column = unknown[0].tolist()
            raise RecordError(
                f"text {row} of X: P({self.task_.label_names[column]}) is not known, as nothing of "
                "the answer could be read: take normalise='raw', or predict_proba and decide"
            )
        return (p >= self.decision_thresholds_).astype(np.int64)

    def _plan(self) -> Plan:
        budget = Budget(tolerance=self.tolerance)
        return Plan(self.task_, (self.method,), budget=budget, normalisation=self.normalise)

    def _raw(self, records: Sequence[Record]) -> Floats:
        """(n, k) scores; records that were scored before are looked up."""
        way = self.task_.hash, self.method, self.normalise, self.tolerance
        known = _SCORED.setdefault(self.model_, {})
        new = {(*way, record.digest): record for record in records}
        items = list(enumerate(record for key, record in new.items() if key not in known))
        keys = [key for key in new if key not in known]
        for at, result in Scorer.of_plan(self._plan(), self.model_).run(items):
            if not isinstance(result, Result):
                where = [record.id for record in records].index(result.id)
                raise RecordError(f"text {where} of X: {result.error}")
            known[keys[at]] = result.labels.p
        rows = [known[(*way, record.digest)] for record in records]
        return np.array(rows).reshape(len(records), len(self.classes_))

    def __sklearn_clone__(self) -> Self:
        """Unfitted, with the same model: copying its weights would be no use."""
        parameters: dict[str, Any] = {
            name: value if name == "model" else clone(value, safe=False)
            for name, value in self.get_params(deep=False).items()
        }
        return type(self)(**parameters)

    def __sklearn_tags__(self) -> Any:
        tags: Any = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.input_tags.string, tags.input_tags.two_d_array = True, False
        tags.target_tags.two_d_labels = True
        return tags


def _warn_of_unmet(found: Sequence[FittedThreshold], goal: Goal) -> None:
    """A warning that names the labels whose goal no threshold reaches."""
    unmet = [one.label for one in found if not one.met]
    if unmet:
        done = "given to every text" if goal.holds_everywhere else "never given"
        warnings.warn(
            f"no threshold reaches {goal} on these texts for {', '.join(unmet)}: {done}",
            LabelMassWarning,
            stacklevel=3,
        )


def _records(texts: Any) -> list[Record]:
    """Records named by what they say, so that nothing depends on where one stands."""
    if isinstance(texts, str | Mapping | Record):
        raise RecordError("X is one text: give a list of texts")
    results: list[Record] = []
    for at, (_, record) in enumerate(each_record(texts)):
        if isinstance(record, BadRecord):
            raise RecordError(f"text {at} of X: {record.error}")
        results.append(replace(record, id=record.digest))
    return results


def _targets(y: Any, task: Task, n: int) -> Floats:
    """(n, k) in [0, 1], NaN where not known."""
    rows = y.toarray() if hasattr(y, "toarray") else y
    if getattr(rows, "ndim", 1) == 2:
        rows = np.asarray(rows)
    target = _indicators(rows, task) if _are_names(rows) else np.asarray(rows, dtype=np.float64)
    shape = (n, len(task.label_names))
    if target.shape != shape:
        raise FitError(f"y has shape {target.shape}: {shape} for these texts and labels")
    if ((target < 0) | (target > 1)).any():
        raise FitError("y holds values outside [0, 1]: give 0 and 1, or annotator shares")
    return target


def _are_names(rows: Iterable[Any]) -> bool:
    return all(isinstance(row, str) or all(isinstance(one, str) for one in row) for row in rows)


def _indicators(rows: Iterable[Any], task: Task) -> Floats:
    """From the labels of each text, by name; a text alone is one label."""
    names = task.label_names
    given = [set(task.resolve([row] if isinstance(row, str) else list(row))) for row in rows]
    return np.array([[label in one for label in names] for one in given], dtype=np.float64).reshape(
        len(given), len(names)
    )
