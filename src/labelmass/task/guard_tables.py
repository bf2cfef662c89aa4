"""Tables of a guard's profile, besides those of a task file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from labelmass.task.keys import TaskPart
from labelmass.task.labels import Label

Side = Literal["prompt", "response"]
"""The message that is judged: one of the user, or one of the assistant."""

ARGUMENTS = (
    "available_tools",
    "categories",
    "custom_criteria",
    "custom_scoring_schema",
    "enable_thinking",
    "excluded_category_keys",
    "guardian_config",
    "guideline",
    "reasoning_effort",
    "request_categories",
    "think",
)
"""Arguments that a profile may give to a chat template."""


def named(value: Any) -> Any:
    """A table of a name alone, for which its text may stand."""
    return {"name": value} if isinstance(value, str) else value


class GuardValue(TaskPart):
    """A value of a field: its name, spellings (default: the name), and whether it is a risk."""

    name: str
    spellings: tuple[str, ...] = ()
    risk: bool = False


class GuardField(TaskPart):
    """A part of the answer, in the order in which they are written; see `task/fields.py`.

    Attributes:
        lead: Text before it.
        values: Names of values, or tables; without them, the field is a list of labels.
        none: Word for a list without labels.
        when: Values of earlier fields with which it is written, by their names.
        match: Whether "all" of these fields must have such a value, or "any" of them.
    """

    name: str
    lead: str = ""
    values: tuple[Annotated[GuardValue, BeforeValidator(named)], ...] = ()
    none: str | None = None
    separators: tuple[str, ...] = (", ", ",")
    single: bool = False
    when: dict[str, tuple[str, ...]] = Field(default_factory=dict[str, tuple[str, ...]])
    match: Literal["all", "any"] = "all"
    optional: bool = False


class GuardLabel(Label):
    """A label of a guard: a category in a list, or what values of fields mean.

    Attributes:
        field: Field that lists it; None for the only list, unless `values` are given.
        values: Values of fields that mean it, by the fields' names.
        implied: Whether any category that annotators give implies it, as any hazard does `unsafe`.
        mode: Name that the makers give to deciding by this label, of several levels; "" for none.
        policy: Text of the policy that it stands for, for guards that judge one at a time; "" where
            the guard knows it by its code.
        response_policy: The same for a response, where that is put in other words.
    """

    field: str | None = None
    values: dict[str, tuple[str, ...]] = Field(default_factory=dict[str, tuple[str, ...]])
    implied: bool = False
    mode: str = ""
    policy: str = ""
    response_policy: str = ""


class ExtraTurn(TaskPart):
    """A turn that a profile puts after the conversation, with the fields of an instruction."""

    role: Literal["user", "system"] = "user"
    text: str


class VendorScore(TaskPart):
    """The score that a guard's makers publish, by their own name and formula.

    Attributes:
        kind: "first-token": probability of the first token of the risk word where the verdict
            starts. "two-tokens": the same over that of both words. "token-sum": over the sums of
            all of the 20 likeliest tokens that are a word apart from blanks and case.
        threshold: The published one; None if there is none.
    """

    kind: Literal["first-token", "two-tokens", "token-sum"]
    threshold: float | None = None
    source: str


class SelfTest(TaskPart):
    """Two texts whose verdicts are plain."""

    safe: str
    unsafe: str
