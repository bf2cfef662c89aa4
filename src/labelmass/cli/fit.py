"""`labelmass fit`: what is fitted on labelled records, to score or to select labels with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import click

from labelmass._ranges import BETWEEN, COUNT, SEED, Range
from labelmass.cli.classifiers import keep_fitted, training_options
from labelmass.cli.numbers import number
from labelmass.cli.options import (
    load_model,
    load_task,
    model_options,
    prompt_options,
    refuse_asked,
    task_option,
    warn_of_changes,
    warn_of_training,
)
from labelmass.cli.records import fields_of, note_source, records_options
from labelmass.estimators.selection import RULES
from labelmass.supervised.states import Steps

if TYPE_CHECKING:
    from labelmass.workflows.probing import Study


@click.group("fit")
def command() -> None:
    """Fit a text classifier, a probe of hidden states, or an uncertainty rule.

    \b
    Example:
      labelmass fit encoder train.jsonl --task emotions --out tfidf
    """


@command.command("encoder")
@click.argument("source", metavar="TRAIN")
@task_option
@click.option(
    "--features",
    default="tfidf",
    show_default=True,
    metavar="NAME",
    help="tfidf; minilm (all-MiniLM-L6-v2); or the folder of a transformers encoder.",
)
@training_options
@records_options
@click.option("--seed", type=number(SEED), default=0, show_default=True, help="Of the folds.")
def encoder(source: str, task: str | None, folder: str, **options: Any) -> None:
    """Fit a logistic regression a label on the texts of TRAIN, and what people said of them.

    TRAIN holds records with `labels`, `annotators` or `distribution`. The strength C of every label
    is cross-validated; the table sets its log-loss (NLL) on folds it has not seen beside that of
    the base rate. Records it was fitted on are refused when it is used. Bad records are left out
    and listed in DIR/skipped.jsonl.

    \b
    Examples:
      labelmass fit encoder train.jsonl --task emotions --out tfidf
      labelmass fit encoder train.jsonl --task emotions --features minilm --out minilm
      labelmass score texts.jsonl --task emotions --encoder tfidf --out scores.jsonl
      labelmass compare dev.jsonl --task emotions --encoder minilm --out run
    """
    from rich.console import Console

    from labelmass.task import Task
    from labelmass.workflows.fitting import fit_encoder

    if task is None:
        raise click.UsageError("name a task: --task emotions (see `labelmass list tasks`)")
    note_source(source, options)
    with Console(stderr=True).status("fitting"):
        fitted = fit_encoder(
            source,
            Task.load(task),
            features=options["features"],
            gold=options["gold"],
            group=options["group"],
            soft=options["soft"],
            fields=fields_of(options),
            seed=options["seed"],
        )
    keep_fitted(fitted, folder, options["cross_fit"])


@command.command("probe")
@click.argument("source", metavar="TRAIN")
@task_option
@model_options
@click.option(
    "--layer",
    type=int,
    default=-1,
    show_default=True,
    help="0 the embeddings, n the last of n layers; -1 the last, after the final norm.",
)
@click.option(
    "--steps",
    type=click.Choice(get_args(Steps)),
    default="first",
    show_default=True,
    help="The state that predicts the answer's first label, or the mean over all of its labels.",
)
@click.option(
    "--hold-out",
    type=number(BETWEEN),
    default=0.2,
    show_default=True,
    metavar="SHARE",
    help="Of the records, judged in the study by probes fitted on the others.",
)
@click.option("--batch-size", type=number(COUNT), default=16, show_default=True)
@click.option("--overwrite", is_flag=True, help="Begin anew where another run left a journal.")
@training_options
@records_options
@prompt_options
def probe(source: str, task: str | None, folder: str, **options: Any) -> None:
    """Fit a logistic regression a label on the model's hidden states where it answers.

    TRAIN holds records with `labels`, `annotators` or `distribution`, or is a folder that
    --keep-trees wrote of such records; bad records are left out and listed in DIR/skipped.jsonl.
    States are kept in DIR, and a stopped run goes on. The first table is that of `labelmass
    encoder`. The second is the study of what a state knows, on records held out: of gold (Gold), of
    the model's own answer (Pred), of the answer but for its first label (Pred 2+); and how well the
    answer fits gold (Perf).

    \b
    Examples:
      labelmass fit probe train.jsonl --task emotions --out probe
      labelmass fit probe trees/ --steps each --layer 20 --out probe-20
      labelmass score texts.jsonl --task emotions --probe probe --out scores.jsonl
      labelmass compare dev.jsonl --task emotions --probe probe --encoder tfidf --out run
    """
    from labelmass.cli.progress import say, watched
    from labelmass.scoring.saved_trees import is_saved
    from labelmass.workflows.fitting import fit_probe

    seed: int = options["seed"] or 0
    if again := is_saved(source):
        refuse_asked(source, task, {**options, "seed": None})
        warn_of_changes(source)
    else:
        note_source(source, options)
        warn_of_training(source, options)
    asked = None if again else load_task(task, options)
    model = load_model(options["model"], options["device"], options["dtype"], asked)
    fitted = fit_probe(
        source,
        folder,
        asked,
        model,
        steps=options["steps"],
        layer=options["layer"],
        gold=options["gold"],
        group=options["group"],
        soft=options["soft"],
        hold_out=options["hold_out"],
        batch_size=options["batch_size"],
        fields=fields_of(options),
        overwrite=options["overwrite"],
        seed=seed,
        watch=watched,
        say=say,
    )
    keep_fitted(fitted, folder, options["cross_fit"])
    if fitted.note:
        say(f"note: {fitted.note}")
    if fitted.study is not None:
        _show_study(fitted.study)
    answers, without = len(fitted.fitting.records), fitted.unlabelled or 0
    if without and (fitted.fitting.task.format.single or without == answers):
        say(f"note: {without} of {answers} answers of the model hold no label")


def _show_study(study: Study) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("study")
    table.add_column("of what, from what", overflow="fold")
    for name in next(iter(study.rows)).probe:
        table.add_column(name, justify="right")
        table.add_column("base rate", justify="right")
    for row in study.rows:
        cells = [str(side[name]) for name in row.probe for side in (row.probe, row.base)]
        table.add_row(row.name, row.about, *cells)
    console = Console()
    console.print()
    console.print(table)
    click.echo(f"fitted on {study.fitted} records, judged on {study.judged} held out")


@command.command("rule")
@click.argument("trees", type=click.Path(exists=True, file_okay=False))
@click.option(
    "--uncertainty",
    required=True,
    type=click.Choice(list(RULES)),
    help="Measure of uncertainty that the rule sets a threshold on.",
)
@click.option(
    "--gold-field",
    default="labels",
    show_default=True,
    metavar="FIELD",
    help="Field of the true labels.",
)
@click.option(
    "--max-labels",
    type=number(Range(2, whole=True)),
    default=2,
    show_default=True,
    help="Labels of a sure record.",
)
@click.option("--out", required=True, type=click.Path(dir_okay=False), help="A .json file.")
def rule(trees: str, uncertainty: str, gold_field: str, max_labels: int, out: str) -> None:
    """Fit the threshold of an uncertainty rule (probability, entropy or logtoku).

    TREES is a folder that --keep-trees wrote, of records with their true labels. Records the
    threshold was fitted on are refused when it is used: score others with it.

    \b
    Example:
      labelmass score train.jsonl --task llama-guard-3 --keep-trees train --out train-scores.jsonl
      labelmass fit rule train --uncertainty logtoku --out logtoku.json
      labelmass score test.jsonl --task llama-guard-3 --rule logtoku.json
    """
    from labelmass.workflows.fitting import fit_rule

    warn_of_changes(trees)
    fitted = fit_rule(trees, uncertainty, gold=gold_field, most=max_labels)
    fitted.save(out)
    click.echo(f"{fitted.name}, fitted on {len(fitted.fitted_on)} records -> {out}", err=True)
