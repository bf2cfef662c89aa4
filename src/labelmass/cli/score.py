"""`labelmass score`: records in, probabilities with bounds out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labelmass._ranges import BETWEEN, COUNT, ORDERS, POSITIVE, SAMPLES
from labelmass.cli.classifiers import classifier_options, load_classifiers, load_rules, rule_option
from labelmass.cli.exits import Exit
from labelmass.cli.numbers import number
from labelmass.cli.options import (
    NORMALISATIONS,
    announce,
    load_model,
    load_task,
    method_option,
    model_options,
    prompt_options,
    refuse_asked,
    task_option,
    warn_of_changes,
    warn_of_training,
)
from labelmass.cli.records import (
    cutting_option,
    fields_of,
    note_source,
    read_source,
    records_options,
)

if TYPE_CHECKING:
    from labelmass.scoring.shortfall import Shortfall


@click.command("score")
@click.argument("source", metavar="INPUT")
@task_option
@model_options
@method_option
@click.option(
    "--tolerance", type=number(POSITIVE), default=0.01, show_default=True, help="Widest high - low."
)
@click.option(
    "--relative", type=number(POSITIVE), help="Also: widest interval as a share of the probability."
)
@click.option("--normalise", type=click.Choice(NORMALISATIONS), default="raw", show_default=True)
@click.option(
    "--off-format",
    type=click.Choice(["not-written", "unknown"]),
    default="not-written",
    show_default=True,
    help="What an answer that leaves the format says of labels not written before.",
)
@click.option(
    "--nodes", type=number(COUNT), default=2048, show_default=True, help="Most rows per record."
)
@click.option(
    "--depth", type=number(COUNT), default=256, show_default=True, help="Longest answer, tokens."
)
@click.option("--seconds", type=number(POSITIVE), help="Most time per record.")
@click.option(
    "--samples", type=number(SAMPLES), help="Answers drawn, by the methods that draw some."
)
@click.option(
    "--label-permutations",
    "orders",
    type=number(ORDERS),
    default=1,
    show_default=True,
    help="Average over this many orders of the labels in the prompt.",
)
@click.option(
    "--contextual-calibration",
    "prior",
    type=click.Choice(["content-free", "batch"]),
    help="Take away what labels get for texts without content, or over all records of INPUT "
    "(contextual calibration).",
)
@click.option(
    "--target-rate",
    "rate",
    type=number(BETWEEN),
    default=0.5,
    show_default=True,
    help="Probability that a text without content gets after the correction.",
)
@rule_option
@classifier_options
@click.option(
    "--calibrator",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="Also give calibrated scores, by what `labelmass calibrate` fitted.",
)
@click.option(
    "--policy",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="Also decide, by what `labelmass tune` wrote; explore further what straddles a threshold.",
)
@click.option(
    "--force", is_flag=True, help="Calibrate, or decide by, scores of another kind all the same."
)
@click.option("--limit", type=number(COUNT), help="Refuse to ask more prompts than this in all.")
@click.option("--batch-size", type=number(COUNT), default=16, show_default=True)
@click.option("--out", type=click.Path(dir_okay=False), help="A .jsonl, .csv or .parquet file.")
@click.option("--overwrite", is_flag=True, help="Begin anew where another run left a journal.")
@click.option("--keep-trees", type=click.Path(file_okay=False), help="Folder for the trees.")
@click.option("--table/--json", "table", default=None, help="How to print without --out.")
@click.option(
    "--strict", is_flag=True, help="Exit with 2 if any record failed or missed the tolerance."
)
@click.option(
    "--keep-input/--drop-input",
    default=True,
    show_default=True,
    help="Give the fields of INPUT beside the scores.",
)
@records_options
@cutting_option
@prompt_options
def command(source: str, task: str | None, strict: bool, **options: Any) -> None:
    """Probabilities with bounds for every label of every record of INPUT.

    INPUT is a .jsonl, .csv, .parquet or .txt file, - for standard input, or a folder that
    --keep-trees wrote, which is read without a model. A stopped run goes on where it was. With
    --encoder alone, no model is asked.

    \b
    Examples:
      labelmass score texts.jsonl --task emotions
      labelmass score chats.jsonl -t llama-guard-3 --normalise on-format --out scores.parquet
      labelmass score trees/ --method hard --method max-over-generations --out read.jsonl
    """
    from labelmass.scoring.saved_trees import is_saved

    if _texts_alone(source, options):
        short = _score_texts(source, task, options)
    else:
        _load_fitted(options)
        if is_saved(source):
            refuse_asked(source, task, options)
            warn_of_changes(source)
            short = _reread(source, options)
        else:
            short = _score(source, task, options)
    for line in short.lines():
        click.echo(line, err=True)
    if short and strict:
        sys.exit(Exit.FELL_SHORT)


def _reread(folder: str, options: dict[str, Any]) -> Shortfall:
    from labelmass.scores.writers import output_writer
    from labelmass.scoring.plan import Plan
    from labelmass.scoring.saved_trees import SavedTrees
    from labelmass.scoring.to_file import write_read

    model = None
    if options["probes"]:
        model = load_model(options["model"], options["device"], options["dtype"])
    saved = SavedTrees(folder)
    plan = Plan(
        saved.task,
        options["methods"],
        normalisation=options["normalise"],
        off_format=options["off_format"],
        orders=saved.signature.orders,
        prior=options["prior"],
        rate=options["rate"],
        rules=load_rules(options["rules"]),
        classifiers=load_classifiers(options),
        calibrator=options["calibrator"],
        policy=options["policy"],
        force=options["force"],
    )
    results = plan.read_saved(saved, model)
    if options["out"] is None:
        return _show(results, options)
    out, keep = Path(options["out"]), options["keep_input"]
    output_writer(out)
    return write_read(results, folder, out, keep_input=keep).short


def _score(source: str, name: str | None, options: dict[str, Any]) -> Shortfall:
    from labelmass.answers.search import Budget
    from labelmass.cli.progress import say, watched
    from labelmass.records import count_records
    from labelmass.scores.writers import output_writer
    from labelmass.scoring.plan import Plan
    from labelmass.scoring.resuming import Input
    from labelmass.scoring.saved_trees import TreeStore
    from labelmass.scoring.scorer import Scorer
    from labelmass.scoring.to_file import say_resumed

    task = load_task(name, options)
    out: str | None = options["out"]
    folder: str | None = options["keep_trees"]
    if out is not None:
        output_writer(out)
    budget = Budget(
        **{key: options[key] for key in ("tolerance", "relative", "nodes", "depth", "seconds")}
    )
    plan = Plan(
        task,
        options["methods"],
        budget=budget,
        normalisation=options["normalise"],
        off_format=options["off_format"],
        every_method=folder is not None,
        samples=options["samples"],
        orders=options["orders"],
        prior=options["prior"],
        rate=options["rate"],
        rules=load_rules(options["rules"]),
        classifiers=load_classifiers(options),
        calibrator=options["calibrator"],
        policy=options["policy"],
        force=options["force"],
        max_text_tokens=options["max_text_tokens"],
    )
    if options["prior"] == "batch" and folder is None:
        raise click.UsageError(
            "--contextual-calibration batch reads all records before it scores one: give "
            "--keep-trees DIR for them"
        )
    total = count_records(source)
    note_source(source, options)
    warn_of_training(source, options)
    plan.forecast.check(total, options["limit"])
    announce(plan.forecast)
    model = load_model(options["model"], options["device"], options["dtype"], task)
    fields, again = fields_of(options), options["overwrite"]
    scorer = Scorer.of_plan(
        plan, model, batch_size=options["batch_size"], keep_trees=_as_table(options)
    )
    if out is not None:
        summary = scorer.score_file(
            source,
            out,
            trees=folder,
            fields=fields,
            overwrite=again,
            keep_input=options["keep_input"],
            watch=watched,
            say=say,
        )
        for line in summary.lines():
            say(line)
        return summary.short
    with ExitStack() as context:
        records = context.enter_context(Input(source, fields))
        store = None
        if folder is not None:
            store = TreeStore(
                folder, task, scorer.signature, source=source, fields=fields, overwrite=again
            )
            context.callback(store.close)
            store.resume(records.reread)
            say_resumed(say, None, store)
        if options["prior"] == "batch" and folder is not None and store is not None:
            left = store.left(records.read())
            for _ in watched(scorer.run(left, store=store), total, len(store)):
                pass
            store.close()
            return _reread(folder, options)
        results = scorer.run_in_order(records.read(), store=store)
        return _show(results, options, total)


_OF_TREES = (
    *("methods", "model", "probes", "rules", "keep_trees", "prior", "calibrator", "policy"),
    "max_text_tokens",
)
"""Options that a language model, or its trees, are needed for."""


def _texts_alone(source: str, options: dict[str, Any]) -> bool:
    """Whether only classifiers of texts are asked for."""
    from labelmass.scoring.saved_trees import is_saved

    wanted = any(options[key] for key in _OF_TREES)
    return bool(options["encoders"]) and not wanted and not is_saved(source)


def _score_texts(source: str, name: str | None, options: dict[str, Any]) -> Shortfall:
    from labelmass.cli.progress import say, watched
    from labelmass.records import count_records
    from labelmass.scores.signature import signature_of_texts
    from labelmass.scores.writers import output_writer
    from labelmass.scoring.resuming import Input
    from labelmass.scoring.texts import score_texts
    from labelmass.scoring.to_file import write_results

    task = load_task(name, options, warn=False)  # no model reads its prompt
    classifiers = load_classifiers(options)
    total = count_records(source)
    if options["out"] is None:
        found = score_texts(read_source(source, options), classifiers, task)
        return _show((result for _, result in found), options, total)
    out = Path(options["out"])
    output_writer(out)
    signature = signature_of_texts(task, [one.mark for one in classifiers])
    note_source(source, options)
    with Input(source, fields_of(options)) as records:
        summary = write_results(
            lambda left: score_texts(left, classifiers, task),
            records,
            out,
            {"run": signature.to_dict()},
            signature,
            total,
            overwrite=options["overwrite"],
            keep_input=options["keep_input"],
            watch=watched,
            say=say,
        )
    for line in summary.lines():
        say(line)
    return summary.short


def _load_fitted(options: dict[str, Any]) -> None:
    """Calibrator and policy in place of their files; they say which method, if none is named."""
    from labelmass.calibration import Calibrator
    from labelmass.decisions import Policy
    from labelmass.estimators import ESTIMATORS
    from labelmass.scores.signature import methods_for

    for key, kind in (("policy", Policy), ("calibrator", Calibrator)):
        if options[key] is None:
            continue
        found = options[key] = kind.load(options[key])
        named = [name for name in methods_for(found.signature)[-1:] if name in ESTIMATORS]
        options["methods"] = options["methods"] or named


def _as_table(options: dict[str, Any]) -> bool:
    """Whether results are shown to a person, not written as JSON."""
    table: bool | None = options["table"]
    return options["out"] is None and (sys.stdout.isatty() if table is None else table)


def _show(results: Iterator[Any], options: dict[str, Any], total: int | None = None) -> Shortfall:
    """A table on a terminal, JSON lines elsewhere, or as asked. Returns what fell short."""
    from labelmass.cli.progress import watched
    from labelmass.scoring.shortfall import Shortfall

    short = Shortfall()
    if _as_table(options):
        from rich.console import Console

        from labelmass.cli.table import result_table, text_table
        from labelmass.scores import Failure

        found = list(watched(results, total))
        for result in found:
            short.add(result.to_dict())
        texts = all(isinstance(one, Failure) or one.summary is None for one in found)
        Console().print(text_table(found) if texts else result_table(found))
        return short
    for result in results if sys.stdout.isatty() else watched(results, total):
        record = result.to_dict()
        short.add(record)
        if not options["keep_input"]:
            record.pop("input", None)
        click.echo(json.dumps(record, ensure_ascii=False, allow_nan=False))
    return short
