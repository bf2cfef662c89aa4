"""Choosing a calibrator by cross-validated negative log-likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labelmass._math import EPS, log_loss
from labelmass._types import Floats
from labelmass.calibration.curves import apply_curves, fit_curves
from labelmass.calibration.registry import CALIBRATORS, find_calibrator
from labelmass.provenance import Ids, folds


@dataclass(frozen=True, slots=True)
class Candidate:
    """One row of the table: a method, and its mean negative log-likelihood (nats a record)."""

    method: str
    shared: bool
    nll: float
    folds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ModelSelection:
    """Candidates, best first; `seed` and `folds` say how the records were divided."""

    candidates: tuple[Candidate, ...]
    folds: int
    seed: int

    @property
    def best(self) -> Candidate:
        return self.candidates[0]

    def to_dict(self) -> dict[str, Any]:
        rows = [
            {"method": c.method, "shared": c.shared, "nll": c.nll, "folds": list(c.folds)}
            for c in self.candidates
        ]
        return {"folds": self.folds, "seed": self.seed, "eps": EPS, "candidates": rows}


def record_nll(p: Floats, target: Floats) -> Floats:
    """(n,) cross-entropy of (n, k) probabilities against targets, summed over known cells."""
    return np.nansum(log_loss(p, target), axis=1)


def choose(
    p: Floats,
    target: Floats,
    groups: Ids,
    *,
    methods: Sequence[str] = tuple(CALIBRATORS),
    shared: bool | None = None,
    count: int = 5,
    seed: int = 0,
) -> ModelSelection:
    """Every method per label and shared (or as `shared` says), judged on folds it has not seen.

    groups: records with the same key stay in one fold. Ties go to the method named first, per
    label before shared.
    """
    fold = folds(groups, count, seed)
    sizes = np.bincount(fold, minlength=count)
    rows: list[Candidate] = []
    for name in methods:
        method = find_calibrator(name)
        for is_shared in (False, True) if shared is None else (shared,):
            if name == "identity" and is_shared and shared is None:
                continue
            means: list[float] = []
            for index in range(count):
                out = fold == index
                curves = fit_curves(method, p[~out], target[~out], is_shared)
                losses = record_nll(apply_curves(method, curves, p[out]), target[out])
                means.append(float(losses.mean()))
            nll = float(np.average(means, weights=sizes))
            rows.append(Candidate(name, is_shared, nll, tuple(means)))
    return ModelSelection(tuple(sorted(rows, key=lambda row: row.nll)), count, seed)
