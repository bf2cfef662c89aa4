"""Classifiers read beside the methods of a run: rows that were trained on labelled records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from labelmass._types import Floats
from labelmass.errors import FitError, LabelMassError, MethodError, ModelError, RecordError
from labelmass.estimators import LabelScores
from labelmass.lm.base import LanguageModel
from labelmass.scores import Scores
from labelmass.scoring.explorer import ExploredRecord
from labelmass.scoring.hidden_states import StateReader
from labelmass.scoring.isolation import PLAIN, apply_in_batch
from labelmass.supervised import Classifier, HiddenStateFeatures
from labelmass.task import Record, Task

BATCH = 8
"""Records whose states are read in one pass."""


@dataclass(frozen=True)
class AppliedClassifier:
    """A classifier bound to a task: maps explored records to (n, k) P(label).

    plain: predicts for the simplest text, see `isolation.blame`.
    """

    classifier: Classifier
    labels: tuple[str, ...]
    predict: Callable[[Sequence[ExploredRecord]], Floats]
    plain: Callable[[], object]

    @classmethod
    def of(
        cls, classifier: Classifier, task: Task, model: LanguageModel | None
    ) -> AppliedClassifier:
        """model: what wrote the answers; MethodError where a probe is to do without."""
        source, labels = classifier.source, task.label_names
        if not isinstance(source, HiddenStateFeatures):
            return cls(
                classifier,
                labels,
                lambda some: texts_through(classifier, [one.record for one in some]),
                lambda: _plain_through(classifier),
            )
        if model is None:
            raise MethodError(
                f"a probe reads the hidden states of {source.model}: saved trees do not hold them, "
                "name the --model"
            )
        reader = StateReader(source, task, model)
        return cls(
            classifier,
            labels,
            lambda some: classifier.heads(np.array(reader(some))),
            reader.read_plain,
        )

    @property
    def name(self) -> str:
        return self.classifier.method

    def read(self, explored: ExploredRecord) -> LabelScores:
        """RecordError for a record it was fitted on, and for one that it cannot read."""
        self.classifier.check_unseen(explored.record)
        (outcome,) = self._predict_each([explored])
        if isinstance(outcome, RecordError):
            raise outcome
        return LabelScores.points(self.labels, outcome)

    def scores(self, found: Iterable[ExploredRecord]) -> Scores:
        """Scores of many records; NaN, a failure, for those it cannot read or has seen."""
        ids: list[str | int] = []
        rows: list[Floats] = []
        refused = 0
        waiting = iter(found)
        while some := list(islice(waiting, BATCH)):
            p = np.full((len(some), len(self.labels)), np.nan)
            new = [at for at, one in enumerate(some) if not self._saw(one.record)]
            for at, outcome in zip(new, self._predict_each([some[at] for at in new]), strict=True):
                if not isinstance(outcome, RecordError):
                    p[at] = outcome
            refused += len(some) - len(new)
            ids += [one.record.id for one in some]
            rows += [*p]
        if refused == len(rows):
            raise LabelMassError(
                f"this {self.name} was fitted on every one of these records: judge it on others"
            )
        note = f"{refused} records it was fitted on are left out" if refused else ""
        return Scores.of(ids, self.labels, np.array(rows), method=self.name, note=note)

    def _predict_each(self, some: Sequence[ExploredRecord]) -> list[Floats | RecordError]:
        return apply_in_batch(self.predict, some, self.plain) if some else []

    def _saw(self, record: Record) -> bool:
        return record.digest in self.classifier.fitted_on


def check_classifiers(classifiers: Sequence[Classifier], task: Task) -> None:
    """FitError for other labels than the task's, and for two that are called alike."""
    for at, one in enumerate(classifiers):
        one.check(task)
        if one.method in {other.method for other in classifiers[:at]}:
            raise FitError(f"two classifiers are called {one.method}: take one at a time")


def texts_through(classifier: Classifier, records: Sequence[Record]) -> Floats:
    """(n, k) P(label) by a classifier that reads texts alone; ModelError where that is NaN."""
    source: Any = classifier.source
    p = classifier.heads(source([record.plain for record in records]))
    if np.isnan(p).any():
        raise ModelError(f"{classifier.method}: its scores are not numbers (NaN)")
    return p


def texts_each(classifier: Classifier, records: Sequence[Record]) -> list[Floats | RecordError]:
    """(k,) P(label) of each record, or why it alone cannot be read."""
    if not records:
        return []
    return apply_in_batch(
        lambda some: texts_through(classifier, some), records, lambda: _plain_through(classifier)
    )


def _plain_through(classifier: Classifier) -> Floats:
    return texts_through(classifier, [Record(id=PLAIN, text=PLAIN)])
