"""Fitting a calibrator, and honest scores for judging one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelmass._types import Floats
from labelmass.calibration.calibrator import Calibrator
from labelmass.calibration.curves import fit_curves
from labelmass.calibration.model_selection import choose
from labelmass.calibration.registry import find_calibrator
from labelmass.errors import FitError
from labelmass.provenance import HoldOut, Ids, fingerprint, folds

AUTO = "auto"


def fit(
    labels: Sequence[str],
    ids: Ids,
    p: Floats,
    target: Floats,
    *,
    method: str = "platt",
    shared: bool | None = None,
    groups: Ids | None = None,
    hold_out: HoldOut | None = None,
    signature: Mapping[str, object] | None = None,
    seed: int = 0,
) -> Calibrator:
    """A calibrator from (n, k) scores and targets: annotator shares, or gold as 0 and 1.

    method: a name in `CALIBRATORS`, or "auto": the best of them on 5 folds.
    shared: one curve for all labels; None is False, or, for "auto", whichever is better.
    groups: (n,) keys of records that belong together, in folds and in the hold-out; ids if None.
    hold_out: keeps a share of the records out of the fit, for judging.

    NaN cells are left out. FitError for shapes that do not agree, ids that come twice, targets
    outside [0, 1], nothing known, or targets that are all 0 or all 1: whatever the score, the curve
    would be sure of that.
    """
    groups = ids if groups is None else groups
    _check(labels, ids, groups, p, target)
    used = np.ones(len(ids), dtype=bool) if hold_out is None else ~hold_out.out(groups)
    p, target = p[used], target[used]
    used_ids = [name for name, is_used in zip(ids, used, strict=True) if is_used]
    selection = None
    if method != "identity":
        _check_both(labels, p, target)
    if method == AUTO:
        used_groups = [key for key, is_used in zip(groups, used, strict=True) if is_used]
        selection = choose(p, target, used_groups, shared=shared, seed=seed)
        method, shared = selection.best.method, selection.best.shared
    curves = fit_curves(find_calibrator(method), p, target, bool(shared))
    return Calibrator(
        tuple(labels),
        method,
        curves,
        len(used_ids),
        fingerprint(used_ids),
        hold_out,
        selection,
        signature,
    )


@dataclass(frozen=True)
class CrossFitted:
    """Calibrated scores, each record's from a calibrator that has not seen its group.

    scores: as they were passed, (n, k) each. fold: (n,). calibrators: one a fold.
    """

    scores: tuple[Floats, ...]
    fold: NDArray[np.int64]
    calibrators: tuple[Calibrator, ...]
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Settings of the cross-fit, for the report of an evaluation that uses it."""
        return {
            "cross_fitted": len(self.calibrators),
            "seed": self.seed,
            "methods": [c.method for c in self.calibrators],
            "ids": [c.ids for c in self.calibrators],
        }


def cross_fit(
    labels: Sequence[str],
    ids: Ids,
    p: Floats,
    target: Floats,
    *,
    low: Floats | None = None,
    high: Floats | None = None,
    count: int = 5,
    groups: Ids | None = None,
    seed: int = 0,
    **options: Any,
) -> CrossFitted:
    """`fit` on all folds but one, applied to that one; a choice, if asked for, is made inside.

    low, high: both or none; `scores` are then low, p, high. options: as `fit` takes them.
    """
    groups = ids if groups is None else groups
    _check(labels, ids, groups, p, target)
    if (low is None) != (high is None):
        raise FitError("cross_fit takes low and high together, or neither")
    scores = (p,) if low is None or high is None else (low, p, high)
    fold = folds(groups, count, seed)
    out = tuple(np.full_like(p, np.nan) for _ in scores)
    calibrators: list[Calibrator] = []
    for index in range(count):
        away = fold == index
        seen = [int(i) for i in np.flatnonzero(~away)]
        calibrator = fit(
            labels,
            [ids[i] for i in seen],
            p[seen],
            target[seen],
            groups=[groups[i] for i in seen],
            seed=seed,
            **options,
        )
        mapped = calibrator.apply(labels, *(score[away] for score in scores))
        for whole, part in zip(out, mapped, strict=True):
            whole[away] = part
        calibrators.append(calibrator)
    return CrossFitted(out, fold, tuple(calibrators), seed)


def _check_both(labels: Sequence[str], p: Floats, target: Floats) -> None:
    """FitError unless some known cell has the label, at least in part, and some has it not."""
    known = target[~(np.isnan(p) | np.isnan(target))]
    for value, who in ((0.0, "no record"), (1.0, "every record")):
        if len(known) and (known == value).all():
            raise FitError(
                f"{who} to fit on has {' or '.join(labels)}: the curve would make every score "
                f"{value:g}; add records of the other kind"
            )


def _check(labels: Sequence[str], ids: Ids, groups: Ids, p: Floats, target: Floats) -> None:
    shape = (len(ids), len(labels))
    for name, array in (("scores", p), ("targets", target)):
        if array.shape != shape:
            raise FitError(f"{name} of shape {array.shape}: {shape} for these ids and labels")
    if len(groups) != len(ids):
        raise FitError(f"{len(groups)} groups for {len(ids)} records: one each")
    for column, label in enumerate(labels):
        wrong = np.flatnonzero((target[:, column] < 0) | (target[:, column] > 1))
        if len(wrong):
            row = int(wrong[0])
            raise FitError(
                f"record {ids[row]!r}, label {label!r}: target {target[row, column]:g} is not in "
                "[0, 1]; give shares or 0 and 1, NaN where it is not known"
            )
