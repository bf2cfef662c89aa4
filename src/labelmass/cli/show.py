"""`labelmass show`: a task, the prompts that a model reads, or a completion script."""

from __future__ import annotations

import json

import click

from labelmass.cli import completions
from labelmass.cli.declare import as_command
from labelmass.cli.models import load_model, load_task, say_warnings
from labelmass.cli.options import CuttingOptions, JsonOptions, ModelOptions, PromptOptions
from labelmass.cli.progress import say
from labelmass.cli.prompts import prompts_of
from labelmass.cli.records import read_source
from labelmass.task.record import Fields


@click.group("show")
def command() -> None:
    """Show a task, the exact prompts that a model reads, or a completion script.

    \b
    Example:
      labelmass show task llama-guard-3
    """


@as_command("task", command)
@click.argument("name", shell_complete=completions.tasks)
def task(name: str, output: JsonOptions) -> None:
    """Show a task: its labels, and how answers are written. NAME is a preset or a TOML file.

    \b
    Example:
      labelmass show task llama-guard-3
    """
    from labelmass.scoring.warnings import task_warnings
    from labelmass.task import Task

    shown = Task.load(name)
    say_warnings(task_warnings(shown))
    if output.json:
        click.echo(json.dumps(shown.to_dict(), ensure_ascii=False, indent=1))
        return
    click.secho(f"{shown.name}: {shown.description}", bold=True)
    for label in shown.labels:
        code = f"{label.code}  " if label.code else ""
        about = f": {label.description}" if label.description else ""
        click.echo(f"  {code}{label.name}{about}")
    click.echo(f"answer, two labels   {shown.answer(shown.label_names[:2])!r}")
    if shown.format.empty is not None:
        click.echo(f"answer, no label     {shown.answer([])!r}")
    click.echo(f"hash                 {shown.hash}")


@as_command("prompt", command)
@click.argument("source", metavar="INPUT", shell_complete=completions.files)
def prompt(
    source: str,
    prompt: PromptOptions,
    model: ModelOptions,
    records: Fields,
    cutting: CuttingOptions,
    output: JsonOptions,
) -> None:
    """Print the exact prompt text and token ids that each record of INPUT is scored with.

    Last, how many tokens all prompts begin with: those are computed once.

    \b
    Example:
      labelmass show prompt texts.jsonl --task llama-guard-3 --json
    """
    from labelmass.lm.base import common_length

    chosen = load_task(prompt, model, fields=records)
    loaded = load_model(model.model, model, chosen)
    shared, count = list[int](), 0
    items = read_source(source, records)
    for result in prompts_of(items, chosen, loaded, cutting.max_text_tokens):
        if result.error is None:
            ids = list(result.token_ids)
            shared, count = ids[: common_length([shared, ids] if count else [ids])], count + 1
        if output.json:
            click.echo(json.dumps(result.to_dict(), ensure_ascii=False))
        else:
            result.show()
    if count > 1:
        say(f"{count} prompts begin with the same {len(shared)} tokens")


@as_command("completions", command)
@click.argument("shell", type=click.Choice(completions.SHELLS))
def completions_(shell: str) -> None:
    """Print the script that makes a shell complete labelmass's commands, options and names.

    \b
    Examples:
      labelmass show completions bash > ~/.local/share/bash-completion/completions/labelmass
      labelmass show completions zsh > "${fpath[1]}/_labelmass"
      labelmass show completions fish > ~/.config/fish/completions/labelmass.fish
    """
    click.echo(completions.completion_script(shell))
