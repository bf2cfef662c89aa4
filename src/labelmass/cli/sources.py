"""`labelmass sources`: the public datasets that can be brought in, and their maps."""

from __future__ import annotations

import json
from dataclasses import asdict

import click


@click.command("sources")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(name: str | None, as_json: bool) -> None:
    """List the datasets that `labelmass import` reads, or show one of them, or a map of labels.

    \b
    Examples:
      labelmass sources
      labelmass sources convabuse
      labelmass sources beavertails-llama-guard-3 > mine.toml
    """
    from labelmass.datasets.sources import SOURCES
    from labelmass.datasets.sources.maps import open_map, shipped_maps
    from labelmass.errors import LabelMassError

    maps = shipped_maps()
    if name in maps:
        click.echo(open_map(name).text, nl=False)
        return
    if name is not None and name not in SOURCES:
        raise LabelMassError(f"no source {name!r}: one of {', '.join([*SOURCES, *maps])}")
    shown = [SOURCES[name]] if name else list(SOURCES.values())
    if as_json:
        told = [{k: v for k, v in asdict(source).items() if k != "read"} for source in shown]
        click.echo(json.dumps(told, ensure_ascii=False, indent=1))
        return
    if name is None:
        for source in shown:
            click.echo(f"{source.name:<21}{source.summary}")
        for each, about in maps.items():
            click.echo(f"{each}\n    {about}")
        return
    (source,) = shown
    click.secho(f"{source.name}: {source.summary}", bold=True)
    click.echo(f"from      {source.home}\nlicence   {source.licence}\nfiles     {source.files}")
    for rule in source.rules:
        click.echo(f"  - {rule}")
