"""`labelmass list`: the tasks, guards, methods and models that can be named."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from labelmass.cli.declare import as_command
from labelmass.cli.options import JsonOptions, TaskOptions


@click.group("list")
def command() -> None:
    """List the tasks, guards, methods and models that can be named.

    \b
    Example:
      labelmass list tasks
    """


@as_command("tasks", command)
def tasks(output: JsonOptions) -> None:
    """List the tasks that come with labelmass.

    \b
    Example:
      labelmass list tasks
    """
    from labelmass.task import Task, presets

    if output.json:
        click.echo(json.dumps(presets(), ensure_ascii=False))
        return
    for preset, about in presets().items():
        click.echo(f"{preset:<20}{len(Task.load(preset).labels):>4} labels  {about}")


@as_command("guards", command)
def guards(output: JsonOptions) -> None:
    """List the guard models that can be asked in their own words.

    \b
    Example:
      labelmass list guards
    """
    from labelmass.task.guard import guards as profiles

    if output.json:
        click.echo(json.dumps(profiles(), ensure_ascii=False))
        return
    for name, about in profiles().items():
        click.echo(f"{name:<22}{about}")


@as_command("methods", command)
def methods(task: TaskOptions, output: JsonOptions) -> None:
    """List the methods, with their sources and costs.

    With --task also what each takes for a record of it: prompts exactly, rows at most; or why the
    task's format cannot give it.

    \b
    Example:
      labelmass list methods --task llama-guard-3
    """
    from labelmass.estimators import ESTIMATORS, selection
    from labelmass.scoring.forecast import Forecast
    from labelmass.scoring.plan import Plan
    from labelmass.supervised import ABOUT

    asked = None if task.names_none else task.load()
    rows: list[dict[str, Any]] = []
    for e in ESTIMATORS.values():
        row: dict[str, Any] = {"name": e.name, "summary": e.summary}
        row |= {"source": e.source, "cost": e.cost}
        if asked is not None:
            row["unavailable"] = reason = e.reason_against(asked)
            if reason is None:
                row["forecast"] = asdict(Plan(asked, [e.name]).forecast)
        rows.append(row)
    rows += [
        {"name": name, "summary": about, "source": selection.SOURCE, "cost": selection.COST}
        for name, about in selection.ABOUT.items()
    ]
    rows += [
        {"name": name, "summary": about, "source": source, "cost": f"`labelmass {command}` before"}
        for name, (about, source, command) in ABOUT.items()
    ]
    if output.json:
        click.echo(json.dumps(rows, ensure_ascii=False))
        return
    for row in rows:
        click.secho(f"{row['name']}", bold=True)
        click.echo(f"    {row['summary']}")
        click.echo(f"    cost: {row['cost']}; source: {row['source']}")
        if "forecast" in row:
            click.echo(f"    takes {Forecast(**row['forecast'])}")
        if row.get("unavailable"):
            click.secho(f"    not for this task: {row['unavailable']}", fg="yellow")


@as_command("models", command)
def models() -> None:
    """List the models that need no download, and what else can be named.

    \b
    Example:
      labelmass list models
    """
    from labelmass.lm.load import MODELS

    for name, about in MODELS.items():
        click.echo(f"{name:<12}{about}")
    click.echo("a hub id    for example meta-llama/Llama-Guard-3-8B, if it is in the hub cache")
    click.echo("a folder    that holds a transformers model, or what `labelmass train` wrote")
    click.echo("a file      model.gguf, converted once and cached")
