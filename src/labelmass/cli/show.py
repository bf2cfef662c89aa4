"""`labelmass show`: a task, or the prompts that a model reads."""

from __future__ import annotations

import json
from typing import Any

import click

from labelmass.cli.options import (
    load_model,
    load_task,
    model_options,
    prompt_options,
    say_warnings,
    task_option,
)
from labelmass.cli.records import cutting_option, read_source, records_options


@click.group("show")
def command() -> None:
    """Show a task, or the exact prompts that a model reads.

    \b
    Example:
      labelmass show task llama-guard-3
    """


@command.command("task")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def task(name: str, as_json: bool) -> None:
    """Show a task: its labels, and how answers are written. NAME is a preset or a TOML file.

    \b
    Example:
      labelmass show task llama-guard-3
    """
    from labelmass.scoring.warnings import task_warnings
    from labelmass.task import Task

    shown = Task.load(name)
    say_warnings(task_warnings(shown))
    if as_json:
        click.echo(json.dumps(shown.to_dict(), ensure_ascii=False, indent=1))
        return
    click.secho(f"{shown.name}: {shown.description}", bold=True)
    for label in shown.labels:
        code = f"{label.code}  " if label.code else ""
        about = f": {label.description}" if label.description else ""
        click.echo(f"  {code}{label.name}{about}")
    click.echo(f"answer, two labels   {shown.answer(shown.label_names[:2])!r}")
    if shown.format.none is not None:
        click.echo(f"answer, no label     {shown.answer([])!r}")
    click.echo(f"hash                 {shown.hash}")


@command.command("prompt")
@click.argument("source", metavar="INPUT")
@task_option
@model_options
@click.option("--json", "as_json", is_flag=True, help="A line each: id, text, token_ids.")
@records_options
@cutting_option
@prompt_options
def prompt(source: str, task: str | None, as_json: bool, **options: Any) -> None:
    """Print the exact prompt text and token ids that each record of INPUT is scored with.

    Last, how many tokens all prompts begin with: those are computed once.

    \b
    Example:
      labelmass show prompt texts.jsonl --task llama-guard-3 --json
    """
    from labelmass.answers.boundary import Joint
    from labelmass.errors import RecordError
    from labelmass.lm.base import common_length
    from labelmass.records import BadRecord
    from labelmass.scoring.cutting import cut_texts

    chosen = load_task(task, options)
    model = load_model(options["model"], options["device"], options["dtype"], chosen)
    joint = Joint(chosen, model.tokenizer)
    shared, count = list[int](), 0
    for _, record in read_source(source, options):
        if isinstance(record, BadRecord):
            found: dict[str, Any] = {"id": record.id, "error": record.error}
        else:
            try:
                if options["max_text_tokens"] is not None:
                    record = cut_texts(record, model.tokenizer, options["max_text_tokens"])
                start = joint.start(record)
                text = joint.text(record, start)
                found = {"id": record.id, "text": text, "token_ids": list(start.ids)}
                both = [shared, start.ids] if count else [start.ids]
                shared, count = list(start.ids[: common_length(both)]), count + 1
            except RecordError as error:
                found = {"id": record.id, "error": str(error)}
        if as_json:
            click.echo(json.dumps(found, ensure_ascii=False))
            continue
        click.secho(f"--- {found['id']}", fg="cyan")
        if "error" in found:
            click.secho(found["error"], fg="red")
            continue
        click.echo(found["text"])
        click.secho(f"{len(found['token_ids'])} tokens: {found['token_ids']}", dim=True)
    if count > 1:
        click.echo(f"{count} prompts begin with the same {len(shared)} tokens", err=True)
