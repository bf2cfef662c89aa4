"""`labelmass evaluate`: score files judged by what people said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from labelmass.cli.judging import judge, judging_options, read_targets
from labelmass.cli.options import task_option
from labelmass.cli.records import records_options


@click.command("evaluate")
@click.argument("scores", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--targets", "source", required=True, metavar="DATA", help="The records, with what people said."
)
@task_option
@click.option("--out", type=click.Path(file_okay=False), help="Folder for the tables.")
@judging_options
@records_options
def command(scores: tuple[str, ...], source: str, task: str | None, **options: Any) -> None:
    """Judge the scores in files, ours or another system's, by the labels or annotators in DATA.

    A score file is JSONL (`id`, and `labels`: by name a number or {p, low, high}), CSV or Parquet
    (`id`, and a column a label). Its ids are those of DATA. Records of DATA without scores count as
    failed.

    \b
    Examples:
      labelmass evaluate scores.jsonl --targets dev.jsonl --task emotions
      labelmass evaluate ours.jsonl theirs.csv --targets dev.jsonl -t emotions --baseline theirs
    """
    from rich.console import Console

    from labelmass.scores import Scores
    from labelmass.task import Task

    if task is None:
        raise click.UsageError("name a task: --task emotions (see `labelmass list tasks`)")
    asked = Task.load(task)
    targets = read_targets(source, asked, options)
    found: dict[str, Any] = {}
    for path in scores:
        for name, one in Scores.load(path, asked.label_names, ids=targets.ids).each.items():
            found[name if name not in found else f"{Path(path).stem}/{name}"] = one
    evaluation = judge(found, targets, asked.format.single, options)
    head = {"task": asked.name, "task_hash": asked.hash, "scores": list(scores), "input": source}
    Console().print(evaluation)
    if (out := options["out"]) is not None:
        evaluation.save(out, "evaluation", head)
        click.echo(f"{out}/evaluation.json, .csv, .md and .tex", err=True)
