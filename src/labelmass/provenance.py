"""Provenance of a number: its signature, the records it was fitted on, and those held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from hashlib import sha256
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from labelmass._canary import Canary
from labelmass._text import canonical
from labelmass._types import Normalisation
from labelmass.errors import FitError, LabelMassError
from labelmass.files import current_keys, shaped

Ids = Sequence[str | int]

Compared = Literal["same", "as fine", "never"]
"""Comparison of a field of two signatures: for being the same, for being the same or finer (of
tolerances; None is coarsest), or never."""


def _compared(how: Compared, default: Any = MISSING, *, factory: Any = MISSING) -> Any:
    """A field of a signature, and how it is compared."""
    if factory is not MISSING:
        return field(default_factory=factory, metadata={"compared": how})
    return field(default=default, metadata={"compared": how})


@dataclass(frozen=True, slots=True)
class Signature:
    """Identity of a score: fields that each say how two are compared; `str()` gives one line.

    A model's name is never compared, for its fingerprint is; a budget changes no number but by the
    tolerance, and what a run fell short of its results say; `points` is the `point` of each method
    alone (`of_method`).

    Attributes:
        format: Its name, and by which rules answers in it are read (`AnswerFormat.reading`).
        off_format: "not-written" or "unknown", see `Marginals`.
        samples: Number of answers or paths drawn, 0 if none.
        label_permutations: Label orders averaged over. contextual_calibration,.
        target_rate: On what it was estimated, and what a text without content then gets.
        calibrator: The digest of what `calibrated:` scores went through.
        point: The rule behind `p`.
        points: That of the methods that have another.
        fitted: Method@digest of the classifiers read beside.
        max_text_tokens: Most tokens of a text that its prompt shows; None for all.
        prompt: Form of answers and demonstrations, where they were chosen for the model.
        canary: What the model says to fixed texts (`Canary`); "" where it was not asked.
    """

    model: str = _compared("never")
    fingerprint: str = _compared("same")
    tokenizer: str = _compared("same")
    engine: str = _compared("never")
    dtype: str = _compared("same")
    task: str = _compared("never")
    task_hash: str = _compared("same")
    format: str = _compared("same")
    methods: tuple[str, ...] = _compared("same")
    normalisation: Normalisation = _compared("same")  # noqa: RUF009 (a field)
    tolerance: float = _compared("as fine")
    relative: float | None = _compared("as fine")
    max_nodes: int = _compared("never")
    max_depth: int = _compared("never")
    max_seconds: float | None = _compared("never")
    off_format: str = _compared("same", "not-written")
    samples: int = _compared("same", 0)
    label_permutations: int = _compared("same", 1)
    contextual_calibration: str | None = _compared("same", None)
    target_rate: float | None = _compared("same", None)
    calibrator: str | None = _compared("same", None)
    point: str = _compared("same", "mid")
    points: Mapping[str, str] = _compared("never", factory=dict)
    version: str = _compared("never", "")
    fitted: tuple[str, ...] = _compared("same", ())
    max_text_tokens: int | None = _compared("same", None)
    prompt: str = _compared("never", "")
    canary: str = _compared("never", "")  # but see `differences`

    def to_dict(self) -> dict[str, Any]:
        result = asdict(self) | {
            "methods": list(self.methods),
            "normalisation": str(self.normalisation),
            "fitted": list(self.fitted),
        }
        for key in ("fitted", "points", "max_text_tokens", "prompt", "canary"):
            if not result[key]:
                del result[key]
        return result

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Signature:
        """Inverse of `to_dict`; raises LabelMassError on other data."""
        data = current_keys(data, FORMER_FIELDS)
        try:
            if unknown := set(data) - {field.name for field in fields(cls)}:
                raise LabelMassError(f"{min(unknown)} is unknown: a later labelmass may have it")
            return shaped(cls, data)
        except LabelMassError as error:
            raise LabelMassError(f"not a signature of labelmass: {error}") from None

    @classmethod
    def read(cls, data: Mapping[str, Any] | None) -> Signature | None:
        """The signature in a file of scores, of an older version too; None where it has none."""
        if not data or "methods" not in data:
            return None
        data, named = current_keys(data, FORMER_FIELDS), {field_.name for field_ in fields(cls)}
        blank: dict[str, Any] = {
            field_.name: ""
            for field_ in fields(cls)
            if field_.default is MISSING and field_.name != "points"
        }
        blank |= {"normalisation": "raw", "tolerance": 0.0, "relative": None}
        blank |= {"max_nodes": 0, "max_depth": 0, "max_seconds": None}
        return cls.from_dict(blank | {key: one for key, one in data.items() if key in named})

    def __str__(self) -> str:
        shown = {
            "model": f"{self.model}@{self.fingerprint}",
            "task": f"{self.task}@{self.task_hash}",
            "format": self.format,
            "method": "+".join(self.methods),
            "norm": self.normalisation,
            "tol": self.tolerance,
            "dtype": self.dtype,
            "version": self.version,
        }
        if self.relative is not None:
            shown["relative"] = self.relative
        if self.max_seconds is not None:
            shown["max_seconds"] = self.max_seconds
        if self.samples:
            shown["samples"] = self.samples
        if self.label_permutations > 1:
            shown["permutations"] = self.label_permutations
        if self.max_text_tokens is not None:
            shown["text"] = self.max_text_tokens
        if self.contextual_calibration is not None:
            rate = "" if self.target_rate is None else f"@{self.target_rate:g}"
            shown["contextual"] = f"{self.contextual_calibration}{rate}"
        if self.calibrator is not None:
            shown["calibrator"] = self.calibrator
        if self.fitted:
            shown["fitted"] = "+".join(self.fitted)
        if not self.model:
            shown = {key: shown[key] for key in ("task", "fitted", "version")}
        return "|".join(f"{key}:{value}" for key, value in shown.items())


FORMER_FIELDS = {
    "orders": "label_permutations",
    "prior": "contextual_calibration",
    "rate": "target_rate",
    "nodes": "max_nodes",
    "depth": "max_depth",
    "seconds": "max_seconds",
}
"""Fields of a signature as earlier versions wrote them, and their names of today."""


def fingerprint(ids: Ids) -> str:
    """sha256 of the sorted record ids, a line each; FitError if one comes twice."""
    texts = sorted(str(name) for name in ids)
    for one, other in pairwise(texts):
        if one == other:
            raise FitError(f"record id {one!r} comes twice: ids must tell records apart")
    return sha256("\n".join(texts).encode()).hexdigest()


def differences(
    fitted: Mapping[str, Any] | None, given: Mapping[str, Any] | None
) -> dict[str, tuple[Any, Any]]:
    """Fields that change a number and differ between two signatures (`Signature.to_dict`).

    Models that read the same tokens are the same where their canaries agree, whatever they are
    called and wherever they run, and others where these differ. Empty where either signature is
    None: nothing is known.
    """
    if fitted is None or given is None:
        return {}
    results: dict[str, tuple[Any, Any]] = {}
    fitted, given = (current_keys(side, FORMER_FIELDS) for side in (fitted, given))
    for field_ in fields(Signature):
        how: Compared = field_.metadata["compared"]
        before, now = fitted.get(field_.name), given.get(field_.name)
        if how == "same" and _plain(before) != _plain(now):
            results[field_.name] = _plain(before), _plain(now)
        if how == "as fine" and before is not None and (now is None or now > before):
            results[field_.name] = before, now
    before, now = _canary(fitted), _canary(given)
    if before is not None and now is not None and "tokenizer" not in results:
        if before.agrees(now):
            return {key: one for key, one in results.items() if key not in _OF_THE_MODEL}
        results["canary"] = canary_words(before, now)
    return results


_OF_THE_MODEL = ("fingerprint", "dtype")
"""Fields that a canary stands for."""


def _canary(signature: Mapping[str, Any]) -> Canary | None:
    try:
        return Canary.parse(signature["canary"])
    except (KeyError, ValueError, AttributeError):
        return None


def canary_words(before: Canary, now: Canary) -> tuple[str, str]:
    """How far two canaries may be apart, and how far they are."""
    allowed, apart = before.allowed(now), before.difference(now)
    return f"within {allowed:.2g} nats", f"{apart:.2g} nats apart"


def check(
    what: str, fitted: Mapping[str, Any] | None, given: Mapping[str, Any] | None, force: bool
) -> None:
    """FitError that names every field in which the scores are another kind of number."""
    result = differences(fitted, given)
    if result and not force:
        shown = "; ".join(
            f"{field}: {one!r}, now {other!r}" for field, (one, other) in result.items()
        )
        raise FitError(
            f"{what} is for other scores ({shown}){_why(result)}: fit one on scores of this kind, "
            "or force it"
        )


def _why(found: Mapping[str, tuple[Any, Any]]) -> str:
    """Explanation of a change in how answers are read, in words."""
    fitted, given = (str(name or "").split("+") for name in found.get("format", ("", "")))
    if fitted[0] != given[0] or fitted == given:
        return ""
    if "verdict" in given and "verdict" not in fitted:
        return (
            "; it comes from a version that lost a risk verdict whose rest it could not read, so "
            "its scores of this guard were too low"
        )
    return "; the format is the same, but other deviations from it are read (format.tolerate)"


def check_labels(what: str, fitted: Sequence[str], given: Sequence[str]) -> None:
    """FitError unless the labels are the same, in order; names are compared in NFC."""
    if list(map(canonical, fitted)) != list(map(canonical, given)):
        raise FitError(f"{what} is for the labels {', '.join(fitted)}, not {', '.join(given)}")


def _plain(value: Any) -> Any:
    """Value to compare: None for anything false, which older files leave out."""
    return (list(value) if isinstance(value, tuple) else value) or None


def rank(keys: Ids, seed: int) -> NDArray[np.uint64]:
    """(n,) a number for each key that depends on it and the seed alone."""
    digests = (sha256(f"{seed}:{key}".encode()).digest() for key in keys)
    return np.array([int.from_bytes(digest[:8], "big") for digest in digests], dtype=np.uint64)


def folds(keys: Ids, count: int, seed: int = 0) -> NDArray[np.int64]:
    """(n,) fold of each record: equal keys share one; sizes in keys differ by one at most.

    FitError for fewer than 2 folds or fewer keys than folds.
    """
    distinct, at = np.unique([str(key) for key in keys], return_inverse=True)
    if not 2 <= count <= len(distinct):
        raise FitError(
            f"{count} folds need at least {max(count, 2)} records with human labels, or groups of "
            f"them, and there are {len(distinct)}: label more"
        )
    order = np.argsort(rank(distinct.tolist(), seed), kind="stable")
    fold = np.empty(len(distinct), dtype=np.int64)
    fold[order] = np.arange(len(distinct)) % count
    return fold[at]


@dataclass(frozen=True, slots=True)
class HoldOut:
    """A held-out share of the records, determined by each record's key alone.

    So whoever has the artefact can tell for any record, also later ones, on which side it lies.
    """

    share: float
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise FitError(f"a held-out share lies between 0 and 1, not {self.share}")

    def out(self, keys: Ids) -> NDArray[np.bool_]:
        """(n,) whether each record, or its whole group where keys are groups, is held out."""
        return rank(keys, self.seed) < np.uint64(self.share * 2.0**64)
