"""Options and input of the commands that fit something on scores and what people said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from labelmass.cli.judging import gold_option, read_targets
from labelmass.cli.options import task_option, warn_of_changes
from labelmass.cli.records import records_options

F = TypeVar("F", bound=Callable[..., Any])


def scores_by_option(command: F) -> F:
    """--scores-by: whose scores."""
    return click.option(
        "--scores-by",
        metavar="METHOD",
        help="Method whose scores are taken, where there are several. Default: the first.",
    )(command)


def calibrator_options(command: F) -> F:
    """--calibrator, --force."""
    for option in (
        click.option("--force", is_flag=True, help="Take scores of another kind all the same."),
        click.option(
            "--calibrator",
            type=click.Path(exists=True, dir_okay=False),
            metavar="FILE",
            help="Take the scores through it, unless they went through it already.",
        ),
    ):
        command = option(command)
    return command


def people_options(soft: bool) -> Callable[[F], F]:
    """--gold, --soft/--gold-targets (by default as given), --group."""

    def decorate(command: F) -> F:
        for option in (
            click.option(
                "--group",
                default="group",
                show_default=True,
                metavar="FIELD",
                help="Of the records: what belongs together and is never divided.",
            ),
            click.option(
                "--soft/--gold-targets",
                "soft",
                default=soft,
                show_default=True,
                help="Annotator shares where there are any, or gold sets.",
            ),
            gold_option,
        ):
            command = option(command)
        return command

    return decorate


def fitting_options(soft: bool) -> Callable[[F], F]:
    """--targets, --task, --scores-by, --gold, --soft/--gold-targets (by default as given), --group;
    --text-column, --id-column."""

    def decorate(command: F) -> F:
        for option in (
            records_options,
            people_options(soft),
            scores_by_option,
            task_option,
            click.option(
                "--targets",
                required=True,
                metavar="DATA",
                help="The records, with what people said.",
            ),
        ):
            command = option(command)
        return command

    return decorate


def task_of(scores: str, name: str | None):
    """The task named, or the one that saved trees were asked."""
    from labelmass.scoring.saved_trees import SavedTrees
    from labelmass.task import Task

    if name is not None:
        return Task.load(name)
    if Path(scores).is_dir():
        return SavedTrees(scores).task
    raise click.UsageError("name a task: --task emotions (see `labelmass list tasks`)")


def read_fitting(scores: str, options: dict[str, Any]):
    """The scores, the targets and the task that the options name."""
    from labelmass.scoring.score import load_scores

    warn_of_changes(scores)
    task = task_of(scores, options["task"])
    targets = read_targets(options["targets"], task, options)
    scored = load_scores(scores, task.label_names, options["scores_by"], ids=targets.ids)
    note_unsigned(scores, scored)
    return scored, targets, task


def read_through(scored: Any, options: dict[str, Any]):
    """The scores through the calibrator named, and it; as they are, and None, if there is none."""
    from labelmass.calibration import Calibrator

    if options["calibrator"] is None:
        return scored, None
    calibrator = Calibrator.load(options["calibrator"])
    return scored.through(calibrator, force=options["force"]), calibrator


def read_for_policy(scores: str, policy: Any, options: dict[str, Any]):
    """The scores that a policy is for, if the file has them, through the calibrator named."""
    from labelmass.scores.signature import methods_for
    from labelmass.scoring.score import load_scores

    warn_of_changes(scores)
    likely = methods_for(policy.signature)
    scored = load_scores(scores, policy.labels, options["scores_by"], likely=likely)
    note_unsigned(scores, scored)
    return read_through(scored, options)[0]


def note_unsigned(source: str, scored: Any) -> None:
    """Say that what kind of scores these are cannot be checked, where it cannot."""
    if scored.signature is None:
        click.echo(
            f"note: {source} does not say what kind of scores it holds: that is not checked",
            err=True,
        )
