"""Progress of long work, and a scoring run that writes a file through a journal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

T = TypeVar("T")


class Rate(ProgressColumn):
    """Units a second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.2f} {self.unit}/s")


LOGGED = 60.0
"""Seconds from one line to the next, where stderr is no terminal."""


def track_progress(
    items: Iterable[T],
    total: int | None,
    done: int = 0,
    *,
    title: str = "scoring",
    unit: str = "records",
) -> Iterator[T]:
    """The items, with a bar, a rate and a forecast while they come; in a log a line a minute."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield from _logged(items, total, done, unit)
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(unit)
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
    ) as progress:
        bar = progress.add_task(title, total=total, completed=done)
        for item in items:
            yield item
            progress.advance(bar)


def _logged(items: Iterable[T], total: int | None, done: int, unit: str) -> Iterator[T]:
    began = last = time.monotonic()
    for count, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last < LOGGED:
            continue
        last, speed = now, count / (now - began)
        whole = "" if total is None else f" of {total}"
        left = "" if total is None else f", {(total - done - count) / speed / 60:.0f} minutes left"
        click.echo(f"{done + count}{whole} {unit}, {speed:.2f} {unit}/s{left}", err=True)


@contextmanager
def show_status(title: str) -> Generator[Callable[[str], None]]:
    """A title and the seconds so far, on a terminal; yields a function that changes the title."""
    console = Console(file=sys.stderr)  # bound now: while libraries are silenced it is another
    columns = SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task(title, total=None)
        yield lambda line: progress.update(task, description=line, refresh=True)


def say(line: str) -> None:
    """A line on stderr."""
    click.echo(line, err=True)
