"""`labelmass tasks`: what can be asked."""

from __future__ import annotations

import json

import click

from labelmass.cli.options import say_warnings


@click.command("tasks")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(name: str | None, as_json: bool) -> None:
    """List the tasks that come with labelmass, or show one.

    \b
    Examples:
      labelmass tasks
      labelmass tasks llama-guard-3
    """
    from labelmass.scoring.warnings import task_warnings
    from labelmass.task import Task, presets

    if name is None:
        if as_json:
            click.echo(json.dumps(presets(), ensure_ascii=False))
            return
        for preset, about in presets().items():
            click.echo(f"{preset:<20}{len(Task.load(preset).labels):>4} labels  {about}")
        return
    task = Task.load(name)
    say_warnings(task_warnings(task))
    if as_json:
        click.echo(json.dumps(task.to_dict(), ensure_ascii=False, indent=1))
        return
    click.secho(f"{task.name}: {task.description}", bold=True)
    for label in task.labels:
        code = f"{label.code}  " if label.code else ""
        about = f": {label.description}" if label.description else ""
        click.echo(f"  {code}{label.name}{about}")
    click.echo(f"answer, two labels   {task.answer(task.label_names[:2])!r}")
    if task.format.none is not None:
        click.echo(f"answer, no label     {task.answer([])!r}")
    click.echo(f"hash                 {task.hash}")
