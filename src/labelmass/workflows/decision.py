"""Decisions by a policy, and drift of the scores it was made on."""

from __future__ import annotations

from labelmass._settings import expect
from labelmass.calibration import Calibrator
from labelmass.decisions import Decisions, Drift, Policy, measure_drift
from labelmass.errors import FitError
from labelmass.scores import Scores
from labelmass.scores.signature import methods_for


def decide(
    scores: Scores, policy: Policy, *, calibrator: Calibrator | None = None, force: bool = False
) -> Decisions:
    """Decisions of a policy on scores it is for, see `labelmass.decisions.apply_policy`.

    Args:
        calibrator: Calibrator that the scores go through first.
        force: Whatever kind of scores these are.
    """
    return scores_for(scores, policy, calibrator=calibrator, force=force).decide(
        policy, force=force
    )


def drift(
    scores: Scores, policy: Policy, *, calibrator: Calibrator | None = None, force: bool = False
) -> Drift:
    """Drift of the scores from those that a policy was made on; its `warnings` have numbers.

    Raises:
        FitError: If the policy remembers no scores.
    """
    expect("policy", policy, Policy, error=FitError)
    if policy.reference is None:
        raise FitError(
            "this policy remembers no scores to compare with: make it with `labelmass tune`"
        )
    scores = scores_for(scores, policy, calibrator=calibrator, force=force)
    return measure_drift(
        policy.reference,
        policy.labels,
        scores.p,
        policy.thresholds,
        masses=scores.masses,
        fitted=policy.signature,
        signature=scores.method_signature,
    )


def scores_for(
    scores: Scores, policy: Policy, *, calibrator: Calibrator | None = None, force: bool = False
) -> Scores:
    """The scores that a policy is for, as far as they are there, in the order of its labels."""
    expect("scores", scores, Scores, error=FitError)
    expect("policy", policy, Policy, error=FitError)
    if calibrator is not None:
        expect("calibrator", calibrator, Calibrator, error=FitError)
    scores = scores.select(likely=methods_for(policy.signature))
    if scores.labels != policy.labels:
        scores = scores.at(scores.ids, policy.labels)
    return scores if calibrator is None else scores.through(calibrator, force=force)
