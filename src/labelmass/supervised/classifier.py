"""A fitted classifier: features, heads, and what it was fitted on; a folder without pickle.

DIR/classifier.json    labels, task, the fit of each label, digests of the records it saw
DIR/features.json      what its features are
DIR/heads.safetensors  weights (k, d), intercepts (k,), mean and scale (d,)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from labelmass._text import canonical
from labelmass.artifacts import ArtifactKind
from labelmass.errors import FitError, LabelMassError, RecordError
from labelmass.files import read_json, shaped
from labelmass.files.writing import replacing, write_json
from labelmass.supervised import hidden_state_features, sentence_embeddings, tfidf
from labelmass.supervised.heads import LinearHeads
from labelmass.supervised.hidden_state_features import HiddenStateFeatures
from labelmass.supervised.sentence_embeddings import SentenceEmbeddings
from labelmass.supervised.tfidf import TfidfFeatures
from labelmass.task import Record, Task

KIND = ArtifactKind("classifier", error=FitError)
HEAD, FEATURES, ARRAYS = "classifier.json", "features.json", "heads.safetensors"

Source = TfidfFeatures | SentenceEmbeddings | HiddenStateFeatures

SOURCES: dict[str, type[Source]] = {
    tfidf.KIND: TfidfFeatures,
    sentence_embeddings.KIND: SentenceEmbeddings,
    hidden_state_features.KIND: HiddenStateFeatures,
}

CLASSIFIERS = frozenset(source.method for source in SOURCES.values())
"""Names of their scores."""

ABOUT = {
    HiddenStateFeatures.method: (
        "logistic regression on the model's hidden states",
        "P1",
        "fit probe",
    ),
    SentenceEmbeddings.method: (
        "logistic regression on sentence embeddings",
        "baseline",
        "fit encoder",
    ),
    TfidfFeatures.method: ("logistic regression on TF-IDF", "baseline", "fit encoder"),
}
"""Description, source and fitting command of each method."""


@dataclass(frozen=True, eq=False)
class Classifier:
    """Heads on features of a source.

    Attributes:
        task, task_hash: Name and hash of the labels' task.
        fitted_on: Digests of the records; it refuses them.
        provenance: Origin of the fit, for readers (input, targets, folds).
    """

    source: Source
    heads: LinearHeads
    task: str
    task_hash: str
    fitted_on: frozenset[str]
    provenance: Mapping[str, object] = field(default_factory=dict[str, object])

    @property
    def method(self) -> str:
        """Method name of its scores: probe, encoder or tfidf."""
        return self.source.method

    @property
    def labels(self) -> tuple[str, ...]:
        return self.heads.labels

    @cached_property
    def digest(self) -> str:
        """12 hex digits of all it holds."""
        result = sha256(json.dumps([self.to_dict(), self.source.to_dict()]).encode())
        for name, array in sorted(self.heads.arrays().items()):
            result.update(name.encode() + array.tobytes())
        return result.hexdigest()[:12]

    @property
    def mark(self) -> str:
        """The method and the digest, for a signature."""
        return f"{self.method}@{self.digest}"

    def check(self, task: Task) -> None:
        """FitError unless the task has the labels it was fitted for, in order, compared in NFC."""
        if list(map(canonical, self.labels)) != list(map(canonical, task.label_names)):
            raise FitError(
                f"this {self.method} is for the labels {', '.join(self.labels)}, "
                f"not {', '.join(task.label_names)}"
            )

    def check_unseen(self, record: Record) -> None:
        """RecordError for a record it was fitted on: nothing is judged on what it was fitted on."""
        if record.digest in self.fitted_on:
            raise RecordError(
                f"this {self.method} was fitted on this record: score other records, or fit "
                "without it"
            )

    # -- storage --------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": KIND.mark,
            "method": self.method,
            "task": self.task,
            "task_hash": self.task_hash,
            "provenance": dict(self.provenance),
            "notes": list(self.heads.notes),
            **self.heads.to_dict(),
            "fitted_on": sorted(self.fitted_on),
        }

    def save(self, folder: str | Path) -> None:
        """Write the files; what else is in the folder stays."""
        from safetensors.numpy import save_file

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / ARRAYS) as partial:
            save_file(self.heads.arrays(), partial)
        write_json(folder / FEATURES, self.source.to_dict())
        KIND.save(folder / HEAD, self.to_dict())

    @classmethod
    def load(cls, folder: str | Path) -> Classifier:
        """FitError if the folder holds no classifier, or one of another kind."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            data, features = (read_json(Path(folder) / name) for name in (HEAD, FEATURES))
            KIND.version_of(data)
            head, kind = shaped(_Stored, data), shaped(_Kind, features).kind
            arrays = load_file(Path(folder) / ARRAYS)
            if kind not in SOURCES:
                raise FitError(f"{folder}: not features this version reads: kind is {kind!r}")
            return cls(
                SOURCES[kind].from_dict(features),
                LinearHeads.from_dict(data, arrays),
                head.task,
                head.task_hash,
                head.fitted_on,
                head.provenance,
            )
        except FitError:
            raise
        except (OSError, LabelMassError, SafetensorError) as error:
            raise FitError(
                f"{folder} holds no classifier of labelmass ({error}): fit one anew"
            ) from None


@dataclass(frozen=True, slots=True)
class _Kind:
    kind: str


@dataclass(frozen=True, slots=True)
class _Stored:
    """Contents of HEAD besides the heads."""

    task: str
    task_hash: str
    fitted_on: frozenset[str]
    provenance: Mapping[str, Any]
