"""`labelmass methods`: what can be read off a tree."""

from __future__ import annotations

import json

import click

from labelmass.cli.options import task_option


@click.command("methods")
@task_option
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(task: str | None, as_json: bool) -> None:
    """List the methods, with their sources and costs; with --task, whether it can give them.

    \b
    Example:
      labelmass methods --task llama-guard-3
    """
    from labelmass.estimators import ESTIMATORS
    from labelmass.task import Task

    fmt = Task.load(task).format if task else None
    rows = [
        {
            "name": e.name,
            "summary": e.summary,
            "source": e.source,
            "cost": e.cost,
            "unavailable": e.gap(fmt) if fmt else None,
        }
        for e in ESTIMATORS.values()
    ]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False))
        return
    for row in rows:
        click.secho(f"{row['name']}", bold=True)
        click.echo(f"    {row['summary']}")
        click.echo(f"    cost: {row['cost']}; source: {row['source']}")
        if row["unavailable"]:
            click.secho(f"    not for this task: {row['unavailable']}", fg="yellow")
