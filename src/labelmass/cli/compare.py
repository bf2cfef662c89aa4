"""`labelmass compare`: all methods side by side, judged by what people said."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from labelmass._ranges import COUNT, ORDERS, POSITIVE, SAMPLES
from labelmass.cli.classifiers import classifier_options, load_classifiers, load_rules, rule_option
from labelmass.cli.exits import Exit
from labelmass.cli.judging import calibration_method_option, judging_options
from labelmass.cli.numbers import number
from labelmass.cli.options import (
    NORMALISATIONS,
    announce,
    device_options,
    load_model,
    load_task,
    method_option,
    prompt_options,
    refuse_asked,
    task_option,
    warn_of_changes,
    warn_of_training,
)
from labelmass.cli.records import cutting_option, fields_of, note_source, records_options
from labelmass.lm.base import LanguageModel


@click.command("compare")
@click.argument("source", metavar="INPUT")
@task_option
@click.option(
    "--model",
    "-m",
    "models",
    multiple=True,
    metavar="MODEL",
    help="May be repeated. Default: the embedded SmolLM2-135M-Instruct.",
)
@device_options
@method_option
@click.option("--tolerance", type=number(POSITIVE), default=0.01, show_default=True)
@click.option(
    "--nodes", type=number(COUNT), default=2048, show_default=True, help="Most rows per record."
)
@click.option("--normalise", type=click.Choice(NORMALISATIONS), default="raw", show_default=True)
@click.option("--samples", type=number(SAMPLES), help="Answers drawn, where some are.")
@click.option(
    "--label-permutations",
    "orders",
    type=number(ORDERS),
    default=1,
    help="Label orders averaged over.",
)
@click.option(
    "--contextual-calibration",
    "prior",
    type=click.Choice(["batch"]),
    help="Take away what all records share.",
)
@rule_option
@calibration_method_option
@classifier_options
@click.option("--limit", type=number(COUNT), help="Refuse to ask more prompts than this in all.")
@click.option("--batch-size", type=number(COUNT), default=16, show_default=True)
@click.option("--overwrite", is_flag=True, help="Begin anew where RUN holds other trees.")
@click.option("--out", "run", required=True, type=click.Path(file_okay=False), metavar="RUN")
@click.option(
    "--strict", is_flag=True, help="Exit with 2 if any record failed or missed the tolerance."
)
@judging_options
@records_options
@cutting_option
@prompt_options
def command(source: str, task: str | None, run: str, strict: bool, **options: Any) -> None:
    """Score every record of INPUT by all methods, and judge them by its labels or annotators.

    INPUT holds records with `labels`, `annotators` (a list of labels each) or `distribution`. Every
    model explores every record once; its trees are kept in the folder RUN, which a stopped run goes
    on with and `labelmass analyse` reads. A RUN given as INPUT is judged again, without a model.

    \b
    Examples:
      labelmass compare dev.jsonl --task emotions --out run
      labelmass compare dev.jsonl -t emotions --method any-place,unary --baseline unary --out run
      labelmass compare run --normalise on-format --gold majority --out run-on-format
      labelmass compare run --calibration-method platt --out run-calibrated
    """
    from rich.console import Console

    from labelmass.cli.progress import say, watched
    from labelmass.workflows.comparison import compare

    if again := Path(source).is_dir():
        refuse_asked(source, task, options)
        warn_of_changes(source)
    else:
        note_source(source, options)
        warn_of_training(source, options)
    asked = None if again else load_task(task, options)
    found = compare(
        source,
        asked,
        out=run,
        models=_Models(options, asked),
        methods=options["methods"],
        tolerance=options["tolerance"],
        nodes=options["nodes"],
        normalise=options["normalise"],
        samples=options["samples"],
        orders=options["orders"],
        prior=options["prior"],
        rules=load_rules(options["rules"]),
        calibration_method=options["calibration_method"],
        classifiers=load_classifiers(options),
        gold=options["gold"],
        threshold=options["threshold"],
        baseline=options["baseline"],
        metrics=options["metrics"],
        draws=options["draws"],
        limit=options["limit"],
        batch_size=options["batch_size"],
        max_text_tokens=options["max_text_tokens"],
        fields=fields_of(options),
        overwrite=options["overwrite"],
        watch=watched,
        say=say,
        forecast=announce,
    )
    Console().print(found.evaluation)
    click.echo(f"{run}/comparison.json, .csv, .md and .tex", err=True)
    for line in found.short.lines():
        click.echo(line, err=True)
    if found.short and strict:
        sys.exit(Exit.FELL_SHORT)


class _Models:
    """The models named, each loaded when it is its turn."""

    def __init__(self, options: dict[str, Any], task: Any) -> None:
        self._options, self._task = options, task
        self._named: tuple[str | None, ...] = options["models"] or (None,)

    def __len__(self) -> int:
        return len(self._named)

    def __iter__(self) -> Iterator[LanguageModel]:
        for named in self._named:
            yield load_model(named, self._options["device"], self._options["dtype"], self._task)
