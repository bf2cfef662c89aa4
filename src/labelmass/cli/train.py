"""`labelmass train`: teach a model to write a task's answers."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any, ClassVar

import click

from labelmass._ranges import COUNT, POSITIVE
from labelmass._settings import REQUIRED, setting, settings_of
from labelmass.cli import completions
from labelmass.cli.classifiers import report_skipped
from labelmass.cli.declare import as_command, flags_of
from labelmass.cli.exits import Exit
from labelmass.cli.models import load_task
from labelmass.cli.options import LocalModelOptions, PromptOptions
from labelmass.cli.progress import say
from labelmass.cli.records import note_source
from labelmass.task.record import Fields
from labelmass.training.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Data:
    section: ClassVar[str] = "Records"

    dev: str | None = setting(
        None,
        "Records to validate on. Default: a share of DATA.",
        metavar="FILE",
        complete=completions.files,
    )


@dataclass(frozen=True, kw_only=True)
class Run:
    out: str = setting(REQUIRED, "Folder for the model.", path="new folder")
    minutes: float | None = setting(
        None, "Minutes until the run stops; the same command resumes it.", within=POSITIVE
    )
    save_every: int = setting(
        50, "Number of steps between checkpoints.", within=COUNT, metavar="STEPS"
    )


@as_command("train")
@click.argument("source", metavar="DATA", shell_complete=completions.files)
def command(
    source: str,
    prompt: PromptOptions,
    model: LocalModelOptions,
    records: Fields,
    data: Data,
    training: Settings,
    run: Run,
) -> None:
    """Train a model to write the answers given to the records of DATA.

    DATA holds records with `annotators` (a list of labels each), `labels` or `distribution`. The
    folder DIR is a model for every other command, and brings its task along. A stopped run goes on
    where it was, by the same command. Prompts show no demonstrations, unless -k says how many.

    \b
    Examples:
      labelmass train train.jsonl --task emotions --out tuned
      labelmass train train.jsonl -t emotions --dev dev.jsonl --epochs 5 --patience 1 --out tuned
      labelmass score texts.jsonl --model tuned
    """
    from labelmass.training import train

    _reject_idle_options(training, data.dev)
    task = load_task(prompt, fields=records, warn=False)  # the model will learn it
    records = _settle_fields(source, data.dev, records)
    with _stopping(run.minutes) as stop, _progress_bar() as watch:
        result = train(
            source,
            task,
            model.model,
            out=run.out,
            dev=data.dev,
            fields=records,
            settings=replace(training, seed=prompt.seed or 0),
            demonstrations=prompt.demonstrations or 0,
            device=model.device,
            dtype=model.dtype,
            save_every=run.save_every,
            stop=stop,
            watch=watch,
        )
    report_skipped(result.skipped, run.out)
    say(str(result))
    if not result.finished:
        say("run the same command again to go on")
        sys.exit(Exit.STOPPED)
    say(f"labelmass score texts.jsonl --model {run.out}")


def _settle_fields(source: str, dev: str | None, records: Fields) -> Fields:
    """Columns of text and id, which must be the same in both files."""
    fields = note_source(source, records)
    if dev is not None and note_source(dev, records) != fields:
        raise click.UsageError(
            f"{source} and {dev} have text or id in columns of different names: rename them"
        )
    return fields


def _reject_idle_options(training: Settings, dev: str | None) -> None:
    """UsageError for options that were given and would do nothing beside others."""
    idle = (
        (training.full, "--full trains no adapter", ("rank", "alpha", "dropout")),
        (dev is not None, "--dev sets nothing aside", ("dev_share",)),
        (
            dev is None and not training.dev_share,
            "--dev-share 0 validates on nothing",
            ("patience", "method", "tolerance", "max_nodes"),
        ),
    )
    context = click.get_current_context()
    given = {
        option.opts[0]
        for option in context.command.params
        if context.get_parameter_source(str(option.name)) is click.core.ParameterSource.COMMANDLINE
    }
    flags = {one.name: flags_of(one)[0] for one in settings_of(Settings)}
    for so, why, names in idle:
        unwanted = [flags[name] for name in names if flags[name] in given]
        if so and unwanted:
            raise click.UsageError(f"{why}: leave out {', '.join(unwanted)}")


@contextmanager
def _stopping(minutes: float | None) -> Generator[Callable[[], bool]]:
    """Yield a function that returns True after a signal, or when the minutes are over.

    The step under way is finished first. A second Ctrl-C does not wait for it.
    """
    until = None if minutes is None else time.monotonic() + 60 * minutes
    asked: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        say("stopping after this step")

    former = {one: signal.signal(one, note) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked) or (until is not None and time.monotonic() >= until)
    finally:
        for one, handler in former.items():
            signal.signal(one, handler)


@contextmanager
def _progress_bar() -> Generator[Callable[[Any, int, str], None]]:
    """A bar with loss, tokens a second and time left; in a log a line a minute."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from labelmass.cli.progress import LOGGED
    from labelmass.training.saved import smoothed

    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(
        *columns,
        TextColumn("{task.fields[told]}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bars:
        bar = bars.add_task("training", total=None, told="")
        epochs, last = -1, time.monotonic()

        def watch(progress: Any, steps: int, doing: str) -> None:
            nonlocal epochs, last
            told = f"epoch {progress.epoch + 1}"
            if progress.losses:
                speed = progress.tokens / max(progress.seconds, 1e-9)
                told += f"  loss {smoothed(progress.losses[-100:])[-1]:.3f}  {speed:,.0f} tokens/s"
            bars.update(bar, description=doing, total=steps, completed=progress.step, told=told)
            if epochs < 0:
                after = f", going on after step {progress.step}" if progress.step else ""
                console.print(f"{doing}, at most {steps} steps{after}")
            elif epochs < len(progress.epochs):
                console.print(str(progress.epochs[-1]))
            elif not console.is_terminal and time.monotonic() - last >= LOGGED:
                last = time.monotonic()
                say(f"{doing}, step {progress.step} of {steps}, {told}")
            epochs = len(progress.epochs)

        yield watch
