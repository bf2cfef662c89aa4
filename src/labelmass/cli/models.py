"""`labelmass models`: where probabilities can come from."""

from __future__ import annotations

import click


@click.command("models")
def command() -> None:
    """List the models that need no download, and what else can be named.

    \b
    Example:
      labelmass models
    """
    from labelmass.lm.load import MODELS

    for name, about in MODELS.items():
        click.echo(f"{name:<12}{about}")
    click.echo("a hub id    for example meta-llama/Llama-Guard-3-8B, if it is in the hub cache")
    click.echo("a folder    that holds a transformers model, or what `labelmass train` wrote")
    click.echo("a file      model.gguf, converted once and cached")
