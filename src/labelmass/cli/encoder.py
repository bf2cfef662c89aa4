"""`labelmass encoder`: the classifier of texts that a user would otherwise take."""

from __future__ import annotations

from typing import Any

import click

from labelmass._ranges import SEED
from labelmass.cli.numbers import number
from labelmass.cli.options import task_option
from labelmass.cli.records import fields_of, note_source, records_options
from labelmass.cli.training import keep_fitted, training_options


@click.command("encoder")
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
def command(source: str, task: str | None, folder: str, **options: Any) -> None:
    """Fit a logistic regression a label on the texts of TRAIN, and what people said of them.

    TRAIN holds records with `labels`, `annotators` or `distribution`. The strength C of every label
    is cross-validated; the table sets its log-loss (NLL) on folds it has not seen beside that of
    the base rate. Records it was fitted on are refused when it is used. Bad records are left out
    and listed in DIR/skipped.jsonl.

    \b
    Examples:
      labelmass encoder train.jsonl --task emotions --out tfidf
      labelmass encoder train.jsonl --task emotions --features minilm --out minilm
      labelmass score texts.jsonl --task emotions --encoder tfidf --out scores.jsonl
      labelmass compare dev.jsonl --task emotions --encoder minilm --out run
    """
    from rich.console import Console

    from labelmass.task import Task
    from labelmass.workflows.fitting import fit_encoder

    if task is None:
        raise click.UsageError("name a task: --task emotions (see `labelmass tasks`)")
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
