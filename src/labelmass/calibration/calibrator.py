"""The calibrator: scores in, probabilities that match annotators out; saved as readable JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from labelmass._types import Floats
from labelmass.artifacts import ArtifactKind
from labelmass.calibration.curves import Curve, apply_curves
from labelmass.calibration.model_selection import ModelSelection
from labelmass.calibration.registry import find_calibrator
from labelmass.errors import FitError, LabelMassError
from labelmass.files import shaped
from labelmass.provenance import HoldOut, check, check_labels

KIND = ArtifactKind("calibrator", error=FitError)

CALIBRATED = "calibrated:"
"""Before a method's name: its scores after a calibrator."""


@dataclass(frozen=True)
class Calibrator:
    """Curves for labels, with what they were fitted on.

    Attributes:
        curves: One a label, or a single one shared by all.
        records, ids: Number of records it was fitted on, and the `fingerprint` of their ids.
        hold_out: Split that kept records for judging; None if none were kept.
        selection: The table by which the method was chosen; None if it was asked for by name.
        signature: Kind of scores it is for (`Signature.to_dict`); None if not known.
    """

    labels: tuple[str, ...]
    method: str
    curves: tuple[Curve, ...]
    records: int
    ids: str
    hold_out: HoldOut | None = None
    selection: ModelSelection | None = field(default=None, repr=False)
    signature: Mapping[str, object] | None = field(default=None, repr=False)

    @property
    def shared(self) -> bool:
        return len(self.curves) == 1 and len(self.labels) > 1

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for readers: labels that had few examples, and how they were treated."""
        if self.shared:
            return ()
        return tuple(
            f"{label}: {curve.positives:g} of {curve.records} positive, "
            + (f"borrows {curve.borrowed:g} records' weight" if curve.borrowed else "few, as it is")
            for label, curve in zip(self.labels, self.curves, strict=True)
            if curve.sparse
        )

    @property
    def digest(self) -> str:
        """12 hex digits of all it holds: what a policy remembers it by."""
        return sha256(json.dumps(self.to_dict()).encode()).hexdigest()[:12]

    def __repr__(self) -> str:
        how = "shared" if self.shared else "per label"
        return (
            f"Calibrator({self.method}, {how}, {len(self.labels)} labels, {self.records} records)"
        )

    def apply(
        self,
        labels: Sequence[str],
        *scores: Floats,
        signature: Mapping[str, object] | None = None,
        force: bool = False,
    ) -> tuple[Floats, ...]:
        """(n, k) arrays of scores, end by end: pass `p`, or `low, p, high` in this order.

        Curves do not fall, so what was ordered stays so; NaN stays NaN.

        Raises:
            FitError: For other labels, and for scores of another signature unless `force`; the
                message names the fields.
        """
        check_labels("this calibrator", self.labels, labels)
        check("this calibrator", self.signature, signature, force)
        method = find_calibrator(self.method)
        mapped = [apply_curves(method, self.curves, score) for score in scores]
        for lower, upper in pairwise(mapped):
            np.maximum(upper, lower, out=upper, where=~np.isnan(lower))  # rounding, at most
        return tuple(mapped)

    # -- storage --------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        names = ("*",) if self.shared else self.labels
        hold_out = self.hold_out
        return {
            "kind": KIND.mark,
            "method": self.method,
            "labels": list(self.labels),
            "shared": self.shared,
            "fitted_on": {
                "records": self.records,
                "ids": self.ids,
                "hold_out": hold_out and {"share": hold_out.share, "seed": hold_out.seed},
            },
            "notes": list(self.notes),
            "curves": {n: c.to_dict() for n, c in zip(names, self.curves, strict=True)},
            "choice": self.selection and self.selection.to_dict(),
            "signature": self.signature and dict(self.signature),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Calibrator:
        """Inverse of `to_dict`; raises FitError, naming the key, for other data."""
        try:
            KIND.version_of(data)
            stored = shaped(_Stored, data)
            return cls(
                stored.labels,
                stored.method,
                tuple(stored.checked_curves()),
                stored.fitted_on.records,
                stored.fitted_on.ids,
                stored.fitted_on.hold_out,
                stored.choice,
                stored.signature,
            )
        except FitError:
            raise
        except LabelMassError as error:
            raise FitError(f"not a calibrator of labelmass: {error}") from None

    def save(self, path: str | Path) -> None:
        """As JSON, whole or not at all."""
        KIND.save(path, self.to_dict())

    @classmethod
    def load(cls, path: str | Path) -> Calibrator:
        """FitError if the file is not there or holds no calibrator."""
        return KIND.load(path, cls.from_dict)


@dataclass(frozen=True, slots=True)
class _FittedOn:
    records: int
    ids: str
    hold_out: HoldOut | None


@dataclass(frozen=True, slots=True)
class _Stored:
    """Contents of a calibrator's file."""

    method: str
    labels: tuple[str, ...]
    shared: bool
    fitted_on: _FittedOn
    curves: Mapping[str, Curve]
    choice: ModelSelection | None
    signature: Mapping[str, object] | None

    def checked_curves(self) -> Iterator[Curve]:
        """Its curves in the order of its labels; LabelMassError for one that is none."""
        method = find_calibrator(self.method)
        if not self.labels or len(set(self.labels)) < len(self.labels):
            raise LabelMassError("labels must be one or more, each once")
        for name in ("*",) if self.shared else self.labels:
            if name not in self.curves:
                raise LabelMassError(f"curves.{name} is missing")
            try:
                parameters = method.read(self.curves[name].parameters)
            except LabelMassError as error:
                raise LabelMassError(f"curves.{name}.parameters: {error}") from None
            yield replace(self.curves[name], parameters=parameters)
