"""Input of the commands that take scores and human labels of the same records."""

from __future__ import annotations

from pathlib import Path

from labelmass.calibration import Calibrator
from labelmass.cli.models import warn_of_changes
from labelmass.cli.options import CalibratorOptions, ScoresByOptions, TargetsOptions, TaskOptions
from labelmass.cli.progress import say
from labelmass.cli.records import read_targets
from labelmass.decisions import Policy
from labelmass.scores import Scores
from labelmass.scores.signature import methods_for
from labelmass.scoring.saved_trees import SavedTrees
from labelmass.scoring.score import load_scores
from labelmass.targets import Targets
from labelmass.task import Task
from labelmass.task.record import Fields


def read_training_input(
    scores: str,
    task: TaskOptions,
    by: ScoresByOptions,
    annotations: TargetsOptions,
    records: Fields,
) -> tuple[Scores, Targets, Task]:
    """The scores, the targets and the task that the options name; saved trees know their task."""
    warn_of_changes(scores)
    of_trees = task.names_none and Path(scores).is_dir()
    asked = SavedTrees(scores).task if of_trees else task.load()
    targets = read_targets(annotations.targets, asked, records, annotations.gold, annotations.group)
    result = load_scores(scores, asked.label_names, by.scores_by, ids=targets.ids)
    note_unsigned(scores, result)
    return result, targets, asked


def read_through(scores: Scores, options: CalibratorOptions) -> tuple[Scores, Calibrator | None]:
    """The scores through the calibrator named, and it; as they are, and None, if there is none."""
    if options.calibrator is None:
        return scores, None
    calibrator = Calibrator.load(options.calibrator)
    return scores.through(calibrator, force=options.force), calibrator


def read_for_policy(scores: str, policy: Policy, options: CalibratorOptions) -> Scores:
    """The scores that a policy is for, if the file has them, through the calibrator named."""
    warn_of_changes(scores)
    likely = methods_for(policy.signature)
    result = load_scores(scores, policy.labels, options.scores_by, likely=likely)
    note_unsigned(scores, result)
    return read_through(result, options)[0]


def note_unsigned(source: str, scores: Scores) -> None:
    """Say that what kind of scores these are cannot be checked, where it cannot."""
    if scores.signature is None:
        say(f"note: {source} does not say what kind of scores it holds: that is not checked")
