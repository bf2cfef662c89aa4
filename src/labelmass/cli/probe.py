"""`labelmass probe`: a classifier on a model's own hidden states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from labelmass._ranges import BETWEEN, COUNT
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
from labelmass.cli.training import keep_fitted, training_options

if TYPE_CHECKING:
    from labelmass.workflows.probing import Study


@click.command("probe")
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
    type=click.Choice(["first", "each"]),
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
def command(source: str, task: str | None, folder: str, **options: Any) -> None:
    """Fit a logistic regression a label on the model's hidden states where it answers.

    TRAIN holds records with `labels`, `annotators` or `distribution`, or is a folder that
    --keep-trees wrote of such records; bad records are left out and listed in DIR/skipped.jsonl.
    States are kept in DIR, and a stopped run goes on. The first table is that of `labelmass
    encoder`. The second is the study of what a state knows, on records held out: of gold (Gold), of
    the model's own answer (Pred), of the answer but for its first label (Pred 2+); and how well the
    answer fits gold (Perf).

    \b
    Examples:
      labelmass probe train.jsonl --task emotions --out probe
      labelmass probe trees/ --steps each --layer 20 --out probe-20
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
