"""`labelmass explain`: why a label got its probability."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import click

from labelmass._ranges import SHARE
from labelmass._settings import setting
from labelmass._types import Normalisation
from labelmass.answers.search import Budget
from labelmass.cli.declare import as_command
from labelmass.cli.models import load_model, load_task, warn_of_changes
from labelmass.cli.options import ModelOptions, PromptOptions, normalise_setting
from labelmass.cli.progress import say
from labelmass.scoring.saved_trees import is_saved
from labelmass.workflows.explanation import explain, saved_explanation


@dataclass(frozen=True, kw_only=True)
class Drawing:
    section: ClassVar[str] = "Drawing"

    id: str | None = setting(None, "Id of the record, for a folder of saved trees.", metavar="ID")
    normalise: Normalisation = normalise_setting()
    min_mass: float = setting(0.01, "Smallest mass that is drawn.", within=SHARE)
    svg: str | None = setting(None, "File for the drawing.", path="new file")


@as_command("explain")
@click.argument("text", metavar="TEXT")
def command(
    text: str, prompt: PromptOptions, model: ModelOptions, budget: Budget, drawing: Drawing
) -> None:
    """Draw the tree of answers: masses, the greedy path, and each step's label distribution.

    TEXT is the text itself, or a folder that --keep-trees wrote.

    \b
    Examples:
      labelmass explain "We won, I can't believe it!" --task emotions
      labelmass explain trees/ --id 7 --svg tree.svg
    """
    from rich.console import Console

    from labelmass.cli.drawing import drawing as draw
    from labelmass.cli.drawing import save_svg

    if is_saved(text):
        warn_of_changes(text)
        explored = saved_explanation(text, drawing.id)
    else:
        task = load_task(prompt, model)
        loaded = load_model(model.model, model, task)
        explored = explain(text, task, loaded, budget=budget, normalise=drawing.normalise)
    console = Console(record=drawing.svg is not None)
    console.print(draw(explored, drawing.normalise, drawing.min_mass))
    if drawing.svg is not None:
        save_svg(console, Path(drawing.svg), f"labelmass explain: {explored.record.id}")
        say(f"saved {drawing.svg}")
