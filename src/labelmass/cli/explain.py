"""`labelmass explain`: why a label got its probability."""

from __future__ import annotations

from typing import Any

import click

from labelmass._ranges import POSITIVE, SHARE
from labelmass.cli.numbers import number
from labelmass.cli.options import (
    NORMALISATIONS,
    load_model,
    load_task,
    model_options,
    prompt_options,
    task_option,
    warn_of_changes,
)


@click.command("explain")
@click.argument("text", metavar="TEXT")
@task_option
@model_options
@click.option("--id", "identity", metavar="ID", help="With a folder of saved trees: which record.")
@click.option("--tolerance", type=number(POSITIVE), default=0.01, show_default=True)
@click.option("--normalise", type=click.Choice(NORMALISATIONS), default="raw", show_default=True)
@click.option(
    "--min-mass",
    "least",
    type=number(SHARE),
    default=0.01,
    show_default=True,
    help="Smallest mass drawn.",
)
@click.option("--svg", type=click.Path(dir_okay=False), help="Save the drawing.")
@prompt_options
def command(text: str, task: str | None, least: float, svg: str | None, **options: Any) -> None:
    """Draw the tree of answers: masses, the greedy path, and each step's label distribution.

    TEXT is the text itself, or a folder that --keep-trees wrote.

    \b
    Examples:
      labelmass explain "We won, I can't believe it!" --task emotions
      labelmass explain trees/ --id 7 --svg tree.svg
    """
    from rich.console import Console

    from labelmass.cli.drawing import drawing

    explored, normalisation = _explored(text, task, options)
    console = Console(record=svg is not None)
    console.print(drawing(explored, normalisation, least))
    if svg is not None:
        console.save_svg(svg, title=f"labelmass explain: {explored.record.id}")
        click.echo(f"saved {svg}", err=True)


def _explored(text: str, name: str | None, options: dict[str, Any]):
    """The tree to draw: one just grown, or one that was saved."""
    from labelmass._types import Normalisation
    from labelmass.scoring.saved_trees import is_saved
    from labelmass.workflows.explanation import explain, saved_explanation

    normalisation = Normalisation(options["normalise"])
    if is_saved(text):
        warn_of_changes(text)
        return saved_explanation(text, options["identity"]), normalisation
    task = load_task(name, options)
    model = load_model(options["model"], options["device"], options["dtype"], task)
    tolerance, normalise = options["tolerance"], options["normalise"]
    found = explain(text, task, model, tolerance=tolerance, normalise=normalise)
    return found, normalisation
