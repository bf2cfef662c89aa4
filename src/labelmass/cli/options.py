"""Options that several commands share."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from labelmass._ranges import SEED, SHARE, WHOLE
from labelmass._types import Normalisation
from labelmass.cli.numbers import number
from labelmass.lm.base import LanguageModel
from labelmass.task.labels import ORDERS

if TYPE_CHECKING:
    from labelmass.task import Task

F = TypeVar("F", bound=Callable[..., Any])

_AS_NAMED = ("label_order", "seed", "chat", "opening", "multi_share", "choice")
_OF_RECORDS = ("text_column", "id_column", "max_text_tokens")

NORMALISATIONS = tuple(one.value for one in Normalisation)


def task_option(command: F) -> F:
    """--task: a preset or a file."""
    return click.option(
        "--task", "-t", metavar="TASK", help="A preset (see `labelmass list tasks`) or a TOML file."
    )(command)


def method_option(command: F) -> F:
    """--method: what reads the trees, as `methods`."""
    return click.option(
        "--method",
        "methods",
        multiple=True,
        metavar="NAME",
        callback=_names,
        help="Method that reads the tree (see `labelmass list methods`). May be repeated, or name "
        "several with commas. Default: any-place; all that read one tree in compare.",
    )(command)


def _names(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> list[str]:
    return [name for word in value for name in word.split(",") if name]


def device_options(command: F) -> F:
    """--device, --dtype."""
    for option in (
        click.option(
            "--dtype",
            type=click.Choice(["float32", "bfloat16", "float16"]),
            help="Default: float32 on a CPU, the model's own on a GPU. bfloat16 is some three "
            "times faster on a CPU that has it, and moves likely labels by 0.02 to 0.03.",
        ),
        click.option("--device", metavar="DEVICE", help="cpu, cuda, cuda:1, or auto to shard."),
    ):
        command = option(command)
    return command


def model_options(command: F) -> F:
    """--model, --device, --dtype."""
    return click.option(
        "--model",
        "-m",
        metavar="MODEL",
        help="Hub id, folder or GGUF file. Default: the embedded SmolLM2-135M-Instruct.",
    )(device_options(command))


def prompt_options(command: F) -> F:
    """How the task is put: demonstrations, label order, seed, chat template, opening."""
    for option in (
        click.option(
            "--opening",
            type=click.Choice(["given", "written"]),
            help="Give the model the fixed opening of the answer, or leave it to write.",
        ),
        click.option("--chat/--no-chat", default=None, help="Chat template, or plain text."),
        click.option(
            "--seed", type=number(SEED), help="Seed of shuffled labels and drawn demonstrations."
        ),
        click.option(
            "--label-order",
            type=click.Choice(ORDERS),
            help="Order of the labels in the prompt.",
        ),
        click.option(
            "--choice",
            type=click.Choice(["random", "similar"]),
            help="Demonstrations at random, the same for all, or those most like each record.",
        ),
        click.option(
            "--multi-share",
            type=number(SHARE),
            metavar="SHARE",
            help="Of the demonstrations, with two or more labels; the others have exactly one.",
        ),
        click.option(
            "--demonstrations-file",
            type=click.Path(exists=True, dir_okay=False),
            metavar="FILE",
            help="JSONL of records with `labels` to draw demonstrations from, not the task's own.",
        ),
        click.option(
            "--demonstrations", "-k", type=number(WHOLE), metavar="K", help="How many to show."
        ),
    ):
        command = option(command)
    return command


def refuse_asked(source: str, task: str | None, options: dict[str, Any]) -> None:
    """UsageError for a task or options of the prompt, where saved trees have answered them."""
    names = ("demonstrations", "demonstrations_file", *_AS_NAMED, *_OF_RECORDS)
    given = [f"--{key.replace('_', '-')}" for key in names if options.get(key) is not None]
    if task is not None:
        given = ["--task", *given]
    if given:
        raise click.UsageError(
            f"the trees in {source} were asked their task already: leave out {', '.join(given)}, "
            "or give the records instead"
        )


def load_task(name: str | None, options: dict[str, Any], *, warn: bool = True) -> Task:
    """The task that is named, or that the models were trained on, put as the options say.

    warn: say what its prompt keeps from a model that was not trained on it.
    """
    from labelmass.scoring.warnings import task_warnings
    from labelmass.task import Task

    trained = _trained(options)
    wanted = {
        "k": options.pop("demonstrations"),
        "demonstrations": options.pop("demonstrations_file"),
        **{key: options.pop(key) for key in _AS_NAMED},
    }
    task = _shared_task(trained) if name is None else Task.load(name)
    if any(value is not None for value in wanted.values()):
        task = task.with_options(**wanted)
    for model, own in trained.items():
        if own.hash != task.hash:
            one, other = own.to_dict(), task.to_dict()
            keys = [key for key in one | other if one.get(key) != other.get(key)]
            keys = [key for key in keys if key not in ("name", "description")]
            click.echo(
                f"warning: {model} was trained on {own.name}@{own.hash}, and is asked {task.name}@"
                f"{task.hash}: {', '.join(keys)} differ",
                err=True,
            )
    if warn:
        learnt = [trained[one].hash if one in trained else None for one in _models(options)]
        found = (warning for one in learnt for warning in task_warnings(task, one))
        say_warnings(dict.fromkeys(found))
    return task


def say_warnings(warnings: Iterable[str]) -> None:
    """A line each on stderr."""
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)


def warn_of_training(source: str, options: dict[str, Any]) -> None:
    """Say how many of the records a model was trained on; standard input is not asked."""
    from labelmass.cli.records import fields_of
    from labelmass.lm.adapted import trained_on
    from labelmass.records import count_records, read_records
    from labelmass.task import Record

    for model in _models(options):
        known = frozenset[str]() if model is None else trained_on(model)
        if not known or count_records(source) is None:
            continue
        found = read_records(source, fields=fields_of(options))
        items = (item for _, item in found if isinstance(item, Record))
        if count := sum(record.digest in known for record in items):
            click.echo(
                f"warning: {model} was trained or validated on {count} of the records of {source}",
                err=True,
            )


def _models(options: dict[str, Any]) -> tuple[str | None, ...]:
    """The models named on the command line, None for the embedded one."""
    return options.get("models") or (options.get("model"),)


def warn_of_changes(source: str | Path) -> None:
    """Say where saved trees are not of their file as it is now; nothing where that is not known."""
    from labelmass.errors import LabelMassError
    from labelmass.scoring.saved_trees import SavedTrees, find_saved

    for folder in find_saved(source) if Path(source).is_dir() else ():
        saved = SavedTrees(folder)
        try:
            changes = saved.changes()
        except (LabelMassError, OSError):
            continue  # the file is no input any more
        if changes is not None:
            click.echo(
                f"note: {saved.source} has changed since the trees in {folder} were grown "
                f"({changes}): the command that grew them brings them up to date",
                err=True,
            )


def _trained(options: dict[str, Any]) -> dict[str, Task]:
    """Of each model named on the command line that we trained, its task."""
    from labelmass.lm.adapted import read_note
    from labelmass.task import Task

    notes = {model: read_note(model) for model in _models(options) if model is not None}
    return {model: Task.from_dict(note["task"]) for model, note in notes.items() if note}


def _shared_task(trained: dict[str, Task]) -> Task:
    if not trained:
        raise click.UsageError("name a task: --task emotions (see `labelmass list tasks`)")
    if len({own.hash for own in trained.values()}) > 1:
        raise click.UsageError("the models were trained on different tasks: name one with --task")
    model, task = next(iter(trained.items()))
    click.echo(f"task {task.name}, as {model} was trained on", err=True)
    return task


@dataclass(frozen=True)
class ModelLoader:
    """Where commands get their models; `cli` takes one as its `obj`, for tests with other models.

    load: takes what `labelmass.load` takes.
    """

    load: Callable[..., LanguageModel]


def load_model(
    model: str | None, device: str | None, dtype: str | None, task: Task | None = None
) -> LanguageModel:
    """The model named on the command line, with a word while it loads.

    task: what it will be asked; a word where its chat template would not let it be asked that.
    """
    from rich.console import Console

    from labelmass.lm.load import load
    from labelmass.scoring.warnings import template_warnings

    loader = click.get_current_context().find_object(ModelLoader) or ModelLoader(load)
    with Console(stderr=True).status("loading the model"):
        loaded = loader.load(model, device=device, dtype=dtype)
    gc.freeze()  # a model is no garbage: looking for some in it at the end would take a second
    if note := getattr(loaded, "note", None):
        click.echo(f"note: {note}", err=True)
    if task is not None:
        say_warnings(template_warnings(task, loaded))
    return loaded


def announce(forecast: Any) -> None:
    """What a plan takes, before it starts, where that is more than one prompt a record."""
    if forecast.prompts > 1:
        click.echo(f"this asks {forecast}", err=True)
