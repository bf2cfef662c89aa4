"""Where fitted things come from: which records, which kind of score, which were held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelmass._text import canonical
from labelmass.errors import FitError

Ids = Sequence[str | int]

COMPARED = (
    "fingerprint",
    "tokenizer",
    "dtype",
    "task_hash",
    "format",
    "methods",
    "normalisation",
    "off_format",
    "orders",
    "max_text_tokens",
    "prior",
    "rate",
    "calibrator",
    "samples",
    "point",
    "fitted",
)
"""Fields of a signature that change a number. A model's name does not, its fingerprint does."""

COARSER = ("tolerance", "relative")
"""Fields that may only be as fine or finer; None is coarsest for `relative`."""


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
    """By field, what two signatures (`Signature.to_dict`) say where that changes a number.

    Empty where either is None: nothing is known.
    """
    if fitted is None or given is None:
        return {}
    found: dict[str, tuple[Any, Any]] = {}
    for field in COMPARED:
        pair = _plain(fitted.get(field)), _plain(given.get(field))
        if pair[0] != pair[1]:
            found[field] = pair
    for field in COARSER:
        one, other = fitted.get(field), given.get(field)
        if one is not None and (other is None or other > one):
            found[field] = one, other
    return found


def check(
    what: str, fitted: Mapping[str, Any] | None, given: Mapping[str, Any] | None, force: bool
) -> None:
    """FitError that names every field in which the scores are another kind of number."""
    found = differences(fitted, given)
    if found and not force:
        shown = "; ".join(
            f"{field}: {one!r}, now {other!r}" for field, (one, other) in found.items()
        )
        raise FitError(
            f"{what} is for other scores ({shown}){_why(found)}: fit one on scores of this kind, "
            "or force it"
        )


def _why(found: Mapping[str, tuple[Any, Any]]) -> str:
    """What a change in how answers are read means, in words."""
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
    """What an older file does not say, and what is not so, are one: None."""
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
        raise FitError(f"folds: 2 to {len(distinct)} for {len(distinct)} groups, not {count}")
    order = np.argsort(rank(distinct.tolist(), seed), kind="stable")
    fold = np.empty(len(distinct), dtype=np.int64)
    fold[order] = np.arange(len(distinct)) % count
    return fold[at]


@dataclass(frozen=True, slots=True)
class HoldOut:
    """Which records are kept for judging: a share of them, told by the record's key alone.

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
