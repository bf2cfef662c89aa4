"""The plan that options ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from labelmass._ranges import BETWEEN
from labelmass._settings import setting
from labelmass.answers.search import Budget
from labelmass.calibration import Calibrator
from labelmass.cli.classifiers import load_classifiers, load_rules
from labelmass.cli.options import BaseMethodOptions
from labelmass.decisions import Policy
from labelmass.estimators import ESTIMATORS
from labelmass.scores.signature import methods_for
from labelmass.scoring.plan import Plan
from labelmass.task import Task


@dataclass(frozen=True, kw_only=True)
class MethodOptions(BaseMethodOptions):
    off_format: Literal["not-written", "unknown"] = setting(
        "not-written",
        "Reading of labels that an off-format answer has not written: absent, or unknown.",
    )
    contextual_calibration: Literal["content-free", "batch"] | None = setting(
        None,
        "Remove the bias of each label, estimated on content-free texts or on all records of "
        "INPUT.",
    )
    target_rate: float = setting(
        0.5,
        "Probability of each label for a content-free text after the correction.",
        within=BETWEEN,
    )
    calibrator: str | None = setting(
        None, "Also give scores calibrated by what `labelmass calibrate` fitted.", path="file"
    )
    policy: str | None = setting(
        None,
        "Also decide by what `labelmass tune` wrote, exploring further what straddles a threshold.",
        path="file",
    )
    force: bool = setting(False, "Calibrate or decide scores of another kind than expected.")


def make_plan(
    task: Task,
    options: MethodOptions,
    budget: Budget,
    *,
    max_text_tokens: int | None = None,
    label_permutations: int | None = None,
    every_method: bool = False,
) -> Plan:
    """The plan of a task; calibrator and policy say which method, if none is named.

    label_permutations: that of the options if None.
    """
    methods: Sequence[str] = options.methods
    policy = None if options.policy is None else Policy.load(options.policy)
    calibrator = None if options.calibrator is None else Calibrator.load(options.calibrator)
    for fitted in (policy, calibrator):
        if fitted is not None and not methods:
            methods = [one for one in methods_for(fitted.signature)[-1:] if one in ESTIMATORS]
    return Plan(
        task,
        methods,
        budget=budget,
        normalisation=options.normalise,
        off_format=options.off_format,
        every_method=every_method,
        samples=options.samples,
        label_permutations=(
            options.label_permutations if label_permutations is None else label_permutations
        ),
        contextual_calibration=options.contextual_calibration,
        target_rate=options.target_rate,
        rules=load_rules(options.rules),
        classifiers=load_classifiers(options),
        calibrator=calibrator,
        policy=policy,
        force=options.force,
        max_text_tokens=max_text_tokens,
    )
