"""Options and output of the commands that judge scores by what people said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from labelmass._ranges import DRAWS, SHARE
from labelmass.calibration.registry import CALIBRATORS
from labelmass.cli.numbers import number
from labelmass.targets import GOLD

F = TypeVar("F", bound=Callable[..., Any])

CALIBRATION_METHODS = (*CALIBRATORS, "auto")


def calibration_method_option(command: F) -> F:
    """--calibration-method."""
    return click.option(
        "--calibration-method",
        type=click.Choice(CALIBRATION_METHODS),
        metavar="KIND",
        help=f"Kind of calibrator: {', '.join(CALIBRATORS)}; auto for the best on 5 folds, each "
        "record by a fit that has not seen it. [default of calibrate: platt]",
    )(command)


def gold_option(command: F) -> F:
    """--gold."""
    return click.option(
        "--gold",
        type=click.Choice(list(GOLD)),
        default="given",
        show_default=True,
        help="What makes a gold set: the record's `labels`, or its annotators.",
    )(command)


def judging_options(command: F) -> F:
    """--gold, --threshold, --baseline, --metric, --draws."""
    for option in (
        click.option(
            "--draws", type=number(DRAWS), default=2000, show_default=True, help="Of the bootstrap."
        ),
        click.option(
            "--metric", "metrics", multiple=True, metavar="NAME", help="Default: all that fit."
        ),
        click.option("--baseline", metavar="METHOD", help="Give every difference from this one."),
        click.option(
            "--threshold",
            type=number(SHARE),
            default=0.5,
            show_default=True,
            help="A label is set from P.",
        ),
        gold_option,
    ):
        command = option(command)
    return command


def read_targets(source: str, task: Any, options: dict[str, Any]):
    """What people said of the records in a file, every one of which must be good.

    options: `gold`, `group` where there is one, and those of `records_options`.
    """
    from labelmass.cli.records import read_source
    from labelmass.errors import LabelMassError
    from labelmass.records import BadRecord
    from labelmass.targets import targets_of
    from labelmass.task import Record

    records: list[Record] = []
    for _, record in read_source(source, options):
        if isinstance(record, BadRecord):
            raise click.UsageError(f"{source}, record {record.id!r}: {record.error}")
        records.append(record)
    try:
        return targets_of(task, records, options["gold"], options.get("group", "group"))
    except LabelMassError as error:
        raise type(error)(f"{source}: {error}") from None


def judge(scores: Any, targets: Any, single: bool, options: dict[str, Any]):
    """The evaluation that the options ask for."""
    from labelmass.evaluation import Threshold, evaluate

    return evaluate(
        scores,
        targets,
        options["metrics"] or None,
        threshold=None if single else Threshold(options["threshold"]),
        baseline=options["baseline"],
        single=single,
        draws=options["draws"],
    )
