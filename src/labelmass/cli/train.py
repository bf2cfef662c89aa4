"""`labelmass train`: teach a model to write a task's answers."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import click

from labelmass._ranges import COUNT, POSITIVE
from labelmass.cli.exits import Exit
from labelmass.cli.numbers import number
from labelmass.cli.options import device_options, load_task, prompt_options, task_option
from labelmass.cli.records import fields_of, note_source, records_options
from labelmass.training.settings import CHOICES, RANGES, Settings

_USUAL = Settings()


def _key(name: str) -> str:
    """The setting that an option is."""
    return name.removeprefix("validation-").removeprefix("answer-").replace("-", "_")


def _choice(name: str, about: str) -> Any:
    key = _key(name)
    kind = click.Choice(CHOICES[key])
    return click.option(
        f"--{name}", key, type=kind, default=getattr(_USUAL, key), show_default=True, help=about
    )


def _number(name: str, about: str) -> Any:
    key = _key(name)
    usual = getattr(_USUAL, key)
    flag = f"--{name.replace('_', '-')}"
    kind = number(RANGES[key]) if key in RANGES else str
    return click.option(flag, key, type=kind, default=usual, show_default=True, help=about)


@click.command("train")
@click.argument("source", metavar="DATA")
@task_option
@click.option("--model", "-m", metavar="MODEL", help="Default: the embedded SmolLM2-135M-Instruct.")
@click.option("--out", required=True, type=click.Path(file_okay=False), metavar="DIR")
@click.option("--dev", metavar="FILE", help="Records to validate on. Default: a share of DATA.")
@_number("dev_share", "Of DATA, set aside for validation; 0 for none.")
@click.option("--full", is_flag=True, help="Train every weight, not an adapter.")
@_number("rank", "Of the LoRA adapter.")
@_number("alpha", "Of the LoRA adapter: how strongly it counts, over its rank.")
@_number("dropout", "Of the LoRA adapter.")
@_choice("answers", "One annotator's answer an epoch, or the gold labels.")
@_choice("answer-order", "Labels in an answer: as the task has them, or shuffled every epoch.")
@_choice("balance", "Weigh records with rare labels more.")
@_number("epochs", "The most.")
@_number("batch_size", "Records a step.")
@click.option(
    "--learning-rate",
    "rate",
    type=number(POSITIVE),
    help="Highest learning rate. [default: 1e-3, 5e-5 with --full]",
)
@_number("warm_up", "Share of the steps over which the rate rises.")
@_choice("schedule", "How the rate goes on.")
@_number("weight_decay", "Of AdamW.")
@_number("clip", "Largest norm of a gradient.")
@click.option("--autocast", is_flag=True, help="Multiply in bfloat16, weights kept as they are.")
@_number("patience", "Epochs without a better validation until it ends.")
@_number("validation-method", "Method that validation scores by.")
@_number("validation-tolerance", "Of validation: widest high - low.")
@_number("validation-nodes", "Of validation: most rows per record.")
@click.option(
    "--minutes", type=number(POSITIVE), help="Stop after so long; the same command goes on."
)
@click.option("--save-every", type=number(COUNT), default=50, show_default=True, metavar="STEPS")
@device_options
@records_options
@prompt_options
def command(source: str, task: str | None, out: str, **options: Any) -> None:
    """Train a model to write the answers that people gave to the records of DATA.

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

    if task is None:
        raise click.UsageError("name a task: --task emotions (see `labelmass list tasks`)")
    _refuse_idle(options)
    seed, shown = options["seed"], options["demonstrations"]
    asked = load_task(task, {**options, "model": None}, warn=False)  # the model will learn it
    names = [name for name in Settings.__dataclass_fields__ if name != "seed"]
    settings = Settings(**{name: options[name] for name in names}, seed=seed or 0)
    for file in filter(None, (source, options["dev"])):
        note_source(file, options)
    with _stopping(options["minutes"]) as stop, _shown() as watch:
        result = train(
            source,
            asked,
            options["model"],
            out=out,
            dev=options["dev"],
            fields=fields_of(options),
            settings=settings,
            demonstrations=shown or 0,
            device=options["device"],
            dtype=options["dtype"],
            save_every=options["save_every"],
            stop=stop,
            watch=watch,
        )
    for name, error in result.skipped[:5]:
        click.echo(f"left out {name!r}: {error}", err=True)
    if result.skipped:
        click.echo(f"{len(result.skipped)} records left out, see {out}/skipped.jsonl", err=True)
    click.echo(str(result), err=True)
    if not result.finished:
        click.echo("run the same command again to go on", err=True)
        sys.exit(Exit.STOPPED)
    click.echo(f"labelmass score texts.jsonl --model {out}", err=True)


def _refuse_idle(options: dict[str, Any]) -> None:
    """UsageError for options that were given and would do nothing beside others."""
    unseen = options["dev"] is None and not options["dev_share"]
    idle = (
        (options["full"], "--full trains no adapter", ("rank", "alpha", "dropout")),
        (options["dev"] is not None, "--dev sets nothing aside", ("dev_share",)),
        (
            unseen,
            "--dev-share 0 validates on nothing",
            ("patience", "method", "tolerance", "nodes"),
        ),
    )
    source = click.get_current_context().get_parameter_source
    for so, why, names in idle:
        given = [name for name in names if source(name) is click.core.ParameterSource.COMMANDLINE]
        if so and given:
            options_of = {
                one.name: one.opts[0] for one in click.get_current_context().command.params
            }
            flags = ", ".join(options_of[name] for name in given)
            raise click.UsageError(f"{why}: leave out {flags}")


@contextmanager
def _stopping(minutes: float | None) -> Generator[Callable[[], bool]]:
    """Whether it is time to stop: asked to by a signal, or so many minutes are over.

    The step under way is finished first. A second Ctrl-C does not wait for it.
    """
    until = None if minutes is None else time.monotonic() + 60 * minutes
    asked: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        click.echo("stopping after this step", err=True)

    former = {one: signal.signal(one, note) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked) or (until is not None and time.monotonic() >= until)
    finally:
        for one, handler in former.items():
            signal.signal(one, handler)


@contextmanager
def _shown() -> Generator[Callable[[Any, int, str], None]]:
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
                click.echo(f"{doing}, step {progress.step} of {steps}, {told}", err=True)
            epochs = len(progress.epochs)

        yield watch
