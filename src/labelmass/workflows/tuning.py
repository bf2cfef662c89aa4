"""A policy from scores and human labels, and what it does on the records it was made on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from labelmass._ranges import BETWEEN, SHARE
from labelmass._settings import check_settings, expect, setting
from labelmass._types import Floats
from labelmass.calibration import Calibrator
from labelmass.decisions import (
    UNMET,
    FittedThreshold,
    Goal,
    Guarantee,
    LabelOutcome,
    Policy,
    Reference,
    Rule,
    bands,
    certify,
    control,
    fallback,
    nearest,
    sequence,
    thresholds,
)
from labelmass.errors import FitError
from labelmass.provenance import fingerprint
from labelmass.scores import Scores
from labelmass.targets import Targets
from labelmass.task.labels import Level
from labelmass.workflows.achieved import Achieved, achieved, achieved_by_answers

GUARANTEE_METHODS = ("none", "ltt", "crc")


@dataclass(frozen=True, slots=True)
class ThresholdObjective:
    """Objective of thresholds: a goal, a guarantee, or bands for review.

    Attributes:
        goal: None where a band for review sets both ends.
        guarantee: "none", "ltt" (with confidence) or "crc" (in expectation).
        shared: One threshold for all labels.
        budget, risk: See `bands`.
        unmet: Fallback in `UNMET` of a label without a guarantee, or whose goal no threshold
            reaches; None for the fallback that keeps the goal all the same, see `Rule.of`.
    """

    goal: Goal | None = setting(
        None,
        "Goal of each threshold: f1, precision>=0.9, recall>=0.9, fpr<=0.05, cost=1:5 (false "
        "positive : miss), or majority. Default: none beside the review options.",
        metavar="GOAL",
        parse=Goal.parse,
    )
    guarantee: str = setting(
        "none",
        "Kind of guarantee: ltt holds with confidence for all labels at once, crc in "
        "expectation for each label.",
        choices=GUARANTEE_METHODS,
    )
    confidence: float = setting(
        0.95, "Confidence level of the learn-then-test guarantee.", within=BETWEEN
    )
    shared: bool = setting(
        False, "One threshold for all labels, or one per label.", "--shared/--per-label"
    )
    budget: float | None = setting(
        None,
        "Largest share of records that may go to review.",
        "--review-budget",
        within=SHARE,
        metavar="SHARE",
    )
    risk: float | None = setting(
        None,
        "Largest share of errors among what is decided without review.",
        "--review-risk",
        within=SHARE,
        metavar="SHARE",
    )
    unmet: str | None = setting(
        None,
        "Fallback for a label whose goal or guarantee no threshold reaches: review every record, "
        "use the best threshold without a guarantee, always give the label, or never. Default: "
        "review for recall, never for other goals.",
        choices=UNMET,
    )

    def __post_init__(self) -> None:
        if isinstance(self.goal, str):
            object.__setattr__(self, "goal", Goal.parse(self.goal))
        check_settings(self, FitError)
        if self.budget is not None and self.risk is not None:
            raise FitError("a band is sized for a budget or for a risk, one of them")
        if self.goal is None and (self.guarantee != "none" or self.shared or not self.reviews):
            raise FitError("name a goal, as precision>=0.9, or size a band for review alone")
        fallback("", self.unmet)
        if self.unmet is not None and self.goal is None:
            raise FitError("what becomes of a goal that is not met needs a goal: name one")
        if self.shared and self.guarantee == "ltt":
            raise FitError(
                "one threshold for all labels is not certified: its cells are not independent; "
                "certify each label, or take recall>=x with crc, which is of whole records"
            )

    @property
    def reviews(self) -> bool:
        """True if there is a band."""
        return self.budget is not None or self.risk is not None

    def target(self, targets: Targets, soft: bool) -> Floats:
        """(n, k) human labels, as this goal counts them."""
        majority = self.goal is not None and self.goal.kind == "majority"
        return targets.shares if soft or majority else targets.gold


@dataclass(frozen=True)
class Tuning:
    """A policy, what it does label by label, and what a reader must know of how it was made.

    Attributes:
        review: Share of the records that go to review.
        unmet: Labels without the requested guarantee, or whose goal no threshold reaches.
        own_answers: What the model's own answers give on the same records, label by label: the
            point that a policy is compared with; empty if they are not known. A level of a guard
            has a row for each mode.
    """

    policy: Policy
    achieved: tuple[Achieved, ...]
    review: float
    notes: tuple[str, ...] = ()
    unmet: tuple[str, ...] = ()
    own_answers: tuple[Achieved, ...] = ()


def tune(
    scores: Scores,
    targets: Targets,
    objective: ThresholdObjective | Goal | str,
    *,
    soft: bool = False,
    action: str = "flag",
    order: Targets | None = None,
    calibrator: Calibrator | None = None,
    own_answers: Scores | None = None,
    levels: Sequence[Sequence[Level]] = (),
) -> Tuning:
    """Fit a policy whose thresholds reach a goal, or guarantee it on records like these.

    Args:
        objective: The goal and its guarantee; a goal alone, such as "f1", for no guarantee.
        soft: Fit on annotator shares, not gold.
        order: Other records with scores, for the order in which thresholds are tested.
        calibrator: Calibrator to apply, unless it was applied already; the records it was fitted
            on are left out, as far as it held some of these out.
        own_answers: Scores by the method `hard` of the same records, to show what the model's own
            answers give beside the thresholds.
        levels: Levels of a guard's verdicts, see `Task.levels`: each is a published mode, such as
            strict and loose, and is shown against the human labels of every level.
    """
    expect("scores", scores, Scores, error=FitError)
    expect("targets", targets, Targets, error=FitError)
    if isinstance(objective, str):
        objective = Goal.parse(objective)
    if isinstance(objective, Goal):
        objective = ThresholdObjective(objective)
    expect("objective", objective, ThresholdObjective, "a ThresholdObjective or a goal", FitError)
    if calibrator is not None:
        scores = scores.through(calibrator)
    every = scores
    scores, targets = scores.align(targets)
    notes: list[str] = []
    if calibrator is not None:
        targets, note = unseen(calibrator, targets, certain=objective.guarantee != "none")
        scores, targets = scores.align(targets)
        notes += [note] if note else []
    elif scores.calibrated_by is not None and objective.guarantee != "none":
        notes.append(
            "the guarantee holds if the calibrator was fitted on other records: give --calibrator, "
            "and those it was fitted on are left out"
        )
    if objective.guarantee != "none" and targets.groups is not None:
        groups, records = len(set(targets.groups)), len(targets)
        if groups < records:
            notes.append(
                f"{records} records stand in {groups} groups: the guarantee takes them as "
                "independent; give one record a group to be sure"
            )
    target = objective.target(targets, soft)
    tested = None
    if order is not None:
        tested = _order(every, order, targets, objective, soft)
    rules, unmet = _rules(scores, target, objective, action, tested)
    notes += _further_notes(objective, rules, unmet, target)
    policy = Policy(
        rules,
        records=len(targets),
        ids=fingerprint(targets.ids),
        signature=scores.method_signature,
        calibrator=scores.calibrated_by,
        reference=Reference.of(
            scores.labels,
            scores.p,
            [rule.threshold for rule in rules.values()],
            scores.masses,
            float(np.isnan(every.p).any(axis=1).mean()),
        ),
    )
    done = scores.decide(policy, force=True)
    given, review = done.outcomes == LabelOutcome.ABOVE, done.outcomes == LabelOutcome.REVIEW
    rows = tuple(
        achieved(label, given[:, at], review[:, at], target[:, at])
        for at, label in enumerate(scores.labels)
    )
    own: tuple[Achieved, ...] = ()
    if own_answers is not None:
        hard, judged = own_answers.align(targets)
        own = achieved_by_answers(hard, objective.target(judged, soft), levels)
    return Tuning(policy, rows, float(review.any(axis=1).mean()), tuple(notes), unmet, own)


def unseen(calibrator: Calibrator, targets: Targets, *, certain: bool) -> tuple[Targets, str]:
    """The targets that a calibrator was not fitted on, as far as that can be told, and a note.

    FitError if it was fitted on all of them and the guarantee must be `certain`.
    """
    if calibrator.hold_out is not None:
        out = calibrator.hold_out.out(targets.groups or targets.ids)
        sides = list(zip(targets.ids, out.tolist(), strict=True))
        if fingerprint([name for name, held in sides if not held]) == calibrator.ids:
            kept = targets.at(name for name, held in sides if held)
            return kept, f"on the {len(kept)} records that the calibrator held out"
    elif fingerprint(targets.ids) == calibrator.ids:
        if certain:
            raise FitError(
                "the calibrator was fitted on these very records, so nothing can be guaranteed: "
                "take others, or fit it with --hold-out 0.5"
            )
        return targets, "on the very records that the calibrator was fitted on"
    return targets, (
        "these are not the records of the calibrator's data; whether some of them are cannot be "
        "told, and a guarantee holds only if none is"
        if certain
        else ""
    )


def _order(
    scored: Scores, order: Targets, targets: Targets, objective: ThresholdObjective, soft: bool
) -> Floats:
    if objective.guarantee != "ltt" or objective.goal is None:
        raise FitError("an order of thresholds is for the guarantee ltt")
    if both := set(order.ids) & set(targets.ids):
        raise FitError(
            f"record {min(both, key=str)!r} is among those to certify on and those that order the "
            "thresholds: these must be others"
        )
    others, order = scored.align(order)
    return sequence(others.p, objective.target(order, soft), objective.goal)


def _rules(
    scored: Scores, target: Floats, objective: ThresholdObjective, action: str, order: Floats | None
) -> tuple[dict[str, Rule], tuple[str, ...]]:
    """Rules by label, and the labels whose goal or guarantee is not met."""
    labels, p, goal = scored.labels, scored.p, objective.goal
    if goal is None:
        result = bands(labels, p, target, budget=objective.budget, risk=objective.risk)
        return {one.label: Rule(action, one.high, one.low) for one in result}, ()
    made: Sequence[Guarantee | FittedThreshold]
    if objective.guarantee == "none":
        made = thresholds(labels, p, target, goal, shared=objective.shared)
    else:
        made = _guarantees(scored, target, objective, goal, order)
    best: Sequence[float | None] = [None] * len(made)
    if objective.unmet == "best" and not all(one.met for one in made):
        best = nearest(labels, p, target, goal, shared=objective.shared)
    rules = [
        Rule.of(action, one, objective.unmet, cut) for one, cut in zip(made, best, strict=True)
    ]
    met = [one.met for one in made]
    if objective.shared:
        rules, met = rules * len(labels), met * len(labels)
    if objective.reviews:
        rules = _with_bands(scored, target, objective, rules)
    unmet = tuple(label for label, one in zip(labels, met, strict=True) if not one)
    return dict(zip(labels, rules, strict=True)), unmet


def _with_bands(
    scored: Scores, target: Floats, objective: ThresholdObjective, rules: Sequence[Rule]
) -> list[Rule]:
    """Bands below the thresholds, except for labels of which every record is given or reviewed."""
    open_ = [at for at, rule in enumerate(rules) if not rule.everywhere]
    made = list(rules)
    if not open_:
        return made
    names = [scored.labels[at] for at in open_]
    tops = [math.inf if (cut := rules[at].threshold) is None else cut for at in open_]
    sized = bands(
        names,
        scored.p[:, open_],
        target[:, open_],
        budget=objective.budget,
        risk=objective.risk,
        tops=tops,
    )
    for at, one in zip(open_, sized, strict=True):
        low = None if one.low == rules[at].threshold else one.low
        made[at] = replace(rules[at], review_from=low)
    return made


def _further_notes(
    objective: ThresholdObjective, rules: Mapping[str, Rule], unmet: Sequence[str], target: Floats
) -> list[str]:
    """Notes on what the rules leave open: labels nobody has, a budget that full review exceeds."""
    notes: list[str] = []
    positives = np.nansum(target, axis=0)
    unseen_labels = [label for label, n in zip(rules, positives, strict=True) if not n]
    if unseen_labels:
        notes.append(
            f"no record here has {', '.join(unseen_labels)}: what their rules miss is not known"
        )
    full = [label for label in unmet if rules[label].everywhere]
    if full and objective.reviews:
        notes.append(
            f"the review asked for is sized without {', '.join(full)}: the fallback takes every "
            "record"
        )
    return notes


def _guarantees(
    scored: Scores, target: Floats, objective: ThresholdObjective, goal: Goal, order: Floats | None
) -> tuple[Guarantee, ...]:
    ends = scored.labels, scored.low, scored.high, target
    if objective.guarantee == "ltt":
        return certify(*ends, goal, confidence=objective.confidence, order=order)
    if goal.kind == "recall":
        risk = "record-miss-rate" if objective.shared else "miss-rate"
        return control(*ends, risk, round(1 - goal.level, 12))
    if goal.kind == "fpr" and not objective.shared:
        return control(*ends, "fpr", goal.level)
    raise FitError(
        f"{goal}{' for all labels' * objective.shared} is not controlled in expectation: recall>=x "
        "is, and fpr<=x of each label"
    )
