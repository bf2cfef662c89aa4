"""`labelmass fit`: what is fitted on labelled records, to score or to select labels with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import click

from labelmass._ranges import BETWEEN, SEED, Range
from labelmass._settings import REQUIRED, setting
from labelmass.cli import completions
from labelmass.cli.classifiers import keep_fitted
from labelmass.cli.declare import as_command
from labelmass.cli.models import (
    load_model,
    load_task,
    names_of,
    reject_prompt_options,
    warn_of_changes,
    warn_of_training,
)
from labelmass.cli.options import (
    AnnotationOptions,
    BatchOptions,
    LocalModelOptions,
    PromptOptions,
    TaskOptions,
    gold_field_setting,
)
from labelmass.cli.progress import say, show_status, track_progress
from labelmass.cli.records import note_source
from labelmass.errors import LabelMassError
from labelmass.estimators.selection import RULES
from labelmass.scoring.saved_trees import is_saved
from labelmass.supervised.hidden_state_features import Steps
from labelmass.task.record import Fields
from labelmass.workflows.fitting import fit_encoder, fit_probe, fit_rule
from labelmass.workflows.probing import Study


@click.group("fit")
def command() -> None:
    """Fit a text classifier, a probe of hidden states, or an uncertainty rule.

    \b
    Example:
      labelmass fit encoder train.jsonl --task emotions --out tfidf
    """


def _in_a_folder(file: str) -> str:
    if not Path(file).parent.is_dir():
        raise LabelMassError(f"there is no folder {Path(file).parent}: make it first")
    return file


@dataclass(frozen=True, kw_only=True)
class FitOutput:
    section: ClassVar[str] = "Output"

    out: str = setting(REQUIRED, "Folder for the classifier.", path="new folder")
    cross_fit: str | None = setting(
        None,
        "File of scores of TRAIN itself, .jsonl, each record scored by a fit on the folds without "
        "it: for `labelmass calibrate`.",
        path="new file",
        parse=_in_a_folder,
    )


@dataclass(frozen=True, kw_only=True)
class Encoder:
    features: str = setting(
        "tfidf",
        "Features of a text: tfidf; minilm (all-MiniLM-L6-v2); or the folder of a transformers "
        "encoder.",
        metavar="NAME",
        complete=completions.features,
    )
    seed: int = setting(0, "Seed of the folds.", within=SEED)


@as_command("encoder", command)
@click.argument("source", metavar="TRAIN", shell_complete=completions.files)
def encoder(
    source: str,
    task: TaskOptions,
    encoder: Encoder,
    annotations: AnnotationOptions,
    records: Fields,
    output: FitOutput,
) -> None:
    """Fit one logistic regression per label on the texts of TRAIN, and their human labels.

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
    asked = task.load()
    records = note_source(source, records)
    with show_status("fitting"):
        fitted = fit_encoder(
            source,
            asked,
            features=encoder.features,
            gold=annotations.gold,
            group=annotations.group,
            soft=annotations.soft,
            fields=records,
            seed=encoder.seed,
        )
    keep_fitted(fitted, output.out, output.cross_fit)


@dataclass(frozen=True, kw_only=True)
class Probe:
    layer: int = setting(
        -1,
        "Layer of the states: 0 the embeddings, n the last of n layers, -1 the last after the "
        "final norm.",
    )
    steps: Steps = setting(
        "first",
        "State that predicts the first label of the answer, or the mean over all its labels.",
    )
    hold_out: float = setting(
        0.2,
        "Share of the records held out for the study of the probes.",
        within=BETWEEN,
        metavar="SHARE",
    )


