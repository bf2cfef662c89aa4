"""`labelmass probe`: a classifier on a model's own hidden states."""

from __future__ import annotations

import json
from pathlib import Path
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
from labelmass.cli.records import read_source, records_options
from labelmass.cli.training import show_fit, tell_skipped, training_options, write_cross_fitted

if TYPE_CHECKING:
    from labelmass.scoring.saved_trees import SavedTrees
    from labelmass.supervised import States
    from labelmass.workflows.probing import Stated, Study
    from labelmass.workflows.training_set import Fitting

JOURNAL, STUDY = "states.journal", "study.json"


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
    from rich.console import Console

    from labelmass.answers.search import Budget
    from labelmass.answers.tree import Normalisation
    from labelmass.cli.progress import say, watched
    from labelmass.scores.signature import Signature
    from labelmass.scoring.hidden_states import StateReader
    from labelmass.scoring.journal import Journal
    from labelmass.scoring.saved_trees import SavedTrees, is_saved
    from labelmass.scoring.to_file import say_resumed
    from labelmass.supervised import States
    from labelmass.workflows.probing import Stated, explore_greedily, keep_states
    from labelmass.workflows.training_set import Fitting, Labelled

    saved = SavedTrees(source) if is_saved(source) else None
    if saved is not None:
        refuse_asked(source, task, {**options, "seed": None})
        warn_of_changes(source)
    seed: int = options["seed"] or 0
    asked = load_task(task, options) if saved is None else saved.task
    items, trees = _read(source, saved, options)
    data = Labelled.of(items, asked, options["gold"], options["group"])
    if saved is None:
        warn_of_training(source, options)
    model = load_model(options["model"], options["device"], options["dtype"], asked)
    if saved is not None and saved.signature.fingerprint != model.fingerprint:
        raise click.UsageError(
            f"{model.name}@{model.fingerprint} did not write these trees: name the model that did, "
            f"--model {saved.signature.model}"
        )
    states = States.of(model, asked.hash, options["layer"], options["steps"])
    read = StateReader(states, asked, model)
    Path(folder).mkdir(parents=True, exist_ok=True)
    path, mark = Path(folder) / JOURNAL, {"states": states.to_dict()}
    keyed = list(enumerate(data.records))
    with Journal(path, mark, source=source, overwrite=options["overwrite"]) as journal:
        say_resumed(say, journal.resume(lambda: keyed, lambda line, _: line))
        done = len(journal)
        left = journal.left(keyed)
        if saved is None:
            explored = explore_greedily(left, model, asked, options["batch_size"])
        else:
            explored = ((key, trees[record.id]) for key, record in left)
        counted = (one for n in keep_states(explored, read, journal) for one in range(n))
        for _ in watched(counted, len(keyed), done):
            pass
        stated = Stated.of(journal, data.records, len(asked.labels))
    targets = data.targets.at([record.id for record in stated.records])
    with Console(stderr=True).status("fitting"):
        fitting = Fitting(
            states, stated.x, asked, stated.records, targets, options["soft"], seed=seed
        )
        classifier = fitting.classifier({"input": source})
        if options["cross_fit"] is not None:
            signature = Signature.of(
                model, asked, ("probe",), Normalisation.RAW, Budget(), fitted=(classifier.mark,)
            )
            write_cross_fitted(options["cross_fit"], fitting, signature)
        classifier.save(folder)
        study = _study(folder, states, fitting, stated, options["hold_out"])
    tell_skipped((*data.skipped, *stated.failed.items()), folder)
    show_fit(classifier, folder)
    if study is not None:
        _show_study(study)
    answers, without = len(stated.first), int((stated.first < 0).sum())
    if without and (asked.format.single or without == answers):
        click.echo(f"note: {without} of {answers} answers of the model hold no label", err=True)


def _read(source: str, saved: SavedTrees | None, options: dict[str, Any]):
    """The records of TRAIN, bad ones too, and the trees that there are, by id."""
    from labelmass.scoring.explorer import Explored

    trees: dict[str | int, Explored] = {}
    if saved is None:
        return (item for _, item in read_source(source, options)), trees
    found = list(saved)
    for one in found:
        if isinstance(one, Explored):
            trees.setdefault(one.record.id, one)  # of records with one id the first is fitted on
    return (one.record if isinstance(one, Explored) else one for one in found), trees


def _study(
    folder: str, states: States, fitting: Fitting, stated: Stated, share: float
) -> Study | None:
    """The study, written to DIR too; None, and a word why, where the records are too few."""
    from labelmass.calibration import HoldOut
    from labelmass.errors import FitError
    from labelmass.workflows.probing import probe_study

    file = Path(folder) / STUDY
    file.unlink(missing_ok=True)
    try:
        study = probe_study(
            stated,
            fitting.targets,
            states,
            hold_out=HoldOut(share, fitting.seed),
            single=fitting.task.format.single,
            seed=fitting.seed,
        )
    except FitError as error:
        click.echo(f"note: the study is left out: {error}", err=True)
        return None
    text = json.dumps(study.to_dict(), ensure_ascii=False, indent=1, allow_nan=False)
    file.write_text(text + "\n", encoding="utf-8")
    return study


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
