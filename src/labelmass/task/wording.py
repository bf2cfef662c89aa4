"""Wording of a task's other questions: is one label reasonable, which of two is better."""

from __future__ import annotations

from pydantic import Field, model_validator

from labelmass.task.keys import TaskPart
from labelmass.task.record import check_template


class UnaryWording(TaskPart):
    """Wording of the question whether one label is reasonable (keys of the table `unary`).

    instruction: as the task's own, with `{labels}` and `{label_names}`.
    question: stands below the record, with `{label}`.
    yes, no: the two answers. k: demonstrations, half with a label the record has, half with one it
    has not; drawn from the task's.
    """

    instruction: str = (
        "Is the given label a reasonable one for the text? The labels there are:\n\n{labels}\n\n"
        "Answer with one word, reasonable or unreasonable."
    )
    question: str = "\n\nLabel: {label}\nReasonable or unreasonable?"
    yes: str = "reasonable"
    no: str = "unreasonable"
    k: int = Field(default=10, ge=0)

    @model_validator(mode="after")
    def _check(self) -> UnaryWording:
        check_template(self.instruction, "unary.instruction", ("labels", "label_names"))
        check_template(self.question, "unary.question", ("label",), needs=("label",))
        return self


class BinaryWording(TaskPart):
    """Wording of the question which of two labels is better (keys of the table `binary`).

    instruction: as the task's own. question: stands below the record, with `{a}` and `{b}`.
    empty: what the empty answer is called as a choice. k: demonstrations, each of a label the
    record has against one it has not; drawn from the task's.
    opponents: how many other labels each label meets, besides the empty answer; None for all. Fewer
    prompts, and strengths that rest on fewer comparisons.
    """

    instruction: str = (
        "Which of two labels is the better one for the text? The labels there are:\n\n{labels}\n\n"
        "Answer with one letter, a or b."
    )
    question: str = "\n\na. {a}\nb. {b}\nBetter label:"
    empty: str = "none of the labels"
    k: int = Field(default=10, ge=0)
    opponents: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _check(self) -> BinaryWording:
        check_template(self.instruction, "binary.instruction", ("labels", "label_names"))
        check_template(self.question, "binary.question", ("a", "b"), needs=("a", "b"))
        return self