@as_command("probe", command)
@click.argument("source", metavar="TRAIN", shell_complete=completions.files)
def probe(
    source: str,
    prompt: PromptOptions,
    model: LocalModelOptions,
    probe: Probe,
    annotations: AnnotationOptions,
    records: Fields,
    run: BatchOptions,
    output: FitOutput,
) -> None:
    """Fit one logistic regression per label on the model's hidden states where it answers.

    TRAIN holds records with `labels`, `annotators` or `distribution`, or is a folder that
    --keep-trees wrote of such records; bad records are left out and listed in DIR/skipped.jsonl.
    States are kept in DIR, and a stopped run goes on. The first table is that of `labelmass
    encoder`. The second is the study of what a state knows, on records held out: of gold (Gold), of
    the model's own answer (Pred), of the answer except for its first label (Pred 2+); and how well
    the answer fits gold (Perf).

    \b
    Examples:
      labelmass fit probe train.jsonl --task emotions --out probe
      labelmass fit probe trees/ --steps each --layer 20 --out probe-20
      labelmass score texts.jsonl --task emotions --probe probe --out scores.jsonl
      labelmass compare dev.jsonl --task emotions --probe probe --encoder tfidf --out run
    """
    given = records
    if again := is_saved(source):
        reject_prompt_options(source, replace(prompt, seed=None), records)
        warn_of_changes(source)
    else:
        records = note_source(source, records)
        warn_of_training(source, names_of(model), records)
    asked = None if again else load_task(prompt, model, fields=given)
    loaded = load_model(model.model, model, asked)
    fitted = fit_probe(
        source,
        output.out,
        asked,
        loaded,
        steps=probe.steps,
        layer=probe.layer,
        gold=annotations.gold,
        group=annotations.group,
        soft=annotations.soft,
        hold_out=probe.hold_out,
        batch_size=run.batch_size,
        fields=records,
        overwrite=run.overwrite,
        seed=prompt.seed or 0,
        watch=track_progress,
        say=say,
    )
    keep_fitted(fitted, output.out, output.cross_fit)
    if fitted.note:
        say(f"note: {fitted.note}")
    if fitted.study is not None:
        _show_study(fitted.study)
    answers, without = len(fitted.fitting.records), fitted.unlabelled or 0
    if without and (fitted.fitting.task.format.single or without == answers):
        say(f"note: {without} of {answers} answers of the model hold no label")


def _show_study(study: Study) -> None:
    from rich.console import Console

    from labelmass.present.tables import Head, Table

    heads = [head for name in next(iter(study.rows)).probe for head in (name, "base rate")]
    rows = [
        [
            row.name,
            row.about,
            *(str(side[name]) for name in row.probe for side in (row.probe, row.base)),
        ]
        for row in study.rows
    ]
    head = ["study", Head("of what, from what", prose=True), *heads]
    console = Console()
    console.print()
    console.print(Table("", head, rows))
    click.echo(f"fitted on {study.fitted} records, judged on {study.evaluated} held out")


@dataclass(frozen=True, kw_only=True)
class Rule:
    uncertainty: str = setting(
        REQUIRED,
        "Measure of uncertainty that the rule thresholds.",
        choices=tuple(RULES),
    )
    gold_field: str = gold_field_setting()
    max_labels: int = setting(
        2, "Largest number of labels of a certain record.", within=Range(2, whole=True)
    )
    out: str = setting(REQUIRED, "File of the rule, .json.", path="new file")


@as_command("rule", command)
@click.argument("trees", type=click.Path(exists=True, file_okay=False))
def rule(trees: str, rule: Rule) -> None:
    """Fit the threshold of an uncertainty rule (probability, entropy or logtoku).

    TREES is a folder that --keep-trees wrote, of records with their true labels. Records the
    threshold was fitted on are refused when it is used: score others with it.

    \b
    Example:
      labelmass score train.jsonl --task llama-guard-3 --keep-trees train --out train-scores.jsonl
      labelmass fit rule train --uncertainty logtoku --out logtoku.json
      labelmass score test.jsonl --task llama-guard-3 --rule logtoku.json
    """
    warn_of_changes(trees)
    fitted = fit_rule(trees, rule.uncertainty, gold=rule.gold_field, max_labels=rule.max_labels)
    fitted.save(rule.out)
    say(f"{fitted.name}, fitted on {len(fitted.fitted_on)} records -> {rule.out}")
