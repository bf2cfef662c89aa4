"""Fitting a classifier on labelled records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelmass.errors import FitError
from labelmass.supervised import Classifier, Sentences, Tfidf, fit_heads
from labelmass.supervised.classifier import Source
from labelmass.supervised.heads import FOLDS
from labelmass.supervised.logistic import Features
from labelmass.targets import Targets
from labelmass.task import Record, Task

TFIDF = "tfidf"


def fit_texts(
    features: str,
    task: Task,
    records: Sequence[Record],
    targets: Targets,
    *,
    soft: bool = True,
    provenance: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Classifier:
    """On the texts alone. features: 'tfidf', 'minilm', or the folder of an encoder."""
    groups_of(records, targets)  # too few are refused before features are made
    texts = [record.plain for record in records]
    if features != TFIDF:
        source = Sentences.of(features)
        return fit(source, source(texts), task, records, targets, soft, provenance, seed=seed)
    source = Tfidf.fit(texts)

    def refit(inside: NDArray[np.bool_]) -> Features:
        seen = [text for text, one in zip(texts, inside, strict=True) if one]
        return Tfidf.fit(seen)(texts)

    return fit(
        source, source(texts), task, records, targets, soft, provenance, refit=refit, seed=seed
    )


def fit(
    source: Source,
    x: Features,
    task: Task,
    records: Sequence[Record],
    targets: Targets,
    soft: bool = True,
    provenance: Mapping[str, Any] | None = None,
    **options: Any,
) -> Classifier:
    """On (n, d) features of the records, and their targets in the same order.

    soft: on annotator shares where there are any, else on gold. options: of `fit_heads`.
    """
    if not soft:
        targets = replace(targets, shares=targets.gold)
    groups = groups_of(records, targets)
    heads = fit_heads(
        task.label_names,
        x,
        targets.shares,
        groups,
        standardise=source.standardise,
        strengths=source.strengths,
        **options,
    )
    told = dict(provenance or {}) | {
        "records": len(records),
        "targets": "annotator shares where there are any" if soft else targets.gold_rule,
        "gold": targets.gold_rule,
        "grouped": targets.groups is not None,
        "folds": min(FOLDS, len(set(groups))),
        "seed": options.get("seed", 0),
    }
    digests = frozenset(record.digest for record in records)
    return Classifier(source, heads, task.name, task.hash, digests, told)


def groups_of(records: Sequence[Record], targets: Targets) -> tuple[str, ...]:
    """What stays together in folds: the groups of the targets, else records that say the same."""
    if len(records) < 2:
        raise FitError(f"{len(records)} labelled records are too few to fit on")
    return targets.groups or tuple(record.digest for record in records)
