"""`labelmass compare`: all methods side by side, judged against human labels."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Literal

import click

from labelmass._settings import REQUIRED, setting
from labelmass.answers.search import Budget
from labelmass.cli import completions
from labelmass.cli.classifiers import load_classifiers, load_rules
from labelmass.cli.declare import as_command
from labelmass.cli.exits import Exit
from labelmass.cli.models import (
    Models,
    load_model,
    load_task,
    names_of,
    print_forecast,
    reject_prompt_options,
    warn_of_changes,
    warn_of_training,
)
from labelmass.cli.options import (
    BaseMethodOptions,
    CuttingOptions,
    EvaluationOptions,
    ModelsOptions,
    PromptOptions,
    RunOptions,
    calibration_method_setting,
)
from labelmass.cli.progress import say, track_progress
from labelmass.cli.prompts import show_dry_run
from labelmass.cli.records import note_source, warn_of_shown_records
from labelmass.scoring.resuming import Input
from labelmass.task.record import Fields
from labelmass.workflows.comparison import compare, comparison_plan
from labelmass.workflows.runs import is_run


@dataclass(frozen=True, kw_only=True)
class MethodOptions(BaseMethodOptions):
    contextual_calibration: Literal["batch"] | None = setting(
        None, "Remove the bias of each label, estimated on all records."
    )
    calibration_method: str | None = calibration_method_setting(None)


@dataclass(frozen=True, kw_only=True)
class Run(RunOptions):
    out: str = setting(
        REQUIRED, "Folder for the trees and the tables.", path="new folder", metavar="RUN"
    )


@as_command("compare")
@click.argument("source", metavar="INPUT", shell_complete=completions.files)
def command(
    source: str,
    prompt: PromptOptions,
    model: ModelsOptions,
    method_options: MethodOptions,
    budget: Budget,
    evaluation: EvaluationOptions,
    records: Fields,
    cutting: CuttingOptions,
    run: Run,
) -> None:
    """Score every record of INPUT by several methods, and judge them by its labels or annotators.

    INPUT holds records with `labels`, `annotators` (a list of labels each) or `distribution`. Every
    model explores every record once, for the methods that are named, or for all that read the one
    tree; its trees are kept in the folder RUN, which a stopped run goes on with. A RUN given as
    INPUT is judged again, without a model, by methods that it was explored for. `labelmass analyse`
    reads a RUN of all methods.

    \b
    Examples:
      labelmass compare dev.jsonl --task emotions --out run
      labelmass compare dev.jsonl -t emotions --method any-place,unary --baseline unary --out run
      labelmass compare run --normalise on-format --gold majority --out run-on-format
      labelmass compare run --calibration-method platt --out run-calibrated
    """
    from rich.console import Console

    given = records
    if again := is_run(source):
        reject_prompt_options(source, prompt, records, cutting.max_text_tokens, run.limit_records)
        if run.dry_run:
            raise click.UsageError("--dry-run is of prompts, and saved trees take none")
        warn_of_changes(source)
    else:
        records = note_source(source, records)
        warn_of_training(source, names_of(model), records)
    task = None if again else load_task(prompt, model, fields=given)
    if task is not None:
        warn_of_shown_records(source, task, records)
    if run.dry_run and task is not None:
        plan = comparison_plan(
            task,
            method_options.methods,
            budget=budget,
            normalise=method_options.normalise,
            samples=method_options.samples,
            label_permutations=method_options.label_permutations,
            rules=load_rules(method_options.rules),
            max_text_tokens=cutting.max_text_tokens,
        )
        total = Input(source, records, run.limit_records).count()
        plan.forecast.check(total, run.limit)
        first = load_model(names_of(model)[0], model, task)
        show_dry_run(source, plan, first, records, total)
        return
    result = compare(
        source,
        task,
        out=run.out,
        models=Models(model, task),
        methods=method_options.methods,
        budget=budget,
        normalise=method_options.normalise,
        samples=method_options.samples,
        label_permutations=method_options.label_permutations,
        contextual_calibration=method_options.contextual_calibration,
        rules=load_rules(method_options.rules),
        calibration_method=method_options.calibration_method,
        classifiers=load_classifiers(method_options),
        gold=evaluation.gold,
        threshold=evaluation.threshold,
        baseline=evaluation.baseline,
        metrics=evaluation.metrics,
        draws=evaluation.draws,
        limit=run.limit,
        limit_records=run.limit_records,
        batch_size=run.batch_size,
        max_text_tokens=cutting.max_text_tokens,
        fields=records,
        overwrite=run.overwrite,
        watch=track_progress,
        say=say,
        forecast=print_forecast,
    )
    Console().print(result.evaluation)
    say(f"{run.out}/comparison.json, .csv, .md and .tex")
    for line in result.short.lines():
        say(line)
    if result.short and run.strict:
        sys.exit(Exit.FELL_SHORT)
