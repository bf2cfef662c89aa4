"""The task and the models that a command line names."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from labelmass.cli.options import AnyModelOptions, ModelsOptions, PromptOptions
from labelmass.cli.progress import say, show_status, track_progress
from labelmass.errors import LabelMassError
from labelmass.lm.base import LanguageModel
from labelmass.lm.servers.address import is_address
from labelmass.records import read_records
from labelmass.scoring.forecast import Forecast
from labelmass.scoring.prompt_choice import PromptTrial, choose_prompt
from labelmass.scoring.warnings import task_warnings, template_warnings
from labelmass.task import Record, Task
from labelmass.task.record import Fields

_LOADED = "labelmass.loaded"
"""Key of the context's `meta` for a model that was loaded to choose its prompt, and its name."""

Names = Sequence[str | None]
"""Models as they are named, None for the embedded one."""


@dataclass(frozen=True)
class ModelLoader:
    """Source of the commands' models; `cli` takes one as its `obj`, so that tests can replace it.

    load: takes what `labelmass.load` takes.
    """

    load: Callable[..., LanguageModel]


def names_of(model: AnyModelOptions) -> Names:
    if isinstance(model, ModelsOptions):
        return model.models or (None,)
    return (model.model,)


def load_task(
    prompt: PromptOptions,
    options: AnyModelOptions | None = None,
    *,
    fields: Fields | None = None,
    warn: bool = True,
) -> Task:
    """The task that is named, or that the models were trained on, put as the options say.

    options: the models that it is asked of; what it leaves open is chosen for the first of them.
    fields: names of text and labels in a file of demonstrations.
    warn: say what its prompt keeps from a model that was not trained on it.
    """
    models: Names = () if options is None else names_of(options)
    if prompt.guard == "auto" and options is not None:
        models = [_served_name(name, options) for name in models]
    trained = _trained_tasks(models)
    named = _shared_task(trained) if trained and prompt.names_none else prompt.load(models)
    task = prompt.put(named, fields)
    if options is not None and task.open_keys:
        first, *_ = names_of(options)
        model = load_model(first, options)
        click.get_current_context().meta[_LOADED] = first, model  # for `load_model`
        task = choose_prompt(task, model, watch=watch_choice, say=say)
    for model, own in trained.items():
        if own.hash != task.hash:
            one, other = own.to_dict(), task.to_dict()
            keys = [key for key in one | other if one.get(key) != other.get(key)]
            keys = [key for key in keys if key not in ("name", "description")]
            say(
                f"warning: {model} was trained on {own.name}@{own.hash}, and is asked {task.name}@"
                f"{task.hash}: {', '.join(keys)} differ"
            )
    if warn:
        learnt = [trained[one].hash if one in trained else None for one in models]
        results = (warning for one in learnt for warning in task_warnings(task, one))
        say_warnings(dict.fromkeys(results))
    return task


def _served_name(name: str | None, options: AnyModelOptions) -> str | None:
    """A model's name, or of a server the name of the model behind it."""
    if name is None or not is_address(name):
        return name
    model = load_model(name, options)
    click.get_current_context().meta[_LOADED] = name, model  # for `load_model`
    return model.name


def _trained_tasks(models: Names) -> dict[str, Task]:
    """Tasks of the models that were trained with labelmass, by model."""
    from labelmass.lm.adapted import read_note

    notes = {model: read_note(model) for model in models if model is not None}
    return {model: Task.from_dict(note["task"]) for model, note in notes.items() if note}


def _shared_task(trained: dict[str, Task]) -> Task:
    if len({own.hash for own in trained.values()}) > 1:
        raise click.UsageError("the models were trained on different tasks: name one with --task")
    model, task = next(iter(trained.items()))
    say(f"task {task.name}, as {model} was trained on")
    return task


def reject_prompt_options(
    source: str,
    prompt: PromptOptions,
    records: Fields,
    max_text_tokens: int | None = None,
    limit_records: int | None = None,
) -> None:
    """UsageError for a task or options of the prompt, where saved trees have answered them."""
    given = {
        **{name.replace("_", "-"): value for name, value in vars(prompt).items()},
        "text-column": records.text,
        "id-column": records.id,
        "labels-column": records.labels,
        "sheet": records.sheet,
        "max-text-tokens": max_text_tokens,
        "limit-records": limit_records,
        "accept-template": prompt.accept_template or None,
    }
    if flags := [f"--{name}" for name, value in given.items() if value not in (None, ())]:
        raise click.UsageError(
            f"the trees in {source} were asked their task already: leave out {', '.join(flags)}, "
            "or give the records instead"
        )


def load_model(
    name: str | None, options: AnyModelOptions, task: Task | None = None
) -> LanguageModel:
    """A model, with a word while it loads.

    task: what it will be asked; a word where its chat template would not let it be asked that.
    """
    kept, model = click.get_current_context().meta.pop(_LOADED, (None, None))
    loaded = model if model is not None and kept == name else _load(name, options)
    if task is not None:
        say_warnings(template_warnings(task, loaded))
    return loaded


def _load(name: str | None, options: AnyModelOptions) -> LanguageModel:
    from labelmass.lm.load import load

    loader = click.get_current_context().find_object(ModelLoader) or ModelLoader(load)
    given = {key: value for key, value in vars(options).items() if value is not None}
    chosen = {key: value for key, value in given.items() if key not in ("model", "models")}
    with show_status("loading the model") as update:
        loaded = loader.load(name, **chosen, say=update)
    gc.freeze()  # a model is no garbage: looking for some in it at the end would take a second
    if note := getattr(loaded, "note", None):
        say(f"note: {note}")
    return loaded


def watch_choice(steps: Iterable[PromptTrial], total: int) -> Iterator[PromptTrial]:
    """Show the progress of a choice of a prompt."""
    return track_progress(steps, total, title="trying prompts", unit="prompts")


@dataclass(frozen=True)
class Models:
    """The models named, each loaded when it is its turn."""

    options: ModelsOptions
    task: Task | None

    def __len__(self) -> int:
        return len(names_of(self.options))

    def __iter__(self) -> Iterator[LanguageModel]:
        for name in names_of(self.options):
            yield load_model(name, self.options, self.task)


def say_warnings(warnings: Iterable[str]) -> None:
    """A line each on stderr."""
    for warning in warnings:
        say(f"warning: {warning}")


def warn_of_training(source: str, models: Names, records: Fields) -> None:
    """Say how many of the records a model was trained on; standard input is not asked."""
    from labelmass.lm.adapted import trained_on

    for model in models:
        known = frozenset[str]() if model is None else trained_on(model)
        if not known or str(source) == "-":
            continue
        items = (item for _, item in read_records(source, fields=records))
        if count := sum(item.digest in known for item in items if isinstance(item, Record)):
            say(f"warning: {model} was trained or validated on {count} of the records of {source}")


def warn_of_changes(source: str | Path) -> None:
    """Say where saved trees are not of their file as it is now; nothing where that is not known."""
    from labelmass.scoring.saved_trees import SavedTrees, find_saved
    from labelmass.workflows.runs import is_run

    for folder in find_saved(source) if is_run(source) else ():
        saved = SavedTrees(folder)
        try:
            changes = saved.changes()
        except (LabelMassError, OSError):
            continue  # the file is no input any more
        if changes is not None:
            say(
                f"note: {saved.source} has changed since the trees in {folder} were grown "
                f"({changes}): the command that grew them brings them up to date"
            )


def print_forecast(forecast: Forecast) -> None:
    """Print a plan's cost before it starts, if it needs more than one prompt a record."""
    if forecast.prompts > 1:
        say(f"this asks {forecast}")
