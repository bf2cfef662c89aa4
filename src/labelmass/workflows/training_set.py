"""Fitting a classifier on labelled records, and honest scores of these records themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelmass._types import Floats
from labelmass.datasets.clusters import joined, numbered
from labelmass.errors import FitError, RecordError
from labelmass.records import BadRecord
from labelmass.scores import Failure
from labelmass.supervised import (
    Classifier,
    SentenceEmbeddings,
    TfidfFeatures,
    cross_fit_heads,
    fit_heads,
)
from labelmass.supervised.classifier import Source
from labelmass.supervised.heads import FOLDS
from labelmass.supervised.logistic import Features
from labelmass.targets import Targets, targets_of
from labelmass.task import Record, Task

TFIDF = "tfidf"

Skipped = tuple[str | int, str]
"""A record's id, and why it was left out."""


@dataclass(frozen=True)
class LabelledRecords:
    """Records, their human labels, and which others were left out."""

    records: tuple[Record, ...]
    targets: Targets
    skipped: tuple[Skipped, ...]

    @classmethod
    def of(
        cls,
        items: Iterable[Record | BadRecord | Failure],
        task: Task,
        gold: str = "given",
        group: str = "group",
    ) -> LabelledRecords:
        """FitError if none is left. gold, group: see `targets_of`."""
        kept: dict[str | int, Record] = {}
        skipped: list[Skipped] = []
        for item in items:
            try:
                if not isinstance(item, Record):
                    raise RecordError(item.error)
                targets_of(task, [item], gold, group)
                if item.id in kept:
                    raise RecordError("another record has this id: ids must differ")
                kept[item.id] = item
            except RecordError as error:
                skipped.append((item.id, str(error)))
        if not kept:
            first = f" ({skipped[0][0]!r}: {skipped[0][1]})" if skipped else ""
            raise FitError(f"no record is left to fit on{first}")
        targets = targets_of(task, kept.values(), gold, group)
        return cls(tuple(kept.values()), targets, tuple(skipped))


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Features and human labels of the records a classifier is fitted on.

    x: (n, d) features of the records. targets: of the records, in their order.
    soft: on annotator shares where there are any, else on gold. refit: see `fit_heads`.
    """

    source: Source
    x: Features
    task: Task
    records: Sequence[Record]
    targets: Targets
    soft: bool = True
    refit: Callable[[NDArray[np.bool_]], Features] | None = None
    seed: int = 0

    def classifier(self, provenance: Mapping[str, Any] | None = None) -> Classifier:
        """Fitted on all of them. provenance: what else is to be remembered."""
        rule = self.targets.gold_rule
        told = dict(provenance or {}) | {
            "records": len(self.records),
            "targets": "annotator shares where there are any" if self.soft else rule,
            "gold": rule,
            "grouped": self.targets.groups is not None,
            "folds": min(FOLDS, len(set(self._groups))),
            "seed": self.seed,
        }
        digests = frozenset(record.digest for record in self.records)
        heads = fit_heads(*self._data, **self._options)
        return Classifier(self.source, heads, self.task.name, self.task.hash, digests, told)

    def cross_fitted(self) -> Floats:
        """(n, k) P(label), each record's by a fit on the folds that it is not in."""
        if (groups := len(set(self._groups))) < 3:
            raise FitError(
                f"scores by fits on other folds need three groups of records: {groups} are too few"
            )
        return cross_fit_heads(*self._data, **self._options)

    @property
    def _groups(self) -> tuple[str, ...]:
        return groups_of(self.records, self.targets)

    @property
    def _data(self) -> tuple[tuple[str, ...], Features, Floats, tuple[str, ...]]:
        share = self.targets.shares if self.soft else self.targets.gold
        return self.task.label_names, self.x, share, self._groups

    @property
    def _options(self) -> dict[str, Any]:
        return {
            "standardise": self.source.standardise,
            "strengths": self.source.strengths,
            "refit": self.refit,
            "seed": self.seed,
            "single": self.task.format.single,
        }


def text_training_set(
    features: str,
    task: Task,
    records: Sequence[Record],
    targets: Targets,
    *,
    soft: bool = True,
    seed: int = 0,
) -> TrainingSet:
    """On the texts alone. features: 'tfidf', 'minilm', or the folder of an encoder."""
    groups_of(records, targets)  # too few are refused before features are made
    texts = [record.plain for record in records]
    if features != TFIDF:
        source = SentenceEmbeddings.of(features)
        return TrainingSet(source, source(texts), task, records, targets, soft, seed=seed)

    def refit(inside: NDArray[np.bool_]) -> Features:
        seen = [text for text, one in zip(texts, inside, strict=True) if one]
        return TfidfFeatures.fit(seen)(texts)

    source = TfidfFeatures.fit(texts)
    return TrainingSet(source, source(texts), task, records, targets, soft, refit, seed)


def groups_of(records: Sequence[Record], targets: Targets) -> tuple[str, ...]:
    """Groups that stay together in folds: records with the same content, and the targets' groups.

    FitError where that leaves nothing to tell apart.
    """
    names = tuple(record.digest for record in records)
    if targets.groups is not None:
        clusters = joined(numbered(targets.groups), numbered(names)).tolist()
        least: dict[int, str] = {}
        for cluster, group in zip(clusters, targets.groups, strict=True):
            least[cluster] = min(group, least.get(cluster, group))
        names = tuple(least[cluster] for cluster in clusters)
    if len(set(names)) < 2:
        raise FitError(
            f"{len(records)} labelled records that belong together are too few to fit on"
        )
    return names
