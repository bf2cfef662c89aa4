"""A scoring run that writes a file: progress with a rate and a forecast, and a journal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from labelmass.data import Journal, export, journal_path, read_records
from labelmass.lm.base import LanguageModel
from labelmass.run.results import Result
from labelmass.run.score import Plan
from labelmass.run.signature import Signature
from labelmass.run.trees import TreeStore


class Rate(ProgressColumn):
    """Records a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.2f} records/s")


def run_to_file(
    plan: Plan,
    source: str,
    total: int | None,
    model: LanguageModel,
    signature: Signature,
    out: Path,
    store: TreeStore | None,
    options: dict[str, Any],
) -> int:
    """Score what the journal does not hold yet, then write `out`. Returns how many failed."""
    failed = warned = 0
    mark = {"input": source, "run": signature.to_dict()}
    with Journal(journal_path(out), mark, overwrite=options["overwrite"]) as journal:
        left = (item for item in read_records(source) if item[0] not in journal)
        console = Console(stderr=True)
        if len(journal):
            console.print(f"going on after {len(journal)} records of an earlier run")
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            Rate(),
            TimeRemainingColumn(),
            console=console,
        ) as progress:
            bar = progress.add_task("scoring", total=total, completed=len(journal))
            batch_size: int = options["batch_size"]
            for key, result in plan.run(left, model, batch_size=batch_size, store=store):
                journal.append([(key, result.to_dict())])
                warned += isinstance(result, Result) and bool(result.warnings)
                progress.advance(bar)
        for record in journal.records():
            failed += "error" in record
        export(journal, out)
        count = len(journal)
        journal.remove()
    click.echo(f"{count} records -> {out}  {signature}", err=True)
    if warned:
        click.echo(f"{warned} records carry warnings, see their `warnings`", err=True)
    return failed
