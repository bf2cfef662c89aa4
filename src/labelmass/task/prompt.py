"""A prompt as parts that know whether they may carry structure.

The task writes prompts; a tokenizer turns them into ids. Text that came from outside (a record, a
label name, a demonstration) is untrusted: whatever it spells, it is encoded as plain text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Name = tuple[str, ...]
"""Name of a question: its family, then the labels it is about."""

ANSWER: Name = ("answer",)
"""The task's own question: which labels?"""


@dataclass(frozen=True, slots=True)
class Part:
    """A run of prompt text; `trusted` text may hold control tokens, other text never does."""

    text: str
    trusted: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation: `role` is system, user or assistant."""

    role: str
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts)


@dataclass(frozen=True, slots=True)
class TemplateCall:
    """How a model's chat template is called.

    Attributes:
        arguments: Further arguments by name; a value is plain JSON, with texts as they stand or as
            a `Part`, which is how text from outside gets in.
        content: Whether the content of a message is a text, a list of parts, or whichever of the
            two the template takes.
        folds: Whether system text may go into the first user turn where the template refuses it.
    """

    arguments: tuple[tuple[str, object], ...] = ()
    content: Literal["either", "text", "parts"] = "either"
    folds: bool = True


@dataclass(frozen=True, slots=True)
class Prompt:
    """Everything the model reads before it writes.

    turns: the conversation, last turn the one to be answered.
    opening: the first bytes of the answer, given to the model rather than left for it to write.
    prefill: trusted text after the template's, which may hold control tokens; not part of the
        answer.
    chat: render with the model's chat template; otherwise the turns are joined as plain text,
        as they stand, and BOS is added where the model expects one.
    template: how the chat template is called.
    """

    turns: tuple[Turn, ...]
    opening: str = ""
    chat: bool = True
    template: TemplateCall = TemplateCall()
    prefill: str = ""
