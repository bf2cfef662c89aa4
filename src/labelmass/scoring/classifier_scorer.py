"""Scores by classifiers that read texts alone: no language model, no tree."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from labelmass._settings import expect
from labelmass._types import Floats
from labelmass.errors import FitError, RecordError
from labelmass.estimators import LabelScores
from labelmass.records import BadRecord
from labelmass.records.readers import Item, each_record
from labelmass.scores import Cost, Failure, Outcome, Result, Scores
from labelmass.scores.signature import signature_of_texts
from labelmass.scores.writers import output_writer
from labelmass.scoring.classifiers import check_classifiers, texts_each
from labelmass.scoring.resuming import Input
from labelmass.scoring.scorer import Frame, Text, check_ids
from labelmass.scoring.to_file import (
    Summary,
    Watch,
    check_paths,
    silent,
    unwatched,
    write_results,
)
from labelmass.supervised import Classifier, HiddenStateFeatures
from labelmass.task import Record, Task
from labelmass.task.record import Fields

BATCH = 64
"""Records whose texts are read at once."""


class ClassifierScorer:
    """Scores texts with fitted classifiers alone, as `Scorer` does with a language model.

    Args:
        task: A `Task`, a preset's name or a task file; its labels are those of the classifiers.
        classifiers: Made by `fit_encoder`; the first gives the headline scores.

    Raises:
        FitError: For a classifier of other labels, two of one name, or a probe, which reads the
            hidden states of a language model.
    """

    def __init__(self, task: Task | str | Path, classifiers: Sequence[Classifier]) -> None:
        self.task, self.classifiers = Task.of(task), tuple(classifiers)
        if not self.classifiers:
            raise FitError("no classifier was given: see `labelmass.fit_encoder`")
        for classifier in self.classifiers:
            expect("classifier", classifier, Classifier, error=FitError)
            if isinstance(classifier.source, HiddenStateFeatures):
                raise FitError(
                    f"{classifier.method} reads states of {classifier.source.model}: use Scorer"
                )
        check_classifiers(self.classifiers, self.task)
        self.signature = signature_of_texts(
            self.task, [classifier.mark for classifier in self.classifiers]
        )

    def score(self, texts: Text | Iterable[Text] | Frame | Path) -> Scores:
        """P(label) for every text, in their order; see `Scorer.score`."""
        items = list(each_record(texts))
        check_ids(items)
        results = tuple(result for _, result in self.run(items))
        return Scores.from_results(results, self.task.label_names, self.signature)

    def stream(self, texts: Text | Iterable[Text]) -> Iterator[Outcome]:
        """Results in the order of the texts, which are read as they are needed."""
        return (result for _, result in self.run(each_record(texts, lazy=True)))

    def score_file(
        self,
        source: str | Path,
        out: str | Path,
        *,
        fields: Fields | None = None,
        overwrite: bool = False,
        keep_input: bool = True,
        limit_records: int | None = None,
        watch: Watch = unwatched,
        say: Callable[[str], None] = silent,
    ) -> Summary:
        """Score a file to a file, resuming a stopped run; see `Scorer.score_file`."""
        out = Path(out)
        output_writer(out)
        check_paths(source, out, None)
        with Input(source, fields, limit_records) as records:
            return write_results(
                self.run,
                records,
                out,
                {"run": self.signature.to_dict()},
                self.signature,
                records.count(),
                overwrite=overwrite,
                keep_input=keep_input,
                watch=watch,
                say=say,
            )

    def run(self, items: Iterable[Item]) -> Iterator[tuple[int, Outcome]]:
        """(key, result) in the order of the records; bad records, and those fitted on, fail."""
        waiting = iter(items)
        while batch := list(islice(waiting, BATCH)):
            yield from self._score_batch(batch)

    def _score_batch(self, batch: Sequence[Item]) -> Iterator[tuple[int, Outcome]]:
        began = time.perf_counter()
        failures: dict[int, Failure] = {}
        records: dict[int, Record] = {}
        for key, item in batch:
            if isinstance(item, BadRecord):
                failures[key] = Failure.of(item)
                continue
            try:
                for classifier in self.classifiers:
                    classifier.check_unseen(item)
                records[key] = item
            except RecordError as error:
                failures[key] = Failure.of(item, str(error))
        p: dict[str, dict[int, Floats]] = {}
        for classifier in self.classifiers:
            p[classifier.method] = {}
            rows = texts_each(classifier, [*records.values()])
            for key, row in zip(list(records), rows, strict=True):
                if isinstance(row, RecordError):
                    failures[key] = Failure.of(records.pop(key), str(row))
                else:
                    p[classifier.method][key] = row
        cost = Cost(seconds=(time.perf_counter() - began) / len(batch))
        for key, _ in batch:
            if key in failures:
                yield key, failures[key]
                continue
            scores = {
                name: LabelScores.points(self.task.label_names, rows[key])
                for name, rows in p.items()
            }
            record = records[key]
            yield key, Result(record.id, scores, cost, self.signature, input=record.input)
