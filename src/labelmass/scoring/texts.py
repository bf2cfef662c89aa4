"""Scoring by classifiers that read texts alone: no language model, no tree."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from labelmass._types import Floats
from labelmass.errors import RecordError
from labelmass.estimators import LabelScores
from labelmass.records import BadRecord
from labelmass.scores import Cost, Failure, Outcome, Result
from labelmass.scores.signature import signature_of_texts
from labelmass.scoring.classifiers import check_beside, texts_each
from labelmass.scoring.plan import Item
from labelmass.supervised import Classifier
from labelmass.task import Record, Task

BATCH = 64


def score_texts(
    items: Iterable[Item], classifiers: Sequence[Classifier], task: Task
) -> Iterator[tuple[int, Outcome]]:
    """(key, result) in the order of the records; one that cannot be read, or was fitted on, fails.

    FitError for classifiers of other labels than the task's.
    """
    check_beside(classifiers, task)
    signature = signature_of_texts(task, [one.mark for one in classifiers])
    waiting = iter(items)
    while some := list(islice(waiting, BATCH)):
        began = time.perf_counter()
        found: dict[int, Failure] = {}
        good: dict[int, Record] = {}
        for key, item in some:
            if isinstance(item, BadRecord):
                found[key] = Failure.of(item)
                continue
            try:
                for one in classifiers:
                    one.refuse(item)
                good[key] = item
            except RecordError as error:
                found[key] = Failure.of(item, str(error))
        p: dict[str, dict[int, Floats]] = {}
        for one in classifiers:
            p[one.method] = {}
            for key, row in zip(list(good), texts_each(one, [*good.values()]), strict=True):
                if isinstance(row, RecordError):
                    found[key] = Failure.of(good.pop(key), str(row))
                else:
                    p[one.method][key] = row
        seconds = (time.perf_counter() - began) / len(some)
        for key, _ in some:
            if key in found:
                yield key, found[key]
                continue
            scores = {
                name: LabelScores.points(task.label_names, rates[key]) for name, rates in p.items()
            }
            record = good[key]
            cost = Cost(seconds=seconds)
            yield key, Result(record.id, scores, cost, signature, input=record.input)
