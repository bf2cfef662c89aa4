"""`labelmass evaluate`: score files judged against human labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import click

from labelmass._settings import REQUIRED, setting
from labelmass.cli import completions
from labelmass.cli.declare import as_command
from labelmass.cli.options import EvaluationOptions, TaskOptions
from labelmass.cli.progress import say
from labelmass.cli.records import read_targets
from labelmass.evaluation import Threshold, evaluate
from labelmass.scores import Scores
from labelmass.task.record import Fields


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(EvaluationOptions):
    targets: str = setting(
        REQUIRED, "Records with human labels.", metavar="DATA", complete=completions.files
    )


@dataclass(frozen=True, kw_only=True)
class Output:
    section: ClassVar[str] = "Output"

    out: str | None = setting(None, "Folder for the tables.", path="new folder")


@as_command("evaluate")
@click.argument("scores", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False))
def command(
    scores: tuple[str, ...],
    task: TaskOptions,
    options: EvaluateOptions,
    records: Fields,
    output: Output,
) -> None:
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

    asked = task.load()
    targets = read_targets(options.targets, asked, records, options.gold)
    results: dict[str, Scores] = {}
    for path in scores:
        for name, one in Scores.load(path, asked.label_names, ids=targets.ids).each.items():
            results[name if name not in results else f"{Path(path).stem}/{name}"] = one
    single = asked.format.single
    evaluation = evaluate(
        results,
        targets,
        options.metrics or None,
        threshold=None if single else Threshold(options.threshold),
        baseline=options.baseline,
        single=single,
        draws=options.draws,
    )
    head = {
        "task": asked.name,
        "task_hash": asked.hash,
        "scores": list(scores),
        "input": options.targets,
    }
    Console().print(evaluation)
    if output.out is not None:
        evaluation.save(output.out, "evaluation", head)
        say(f"{output.out}/evaluation.json, .csv, .md and .tex")
