"""Fitting a calibrator on scores and human labels, and showing whether it helps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from labelmass._settings import expect
from labelmass.calibration import CALIBRATED, Calibrator, HoldOut, cross_fit, fit
from labelmass.errors import FitError
from labelmass.evaluation import Evaluation, evaluate
from labelmass.scores import Scores
from labelmass.targets import Targets

METRICS = ("nll-cell", "ece")
FOLDS = 5

MAX_CANDIDATES = 3
"""Candidates of a choice that are shown."""


@dataclass(frozen=True)
class Calibration:
    """A calibrator, and its `raw` and `calibrated` scores judged on the records it was fitted on.

    Each record's calibrated score is from a fit on the folds that it is not in.
    """

    calibrator: Calibrator
    evaluation: Evaluation

    @property
    def summary(self) -> tuple[str, ...]:
        """Summary of the fit, its effect, and the baseline without a model."""
        calibrator, methods = self.calibrator, self.evaluation.methods
        how = "one curve for all labels" if calibrator.shared else "a curve a label"
        lines = [f"{calibrator.method}, {how}, fitted on {calibrator.records} records"]
        if calibrator.selection is not None:
            best = calibrator.selection.candidates[:MAX_CANDIDATES]
            tried = [f"{c.method}{' shared' * c.shared} {c.nll:.4f}" for c in best]
            lines.append(f"best by cross-validated NLL a record: {', '.join(tried)}")
        for metric, name in zip(METRICS, ("NLL a cell", "ECE"), strict=True):
            change = methods["calibrated"].differences[metric]
            lines.append(
                f"{name} from raw to calibrated: {_number(change.value)} [{_number(change.low)}, "
                f"{_number(change.high)}], {'sure' if change.sure else 'within noise'}"
            )
        base = methods["base-rate"].scores["nll-cell"]
        lines.append(f"base rates alone, without a model: NLL a cell {base}")
        return tuple(lines)


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:+.4f}"


def calibrate(
    scored: Scores,
    targets: Targets,
    *,
    method: str = "platt",
    shared: bool | None = None,
    hold_out: HoldOut | float | None = None,
    soft: bool = True,
    draws: int = 1000,
    seed: int = 0,
) -> Calibration:
    """Fit on the records that have scores and targets, except for those held out.

    Args:
        method: See `labelmass.calibration.fit`; groups are those of the targets. A share to hold
            out is drawn with `seed`.
        shared: See `method`.
        hold_out: See `method`.
        soft: On annotator shares where there are any, else on gold.

    Raises:
        FitError: For scores that are calibrated, and where there are fewer groups than `FOLDS`.
    """
    expect("scores", scored, Scores, error=FitError)
    expect("targets", targets, Targets, error=FitError)
    if isinstance(hold_out, int | float):
        hold_out = HoldOut(hold_out, seed)
    if scored.calibrated_by is not None:
        raise FitError(
            f"the scores by {scored.method} went through the calibrator {scored.calibrated_by}: "
            f"take scores by {scored.method.removeprefix(CALIBRATED)}"
        )
    scored, targets = scored.align(targets)
    if not soft:
        targets = replace(targets, shares=targets.gold)
    groups = targets.groups or targets.ids
    calibrator = fit(
        scored.labels,
        targets.ids,
        scored.p,
        targets.shares,
        method=method,
        shared=shared,
        groups=groups,
        hold_out=hold_out,
        signature=scored.method_signature,
        seed=seed,
    )
    if hold_out is not None:
        pairs = zip(targets.ids, hold_out.out(groups), strict=True)
        targets = targets.at([name for name, out in pairs if not out])
    raw = scored.at(targets.ids, targets.labels)
    rows = {
        "raw": replace(Scores.of(raw.ids, raw.labels, raw.p), costs=raw.costs),
        "calibrated": cross_calibrated(raw, targets, method=method, shared=shared, seed=seed),
    }
    result = evaluate(rows, targets, METRICS, baseline="raw", draws=draws, seed=seed)
    return Calibration(calibrator, result)


def cross_calibrated(
    raw: Scores,
    targets: Targets,
    *,
    method: str = "platt",
    shared: bool | None = None,
    seed: int = 0,
) -> Scores:
    """Each record of the targets calibrated by a fit on the folds that its group is not in."""
    raw = raw.at(targets.ids, targets.labels)
    crossed = cross_fit(
        raw.labels,
        raw.ids,
        raw.p,
        targets.shares,
        method=method,
        shared=shared,
        groups=targets.groups,
        count=FOLDS,
        seed=seed,
    )
    note = f"{method}, each record by a fit on {FOLDS - 1} of {FOLDS} folds without it"
    result = Scores.of(raw.ids, raw.labels, crossed.scores[0], note=note)
    return replace(result, costs=raw.costs)


def with_calibrated(rows: Mapping[str, Scores], targets: Targets, method: str) -> dict[str, Scores]:
    """Each row, and after it itself calibrated: `calibrated:NAME`, or `MODEL/calibrated:NAME`."""
    results: dict[str, Scores] = {}
    for name, raw in rows.items():
        model, slash, plain = name.rpartition("/")
        results[name] = raw
        results[f"{model}{slash}{CALIBRATED}{plain}"] = cross_calibrated(
            raw, targets, method=method
        )
    return results
