"""`labelmass new`: files to begin with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import click

from labelmass._ranges import WHOLE
from labelmass._settings import REQUIRED, setting
from labelmass.cli.declare import as_command
from labelmass.cli.models import load_model, watch_choice
from labelmass.cli.options import ModelOptions, split_names
from labelmass.cli.progress import say
from labelmass.cli.records import note_source
from labelmass.service.keys import make_key
from labelmass.task.formats import LIST_FORMATS
from labelmass.task.record import Fields
from labelmass.workflows.task_file import DEMONSTRATIONS, new_task


@click.group("new")
def command() -> None:
    """Write a task file to begin with, or make an API key.

    \b
    Examples:
      labelmass new task tickets.toml --labels "billing,bug report,how-to"
      labelmass new key website --keys keys.toml
    """


@dataclass(frozen=True, kw_only=True)
class Content:
    section: ClassVar[str] = "Task and prompt"

    labels: tuple[str, ...] = setting(
        REQUIRED, "Labels, with commas; may be repeated.", metavar="LABELS", parse=split_names
    )
    question: str | None = setting(None, "Question about the labels. Default: a plain one.")
    format: str | None = setting(
        None, "Form of the answer. Default: chosen for the model.", choices=LIST_FORMATS
    )
    examples: str | None = setting(
        None, "File of labelled records to take demonstrations from.", path="file"
    )
    demonstrations: int = setting(
        DEMONSTRATIONS,
        "Number of demonstrations to take from --examples.",
        "--demonstrations",
        "-k",
        within=WHOLE,
        metavar="K",
    )
    overwrite: bool = setting(False, "Replace FILE if it is there.")


@as_command("task", command)
@click.argument("file", metavar="FILE")
def task(file: str, content: Content, model: ModelOptions, records: Fields) -> None:
    """Write a commented task file, FILE, for a list of labels.

    The form of the answer and of the prompt is the one that holds the model best, of a handful that
    are tried on short texts. --examples takes demonstrations from labelled records, and says what
    they win; do not judge by those records.

    \b
    Examples:
      labelmass new task tickets.toml --labels "billing,bug report,how-to"
      labelmass new task tickets.toml --labels "billing,bug report,how-to" --examples labelled.csv
    """
    path = Path(file)
    if path.suffix != ".toml":
        raise click.UsageError(f"{file}: a task file's name ends in .toml")
    if path.exists() and not content.overwrite:
        raise click.UsageError(f"{file} is there already: give another name, or --overwrite")
    if content.examples is not None:
        records = note_source(content.examples, records)
    made = new_task(
        content.labels,
        load_model(model.model, model),
        name=path.stem,
        question=content.question,
        format=content.format,
        examples=content.examples,
        demonstrations=content.demonstrations,
        fields=records,
        watch=watch_choice,
    )
    made.save(path)
    say(
        f"{file}: {made.task.prompt_style}; {made.chosen.on_format:.2f} of the mass answers plain "
        "texts in the format"
    )
    if made.gain:
        say(made.gain)
        say(f"do not judge by these records: {', '.join(map(str, made.records))}")
    say(f"next: labelmass score RECORDS --task {file} --out scores.jsonl")


@dataclass(frozen=True, kw_only=True)
class KeyOptions:
    section: ClassVar[str] = "Keys"

    keys: str = setting(
        REQUIRED, "File of keys for `labelmass serve`, which need not be there.", path="new file"
    )


@as_command("key", command)
@click.argument("name", metavar="NAME")
def key(name: str, options: KeyOptions) -> None:
    """Make an API key for a caller, NAME, and print it once.

    The file keeps its digest alone. A running service takes the key up by itself.

    \b
    Example:
      labelmass new key website --keys keys.toml
    """
    click.echo(make_key(name, options.keys))
    say(f"{options.keys}: its digest, as {name}; the key itself is kept nowhere")
