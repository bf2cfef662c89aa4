"""Explanation of a label's probability: the tree of answers to one text."""

from __future__ import annotations

from pathlib import Path

from labelmass.answers.search import Budget
from labelmass.errors import LabelMassError, RecordError
from labelmass.lm.base import LanguageModel
from labelmass.lm.load import as_model
from labelmass.scores import Failure
from labelmass.scoring.explorer import ExploredRecord, Explorer
from labelmass.scoring.plan import Plan
from labelmass.scoring.prompt_choice import choose_prompt
from labelmass.scoring.saved_trees import SavedTrees
from labelmass.task import Record, Task


def explain(
    text: str | Record,
    task: Task | str | Path,
    model: LanguageModel | str | Path | None = None,
    *,
    tolerance: float = 0.01,
    budget: Budget | None = None,
    normalise: str = "raw",
) -> ExploredRecord:
    """The tree of answers to a text, grown so that every method can be read off it.

    Args:
        tolerance: Tolerance of the budget, where no budget is given.

    Raises:
        RecordError: If the text cannot be explored.
    """
    task = Task.of(task)
    model = as_model(model)
    task = choose_prompt(task, model)
    budget = budget or Budget(tolerance=tolerance)
    plan = Plan(task, budget=budget, normalisation=normalise, every_method=True)
    explorer = Explorer(
        model,
        task,
        budget=plan.budget,
        requirements=plan.requirements,
        normalisation=plan.normalisation,
    )
    record = text if isinstance(text, Record) else Record(id=1, text=text)
    ((_, _, outcome),) = explorer.explore([(1, record)])
    if isinstance(outcome, RecordError):
        raise outcome
    return outcome


def saved_explanation(trees: str | Path, name: str | None = None) -> ExploredRecord:
    """The tree of a record from a folder of saved trees; the first one if no id is named.

    Raises:
        RecordError: For a record without a tree, LabelMassError where there is no such record.
    """
    for kept in SavedTrees(trees):
        if isinstance(kept, Failure):
            if str(kept.id) == name:
                raise RecordError(f"record {kept.id} has no tree: {kept.error}")
        elif name is None or str(kept.record.id) == name:
            return kept
    raise LabelMassError(f"no record {name or 'at all'!r} among the trees of {trees}")
