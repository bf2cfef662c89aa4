"""Warnings of what a task and a model make of each other, before anything is scored."""

from __future__ import annotations

from labelmass.lm.base import LanguageModel
from labelmass.lm.guard_template import wraps_in_guard
from labelmass.task import Task


def task_warnings(task: Task, trained_for: str | None = None) -> tuple[str, ...]:
    """Warnings on what the prompt does not show a model; none for a model trained on the task.

    trained_for: the hash of the task that the model was trained on; demonstrations may differ, as
        training shows none by default.
    """
    if trained_for in (task.hash, task.with_options(k=0).hash):
        return ()
    return tuple(f"task {task.name!r}: {warning}" for warning in task.warnings)


def template_warnings(task: Task, model: LanguageModel) -> tuple[str, ...]:
    """True if the model's chat template would take the task's prompt for a message to be judged."""
    if not task.chat or not wraps_in_guard(model.tokenizer):
        return ()
    return (
        f"the chat template of {model.name} is a guard's own: it would put the whole prompt of "
        f"task {task.name!r} into its instruction, as the message to be judged. Write the prompt "
        "that this model expects as plain text, with chat = false (--no-chat), or take a model "
        "that is no guard",
    )


def scoring_warnings(task: Task, model: LanguageModel) -> tuple[str, ...]:
    """All that may make the scores of this task by this model useless."""
    trained_for: str | None = getattr(model, "trained_for", None)
    return task_warnings(task, trained_for) + template_warnings(task, model)
