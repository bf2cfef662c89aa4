"""What a type checker knows of the public names; `make types` checks this file, nothing runs it."""

from collections.abc import Iterator
from typing import assert_type

import labelmass
from labelmass import (
    Bounds,
    Calibrator,
    Classifier,
    Failure,
    LabelMassClassifier,
    Policy,
    Result,
    Scorer,
    Scores,
    Signature,
    Targets,
    Task,
)
from labelmass._types import Floats
from labelmass.workflows.explanation import Explanation
from labelmass.workflows.installation import Installation
from labelmass.workflows.task_file import TaskFile
from labelmass.workflows.tuning import ThresholdObjective


def scoring(task: Task) -> None:
    scores = labelmass.score(["We won!"], task)
    assert_type(scores, Scores)
    assert_type(scores[0], Result | Failure)
    assert_type(scores[0]["joy"], Bounds)
    assert_type(scores[0]["joy"].p, float | None)
    assert_type(scores.p, Floats)
    assert_type(scores.failures, tuple[Failure, ...])
    assert_type(scores.signature, Signature | None)
    assert_type([result["joy"] for result in scores], list[Bounds])


def session(task: Task) -> None:
    scorer = Scorer(task, methods=["any-place", "hard"])
    assert_type(scorer.score("We won!"), Scores)
    assert_type(scorer.stream(["We won!"]), Iterator[Result | Failure])


def after(
    scores: Scores, targets: Targets, calibrator: Calibrator, objective: ThresholdObjective
) -> None:
    assert_type(scores.through(calibrator), Scores)
    assert_type(Calibrator.load("calibrator.json"), Calibrator)
    assert_type(Policy.load("policy.toml"), Policy)
    assert_type(labelmass.calibrate(scores, targets).calibrator, Calibrator)
    assert_type(labelmass.tune(scores, targets, objective).policy, Policy)
    assert_type(labelmass.fit_encoder("train.jsonl", "emotions").classifier, Classifier)
    assert_type(labelmass.explain("We won!", "emotions"), Explanation)
    assert_type(labelmass.doctor(quick=True), Installation)
    assert_type(labelmass.new_task(["a", "b"]), TaskFile)
    assert_type(LabelMassClassifier("emotions").predict_proba(["We won!"]), Floats)
