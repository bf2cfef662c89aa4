"""From features to P(label): a standardiser and one logistic regression a label.

Formulas: docs/formulas.md#probe. With corrections: the standardiser sees training records alone,
fits are penalised, the penalty is cross-validated, and whether they converged is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelmass._math import log_loss
from labelmass._types import Floats
from labelmass.calibration.curves import MIN_POSITIVES
from labelmass.errors import FitError, LabelMassError
from labelmass.files import shaped
from labelmass.provenance import Ids, folds
from labelmass.supervised.logistic import (
    Features,
    LinearFit,
    base_rate,
    constant_head,
    fit_lines,
    one_thread,
)

FOLDS = 5

STRENGTHS: tuple[float, ...] = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Values of C for standardised features. The least leaves little but the base rate."""


@dataclass(frozen=True, slots=True)
class LinearHead:
    """Fit of one label.

    records: with a known share. positives: the sum of their shares.
    strength: C; None where no share, or every share, is 1, and the label gets its base rate.
    own: whether C is best for this label; else, for few positives or negatives, for all labels.
    nll, base_nll: cross-validated loss in nats a record, and that of the base rate; None where no
        record is known.
    """

    records: int
    positives: float
    strength: float | None
    own: bool
    nll: float | None
    base_nll: float | None
    converged: bool

    @property
    def about(self) -> str:
        """Short note on the fit for readers; "" if there is nothing to note."""
        if self.strength is None:
            return "never seen: base rate" if self.positives == 0 else "always there: base rate"
        if not self.converged:
            return "did not converge"
        return "" if self.own else "few: C of all labels"


