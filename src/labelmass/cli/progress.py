"""Progress of long work, and a scoring run that writes a file through a journal."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

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

from labelmass.lm.base import LanguageModel
from labelmass.scores import Result
from labelmass.scores.signature import Signature
from labelmass.scoring.journal import Journal, export, journal_path
from labelmass.scoring.plan import Plan
from labelmass.scoring.resuming import Changes, Input
from labelmass.scoring.saved_trees import TreeStore
from labelmass.scoring.shortfall import Shortfall
from labelmass.task import Record

T = TypeVar("T")


class Rate(ProgressColumn):
    """Records a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.2f} records/s")


LOGGED = 60.0
"""Seconds from one line to the next, where stderr is no terminal."""


def watched(items: Iterable[T], total: int | None, done: int = 0) -> Iterator[T]:
    """The items, with a bar, a rate and a forecast while they come; in a log a line a minute."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield from _logged(items, total, done)
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate()
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
    ) as progress:
        bar = progress.add_task("scoring", total=total, completed=done)
        for item in items:
            yield item
            progress.advance(bar)


def _logged(items: Iterable[T], total: int | None, done: int) -> Iterator[T]:
    began = last = time.monotonic()
    for count, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last < LOGGED:
            continue
        last, speed = now, count / (now - began)
        whole = "" if total is None else f" of {total}"
        left = "" if total is None else f", {(total - done - count) / speed / 60:.0f} minutes left"
        click.echo(f"{done + count}{whole} records, {speed:.2f} records/s{left}", err=True)


def tell_resumed(changes: Changes | None, store: TreeStore | None = None) -> None:
    """Say how the input differs from what was kept, if anything was: results, or else trees."""
    if changes is not None:
        click.echo(f"resumed: {changes}", err=True)
    grown = None if store is None else store.resumed
    if store is not None and grown not in (None, changes):
        click.echo(f"resumed, trees in {store.folder}: {grown}", err=True)


def run_to_file(
    plan: Plan,
    source: Input,
    total: int | None,
    model: LanguageModel,
    signature: Signature,
    out: Path,
    store: TreeStore | None,
    options: dict[str, Any],
) -> Shortfall:
    """Score what the journal does not hold yet, then write `out`. Returns what fell short."""
    short, warned = Shortfall(), 0
    mark: dict[str, Any] = {"run": signature.to_dict()}
    if plan.deciding is not None:
        mark["policy"] = plan.deciding.policy.digest
    actions: Counter[str] = Counter()
    with open_journal(out, mark, source, store, overwrite=options["overwrite"]) as journal:
        left = journal.left(source.read())
        batch_size: int = options["batch_size"]
        results = plan.run(left, model, batch_size=batch_size, store=store)
        for key, result in watched(results, total, len(journal)):
            journal.append([(key, result.to_dict())])
            warned += isinstance(result, Result) and bool(result.warnings)
        for record in journal.records():
            short.add(record)
            actions.update([record["decisions"]["action"]] if "decisions" in record else [])
        export(journal, out, keep_input=options["keep_input"])
        count = len(journal)
        journal.remove()
    click.echo(f"{count} records -> {out}  {signature}", err=True)
    if actions:
        click.echo(", ".join(f"{count} {action}" for action, count in actions.items()), err=True)
    if warned:
        click.echo(f"{warned} records carry warnings, see their `warnings`", err=True)
    return short


def open_journal(
    out: Path,
    signature: Mapping[str, Any],
    source: Input,
    store: TreeStore | None = None,
    *,
    overwrite: bool,
) -> Journal:
    """The journal of a run that writes `out`, with what it holds of the records of the source."""
    journal = Journal(journal_path(out), signature, source=source.source, overwrite=overwrite)
    try:
        tell_resumed(journal.resume(source.reread, renew_result), store)
    except BaseException:
        journal.close()
        raise
    return journal


def renew_result(result: dict[str, Any], record: Record) -> dict[str, Any]:
    """The result of a record that has another id, or other fields beside its texts, now."""
    return result | {"id": record.id, "input": record.input}
