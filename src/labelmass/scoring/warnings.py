"""Warnings of what a task and a model make of each other, before anything is scored."""

from __future__ import annotations

from labelmass.lm.base import LanguageModel
from labelmass.lm.guard_template import PROBE, wraps_in_guard
from labelmass.scoring.guard_check import check_template, self_test_warnings
from labelmass.task import Record, Task
from labelmass.task.guard import Guard


def task_warnings(task: Task, trained_for: str | None = None) -> tuple[str, ...]:
    """Warnings on what the prompt does not show a model; none for a model trained on the task.

    trained_for: the hash of the task that the model was trained on; demonstrations may differ, as
        training shows none by default.
    """
    if trained_for in (task.hash, task.with_options(k=0).hash):
        return ()
    return tuple(f"task {task.name!r}: {warning}" for warning in task.warnings)


def template_warnings(task: Task, model: LanguageModel) -> tuple[str, ...]:
    """Warnings of a chat template that puts another question than the task's.

    Raises:
        ModelError: If the template is not the one that a guard was made for.
    """
    if isinstance(task, Guard):
        check_template(task, model)
        if task.turns != "record" and not _asks(task, model):
            return (
                f"guard {task.name!r} leaves its question to the chat template of the model, and "
                f"that of {model.name} asks none: take the guard that the model is",
            )
        return self_test_warnings(task, model)
    if not task.chat or not wraps_in_guard(model.tokenizer):
        return ()
    return (
        f"the chat template of {model.name} is a guard's own: it would put the whole prompt of "
        f"task {task.name!r} into its instruction, as the message to be judged. Ask it as its "
        "makers do with --guard (see `labelmass list guards`), write the prompt that it expects as "
        "plain text, with chat = false (--no-chat), or take a model that is no guard",
    )


def _asks(guard: Guard, model: LanguageModel) -> bool:
    """True if the model's chat template asks the question that a guard leaves to it."""
    first = next(iter(guard.passes.values()))
    probe = Record(0, text=PROBE)
    if "prompt" not in guard.judges:
        probe = Record(0, prompt="?", response=PROBE)
    return wraps_in_guard(model.tokenizer, first.prompt(probe))


def scoring_warnings(task: Task, model: LanguageModel) -> tuple[str, ...]:
    """All that may make the scores of this task by this model useless."""
    trained_for: str | None = getattr(model, "trained_for", None)
    return task_warnings(task, trained_for) + template_warnings(task, model)
