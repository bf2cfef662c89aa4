"""`labelmass explain`: why a label got its probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import click

from labelmass._ranges import SHARE
from labelmass._settings import setting
from labelmass._types import Normalisation
from labelmass.answers.search import Budget
from labelmass.cli import completions
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
@click.argument("text", metavar="TEXT", shell_complete=completions.files)
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

    shown: dict[str, Any] = {"normalise": drawing.normalise, "min_mass": drawing.min_mass}
    if is_saved(text):
        warn_of_changes(text)
        explanation = saved_explanation(text, drawing.id, **shown)
    else:
        task = load_task(prompt, model)
        loaded = load_model(model.model, model, task)
        explanation = explain(text, task, loaded, budget=budget, **shown)
    Console().print(explanation)
    if drawing.svg is not None:
        explanation.save_svg(drawing.svg)
        say(f"saved {drawing.svg}")
