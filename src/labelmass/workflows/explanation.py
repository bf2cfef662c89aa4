"""Explanation of a label's probability: the tree of answers to one text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Group, RenderableType

from labelmass._ranges import SHARE
from labelmass._types import Normalisation
from labelmass.answers.search import Budget
from labelmass.errors import LabelMassError, RecordError
from labelmass.lm.base import LanguageModel
from labelmass.lm.load import as_model
from labelmass.present.terminal import plain_text, save_svg
from labelmass.scores import Failure
from labelmass.scoring.explorer import ExploredRecord
from labelmass.scoring.plan import Plan
from labelmass.scoring.prompt_choice import choose_prompt
from labelmass.scoring.saved_trees import SavedTrees
from labelmass.task import Record, Task
from labelmass.task.questions import ANSWER
from labelmass.workflows.tree_drawing import drawing


@dataclass(frozen=True, slots=True, repr=False)
class Explanation(ExploredRecord):
    """A record with its tree of answers, which prints as a drawing of the tree.

    `print` and `repr` give plain text, a notebook shows it in colour, and so does `rich.print`.

    Attributes:
        normalisation: Of the masses that are drawn.
        min_mass: Smallest mass that is drawn.
    """

    normalisation: Normalisation = Normalisation.RAW
    min_mass: float = 0.01

    def save_svg(self, path: str | Path) -> None:
        """Write the drawing as an SVG image."""
        save_svg(self, path, f"labelmass explain: {self.record.id}")

    def __rich__(self) -> RenderableType:
        trees = [tree for name, tree in self.trees.items() if name[0] == ANSWER[0]]
        return Group(
            *(drawing(self.record, tree, self.normalisation, self.min_mass) for tree in trees)
        )

    def __str__(self) -> str:
        return plain_text(self)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        """The drawing, for a notebook."""
        from labelmass.present.notebook import drawing_html

        return drawing_html(self)


def explain(
    text: str | Record,
    task: Task | str | Path,
    model: LanguageModel | str | Path | None = None,
    *,
    tolerance: float = 0.01,
    budget: Budget | None = None,
    normalise: str = "raw",
    min_mass: float = 0.01,
) -> Explanation:
    """The tree of answers to a text, grown so that every method can be read off it.

    Args:
        tolerance: Tolerance of the budget, where no budget is given.
        min_mass: Smallest mass that is drawn.

    Raises:
        RecordError: If the text cannot be explored.
        LabelMassError: If `min_mass` is no share.
    """
    SHARE.check("min_mass", min_mass)
    task = Task.of(task)
    model = as_model(model)
    task = choose_prompt(task, model)
    budget = budget or Budget(tolerance=tolerance)
    plan = Plan(task, budget=budget, normalisation=normalise, every_method=True)
    explorer = plan.explorer(model)
    record = text if isinstance(text, Record) else Record(id=1, text=text)
    ((_, _, outcome),) = explorer.explore([(1, record)])
    if isinstance(outcome, RecordError):
        raise outcome
    return _explanation(outcome, plan.normalisation, min_mass)


def saved_explanation(
    trees: str | Path,
    name: str | None = None,
    *,
    normalise: Normalisation = Normalisation.RAW,
    min_mass: float = 0.01,
) -> Explanation:
    """The tree of a record from a folder of saved trees; the first one if no id is named.

    Args:
        min_mass: Smallest mass that is drawn.

    Raises:
        RecordError: For a record without a tree, LabelMassError where there is no such record.
    """
    for kept in SavedTrees(trees):
        if isinstance(kept, Failure):
            if str(kept.id) == name:
                raise RecordError(f"record {kept.id} has no tree: {kept.error}")
        elif name is None or str(kept.record.id) == name:
            return _explanation(kept, normalise, min_mass)
    raise LabelMassError(f"no record {name or 'at all'!r} among the trees of {trees}")


def _explanation(
    explored: ExploredRecord, normalisation: Normalisation, min_mass: float
) -> Explanation:
    return Explanation(explored.record, explored.trees, explored.cost, normalisation, min_mass)
