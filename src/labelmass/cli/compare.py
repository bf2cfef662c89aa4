"""`labelmass compare`: all methods side by side, judged by what people said."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from labelmass._ranges import COUNT, ORDERS, POSITIVE, SAMPLES
from labelmass.cli.judging import CALIBRATORS, judge, judging_options, show
from labelmass.cli.numbers import number
from labelmass.cli.options import (
    NORMALISATIONS,
    announce,
    device_options,
    load_model,
    load_task,
    prompt_options,
    refuse_asked,
    task_option,
    warn_of_changes,
    warn_of_training,
)
from labelmass.cli.records import cutting_option, fields_of, note_source, records_options
from labelmass.cli.select import load_rules
from labelmass.cli.training import classifier_options, load_classifiers
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
@click.option(
    "--methods",
    metavar="A,B,...",
    help="Default: every method that reads the one tree, without further prompts or draws.",
)
@click.option("--tolerance", type=number(POSITIVE), default=0.01, show_default=True)
@click.option(
    "--nodes", type=number(COUNT), default=2048, show_default=True, help="Most rows per record."
)
@click.option("--normalise", type=click.Choice(NORMALISATIONS), default="raw", show_default=True)
@click.option("--samples", type=number(SAMPLES), help="Answers drawn, where some are.")
@click.option("--orders", type=number(ORDERS), default=1, help="Label orders averaged over.")
@click.option("--prior", type=click.Choice(["batch"]), help="Take away what all records share.")
@click.option(
    "--rule", "rules", multiple=True, type=click.Path(exists=True), help="From `labelmass select`."
)
@click.option(
    "--calibrator",
    type=click.Choice(CALIBRATORS),
    help="Also each method calibrated, every record by a fit that has not seen it.",
)
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
    on with and `labelmass diagnose` reads. A RUN given as INPUT is judged again, without a model.

    \b
    Examples:
      labelmass compare dev.jsonl --task emotions --out run
      labelmass compare dev.jsonl -t emotions --methods any-place,unary --baseline unary --out run
      labelmass compare run --normalise on-format --gold majority --out run-on-format
      labelmass compare run --calibrator platt --out run-calibrated
    """
    from labelmass.scoring.shortfall import Shortfall
    from labelmass.workflows.compare import Run, plain_methods

    methods = [name for name in (options["methods"] or "").split(",") if name]
    classifiers = load_classifiers(options)
    again = Path(source).is_dir()
    if again:
        refuse_asked(source, task, options)
        warn_of_changes(source)
    wrote = {one.source.fingerprint for one in classifiers if one.method == "probe"}
    models: dict[str, LanguageModel] = {}
    if not again or wrote:
        ways = _load(options) if again else _grow(source, task, methods, classifiers, run, options)
        # of those that no probe reads, none is kept: two may not fit
        models = {model.fingerprint: model for model in ways if model.fingerprint in wrote}
    found, short = Run.open(source if Path(source).is_dir() else run), Shortfall()
    rows = found.scores(
        methods or plain_methods(found.task),
        short=short,
        normalise=options["normalise"],
        prior=options["prior"],
        rules=load_rules(options["rules"]),
    )
    rows |= found.scores_by(classifiers, models)
    targets = found.targets(options["gold"])
    if options["calibrator"] is not None:
        from labelmass.workflows.calibration import with_calibrated

        rows = with_calibrated(rows, targets, options["calibrator"])
    evaluation = judge(rows, targets, found.task.format.single, options)
    head = {"task": found.task.name, "task_hash": found.task.hash, "input": source}
    show(evaluation, head | {"normalisation": options["normalise"]}, Path(run), "comparison")
    for line in short.lines():
        click.echo(line, err=True)
    if short and strict:
        sys.exit(2)


def _load(options: dict[str, Any], task: Any = None) -> Iterator[LanguageModel]:
    """The models named, one after the other; task: what they will be asked."""
    models: tuple[str | None, ...] = options["models"] or (None,)
    for named in models:
        yield load_model(named, options["device"], options["dtype"], task)


def _grow(
    source: str,
    name: str | None,
    methods: list[str],
    classifiers: list[Any],
    run: str,
    options: dict[str, Any],
) -> Iterator[LanguageModel]:
    """The trees of every record, as far as the run has none, by each model; it, when it is done."""
    from labelmass.answers.search import Budget
    from labelmass.cli.progress import say, watched
    from labelmass.records import count_records
    from labelmass.scoring.classifiers import check_beside
    from labelmass.scoring.plan import Plan
    from labelmass.scoring.resuming import Input
    from labelmass.scoring.to_file import say_resumed
    from labelmass.task import Record
    from labelmass.workflows.compare import grow, open_store, plain_methods, targets_of

    task = load_task(name, options)
    note_source(source, options)
    warn_of_training(source, options)
    check_beside(classifiers, task)
    plan = Plan(
        task,
        methods or plain_methods(task),
        budget=Budget(tolerance=options["tolerance"], nodes=options["nodes"]),
        normalisation=options["normalise"],
        every_method=True,
        samples=options["samples"],
        orders=options["orders"],
        max_text_tokens=options["max_text_tokens"],
    )
    total = count_records(source)
    models = len(options["models"]) or 1
    plan.forecast.check(None if total is None else total * models, options["limit"])
    announce(plan.forecast)
    fields = fields_of(options)
    with Input(source, fields) as records:
        # what people said is read before hours of work, too: ids that repeat, labels unknown
        good = (record for _, record in records.reread() if isinstance(record, Record))
        targets_of(task, good, options["gold"])
        for number, model in enumerate(_load(options, task), start=1):
            again: bool = options["overwrite"]
            store = open_store(run, plan, model, source, fields, overwrite=again)
            with closing(store):
                store.resume(records.reread)
                say_resumed(say, None, store)
                items = records.read() if number == models else records.reread()
                results = grow(plan, items, model, store, options["batch_size"])
                for _ in watched(results, total, len(store)):
                    pass
            yield model