@dataclass(frozen=True, eq=False)
class LinearHeads:
    """A standardiser, if there is one, and a line for each of k labels.

    mean, scale: (d,), taken off and divided by; None where features are used as they are.
    weights: (k, d). intercepts: (k,). heads: how each label was fitted.
    strengths: those tried. losses: (s, k) cross-validated loss at each, in nats a record.
    single: exactly one label is right, so that a record's probabilities sum to 1.
    """

    labels: tuple[str, ...]
    mean: Floats | None
    scale: Floats | None
    weights: Floats
    intercepts: Floats
    heads: tuple[LinearHead, ...]
    strengths: tuple[float, ...]
    losses: Floats
    single: bool = False

    def __call__(self, x: Features) -> Floats:
        """(n, k) P(label) of (n, d) features."""
        from scipy.special import expit

        if x.shape[1] != self.weights.shape[1]:
            raise FitError(f"features of {x.shape[1]} columns: {self.weights.shape[1]} were fitted")
        if self.mean is not None and self.scale is not None:
            x = (x - self.mean) / self.scale
        p = expit(x @ self.weights.T + self.intercepts)
        if self.single:
            p /= np.maximum(p.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
        return p

    @property
    def notes(self) -> tuple[str, ...]:
        """Labels that a reader must know something of."""
        ends = f"C = {self.strengths[-1]:g} is the largest tried"
        results = [f"{label}: {h.about}" for label, h in self._rows() if h.about]
        return (
            *results,
            *(f"{label}: {ends}" for label, h in self._rows() if h.strength == self.strengths[-1]),
        )

    def _rows(self) -> list[tuple[str, LinearHead]]:
        return list(zip(self.labels, self.heads, strict=True))

    # -- storage --------------------------------------------------------------------------------

    def arrays(self) -> dict[str, Floats]:
        """Arrays by name, which JSON does not hold."""
        results = {"weights": self.weights, "intercepts": self.intercepts}
        if self.mean is not None and self.scale is not None:
            results |= {"mean": self.mean, "scale": self.scale}
        return results

    def to_dict(self) -> dict[str, Any]:
        return {
            "heads": {label: asdict(head) for label, head in self._rows()},
            "cross_validation": {
                "strengths": list(self.strengths),
                "losses": [[_plain(loss) for loss in row] for row in self.losses.tolist()],
            },
            **({"single": True} if self.single else {}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], arrays: Mapping[str, Floats]) -> LinearHeads:
        """Inverse of `to_dict` and `arrays`; LabelMassError for other data."""
        stored = shaped(_Stored, data)
        tried, k = stored.cross_validation, len(stored.heads)
        losses = [[np.nan if loss is None else loss for loss in row] for row in tried.losses]
        if not tried.strengths or len(losses) != len(tried.strengths):
            raise LabelMassError("cross_validation.losses must be one row for each strength")
        if not k or any(len(row) != k for row in losses):
            raise LabelMassError("cross_validation.losses must be one for each label")
        width = arrays["weights"].shape[1:] if "weights" in arrays else (0,)
        shapes = {"weights": (k, *width), "intercepts": (k,)}
        shapes |= {"mean": width, "scale": width} if {"mean", "scale"} & set(arrays) else {}
        for name, shape in shapes.items():
            if name not in arrays or arrays[name].shape != shape or len(width) != 1:
                raise LabelMassError(f"{name} must be an array of {shape}")
            if arrays[name].dtype != np.float64 or not np.isfinite(arrays[name]).all():
                raise LabelMassError(f"{name} must be finite numbers in float64")
        if "scale" in arrays and not (arrays["scale"] > 0).all():
            raise LabelMassError("scale must be above 0")
        return cls(
            tuple(stored.heads),
            arrays.get("mean"),
            arrays.get("scale"),
            arrays["weights"],
            arrays["intercepts"],
            tuple(stored.heads.values()),
            tried.strengths,
            np.array(losses),
            stored.single,
        )


@dataclass(frozen=True, slots=True)
class _Tried:
    strengths: tuple[float, ...]
    losses: Sequence[Sequence[float | None]]


@dataclass(frozen=True, slots=True)
class _Stored:
    """Output of `LinearHeads.to_dict`."""

    heads: Mapping[str, LinearHead]
    cross_validation: _Tried
    single: bool = False


@one_thread
def fit_heads(
    labels: Sequence[str],
    x: Features,
    share: Floats,
    groups: Ids,
    *,
    standardise: bool = True,
    strengths: Sequence[float] = STRENGTHS,
    refit: Callable[[NDArray[np.bool_]], Features] | None = None,
    seed: int = 0,
    single: bool = False,
) -> LinearHeads:
    """Heads on (n, d) features and (n, k) shares in [0, 1], NaN where not known.

    groups: (n,) keys of records that stay together in the 5 folds that choose C. A label with 20
    positives and negatives, in soft counts, has the C that is best for it; for the others C is
    that which is best over all labels, since a choice by a handful of records is noise.
    refit: for features that are themselves fitted: (n, d) by a fit on these records alone, so that
        a fold is judged by nothing that has seen it.
    single: see `LinearHeads`; C is chosen by each label's own loss, before they sum to 1.
    A record whose share is not known for a label is left out for this label alone; the standardiser
    sees every record. FitError for too few groups, or if nothing is known.
    """
    known = ~np.isnan(share)
    if not known.any():
        raise FitError("nothing to fit on: no record says anything of any label")
    losses, base = _cross_validate(x, share, groups, standardise, strengths, refit, seed)
    mean, scale = _standard(x) if standardise else (None, None)
    z = x if mean is None or scale is None else (x - mean) / scale
    pooled = float(share[known].mean())
    counts = np.maximum(known.sum(axis=0), 1)
    overall = int(np.argmin(losses.sum(axis=1)))
    lines: list[LinearFit] = []
    heads: list[LinearHead] = []
    for at in range(len(labels)):
        of = known[:, at]
        own, positives, n = share[of, at], float(share[of, at].sum()), int(of.sum())
        enough = min(positives, n - positives) >= MIN_POSITIVES
        chosen = int(np.argmin(losses[:, at])) if enough else overall
        fits = 0 < positives < n
        if fits:
            (line,) = fit_lines(z[of], own, strengths[chosen : chosen + 1])
        else:
            line = constant_head(x.shape[1], base_rate(own, pooled))
        lines.append(line)
        means = losses[chosen, at] / counts[at], base[at] / counts[at]
        nll, base_nll = (float(m) if n else None for m in means)
        strength = float(strengths[chosen]) if fits else None
        heads.append(LinearHead(n, positives, strength, enough, nll, base_nll, line.converged))
    return LinearHeads(
        tuple(labels),
        mean,
        scale,
        np.array([line.weights for line in lines]),
        np.array([line.intercept for line in lines]),
        tuple(heads),
        tuple(map(float, strengths)),
        np.where(known.any(axis=0), losses / counts, np.nan),
        single,
    )


def cross_fit_heads(
    labels: Sequence[str],
    x: Features,
    share: Floats,
    groups: Ids,
    *,
    refit: Callable[[NDArray[np.bool_]], Features] | None = None,
    seed: int = 0,
    **options: Any,
) -> Floats:
    """(n, k) P(label), each record's by heads fitted on the folds that it is not in.

    The choice of C is made inside. As `fit_heads` takes them.
    """
    count = min(FOLDS, len(set(map(str, groups))))
    fold = folds(groups, count, seed)
    p = np.full(share.shape, np.nan)
    for index in range(count):
        out = fold == index
        here, inner = x if refit is None else refit(~out), None
        if refit is not None:
            inner = partial(_refit_inside, refit, ~out)
        kept = [key for key, away in zip(groups, out, strict=True) if not away]
        heads = fit_heads(labels, here[~out], share[~out], kept, refit=inner, seed=seed, **options)
        p[out] = heads(here[out])
    return p


def _refit_inside(
    refit: Callable[[NDArray[np.bool_]], Features],
    seen: NDArray[np.bool_],
    inside: NDArray[np.bool_],
) -> Features:
    """Features of the records seen, by a fit on those of them that are inside."""
    both = seen.copy()
    both[seen] = inside
    return refit(both)[seen]


def _cross_validate(
    x: Features,
    share: Floats,
    groups: Ids,
    standardise: bool,
    strengths: Sequence[float],
    refit: Callable[[NDArray[np.bool_]], Features] | None,
    seed: int,
) -> tuple[Floats, Floats]:
    """(s, k) loss at each strength, summed over the folds, and (k,) that of the base rates."""
    count = min(FOLDS, len(set(map(str, groups))))
    fold = folds(groups, count, seed)
    losses, base = np.zeros((len(strengths), share.shape[1])), np.zeros(share.shape[1])
    for index in range(count):
        out = fold == index
        here = x if refit is None else refit(~out)
        inside, outside = here[~out], here[out]
        if standardise:
            mean, scale = _standard(inside)
            inside, outside = (inside - mean) / scale, (outside - mean) / scale
        seen, unseen = share[~out], share[out]
        known = ~np.isnan(seen)
        pooled = float(seen[known].mean()) if known.any() else 0.5
        for at in range(share.shape[1]):
            own, evaluated = seen[known[:, at], at], ~np.isnan(unseen[:, at])
            rate = base_rate(own, pooled)
            floor = _loss(np.full(int(evaluated.sum()), rate), unseen[evaluated, at])
            base[at] += floor
            if not 0 < own.sum() < len(own):
                losses[:, at] += floor
                continue
            lines = fit_lines(inside[known[:, at]], own, strengths, 1e-4)
            for row, line in enumerate(lines):
                losses[row, at] += _loss(line(outside[evaluated]), unseen[evaluated, at])
    return losses, base


def _loss(p: Floats, target: Floats) -> float:
    return float(log_loss(p, target).sum())


def _standard(x: NDArray[Any]) -> tuple[Floats, Floats]:
    """Mean and deviation of every column; 1 where a column does not vary."""
    from sklearn.preprocessing import StandardScaler

    result: Any = StandardScaler().fit(x)
    return result.mean_, result.scale_


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else value
